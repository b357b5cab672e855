"""Pure: records of the change log and dead letters <-> the nodes in which they wait, many to a node (docs/adr/0009)."""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from graphsvc.graph.operations import Row

CHUNK_RECORDS = 500
CHUNK_BYTES = 1024 * 1024  # of values; one record makes a chunk in any case
BYTES = ("key", "original")  # of a dead letter; base64 in JSON
LEVEL = 1  # of zlib: a tenth of the size for 4 µs a record, where Neo4j would spend 50 on the text as it is


def chunks(records: Sequence[Row], kind: str) -> list[Row]:
    """
    Rows of `write/record_outbox`.

    Args:
        records: Of one transaction; each has at least `id`, `order`, `bytes` and `at`.
        kind: `changes` or `letters`, which are never mixed: their orders are of different clocks.

    Returns:
        The records in their order, cut at `CHUNK_RECORDS` and `CHUNK_BYTES`; none for no records.
    """
    return [
        {
            "id": part[0]["id"],
            "order": part[0]["order"],
            "kind": kind,
            "count": len(part),
            "bytes": sum(record["bytes"] for record in part),
            "at": part[-1]["at"],
            "records": zlib.compress(orjson.dumps(part, default=_base64), LEVEL),
        }
        for part in _parts(sorted(records, key=lambda record: int(record["order"])))
    ]


def records_of(chunk: Mapping[str, Any]) -> list[Row]:
    """What is in a chunk, in order."""
    records: list[Row] = orjson.loads(zlib.decompress(chunk["records"]))
    if chunk["kind"] == "letters":
        for record in records:
            record.update((name, base64.b64decode(record[name])) for name in BYTES if record[name] is not None)
    return records


def _parts(records: Sequence[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    size = 0
    for record in records:
        size += record["bytes"]
        if part and (len(part) == CHUNK_RECORDS or size > CHUNK_BYTES):
            yield part
            part, size = [], record["bytes"]
        part.append(record)
    if part:
        yield part


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a {type(value).__name__} in a record")
