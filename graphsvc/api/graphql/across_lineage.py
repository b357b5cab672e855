"""DataHub's search across lineage: the entities that a walk reaches, filtered, counted and paged, with their paths."""

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any

import orjson
import strawberry

from graphsvc.api.filters import (
    DEGREE,
    FAR,
    Criterion,
    OrFilters,
    checked,
    facts_of,
    farthest,
    fields_of,
    matches,
    platform_urn,
)
from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, LineageDirection, entity_of
from graphsvc.api.graphql.names import EntityType, enum_name, enum_names
from graphsvc.api.graphql.search import view_of
from graphsvc.api.graphql.search_types import (
    AndFilterInput,
    Facet,
    FacetFilterInput,
    FacetMetadata,
    FilterOperator,
    MatchedField,
    SearchFlags,
    SearchInsight,
    SearchSortInput,
    SortOrder,
    facet_table,
)
from graphsvc.api.graphql.view_filters import ViewFilters, both_groups
from graphsvc.api.graphql.views import Long, described, shown
from graphsvc.api.impact import equal_for_kin, names_of_type
from graphsvc.errors import BadRequest
from graphsvc.graph.walking import Graph, Node, hops_from, neighbours, turned
from graphsvc.graph.walks import COLUMN, Partial, Question, Walked, Walks, column_of
from graphsvc.urn import parse_urn, urn_type

MAX_PATHS = 10  # of one result; a diamond of n levels has 2^n
DEFAULT_AGGREGATIONS = 20
FACETS = {
    DEGREE: "Degree of Dependencies",
    "_entityType": "Type",
    "platform": "Platform",
    "owners": "Owned By",
    "tags": "Tags",
    "glossaryTerms": "Glossary Term",
    "domains": "Domain",
}
_FACET_FIELDS = frozenset(FACETS) - {DEGREE, "_entityType"}
_SCHEMA_FIELD = enum_name(COLUMN)


@strawberry.enum(description="What cut a walk over lineage short.")
class LineageLimit(Enum):
    """Values are the reader's."""

    NODE_LIMIT = Partial.NODE_LIMIT
    WALK_LIMIT = Partial.WALK_LIMIT
    EDGE_LIMIT = Partial.EDGE_LIMIT
    TIME_LIMIT = Partial.TIME_LIMIT
    PATH_LIMIT = Partial.PATH_LIMIT


def limit_of(partial: Partial | None) -> LineageLimit | None:
    """The reader's word as GraphQL's."""
    return None if partial is None else LineageLimit(partial)


@strawberry.input(description="Entities of a type, on some platforms or on any.")
class EntityTypeToPlatforms:
    """As DataHub's."""

    entity_type: EntityType
    platforms: list[str] | None = None


@strawberry.input(description="How to walk.")
class LineageFlags:
    """As DataHub's; `entitiesExploredPerHopLimit` is accepted and ignored: every entity is explored."""

    entities_explored_per_hop_limit: int | None = None
    start_time_millis: Long | None = None
    end_time_millis: Long | None = None
    ignore_as_hops: list[EntityTypeToPlatforms] | None = None


@strawberry.input(description="Whose lineage to search, how far, and for what.")
class SearchAcrossLineageInput:
    """As DataHub's."""

    direction: LineageDirection
    urn: str | None = None
    types: list[EntityType] | None = None
    query: str | None = None
    start: int | None = None
    count: int | None = None
    filters: list[FacetFilterInput] | None = None
    or_filters: list[AndFilterInput] | None = None
    start_time_millis: Long | None = None
    end_time_millis: Long | None = None
    search_flags: SearchFlags | None = None
    lineage_flags: LineageFlags | None = None
    view_urn: str | None = None
    sort_input: SearchSortInput | None = None


