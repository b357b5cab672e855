"""`GET /search` for scripts: what GraphQL's `searchAcrossEntities` answers, as plain JSON."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from graphsvc.errors import BadRequest
from graphsvc.graph.projection import FACETS
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.search import Filter, Search, SearchQuery, Sort
from graphsvc.http import JSONAnswer
from graphsvc.urn import urn_type

MAX_PAGE = 1_000
FACET_VALUES = 20


def build_router(reader: Reader, registry: Registry) -> APIRouter:
    """The endpoint."""
    router = APIRouter(tags=["Read"])
    finder = Search(reader, registry)

    @router.get("/search", summary="Search entities")
    async def search(  # noqa: PLR0913, PLR0917  query parameters
        query: Annotated[str, Query(description='Words, "phrases", pre*, fuzz~, field:value, AND, OR, NOT.')] = "*",
        types: Annotated[str | None, Query(description="Entity types, `dataset,chart`; all without.")] = None,
        filter: Annotated[  # noqa: A002  the parameter's name
            list[str] | None,
            Query(description="`field=value|value`; `field!=…` for none of these. All of them must hold."),
        ] = None,
        start: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        count: Annotated[int, Query(ge=0, le=MAX_PAGE)] = 10,
        sort: Annotated[
            str | None, Query(description="Up to three fields, `name,-createdAt`; `-` stands for descending.")
        ] = None,
        facets: Annotated[str | None, Query(description="Facets to count, `platform,tags`; `*` for the usual.")] = None,
    ) -> Response:
        """
        A page of entities with the total, the best first.

        Soft-deleted entities are left out unless a filter on `removed` asks for them. A facet has its 20 most
        frequent values. Where `partial` is true, counting stopped at 100,000: more match than `total` says, and the
        facets are of these only.
        """
        wanted = SearchQuery(query, _types(types, registry), (tuple(map(_filter, filter or ())),))
        names = FACETS if facets == "*" else [name for name in (facets or "").split(",") if name]
        order = [Sort(name.removeprefix("-"), name.startswith("-")) for name in (sort or "").split(",") if name]
        found = await finder.answer(
            wanted, start, count, order, shown=True, total=True, facets=names, limit=FACET_VALUES
        )
        rows = [
            {
                "urn": hit.urn,
                "type": urn_type(hit.urn),
                "name": hit.name,
                "score": hit.score,
                "matchedFields": [{"name": name, "value": value} for name, value in hit.fields],
            }
            for hit in found.hits.rows()
        ]
        facets_ = {name: {count.value: count.number for count in counts} for name, counts in found.facets.items()}
        return JSONAnswer(
            {
                "start": start,
                "count": len(rows),
                "total": found.total,
                "partial": found.partial,
                "results": rows,
                "facets": facets_,
            }
        )

    return router


def _types(text: str | None, registry: Registry) -> tuple[str, ...] | None:
    if not text:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in names if name not in registry.entities]:
        raise BadRequest(f"types: the model has no entity type {', '.join(unknown)[:200]}")
    return names


def _filter(text: str) -> Filter:
    field, equals, value = text.partition("=")
    if not equals or not field.removesuffix("!"):
        raise BadRequest(f"filter={text[:100]!r}: the form is field=value, field!=value, or field=value|value")
    return Filter(field.removesuffix("!"), tuple(value.split("|")), "EQUAL", field.endswith("!"))
