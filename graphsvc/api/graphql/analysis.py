"""What analysts ask of lineage: `impactAnalysis`, who owns what breaks, and `pathsBetween`."""

from dataclasses import replace
from typing import Annotated

import strawberry

from graphsvc.api.graphql.across_lineage import LineageLimit, criteria_of, limit_of
from graphsvc.api.graphql.context import AsOf, Info, context_of
from graphsvc.api.graphql.entity import Entity, LineageDirection, entity_of
from graphsvc.api.graphql.names import enum_names
from graphsvc.api.graphql.search_types import AndFilterInput
from graphsvc.api.graphql.views import Long, described
from graphsvc.api.impact import DEFAULT_HOPS, Asked, Named, Row, bounded, by_hop, by_owner, impact, question_of
from graphsvc.graph.walking import Edge, Flow
from graphsvc.graph.walks import MAX_PATHS, Route, Walks, column_of
from graphsvc.urn import parse_urn

DEFAULT_PATH_HOPS = 10
Fold = Annotated[
    bool | None,
    strawberry.argument(description="Leave jobs out, and count no hop for them; folded edges stand for them."),
]
Mixed = Annotated[
    bool | None,
    strawberry.argument(description="Columns go on by their entity's lineage where column lineage ends."),
]
OrFilters = Annotated[
    list[AndFilterInput] | None,
    strawberry.argument(
        description="What is shown: entities for which all conditions of one of these hold. The walk goes through the "
        "others, and folded edges stand for them."
    ),
]
WalkFilters = Annotated[
    list[AndFilterInput] | None,
    strawberry.argument(description="What is entered at all: nothing is found behind other entities through them."),
]
Since = Annotated[
    Long | None,
    strawberry.argument(
        description="Milliseconds: leave out edges that have times, none of which is from here to `endTimeMillis`."
    ),
]


@described
class WalkEdge:
    """
    A lineage edge, or one that stands for what the answer leaves out.

    `type` is the model's name, or `Folded`; then `through` names what it stands for, from upstream to downstream.
    `via` is the query or job that made the edge, `transformOperation` what column lineage says of it.
    """

    upstream: str
    downstream: str
    type: str
    aspect: str | None
    via: str | None
    transform_operation: str | None
    created_on: Long | None
    updated_on: Long | None
    through: list[str]


@described
class ImpactedEntity:
    """An entity that the walk found, and whose it is."""

    entity: Entity
    direction: LineageDirection
    distance: int
    name: str
    type_name: str
    platform_name: str | None
    removed: bool
    owners: list[Entity]
    domains: list[Entity]
    tags: list[Entity]


@described
class OwnerImpact:
    """An owner, and how many of the entities are theirs; no owner stands for those that nobody owns."""

    owner: Entity | None
    count: int


@described
class HopCount:
    """How many entities are so many hops away."""

    direction: LineageDirection
    hops: int
    count: int


@described
class ImpactResult:
    """What hangs on an entity, and whose it is."""

    start: Entity
    total: int
    entities: list[ImpactedEntity] = strawberry.field(description="The nearest first, then by URN.")
    edges: list[WalkEdge] = strawberry.field(
        description="Every edge between the entities and the start; folded ones stand for what is left out."
    )
    owners: list[OwnerImpact] = strawberry.field(description="Who owns how many of them, most first.")
    hops: list[HopCount] = strawberry.field(description="How many there are at each distance.")
    partial: bool = strawberry.field(description="True when a limit cut the answer.")
    partial_reason: LineageLimit | None
    truncated_at_max_hops: bool = strawberry.field(description="True when lineage goes on behind the last hop.")
    cursor: str | None = strawberry.field(
        description="Ask the same again with this to go on; null when there is nothing more, or no way to get there."
    )


@described
class LineagePathStep:
    """From one entity of a path to the next: every edge that joins them."""

    source: Entity
    target: Entity
    edges: list[WalkEdge]


@described
class LineagePath:
    """A path without an entity twice; `direction` says whether it goes with the data or against it."""

    direction: LineageDirection
    length: int
    entities: list[Entity]
    steps: list[LineagePathStep]


@described
class PathsResult:
    """Paths, the shortest first, then by URNs."""

    paths: list[LineagePath]
    partial: bool = strawberry.field(description="True when a limit cut the search: there may be others, and shorter.")
    partial_reason: LineageLimit | None