@strawberry.input(description="The same, page after page.")
class ScrollAcrossLineageInput:
    """As DataHub's, and `viewUrn`; `keepAlive` means nothing here: a scroll id does not age."""

    direction: LineageDirection
    urn: str | None = None
    types: list[EntityType] | None = None
    query: str | None = None
    scroll_id: str | None = None
    keep_alive: str | None = None
    count: int | None = None
    or_filters: list[AndFilterInput] | None = None
    start_time_millis: Long | None = None
    end_time_millis: Long | None = None
    search_flags: SearchFlags | None = None
    lineage_flags: LineageFlags | None = None
    view_urn: str | None = None


@described
class EntityPath:
    """A way from where the search began to a result, both included; queries and jobs that made an edge stand on it."""

    path: list[Entity | None]


@dataclass(frozen=True)
class Found:
    """
    What a search across lineage found, before it is cut into pages.

    Attributes:
        start: URN where it began.
        degrees: Results -> hops, in the order of the answer.
        members: A result -> what the walk met there: itself, or the columns that stand under it.
        names: URN -> name.
        facts: URN -> what filters and facets see.
        free: What counted no hop.
        walked: The walk; None if the start has no node.
        flow: Its direction.
    """

    start: str
    flow: Any
    walked: Walked | None = None
    degrees: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    free: frozenset[str] = frozenset()

    @cached_property
    def graph(self) -> Mapping[str, Mapping[str, Any]]:
        """Near -> far -> edges."""
        return neighbours(self.walked.edges if self.walked else (), self.flow)

    @cached_property
    def back(self) -> Graph:
        """Far -> the near ones that lie on a shortest way to it."""
        near = hops_from([self.start], self.graph)
        return {
            far: sorted(urn for urn in nears if near[urn] == near[far] - 1)
            for far, nears in turned(self.graph).items()
            if far in near
        }

    def paths(self, urn: str) -> list[list[str]]:
        """The shortest ways to a result, the first by URN, with the queries and jobs that made their edges."""
        ways: list[list[str]] = []
        for member in self.members[urn]:
            for way in _ways(self.back, self.start, member):
                if len(ways) == MAX_PATHS:
                    return ways
                ways.append(self._with_makers(way))
        return ways

    def _with_makers(self, way: Sequence[str]) -> list[str]:
        full = [way[0]]
        for near, far in pairwise(way):
            makers = sorted({edge.via for edge in self.graph[near][far] if edge.via})
            full += [*makers[:1], far]
        return full


@described
class SearchAcrossLineageResult:
    """An entity that the walk reached."""

    entity: Entity
    degree: int
    degrees: list[int] | None
    explored: bool
    truncated_children: bool
    ignored_as_hop: bool
    found: strawberry.Private[Found]

    @shown("Shortest ways to the entity, ten at most.")
    def paths(self) -> list[EntityPath | None] | None:
        """Those to its columns, where columns are grouped under it."""
        return [EntityPath(path=[entity_of(urn) for urn in way]) for way in self.found.paths(self.entity.urn)]

    @shown("None: the walk has no text to find.")
    def matched_fields(self) -> list[MatchedField]:
        """Always empty."""
        return []

    @shown("None.")
    def insights(self) -> list[SearchInsight] | None:
        """Always empty."""
        return []


@strawberry.type
class _Answer:
    """What both answers share."""

    count: int
    total: int
    search_results: list[SearchAcrossLineageResult]
    found: strawberry.Private[Found]
    flags: strawberry.Private[SearchFlags]

    @shown("How many results have each degree, type, platform, owner, tag, term and domain.")
    async def facets(self, info: Info) -> list[FacetMetadata] | None:
        """Over all results, not this page only."""
        if self.flags.skip_aggregates:
            return []
        facts = await _with_facets(info, self.found)
        most = DEFAULT_AGGREGATIONS if self.flags.max_agg_values is None else self.flags.max_agg_values
        return facet_table([_facet(name, title, facts.values(), most) for name, title in FACETS.items()], {})

    @shown("True when a limit cut the walk, so that there may be more results.")
    def is_partial(self) -> bool | None:
        """DataHub's name for it."""
        return bool(self.found.walked and self.found.walked.partial)

    @shown("What cut the walk; null if nothing did.")
    def partial_reason(self) -> LineageLimit | None:
        """Of nodes, edges or time."""
        return limit_of(self.found.walked.partial if self.found.walked else None)

    @shown("True when lineage goes on behind the farthest hop that the settings allow.")
    def truncated_at_max_hops(self) -> bool:
        """Filters on degree ask for less on purpose."""
        return bool(self.found.walked and self.found.walked.more_hops)


