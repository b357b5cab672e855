"""The query `lineageDiff`: how lineage changed between two times."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import strawberry

from graphsvc.api.differences import Differences, differences, edge_differences
from graphsvc.api.graphql.across_lineage import LineageLimit, limit_of
from graphsvc.api.graphql.context import Info, context_of
from graphsvc.api.graphql.entity import Entity, LineageDirection, entity_of
from graphsvc.api.graphql.lineage import LineageEdge, LineageNode
from graphsvc.api.graphql.views import Long, described
from graphsvc.api.impact import DEFAULT_HOPS, bounded
from graphsvc.errors import BadRequest
from graphsvc.graph.past import PastReader
from graphsvc.graph.walking import Edge, Flow, Node
from graphsvc.graph.walks import Question, Walked, Walks
from graphsvc.urn import parse_urn

_TIME = "A time, in milliseconds."


class _Found(NamedTuple):
    """A node as one of the walks found it."""

    node: Node
    distance: int
    flow: Flow


@described
class LineageNodeChange:
    """An entity whose distance, name or soft deletion changed, or whether it exists."""

    before: LineageNode
    after: LineageNode


@described
class LineageEdgeChange:
    """An edge whose details changed."""

    before: LineageEdge
    after: LineageEdge


@described
class LineageDiff:
    """How lineage changed from one time to another. Fields of entities are shown as of the later time."""

    start: Entity
    direction: LineageDirection | None = strawberry.field(description="Null for both.")
    max_hops: int
    added_nodes: list[LineageNode] = strawberry.field(description="Entities that only the later lineage has.")
    removed_nodes: list[LineageNode] = strawberry.field(description="Entities that only the earlier lineage has.")
    changed_nodes: list[LineageNodeChange]
    added_edges: list[LineageEdge]
    removed_edges: list[LineageEdge]
    changed_edges: list[LineageEdgeChange]
    partial: bool = strawberry.field(
        description="True when a limit cut one of the two walks: what is said to be added or removed may be in both."
    )
    partial_reason: LineageLimit | None


async def lineage_diff(  # noqa: PLR0913  GraphQL's arguments
    info: Info,
    *,
    urn: str,
    earlier: Annotated[Long, strawberry.argument(name="from", description=_TIME)],
    later: Annotated[Long, strawberry.argument(name="to", description=_TIME)],
    direction: LineageDirection | None = None,
    max_hops: int | None = DEFAULT_HOPS,
    max_nodes: int | None = None,
    types: list[str] | None = None,
) -> LineageDiff | None:
    """
    Walk lineage at two times, and compare; both ways without a direction. Soft-deleted entities are shown.

    Raises:
        BadUrn: `urn` is none.
        BadRequest: A bound is less than 1, or the times are none, or in the wrong order.
        TooLarge: A bound passes the settings' limit.
    """
    parse_urn(urn)
    if earlier > later:
        raise BadRequest(f"from is {earlier}, to is {later}; the earlier time comes first")
    now = info.context
    limits = now.settings
    hops = bounded("maxHops", max_hops, limits.max_hops, DEFAULT_HOPS)
    nodes = bounded("maxNodes", max_nodes, limits.max_lineage_nodes)
    wanted = None if types is None else frozenset(types)
    flows: tuple[Flow, ...] = (direction.value,) if direction else ("up", "down")
    questions = [Question(urn, flow, hops, nodes, limits.query_timeout_s, wanted) for flow in flows]
    readers = PastReader(now.reader, now.registry, earlier), context_of(info, later).reader
    walks = [Walks(reader, now.registry) for reader in readers]
    found = await asyncio.gather(*(walk.walk(question) for walk in walks for question in questions))
    before, after = found[: len(flows)], found[len(flows) :]
    walked = [walk for walk in (*after, *before) if walk is not None]
    if not walked:
        return None
    of_nodes: Differences[_Found] = differences(_nodes(before, flows), _nodes(after, flows))
    of_edges = edge_differences(_edges(before), _edges(after))
    partial = next((walk.partial for walk in walked if walk.partial), None)
    return LineageDiff(
        start=_entity(walked[0].start),
        direction=direction,
        max_hops=hops,
        added_nodes=[_shown(node) for node in of_nodes.added],
        removed_nodes=[_shown(node) for node in of_nodes.removed],
        changed_nodes=[LineageNodeChange(before=_shown(old), after=_shown(new)) for old, new in of_nodes.changed],
        added_edges=[_edge(edge) for edge in of_edges.added],
        removed_edges=[_edge(edge) for edge in of_edges.removed],
        changed_edges=[LineageEdgeChange(before=_edge(old), after=_edge(new)) for old, new in of_edges.changed],
        partial=partial is not None,
        partial_reason=limit_of(partial),
    )


def _nodes(walks: Iterable[Walked | None], flows: Iterable[Flow]) -> dict[tuple[Flow, str], _Found]:
    return {
        (flow, node.urn): _Found(node, walk.distance[node.urn], flow)
        for walk, flow in zip(walks, flows, strict=True)
        if walk is not None
        for node in walk.nodes
    }


def _edges(walks: Iterable[Walked | None]) -> list[Edge]:
    return [edge for walk in walks if walk is not None for edge in walk.edges]


def _entity(node: Node) -> Entity:
    return entity_of(node.urn, node.name, exists=not node.referenced_only)


def _shown(found: _Found) -> LineageNode:
    return LineageNode(
        entity=_entity(found.node),
        distance=found.distance,
        direction=LineageDirection(found.flow),
        removed=found.node.removed,
    )


def _edge(edge: Edge) -> LineageEdge:
    return LineageEdge(
        source=edge.source,
        target=edge.target,
        type=edge.type,
        upstream=edge.upstream,
        downstream=edge.downstream,
        aspect=edge.aspect,
        via=edge.via,
        created_on=_time(edge.created_on),
        updated_on=_time(edge.updated_on),
        through=list(edge.through),
    )


def _time(value: int | None) -> Long | None:
    return None if value is None else Long(value)
