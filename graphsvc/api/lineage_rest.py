"""REST for scripts: an entity with all its aspects, and lineage as JSON or as a drawing."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from graphsvc.api.draw import MEDIA_TYPES, Arrow, Box, Format, csv_text, dot_text, mermaid_text, svg_text
from graphsvc.api.filters import platform_urn
from graphsvc.api.impact import DEFAULT_HOPS, Asked, Impact, Named, Row, by_hop, impact
from graphsvc.config import GraphqlSettings
from graphsvc.errors import NotFound
from graphsvc.graph.past import FOREVER, PastReader
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.walking import FOLDED, Edge, Flow
from graphsvc.graph.walks import Walks
from graphsvc.http import JSONAnswer
from graphsvc.urn import parse_urn, urn_type

Direction = Literal["upstream", "downstream", "both"]
FLOWS: dict[Direction, tuple[Flow, ...]] = {"upstream": ("up",), "downstream": ("down",), "both": ("up", "down")}
WORDS: dict[Flow, str] = {"up": "upstream", "down": "downstream"}

_ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,shop.orders,PROD)"
_RAW = "urn:li:dataset:(urn:li:dataPlatform:hive,shop.raw,PROD)"
ENTITY_EXAMPLE = {
    "urn": _ORDERS,
    "type": "dataset",
    "name": "orders",
    "exists": True,
    "removed": False,
    "aspects": {"status": {"removed": False}},
    "names": {"urn:li:corpuser:ada": "Ada"},
}
LINEAGE_EXAMPLE = {
    "start": {"urn": _ORDERS, "name": "orders", "type": "dataset"},
    "nodes": [
        {
            "urn": _RAW, "name": "raw", "type": "dataset", "platform": "hive", "distance": 1, "direction": "upstream",
            "removed": False, "exists": True, "owners": [{"urn": "urn:li:corpuser:ada", "name": "Ada"}], "domains": [],
            "tags": [],
        }
    ],
    "edges": [
        {
            "upstream": _RAW, "downstream": _ORDERS, "type": "DownstreamOf", "aspect": "upstreamLineage", "via": None,
            "createdOn": None, "updatedOn": None, "transformOperation": None, "through": [],
        }
    ],
    "hops": [{"direction": "upstream", "hops": 1, "count": 1}],
    "partial": False,
    "partialReason": None,
    "truncatedAtMaxHops": False,
    "cursor": None,
}  # fmt: skip
AsOf = Annotated[
    int | None,
    Query(alias="asOf", ge=0, le=FOREVER, description="A time in milliseconds: answer as things stood then."),
]
_DRAW = {"dot": dot_text, "mermaid": mermaid_text, "svg": svg_text}
_DRAWINGS = {
    "text/csv": {"example": "name,type,platform,distance,owners,domain,tags,urn,direction,removed\r\n"},
    "text/vnd.graphviz": {"example": "digraph lineage {\n}\n"},
    "image/svg+xml": {"example": '<svg xmlns="http://www.w3.org/2000/svg"></svg>'},
    "text/plain": {"example": 'flowchart LR\n  n0[("orders")]\n'},
}


def build_router(reader: Reader, registry: Registry, limits: GraphqlSettings) -> APIRouter:
    """
    Both doors.

    Args:
        reader: Where everything is read.
        registry: The model.
        limits: Bounds of hops, nodes and time; GraphQL's.
    """
    router = APIRouter(tags=["Reading"])

    def reader_of(as_of: int | None) -> Reader:
        return reader if as_of is None else PastReader(reader, registry, as_of)

    @router.get(
        "/entities/{urn:path}",
        summary="An entity with all its aspects",
        responses={200: {"content": {"application/json": {"example": ENTITY_EXAMPLE}}}, 404: {}},
    )
    async def get_entity(urn: str, as_of: AsOf = None) -> Response:
        """Current aspects as they were sent, and the names of all entities that they mention and the graph knows."""
        parse_urn(urn)
        then = reader_of(as_of)
        row = (await then.entities([urn])).get(urn)
        if row is None:
            raise NotFound(f"{urn} is not in the graph")
        aspects = (await then.aspects([urn])).get(urn, {})
        values = {name: orjson.loads(aspect.value) for name, aspect in aspects.items()}
        mentioned = await then.entities(sorted(_urns(values) - {urn}))
        return JSONAnswer(
            {
                "urn": urn,
                "type": row.entity_type,
                "name": row.name,
                "exists": not row.referenced_only,
                "removed": row.removed,
                "aspects": values,
                "names": {other: found.name for other, found in mentioned.items()},
            }
        )

    @router.get(
        "/lineage/{urn:path}",
        summary="What is upstream or downstream of an entity",
        responses={200: {"content": {"application/json": {"example": LINEAGE_EXAMPLE}, **_DRAWINGS}}, 404: {}},
    )
    async def get_lineage(  # noqa: PLR0913, PLR0917  one word per query parameter
        request: Request,
        urn: str,
        direction: Annotated[Direction, Query(description="Which way to walk.")] = "downstream",
        hops: Annotated[int, Query(ge=1, description="How far.")] = DEFAULT_HOPS,
        form: Annotated[
            Literal["json", "csv", "dot", "mermaid", "svg"], Query(alias="format", description="How to answer.")
        ] = "json",
        fold: Annotated[bool, Query(description="Leave jobs out, and count no hop for them.")] = False,  # noqa: FBT002
        mixed: Annotated[  # noqa: FBT002
            bool, Query(description="Columns go on by their entity's lineage where column lineage ends.")
        ] = False,
        removed: Annotated[bool, Query(description="Show soft-deleted entities too.")] = False,  # noqa: FBT002
        max_nodes: Annotated[int | None, Query(alias="maxNodes", ge=1, description="Nodes at most, each way.")] = None,
        types: Annotated[list[str] | None, Query(description="Relationships to follow; all if there are none.")] = None,
        cursor: Annotated[str | None, Query(description="Where the page before ended; all else as it was.")] = None,
        as_of: AsOf = None,
    ) -> Response:
        """
        Who owns what breaks: every entity with its distance, owners, domain and tags, and the edges between them.

        What a limit cut says so: `partial` in JSON, and the header `X-Graphsvc-Partial` in every form. The next page is
        where the header `Link` leads to, if there is one; JSON has its `cursor`.
        """
        asked = Asked(
            urn,
            FLOWS[direction],
            hops,
            max_nodes,
            frozenset(types) if types else None,
            fold=fold,
            mixed=mixed,
            removed=removed,
            cursor=cursor,
            as_of=as_of,
        )
        then = reader_of(as_of)
        found = await impact(Walks(then, registry), then, limits, asked, {})
        if found is None:
            raise NotFound(f"{urn} is not in the graph")
        answer = (
            JSONAnswer(as_json(found)) if form == "json" else Response(drawn(found, form), media_type=MEDIA_TYPES[form])
        )
        answer.headers["X-Graphsvc-Partial"] = found.partial.value if found.partial else "no"
        if found.cursor:
            answer.headers["Link"] = f'<?{request.url.include_query_params(cursor=found.cursor).query}>; rel="next"'
        return answer

    return router


def as_json(found: Impact) -> dict[str, Any]:
    """An answer as JSON; `LINEAGE_EXAMPLE` is one."""
    return {
        "start": {"urn": found.start.urn, "name": found.start.name, "type": urn_type(found.start.urn)},
        "nodes": [_node(row) for row in found.rows],
        "edges": [_edge(edge) for edge in found.edges],
        "hops": [{"direction": WORDS[flow], "hops": hops, "count": count} for flow, hops, count in by_hop(found.rows)],
        "partial": found.partial is not None,
        "partialReason": found.partial.value if found.partial else None,
        "truncatedAtMaxHops": found.more_hops,
        "cursor": found.cursor,
    }


def drawn(found: Impact, form: Format) -> str:
    """An answer as a table or a drawing."""
    if form == "csv":
        return csv_text(_cells(row) for row in found.rows)
    start = found.start
    platform = (platform_urn(start.urn) or "").rpartition(":")[2]
    boxes = {start.urn: Box(start.urn, start.name, urn_type(start.urn), platform, start=True)}
    for row in found.rows:
        column = -row.distance if row.flow == "up" else row.distance
        boxes.setdefault(row.urn, Box(row.urn, row.name, row.type, row.platform, column=column))
    arrows = [Arrow(e.upstream, e.downstream, _label(e), dashed=e.type == FOLDED) for e in found.edges]
    return _DRAW[form](list(boxes.values()), arrows)


def _label(edge: Edge) -> str:
    return "" if edge.type == FOLDED else edge.type


def _cells(row: Row) -> list[str | int]:
    def names(items: tuple[Named, ...]) -> str:
        return "; ".join(item.name for item in items)

    return [
        row.name, row.type, row.platform, row.distance, names(row.owners), names(row.domains), names(row.tags), row.urn,
        WORDS[row.flow], str(row.removed).lower(),
    ]  # fmt: skip


def _node(row: Row) -> dict[str, Any]:
    return {
        "urn": row.urn, "name": row.name, "type": row.type, "platform": row.platform or None, "distance": row.distance,
        "direction": WORDS[row.flow], "removed": row.removed, "exists": row.exists, "owners": _named(row.owners),
        "domains": _named(row.domains), "tags": _named(row.tags),
    }  # fmt: skip


def _named(items: tuple[Named, ...]) -> list[dict[str, str]]:
    return [{"urn": item.urn, "name": item.name} for item in items]


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "upstream": edge.upstream, "downstream": edge.downstream, "type": edge.type, "aspect": edge.aspect,
        "via": edge.via, "createdOn": edge.created_on, "updatedOn": edge.updated_on,
        "transformOperation": edge.transform, "through": list(edge.through),
    }  # fmt: skip


def _urns(value: Any) -> set[str]:
    """Every URN that stands as a text in a JSON value."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found |= {item} if item.startswith("urn:li:") else set()
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return found
