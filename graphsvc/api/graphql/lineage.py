"""The query `lineage`: everything upstream or downstream of an entity, and how it hangs together."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, NamedTuple

import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionNode

from graphsvc.api.graphql.across_lineage import LineageLimit, criteria_of, limit_of
from graphsvc.api.graphql.analysis import Fold, HopCount, Mixed, OrFilters, Since, WalkFilters
from graphsvc.api.graphql.context import AsOf, Context, Info, context_of
from graphsvc.api.graphql.entity import Entity, LineageDirection, entity_of, entity_table
from graphsvc.api.graphql.names import enum_names
from graphsvc.api.graphql.plain import Make, Table
from graphsvc.api.graphql.views import Long, described, shown
from graphsvc.api.impact import Asked, bounded, kept_of, next_of, pages_of, question_of, without_kin
from graphsvc.graph import reader as graph
from graphsvc.graph.walking import FIRST, Edge, Flow, Place
from graphsvc.graph.walks import Walked, Walks, walked_of
from graphsvc.urn import parse_urn

DEFAULT_HOPS = 3
# Fields of the answer for which the edges have to be read, and fields of an edge for which more of it has to be.
_NEED_EDGES = frozenset({"edges", "truncatedAtMaxHops"})
_NEED_DETAILS = frozenset({"aspect", "via", "createdOn", "updatedOn"})


@described
class LineageNode:
    """An entity that the walk found, and the least number of hops to it."""

    entity: Entity
    distance: int
    direction: LineageDirection
    removed: bool


@described
class LineageEdge:
    """
    A lineage edge between two entities of the answer.

    `source type target` reads as the metadata model has it: a table DownstreamOf its source, a job Produces a table.
    `upstream` and `downstream` say which way the data flows, whatever the type. An edge of type `Folded` stands for
    what the answer leaves out; `through` names it, from upstream to downstream.
    """

    source: str
    target: str
    type: str
    upstream: str
    downstream: str
    aspect: str | None
    via: str | None
    created_on: Long | None
    updated_on: Long | None
    through: list[str]


@dataclass(frozen=True, slots=True)
class _Part:
    """One direction of an answer; `edges` are the reader's columns, or edges where some stand for what is left out."""

    flow: Flow
    start: graph.LineageNode
    nodes: graph.NodeColumns
    edges: graph.EdgeColumns | list[Edge]
    partial: LineageLimit | None
    more_hops: bool
    next: Place | None


@described
class LineageResult:
    """Everything that a walk over lineage found, or a page of it."""

    start: Entity = strawberry.field(description="Where the walk began.")
    direction: LineageDirection | None = strawberry.field(description="Null for both.")
    max_hops: int
    total: int = strawberry.field(description="How many nodes the answer has.")
    nodes: list[LineageNode] = strawberry.field(
        description="Every entity found but the start: upstream before downstream, the nearest first, then by URN."
    )
    edges: list[LineageEdge] = strawberry.field(
        description="Every lineage edge between the nodes and the start, with all of diamonds and cycles. On further "
        "pages those with an end there; the other may stand on a page before."
    )
    partial: bool = strawberry.field(
        description="True when a limit cut the answer: more nodes are within maxHops than are shown here."
    )
    partial_reason: LineageLimit | None
    truncated_at_max_hops: bool = strawberry.field(
        description="True when lineage goes on behind the last hop: ask with more hops to see it."
    )
    cursor: str | None = strawberry.field(
        description="Ask the same again with this to go on; null when there is nothing more, or no way to get there."
    )
    parts: strawberry.Private[Sequence[_Part]]

    @shown("How many nodes of the answer are so many hops away.")
    def counts_by_hop(self) -> list[HopCount]:
        """Upstream before downstream, the nearest first."""
        return [
            HopCount(direction=LineageDirection(part.flow), hops=hops, count=count)
            for part in self.parts
            for hops, count in Counter(part.nodes.distance).items()
        ]


