"""Lineage where there is much of it: a fan-out of 10,000, 5,000 column lineages on a pair, schemas of 3,000 columns."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from neo4j import AsyncDriver

from graphsvc.config import GraphqlSettings, Settings
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.conftest import empty
from tests.integration.served import neo4j_settings, served

FAN = 10_000
PAIR = 5_000
WIDE = 3_000
LINEAGE = """
query ($urn: String!, $direction: LineageDirection, $hops: Int, $nodes: Int, $cursor: String) {
  lineage(urn: $urn, direction: $direction, maxHops: $hops, maxNodes: $nodes, cursor: $cursor) {
    partialReason cursor nodes { distance entity { urn name } } edges { upstream downstream }
    countsByHop { hops count }
  }
}
"""
IMPACT = """
query ($urn: String!, $direction: LineageDirection, $hops: Int, $mixed: Boolean) {
  impactAnalysis(urn: $urn, direction: $direction, maxHops: $hops, mixed: $mixed) {
    partial entities { distance entity { urn } }
  }
}
"""
PATHS = """
query ($from: String!, $to: String!) {
  pathsBetween(from: $from, to: $to) { partial paths { entities { urn } steps { edges { type } } } }
}
"""


def table(name: object) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,large.{name},PROD)"


def column(name: object, path: object) -> str:
    return f"urn:li:schemaField:({table(name)},{path})"


HUB, UP, DOWN, WIDE_UP, WIDE_DOWN, BOARD = (table(name) for name in ("hub", "up", "down", "wide0", "wide1", "board"))
LEAVES = sorted(table(f"leaf{number:05}") for number in range(FAN))


def fine(ups: list[str], down: str) -> dict[str, Any]:
    return {"upstreamType": "FIELD_SET", "upstreams": ups, "downstreamType": "FIELD", "downstreams": [down]}


def schema(name: str) -> Proposal:
    fields = [
        {"fieldPath": f"c{i}", "nativeDataType": "int", "type": {"type": {"com.linkedin.schema.NumberType": {}}}}
        for i in range(WIDE)
    ]
    value = {"schemaName": name, "platform": "urn:li:dataPlatform:hive", "version": 0, "hash": "", "fields": fields}
    platform: dict[str, Any] = {"platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}}}
    return proposal_of(table(name), "schemaMetadata", value | platform)


def made_from(down: str, up: str, columns: list[dict[str, Any]]) -> Proposal:
    upstreams = [{"dataset": up, "type": "TRANSFORMED"}]
    return proposal_of(down, "upstreamLineage", {"upstreams": upstreams, "fineGrainedLineages": columns})


def metadata() -> Iterator[Proposal]:
    yield from (made_from(leaf, HUB, []) for leaf in LEAVES)
    # Each of 100 columns from 50 others.
    pair = [fine([column("up", up) for up in range(50)], column("down", down)) for down in range(PAIR // 50)]
    yield made_from(DOWN, UP, pair)
    yield schema("wide0")
    yield schema("wide1")
    straight = [fine([column("wide0", f"c{i}")], column("wide1", f"c{i}")) for i in range(WIDE)]
    yield made_from(
        WIDE_DOWN, WIDE_UP, [*straight, fine([column("wide0", f"c{i}") for i in range(WIDE)], column("wide1", "all"))]
    )
    yield made_from(BOARD, WIDE_DOWN, [])


@pytest.fixture(scope="module")
async def url(driver: AsyncDriver, database: str, service: IngestService, neo4j_server: Any) -> AsyncIterator[str]:
    await empty(driver, database)
    proposals = list(metadata())
    for begin in range(0, len(proposals), 1_000):
        answers = await service.ingest(proposals[begin : begin + 1_000])
        assert all(isinstance(answer, Applied) for answer in answers)
    await driver.execute_query("CALL db.clearQueryCaches()")  # plans made for the nearly empty graphs of other tests
    settings = Settings(neo4j=neo4j_settings(neo4j_server), graphql=GraphqlSettings())
    with served(settings) as running:
        yield running


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        yield client


async def ask(http: httpx.AsyncClient, query: str, **variables: Any) -> dict[str, Any]:
    body = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
    assert "errors" not in body, body["errors"]
    found: dict[str, Any] = next(iter(body["data"].values()))
    return found


def urns(found: dict[str, Any], name: str = "nodes") -> list[str]:
    return [node["entity"]["urn"] for node in found[name]]


async def test_a_fan_out_of_ten_thousand(http: httpx.AsyncClient) -> None:
    """At once, in pages, as a table, and as a search: every leaf once, with its edge."""
    whole = await ask(http, LINEAGE, urn=HUB, direction="DOWNSTREAM", hops=3)
    pages: list[dict[str, Any]] = []
    cursor = None
    while cursor or not pages:
        pages.append(await ask(http, LINEAGE, urn=HUB, direction="DOWNSTREAM", hops=3, nodes=3_000, cursor=cursor))
        cursor = pages[-1]["cursor"]
    impact = await ask(http, IMPACT, urn=HUB, direction="DOWNSTREAM", hops=3)
    sheet = await http.get(f"/lineage/{HUB}", params={"format": "csv"})

    assert urns(whole) == LEAVES
    assert (whole["partialReason"], whole["countsByHop"]) == (None, [{"hops": 1, "count": FAN}])
    assert [edge["downstream"] for edge in whole["edges"]] == LEAVES
    assert [urn for page in pages for urn in urns(page)] == LEAVES
    assert [len(page["edges"]) for page in pages] == [3_000, 3_000, 3_000, 1_000]
    assert urns(impact, "entities") == LEAVES
    assert len(sheet.text.splitlines()) == FAN + 1


async def test_leaves_of_the_same_hub_are_two_hops_apart(http: httpx.AsyncClient) -> None:
    """Up to the hub and no farther: what else hangs on it is not walked."""
    up = await ask(http, LINEAGE, urn=LEAVES[7], direction="UPSTREAM", hops=20)
    path = await ask(http, PATHS, **{"from": HUB, "to": LEAVES[-1]})

    assert urns(up) == [HUB]
    assert [[entity["urn"] for entity in way["entities"]] for way in path["paths"]] == [[HUB, LEAVES[-1]]]


async def test_five_thousand_column_lineages_on_one_pair(http: httpx.AsyncClient) -> None:
    """From a column to all fifty, or back to all hundred; between the tables it is one edge."""
    up = await ask(http, LINEAGE, urn=column("down", 3), direction="UPSTREAM", hops=5)
    down = await ask(http, LINEAGE, urn=column("up", 3), direction="DOWNSTREAM", hops=5)
    mixed = await ask(http, IMPACT, urn=column("up", 3), direction="DOWNSTREAM", hops=5, mixed=True)
    tables = await ask(http, LINEAGE, urn=UP, direction="DOWNSTREAM", hops=5)

    assert sorted(urns(up)) == sorted(column("up", i) for i in range(50))
    assert sorted(urns(down)) == sorted(column("down", i) for i in range(100))
    assert sorted(urns(mixed, "entities")) == sorted(column("down", i) for i in range(100))
    assert (urns(tables), len(tables["edges"])) == ([DOWN], 1)


async def test_schemas_of_three_thousand_columns(http: httpx.AsyncClient) -> None:
    """One column to one, one from all; mixed, what hangs on the table alone hangs on each of its columns."""
    one = await ask(http, LINEAGE, urn=column("wide0", "c7"), direction="DOWNSTREAM", hops=5)
    every = await ask(http, LINEAGE, urn=column("wide1", "all"), direction="UPSTREAM", hops=5)
    mixed = await ask(http, IMPACT, urn=column("wide0", "c7"), direction="DOWNSTREAM", hops=5, mixed=True)
    path = await ask(http, PATHS, **{"from": column("wide0", "c7"), "to": BOARD})
    back = await ask(http, PATHS, **{"from": column("wide1", "all"), "to": WIDE_UP})

    assert urns(one) == [column("wide1", "all"), column("wide1", "c7")]
    assert sorted(urns(every)) == sorted(column("wide0", f"c{i}") for i in range(WIDE))
    assert urns(mixed, "entities") == [column("wide1", "all"), column("wide1", "c7"), BOARD]
    assert [[entity["urn"] for entity in way["entities"]] for way in path["paths"]] == [
        [column("wide0", "c7"), middle, BOARD] for middle in (column("wide1", "all"), column("wide1", "c7"))
    ]
    assert (len(back["paths"]), back["partial"]) == (1_000, True)
