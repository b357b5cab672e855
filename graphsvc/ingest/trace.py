"""The door for asking what became of asynchronous proposals, as DataHub's clients do (WIRE.md 1.3)."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import Response

from graphsvc.config import KafkaSettings
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.graph.registry import Registry
from graphsvc.graph.traces import TracedAspect, Traces
from graphsvc.http import JSONAnswer, json_body
from graphsvc.ingest.topic_ends import TopicEnds
from graphsvc.ingest.trace_ids import is_trace, mark_of, time_of

# A record that was applied, this much younger than a trace, says that the trace's records before it were too: they are
# produced within half a minute, and clocks of producers do not differ by as much again.
YOUNGER_MS = 60_000
PAIRS = 10_000

Pair = tuple[str, str]


class WriteStatus(StrEnum):
    """DataHub's names for the state of a write. All but PENDING are final."""

    ACTIVE_STATE = "ACTIVE_STATE"
    HISTORIC_STATE = "HISTORIC_STATE"
    NO_OP = "NO_OP"
    PENDING = "PENDING"
    ERROR = "ERROR"
    TRACE_NOT_IMPLEMENTED = "TRACE_NOT_IMPLEMENTED"
    UNKNOWN = "UNKNOWN"


State = tuple[WriteStatus, str | None]
PENDING: State = (WriteStatus.PENDING, None)


class Offsets(Protocol):
    """How far a consumer group has come: `graphsvc.graph.outbox.Outbox`."""

    async def offsets(self, group: str, partitions: Sequence[tuple[str, int]], /) -> Mapping[Any, tuple[int, int]]:
        """(topic, partition) -> the offset to go on from, and the last record's time in milliseconds."""
        ...


class Progress:
    """Whether the consumers are past what was queued at a time."""

    def __init__(self, kafka: KafkaSettings, offsets: Offsets) -> None:
        self._kafka = kafka
        self._ends = TopicEnds(kafka)
        self._offsets = offsets

    async def past(self, time: int) -> bool:
        """
        Whether all that was on the proposal topic at a time, in milliseconds, has been applied or refused.

        A partition is past it if nothing waits there, or if a record that is a good deal younger was applied. Where a
        URN's records lie is the producers' choice, so all partitions count.

        Raises:
            BrokerUnavailable: Kafka does not answer.
            StoreUnavailable: Neo4j does not.
        """
        topic = self._kafka.proposal_topic
        # In this order: what was acknowledged before the question lies before these ends.
        ends = await asyncio.to_thread(self._ends.of, topic)
        done = await self._offsets.offsets(self._kafka.group, [(topic, number) for number in ends])
        for number, (first, end) in ends.items():
            offset, at = done.get((topic, number), (first, 0))
            if offset < end and at <= time + YOUNGER_MS:
                return False
        return True


class Inquiry:
    """Asks the graph, and then Kafka, what became of a trace; the arguments are those of `build_router`."""

    def __init__(self, traces: Traces, registry: Registry, progress: Progress | None) -> None:
        self._traces = traces
        self._registry = registry
        self._progress = progress

    async def states(self, trace: str, pairs: Sequence[Pair]) -> dict[Pair, State]:
        """
        The state of each (URN, aspect name).

        Raises:
            BrokerUnavailable: Kafka, which would know of what the graph does not, does not answer.
            StoreUnavailable: Neo4j does not.
        """
        seen = await self._look(trace, pairs)
        if all(_state(aspect) for aspect in seen.values()):
            past = True
        else:
            past = self._progress is None or await self._progress.past(time_of(trace))
            # Once more: it may have been applied between the look at the graph and the look at Kafka.
            seen = await self._look(trace, pairs)
        return {
            pair: _state(aspect) or (self._rest(pair, aspect) if past else PENDING) for pair, aspect in seen.items()
        }

    async def _look(self, trace: str, pairs: Sequence[Pair]) -> dict[Pair, TracedAspect]:
        return dict(zip(pairs, await self._traces.states(trace, mark_of(trace), pairs), strict=True))

    def _rest(self, pair: Pair, seen: TracedAspect) -> State:
        """What is left to say of a proposal that is neither to be found nor to come."""
        spec = self._registry.aspects.get(pair[1])
        if spec is not None and spec.timeseries:
            return WriteStatus.TRACE_NOT_IMPLEMENTED, "points of timeseries aspects are not looked through"
        if seen.exists:
            message = "nothing waits, and no version is by this trace; the aspect is there by another write"
            return WriteStatus.NO_OP, message
        return WriteStatus.UNKNOWN, "nothing waits, and the aspect does not exist: deleted, or never sent"


def build_router(traces: Traces, registry: Registry, progress: Progress | None) -> APIRouter:
    """
    `POST /openapi/v1/trace/write/{traceId}`.

    Args:
        traces: What the graph knows of traces.
        registry: Knows timeseries aspects, whose points no trace is looked for in.
        progress: How far the consumers are; None without Kafka, where nothing waits.
    """
    router = APIRouter()
    inquiry = Inquiry(traces, registry, progress)

    @router.post(
        "/openapi/v1/trace/write/{traceId}",
        summary="What became of asynchronous proposals",
        tags=["DataHub's wire: write"],
        response_model=None,
    )
    async def trace_write(
        traceId: str,  # noqa: N803  DataHub's names
        request: Request,
        onlyIncludeErrors: bool = False,  # noqa: FBT001, FBT002, N803
        detailed: bool = False,  # noqa: FBT001, FBT002
    ) -> Response:
        """
        State per aspect of `{"<urn>": ["<aspect>", …]}`; the trace id stands in the `traceparent` header of the
        answer to an asynchronous write. PENDING means to ask again; ERROR, that the proposal was refused.

        `onlyIncludeErrors` leaves out what did not fail. `detailed` gives the reasons, as far as they are known.
        """
        trace = traceId.lower()
        if not is_trace(trace):
            raise BadRequest(f"{traceId[:100]!r} is not a trace id: 32 hexadecimal digits")
        asked = _asked(await json_body(request))
        pairs = list(dict.fromkeys((urn, name) for urn, names in asked.items() for name in names))
        if len(pairs) > PAIRS:
            raise TooLarge(f"{len(pairs)} aspects in one request; the limit is {PAIRS}")
        found = await inquiry.states(trace, pairs) if pairs else {}
        answer: dict[str, dict[str, Any]] = {} if onlyIncludeErrors else {urn: {} for urn in asked}
        for (urn, name), state in found.items():
            if not onlyIncludeErrors or state[0] is WriteStatus.ERROR:
                answer.setdefault(urn, {})[name] = _status(state, detailed=detailed)
        return JSONAnswer(answer)

    return router


def _asked(body: Any) -> dict[str, list[str]]:
    if not isinstance(body, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in body.values()
    ):
        raise BadRequest('the body is not of the form {"<urn>": ["<aspect>", …]}')
    return body


def _state(seen: TracedAspect) -> State | None:
    """What the graph alone tells; None if the trace left nothing there."""
    if seen.active:
        return WriteStatus.ACTIVE_STATE, None
    if seen.replaced:
        return WriteStatus.HISTORIC_STATE, None
    return None if seen.refusal is None else (WriteStatus.ERROR, seen.refusal)


def _status(state: State, *, detailed: bool) -> dict[str, Any]:
    """In DataHub's form; there is one store, so the search storage says the same."""
    status, message = state
    storage: dict[str, Any] = {"writeStatus": status.value}
    if message and (detailed or status is WriteStatus.ERROR):
        storage["writeMessage"] = message
    return {"success": status is not WriteStatus.ERROR, "primaryStorage": storage, "searchStorage": storage}
