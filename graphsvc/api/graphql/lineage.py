"""The query `lineage`: everything upstream or downstream of an entity, and how it hangs together."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionNode

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, LineageDirection, entity_of, kind_of
from graphsvc.api.graphql.plain import Plain, Table
from graphsvc.api.graphql.views import Long, described
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.graph import reader as graph
from graphsvc.urn import parse_urn

DEFAULT_HOPS = 3
# Fields of the answer for which the edges have to be read.
_NEED_EDGES = frozenset({"edges", "truncatedAtMaxHops"})


@strawberry.enum(description="What cut a lineage answer short.")
class PartialReason(Enum):
    """Values are shown nowhere."""

    NODE_LIMIT = "node limit"


@described
class LineageNode:
    """An entity that the walk found, and the least number of hops to it."""

    entity: Entity
    distance: int
    removed: bool


@described
class LineageEdge:
    """
    A lineage edge between two entities of the answer.

    `source type target` reads as the metadata model has it: a table DownstreamOf its source, a job Produces a table.
    `upstream` and `downstream` say which way the data flows, whatever the type.
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


@described
class LineageResult:
    """Everything that a walk over lineage found."""

    start: Entity = strawberry.field(description="Where the walk began.")
    direction: LineageDirection
    max_hops: int
    total: int = strawberry.field(description="How many nodes the answer has.")
    nodes: list[LineageNode] = strawberry.field(
        description="Every entity found, the start left out: the nearest first, then by URN."
    )
    edges: list[LineageEdge] = strawberry.field(
        description="Every lineage edge between the nodes and the start, with all of diamonds and cycles."
    )
    partial: bool = strawberry.field(
        description="True when a limit cut the answer: more nodes are within maxHops than are shown here."
    )
    partial_reason: PartialReason | None
    truncated_at_max_hops: bool = strawberry.field(
        description="True when lineage goes on behind the last hop: ask with more hops to see it."
    )


async def lineage(  # noqa: PLR0913, PLR0917  GraphQL's arguments
    info: Info,
    urn: str,
    direction: LineageDirection,
    max_hops: int | None = DEFAULT_HOPS,
    types: list[str] | None = None,
    max_nodes: int | None = None,
) -> LineageResult | None:
    """
    Walk lineage from an entity, or from a column (`urn:li:schemaField:…`).

    Raises:
        BadUrn: `urn` is none.
        BadRequest: `maxHops` or `maxNodes` is less than 1.
        TooLarge: One of them passes the settings' limit.
    """
    parse_urn(urn)
    hops = DEFAULT_HOPS if max_hops is None else max_hops
    limits = info.context.settings
    limit = limits.max_lineage_nodes if max_nodes is None else max_nodes
    _check("maxHops", hops, limits.max_hops)
    _check("maxNodes", limit, limits.max_lineage_nodes)
    walk = graph.Walk(
        urn,
        direction.value,
        hops,
        limit,
        None if types is None else frozenset(types),
        not _NEED_EDGES.isdisjoint(_selected(info)),
    )
    found = await info.context.reader.lineage(walk)
    return None if found is None else _result(found, direction, hops)


def _check(name: str, value: int, limit: int) -> None:
    if value < 1:
        raise BadRequest(f"{name} is {value}; it starts at 1")
    if value > limit:
        raise TooLarge(f"{name} is {value}; at most {limit} are walked")


def _result(found: graph.Lineage, direction: LineageDirection, max_hops: int) -> LineageResult:
    return LineageResult(
        start=_entity(found.start),
        direction=direction,
        max_hops=max_hops,
        total=len(found.nodes),
        nodes=_nodes(found.nodes),
        edges=Plain(found.edges),  # the reader's own rows: they have every attribute of the type
        partial=found.limited,
        partial_reason=PartialReason.NODE_LIMIT if found.limited else None,
        truncated_at_max_hops=bool(found.more_hops),
    )


def _nodes(rows: Sequence[graph.LineageNode]) -> Table:
    """The nodes in columns, and as objects where the selection asks for more than the columns have."""
    urns, names, distances, removed, referenced_only = zip(*rows, strict=True) if rows else ((),) * 5
    kinds = [kind_of(urn) for urn in urns]
    entity = {
        "urn": urns,
        "known_name": names,
        "known_exists": [not only for only in referenced_only],
        "type": [member for _, member in kinds],
    }
    columns = {"entity": Table(entity, [cls for cls, _ in kinds], list), "distance": distances, "removed": removed}
    return Table(
        columns,
        [LineageNode] * len(urns),
        lambda: [LineageNode(entity=_entity(row), distance=row.distance, removed=row.removed) for row in rows],
    )


def _entity(node: graph.LineageNode) -> Entity:
    return entity_of(node.urn, node.name, exists=not node.referenced_only)


def _selected(info: Info) -> set[str]:
    """Names of the fields that are selected on this field, through fragments too."""
    raw: Any = info._raw_info  # noqa: SLF001  Strawberry's own form of it costs more than the answer

    def names(selections: Iterable[SelectionNode]) -> Iterable[str]:
        for node in selections:
            if isinstance(node, FieldNode):
                yield node.name.value
            elif isinstance(node, InlineFragmentNode):
                yield from names(node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                yield from names(raw.fragments[node.name.value].selection_set.selections)

    return {name for node in raw.field_nodes if node.selection_set for name in names(node.selection_set.selections)}
