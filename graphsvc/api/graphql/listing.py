"""Lists of all entities of a type, as DataHub names them: `listDomains`, `listUsers`, the roots of the glossary …."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import class_of, entity_of
from graphsvc.api.graphql.names import EntityType, entity_type_of
from graphsvc.api.graphql.policies import list_policies
from graphsvc.api.graphql.search import search_query, view_of
from graphsvc.api.graphql.search_types import FacetFilterInput
from graphsvc.api.graphql.views import WRITTEN, Long, described
from graphsvc.graph.search import TYPE, Filter, Search, SearchQuery, Sort

MAX_TYPES = 1_000
_NO_PARENT = (Filter("parentNode", (), "EXISTS", negated=True),)


class _List(NamedTuple):
    """A list: its query, the entity type, the field that holds the entities, and the types of input and answer."""

    query: str
    entity_type: str
    field: str
    input: str
    result: str


@strawberry.input(description="A page of a list; with a query, those that a search for it finds.")
class ListInput:
    """What all of DataHub's inputs for lists have."""

    start: int | None = None
    count: int | None = None
    query: str | None = None


@strawberry.input(description="A page of domains: those under a parent, or the ones without a parent.")
class ListDomainsInput(ListInput):
    """As DataHub's."""

    parent_domain: str | None = None


@strawberry.input(description="A page of queries.")
class ListQueriesInput(ListInput):
    """As DataHub's."""

    source: str | None = strawberry.field(default=None, description="MANUAL or SYSTEM.")
    dataset_urn: str | None = None


@strawberry.input(description="A page of ingestion sources.")
class ListIngestionSourcesInput(ListInput):
    """As DataHub's."""

    filters: list[FacetFilterInput] | None = None


@strawberry.input(description="A page of the roots of the glossary.")
class GetRootGlossaryEntitiesInput:
    """As DataHub's."""

    start: int
    count: int


@strawberry.input(description="Which entity types to count; all of them if none is named.")
class EntityCountInput:
    """As DataHub's."""

    types: list[EntityType] | None = None
    view_urn: str | None = None


@described
class EntityCountResult:
    """How many entities of a type there are."""

    entity_type: EntityType
    count: Long


@described
class EntityCountResults:
    """How many entities there are, by type, the most frequent first."""

    counts: list[EntityCountResult]


_LISTS = (
    _List("listBusinessAttributes", "businessAttribute", "businessAttributes", "ListBusinessAttributesInput", ""),
    _List("listDataProducts", "dataProduct", "dataProducts", "ListDataProductsInput", ""),
    _List("listGlobalViews", "dataHubView", "views", "ListGlobalViewsInput", "ListViewsResult"),
    _List("listGroups", "corpGroup", "groups", "ListGroupsInput", ""),
    _List("listOwnershipTypes", "ownershipType", "ownershipTypes", "ListOwnershipTypesInput", ""),
    _List("listPosts", "post", "posts", "ListPostsInput", ""),
    _List("listRoles", "dataHubRole", "roles", "ListRolesInput", ""),
    _List("listTags", "tag", "tags", "ListTagsInput", ""),
    _List("listTests", "test", "tests", "ListTestsInput", ""),
    _List("listUsers", "corpuser", "users", "ListUsersInput", ""),
)
_ROOTS = (
    _List("getRootGlossaryNodes", "glossaryNode", "nodes", "", "GetRootGlossaryNodesResult"),
    _List("getRootGlossaryTerms", "glossaryTerm", "terms", "", "GetRootGlossaryTermsResult"),
)


@cache
def list_queries() -> Mapping[str, Any]:
    """Query name -> field."""
    fields: dict[str, Any] = {}
    for spec in _LISTS:
        cls: Any = type(spec.input, (ListInput,), {})
        asked = strawberry.input(cls, name=spec.input, description="A page of a list.")
        fields[spec.query] = _query(spec, asked, lambda _: ())
    for spec in _ROOTS:
        fields[spec.query] = _query(spec, GetRootGlossaryEntitiesInput, lambda _: _NO_PARENT)
    domains = _List("listDomains", "domain", "domains", "", "")
    queries = _List("listQueries", "query", "queries", "", "")
    sources = _List("listIngestionSources", "dataHubIngestionSource", "ingestionSources", "", "")
    fields["listDomains"] = _query(domains, ListDomainsInput, _under)
    fields["listPolicies"] = strawberry.field(
        resolver=list_policies, description="Access policies, by name; graphsvc itself lets nobody in by them."
    )
    fields["listQueries"] = _query(queries, ListQueriesInput, _of_dataset)
    fields["listIngestionSources"] = _query(sources, ListIngestionSourcesInput, _given)
    return fields


