"""Draw a lineage answer as CSV, DOT, Mermaid or SVG. Pure; whatever a name holds, it stays text where it is drawn."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Format = Literal["csv", "dot", "mermaid", "svg"]
COLUMNS = ("name", "type", "platform", "distance", "owners", "domain", "tags", "urn", "direction", "removed")
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "dot": "text/vnd.graphviz; charset=utf-8",
    "mermaid": "text/plain; charset=utf-8",
    "svg": "image/svg+xml",
}
# What a spreadsheet would take for a formula, at the start of a cell (OWASP: CSV injection), full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SHAPES = {"dataset": ("[(", ")]"), "dataJob": ("[[", "]]"), "schemaField": ("([", "])")}
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 220, 44, 300, 60, 20  # of SVG's boxes, and their distances, in pixels
_NAME_SHOWN = 30
_TIP = (
    '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    '<path d="M0,0 L8,4 L0,8 z" fill="#888"/></marker></defs>'
)
_DOT_SHAPES = {"dataset": "cylinder", "dataJob": "cds", "schemaField": "box", "chart": "note", "dashboard": "tab"}
# Characters that mean something to Mermaid or to the HTML in its labels.
_MERMAID_UNSAFE = frozenset('"#;<>&`\\|{}[]()')


@dataclass(frozen=True, slots=True)
class Box:
    """A node of a drawing; `start` is the one that the answer is about, `column` its place from left to right."""

    urn: str
    name: str
    type: str
    platform: str = ""
    start: bool = False
    column: int = 0


@dataclass(frozen=True, slots=True)
class Arrow:
    """Data flows from `upstream` to `downstream`; a dashed arrow stands for nodes that are left out."""

    upstream: str
    downstream: str
    label: str = ""
    dashed: bool = False


def csv_text(rows: Iterable[Sequence[str | int]], columns: Sequence[str] = COLUMNS) -> str:
    """
    A table for spreadsheets: RFC 4180, with a line of names.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def dot_text(boxes: Sequence[Box], arrows: Iterable[Arrow]) -> str:
    """A digraph for Graphviz, data flowing from left to right. Arrows whose ends are no boxes are left out."""
    known = {box.urn for box in boxes}
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    for box in boxes:
        more = " style=bold" if box.start else ""
        shape = _DOT_SHAPES.get(box.type, "ellipse")
        label = _quoted("\n".join(part for part in (box.name, _kind(box)) if part))
        lines.append(f"  {_quoted(box.urn)} [label={label} tooltip={_quoted(box.urn)} shape={shape}{more}];")
    for arrow in arrows:
        if arrow.upstream in known and arrow.downstream in known:
            more = " style=dashed" if arrow.dashed else ""
            ends = f"{_quoted(arrow.upstream)} -> {_quoted(arrow.downstream)}"
            lines.append(f"  {ends} [label={_quoted(arrow.label)}{more}];")
    return "\n".join([*lines, "}", ""])


def mermaid_text(boxes: Sequence[Box], arrows: Iterable[Arrow]) -> str:
    """A flowchart for Mermaid, data flowing from left to right. Arrows whose ends are no boxes are left out."""
    ids = {box.urn: f"n{index}" for index, box in enumerate(boxes)}
    lines = ["flowchart LR"]
    for box in boxes:
        before, after = _SHAPES.get(box.type, ("[", "]"))
        label = "<br>".join(_entities(part) for part in (box.name, _kind(box)) if part)
        lines.append(f'  {ids[box.urn]}{before}"{label}"{after}')
    for arrow in arrows:
        if arrow.upstream in ids and arrow.downstream in ids:
            line = "-.->" if arrow.dashed else "-->"
            label = f'|"{_entities(arrow.label)}"|' if arrow.label else ""
            lines.append(f"  {ids[arrow.upstream]} {line}{label} {ids[arrow.downstream]}")
    lines += [f"  style {ids[box.urn]} stroke-width:3px" for box in boxes if box.start]
    return "\n".join([*lines, ""])


def svg_text(boxes: Sequence[Box], arrows: Iterable[Arrow]) -> str:
    """A picture: a column of boxes for each distance, data flowing from left to right, no scripts and no links."""
    first = min((box.column for box in boxes), default=0)
    filled: Counter[int] = Counter()
    places: dict[str, tuple[int, int]] = {}
    for box in boxes:
        places[box.urn] = (_MARGIN + (box.column - first) * _ACROSS, _MARGIN + filled[box.column] * _DOWN)
        filled[box.column] += 1
    width = max((x for x, _ in places.values()), default=0) + _WIDTH + _MARGIN
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        _TIP,
    ]
    lines += [
        _curve(places[a.upstream], places[a.downstream], a)
        for a in arrows
        if {a.upstream, a.downstream} <= places.keys()
    ]
    lines += [_drawn_box(box, *places[box.urn]) for box in boxes]
    return "\n".join([*lines, "</svg>", ""])


def _curve(start: tuple[int, int], end: tuple[int, int], arrow: Arrow) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2
    dash = ' stroke-dasharray="5 4"' if arrow.dashed else ""
    path = f"M{x1},{y1} C{x1 + 40},{y1} {x2 - 40},{y2} {x2},{y2}"
    title = f"<title>{_markup(arrow.label)}</title>" if arrow.label else ""
    return f'<path d="{path}" fill="none" stroke="#888" marker-end="url(#tip)"{dash}>{title}</path>'


def _drawn_box(box: Box, x: int, y: int) -> str:
    name = box.name if len(box.name) <= _NAME_SHOWN else box.name[: _NAME_SHOWN - 1] + "…"
    stroke = "3" if box.start else "1"
    return (
        f"<g><title>{_markup(box.urn)}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
        f'fill="#fff" stroke="#333" stroke-width="{stroke}"/>'
        f'<text x="{x + 10}" y="{y + 18}" font-size="13">{_markup(name)}</text>'
        f'<text x="{x + 10}" y="{y + 35}" font-size="10" fill="#666">{_markup(_kind(box))}</text></g>'
    )


def _markup(text: str) -> str:
    """Text within XML, without the characters that XML has no place for."""
    return escape("".join(char if char.isprintable() else " " for char in text))


def _kind(box: Box) -> str:
    return " · ".join(part for part in (box.platform, box.type) if part)


def _cell(value: str | int) -> str | int:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return "'" + value
    return value


def _quoted(text: str) -> str:
    """A string of DOT: quotes and backslashes escaped, lines broken by DOT's own mark, no other control characters."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(char if char.isprintable() else " " for char in escaped) + '"'


def _entities(text: str) -> str:
    """Mermaid's entity codes for what it would read as more than text."""
    return "".join(
        f"#{ord(char)};" if char in _MERMAID_UNSAFE else char if char.isprintable() else " " for char in text
    )
