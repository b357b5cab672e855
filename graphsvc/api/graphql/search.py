"""The queries that search: DataHub's names, over Neo4j's full-text index."""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

from graphsvc.api.graphql.context import DEFAULT_COUNT, Info
from graphsvc.api.graphql.entity import Entity, entity_of, entity_table, referred
from graphsvc.api.graphql.loaders import ListKey
from graphsvc.api.graphql.names import OTHER, SHIPPED_TYPES, EntityType, entity_type_of, enum_name
from graphsvc.api.graphql.plain import Lists, Table
from graphsvc.api.graphql.search_types import (
    AndFilterInput,
    Facet,
    FacetFilterInput,
    FacetMetadata,
    MatchedField,
    SearchFlags,
    SearchInsight,
    SearchSortInput,
    SortOrder,
    facet_table,
)
from graphsvc.api.graphql.view_filters import ViewFilters, both_groups, both_types, view_filters
from graphsvc.api.graphql.views import described
from graphsvc.errors import BadRequest
from graphsvc.graph.projection import FACETS
from graphsvc.graph.search import (
    MOST_COUNTED,
    TYPE,
    Among,
    Answer,
    Count,
    Cursor,
    Filter,
    Hit,
    Hits,
    Search,
    SearchQuery,
    Sort,
)
from graphsvc.urn import parse_urn, urn_type

MAX_SCROLL = 10_000  # DataHub's client scrolls by up to 5,000
FACET_VALUES = 20
LONG_BITS = 63
MAX_FACET_VALUES = 1_000
MAX_FACETS = 50
PARTIAL = f"Counting stopped at {MOST_COUNTED:,}: more match than `total` says, and the facets are of these only."
_COUNTED = frozenset({"total", "partial"})
DISPLAY_NAMES = {
    TYPE: "Type",
    "origin": "Environment",
    "typeNames": "Sub Type",
    "owners": "Owned By",
    "glossaryTerms": "Glossary Term",
    "tags": "Tag",
    "domains": "Domain",
}


@strawberry.input(description="A search for entities of one type.")
class SearchInput:
    """As DataHub's."""

    type: EntityType
    query: str
    start: int | None = None
    count: int | None = None
    filters: list[FacetFilterInput] | None = None
    or_filters: list[AndFilterInput] | None = None
    search_flags: SearchFlags | None = None


@strawberry.input(description="A search for entities of some types, or of all.")
class SearchAcrossEntitiesInput:
    """As DataHub's."""

    query: str
    types: list[EntityType] | None = None
    start: int | None = None
    count: int | None = None
    filters: list[FacetFilterInput] | None = None
    or_filters: list[AndFilterInput] | None = None
    view_urn: str | None = None
    search_flags: SearchFlags | None = None
    sort_input: SearchSortInput | None = None


@strawberry.input(description="A search whose answer is read page after page; `keepAlive` means nothing here.")
class ScrollAcrossEntitiesInput:
    """As DataHub's."""

    query: str
    types: list[EntityType] | None = None
    scroll_id: str | None = None
    keep_alive: str | None = None
    count: int | None = None
    or_filters: list[AndFilterInput] | None = None
    view_urn: str | None = None
    search_flags: SearchFlags | None = None
    sort_input: SearchSortInput | None = None


@strawberry.input(description="A search of which only the facets are wanted.")
class AggregateAcrossEntitiesInput:
    """As DataHub's."""

    query: str
    types: list[EntityType] | None = None
    facets: list[str | None] | None = None
    or_filters: list[AndFilterInput] | None = None
    view_urn: str | None = None
    search_flags: SearchFlags | None = None


@strawberry.input(description="The beginning of a name, among entities of one type.")
class AutoCompleteInput:
    """As DataHub's; only names are completed, so `field` means nothing here."""

    query: str
    type: EntityType | None = None
    field: str | None = None
    limit: int | None = None
    filters: list[FacetFilterInput] | None = None
    or_filters: list[AndFilterInput] | None = None


@strawberry.input(description="The beginning of a name, among entities of some types.")
class AutoCompleteMultipleInput:
    """As DataHub's; only names are completed, so `field` means nothing here."""

    query: str
    types: list[EntityType] | None = None
    field: str | None = None
    limit: int | None = None
    filters: list[FacetFilterInput] | None = None
    or_filters: list[AndFilterInput] | None = None
    view_urn: str | None = None


@described
class ExtraProperty:
    """A further value of a result, as text."""

    name: str
    value: str


@described
class SearchSuggestion:
    """Another text to try; there are none yet."""

    text: str
    score: float | None
    frequency: int | None