async def lineage(  # noqa: PLR0913  GraphQL's arguments
    info: Info,
    *,
    urn: str,
    direction: LineageDirection | None = None,
    max_hops: int | None = DEFAULT_HOPS,
    types: list[str] | None = None,
    max_nodes: int | None = None,
    include_removed: bool | None = False,
    fold: Fold = False,
    mixed: Mixed = False,
    or_filters: OrFilters = None,
    walk_filters: WalkFilters = None,
    start_time_millis: Since = None,
    end_time_millis: Long | None = None,
    cursor: str | None = None,
    as_of: AsOf = None,
) -> LineageResult | None:
    """
    Walk lineage from an entity, or from a column (`urn:li:schemaField:…`); both ways without a direction.

    Soft-deleted entities are walked through, and hidden unless asked for. What is hidden is stood for by folded edges.

    Raises:
        BadUrn: `urn` is none.
        BadRequest: `maxHops` or `maxNodes` is less than 1, a filter makes no sense, or `cursor` is of another question.
        TooLarge: A bound passes the settings' limit.
    """
    parse_urn(urn)
    context = context_of(info, as_of)
    limits = context.settings
    asked = Asked(
        urn,
        (direction.value,) if direction else ("up", "down"),
        bounded("maxHops", max_hops, limits.max_hops, DEFAULT_HOPS),
        bounded("maxNodes", max_nodes, limits.max_lineage_nodes),
        None if types is None else frozenset(types),
        fold=bool(fold),
        mixed=bool(mixed),
        removed=bool(include_removed),
        where=criteria_of(or_filters or []),
        during=criteria_of(walk_filters or []),
        since=start_time_millis,
        until=end_time_millis,
        cursor=cursor,
        as_of=as_of,
    )
    pages = pages_of(asked, "lineage")
    look = _Look.at(info)
    plain = await without_kin(context.reader, asked)
    walks = [_part(context, plain, look, *page) for page in pages.items()]
    found = [await walks[0]] if len(walks) == 1 else await asyncio.gather(*walks)
    parts = [part for part in found if part]
    return _result(parts, direction, asked) if parts else None


class _Look(NamedTuple):
    """Whether the edges of an answer are looked at, and their details."""

    edges: bool
    details: bool

    @classmethod
    def at(cls, info: Info) -> "_Look":
        """What a document selects."""
        selected = _selected(info, info._raw_info.field_nodes)  # noqa: SLF001  Strawberry's own form costs more than the answer
        of_edges = _selected(info, [field for field in selected if field.name.value == "edges"])
        return cls(
            any(field.name.value in _NEED_EDGES for field in selected),
            any(field.name.value in _NEED_DETAILS for field in of_edges),
        )


async def _part(context: Context, asked: Asked, look: _Look, flow: Flow, after: Place) -> _Part | None:
    """One direction of an answer, from a place on; None if the start has no node."""
    walks = Walks(context.reader, context.registry)
    names = enum_names(context.registry)
    if after == FIRST and not _hop_by_hop(asked):
        assert asked.max_nodes is not None  # noqa: S101  it is bounded
        walk = graph.Walk(asked.urn, flow, asked.hops, asked.max_nodes, asked.types, look.edges, look.details)
        found = await context.reader.lineage(walk)
        if found is None:
            return None
        if not asked.where and (asked.removed or not any(found.node_columns.removed)):
            return _as_read(found, flow)
        walked: Walked | None = walked_of(found)
    else:
        question = question_of(asked, flow, context.settings, names, after)
        walked = await walks.walk(replace(question, edges=look.edges))
    if walked is None:
        return None
    return _without(walked, flow, (await kept_of(walks, walked, asked, names))[0])


def _hop_by_hop(asked: Asked) -> bool:
    """Whether a walk needs more than Neo4j's own: the past, and what each hop asks of nodes and edges."""
    timed = asked.as_of is not None or asked.since is not None or asked.until is not None
    return timed or asked.fold or asked.mixed or bool(asked.during)


def _as_read(found: graph.Lineage, flow: Flow) -> _Part:
    last = Place(found.node_columns.distance[-1], found.node_columns.urn[-1]) if found.limited else None
    return _Part(
        flow,
        found.start,
        found.node_columns,
        found.edge_columns,
        LineageLimit.NODE_LIMIT if found.limited else None,
        bool(found.more_hops),
        last,
    )


