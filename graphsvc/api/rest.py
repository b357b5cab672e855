"""The doors for reading over HTTP, as DataHub's clients call them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from graphsvc.api import openapi
from graphsvc.errors import BadRequest, BadUrn, NotFound
from graphsvc.graph.reader import AspectRow, Reader
from graphsvc.graph.registry import EntitySpec, Registry
from graphsvc.graph.registry.keys import key_value
from graphsvc.http import JSONAnswer, action_route, json_body
from graphsvc.urn import parse_urn

_LIST = re.compile(r"List\((.*)\)")
TAGS = ["DataHub's wire: read"]
DEFAULT_POINTS = 100
MAX_POINTS = 10_000


def build_router(reader: Reader, registry: Registry) -> APIRouter:
    """All reading endpoints."""
    router = APIRouter(tags=list[Any](TAGS))

    @router.get("/entitiesV2/{urn:path}", summary="An entity's aspects")
    async def get_entity(
        urn: str, aspects: Annotated[str | None, Query(description="List(name,name) of aspects.")] = None
    ) -> Response:
        """
        `datahub get`: current aspects with their values; all of them, or those asked for.

        An entity that nobody has described has its key aspect only, as in DataHub.
        """
        spec = _entity(urn, registry)
        names = _names(aspects)
        found = (await reader.aspects([urn], names)).get(urn, {})
        body = {name: _envelope(row) for name, row in found.items()}
        if names is None or spec.key_aspect in names:
            body.setdefault(spec.key_aspect, _key_envelope(urn, spec))
        return JSONAnswer({"entityName": spec.name, "urn": urn, "aspects": body})

    @router.get("/aspects/{urn:path}", summary="One aspect, now or as it was")
    async def get_aspect(
        urn: str,
        aspect: Annotated[str, Query(description="Name of the aspect.")],
        version: Annotated[
            int, Query(ge=0, le=2**63 - 1, description="0: the current one; 1, 2 …: the first, the second …")
        ] = 0,
    ) -> Response:
        """`DataHubGraph.get_aspect` and `datahub exists`: 404 where there is none."""
        _entity(urn, registry)
        if version:
            row = await reader.aspect_version(urn, aspect, version)
        else:
            row = (await reader.aspects([urn], [aspect])).get(urn, {}).get(aspect)
        if row is None:
            raise NotFound(f"{urn} has no aspect {aspect}" + (f" of version {version}" if version else ""))
        known = registry.aspects.get(aspect)
        value = {known.record if known else aspect: orjson.Fragment(row.value)}
        return JSONAnswer({"aspect": value, "version": version, "systemMetadata": _system(row)})

    async def get_points(request: Request) -> Response:
        """Newest first; `startTimeMillis` and `endTimeMillis` bound the time, both inclusive."""
        return JSONAnswer({"value": await _points(await json_body(request), reader, registry)})

    router.add_api_route(
        "/aspects",
        get_points,
        methods=["POST"],
        include_in_schema=False,
        response_model=None,
        route_class_override=action_route("getTimeseriesAspectValues"),
    )
    openapi.add_routes(router, reader, registry)
    return router


async def _points(body: Any, reader: Reader, registry: Registry) -> dict[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("urn"), str) or not isinstance(body.get("aspect"), str):
        raise BadRequest('the body needs "urn" and "aspect"')
    spec = _entity(body["urn"], registry)
    if _has_criteria(body.get("filter")):
        raise BadRequest("filter is not supported for timeseries aspects; use startTimeMillis and endTimeMillis")
    limit = min(_number(body, "limit", DEFAULT_POINTS), MAX_POINTS)
    start, end = _number(body, "startTimeMillis", 0), _number(body, "endTimeMillis", 2**63 - 1)
    rows = await reader.timeseries(body["urn"], body["aspect"], start, end, 1 if body.get("latestValue") else limit)
    return {
        "entityName": spec.name,
        "aspectName": body["aspect"],
        "limit": limit,
        "values": [{"aspect": {"value": row.value, "contentType": "application/json"}} for row in rows],
    }


def _has_criteria(condition: Any) -> bool:
    """`{"or": [{"and": []}]}` is what the clients send when they filter by nothing."""
    if not isinstance(condition, Mapping) or set(condition) > {"or"} or not isinstance(condition.get("or", []), list):
        return condition is not None
    return any(part != {"and": []} for part in condition.get("or", []))


def _number(body: Mapping[str, Any], key: str, default: int) -> int:
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise BadRequest(f"{key} is not a number from 0")
    return value


def _entity(urn: str, registry: Registry) -> EntitySpec:
    parsed = parse_urn(urn)
    spec = registry.entities.get(parsed.entity_type)
    if spec is None:
        raise NotFound(f"entity type of {urn} is not in the model")
    if len(spec.key_fields) > 1 and len(parsed.parts) != len(spec.key_fields):
        raise BadUrn(urn, "urn", f"the form is urn:li:{spec.name}:({','.join(spec.key_fields)})")
    return spec


def _names(aspects: str | None) -> list[str] | None:
    """`List(a,b)` -> names; None for all."""
    if aspects is None:
        return None
    match = _LIST.fullmatch(aspects.strip())
    if match is None:
        raise BadRequest(f"aspects={aspects[:100]!r}: the form is List(name,name)")
    return [name.strip() for name in match[1].split(",") if name.strip()]


def _envelope(row: AspectRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "type": "VERSIONED",
        "version": 0,
        "value": orjson.Fragment(row.value),
        "created": {"actor": row.created_by, "time": row.created_at},
        "systemMetadata": _system(row),
    }


def _key_envelope(urn: str, spec: EntitySpec) -> dict[str, Any]:
    """The key aspect of an entity that nobody has described: what its URN says."""
    return {"name": spec.key_aspect, "type": "VERSIONED", "version": 0, "value": key_value(spec, parse_urn(urn))}


def _system(row: AspectRow) -> orjson.Fragment:
    """The stored system metadata, with the version that `If-Version-Match` compares."""
    stored = orjson.loads(row.system_metadata) if row.system_metadata else {}
    return orjson.Fragment(orjson.dumps({**stored, "version": str(row.version)}))
