"""Whatever is asked of search is answered, or refused by an error that says what is wrong with the question."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neo4j import AsyncDriver

from graphsvc.api import search_rest
from graphsvc.api.graphql.router import build_router
from graphsvc.app import _answer_errors
from graphsvc.config import GraphqlSettings, Settings
from graphsvc.errors import BadRequest
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.search import OPERATORS, Search, SearchQuery
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import IngestService

ANYTHING = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# What a client is told when the question is at fault.
CLEAR = {
    "LIMIT_EXCEEDED",
    "COST_LIMIT",
    "BAD_INPUT",
    "BAD_REQUEST",
    "TOO_LARGE",
    "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT",
}

texts = st.text(max_size=25) | st.lists(
    st.sampled_from(
        [*'"()*~:/\\[]{}^?!+-&|', "AND", "OR", "NOT", "orders", "tags:", "a*", "b~9", "customer", "name:("]
    ),
    max_size=12,
).map(" ".join)
fields = st.sampled_from([
    "platform", "tags", "owners", "domains", "name", "urn", "_entityType", "entity", "removed", "createdAt", "origin",
    "customProperties", "fieldPaths", "platform.keyword", "nobodyKnows", "", "nameWords", "a b", "`", "é",
]) | st.text(max_size=8)  # fmt: skip
values = st.lists(
    st.text(max_size=10)
    | st.sampled_from(["true", "1", "-1", "9" * 30, "1e999", "nan", "urn:li:tag:pii", "DATASET", '"', "\\", "*"]),
    max_size=4,
)
filters = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {"field": fields},
            optional={
                "values": st.none() | values,
                "value": st.none() | st.text(max_size=5),
                "condition": st.none() | st.sampled_from([*sorted(OPERATORS), "DESCENDANTS_INCL"]),
                "negated": st.none() | st.booleans(),
            },
        ),
        max_size=3,
    ).map(lambda group: {"and": group}),
    max_size=3,
)
sorts = st.none() | st.fixed_dictionaries(
    {
        "sortCriterion": st.fixed_dictionaries(
            {
                "field": fields,
                "sortOrder": st.sampled_from(["ASCENDING", "DESCENDING"]),
            }
        )
    }
)
numbers = st.none() | st.integers(-3, 60) | st.sampled_from([2**31 - 1, 10_001, -(2**31)])
cursors = (
    st.none()
    | st.text(max_size=12)
    | st.lists(
        st.none() | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.lists(st.integers(0, 3)),
        max_size=3,
    ).map(lambda parts: base64.urlsafe_b64encode(orjson.dumps([str(p) if _long(p) else p for p in parts])).decode())
)


def _long(value: Any) -> bool:
    """Integers that JSON's writer does not take."""
    return isinstance(value, int) and value.bit_length() > 62


SEARCH = """query ($input: SearchAcrossEntitiesInput!) { searchAcrossEntities(input: $input) {
  start count total searchResults { score entity { urn } matchedFields { name value } }
  facets { field aggregations { value count } } } }"""
SCROLL = """query ($input: ScrollAcrossEntitiesInput!) { scrollAcrossEntities(input: $input) {
  nextScrollId count total searchResults { entity { urn } } facets { field aggregations { value count } } } }"""
COUNTS = """query ($input: AggregateAcrossEntitiesInput!) { aggregateAcrossEntities(input: $input) {
  facets { field aggregations { value count } } } }"""
NAMES = """query ($input: AutoCompleteMultipleInput!) { autoCompleteForMultiple(input: $input) {
  suggestions { type suggestions } } }"""


@pytest.fixture
async def client(retail: int, reader: Reader, registry: Registry) -> AsyncIterator[httpx.AsyncClient]:
    assert retail
    app = FastAPI()
    app.include_router(build_router(reader, registry, GraphqlSettings()))
    app.include_router(search_rest.build_router(reader, registry))
    _answer_errors(app, Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
        yield opened


async def answered(client: httpx.AsyncClient, query: str, given_: dict[str, Any]) -> Any:
    """The data; None where the question was refused, which has to be said by a code."""
    body = orjson.dumps({"query": query, "variables": {"input": given_}})
    answer = (await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})).json()
    if "errors" in answer:
        codes = {error["extensions"]["code"] for error in answer["errors"]}
        assert codes <= CLEAR, answer
        return None
    return next(iter(answer["data"].values()))