async def get_entity_counts(info: Info, input: EntityCountInput | None = None) -> EntityCountResults:  # noqa: A002
    """Those that are neither removed nor merely pointed to."""
    asked = input or EntityCountInput()
    view = await view_of(info, asked.view_urn)
    wanted = search_query(info, "*", asked.types, None, None, None, view=view)
    finder = Search(info.context.reader, info.context.registry)
    counts = (await finder.facets(wanted, [TYPE], MAX_TYPES, all_of_them=True))[TYPE]
    return EntityCountResults(
        counts=[EntityCountResult(entity_type=entity_type_of(c.value), count=Long(c.number)) for c in counts]
    )


def _query(spec: _List, asked: Any, conditions: Callable[[Any], Sequence[Filter]]) -> Any:
    name = spec.result or f"{spec.query[:1].upper()}{spec.query[1:]}Result"
    result = _result_type(name, spec.field, class_of(spec.entity_type))

    async def resolve(info: Info, input: Any) -> Any:  # noqa: A002  DataHub's name
        return result(**await _page(info, spec, input, conditions(input)))

    resolve.__annotations__["input"] = asked
    return strawberry.field(
        resolver=resolve,
        graphql_type=result,
        name=spec.query,
        description=f"Entities of type `{spec.entity_type}`, by name; without those that are soft-deleted.",
    )


async def _page(info: Info, spec: _List, asked: Any, filters: Sequence[Filter]) -> dict[str, Any]:
    first, size = info.context.page(asked.start, asked.count)
    text = getattr(asked, "query", None) or "*"
    wanted = SearchQuery(text=text, types=(spec.entity_type,), filters=(tuple(filters),) if filters else ())
    finder = Search(info.context.reader, info.context.registry)
    order = [Sort("name")] if text == "*" else []
    source = getattr(asked, "source", None)
    if source:  # no property of the node, so that it is looked for among as many as a page may have
        hits = await finder.page(wanted, 0, info.context.settings.max_page, order)
        values = await asyncio.gather(*(info.context.loaders.value(hit.urn, "queryProperties") for hit in hits))
        hits = [hit for hit, value in zip(hits, values, strict=True) if value and value.get("source") == source]
        total, hits = len(hits), hits[first : first + size]
    else:
        hits, counted = await asyncio.gather(finder.page(wanted, first, size, order), finder.total(wanted))
        total = counted.number
    entities = [entity_of(hit.urn, hit.name) for hit in hits]
    return {"start": first, "count": len(hits), "total": total, spec.field: entities}


def _result_type(name: str, field: str, of: Any) -> Any:
    WRITTEN.add(name)
    annotations = {"start": int, "count": int, "total": int, field: list[of]}
    cls = type(name, (), {"__annotations__": annotations})
    return strawberry.type(cls, name=name, description=f"A page of {field}.")


def _under(asked: ListDomainsInput) -> tuple[Filter, ...]:
    if asked.parent_domain:
        return (Filter("parentDomain", (asked.parent_domain,)),)
    return () if asked.query else (Filter("parentDomain", (), "EXISTS", negated=True),)


def _of_dataset(asked: ListQueriesInput) -> tuple[Filter, ...]:
    return (Filter("entities", (asked.dataset_urn,)),) if asked.dataset_urn else ()


def _given(asked: ListIngestionSourcesInput) -> tuple[Filter, ...]:
    return tuple(
        Filter(
            f.field,
            tuple(f.values if f.values is not None else [f.value] if f.value is not None else []),
            "EQUAL" if f.condition is None else f.condition.value,
            bool(f.negated),
        )
        for f in asked.filters or ()
    )