@described
class SearchResult:
    """An entity that was found."""

    entity: Entity
    score: float = strawberry.field(description="Relevance; comparable within one answer.")
    matched_fields: list[MatchedField] = strawberry.field(
        description="Fields that hold a word of the query; empty with `skipHighlighting`."
    )
    insights: list[SearchInsight] = strawberry.field(default_factory=list)
    extra_properties: list[ExtraProperty] = strawberry.field(default_factory=list)


@described
class SearchResults:
    """A page of what was found, the best first."""

    start: int
    count: int
    total: int
    search_results: list[SearchResult]
    facets: list[FacetMetadata] | None
    suggestions: list[SearchSuggestion] = strawberry.field(default_factory=list)
    partial: bool = strawberry.field(default=False, description=PARTIAL)


@described
class ScrollResults:
    """A page of what was found, in the order of the URNs or of `sortInput`."""

    next_scroll_id: str | None
    count: int
    total: int
    search_results: list[SearchResult]
    facets: list[FacetMetadata] | None
    partial: bool = strawberry.field(default=False, description=PARTIAL)


@described
class AggregateResults:
    """Facets of a search."""

    facets: list[FacetMetadata] | None


@described
class AutoCompleteResults:
    """Names that begin as the query does, the best first."""

    query: str
    suggestions: list[str]
    entities: list[Entity]


@described
class AutoCompleteResultForEntity:
    """Names of entities of one type."""

    type: EntityType
    suggestions: list[str]
    entities: list[Entity]


@described
class AutoCompleteMultipleResults:
    """Names by entity type, in the order of their best one."""

    query: str
    suggestions: list[AutoCompleteResultForEntity]


async def search(info: Info, input: SearchInput) -> SearchResults | None:  # noqa: A002  DataHub's name
    """One page."""
    wanted = search_query(info, input.query, [input.type], input.filters, input.or_filters, input.search_flags)
    return await _page(info, wanted, input.start, input.count, input.search_flags)


async def search_across_entities(
    info: Info,
    input: SearchAcrossEntitiesInput,  # noqa: A002
) -> SearchResults | None:
    """One page."""
    view = await view_of(info, input.view_urn)
    wanted = search_query(
        info, input.query, input.types, input.filters, input.or_filters, input.search_flags, view=view
    )
    return await _page(info, wanted, input.start, input.count, input.search_flags, _sort(input.sort_input))


async def scroll_across_entities(
    info: Info,
    input: ScrollAcrossEntitiesInput,  # noqa: A002
) -> ScrollResults | None:
    """The next page; what is written meanwhile neither moves nor repeats what was answered."""
    view = await view_of(info, input.view_urn)
    wanted = search_query(info, input.query, input.types, None, input.or_filters, input.search_flags, view=view)
    count = DEFAULT_COUNT if input.count is None else input.count
    if not 0 <= count <= MAX_SCROLL:
        raise BadRequest(f"count is {count}; a page of a scroll has from 0 to {MAX_SCROLL}")
    selected = _selected(info)
    finder = _search(info)
    names, limit = _facets(selected, input.search_flags)
    (hits, after), total, facets = await asyncio.gather(
        finder.scroll(wanted, _cursor(input.scroll_id), count, _sort(input.sort_input)),
        finder.total(wanted, wanted=not _COUNTED.isdisjoint(selected)),
        finder.facets(wanted, names, limit),
    )
    return ScrollResults(
        next_scroll_id=None if after is None else base64.urlsafe_b64encode(orjson.dumps(list(after))).decode(),
        count=len(hits.urns),
        total=total.number,
        search_results=_results(hits),
        facets=await _described(info, facets) if names else None,
        partial=total.partial,
    )


async def aggregate_across_entities(
    info: Info,
    input: AggregateAcrossEntitiesInput,  # noqa: A002
) -> AggregateResults | None:
    """Facets of everything that matches."""
    view = await view_of(info, input.view_urn)
    wanted = search_query(info, input.query, input.types, None, input.or_filters, input.search_flags, view=view)
    names = list(dict.fromkeys(name for name in input.facets or () if name)) or FACETS
    found = await _search(info).answer(wanted, 0, 0, facets=names, limit=_limit(names, input.search_flags))
    return AggregateResults(facets=await _described(info, found.facets))


async def auto_complete(info: Info, input: AutoCompleteInput) -> AutoCompleteResults | None:  # noqa: A002
    """Names of one type, or of all."""
    types = None if input.type is None else [input.type]
    hits = await _completed(info, input.query, types, input.filters, input.or_filters, input.limit)
    return AutoCompleteResults(query=input.query, suggestions=_names(hits), entities=_entities(hits))