@described
class SearchAcrossLineageResults(_Answer):
    """A page of the entities that a walk reached, the nearest first."""

    start: int


@described
class ScrollAcrossLineageResults(_Answer):
    """A page of the entities that a walk reached, the nearest first."""

    next_scroll_id: str | None


async def search_across_lineage(
    info: Info,
    input: SearchAcrossLineageInput,  # noqa: A002  DataHub's name
) -> SearchAcrossLineageResults | None:
    """
    One page by its offset.

    Raises:
        BadUrn: `urn` is none.
        BadRequest: A filter, a view or a page that makes no sense.
        TooLarge: The page passes the settings' limit.
    """
    start, count = info.context.page(input.start, input.count)
    more = [AndFilterInput(and_=input.filters)] if input.filters else []
    found = await _find(info, input, more, info.context.settings.max_lineage_nodes)
    urns = await _sorted(info, found, input.sort_input)
    page = urns[start : start + count]
    return SearchAcrossLineageResults(
        start=start,
        count=len(page),
        total=len(urns),
        search_results=[_result(urn, found) for urn in page],
        found=found,
        flags=input.search_flags or SearchFlags(),
    )


async def scroll_across_lineage(
    info: Info,
    input: ScrollAcrossLineageInput,  # noqa: A002  DataHub's name
) -> ScrollAcrossLineageResults | None:
    """
    One page after another: each walks anew, and goes on behind the last result of the one before.

    Raises:
        BadUrn: `urn` is none.
        BadRequest: A filter, a view, a page or a scroll id that makes no sense.
        TooLarge: The page passes the settings' limit.
    """
    _, count = info.context.page(0, input.count)
    found = await _find(info, input, [], info.context.settings.max_walked_nodes)
    urns = list(found.degrees)
    if input.scroll_id is not None:
        last = _place(input.scroll_id)
        urns = [urn for urn in urns if (found.degrees[urn], urn) > last]
    page = urns[:count]
    more = bool(page) and len(urns) > len(page)
    return ScrollAcrossLineageResults(
        next_scroll_id=_scroll_id(found.degrees[page[-1]], page[-1]) if more else None,
        count=len(page),
        total=len(found.degrees),
        search_results=[_result(urn, found) for urn in page],
        found=found,
        flags=input.search_flags or SearchFlags(),
    )


