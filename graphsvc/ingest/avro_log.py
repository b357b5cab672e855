"""
Pure: records of the outbox -> MetadataChangeLog in Avro, put together from parts.

Over a whole record fastavro takes ten times as long as over its text: most fields are null or the same as in the record
before. So it encodes what is shared, once, and the text is put between.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any

import fastavro
import orjson

ID_HEADER = "graphsvc-id"
JSON = "application/json"
TEXTS = frozenset({"runId", "lastRunId", "pipelineName", "registryName", "registryVersion", "version"})
NUMBERS = frozenset({"lastObserved", "schemaVersion"})
STAMPS = frozenset({"aspectCreated", "aspectModified"})
SHARED = 4_096  # system metadata and stamps that are kept encoded

# Avro's binary form: a union starts with the place of its member, where null comes first in all of ours.
NULL, THERE, END = b"\x00", b"\x02", b"\x00"


def system(text: str | None, version: int | None) -> dict[str, Any] | None:
    """
    SystemMetadata, as far as it fits Avro's record: clients may have sent more, or other types.

    Args:
        text: The stored one, as JSON text.
        version: The aspect's version, which DataHub's readers find here; None where it is not known.
    """
    stored = orjson.loads(text) if text else {}
    found: dict[str, Any] = {key: stored[key] for key in TEXTS & stored.keys() if isinstance(stored[key], str)}
    found.update((key, stored[key]) for key in NUMBERS & stored.keys() if type(stored[key]) is int)
    if isinstance(properties := stored.get("properties"), dict):
        found["properties"] = {key: item for key, item in properties.items() if isinstance(item, str)}
    for name in STAMPS & stored.keys():
        stamp = stored[name]
        if isinstance(stamp, dict) and type(stamp.get("time")) is int and isinstance(stamp.get("actor"), str):
            found[name] = {"time": stamp["time"], "actor": stamp["actor"], "impersonator": None, "message": None}
    if version is not None:
        found["version"] = str(version)
    return found or None


def change_writer(schema: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bytes]:
    """
    What encodes one change.

    Args:
        schema: MetadataChangeLog as we write it (`schemas/MetadataChangeLog.avsc`), decoded.

    Returns:
        Record of the outbox (docs/graph-model.md) -> its bytes, without Confluent's frame.
    """
    types = {field["name"]: field["type"] for field in schema["fields"]}
    named: dict[str, Any] = {}
    fastavro.parse_schema(dict(schema), named_schemas=named)
    system_schema = fastavro.parse_schema(types["systemMetadata"], named_schemas={})
    stamp_schema = fastavro.parse_schema(["null", named[types["created"][1]]], named_schemas={})
    change_types = {symbol: _long(place) for place, symbol in enumerate(types["changeType"]["symbols"])}

    @lru_cache(maxsize=SHARED)
    def shared_system(text: str | None, version: int | None) -> bytes:
        return _encoded(system_schema, system(text, version))

    @lru_cache(maxsize=SHARED)
    def shared_stamp(at: int, actor: str) -> bytes:
        return _encoded(stamp_schema, {"time": at, "actor": actor, "impersonator": None, "message": None})

    content_type, id_name, one = _text(JSON), _text(ID_HEADER), _long(1)

    def generic(text: str | None) -> bytes:
        return NULL if text is None else b"".join((THERE, _text(text), content_type))

    def write(record: Mapping[str, Any]) -> bytes:
        fields = (
            NULL,  # auditHeader
            _text(record["entityType"]),
            THERE + _text(record["urn"]),
            NULL,  # entityKeyAspect
            change_types[record["changeType"]],
            THERE + _text(record["aspect"]),
            generic(record.get("value")),
            shared_system(record.get("systemMetadata"), record["version"]),
            b"".join((THERE, one, id_name, _text(record["id"]), END)),  # headers, a map of one
            generic(record.get("previousValue")),
            shared_system(record.get("previousSystemMetadata"), None),
            shared_stamp(record["at"], record["actor"]),
        )
        return b"".join(fields)

    return write


def _encoded(schema: Any, value: Any) -> bytes:
    target = BytesIO()
    fastavro.schemaless_writer(target, schema, value)
    return target.getvalue()


def _text(text: str) -> bytes:
    """A string; bytes have the same form."""
    encoded = text.encode()
    return _long(len(encoded)) + encoded


def _long(number: int) -> bytes:
    """A number that is not negative: zigzag, then seven bits a byte, the lowest first."""
    rest = number << 1
    if rest < 0x80:
        return bytes((rest,))
    found = bytearray()
    while rest >= 0x80:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)
