"""Members of containers, domains and data products, and siblings: a page of them is read at once, as by a search."""

import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from neo4j import AsyncDriver

from graphsvc.api.graphql.router import build_router
from graphsvc.config import GraphqlSettings
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.conftest import empty

PAGES = 8  # of each kind
ODD = "urn:li:domain:späne"  # what the index does not look up
RESULTS = "total start count searchResults { entity { urn name } matchedFields { name } }"
FACETS = "facets { field displayName aggregations { value count displayName } }"
SEARCH = f"""query ($i: SearchAcrossEntitiesInput!) {{
  searchAcrossEntities(input: $i) {{ {RESULTS} partial {FACETS} }}
}}"""
ASSETS = """query ($urn: String!) { dataProduct(urn: $urn) { aspect(name: "dataProductProperties") { value } } }"""


def table(number: int, platform: str = "hive") -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},t{number:02},PROD)"


def one(kind: str, number: int) -> str:
    return ODD if kind == "domain" and number == 0 else f"urn:li:{kind}:{kind}{number}"


def proposals() -> list[Proposal]:
    """Tables in containers and domains, some soft-deleted, some that others only name; products of them; siblings."""
    rnd = random.Random(5)
    found: list[Proposal] = []
    for number in range(40):
        urn = table(number, rnd.choice(["hive", "kafka"]) if number > 20 else "hive")
        found += [
            proposal_of(urn, "datasetProperties", {"name": f"T{number}"}),
            proposal_of(urn, "container", {"container": one("container", rnd.randrange(PAGES))}),
            proposal_of(urn, "domains", {"domains": [one("domain", rnd.randrange(PAGES)) for _ in range(2)]}),
            proposal_of(urn, "globalTags", {"tags": [{"tag": f"urn:li:tag:{rnd.choice('ab')}"}]}),
        ]
        if rnd.random() < 0.2:
            found.append(proposal_of(urn, "status", {"removed": True}))
        if number < PAGES:
            others = {"siblings": [table(number, "dbt"), table(39 - number)], "primary": True}
            found.append(proposal_of(urn, "siblings", others))
            found.append(proposal_of(table(number, "dbt"), "datasetProperties", {"name": "model"}))
    for number in range(PAGES):
        assets = [{"destinationUrn": table(rnd.randrange(60))} for _ in range(rnd.randint(0, 9))]
        found += [
            proposal_of(one("dataProduct", number), "dataProductProperties", {"name": "p", "assets": assets}),
            proposal_of(one("container", number), "containerProperties", {"name": f"c{number}"}),
            proposal_of(one("domain", number), "domainProperties", {"name": f"d{number}"}),
        ]
    return found


class Counting(Reader):
    """A reader that counts its queries."""

    queries = 0

    async def _read(self, text: Any, **parameters: Any) -> Any:
        self.queries += 1
        return await super()._read(text, **parameters)


@pytest.fixture(scope="module")
async def filled(driver: AsyncDriver, database: str, service: IngestService) -> None:
    await empty(driver, database)
    answers = await service.ingest(proposals())
    assert not [answer for answer in answers if isinstance(answer, Exception)]


@pytest.fixture
def counting(filled: None, driver: AsyncDriver, database: str, registry: Registry) -> Counting:
    return Counting(driver, database, 30.0, registry)


