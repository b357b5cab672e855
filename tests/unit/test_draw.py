"""Drawings stay drawings, whatever stands in names."""

import csv
import io
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.api.draw import Arrow, Box, csv_text, dot_text, mermaid_text, svg_text

NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =cmd|' /C calc'!A0",
    "\uff1d1",
    'a"b',
    "a,b",
    "a\nb",
    "a\\",
    '";}',
    "<b>",
]
NASTY += ["|x|", "]]", "end", "`", "#quot;", "a --> b", "subgraph x", "%% c", "\x00", "\u2028", "%%{init: {}}%%"]
texts = st.one_of(st.text(max_size=20), st.sampled_from(NASTY))


@given(rows=st.lists(st.tuples(texts, texts, st.integers()), max_size=5))
def test_csv_comes_back_as_it_went_but_for_formulas(rows: list[tuple[str, str, int]]) -> None:
    """Any text survives; one that a spreadsheet would run begins with an apostrophe."""
    read = list(csv.reader(io.StringIO(csv_text(rows, ("a", "b", "n")), newline="")))

    assert read[0] == ["a", "b", "n"]
    for row, back in zip(rows, read[1:], strict=True):
        assert back[2] == str(row[2])
        for text, cell in zip(row[:2], back[:2], strict=True):
            assert cell in {text, "'" + text}
            assert cell.lstrip(" ")[:1] not in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("formula", NASTY[:8])
def test_formulas_are_disarmed(formula: str) -> None:
    """Each of the ways that OWASP lists, and spaces before them."""
    (_, (cell,)) = csv.reader(io.StringIO(csv_text([(formula,)], ("a",)), newline=""))

    assert cell == "'" + formula


def boxes_of(names: list[str]) -> list[Box]:
    return [Box(f"urn:li:tag:{name}{i}", name, "dataset", name, start=i == 0, column=i) for i, name in enumerate(names)]


def arrows_of(boxes: list[Box]) -> list[Arrow]:
    """A ring, with an arrow that leads nowhere."""
    ring = [Arrow(a.urn, b.urn, a.name, dashed=a.start) for a, b in zip(boxes, boxes[1:] + boxes[:1], strict=True)]
    return [*ring, Arrow("urn:li:tag:no box", "urn:li:tag:neither")]


@given(names=st.lists(texts, min_size=1, max_size=5))
def test_dot_holds_one_statement_a_line(names: list[str]) -> None:
    """Every line is a node or an edge in quotes; no text ends its string."""
    boxes = boxes_of(names)
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    node = rf"  {quoted} \[label={quoted} tooltip={quoted} shape=\w+(?: style=bold)?\];"
    edge = rf"  {quoted} -> {quoted} \[label={quoted}(?: style=dashed)?\];"

    lines = dot_text(boxes, arrows_of(boxes)).split("\n")

    assert [bool(re.fullmatch(node, line)) for line in lines[3 : 3 + len(boxes)]] == [True] * len(boxes)
    assert [bool(re.fullmatch(edge, line)) for line in lines[3 + len(boxes) : -2]] == [True] * len(boxes)
    assert lines[-2:] == ["}", ""]


@given(names=st.lists(texts, min_size=1, max_size=5))
def test_mermaid_holds_one_statement_a_line(names: list[str]) -> None:
    """Nodes have names of ours; a label holds nothing that Mermaid or HTML would read."""
    boxes = boxes_of(names)
    label = r'"(?:#\d+;|<br>|[^"#;<>&`\\|{}\[\]()])*"'

    lines = mermaid_text(boxes, arrows_of(boxes)).split("\n")

    assert lines[0] == "flowchart LR"
    for line in lines[1 : 1 + len(boxes)]:
        assert re.fullmatch(rf"  n\d+\[\({label}\)\]", line)
    for line in lines[1 + len(boxes) : 1 + 2 * len(boxes)]:
        assert re.fullmatch(rf"  n\d+ (?:-->|-\.->)(?:\|{label}\|)? n\d+", line)
    assert lines[1 + 2 * len(boxes) :] == ["  style n0 stroke-width:3px", ""]


@given(names=st.lists(texts, min_size=1, max_size=5))
def test_svg_is_xml_with_a_box_for_each(names: list[str]) -> None:
    """It parses, holds no script and no link, and shows every name that fits."""
    boxes = boxes_of(names)

    picture = ET.fromstring(svg_text(boxes, arrows_of(boxes)))

    tags = [element.tag.rpartition("}")[2] for element in picture.iter()]
    assert set(tags) <= {"svg", "defs", "marker", "path", "g", "title", "rect", "text"}
    assert (tags.count("rect"), tags.count("path")) == (len(boxes), 1 + len(boxes))


def test_a_drawing_of_nothing() -> None:
    """No boxes are a drawing too."""
    assert dot_text([], []).startswith("digraph")
    assert mermaid_text([], []) == "flowchart LR\n"
    assert ET.fromstring(svg_text([], [])).attrib["width"] == "240"
