"""Answers of search: written from columns, they say what they say when each field is resolved."""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson
import pytest
import strawberry
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

import graphsvc.api.graphql.types  # noqa: F401  registers the entity types
from graphsvc.api.graphql.context import TimedInfo
from graphsvc.api.graphql.entity import GenericEntity, class_of
from graphsvc.api.graphql.plain import Lists, PlainExecutor, Table
from graphsvc.api.graphql.search import SearchResult, _results
from graphsvc.api.graphql.search_types import Facet, FacetMetadata, facet_table
from graphsvc.api.graphql.views import LONG, Long
from graphsvc.graph.search import Hit, Hits

DATASET = "urn:li:dataset:(urn:li:dataPlatform:hive,a.b,PROD)"
OWNER = "urn:li:corpuser:ada"
HITS = [
    Hit(DATASET, "b", 1.5, (("name", "b"), ("tags", "urn:li:tag:b"))),
    Hit(OWNER, 'A"d\n%b', 0.0, ()),
    Hit("urn:li:chart:(looker,1)", "", 0.25, (("description", 'of\n "b",'),)),
    Hit("urn:li:dataset:c", "c", 0.1),
    Hit("urn:li:unheard:of", "of", 0.1, (("name", "of"),)),
]
FACETS = [
    Facet("owners", "Owned By", [(OWNER, 2), ("urn:li:corpuser:bob", 1)]),
    Facet("origin", "Environment", []),
    Facet("_entityType", "Type", [("DATASET", 2**40)]),
]
LABELS = {OWNER: "Ada"}
FRAGMENTS = """
fragment OfEntity on Entity { urn typeName }
fragment OfDataset on Dataset { type kind: __typename ...OfEntity }
fragment OfResult on SearchResult { score entity { ...OfEntity } }
"""
ENTITY = [
    "urn",
    "u: urn",
    "name",
    "type",
    "typeName",
    "__typename",
    "urn @skip(if: true)",
    "... on Dataset { urn d: name }",
    "... on EntityWithRelationships { urn }",
    "... on Chart @include(if: true) { c: typeName }",
    "... @skip(if: true) { s: urn }",
    "...OfEntity",
    "...OfDataset",
]
MATCHED = ["name", "value", "v: value", "__typename", "entity { urn }"]
AGGREGATION = ["value", "count", "n: count", "displayName", "__typename", "entity { urn ... on CorpUser { type } }"]


class Resolving(StrawberryGraphQLCoreExecutionContext):
    """The executor as it comes, which has never heard of columns."""

    def complete_iterable_value(
        self, item_type: Any, field_details_list: Any, info: Any, path: Any, items: Iterable[Any], position_context: Any
    ) -> Any:
        """Make a table the list that it stands for."""
        if isinstance(items, Table):
            items.fill()
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)


@strawberry.type
class Found:
    """A page of search, in short."""

    search_results: list[SearchResult]
    facets: list[FacetMetadata]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    def found(self) -> Found:
        """Always the same."""
        return Found(search_results=_results(Hits(*zip(*HITS, strict=True))), facets=facet_table(FACETS, LABELS))


@cache
def schema(*, plain: bool) -> strawberry.Schema:
    return strawberry.Schema(
        Query,
        types=[*map(class_of, ("dataset", "corpuser", "chart")), GenericEntity],
        execution_context_class=PlainExecutor if plain else Resolving,
        config=StrawberryConfig(scalar_map={Long: LONG}, info_class=TimedInfo),
    )


def asked(selection: str, *, plain: bool = True) -> dict[str, Any]:
    spread = "all: found { searchResults { ...OfResult entity { ...OfDataset } } }"
    query = f"{{ found {{ {selection} }} {spread} }} {FRAGMENTS}"
    result: Any = asyncio.run(schema(plain=plain).execute(query))
    assert result.errors is None, result.errors
    found: dict[str, Any] = result.data["found"]
    return found


def some(fields: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(fields), min_size=1, max_size=5, unique=True).map(" ".join)


RESULT = st.one_of(
    st.sampled_from(
        [
            "score",
            "s: score",
            "__typename",
            "insights { text }",
            "extraProperties { name value }",
            "...OfResult",
            "... on SearchResult @skip(if: true) { score }",
        ]
    ),
    some(ENTITY).map("entity {{ {} }}".format),
    some(MATCHED).map("matchedFields {{ {} }}".format),
)
FACET = st.one_of(
    st.sampled_from(["field", "displayName", "f: field", "__typename", "entity { urn }"]),
    some(AGGREGATION).map("aggregations {{ {} }}".format),
)
RESULTS = st.lists(RESULT, min_size=1, max_size=4).map(" ".join).map("searchResults {{ {} }}".format)
FACETED = st.lists(FACET, min_size=1, max_size=4).map(" ".join).map("facets {{ {} }}".format)


@settings(deadline=None, max_examples=60)  # the first example builds two schemas
@given(results=RESULTS, facets=FACETED)
def test_whatever_is_selected_the_answer_is_the_same(results: str, facets: str) -> None:
    """Values, names and order; fields that have to be resolved are among them, and every kind of fragment."""
    quick = asked(f"{results} {facets}")
    usual = asked(f"{results} {facets}", plain=False)

    assert orjson.dumps(quick) == orjson.dumps(usual)


@pytest.mark.parametrize(
    "selection",
    [
        "searchResults { entity { urn name type exists ... on Dataset { d: urn } } score }",
        "searchResults { matchedFields { name value } insights { text } extraProperties { name } }",
        "searchResults { ...OfResult @include(if: true) __typename }",
        "facets { field displayName aggregations { value count displayName } }",
    ],
)
def test_plain_selections_are_written_from_the_columns(selection: str) -> None:
    """None of them needs a resolver."""
    (answer,) = asked(selection).values()

    assert isinstance(answer, orjson.Fragment)


def test_what_is_asked_twice_is_answered_twice_the_same() -> None:
    """Two names for one table, both of which make its objects."""
    resolved = "facets { aggregations { entity { urn } } }"

    answer = asked(f"one: {resolved} other: {resolved}")

    assert answer["one"] == answer["other"]
    assert [len(facet["aggregations"]) for facet in answer["one"]] == [2, 0, 1]


def test_some_rows_of_a_table_keep_their_lists() -> None:
    """In the order asked for; so they are written where a table's items have several classes."""
    matched = _results(Hits(*zip(*HITS, strict=True))).of([4, 3, 0]).columns["matched_fields"]

    assert isinstance(matched, Lists)
    assert matched.sizes == [1, 0, 2]
    assert matched.items.columns["value"] == ["of", "b", "urn:li:tag:b"]
