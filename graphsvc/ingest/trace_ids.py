"""Pure: ids by which a client asks what became of its asynchronous proposals, and where they stand."""

import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

import orjson

from graphsvc.errors import GraphsvcError
from graphsvc.graph.operations import Row
from graphsvc.ingest.changes import Answer
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.snapshot import Item

TRACE_PROPERTY = "telemetryTraceId"  # where DataHub keeps it in systemMetadata.properties
_TRACE = re.compile(r"[0-9a-f]{32}")
MESSAGE_LENGTH = 1_000


def new_trace() -> str:
    """A trace id, 32 hexadecimal digits, of which the first 16 are the time in microseconds (WIRE.md 1.3)."""
    return f"{time.time_ns() // 1_000:016x}{secrets.token_hex(8)}"


def traceparent(trace: str) -> str:
    """The answer's header that tells the client its trace id, in W3C's form."""
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def time_of(trace: str) -> int:
    """When a trace began, in milliseconds."""
    return int(trace[:16], 16) // 1_000


def is_trace(text: object) -> TypeGuard[str]:
    """Whether this is a trace id, in the form of `new_trace`."""
    return isinstance(text, str) and _TRACE.fullmatch(text) is not None


def mark_of(trace: str) -> str:
    """How a trace id stands in canonical JSON text of systemMetadata."""
    return f'"{TRACE_PROPERTY}":"{trace}"'


def traced(system: Mapping[str, Any], trace: str) -> dict[str, Any]:
    """System metadata with the trace id; properties that are no object, which nobody can read, make way for it."""
    given = system.get("properties")
    return {**system, "properties": {**(given if isinstance(given, dict) else {}), TRACE_PROPERTY: trace}}


def trace_item(item: Item, trace: str) -> Item:
    """A proposal with the trace id in its system metadata; as it was, if there is no reading that."""
    if not isinstance(item, Proposal):
        return item
    system = _system(item)
    return item if system is None else replace(item, system_metadata=traced(system, trace))


def refusals(items: Iterable[Item], answers: Sequence[Answer]) -> list[Row]:
    """Rows of `write/note_refusals` for those traced proposals that were refused; the last one of an aspect counts."""
    found: dict[tuple[str, str, str], Row] = {}
    for item, answer in zip(items, answers, strict=True):
        if not isinstance(answer, GraphsvcError) or not isinstance(item, Proposal):
            continue
        properties = (_system(item) or {}).get("properties")
        trace = properties.get(TRACE_PROPERTY) if isinstance(properties, dict) else None
        if is_trace(trace) and item.entity_urn and item.aspect_name:
            key = (trace, item.entity_urn, item.aspect_name)
            found[key] = dict(zip(("trace", "urn", "aspect"), key, strict=True))
            found[key]["message"] = f"{type(answer).__name__}: {answer}"[:MESSAGE_LENGTH]
    return list(found.values())


def _system(item: Proposal) -> dict[str, Any] | None:
    """A proposal's system metadata; None where it is text, but not of an object."""
    system = item.system_metadata
    if isinstance(system, str):
        try:
            system = orjson.loads(system)
        except orjson.JSONDecodeError:
            return None
    return system if isinstance(system, dict) else {} if system is None else None