async def impact_analysis(  # noqa: PLR0913  GraphQL's arguments
    info: Info,
    *,
    urn: str,
    direction: LineageDirection | None = LineageDirection.DOWNSTREAM,
    max_hops: int | None = DEFAULT_HOPS,
    max_nodes: int | None = None,
    types: list[str] | None = None,
    fold: Fold = False,
    mixed: Mixed = False,
    include_removed: bool | None = False,
    or_filters: OrFilters = None,
    walk_filters: WalkFilters = None,
    start_time_millis: Since = None,
    end_time_millis: Long | None = None,
    cursor: str | None = None,
    as_of: AsOf = None,
) -> ImpactResult | None:
    """
    Walk, and say whose everything is; null if the start has no node.

    Raises:
        BadUrn: `urn` is none.
        BadRequest: A bound, a filter or a cursor makes no sense.
        TooLarge: A bound passes the settings' limit.
    """
    context = context_of(info, as_of)
    asked = Asked(
        urn,
        (direction.value,) if direction else ("up", "down"),
        DEFAULT_HOPS if max_hops is None else max_hops,
        max_nodes,
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
    walks = Walks(context.reader, context.registry)
    found = await impact(walks, context.reader, context.settings, asked, enum_names(info.context.registry))
    if found is None:
        return None
    return ImpactResult(
        start=entity_of(found.start.urn, found.start.name, exists=not found.start.referenced_only),
        total=len(found.rows),
        entities=[_entity(row) for row in found.rows],
        edges=[_edge(edge) for edge in found.edges],
        owners=[
            OwnerImpact(owner=_named(owner) if owner else None, count=count) for owner, count in by_owner(found.rows)
        ],
        hops=[
            HopCount(direction=LineageDirection(flow), hops=hops, count=count)
            for flow, hops, count in by_hop(found.rows)
        ],
        partial=found.partial is not None,
        partial_reason=limit_of(found.partial),
        truncated_at_max_hops=found.more_hops,
        cursor=found.cursor,
    )


async def paths_between(  # noqa: PLR0913  GraphQL's arguments
    info: Info,
    *,
    source: Annotated[str, strawberry.argument(name="from")],
    target: Annotated[str, strawberry.argument(name="to")],
    k: int | None = None,
    max_hops: int | None = DEFAULT_PATH_HOPS,
    direction: LineageDirection | None = None,
    types: list[str] | None = None,
    include_removed: bool | None = False,
    as_of: AsOf = None,
) -> PathsResult:
    """
    Paths from one entity or column to another: all of the shortest, or the `k` shortest.

    Without a direction, those that go downstream and those that go upstream. From a column they go over columns where
    column lineage is known, and over entities where it is not; a column of the target ends them too.

    Raises:
        BadUrn: An end is none.
        BadRequest: A bound is less than 1.
        TooLarge: A bound passes the settings' limit.
    """
    context = context_of(info, as_of)
    parse_urn(target)
    wanted = None if k is None else bounded("k", k, MAX_PATHS)
    hops = bounded("maxHops", max_hops, context.settings.max_hops, DEFAULT_PATH_HOPS)
    asked = Asked(source, hops=hops, types=None if types is None else frozenset(types))
    walks = Walks(context.reader, context.registry)
    flows: tuple[Flow, ...] = (direction.value,) if direction else ("down", "up")
    routes: list[Route] = []
    partial = None
    for flow in flows:
        question = question_of(asked, flow, context.settings, {})
        question = replace(question, mixed=bool(column_of(source)), removed=bool(include_removed))
        found = await walks.routes(question, target, wanted)
        routes += found.routes
        partial = partial or found.partial
    routes.sort(key=lambda route: (len(route.urns), route.urns))
    least = len(routes[0].urns) if routes else 0
    kept = [route for route in routes if len(route.urns) == least] if wanted is None else routes[:wanted]
    return PathsResult(
        paths=[_path(route) for route in kept], partial=partial is not None, partial_reason=limit_of(partial)
    )


def _named(named: Named) -> Entity:
    return entity_of(named.urn, named.name)


def _entity(row: Row) -> ImpactedEntity:
    return ImpactedEntity(
        entity=entity_of(row.urn, row.name, exists=row.exists),
        direction=LineageDirection(row.flow),
        distance=row.distance,
        name=row.name,
        type_name=row.type,
        platform_name=row.platform or None,
        removed=row.removed,
        owners=[_named(owner) for owner in row.owners],
        domains=[_named(domain) for domain in row.domains],
        tags=[_named(tag) for tag in row.tags],
    )


def _edge(edge: Edge) -> WalkEdge:
    return WalkEdge(
        upstream=edge.upstream,
        downstream=edge.downstream,
        type=edge.type,
        aspect=edge.aspect,
        via=edge.via,
        transform_operation=edge.transform,
        created_on=None if edge.created_on is None else Long(edge.created_on),
        updated_on=None if edge.updated_on is None else Long(edge.updated_on),
        through=list(edge.through),
    )


def _path(route: Route) -> LineagePath:
    entities = [entity_of(urn) for urn in route.urns]
    return LineagePath(
        direction=LineageDirection(route.flow),
        length=len(route.steps),
        entities=entities,
        steps=[
            LineagePathStep(source=near, target=far, edges=[_edge(edge) for edge in edges])
            for near, far, edges in zip(entities, entities[1:], route.steps, strict=False)
        ],
    )
