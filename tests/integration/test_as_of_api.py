"""The past over GraphQL, REST and the command line: three moments of a small shop."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from neo4j import AsyncDriver
from typer.testing import CliRunner

from graphsvc.cli import app as commands
from graphsvc.config import GraphqlSettings, Settings
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.conftest import empty
from tests.integration.served import neo4j_settings, served

Ask = Callable[..., Awaitable[dict[str, Any]]]


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,shop.{name},PROD)"


def column(name: str, path: str) -> str:
    return f"urn:li:schemaField:({table(name)},{path})"


SALES, RAW, CLEAN, MART = (table(name) for name in ("sales", "raw", "clean", "mart"))
TAG, ADA, BOB = "urn:li:tag:pii", "urn:li:corpuser:ada", "urn:li:corpuser:bob"
NODES = "nodes { distance removed entity { urn name exists } } edges { upstream downstream type via createdOn }"


def lineage_of(*upstreams: dict[str, Any], columns: tuple[str, str] | None = None) -> dict[str, Any]:
    fine = [{"upstreams": [columns[0]], "downstreams": [columns[1]]}] if columns else []
    return {"upstreams": list(upstreams), "fineGrainedLineages": fine}


def owned(owner: str) -> Proposal:
    return proposal_of(SALES, "ownership", {"owners": [{"owner": owner, "type": "DATAOWNER"}]})


STEPS = [
    [
        proposal_of(SALES, "datasetProperties", {"name": "Sales, first"}),
        proposal_of(SALES, "globalTags", {"tags": [{"tag": TAG}]}),
        owned(ADA),
        proposal_of(TAG, "tagProperties", {"name": "Private"}),
        proposal_of(
            SALES,
            "upstreamLineage",
            lineage_of(
                {"dataset": RAW, "created": {"time": 5, "actor": ADA}},
                columns=(column("raw", "x"), column("sales", "y")),
            ),
        ),
        proposal_of(MART, "upstreamLineage", lineage_of({"dataset": SALES})),
    ],
    [
        proposal_of(SALES, "datasetProperties", {"name": "Sales, second"}),
        Proposal(entity_urn=SALES, aspect_name="globalTags", change_type="DELETE"),
        owned(BOB),
        proposal_of(TAG, "tagProperties", {"name": "Secret"}),
        proposal_of(
            SALES,
            "upstreamLineage",
            lineage_of({"dataset": RAW, "created": {"time": 7, "actor": ADA}}, {"dataset": CLEAN}),
        ),
        proposal_of(MART, "status", {"removed": True}),
    ],
    [
        proposal_of(SALES, "upstreamLineage", lineage_of({"dataset": CLEAN})),
        Proposal(entity_urn=MART, aspect_name="datasetKey", change_type="DELETE"),
    ],
]


@dataclass(frozen=True)
class Shop:
    """A running service, and a moment before everything and after each step, in milliseconds."""

    url: str
    moments: list[int]

    @property
    def ask(self) -> Ask:
        async def run(query: str, **variables: Any) -> dict[str, Any]:
            async with httpx.AsyncClient(base_url=self.url, timeout=60) as web:
                answer = await web.post("/graphql", json={"query": query, "variables": variables})
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        return run


@pytest.fixture(scope="module")
async def shop(driver: AsyncDriver, database: str, service: IngestService, neo4j_server: Any) -> AsyncIterator[Shop]:
    await empty(driver, database)
    moments = [time.time_ns() // 1_000_000 - 1]
    for step in STEPS:
        answers = await service.ingest(step)
        assert all(isinstance(answer, Applied) for answer in answers), answers
        moments.append(time.time_ns() // 1_000_000 + 2)
        await asyncio.sleep(0.006)
    settings = Settings(neo4j=neo4j_settings(neo4j_server), graphql=GraphqlSettings())
    with served(settings) as url:
        yield Shop(url, moments)


async def test_an_entity_and_all_that_is_selected_on_it_is_as_of_the_time(shop: Shop) -> None:
    """Several times in one request, each with aspects typed and raw, relationships, and what these lead to."""
    query = """
    query ($urn: String!, $a: Long, $b: Long, $c: Long) {
      none: dataset(urn: $urn, asOf: $a) { urn }
      first: dataset(urn: $urn, asOf: $b) { ...All }
      second: dataset(urn: $urn, asOf: $c) { ...All }
      now: dataset(urn: $urn) { ...All }
    }
    fragment All on Dataset {
      name exists properties { name } aspect(name: "datasetProperties") { version }
      tags { tags { tag { properties { name } } } } ownership { owners { owner { urn } } }
      relationships(input: {direction: OUTGOING, types: ["TaggedWith", "OwnedBy"]}) {
        total relationships { entity { name } }
      }
      lineage(input: {direction: UPSTREAM}) { total relationships { createdOn entity { urn } } }
    }
    """

    data = (await shop.ask(query, urn=SALES, a=shop.moments[0], b=shop.moments[1], c=shop.moments[2]))["data"]

    def answer(number: int, name: str, tag: str | None, owner: str, upstreams: int) -> dict[str, Any]:
        tags = {"tags": [{"tag": {"properties": {"name": tag}}}]} if tag else None
        names = [*([owner.rpartition(":")[2]]), *([tag] if tag else [])]
        return {
            "name": name,
            "exists": True,
            "properties": {"name": name},
            "aspect": {"version": number},
            "tags": tags,
            "ownership": {"owners": [{"owner": {"urn": owner}}]},
            "relationships": {"total": len(names), "relationships": [{"entity": {"name": n}} for n in names]},
            "lineage": {"total": upstreams},
        }

    upstreams = {key: data[key]["lineage"].pop("relationships") for key in ("first", "second", "now")}
    assert data["none"] is None
    assert data["first"] == answer(1, "Sales, first", "Private", ADA, 1)
    assert data["second"] == answer(2, "Sales, second", None, BOB, 2)
    assert data["now"] == answer(2, "Sales, second", None, BOB, 1)
    assert [(r["entity"]["urn"], r["createdOn"]) for r in upstreams["first"]] == [(RAW, 5)]
    assert {r["entity"]["urn"]: r["createdOn"] for r in upstreams["second"]}[RAW] == 7
    assert [r["entity"]["urn"] for r in upstreams["now"]] == [CLEAN]


async def test_relationships_far_behind_the_last(shop: Shop) -> None:
    query = f"""query ($urn: String!, $a: Long) {{ dataset(urn: $urn, asOf: $a) {{
      relationships(input: {{direction: OUTGOING, types: ["OwnedBy"], start: {2**31 - 1}, count: 10}}) {{
        total relationships {{ entity {{ urn }} }} }} }} }}"""
    found = (await shop.ask(query, urn=SALES, a=shop.moments[1]))["data"]["dataset"]

    assert found == {"relationships": {"total": 1, "relationships": []}}


async def test_what_nobody_had_described_does_not_exist_and_what_nothing_touched_is_null(shop: Shop) -> None:
    """As now: a node that others point to is there, and says that nobody described it."""
    query = "query ($urns: [String!]!, $at: Long) { entities(urns: $urns, asOf: $at) { urn exists } }"

    first = (await shop.ask(query, urns=[SALES, RAW, CLEAN, MART], at=shop.moments[1]))["data"]["entities"]
    last = (await shop.ask(query, urns=[SALES, RAW, CLEAN, MART], at=shop.moments[3]))["data"]["entities"]

    # The mart was deleted for good, and its past with it.
    assert first == [{"urn": SALES, "exists": True}, {"urn": RAW, "exists": False}, None, None]
    assert last == [{"urn": SALES, "exists": True}, None, {"urn": CLEAN, "exists": False}, None]


async def test_operations_of_one_batch_do_not_share_their_times(shop: Shop) -> None:
    """They share the request, and here even the document and the name of the field."""
    query = "query ($urn: String!, $at: Long) { entity(urn: $urn, asOf: $at) { name } }"
    times = [*shop.moments[1:3], None] * 2
    body = [{"query": query, "variables": {"urn": SALES, "at": at}} for at in times]

    async with httpx.AsyncClient(base_url=shop.url, timeout=60) as web:
        answers = (await web.post("/graphql", json=body)).json()

    names = [answer["data"]["entity"]["name"] for answer in answers]
    assert names == ["Sales, first", "Sales, second", "Sales, second"] * 2


async def test_lineage_is_walked_as_of_the_time(shop: Shop) -> None:
    """Edges gone since too, between tables and between columns; pages go on in the same time, and in no other."""
    query = f"""query ($urn: String!, $at: Long, $cursor: String, $max: Int) {{
      lineage(urn: $urn, direction: UPSTREAM, asOf: $at, maxNodes: $max, cursor: $cursor) {{ cursor {NODES} }}
    }}"""

    async def walked(**variables: Any) -> Any:
        answer = await shop.ask(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]["lineage"]

    first = await walked(urn=SALES, at=shop.moments[1])
    of_column = await walked(urn=column("sales", "y"), at=shop.moments[1])
    page = await walked(urn=SALES, at=shop.moments[2], max=1)
    rest = await walked(urn=SALES, at=shop.moments[2], max=1, cursor=page["cursor"])
    refused = await shop.ask(query, urn=SALES, at=shop.moments[1], max=1, cursor=page["cursor"])

    assert first["nodes"] == [
        {"distance": 1, "removed": False, "entity": {"urn": RAW, "name": "shop.raw", "exists": False}}
    ]
    assert [(edge["upstream"], edge["type"], edge["createdOn"]) for edge in first["edges"]] == [
        (RAW, "DownstreamOf", 5)
    ]
    assert [node["entity"]["urn"] for node in of_column["nodes"]] == [column("raw", "x")]
    assert [node["entity"]["urn"] for node in page["nodes"] + rest["nodes"]] == [CLEAN, RAW]
    assert refused["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_impact_and_paths_are_as_of_the_time(shop: Shop) -> None:
    """Owners are those of then, filters look at what was then."""
    impact = """query ($urn: String!, $at: Long, $filters: [AndFilterInput!]) {
      impactAnalysis(urn: $urn, asOf: $at, orFilters: $filters) { entities { entity { urn } name owners { urn } } }
    }"""
    paths = """query ($from: String!, $to: String!, $at: Long) {
      pathsBetween(from: $from, to: $to, asOf: $at) { paths { length direction } }
    }"""
    bobs = [{"and": [{"field": "owners", "values": [BOB]}]}]

    async def found(number: int, filters: Any = None) -> list[tuple[str, str, list[str]]]:
        answer = (await shop.ask(impact, urn=RAW, at=shop.moments[number], filters=filters))["data"]["impactAnalysis"]
        return [(row["entity"]["urn"], row["name"], [o["urn"] for o in row["owners"]]) for row in answer["entities"]]

    assert await found(1) == [(SALES, "Sales, first", [ADA])]
    assert await found(2) == [(SALES, "Sales, second", [BOB])]
    assert await found(1, bobs) == []
    assert await found(2, bobs) == [(SALES, "Sales, second", [BOB])]
    lengths = []
    for at in shop.moments:
        answer = (await shop.ask(paths, **{"from": RAW, "to": SALES, "at": at}))["data"]["pathsBetween"]["paths"]
        lengths.append([(path["length"], path["direction"]) for path in answer])
    assert lengths == [[], [(1, "DOWNSTREAM")], [(1, "DOWNSTREAM")], []]


async def test_the_difference_between_two_times_is_said(shop: Shop) -> None:
    """What came, what went, and what changed what it says."""
    query = """query ($urn: String!, $from: Long!, $to: Long!) { lineageDiff(urn: $urn, from: $from, to: $to) {
      partial start { name }
      addedNodes { distance direction entity { urn } } removedNodes { entity { urn } }
      changedNodes { before { removed } after { removed } }
      addedEdges { upstream } removedEdges { upstream }
      changedEdges { before { upstream createdOn } after { upstream createdOn } }
    } }"""

    async def between(start: int, end: int) -> Any:
        variables = {"urn": SALES, "from": shop.moments[start], "to": shop.moments[end]}
        return (await shop.ask(query, **variables))["data"]["lineageDiff"]

    nothing: dict[str, Any] = {
        "addedNodes": [],
        "removedNodes": [],
        "changedNodes": [],
        "addedEdges": [],
        "removedEdges": [],
        "changedEdges": [],
    }
    added = {"distance": 1, "direction": "UPSTREAM"}
    common = {"partial": False, "start": {"name": "Sales, second"}}
    assert await between(1, 2) == nothing | common | {
        "addedNodes": [{**added, "entity": {"urn": CLEAN}}],
        "addedEdges": [{"upstream": CLEAN}],
        "changedEdges": [{"before": {"upstream": RAW, "createdOn": 5}, "after": {"upstream": RAW, "createdOn": 7}}],
    }
    assert await between(2, 3) == nothing | common | {
        "removedNodes": [{"entity": {"urn": RAW}}],
        "removedEdges": [{"upstream": RAW}],
    }
    assert await between(2, 2) == nothing | common
    assert [node["entity"]["urn"] for node in (await between(0, 1))["addedNodes"]] == [RAW]


@pytest.mark.parametrize(
    "query",
    [
        'entity(urn: "urn:li:tag:a", asOf: -1) { urn }',
        'entity(urn: "urn:li:tag:a", asOf: 9223372036854775808) { urn }',
        'lineageDiff(urn: "urn:li:tag:a", from: 2, to: 1) { partial }',
        'lineageDiff(urn: "urn:li:tag:a", from: -2, to: 1) { partial }',
    ],
)
async def test_times_that_are_none_are_refused(shop: Shop, query: str) -> None:
    """With the code of a bad request, before anything is read."""
    answer = await shop.ask(f"{{ {query} }}")

    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"


def test_rest_answers_as_of_a_time(shop: Shop) -> None:
    """An entity and its lineage; 404 before it was there, 400 for what is no time."""
    with httpx.Client(base_url=shop.url, timeout=60) as web:

        def get(path: str, at: int, **more: Any) -> Any:
            return web.get(f"{path}/{SALES}", params={"asOf": at, **more})

        first, now = get("/entities", shop.moments[1]).json(), web.get(f"/entities/{SALES}").json()
        upstream = get("/lineage", shop.moments[1], direction="upstream").json()

        assert (first["name"], first["names"][TAG]) == ("Sales, first", "Private")
        assert (now["name"], now["aspects"].get("globalTags")) == ("Sales, second", None)
        assert [node["urn"] for node in upstream["nodes"]] == [RAW]
        assert [get(path, shop.moments[0]).status_code for path in ("/entities", "/lineage")] == [404, 404]
        assert [get(path, -1).status_code for path in ("/entities", "/lineage")] == [400, 400]


def test_the_command_line_takes_milliseconds_and_written_times(shop: Shop) -> None:
    """`graphsvc get` and `graphsvc lineage`, with --as-of."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(commands, [*arguments, "--url", shop.url])
        assert result.exit_code == 0, result.output
        return result.output

    written = datetime.fromtimestamp(shop.moments[1] / 1_000, UTC).isoformat(timespec="milliseconds")

    assert "Sales, first" in run("get", SALES, "--as-of", str(shop.moments[1]), "--json")
    assert "Sales, first" in run("get", SALES, "--as-of", written, "--json")
    assert "shop.raw" in run("lineage", SALES, "--upstream", "--as-of", written)
    assert "shop.raw" not in run("lineage", SALES, "--upstream")
    assert CliRunner().invoke(commands, ["get", SALES, "--as-of", "then"]).exit_code == 2
