"""The doors for writing over HTTP: DataHub's endpoints as its clients call them, and graphsvc's own `/ingest`."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from graphsvc.errors import BadProposal, BadRequest, GraphsvcError, NotFound
from graphsvc.graph.registry import Registry
from graphsvc.http import JSONAnswer, action_route, error_answer, json_body
from graphsvc.ingest.changes import Answer, Applied
from graphsvc.ingest.proposal import PROPOSAL, Proposal
from graphsvc.ingest.queue import Queue, Queued
from graphsvc.ingest.references import References
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import Item, decode_proposal, proposals_of_entity
from graphsvc.ingest.trace_ids import new_trace, trace_item, traceparent
from graphsvc.urn import parse_urn

FAILURES_IN_MESSAGE = 20
_ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,sales.orders,PROD)"
_LINEAGE = {"upstreams": [{"dataset": "urn:li:dataset:(urn:li:dataPlatform:kafka,orders,PROD)", "type": "TRANSFORMED"}]}
EXAMPLES: dict[str, Any] = {
    "one": {
        "summary": "One proposal",
        "value": {
            "entityUrn": _ORDERS,
            "aspectName": "datasetProperties",
            "aspect": {"json": {"name": "orders", "description": "One row per order."}},
        },
    },
    "list": {
        "summary": "A table, its lineage and its owner",
        "value": [
            {"entityUrn": _ORDERS, "aspectName": "status", "aspect": {"json": {"removed": False}}},
            {"entityUrn": _ORDERS, "aspectName": "upstreamLineage", "aspect": {"json": _LINEAGE}},
            {
                "entityUrn": _ORDERS,
                "aspectName": "ownership",
                "aspect": {"json": {"owners": [{"owner": "urn:li:corpuser:ada", "type": "TECHNICAL_OWNER"}]}},
            },
        ],
    },
}


class ErrorBody(BaseModel):
    """An error, in the keys that DataHub's clients read."""

    exceptionClass: str = Field(description="Name of the error in graphsvc's error tree.")  # noqa: N815
    message: str
    status: int


class ItemAnswer(BaseModel):
    """What became of one proposal of `/ingest`."""

    index: int = Field(description="Position in the request, from 0.")
    urn: str | None
    aspect: str | None
    version: int | None = Field(
        default=None, description="Version of the aspect now; 0 for points of timeseries and deletions."
    )
    changed: bool | None = Field(default=None, description="False if the graph was so already.")
    error: str | None = Field(default=None, description="Name of the error, if it was refused.")
    reason: str | None = Field(default=None, description="What is wrong with it, if it was refused.")


class IngestAnswer(BaseModel):
    """Answer of `/ingest`."""

    landed: int
    refused: int
    unmodelled: int = Field(
        description="How many were stored as they came, because the model does not know the aspect."
    )
    items: list[ItemAnswer]


def build_router(service: IngestService, registry: Registry, queue: Queue | None, references: References) -> APIRouter:
    """
    All writing endpoints.

    Args:
        service: Applies proposals.
        registry: The model.
        queue: Takes asynchronous proposals; without it they are applied at once.
        references: Takes entities out of what refers to them.
    """
    router = APIRouter()
    doors = Doors(service, registry, queue, references)
    for path, action, endpoint in (
        ("/aspects", "ingestProposal", doors.ingest_proposal),
        ("/aspects", "ingestProposalBatch", doors.ingest_proposal_batch),
        ("/entities", "ingest", doors.ingest_entity),
        ("/entities", "ingestBatch", doors.ingest_entities),
        ("/entities", "delete", doors.delete_entity),
        ("/entities", "deleteReferences", doors.delete_references),
    ):
        for spelling in (path, f"{path}/"):  # `datahub put` writes `/aspects/?action=…`
            router.add_api_route(
                spelling,
                endpoint,
                methods=["POST"],
                summary=f"action={action}",
                tags=["DataHub's wire: write"],
                # OpenAPI knows one operation per path and method; the others stand in its description.
                include_in_schema=spelling == path and action in ("ingestProposal", "ingest"),
                route_class_override=action_route(action),
                response_model=None,
            )
    for path in ("/aspects", "/aspects/", "/entities", "/entities/"):
        router.add_api_route(path, _no_such_action, methods=["POST"], include_in_schema=False, response_model=None)
    router.add_api_route(
        "/ingest",
        doors.ingest,
        methods=["POST"],
        summary="Apply one proposal or a list",
        tags=["graphsvc"],
        response_model=IngestAnswer,
        responses={
            422: {"model": IngestAnswer, "description": "Some proposals were refused; the others have landed."},
            **{status: {"model": ErrorBody} for status in (400, 413, 415, 503)},
        },
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": _ingest_schema()}}},
    )
    return router


