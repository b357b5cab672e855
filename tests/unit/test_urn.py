"""The grammar of URNs: what parses, what does not, and that nothing else can happen."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.errors import BadUrn
from graphsvc.urn import MAX_URN_BYTES, Urn, parse_urn, schema_field_urn, split_tuple

CONTROLS = [chr(code) for code in (*range(0x20), 0x7F)]
HALVES = ["\ud800", "\udbff", "\udc00", "\udfff"]

entity_types = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
plain_parts = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="(),"), min_size=1, max_size=30
).filter(lambda text: text == text.strip())


def _printed(entity_type: str, parts: tuple[str, ...]) -> str:
    return f"urn:li:{entity_type}:({','.join(parts)})"


tuple_urns = st.recursive(
    st.builds("urn:li:{}:{}".format, entity_types, plain_parts),
    lambda inner: st.builds(_printed, entity_types, st.lists(inner | plain_parts, min_size=1, max_size=4).map(tuple)),
    max_leaves=12,
)
parts_of_tuples = st.lists(tuple_urns | plain_parts, min_size=1, max_size=5).map(tuple)


@given(entity_type=entity_types, parts=parts_of_tuples)
def test_a_printed_tuple_parses_to_its_parts(entity_type: str, parts: tuple[str, ...]) -> None:
    """However deep the URNs inside a tuple nest, its parts come back as they were put in."""
    text = _printed(entity_type, parts)

    urn = parse_urn(text)

    assert urn == Urn(text, entity_type, parts)
    assert _printed(urn.entity_type, urn.parts) == text


@given(entity_type=entity_types, key=plain_parts)
def test_a_plain_id_is_one_part(entity_type: str, key: str) -> None:
    """An id without parentheses is the only part, whatever it holds."""
    urn = parse_urn(f"urn:li:{entity_type}:{key}")

    assert (urn.entity_type, urn.parts) == (entity_type, (key,))


@pytest.mark.parametrize("key", ["a,b", "f(x)", "a)b", "12:34", "%2C%28", "Ärger", "数据集", "🦆", "a b", "\u2028x"])
def test_a_plain_id_may_hold_anything_readable(key: str) -> None:
    """Commas, parentheses inside, percent signs and any script are part of a plain id."""
    assert parse_urn(f"urn:li:tag:{key}").parts == (key,)


@given(
    anything=st.one_of(
        st.text(),
        st.text().map("urn:li:".__add__),
        st.text(alphabet="(),:urnlia ").map("urn:li:dataset:(".__add__),
        st.none() | st.booleans() | st.integers() | st.floats() | st.binary(),
        st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
        st.text(st.characters(categories=("Cs", "Cc", "Lo"))).map("urn:li:tag:".__add__),
    )
)
def test_whatever_comes_in_parses_or_is_a_bad_urn(anything: Any) -> None:
    """No input makes the parser fail in any other way than BadUrn."""
    try:
        urn = parse_urn(anything)
    except BadUrn:
        return

    assert urn.text == anything
    assert all(urn.parts)


@pytest.mark.parametrize("value", [10**5000, [[]] * 3, {"a": 1}, b"urn:li:tag:x", None, 1.5, True], ids=range(7))
def test_what_is_no_string_is_a_bad_urn(value: Any) -> None:
    """A value of another type is refused by its type, even if it could not be printed."""
    with pytest.raises(BadUrn, match="not a string"):
        parse_urn(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "urn",
        "urn:li",
        "urn:li:",
        "urn:li:tag",
        "urn:li:tag:",
        "urn:li::x",
        "urn:li:1tag:x",
        "urn:li:ta-g:x",
        "urn:li:tàg:x",
        "URN:LI:tag:x",
        "urn:x:tag:x",
        " urn:li:tag:x",
        "urn:li:tag:x ",
        "urn:li:tag:x\u00a0",
        "urn:li:dataset:()",
        "urn:li:dataset:(a",
        "urn:li:dataset:(a,)",
        "urn:li:dataset:(,a)",
        "urn:li:dataset:(a,,b)",
        "urn:li:dataset:(a))",
        "urn:li:dataset:((a)",
        "urn:li:dataset:(a)(b)",
        "urn:li:dataset:(a),(b)",
        "urn:li:dataset:(a)b",
    ],
)
def test_another_form_is_a_bad_urn(text: str) -> None:
    """Prefix, entity type, id and parentheses must all be there and match."""
    with pytest.raises(BadUrn):
        parse_urn(text)


@pytest.mark.parametrize("char", [*CONTROLS, *HALVES])
@pytest.mark.parametrize("form", ["urn:li:tag:a{}b", "urn:li:dataset:(a,{}b)", "urn:li:tag:a{}"])
def test_control_characters_and_half_surrogates_are_refused(char: str, form: str) -> None:
    """Neither can be stored or printed safely."""
    with pytest.raises(BadUrn, match="control character"):
        parse_urn(form.format(char))


@pytest.mark.parametrize("char", ["x", "é", "数", "🦆"])
def test_the_limit_counts_bytes(char: str) -> None:
    """A URN of exactly the limit passes, one more character does not; the limit is on bytes, not characters."""
    room = MAX_URN_BYTES - len("urn:li:tag:")
    longest = "urn:li:tag:" + char * (room // len(char.encode()))

    assert parse_urn(longest).text == longest
    with pytest.raises(BadUrn, match="longer than"):
        parse_urn(longest + char)


def test_the_message_names_place_and_text() -> None:
    """Who reads the refusal learns where the text stood and what it was, shortened."""
    with pytest.raises(BadUrn) as caught:
        parse_urn("nonsense" * 100, "upstreamLineage/upstreams/*/dataset")

    message = str(caught.value)
    assert "at upstreamLineage/upstreams/*/dataset" in message
    assert "nonsense" in message
    assert len(message) < 400


def test_a_column_urn_holds_its_table_and_path() -> None:
    """A field path with parentheses and commas of its own type syntax stays apart from the table."""
    table = "urn:li:dataset:(urn:li:dataPlatform:hive,db.t,PROD)"

    urn = parse_urn(schema_field_urn(table, "[version=2.0].[type=struct].a"))

    assert urn.entity_type == "schemaField"
    assert urn.parts == (table, "[version=2.0].[type=struct].a")


@given(text=st.text(alphabet="(),ab", max_size=40))
def test_splitting_keeps_every_character(text: str) -> None:
    """Parts joined again are the text, and no part has unmatched parentheses."""
    try:
        parts = split_tuple(text)
    except ValueError:
        return

    assert ",".join(parts) == text
    assert all(part.count("(") == part.count(")") for part in parts)