async def auto_complete_for_multiple(
    info: Info,
    input: AutoCompleteMultipleInput,  # noqa: A002
) -> AutoCompleteMultipleResults | None:
    """Names of some types, or of all."""
    view = await view_of(info, input.view_urn)
    hits = await _completed(info, input.query, input.types, input.filters, input.or_filters, input.limit, view)
    grouped: dict[str, list[Hit]] = {}
    for hit in hits:
        grouped.setdefault(urn_type(hit.urn), []).append(hit)
    suggestions = [
        AutoCompleteResultForEntity(type=entity_type_of(kind), suggestions=_names(some), entities=_entities(some))
        for kind, some in grouped.items()
    ]
    return AutoCompleteMultipleResults(query=input.query, suggestions=suggestions)


async def _completed(  # noqa: PLR0913, PLR0917
    info: Info, text: str, types: Any, filters: Any, or_filters: Any, limit: int | None, view: ViewFilters | None = None
) -> list[Hit]:
    _, count = info.context.page(0, limit)
    wanted = search_query(info, text, types, filters, or_filters, None, completing=True, view=view)
    return await _search(info).page(wanted, 0, count)


async def _page(  # noqa: PLR0913, PLR0917
    info: Info,
    wanted: SearchQuery,
    start: int | None,
    count: int | None,
    flags: SearchFlags | None,
    sort: Sequence[Sort] = (),
) -> SearchResults:
    return _answered(*await selected_page(info, wanted, start, count, flags, sort))


async def selected_page(  # noqa: PLR0913, PLR0917
    info: Info,
    wanted: SearchQuery,
    start: int | None,
    count: int | None,
    flags: SearchFlags | None = None,
    sort: Sequence[Sort] = (),
) -> tuple[int, Answer, Table | None]:
    """Where a page begins, the page, and facets; total and facets as far as they are selected."""
    first, size = info.context.page(start, count)
    selected = _selected(info)
    names, limit = _facets(selected, flags)
    found = await _search(info).answer(
        wanted,
        first,
        size,
        sort,
        shown="matchedFields" in selected and not (flags and flags.skip_highlighting),
        total=not _COUNTED.isdisjoint(selected),
        facets=names,
        limit=limit,
    )
    return first, found, await _described(info, found.facets) if names else None


async def listed(
    info: Info, among: Among, start: int | None, count: int | None, flags: SearchFlags | None = None
) -> SearchResults | None:
    """
    A page of a list, which is read with all such lists of the request, in the order of the URNs.

    Returns:
        None if the list has to be searched for by itself.
    """
    first, size = info.context.page(start, count)
    names, limit = _facets(_selected(info), flags)
    found = await info.context.loaders.lists.load(ListKey(among, first, size, tuple(names), limit))
    return None if found is None else _answered(first, found, await _described(info, found.facets) if names else None)


def _answered(start: int, found: Answer, facets: Table | None) -> SearchResults:
    return SearchResults(
        start=start,
        count=len(found.hits.urns),
        total=found.total,
        partial=found.partial,
        search_results=_results(found.hits),
        facets=facets,
    )


def _facets(selected: set[str], flags: SearchFlags | None) -> tuple[Sequence[str], int]:
    """The facets of a page, and how many values of each."""
    if "facets" not in selected or (flags and flags.skip_aggregates):
        return (), 0
    return FACETS, _limit(FACETS, flags)


def _limit(names: Sequence[str], flags: SearchFlags | None) -> int:
    limit = FACET_VALUES if flags is None or flags.max_agg_values is None else flags.max_agg_values
    if not 0 < limit <= MAX_FACET_VALUES or len(names) > MAX_FACETS:
        raise BadRequest(f"up to {MAX_FACETS} facets are answered at once, of {MAX_FACET_VALUES} values at most")
    return limit


async def _described(info: Info, found: Mapping[str, Sequence[Count]]) -> Table:
    named = "displayName" in _selected(info)
    urns = {c.value for counts in found.values() for c in counts if named and c.value.startswith("urn:li:")}
    rows = await info.context.loaders.entities.load_many(sorted(urns)) if urns else []
    labels = {row.urn: row.name for row in rows if row is not None}
    return facet_table([_facet(name, counts) for name, counts in found.items()], labels)


def _facet(field: str, counts: Sequence[Count]) -> Facet:
    """A facet as it is shown; types have GraphQL's names there."""
    title = DISPLAY_NAMES.get(field, field[:1].upper() + field[1:])
    if field != TYPE:
        return Facet(field, title, counts)
    return Facet(field, title, [(enum_name(v) if v in SHIPPED_TYPES else v, number) for v, number in counts])


