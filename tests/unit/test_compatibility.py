"""Levels of compatibility between Avro schemas, by what decoding really does."""

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsvc.errors import BadSchema
from graphsvc.graph import compatibility
from graphsvc.graph.compatibility import Level, problems
from graphsvc.ingest.avro import schema_text


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "A", "fields": list(fields)})


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": "string"}
B_OR = {"name": "b", "type": "string", "default": ""}
PLAIN, MORE, WITH_DEFAULT = record(A), record(A, B), record(A, B_OR)


@pytest.mark.parametrize(
    ("level", "earlier", "new", "goes"),
    [
        ("NONE", [PLAIN], '"int"', True),
        ("BACKWARD", [], MORE, True),
        ("BACKWARD", [PLAIN], MORE, False),
        ("BACKWARD", [PLAIN], WITH_DEFAULT, True),
        ("BACKWARD", [MORE], PLAIN, True),
        ("FORWARD", [PLAIN], MORE, True),
        ("FORWARD", [MORE], PLAIN, False),
        ("FORWARD", [WITH_DEFAULT], PLAIN, True),
        ("FULL", [PLAIN], WITH_DEFAULT, True),
        ("FULL", [PLAIN], MORE, False),
        ("FULL", [MORE], PLAIN, False),
        ("BACKWARD", [PLAIN, WITH_DEFAULT], MORE, True),
        ("BACKWARD_TRANSITIVE", [PLAIN, WITH_DEFAULT], MORE, False),
        ("FORWARD", [MORE, WITH_DEFAULT], PLAIN, True),
        ("FORWARD_TRANSITIVE", [MORE, WITH_DEFAULT], PLAIN, False),
        ("FULL", [MORE, WITH_DEFAULT], PLAIN, True),
        ("FULL_TRANSITIVE", [MORE, WITH_DEFAULT], PLAIN, False),
        ("FULL_TRANSITIVE", [PLAIN, WITH_DEFAULT], PLAIN, True),
        ("BACKWARD", ['"int"'], '"long"', True),
        ("FORWARD", ['"int"'], '"long"', False),
        ("BACKWARD", ['"int"'], '["null", "int"]', True),
        ("BACKWARD", ['["null", "int"]'], '"int"', False),
        ("BACKWARD", ['{"type": "int", "logicalType": "date"}'], '{"type": "int", "logicalType": "no such"}', True),
    ],
)
def test_a_level_lets_through_what_it_says(level: str, earlier: list[str], new: str, goes: bool) -> None:
    """Fields, defaults, promotions and unions; the newest only, or all."""
    assert (not problems(Level(level), new, dict(enumerate(earlier, 1)))) == goes


def test_what_does_not_go_together_is_said() -> None:
    """Which version, which way round, where, and what is wrong."""
    backward, forward = problems(Level.FULL_TRANSITIVE, PLAIN, {1: MORE, 2: WITH_DEFAULT, 3: record(B_OR)})

    assert backward.startswith("BACKWARD: the new schema cannot read what version 3 wrote: ")
    assert forward.startswith("FORWARD: version 1 cannot read what the new schema writes: ")
    assert forward.endswith("reader_field_missing_default_value at /fields/1: b")


@pytest.mark.parametrize("name", ["MetadataChangeProposal", "MetadataChangeLog", "PlatformEvent"])
def test_datahubs_own_records_can_be_compared(name: str) -> None:
    """They follow themselves under every level."""
    assert problems(Level.FULL_TRANSITIVE, schema_text(name), {1: schema_text(name)}) == []


@pytest.mark.parametrize(
    "text",
    ['{"type": "enum", "name": "E"}', '{"type": "record", "name": "A"}', "[" * 5000 + "]" * 5000, '{"type": "recrod"}'],
)
def test_what_the_checker_cannot_take_is_a_bad_schema(text: str) -> None:
    """As the new one, and as an older one."""
    with pytest.raises(BadSchema):
        problems(Level.BACKWARD, text, {1: PLAIN})
    with pytest.raises(BadSchema):
        problems(Level.BACKWARD, PLAIN, {1: text})


def test_comparing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unions multiply; there is a bound on the time."""
    monkeypatch.setattr(compatibility, "COMPARE_S", 0.2)
    ours, theirs = (
        json.dumps([{"type": "record", "name": f"{p}{i}", "fields": [A]} for i in range(2_000)]) for p in "ab"
    )

    with pytest.raises(BadSchema, match="longer than"):
        problems(Level.BACKWARD, ours, {1: theirs})


SIMPLE = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "string"])
KINDS = st.one_of(
    SIMPLE,
    st.lists(SIMPLE, min_size=1, max_size=3, unique=True),
    SIMPLE.map(lambda items: {"type": "array", "items": items}),
    SIMPLE.map(lambda values: {"type": "map", "values": values}),
    st.lists(st.sampled_from("PQR"), min_size=1, unique=True).map(
        lambda symbols: {"type": "enum", "name": "E", "symbols": symbols}
    ),
)
VALUES: dict[str, list[Any]] = {
    "null": [None], "boolean": [True], "int": [7], "long": [2**40], "float": [0.5], "double": [0.25], "string": ["x"],
}  # fmt: skip


def values_of(kind: Any) -> list[Any]:
    if isinstance(kind, list):
        return [(name, value) for name in kind for value in VALUES[name]]
    if isinstance(kind, str):
        return VALUES[kind]
    if kind["type"] == "array":
        return [VALUES[kind["items"]]]
    if kind["type"] == "map":
        return [{"k": value} for value in VALUES[kind["values"]]]
    return list(kind["symbols"])


@settings(max_examples=300)
@given(KINDS, KINDS)
def test_backward_means_that_every_value_can_be_read(old: Any, new: Any) -> None:
    """Whatever the two types of a field: if the level lets it through, fastavro reads what was written."""
    earlier, later = record({"name": "f", "type": old}), record({"name": "f", "type": new})

    if not problems(Level.BACKWARD, later, {1: earlier}):
        for value in values_of(old):
            data = BytesIO()
            fastavro.schemaless_writer(data, json.loads(earlier), {"f": value})
            data.seek(0)
            fastavro.schemaless_reader(data, json.loads(earlier), json.loads(later))
