"""The query `lineage`: everything upstream or downstream of an entity, and how it hangs together."""

from collections.abc import Iterable, Iterator
from enum import Enum

import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionNode

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, LineageDirection, entity_of, kind_of
from graphsvc.api.graphql.plain import Table
from graphsvc.api.graphql.views import Long, described
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.graph import reader as graph
from graphsvc.urn import parse_urn

DEFAULT_HOPS = 3
# Fields of the answer for which the edges have to be read, and fields of an edge for which more of it has to be.
_NEED_EDGES = frozenset({"edges", "truncatedAtMaxHops"})
_NEED_DETAILS = frozenset({"aspect", "via", "createdOn", "updatedOn"})


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
    selected = _selected(info, info._raw_info.field_nodes)  # noqa: SLF001  Strawberry's own form costs more than the answer
    of_edges = _selected(info, [field for field in selected if field.name.value == "edges"])
    walk = graph.Walk(
        urn,
        direction.value,
        hops,
        limit,
        None if types is None else frozenset(types),
        with_edges=any(field.name.value in _NEED_EDGES for field in selected),
        with_details=any(field.name.value in _NEED_DETAILS for field in of_edges),
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
        total=len(found.node_columns.urn),
        nodes=_nodes(found),
        edges=_edges(found),
        partial=found.limited,
        partial_reason=PartialReason.NODE_LIMIT if found.limited else None,
        truncated_at_max_hops=bool(found.more_hops),
    )


def _nodes(found: graph.Lineage) -> Table:
    nodes = found.node_columns
    types = [urn.split(":", 3)[2] for urn in nodes.urn]
    kinds = {entity_type: kind_of(urn) for entity_type, urn in dict(zip(types, nodes.urn, strict=True)).items()}
    entities = {
        "urn": nodes.urn,
        "known_name": nodes.name,
        "known_exists": [not only for only in nodes.referenced_only],
        "type": [kinds[entity_type][1] for entity_type in types],
        "type_text": types,
    }
    columns = {
        "entity": Table(entities, [kinds[entity_type][0] for entity_type in types], list),
        "distance": nodes.distance,
        "removed": nodes.removed,
    }
    return Table(
        columns,
        [LineageNode] * len(types),
        lambda: [LineageNode(entity=_entity(row), distance=row.distance, removed=row.removed) for row in found.nodes],
    )


def _edges(found: graph.Lineage) -> Table:
    edges = found.edge_columns
    ends = list(zip(edges.points_down, edges.upstream, edges.downstream, strict=True))
    columns = {
        **edges._asdict(),
        "source": [up if points_down else down for points_down, up, down in ends],
        "target": [down if points_down else up for points_down, up, down in ends],
    }
    # The reader's own rows serve as objects: they have every attribute of the type.
    return Table(columns, [LineageEdge] * len(ends), lambda: found.edges)


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