def search_query(  # noqa: PLR0913, PLR0917
    info: Info,
    text: str,
    types: Sequence[EntityType] | None,
    filters: Sequence[FacetFilterInput] | None,
    or_filters: Sequence[AndFilterInput] | None,
    flags: SearchFlags | None,
    *,
    completing: bool = False,
    view: ViewFilters | None = None,
) -> SearchQuery:
    """
    What a search asks for, from DataHub's inputs; `filters` hold beside every group of `or_filters`.

    Raises:
        BadRequest: The filters and those of the view are too many together.
    """
    of_view = view or ViewFilters()
    groups = [[_filter(f) for f in group.and_ or ()] for group in or_filters or ()]
    common = [_filter(f) for f in filters or ()]
    if common:
        groups = [[*common, *group] for group in groups or [[]]]
    return SearchQuery(
        text=text,
        types=both_types(_types(info, types), of_view.types),
        filters=tuple(both_groups(groups, of_view.groups)),
        removed=bool(flags and flags.include_soft_deleted),
        completing=completing,
    )


def _types(info: Info, types: Sequence[EntityType] | None) -> tuple[str, ...] | None:
    """Entity types as URNs spell them; OTHER stands for all of a model file's own."""
    if not types:
        return None
    named = [kind.value for kind in types]
    if OTHER not in named:
        return tuple(named)
    own = [name for name in info.context.registry.entities if name not in SHIPPED_TYPES]
    return tuple(name for value in named for name in (own if value == OTHER else [value]))


def _filter(given: FacetFilterInput) -> Filter:
    values = given.values if given.values is not None else [given.value] if given.value is not None else []
    operator = "EQUAL" if given.condition is None else given.condition.value
    return Filter(given.field, tuple(values), operator, bool(given.negated))


def _sort(given: SearchSortInput | None) -> list[Sort]:
    criteria = [] if given is None else given.sort_criteria or ([given.sort_criterion] if given.sort_criterion else [])
    return [Sort(criterion.field, criterion.sort_order is SortOrder.DESCENDING) for criterion in criteria]


def _cursor(text: str | None) -> Cursor | None:
    if not text:
        return None
    try:
        urn, values = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as exc:
        raise BadRequest("scrollId is none that was answered here") from exc
    if not isinstance(urn, str) or not isinstance(values, list) or not all(map(_sortable, values)):
        raise BadRequest("scrollId is none that was answered here")
    return Cursor(urn, tuple(values))


def _sortable(value: Any) -> bool:
    return not isinstance(value, dict) and not (isinstance(value, int) and value.bit_length() > LONG_BITS)


async def view_of(info: Info, urn: str | None) -> ViewFilters | None:
    """
    The filters of a view as it stands now; None where none is asked for.

    Raises:
        BadUrn: `urn` is none.
        BadRequest: It is no view's, there is no such view, or its definition makes no sense.
    """
    if not urn:
        return None
    if parse_urn(urn).entity_type != "dataHubView":
        raise BadRequest(f"viewUrn: {urn} is no dataHubView")
    value = await info.context.loaders.value(urn, "dataHubViewInfo")
    if value is None:
        raise BadRequest(f"viewUrn: there is no view {urn}")
    return view_filters(value.get("definition"))


def _search(info: Info) -> Search:
    return Search(info.context.reader, info.context.registry)


def _results(hits: Hits) -> Table:
    """Hits as `SearchResult`."""
    size = len(hits.urns)
    matched = list(chain.from_iterable(hits.fields))
    fields = {"name": [name for name, _ in matched], "value": [value for _, value in matched]}
    nothing = Lists(Table({}, [], list), [0] * size)
    columns: dict[str, Sequence[Any] | Lists] = {
        "entity": entity_table(hits.urns, hits.names, [True] * size),
        "score": hits.scores,
        "matched_fields": Lists(Table(fields, [MatchedField] * len(matched), list), list(map(len, hits.fields))),
        "insights": nothing,
        "extra_properties": nothing,
    }
    return Table(columns, [SearchResult] * size, lambda: map(_result, hits.rows()))


def _result(hit: Hit) -> SearchResult:
    return SearchResult(
        entity=entity_of(hit.urn, hit.name),
        score=hit.score,
        matched_fields=[MatchedField(name=n, value=value, entity=referred(value)) for n, value in hit.fields],
    )


def _names(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(hit.name for hit in hits))


def _entities(hits: Sequence[Hit]) -> list[Entity]:
    return [entity_of(hit.urn, hit.name) for hit in hits]


def _selected(info: Info) -> set[str]:
    """Names of the fields that are selected at any depth, through fragments too; arguments cost what they ask for."""
    raw: Any = info._raw_info  # noqa: SLF001  Strawberry's own form of it costs more than the answer
    found: set[str] = set()
    seen: set[str] = set()
    todo: list[Any] = [node.selection_set for node in raw.field_nodes]
    while todo:
        for node in getattr(todo.pop(), "selections", ()):
            if isinstance(node, FieldNode):
                found.add(node.name.value)
                if node.name.value in {"searchResults", "facets", "aggregations"}:
                    todo.append(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                todo.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                todo.append(raw.fragments[node.name.value].selection_set)
    return found