class Doors:
    """The endpoints, each: decode, call, encode."""

    def __init__(self, service: IngestService, registry: Registry, queue: Queue | None, references: References) -> None:
        self._service = service
        self._registry = registry
        self._queue = queue
        self._references = references

    async def ingest_proposal(self, request: Request) -> Response:
        """
        Apply one proposal: `{"proposal": {…}, "async": "false"}`. 200 means that Neo4j has committed it, or, with
        `"async": "true"` and where Kafka is configured, that the brokers have acknowledged it.

        With `action=ingestProposalBatch` the body is `{"proposals": [{…}]}`: the good ones land, and a 4xx names each
        bad one. With `action=getTimeseriesAspectValues` it is a read.
        """
        body = _object(await json_body(request))
        item = decode_proposal(body.get("proposal"))
        trace = _trace(body)
        (answer,) = await self._take([item], trace)
        if isinstance(answer, GraphsvcError):
            urn, aspect = _name(item)
            return error_answer(answer, message=f"{urn} {aspect}: {answer}", urn=urn, aspect=aspect)
        return JSONAnswer({"value": answer.urn}, headers=_trace_headers(trace))

    async def ingest_proposal_batch(self, request: Request) -> Response:
        """Apply a batch: `{"proposals": [{…}], "async": "true"}`."""
        body = _object(await json_body(request))
        return await self._apply([decode_proposal(raw) for raw in _list(body, "proposals")], body)

    async def ingest_entity(self, request: Request) -> Response:
        """
        Apply an MCE snapshot: `{"entity": {"value": {"com.linkedin…DatasetSnapshot": {…}}}}`.

        With `action=ingestBatch` the body is `{"entities": [{"value": …}]}`; with `action=delete` it is `{"urn": …}`.
        `action=deleteReferences` leaves the entity and takes it out of what refers to it: `{"urn": …, "dryRun": …}`.
        """
        body = _object(await json_body(request))
        items = proposals_of_entity(body.get("entity"), body.get("systemMetadata"), self._registry)
        return await self._apply(items, body)

    async def ingest_entities(self, request: Request) -> Response:
        """Apply MCE snapshots: `{"entities": [{"value": …}], "systemMetadata": [{…}]}`."""
        body = _object(await json_body(request))
        entities, systems = _list(body, "entities"), body.get("systemMetadata")
        per_entity = (
            systems if isinstance(systems, list) and len(systems) == len(entities) else [systems] * len(entities)
        )
        pairs = zip(entities, per_entity, strict=True)
        return await self._apply([item for pair in pairs for item in proposals_of_entity(*pair, self._registry)], body)

    async def delete_entity(self, request: Request) -> Response:
        """Delete an entity with all that is known about it: `{"urn": …}`. Who points to it goes on pointing to it."""
        body = _object(await json_body(request))
        if body.get("aspectName"):
            raise BadRequest("deleting points of a timeseries aspect is not supported")
        (answer,) = await self._service.ingest(
            [decode_proposal({"entityUrn": body.get("urn"), "changeType": "DELETE"})]
        )
        if isinstance(answer, GraphsvcError):
            return error_answer(answer)
        return JSONAnswer({"value": {"urn": answer.urn, "rows": int(answer.changed), "timeseriesRows": 0}})

    async def delete_references(self, request: Request) -> Response:
        """
        Take an entity out of all aspects that refer to it: `{"urn": …, "dryRun": false}`; the entity itself stays.

        The answer says how many aspects refer to it, and names ten of them.
        """
        body = _object(await json_body(request))
        given: Any = body.get("urn")
        urn = parse_urn(given).text
        total, some = await self._references.find(urn)
        if body.get("dryRun") is not True:
            total = await self._references.remove(urn)
        related = [{"relationship": r.relationship, "entity": r.urn, "aspect": r.aspect} for r in some]
        return JSONAnswer({"value": {"total": total, "relatedAspects": related}})

    async def ingest(self, request: Request) -> Response:
        """
        Apply proposals given as plain JSON: one, or a list.

        An aspect's value may be an object in `aspect.json` or text in `aspect.value`. The good ones land together, in
        one transaction; each bad one is named. 200 means that all have landed.
        """
        body = await json_body(request)
        items = [decode_proposal(raw) for raw in (body if isinstance(body, list) else [body])]
        answer = _own_answer(items, await self._service.ingest(items))
        return JSONAnswer(
            answer.model_dump(exclude_none=True), status_code=BadProposal.status if answer.refused else 200
        )

    async def _apply(self, items: Sequence[Item], body: Mapping[str, Any]) -> Response:
        trace = _trace(body)
        answer = _batch_answer(items, await self._take(items, trace))
        answer.headers.update(_trace_headers(trace))
        return answer

    async def _take(self, items: Sequence[Item], trace: str | None) -> Sequence[Answer | Queued]:
        """Apply proposals; queue them if they are to be traced and Kafka is configured."""
        if trace is None:
            return await self._service.ingest(items)
        if self._queue is not None:
            return await self._queue.put(items, trace)
        return await self._service.ingest([trace_item(item, trace) for item in items])


