"""
Pure: MetadataChangeProposals in Avro -> proposals, read in two parts.

Over a whole record fastavro takes four times as long as it takes to cut out its texts. What follows these, system
metadata and headers, is the same in many records of a run, so fastavro decodes it once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from graphsvc.ingest.avro_json import bare
from graphsvc.ingest.proposal import Proposal, typed_proposal

SHARED = 1_024  # ends of records that are kept decoded
SHARED_BYTES = 1_024  # the longest of them
LONG_BITS = 63

# How the head's fields are typed in all of DataHub's versions; what is not text is looked at by itself.
_TEXT, _OPTIONAL_TEXT = "string", ["null", "string"]
_HEAD = ("auditHeader", "entityType", "entityUrn", "entityKeyAspect", "changeType", "aspectName", "aspect")
_HEADERS = ["null", {"type": "map", "values": "string"}]
_VALUE = [("value", "bytes"), ("contentType", "string")]
# First bytes of optional fields, of which null is the first member: audit header, URN, key, aspect's name, aspect.
_PLAIN = (0, 2, 0, 2, 2)


class ProposalReader:
    """Reads the plain proposals of one schema: of those with a URN, an aspect, and neither audit header nor key."""

    def __init__(self, change_types: Sequence[str], end: Any) -> None:
        """Keep the names of the change types, and the schema of what follows the aspect."""
        self._change_types = change_types
        self._end = end
        self._shared = lru_cache(maxsize=SHARED)(self._decoded)

    def read(self, value: bytes, at: int) -> Proposal | None:
        """
        One proposal.

        Args:
            value: A record.
            at: Where its Avro begins.

        Returns:
            None where it is not a plain one, or not right at all: fastavro says then what it is, or what is wrong.
        """
        try:
            audit = value[at]
            entity_type, at = _text(value, at + 1)
            urn_there = value[at]
            urn, at = _text(value, at + 1)
            key = value[at]
            change_type, at = _length(value, at + 1)
            name_there = value[at]
            name, at = _text(value, at + 1)
            aspect_there = value[at]
            length, start = _length(value, at + 1)
            content_type, at = _text(value, start + length)
        except (IndexError, ValueError):
            return None
        rest = value[at:]
        more = self._shared(rest) if len(rest) <= SHARED_BYTES else self._decoded(rest)
        if (
            (audit, urn_there, key, name_there, aspect_there) != _PLAIN
            or more is None
            or change_type >= len(self._change_types)
        ):
            return None
        aspect = value[start : start + length], content_type
        return typed_proposal(entity_type, urn, self._change_types[change_type], name, aspect, *more)

    def _decoded(self, rest: bytes) -> tuple[dict[str, Any] | None, dict[str, str] | None] | None:
        """System metadata and headers."""
        source = BytesIO(rest)
        try:
            found: Any = fastavro.schemaless_reader(source, self._end, None)
        # fastavro raises whatever its code runs into in bytes that are not Avro.
        except (EOFError, ValueError, LookupError, TypeError, OverflowError, MemoryError):
            return None
        return (bare(found.get("systemMetadata")), found.get("headers")) if source.tell() == len(rest) else None


def proposal_reader(schema: Mapping[str, Any]) -> ProposalReader | None:
    """
    What reads proposals of one schema.

    Args:
        schema: MetadataChangeProposal as `wire_schema` gives it.

    Returns:
        None for a schema of another form than DataHub's.
    """
    head, end = schema["fields"][: len(_HEAD)], schema["fields"][len(_HEAD) :]
    if tuple(field["name"] for field in head) != _HEAD or not _has_form([field["type"] for field in head]):
        return None
    if any(field["name"] == "headers" and field["type"] != _HEADERS for field in end):
        return None
    try:
        parsed = fastavro.parse_schema({"type": "record", "name": "graphsvc.End", "fields": end}, named_schemas={})
    except (SchemaParseException, UnknownType):  # it needs a type that the head defines
        return None
    return ProposalReader(head[4]["type"]["symbols"], parsed)


def _has_form(types: list[Any]) -> bool:
    audit, entity_type, urn, key, change_type, name, aspect = types
    return (
        isinstance(audit, list)
        and audit[0] == "null"
        and (entity_type, urn, name) == (_TEXT, _OPTIONAL_TEXT, _OPTIONAL_TEXT)
        and isinstance(change_type, dict)
        and change_type["type"] == "enum"
        and isinstance(key, list)
        and isinstance(key[1], dict)
        and [(field["name"], field["type"]) for field in key[1].get("fields", ())] == _VALUE
        and aspect == ["null", key[1]["name"]]
    )


def _text(value: bytes, at: int) -> tuple[str, int]:
    length, at = _length(value, at)
    return value[at : at + length].decode(), at + length


def _length(value: bytes, at: int) -> tuple[int, int]:
    """A number that is not negative (see `avro_log`), and the place behind it."""
    byte = value[at]
    rest = byte & 0x7F
    shift = 0
    while byte >= 0x80:
        at += 1
        byte = value[at]
        shift += 7
        if shift > LONG_BITS:
            raise ValueError("a number that never ends")
        rest |= (byte & 0x7F) << shift
    if rest & 1:
        raise ValueError("a length below zero")
    return rest >> 1, at + 1
