"""Whether readers of one Avro schema can read what writers of another one wrote. Pure, by Avro's own checker."""

import time
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import orjson
from avro.compatibility import (
    ReaderWriterCompatibilityChecker,
    SchemaCompatibilityResult,
    SchemaCompatibilityType,
)
from avro.errors import AvroException
from avro.name import Names
from avro.schema import Schema, make_avsc_object

from graphsvc.errors import BadSchema

# Comparing takes the product of two unions' sizes: schemas of a megabyte could keep a processor busy for hours.
COMPARE_S = 5.0


class Level(Enum):
    """
    What a new schema of a subject has to be to the older ones, in Confluent's words.

    BACKWARD: its readers can read what the newest of them wrote. FORWARD: readers of that one can read what it writes.
    FULL: both. TRANSITIVE: to all of the older ones. NONE: anything.
    """

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """All older schemas count, not the newest only."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def ways(self) -> tuple[str, ...]:
        """BACKWARD, FORWARD, both, or neither."""
        word = self.value.partition("_")[0]
        return {"NONE": (), "FULL": ("BACKWARD", "FORWARD")}.get(word, (word,))


def problems(level: Level, text: str, earlier: Mapping[int, str]) -> list[str]:
    """
    What keeps a schema from being the next of its subject.

    Args:
        level: What it has to be to the older ones.
        text: The schema as JSON, well-formed.
        earlier: Version -> schema, rising.

    Returns:
        A sentence for each older schema and way; empty if it can be the next.

    Raises:
        BadSchema: One of them is no schema for Avro's library, or it takes longer than COMPARE_S to compare them.
    """
    if not level.ways or not earlier:
        return []
    compared = list(earlier.items()) if level.transitive else list(earlier.items())[-1:]
    end = time.monotonic() + COMPARE_S
    new = _parsed(text)
    found: list[str] = []
    for number, other in reversed(compared):
        old = _parsed(other)
        for way in level.ways:
            reader, writer = (new, old) if way == "BACKWARD" else (old, new)
            result = _compared(reader, writer, end)
            if result.compatibility is SchemaCompatibilityType.incompatible:
                found.append(_sentence(way, number, result))
    return found


def _sentence(way: str, number: int, result: SchemaCompatibilityResult) -> str:
    said = (
        f"the new schema cannot read what version {number} wrote"
        if way == "BACKWARD"
        else f"version {number} cannot read what the new schema writes"
    )
    kinds = ", ".join(dict.fromkeys(kind.value for kind in result.incompatibilities))
    return f"{way}: {said}: {kinds} at {_joined(result.locations)}: {_joined(result.messages)}"


def _joined(texts: set[str]) -> str:
    return "; ".join(sorted(texts))[:300]


class _Checker(ReaderWriterCompatibilityChecker):
    """Avro's own, which ends in time."""

    def __init__(self, end: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._end = end

    def get_compatibility(
        self,
        reader: Schema,
        writer: Schema,
        reference_token: str = ReaderWriterCompatibilityChecker.ROOT_REFERENCE_TOKEN,
        location: list[str] | None = None,
    ) -> SchemaCompatibilityResult:
        """The library calls this for each pair of types."""
        if time.monotonic() > self._end:
            raise BadSchema(f"the schemas take longer than {COMPARE_S:g} s to compare; make them smaller")
        return super().get_compatibility(reader, writer, reference_token, location)


def _compared(reader: Schema, writer: Schema, end: float) -> SchemaCompatibilityResult:
    try:
        return _Checker(end).get_compatibility(reader, writer)
    except (AvroException, RecursionError) as exc:
        raise BadSchema(f"the schemas cannot be compared: {type(exc).__name__}: {str(exc)[:300]}") from exc


def _parsed(text: str) -> Schema:
    """A schema as Avro's library has it; names and logical types are not looked at, as they change no bytes."""
    try:
        return make_avsc_object(
            _plain(orjson.loads(text)), Names(validate_names=False), validate_enum_symbols=False, validate_names=False
        )
    # The library raises whatever its code runs into in a schema that is none for it.
    except (AvroException, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise BadSchema(f"Invalid schema: {type(exc).__name__}: {str(exc)[:300]}") from exc


def _plain(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_plain(item) for item in schema]
    return schema