@ANYTHING
@given(text=texts, groups=filters, sort=sorts, start=numbers, count=numbers, most=st.none() | st.integers(-1, 1_001))
async def test_any_page(
    client: httpx.AsyncClient, text: str, groups: Any, sort: Any, start: Any, count: Any, most: Any
) -> None:
    """Its parts agree with each other."""
    flags = {"maxAggValues": most}
    found = await answered(
        client,
        SEARCH,
        {"query": text, "orFilters": groups, "sortInput": sort, "start": start, "count": count, "searchFlags": flags},
    )
    if found is None:
        return
    urns = [result["entity"]["urn"] for result in found["searchResults"]]
    kinds = next(facet for facet in found["facets"] if facet["field"] == "_entityType")["aggregations"]

    assert len(set(urns)) == len(urns) == found["count"] <= found["total"]
    assert sum(kind["count"] for kind in kinds) <= found["total"]


@ANYTHING
@given(text=texts, groups=filters, sort=sorts, count=numbers, cursor=cursors)
async def test_any_scroll(
    client: httpx.AsyncClient, text: str, groups: Any, sort: Any, count: Any, cursor: Any
) -> None:
    """Made-up cursors too."""
    asked = {"query": text, "orFilters": groups, "sortInput": sort, "count": count, "scrollId": cursor}
    found = await answered(client, SCROLL, asked)

    if found is not None and found["nextScrollId"]:
        assert await answered(client, SCROLL, {**asked, "scrollId": found["nextScrollId"]}) is not None


@ANYTHING
@given(text=texts, groups=filters, names=st.lists(fields, max_size=60), limit=st.none() | st.integers(-1, 60))
async def test_any_facets_and_completion(
    client: httpx.AsyncClient, text: str, groups: Any, names: list[str], limit: Any
) -> None:
    """Facets of fields that nobody knows are empty."""
    found = await answered(client, COUNTS, {"query": text, "orFilters": groups, "facets": names})
    await answered(client, NAMES, {"query": text, "orFilters": groups, "limit": limit})

    if found is not None:
        assert all(facet["aggregations"] == [] for facet in found["facets"] if facet["field"] == "nobodyKnows")


@ANYTHING
@given(
    query=texts,
    filter=st.lists(st.text(max_size=15) | st.tuples(fields, st.text(max_size=6)).map("=".join), max_size=3),
    sort=st.none() | fields,
    facets=st.none() | fields,
    types=st.none() | st.sampled_from(["dataset", "dataset,chart", "nothing", ","]),
    count=st.integers(-2, 1_002),
)
async def test_any_question_over_rest(client: httpx.AsyncClient, **asked: Any) -> None:
    """A mistake is a 4xx."""
    params = {key: value for key, value in asked.items() if value is not None}
    answer = await client.get("/search", params=params)

    assert answer.status_code in {200, 400, 413, 422}, (answer.status_code, answer.text)


async def test_words_with_very_many_neighbours(
    graph: AsyncDriver, service: IngestService, reader: Reader, registry: Registry
) -> None:
    """Lucene takes 1,024 clauses, and a word of which others are near stands for many: what is too much is said."""
    assert graph
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"word{a}{b}" for a in letters for b in letters]
    for at in range(0, len(words), 26):
        urn = f"urn:li:dataset:(urn:li:dataPlatform:hive,w.{'_'.join(words[at : at + 26])},PROD)"
        await service.ingest([proposal_of(urn, "datasetProperties", {"description": " ".join(words[at : at + 26])})])
    search = Search(reader, registry)

    assert await search.page(SearchQuery("wordax"), 0, 3)
    assert await search.page(SearchQuery("wardax wardbx wardcx wardex"), 0, 3)  # none has all: each near, then any
    assert await search.page(SearchQuery("wordax~ wordbx~"), 0, 3)
    with pytest.raises(BadRequest, match="limit"):
        await search.page(SearchQuery(" ".join(f"{word}~" for word in words[:16])), 0, 3)
