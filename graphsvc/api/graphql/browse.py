"""Browsing: what stands at a path, in groups."""

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, entity_of, referred
from graphsvc.api.graphql.names import EntityType
from graphsvc.api.graphql.placement import BrowsePath, split
from graphsvc.api.graphql.search import search_query, view_of
from graphsvc.api.graphql.search_types import AndFilterInput, FacetFilterInput, SearchFlags
from graphsvc.api.graphql.views import Long, described, texts
from graphsvc.errors import BadRequest
from graphsvc.graph.search import Search
from graphsvc.urn import parse_urn


@strawberry.input(description="Where to browse: the steps so far, the outermost first, and what to count there.")
class BrowseV2Input:
    """As DataHub's; `types` counts more than `type`."""

    type: EntityType | None = None
    types: list[EntityType] | None = None
    path: list[str] | None = None
    start: int | None = None
    count: int | None = None
    or_filters: list[AndFilterInput] | None = None
    view_urn: str | None = None
    query: str | None = None
    search_flags: SearchFlags | None = None


@strawberry.input(description="Where to browse in the older way, and what to count there.")
class BrowseInput:
    """As DataHub's."""

    type: EntityType
    path: list[str]
    start: int | None = None
    count: int | None = None
    filters: list[FacetFilterInput] | None = None
    or_filters: list[AndFilterInput] | None = None


@strawberry.input(description="Whose browse paths to bring.")
class BrowsePathsInput:
    """As DataHub's."""

    type: EntityType
    urn: str


@described
class BrowseResultGroupV2:
    """A step that leads on from a path, and how many entities stand below it."""

    name: str
    entity: Entity | None
    count: Long
    has_sub_groups: bool


@described
class BrowseResultGroup:
    """A step that leads on from a path, and how many entities stand below it."""

    name: str
    count: Long


@described
class BrowseResultMetadata:
    """The path that was asked for, and how many entities stand at it or below."""

    path: list[str]
    total_num_entities: Long


@described
class BrowseResultsV2:
    """A page of the steps that lead on from a path, the most frequent first."""

    groups: list[BrowseResultGroupV2]
    start: int
    count: int
    total: int
    metadata: BrowseResultMetadata


@described
class BrowseResults:
    """A page of what stands at a path: the steps that lead on, the most frequent first, then entities by URN."""

    entities: list[Entity]
    groups: list[BrowseResultGroup]
    start: int
    count: int
    total: int
    metadata: BrowseResultMetadata


async def browse(info: Info, input: BrowseInput) -> BrowseResults | None:  # noqa: A002  DataHub's name
    """The paths of entities are their `browsePaths`, or without any those that `browseV2` goes by."""
    first, size = info.context.page(input.start, input.count)
    wanted = search_query(info, "*", [input.type], input.filters, input.or_filters, None)
    finder = Search(info.context.reader, info.context.registry)
    path = split("/".join(input.path))  # which is written `""` at the top, too
    level = await finder.level(wanted, path, first, size, older=True)
    return BrowseResults(
        entities=[entity_of(hit.urn, hit.name) for hit in level.hits],
        groups=[BrowseResultGroup(name=group.name, count=Long(group.number)) for group in level.groups],
        start=first,
        count=len(level.groups) + len(level.hits),
        total=level.of_groups + level.of_hits,
        metadata=BrowseResultMetadata(path=path, total_num_entities=Long(level.below)),
    )


async def browse_v2(info: Info, input: BrowseV2Input) -> BrowseResultsV2 | None:  # noqa: A002  DataHub's name
    """The paths of entities are those of `browsePathV2`."""
    view = await view_of(info, input.view_urn)
    first, size = info.context.page(input.start, input.count)
    types = input.types or (None if input.type is None else [input.type])
    wanted = search_query(info, input.query or "*", types, None, input.or_filters, input.search_flags, view=view)
    finder = Search(info.context.reader, info.context.registry)
    level = await finder.level(wanted, tuple(input.path or ()), first, size)
    return BrowseResultsV2(
        groups=[
            BrowseResultGroupV2(
                name=group.name, entity=referred(group.name), count=Long(group.number), has_sub_groups=group.leads_on
            )
            for group in level.groups
        ],
        start=first,
        count=len(level.groups),
        total=level.of_groups,
        metadata=BrowseResultMetadata(path=input.path or [], total_num_entities=Long(level.below)),
    )


async def browse_paths(info: Info, input: BrowsePathsInput) -> list[BrowsePath] | None:  # noqa: A002  DataHub's name
    """Paths of the older kind; null if nobody said."""
    if parse_urn(input.urn).entity_type != input.type.value:
        raise BadRequest(f"{input.urn} is no {input.type.value}")
    value = await info.context.loaders.value(input.urn, "browsePaths")
    return None if value is None else [BrowsePath(path=split(path)) for path in texts(value.get("paths")) or ()]
