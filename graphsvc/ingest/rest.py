"""The doors for writing over HTTP: DataHub's endpoints as its clients call them, and graphsvc's own `/ingest`."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from graphsvc.errors import BadProposal, BadRequest, GraphsvcError, NotFound
from graphsvc.graph.registry import Registry
from graphsvc.http import JSONAnswer, action_route, error_answer, json_body
from graphsvc.ingest.changes import Answer, Applied
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import Item, decode_proposal, proposals_of_entity

FAILURES_IN_MESSAGE = 20


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
        None, description="Version of the aspect now; 0 for points of timeseries and deletions."
    )
    changed: bool | None = Field(None, description="False if the graph was so already.")
    error: str | None = Field(None, description="Name of the error, if it was refused.")
    reason: str | None = Field(None, description="What is wrong with it, if it was refused.")


class IngestAnswer(BaseModel):
    """Answer of `/ingest`."""

    landed: int
    refused: int
    unmodelled: int = Field(
        description="How many were stored as they came, because the model does not know the aspect."
    )
    items: list[ItemAnswer]


def build_router(service: IngestService, registry: Registry) -> APIRouter:
    """All writing endpoints."""
    router = APIRouter()
    _add_restli(router, service, registry)
    _add_own(router, service)
    return router


def _add_restli(router: APIRouter, service: IngestService, registry: Registry) -> None:
    def post(path: str, action: str, summary: str, *, in_schema: bool = False) -> Any:
        """Both spellings: `datahub put` writes `/aspects/?action=…`."""

        def add(endpoint: Any) -> Any:
            for spelling in (path, f"{path}/"):
                router.add_api_route(
                    spelling,
                    endpoint,
                    methods=["POST"],
                    summary=summary,
                    tags=["DataHub's wire: write"],
                    include_in_schema=in_schema and spelling == path,
                    route_class_override=action_route(action),
                    response_model=None,
                )
            return endpoint

        return add

    @post(
        "/aspects", "ingestProposal", "Apply one proposal, or a batch with action=ingestProposalBatch", in_schema=True
    )
    async def ingest_proposal(request: Request) -> Response:
        """DataHub's wire: `{"proposal": {…}, "async": "false"}`. 200 means that Neo4j has committed it."""
        body = _object(await json_body(request))
        item = decode_proposal(body.get("proposal"))
        (answer,) = await service.ingest([item])
        if isinstance(answer, GraphsvcError):
            return error_answer(answer)
        return JSONAnswer({"value": answer.urn})

    @post("/aspects", "ingestProposalBatch", "Apply a batch of proposals")
    async def ingest_proposal_batch(request: Request) -> Response:
        """DataHub's wire: `{"proposals": [{…}], "async": "true"}`. The good ones land; a 4xx names each bad one."""
        body = _object(await json_body(request))
        items = [decode_proposal(raw) for raw in _list(body, "proposals")]
        return _batch_answer(items, await service.ingest(items))

    @post("/entities", "ingest", "Apply an MCE snapshot, or several with action=ingestBatch", in_schema=True)
    async def ingest_entity(request: Request) -> Response:
        """DataHub's legacy wire: `{"entity": {"value": {"com.linkedin…DatasetSnapshot": {…}}}}`."""
        body = _object(await json_body(request))
        items = proposals_of_entity(body.get("entity"), body.get("systemMetadata"), registry)
        return _batch_answer(items, await service.ingest(items))

    @post("/entities", "ingestBatch", "Apply MCE snapshots")
    async def ingest_entities(request: Request) -> Response:
        """DataHub's legacy wire: `{"entities": [{"value": …}], "systemMetadata": [{…}]}`."""
        body = _object(await json_body(request))
        entities, systems = _list(body, "entities"), body.get("systemMetadata")
        per_entity = (
            systems if isinstance(systems, list) and len(systems) == len(entities) else [systems] * len(entities)
        )
        items = [
            item
            for entity, system in zip(entities, per_entity, strict=True)
            for item in proposals_of_entity(entity, system, registry)
        ]
        return _batch_answer(items, await service.ingest(items))

    @post("/entities", "delete", "Delete an entity with everything that is known about it")
    async def delete_entity(request: Request) -> Response:
        """DataHub's wire: `{"urn": …}`. Others that point to the entity keep pointing to it."""
        body = _object(await json_body(request))
        if body.get("aspectName"):
            raise BadRequest("deleting points of a timeseries aspect is not supported")
        (answer,) = await service.ingest([decode_proposal({"entityUrn": body.get("urn"), "changeType": "DELETE"})])
        if isinstance(answer, GraphsvcError):
            return error_answer(answer)
        return JSONAnswer({"value": {"urn": answer.urn, "rows": int(answer.changed), "timeseriesRows": 0}})

    for path in ("/aspects", "/aspects/", "/entities", "/entities/"):
        router.add_api_route(path, _no_such_action, methods=["POST"], include_in_schema=False, response_model=None)


async def _no_such_action(request: Request) -> Response:
    """Mounted behind all actions, also those of the reading side."""
    action = request.query_params.get("action")
    raise NotFound(f"POST {request.url.path}?action={action} is not supported; see /docs for what is")


def _add_own(router: APIRouter, service: IngestService) -> None:
    @router.post(
        "/ingest",
        summary="Apply one proposal or a list",
        tags=["graphsvc"],
        response_model=IngestAnswer,
        response_model_exclude_none=True,
        responses={
            422: {"model": IngestAnswer, "description": "Some proposals were refused; the others have landed."},
            **{status: {"model": ErrorBody} for status in (400, 413, 415, 503)},
        },
    )
    async def ingest(request: Request, items: Annotated[list[Item], Depends(_own_items)]) -> Response:
        """
        Apply proposals given as plain JSON: one, or a list.

        An aspect's value may be an object in `aspect.json` or text in `aspect.value`. The good ones land together, in
        one transaction; each bad one is named. 200 means that all have landed.
        """
        answers = await service.ingest(items)
        body = _own_answer(items, answers)
        status = 422 if body.refused else 200
        return JSONAnswer(body.model_dump(exclude_none=True), status_code=status)


async def _own_items(request: Request) -> list[Item]:
    body = await json_body(request)
    return [decode_proposal(raw) for raw in (body if isinstance(body, list) else [body])]


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


def _batch_answer(items: Sequence[Item], answers: Sequence[Answer]) -> Response:
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