async def _find(
    info: Info, asked: SearchAcrossLineageInput | ScrollAcrossLineageInput, more: list[AndFilterInput], max_nodes: int
) -> Found:
    """Walk to so many nodes, group columns, and keep what the filters let through."""
    if asked.urn is None:
        raise BadRequest("urn is missing: whose lineage?")
    parse_urn(asked.urn)
    flags = asked.search_flags or SearchFlags()
    named = _filters(asked, more, await view_of(info, asked.view_urn) or ViewFilters())
    filters = await equal_for_kin(info.context.reader, named)
    limits = info.context.settings
    hops = farthest(filters, limits.max_hops)
    ignored = [(group.entity_type.value, frozenset(group.platforms or ())) for group in _ignored(asked)]
    since, until = _window(asked)
    question = Question(
        asked.urn,
        asked.direction.value,
        hops,
        max_nodes,
        limits.query_timeout_s,
        folded=lambda urn: any(
            kind == urn_type(urn) and (not platforms or platform_urn(urn) in platforms) for kind, platforms in ignored
        ),
        since=since,
        until=until,
    )
    walks = Walks(info.context.reader, info.context.registry)
    walked = await walks.walk(replace(question, edges=hops == limits.max_hops))
    if walked is None:
        return Found(asked.urn, asked.direction.value)
    members = _grouped(walked, by_entity=not _columns_stay(flags))
    degrees = {urn: min(walked.distance[m] for m in group) for urn, group in members.items()}
    nodes = {node.urn: node for node in walked.nodes}
    values = await walks.values(members, fields_of(filters) | {"name", "removed"})
    names = enum_names(info.context.registry)
    facts = {
        urn: facts_of(urn, values.get(urn, {}), names_of_type(urn, names), degree) for urn, degree in degrees.items()
    }
    hide = not flags.include_soft_deleted and "removed" not in fields_of(filters)
    words = (asked.query or "*").casefold().split()
    kept = [
        urn
        for urn in sorted(degrees, key=lambda urn: (degrees[urn], urn))
        if matches(filters, facts[urn]) and not (hide and "true" in facts[urn]["removed"]) and _named(words, facts[urn])
    ]
    return Found(
        asked.urn,
        asked.direction.value,
        walked,
        {urn: degrees[urn] for urn in kept},
        members,
        nodes,
        {urn: facts[urn] for urn in kept},
        frozenset(urn for urn in kept if question.folded(urn)),
    )


def _filters(
    asked: SearchAcrossLineageInput | ScrollAcrossLineageInput, more: list[AndFilterInput], view: ViewFilters
) -> OrFilters:
    """All that must hold: the groups of `orFilters` and of the view, each with the types and the older `filters`."""
    always = [criterion for group in more for criterion in criteria_of([group])[0]]
    if asked.types:
        always.append(Criterion("_entityType", tuple(member.value for member in asked.types)))
    if view.types is not None:
        always.append(Criterion("_entityType", view.types))
    of_view = [[Criterion(*condition) for condition in group] for group in view.groups]
    groups = both_groups(criteria_of(asked.or_filters or []), of_view)
    return checked([[*group, *always] for group in groups] or ([always] if always else []))


def criteria_of(groups: Collection[AndFilterInput]) -> list[list[Criterion]]:
    """GraphQL's filters as plain values; raises as `checked` does."""
    if not groups:
        return []
    found = [
        [
            Criterion(
                item.field,
                tuple(item.values if item.values is not None else [item.value] if item.value is not None else []),
                (item.condition or FilterOperator.EQUAL).value,
                bool(item.negated),
            )
            for item in group.and_ or []
        ]
        for group in groups
    ]
    checked(found)
    return found


def _ignored(asked: SearchAcrossLineageInput | ScrollAcrossLineageInput) -> list[EntityTypeToPlatforms]:
    return (asked.lineage_flags.ignore_as_hops if asked.lineage_flags else None) or []


def _window(asked: SearchAcrossLineageInput | ScrollAcrossLineageInput) -> tuple[int | None, int | None]:
    """The time that edges must fall into, in milliseconds; the flags win over the older fields."""
    flags = asked.lineage_flags or LineageFlags()
    since = asked.start_time_millis if flags.start_time_millis is None else flags.start_time_millis
    until = asked.end_time_millis if flags.end_time_millis is None else flags.end_time_millis
    return since, until


def _columns_stay(flags: SearchFlags) -> bool:
    """Whether columns are results themselves; else they stand under their entities, as in DataHub."""
    criteria = (flags.grouping_spec.grouping_criteria if flags.grouping_spec else None) or []
    return any(
        item.grouping_entity_type.name == _SCHEMA_FIELD
        and (item.base_entity_type is None or item.base_entity_type.name == _SCHEMA_FIELD)
        for item in criteria
    )


