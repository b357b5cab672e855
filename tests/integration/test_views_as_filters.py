"""Views as filters: a request with a view's URN sees what the view lets through, and no more."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from graphsvc.api.graphql.router import build_router
from graphsvc.config import GraphqlSettings
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

KAFKA, SNOWFLAKE, PII = "urn:li:dataPlatform:kafka", "urn:li:dataPlatform:snowflake", "urn:li:tag:pii"
STAMP = {"time": 1, "actor": "urn:li:corpuser:ada"}
GONE = "urn:li:dataset:(urn:li:dataPlatform:kafka,retired,PROD)"
SOURCE = "urn:li:dataset:(urn:li:dataPlatform:kafka,orders.v1,PROD)"
VIEWS: dict[str, dict[str, Any]] = {
    "kafka": {"or": [[{"field": "platform.keyword", "values": [KAFKA], "condition": "EQUAL"}]]},
    "pii_tables": {
        "types": ["dataset"],
        "or": [[{"field": "tags.keyword", "values": [PII], "condition": "EQUAL", "negated": False}]],
    },
    "kafka_or_pii": {
        "types": ["DATASET"],
        "or": [
            [{"field": "platform.keyword", "values": ["kafka"]}],
            [{"field": "tags", "values": [PII], "condition": "IN"}],
        ],
    },
    "charts": {"types": ["chart"], "or": []},
    "tables_and_charts": {"types": ["dataset", "chart"], "or": [[]]},
    "without_domain": {"or": [[{"field": "domains.keyword", "values": [], "condition": "IS_NULL"}]]},
    "below": {"or": [[{"field": "tags", "values": [PII], "condition": "DESCENDANTS_INCL"}]]},
}


def view(name: str) -> str:
    return f"urn:li:dataHubView:{name}"


def saved(name: str, types: list[str], groups: list[list[dict[str, Any]]]) -> Proposal:
    definition = {"entityTypes": types, "filter": {"or": [{"and": group} for group in groups]}}
    value = {"name": name, "type": "GLOBAL", "created": STAMP, "lastModified": STAMP, "definition": definition}
    return proposal_of(view(name), "dataHubViewInfo", value)


@pytest.fixture(scope="module")
async def views(retail: int, service: IngestService) -> int:
    """The example metadata with the views above, and a dataset that is soft-deleted."""
    proposals = [saved(name, spec.get("types", []), spec["or"]) for name, spec in VIEWS.items()]
    gone = [proposal_of(GONE, "datasetProperties", {"name": "x"}), proposal_of(GONE, "status", {"removed": True})]
    answers = await service.ingest([*proposals, *gone])
    assert all(isinstance(answer, Applied) for answer in answers), answers
    return retail


@pytest.fixture
async def client(reader: Reader, registry: Registry, views: int) -> AsyncIterator[httpx.AsyncClient]:
    assert views
    app = FastAPI()
    app.include_router(build_router(reader, registry, GraphqlSettings()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
        yield opened


async def ask(client: httpx.AsyncClient, text: str, **variables: Any) -> Any:
    answer = (await client.post("/graphql", json={"query": text, "variables": variables})).json()
    assert "errors" not in answer, answer
    return answer["data"]


ACROSS = """query ($input: SearchAcrossEntitiesInput!) { searchAcrossEntities(input: $input) {
  total searchResults { entity { urn } } facets { field aggregations { value count } } } }"""


async def found(client: httpx.AsyncClient, **given: Any) -> list[str]:
    """URNs that a search across entities finds; its total is their number."""
    answer = await ask(client, ACROSS, input={"query": "*", "count": 500, **given})
    urns = [result["entity"]["urn"] for result in answer["searchAcrossEntities"]["searchResults"]]
    assert len(urns) == answer["searchAcrossEntities"]["total"]
    return sorted(urns)


def where(field: str, *values: str) -> dict[str, Any]:
    return {"and": [{"field": field, "values": values}]}


async def test_a_view_over_a_platform(client: httpx.AsyncClient) -> None:
    """As DataHub stores it, with `.keyword`: what the same condition finds, with a text and without."""
    for text in ("*", "orders"):
        seen = await found(client, query=text, viewUrn=view("kafka"))

        assert seen == await found(client, query=text, orFilters=[where("platform", KAFKA)])
        assert seen
        assert GONE not in seen


async def test_a_view_over_tags_and_a_type(client: httpx.AsyncClient) -> None:
    """The example has a dashboard with a tag, too."""
    seen = await found(client, viewUrn=view("pii_tables"))

    assert seen == await found(client, types=["DATASET"], orFilters=[where("tags", PII)])
    assert seen


async def test_types_of_a_view_and_of_a_request(client: httpx.AsyncClient) -> None:
    """Those that both name; none in common finds nothing, with a text too."""
    charts = await found(client, types=["CHART"])

    assert charts == await found(client, viewUrn=view("charts"))
    assert charts == await found(client, types=["CHART", "DATA_JOB"], viewUrn=view("tables_and_charts"))
    assert len(charts) < len(await found(client, viewUrn=view("tables_and_charts")))
    for text in ("*", "orders"):
        assert await found(client, query=text, types=["DATASET"], viewUrn=view("charts")) == []


async def test_a_view_with_filters_of_the_request(client: httpx.AsyncClient) -> None:
    """Each group of the one side with each of the other: what both let through."""
    groups = [where("platform", SNOWFLAKE), where("platform", "kafka")]
    own = await found(client, orFilters=groups)
    seen = await found(client, viewUrn=view("kafka_or_pii"))
    facets = (
        await ask(
            client, ACROSS, input={"query": "*", "count": 0, "viewUrn": view("kafka_or_pii"), "orFilters": groups}
        )
    )["searchAcrossEntities"]["facets"]
    platforms = next(facet for facet in facets if facet["field"] == "platform")["aggregations"]

    both = await found(client, viewUrn=view("kafka_or_pii"), orFilters=groups)
    with_older = await found(
        client, viewUrn=view("kafka_or_pii"), orFilters=groups, filters=[{"field": "origin", "values": ["PROD"]}]
    )

    assert both == with_older == sorted({*own} & {*seen})
    assert 0 < len(both) < min(len(own), len(seen))
    assert {p["value"]: p["count"] for p in platforms} == {
        platform: sum(f"({platform}," in urn for urn in both) for platform in (KAFKA, SNOWFLAKE)
    }


async def test_a_condition_that_graphql_has_no_word_for(client: httpx.AsyncClient) -> None:
    """IS_NULL."""
    everything, with_domain = (
        await found(client),
        await found(client, orFilters=[{"and": [{"field": "domains", "condition": "EXISTS"}]}]),
    )

    assert await found(client, viewUrn=view("without_domain")) == sorted({*everything} - {*with_domain})
    assert with_domain


async def test_scrolling_completing_counting_and_browsing(client: httpx.AsyncClient) -> None:
    """Every query that takes a view sees the same entities."""
    topics = await found(client, viewUrn=view("kafka"))
    text = """query ($view: String!) {
      scrollAcrossEntities(input: {query: "*", count: 500, viewUrn: $view}) { total searchResults { entity { urn } } }
      aggregateAcrossEntities(input: {query: "*", facets: ["platform"], viewUrn: $view}) {
        facets { aggregations { value count } } }
      autoCompleteForMultiple(input: {query: "orders", limit: 20, viewUrn: $view}) {
        suggestions { type entities { urn } } }
      getEntityCounts(input: {viewUrn: $view}) { counts { entityType count } }
      none: getEntityCounts(input: {types: [CHART], viewUrn: $view}) { counts { count } }
      browseV2(input: {types: [DATASET], path: [], viewUrn: $view}) { metadata { totalNumEntities } } }"""
    seen = await ask(client, text, view=view("kafka"))
    every = await ask(client, "{ browseV2(input: {type: DATASET, path: []}) { metadata { totalNumEntities } } }")
    inside = await ask(client, text, view=view("tables_and_charts"))

    scrolled = seen["scrollAcrossEntities"]
    assert [result["entity"]["urn"] for result in scrolled["searchResults"]] == topics
    assert scrolled["total"] == len(topics)
    assert seen["aggregateAcrossEntities"]["facets"] == [{"aggregations": [{"value": KAFKA, "count": len(topics)}]}]
    completed = [e["urn"] for s in seen["autoCompleteForMultiple"]["suggestions"] for e in s["entities"]]
    assert completed
    assert {*completed} <= {*topics}
    assert sum(count["count"] for count in seen["getEntityCounts"]["counts"]) == len(topics)
    assert seen["none"]["counts"] == []
    assert {count["entityType"] for count in inside["getEntityCounts"]["counts"]} == {"DATASET", "CHART"}
    assert inside["browseV2"] == every["browseV2"]
    assert seen["browseV2"]["metadata"]["totalNumEntities"] < every["browseV2"]["metadata"]["totalNumEntities"]


async def test_across_lineage(client: httpx.AsyncClient) -> None:
    """Search and scroll; the walk goes through what the view hides, as it does with `orFilters`."""
    text = """query ($search: SearchAcrossLineageInput!, $scroll: ScrollAcrossLineageInput!) {
      searchAcrossLineage(input: $search) { total searchResults { entity { urn } } }
      scrollAcrossLineage(input: $scroll) { total searchResults { entity { urn } } } }"""

    async def reached(**more: Any) -> list[str]:
        given = {"urn": SOURCE, "direction": "DOWNSTREAM", "query": "*", "count": 500, **more}
        seen = await ask(client, text, search=given, scroll=given)
        assert seen["searchAcrossLineage"] == seen["scrollAcrossLineage"]
        return [result["entity"]["urn"] for result in seen["searchAcrossLineage"]["searchResults"]]

    charts, everything = await reached(viewUrn=view("charts")), await reached()
    tagged = await reached(viewUrn=view("pii_tables"))

    assert charts
    assert charts == [urn for urn in everything if urn.startswith("urn:li:chart:")]
    assert charts == await reached(types=["CHART", "DATASET"], viewUrn=view("charts"))
    assert await reached(types=["DATASET"], viewUrn=view("charts")) == []
    assert tagged == await reached(types=["DATASET"], orFilters=[where("tags", PII)])
    assert await reached(viewUrn=view("kafka_or_pii"), orFilters=[where("tags", PII)]) == tagged


async def test_a_view_that_is_deleted_is_unknown(client: httpx.AsyncClient, service: IngestService) -> None:
    """It stood a moment ago; to answer without it would show what it hid."""
    await service.ingest([saved("passing", ["chart"], [])])
    before = await found(client, viewUrn=view("passing"))
    await service.ingest([Proposal(entity_urn=view("passing"), change_type="DELETE")])
    answer = (await client.post("/graphql", json=request(view("passing")))).json()

    assert before == await found(client, viewUrn=view("charts"))
    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    assert f"there is no view {view('passing')}" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("urn", "code", "said"),
    [
        (view("never_saved"), "BAD_INPUT", "there is no view"),
        (PII, "BAD_INPUT", "is no dataHubView"),
        ("mine", "BAD_URN", "not a URN"),
        (view("below"), "BAD_INPUT", "DESCENDANTS_INCL"),
    ],
)
@pytest.mark.parametrize("lineage", [False, True])
async def test_what_is_no_view(client: httpx.AsyncClient, urn: str, code: str, said: str, *, lineage: bool) -> None:
    """Is said, and never taken for no view at all."""
    answer = (await client.post("/graphql", json=request(urn, lineage=lineage))).json()

    assert answer["errors"][0]["extensions"]["code"] == code
    assert said in answer["errors"][0]["message"]


def request(urn: str, *, lineage: bool = False) -> dict[str, Any]:
    if lineage:
        text = """query ($urn: String!, $view: String!) {
            searchAcrossLineage(input: {urn: $urn, direction: DOWNSTREAM, viewUrn: $view}) { total } }"""
        return {"query": text, "variables": {"urn": SOURCE, "view": urn}}
    text = 'query ($view: String!) { searchAcrossEntities(input: {query: "*", viewUrn: $view}) { total } }'
    return {"query": text, "variables": {"view": urn}}
