"""The two OpenAPI v3 doors that DataHub's SQL sources ask while they write to the rest.li ones (WIRE.md 1.5)."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from graphsvc.errors import BadRequest, NotFound
from graphsvc.graph.reader import AspectRow, Condition, Reader
from graphsvc.graph.registry import EntitySpec, Registry
from graphsvc.http import JSONAnswer, json_body
from graphsvc.urn import parse_urn

MAX_ENTITIES = 2_000
RESOURCE = "platformResource"
_TERM = re.compile(r'([A-Za-z]+)(?:\.keyword)?:"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def add_routes(router: APIRouter, reader: Reader, registry: Registry) -> None:
    """Mount both."""

    @router.post("/openapi/v3/entity/{entity_type}/batchGet", summary="Aspects of several entities")
    async def get_entities(
        entity_type: str,
        request: Request,
        with_system: Annotated[bool, Query(alias="systemMetadata")] = False,  # noqa: FBT002  a query parameter
    ) -> Response:
        """
        `DataHubGraph.get_entities`: SQL sources look up the columns of the tables that a view reads.

        `[{"urn": …, "schemaMetadata": {}}]`; no aspect stands for all. Entities that have none of theirs are left out.
        """
        wanted = _wanted(await json_body(request), entity_type)
        names = None if not all(wanted.values()) else sorted(set().union(*wanted.values()))
        found = await reader.aspects(wanted, names)
        entities = []
        for urn, aspects in wanted.items():
            rows = [row for name, row in found.get(urn, {}).items() if name in aspects or not aspects]
            if rows:
                entities.append({"urn": urn, **{row.name: _valued(row, with_system=with_system) for row in rows}})
        return JSONAnswer(entities)

    spec = registry.entities[RESOURCE]

    @router.get(f"/openapi/v3/entity/{RESOURCE.lower()}", summary="Find platform resources")
    async def find_platform_resources(
        query: Annotated[str, Query(description='`field:"text"`, several joined by AND or by OR, in parentheses.')],
        count: Annotated[int, Query(ge=1, le=10_000)] = 1000,
        scroll: Annotated[str | None, Query(alias="scrollId", description="`scrollId` of the page before.")] = None,
    ) -> Response:
        """`PlatformResource.search_by_filters`: SQL sources ask whether somebody has mapped Looker's users."""
        conditions, match_all = _conditions(query, spec)
        urns = await reader.platform_resources(conditions, match_all=match_all)
        page = [urn for urn in urns if scroll is None or urn > scroll][: count + 1]
        more = page[count - 1] if len(page) > count else None
        rows = await reader.aspects(page[:count], [spec.key_aspect])
        entities = [
            {"urn": urn, **{name: _valued(row, with_system=False) for name, row in rows.get(urn, {}).items()}}
            for urn in page[:count]
        ]
        return JSONAnswer({"scrollId": more, "entities": entities, "totalCount": len(urns)})

    @router.get("/openapi/v3/entity/{entity_type}", include_in_schema=False)
    async def find_others(entity_type: str) -> Response:
        raise NotFound(f"entities of type {entity_type[:100]} cannot be listed here; use GraphQL, see /graphql")


def _wanted(body: Any, entity_type: str) -> dict[str, set[str]]:
    """URN -> names of aspects."""
    if not isinstance(body, list) or not all(isinstance(item, Mapping) for item in body):
        raise BadRequest('the body is not a list of {"urn": …, "<aspect>": {}}')
    if len(body) > MAX_ENTITIES:
        raise BadRequest(f"{len(body)} entities in one request; the limit is {MAX_ENTITIES}")
    wanted: dict[str, set[str]] = {}
    for item in body:
        urn = item.get("urn")
        if not isinstance(urn, str):
            raise BadRequest("an item has no urn")
        if parse_urn(urn).entity_type.lower() != entity_type.lower():
            raise BadRequest(f"{urn} is not of the type {entity_type[:100]}")
        names = item.keys() - {"urn"}
        if any(isinstance(item[name], Mapping) and item[name].get("headers") for name in names):
            raise BadRequest("headers of an aspect are not supported; GET /aspects/{urn} gives older versions")
        wanted.setdefault(urn, set()).update(names)
    return wanted


def _valued(row: AspectRow, *, with_system: bool) -> dict[str, Any]:
    value = {"value": orjson.loads(row.value)}
    if not with_system:
        return value
    stored = orjson.loads(row.system_metadata) if row.system_metadata else {}
    return {**value, "systemMetadata": {**stored, "version": str(row.version)}}


def _conditions(text: str, spec: EntitySpec) -> tuple[Sequence[Condition], bool]:
    """The conditions in a query string, and whether all must hold."""
    many = {field.name: field.many for aspect in spec.projection for field in spec.projected(aspect)}
    rest = _TERM.sub("#", text).strip()
    operators = set(rest.removeprefix("(").removesuffix(")").split())
    terms = [(name, _ESCAPED.sub(r"\1", value)) for name, value in _TERM.findall(text)]
    if operators not in ({"#"}, {"#", "AND"}, {"#", "OR"}) or any(name not in many for name, _ in terms):
        form = '(field:"text" AND field:"text"), or with OR'
        raise BadRequest(f"query={text[:200]!r}: the form is {form}; fields: {', '.join(sorted(many))}")
    return [Condition(name, value, many[name]) for name, value in terms], "OR" not in operators