def _grouped(walked: Walked, *, by_entity: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in walked.nodes:
        found.setdefault((by_entity and column_of(node.urn)) or node.urn, []).append(node.urn)
    return found


def _named(words: Sequence[str], facts: Mapping[str, Sequence[str]]) -> bool:
    """Whether each word of the query is part of the name or the URN; `*` is part of all."""
    text = " ".join((*facts.get("name", ()), *facts["urn"])).casefold()
    return all(word == "*" or word in text for word in words)


async def _sorted(info: Info, found: Found, wanted: SearchSortInput | None) -> list[str]:
    """The results by the fields asked for; else, and where these are equal, the nearest first, then by URN."""
    urns = list(found.degrees)
    criteria = [] if wanted is None else wanted.sort_criteria or [c for c in [wanted.sort_criterion] if c]
    if not criteria:
        return urns
    walks = Walks(info.context.reader, info.context.registry)
    values = await walks.values(urns, {criterion.field for criterion in criteria})
    for criterion in reversed(criteria):
        keys = {urn: _sortable(values, found, urn, criterion.field) for urn in urns}
        down = criterion.sort_order is SortOrder.DESCENDING
        have = sorted(((keys[urn], urn) for urn in urns if keys[urn]), key=itemgetter(0), reverse=down)
        urns = [urn for _, urn in have] + [urn for urn in urns if not keys[urn]]
    return urns


def _sortable(values: Mapping[str, Mapping[str, Any]], found: Found, urn: str, name: str) -> str:
    """A text that sorts as the value does; numbers are padded. Empty for none."""
    value = {DEGREE: found.degrees[urn], "urn": urn}.get(name) or values.get(urn, {}).get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else f"{value:020}" if isinstance(value, int) else str(value).casefold()


def _result(urn: str, found: Found) -> SearchAcrossLineageResult:
    node = found.nodes.get(urn)
    return SearchAcrossLineageResult(
        entity=entity_of(urn) if node is None else entity_of(urn, node.name, exists=not node.referenced_only),
        degree=found.degrees[urn],
        degrees=sorted({found.walked.distance[m] for m in found.members[urn]} if found.walked else ()),
        explored=True,
        truncated_children=False,
        ignored_as_hop=urn in found.free,
        found=found,
    )


async def _with_facets(info: Info, found: Found) -> dict[str, Mapping[str, Sequence[str]]]:
    walks = Walks(info.context.reader, info.context.registry)
    values = await walks.values(found.degrees, _FACET_FIELDS)
    return {urn: {**facts_of(urn, values.get(urn, {}), ()), **_kept(found.facts[urn])} for urn in found.degrees}


def _kept(facts: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Degree, and the type as GraphQL names it."""
    return {DEGREE: facts[DEGREE][-1:], "_entityType": facts["_entityType"][-1:]}


def _facet(name: str, title: str, facts: Iterable[Mapping[str, Sequence[str]]], most: int) -> Facet:
    counts = Counter(value for row in facts for value in set(row.get(name, ())))
    if name == DEGREE:  # always all three, for a client to choose from
        ordered = [(value, counts[value]) for value in (*map(str, range(1, FAR)), f"{FAR}+")]
    else:
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return Facet(name, title, ordered)


def _ways(back: Graph, start: str, end: str) -> Iterator[list[str]]:
    """Shortest ways, from the start; a limit on them is the caller's."""
    stack: list[list[str]] = [[end]]
    while stack:
        way = stack.pop()
        if way[-1] == start:
            yield way[::-1]
        else:
            stack += [[*way, near] for near in sorted(back.get(way[-1], ()), reverse=True)]


def _scroll_id(degree: int, urn: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([degree, urn])).decode()


def _place(scroll_id: str) -> tuple[int, str]:
    try:
        place = orjson.loads(base64.urlsafe_b64decode(scroll_id.encode()))
    except ValueError:
        place = None
    match place:
        case [int(degree), str(urn)]:
            return degree, urn
    raise BadRequest("scrollId is not one that an earlier answer gave")