def _trace(body: Mapping[str, Any]) -> str | None:
    """A new trace id where the request says `async`, which is text on DataHub's wire: only then one asks later."""
    return new_trace() if str(body.get("async")).lower() == "true" else None


def _trace_headers(trace: str | None) -> dict[str, str]:
    return {} if trace is None else {"traceparent": traceparent(trace)}


async def _no_such_action(request: Request) -> Response:
    """Mounted behind all actions, also those of the reading side."""
    action = request.query_params.get("action")
    raise NotFound(f"POST {request.url.path}?action={action} is not supported; see /docs for what is")


def _ingest_schema() -> dict[str, Any]:
    """The body of `/ingest` for OpenAPI; it is decoded item by item, so that a bad one does not cost the others."""
    schema = PROPOSAL.json_schema()
    aspect = schema.pop("$defs")["GenericAspect"]
    for field in schema["properties"].values():
        field["anyOf"] = [aspect if "$ref" in choice else choice for choice in field.get("anyOf", ())] or None
    properties = {name: {k: v for k, v in f.items() if v is not None} for name, f in schema["properties"].items()}
    proposal = {**schema, "properties": properties}
    return {"schema": {"anyOf": [proposal, {"type": "array", "items": proposal}]}, "examples": EXAMPLES}


def _own_answer(items: Sequence[Item], answers: Sequence[Answer]) -> IngestAnswer:
    applied = [answer for answer in answers if isinstance(answer, Applied)]
    return IngestAnswer(
        landed=len(applied),
        refused=len(answers) - len(applied),
        unmodelled=sum(not answer.modelled for answer in applied),
        items=[_own_item(index, item, answer) for index, (item, answer) in enumerate(zip(items, answers, strict=True))],
    )


def _own_item(index: int, item: Item, answer: Answer) -> ItemAnswer:
    if isinstance(answer, Applied):
        return ItemAnswer(
            index=index, urn=answer.urn, aspect=answer.aspect, version=answer.version, changed=answer.changed
        )
    urn, aspect = _name(item)
    return ItemAnswer(index=index, urn=urn, aspect=aspect, error=type(answer).__name__, reason=str(answer))


def _name(item: Item) -> tuple[str | None, str | None]:
    return (item.entity_urn, item.aspect_name) if isinstance(item, Proposal) else (None, None)


def _batch_answer(items: Sequence[Item], answers: Sequence[Answer | Queued]) -> Response:
    """200 where all landed; else a 4xx that names each bad one and says how many landed."""
    failures = []
    for index, (item, answer) in enumerate(zip(items, answers, strict=True)):
        if isinstance(answer, GraphsvcError):
            urn, aspect = _name(item)
            error = {"error": type(answer).__name__, "reason": str(answer)}
            failures.append({"index": index, "urn": urn, "aspect": aspect, **error})
    landed = len(answers) - len(failures)
    if not failures:
        unmodelled = sum(isinstance(a, Applied) and not a.modelled for a in answers)
        return JSONAnswer({"value": "SUCCESS", "landed": landed, "unmodelled": unmodelled})
    shown = [f"[{f['index']}] {f['urn']} {f['aspect']}: {f['reason']}" for f in failures[:FAILURES_IN_MESSAGE]]
    more = f"; and {len(failures) - len(shown)} more" if len(failures) > len(shown) else ""
    message = f"{len(failures)} of {len(answers)} proposals refused, {landed} landed: {'; '.join(shown)}{more}"
    errors = [answer for answer in answers if isinstance(answer, GraphsvcError)]
    kind = type(errors[0]) if len({type(error) for error in errors}) == 1 else BadProposal
    body = {"exceptionClass": kind.__name__, "message": message, "status": kind.status}
    return JSONAnswer({**body, "landed": landed, "failures": failures}, status_code=kind.status)


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _list(body: dict[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if not isinstance(value, list):
        raise BadRequest(f"the body needs {key!r}, a list")
    return value