@pytest.fixture
async def client(counting: Counting, registry: Registry) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(build_router(counting, registry, GraphqlSettings()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
        yield opened


async def ask(client: httpx.AsyncClient, text: str, **variables: Any) -> Any:
    body = (await client.post("/graphql", json={"query": text, "variables": variables})).json()
    assert "errors" not in body, body["errors"]
    return body["data"]


def document(kind: str, given: str, selected: str) -> str:
    name = {"dataProduct": "DataProduct"}.get(kind, kind.title())
    return f"""query ($urns: [String!]!) {{ entities(urns: $urns) {{ urn
        ... on {name} {{ entities(input: {{{given}}}) {{ {selected} }} }} }} }}"""


@pytest.mark.parametrize(("start", "count"), [(0, 100), (1, 2), (0, 0), (90, 5)])
@pytest.mark.parametrize("kind", ["container", "domain", "dataProduct"])
async def test_members_are_what_a_search_finds(client: httpx.AsyncClient, kind: str, start: int, count: int) -> None:
    """Pages, totals and facets, without what is soft-deleted or only named; also where the index does not help."""
    urns = [one(kind, number) for number in range(PAGES)]
    text = 'query: "*", ' if kind == "dataProduct" else ""
    asked = f"{text}start: {start}, count: {count}"
    found = await ask(client, document(kind, asked, RESULTS + " partial " + FACETS), urns=urns)

    sizes = set()
    for entity in found["entities"]:
        field = {"container": "container", "domain": "domains", "dataProduct": "urn"}[kind]
        values = [entity["urn"]]
        if kind == "dataProduct":
            raw = (await ask(client, ASSETS, urn=entity["urn"]))["dataProduct"]["aspect"]["value"]
            values = [item["destinationUrn"] for item in raw["assets"]] or ["none"]
        filters = [{"and": [{"field": field, "values": values}]}]
        wanted = await ask(client, SEARCH, i={"query": "*", "start": start, "count": count, "orFilters": filters})
        if values != ["none"]:
            assert entity["entities"] == wanted["searchAcrossEntities"]
        sizes.add(entity["entities"]["total"])
    assert len(sizes) > 1


@pytest.mark.parametrize("kind", ["container", "domain", "dataProduct"])
@pytest.mark.parametrize("selected", ["total", RESULTS, RESULTS + FACETS])
async def test_a_page_of_lists_costs_as_many_queries_as_one(
    client: httpx.AsyncClient, counting: Counting, kind: str, selected: str
) -> None:
    """Their number is constant, however many entities have a list."""
    urns = [one(kind, number) for number in range(1, PAGES)]

    costs = []
    for size in (1, 2, PAGES - 1):
        before = counting.queries
        await ask(client, document(kind, 'query: "*", count: 3', selected), urns=urns[:size])
        costs.append(counting.queries - before)

    assert costs[0] == costs[1] == costs[2] <= 4


async def test_what_is_asked_for_further_is_searched(client: httpx.AsyncClient) -> None:
    """A text and filters are those of a search, list by list."""
    urns = [one("container", number) for number in range(PAGES)]

    tagged = 'filters: [{field: "tags", values: ["urn:li:tag:a"]}]'
    narrowed = await ask(client, document("container", tagged, "total"), urns=urns)
    every = await ask(client, document("container", "", RESULTS), urns=urns)
    name = names_of(every)[0]
    text = await ask(client, document("container", f'query: "{name}"', RESULTS), urns=urns)

    assert name in names_of(text)
    assert 0 < total_of(text) < total_of(every)
    assert 0 < total_of(narrowed) < total_of(every)


def names_of(found: Any) -> list[str]:
    return [hit["entity"]["name"] for row in found["entities"] for hit in row["entities"]["searchResults"]]


def total_of(found: Any) -> int:
    return sum(row["entities"]["total"] for row in found["entities"])


async def test_siblings_of_a_page(client: httpx.AsyncClient, counting: Counting) -> None:
    """At once for all; the same as page by page, which a count less than the siblings asks for."""
    text = """query ($urns: [String!]!, $count: Int) { entities(urns: $urns) { ... on Dataset {
        siblingsSearch(input: {query: "*", count: $count}) { total count nextScrollId
          searchResults { entity { urn name } } facets { field aggregations { value count } } } } } }"""
    urns = [table(number) for number in range(PAGES)]

    costs, found = [], []
    for size in (1, PAGES):
        before = counting.queries
        found = (await ask(client, text, urns=urns[:size], count=10))["entities"]
        costs.append(counting.queries - before)
    single = (await ask(client, text, urns=urns, count=1))["entities"]

    assert costs[0] == costs[1]
    pairs = [(all_of["siblingsSearch"], part["siblingsSearch"]) for all_of, part in zip(found, single, strict=True)]
    for whole, part in pairs:
        assert (whole["total"], whole["facets"]) == (part["total"], part["facets"])
        assert whole["searchResults"][:1] == part["searchResults"]
        assert (whole["nextScrollId"], whole["count"]) == (None, whole["total"])