def _without(found: Walked, flow: Flow, kept: set[str]) -> _Part:
    """A walk's page, without the nodes that are not to be shown."""
    page, edges = found.shown(found.hidden(kept))
    nodes = [node for node in page.nodes if node.urn in kept]
    return _Part(
        flow,
        graph.LineageNode(found.start.urn, found.start.name, 0, found.start.removed, found.start.referenced_only),
        graph.NodeColumns(
            [node.urn for node in nodes],
            [node.name for node in nodes],
            [found.distance[node.urn] for node in nodes],
            [node.removed for node in nodes],
            [node.referenced_only for node in nodes],
        ),
        edges,
        limit_of(page.partial),
        bool(page.more_hops),
        page.next,
    )


def _result(parts: Sequence[_Part], direction: LineageDirection | None, asked: Asked) -> LineageResult:
    partial = next((part.partial for part in parts if part.partial), None)
    return LineageResult(
        start=_entity(parts[0].start),
        direction=direction,
        max_hops=asked.hops,
        total=sum(len(part.nodes.urn) for part in parts),
        nodes=_nodes(parts),
        edges=_edges(parts),
        partial=partial is not None,
        partial_reason=partial,
        truncated_at_max_hops=any(part.more_hops for part in parts),
        cursor=next_of(asked, "lineage", {part.flow: part.next for part in parts}),
        parts=parts,
    )


def _nodes(parts: Sequence[_Part]) -> Table:
    nodes = parts[0].nodes
    for part in parts[1:]:
        nodes = graph.NodeColumns._make([*one, *other] for one, other in zip(nodes, part.nodes, strict=True))
    directions: list[LineageDirection] = []
    for part in parts:
        directions += [LineageDirection(part.flow)] * len(part.nodes.urn)
    columns = {
        "entity": entity_table(nodes.urn, nodes.name, [not only for only in nodes.referenced_only]),
        "distance": nodes.distance,
        "direction": directions,
        "removed": nodes.removed,
    }

    def rows() -> Iterator[LineageNode]:
        for way, row in zip(directions, map(graph.LineageNode._make, zip(*nodes, strict=True)), strict=True):
            yield LineageNode(entity=_entity(row), distance=row.distance, direction=way, removed=row.removed)

    return Table(columns, [LineageNode] * len(nodes.urn), rows)


def _edges(parts: Sequence[_Part]) -> Table:
    """Each edge once: where cycles make a node both upstream and downstream, both walks bring it."""
    edges = parts[0].edges
    if len(parts) == 1 and edges == _NO_EDGES:
        return _NO_TABLE
    if len(parts) > 1 or isinstance(edges, list):
        rows = [part.edges if isinstance(part.edges, list) else starmap(Edge, _rows(part.edges)) for part in parts]
        distinct = list(dict.fromkeys(edge for part in rows for edge in part))
        names = graph.EdgeColumns._fields
        columns = {name: [getattr(edge, name) for edge in distinct] for name in names}
        return _edge_table(graph.EdgeColumns(**columns), lambda: distinct)
    return _edge_table(edges, lambda: map(graph.LineageEdge._make, _rows(edges)))


_NO_EDGES = graph.EdgeColumns()
_NO_TABLE = Table({}, [], list)  # nothing is ever put in


def _rows(edges: graph.EdgeColumns) -> Iterable[tuple[Any, ...]]:
    return zip(*edges, strict=True)


def _edge_table(edges: graph.EdgeColumns, rows: Make) -> Table:
    """The rows of the graph's side serve as objects: they have every attribute of the type."""
    ends = list(zip(edges.points_down, edges.upstream, edges.downstream, strict=True))
    columns = {
        **edges._asdict(),
        "source": [up if points_down else down for points_down, up, down in ends],
        "target": [down if points_down else up for points_down, up, down in ends],
    }
    return Table(columns, [LineageEdge] * len(ends), rows)


def _entity(node: graph.LineageNode) -> Entity:
    return entity_of(node.urn, node.name, exists=not node.referenced_only)


def _selected(info: Info, fields: Iterable[FieldNode]) -> list[FieldNode]:
    """What is selected on these fields, through fragments too."""
    fragments = info._raw_info.fragments  # noqa: SLF001  as above

    def inner(selections: Iterable[SelectionNode]) -> Iterator[FieldNode]:
        for node in selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from inner(node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                yield from inner(fragments[node.name.value].selection_set.selections)

    return [node for field in fields if field.selection_set for node in inner(field.selection_set.selections)]
