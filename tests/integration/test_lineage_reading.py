"""Lineage as analysts read it, over HTTP and the example metadata: GraphQL, REST and the command line."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import httpx
import orjson
import pytest
from neo4j import AsyncDriver
from typer.testing import CliRunner

from graphsvc.cli import app as commands
from graphsvc.config import GraphqlSettings, Settings
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import IngestService
from tests.integration.served import neo4j_settings, served

Ask = Callable[..., Awaitable[dict[str, Any]]]

MART = "urn:li:dataset:(urn:li:dataPlatform:dbt,retail.marts.mart_daily_revenue,PROD)"
SEARCH = """
query ($input: SearchAcrossLineageInput!) { searchAcrossLineage(input: $input) {
  start count total isPartial partialReason truncatedAtMaxHops
  searchResults { degree degrees explored truncatedChildren ignoredAsHop entity { urn type name }
    paths { path { urn } } matchedFields { name } insights { text } }
  facets { field displayName aggregations { value count entity { urn } } }
} }
"""
SCROLL = """
query ($input: ScrollAcrossLineageInput!) { scrollAcrossLineage(input: $input) {
  nextScrollId count total searchResults { degree entity { urn } }
} }
"""


class Example:
    """Every lineage edge of the example, and the properties of its entities, read from Neo4j by hand."""

    def __init__(self, pairs: list[list[str]], rows: list[dict[str, Any]]) -> None:
        self.pairs = {(up, down) for down, up in pairs}
        self.properties = {row["urn"]: row for row in rows}

    def reached(self, start: str, direction: str, hops: int = 20) -> dict[str, int]:
        onward: defaultdict[str, set[str]] = defaultdict(set)
        for up, down in self.pairs:
            near, far = (down, up) if direction == "UPSTREAM" else (up, down)
            onward[near].add(far)
        found = {start: 0}
        edge = {start}
        for distance in range(1, hops + 1):
            edge = {far for near in edge for far in onward[near]} - found.keys()
            found |= dict.fromkeys(edge, distance)
        del found[start]
        return found

    def starts(self) -> list[str]:
        """Where there is much to find, in either direction."""
        ends = Counter(urn for pair in self.pairs for urn in pair if "schemaField" not in urn)
        return [urn for urn, _ in ends.most_common(4)]


@pytest.fixture(scope="module")
async def url(retail: int, neo4j_server: Any) -> AsyncIterator[str]:
    assert retail
    settings = Settings(neo4j=neo4j_settings(neo4j_server), graphql=GraphqlSettings(max_page=200))
    with served(settings) as running:
        yield running


@pytest.fixture(scope="module")
async def example(retail: int, driver: AsyncDriver, database: str) -> Example:
    assert retail
    pairs = await driver.execute_query(
        "MATCH (a:Entity)-[{lineage: true}]->(b:Entity) RETURN collect([a.urn, b.urn]) AS x", database_=database
    )
    rows = await driver.execute_query("MATCH (n:Entity) RETURN collect(properties(n)) AS x", database_=database)
    return Example(pairs.records[0]["x"], rows.records[0]["x"])


@pytest.fixture
async def ask(url: str) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def run(query: str, **variables: Any) -> dict[str, Any]:
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
            body: dict[str, Any] = answer.json()
            return body

        yield run


def degrees_of(answer: dict[str, Any]) -> dict[str, int]:
    return {result["entity"]["urn"]: result["degree"] for result in answer["searchResults"]}


@pytest.mark.parametrize("direction", ["UPSTREAM", "DOWNSTREAM"])
async def test_search_across_lineage_is_the_walk_by_hand(ask: Ask, example: Example, direction: str) -> None:
    """Every entity at its degree, the nearest first, with facets that count them; each path is one of the graph."""
    for start in example.starts():
        expected = example.reached(start, direction)

        body = await ask(SEARCH, input={"urn": start, "direction": direction, "count": 200, "types": None})

        found = body["data"]["searchAcrossLineage"]
        assert degrees_of(found) == expected
        assert [*degrees_of(found)] == sorted(expected, key=lambda urn: (expected[urn], urn))
        assert (found["total"], found["count"], found["isPartial"]) == (len(expected), len(expected), False)
        facets = {f["field"]: {a["value"]: a["count"] for a in f["aggregations"]} for f in found["facets"]}
        assert facets["degree"] == {
            "1": sum(d == 1 for d in expected.values()),
            "2": sum(d == 2 for d in expected.values()),
            "3+": sum(d > 2 for d in expected.values()),
        }
        for name in ("owners", "tags", "domains"):
            by_hand = Counter(v for urn in expected for v in example.properties[urn].get(name) or ())
            assert facets[name].items() <= by_hand.items()
            assert len(facets[name]) == min(20, len(by_hand))
        for result in found["searchResults"]:
            assert result["paths"]
            for way in result["paths"]:
                urns = [node["urn"] for node in way["path"] if ":query:" not in node["urn"]]
                steps = set(pairwise(urns))
                assert {(b, a) if direction == "UPSTREAM" else (a, b) for a, b in steps} <= example.pairs
                assert (urns[0], urns[-1], len(urns)) == (start, result["entity"]["urn"], result["degree"] + 1)


@pytest.mark.parametrize(
    "group",
    [
        [{"field": "degree", "values": ["1"]}],
        [{"field": "degree", "values": ["3+"], "condition": "EQUAL"}],
        [{"field": "platform.keyword", "values": ["urn:li:dataPlatform:dbt"]}],
        [{"field": "_entityType", "values": ["DATASET"], "negated": True}],
        [{"field": "owners", "condition": "EXISTS"}, {"field": "degree", "values": ["1", "2"]}],
        [{"field": "tags", "condition": "EXISTS", "negated": True}],
        [{"field": "name", "condition": "CONTAIN", "values": ["ORDER"]}],
    ],
)
async def test_filters_by_hand(ask: Ask, example: Example, group: list[dict[str, Any]]) -> None:
    """Each as a comprehension over the same entities says it."""
    start = example.starts()[0]
    expected = example.reached(start, "DOWNSTREAM")

    def holds(urn: str) -> bool:
        row, degree = example.properties[urn], expected[urn]
        kind = urn.split(":")[2]
        for item in group:
            name, values = item["field"].removesuffix(".keyword"), item.get("values", [])
            ok = {
                "degree": str(degree) in values or ("3+" in values and degree > 2),
                "platform": any(f"({value}," in urn for value in values),
                "_entityType": kind.upper() in values,
                "owners": bool(row.get("owners")),
                "tags": bool(row.get("tags")),
                "name": any(value.lower() in row["name"].lower() for value in values),
            }[name]
            if ok == bool(item.get("negated")):
                return False
        return True

    body = await ask(
        SEARCH, input={"urn": start, "direction": "DOWNSTREAM", "count": 200, "orFilters": [{"and": group}]}
    )

    assert set(degrees_of(body["data"]["searchAcrossLineage"])) == {urn for urn in expected if holds(urn)}


async def test_scrolling_sees_everything_once(ask: Ask, example: Example) -> None:
    """In pages of three, in the same order as at once; a scroll id of somebody else's is refused."""
    start = example.starts()[0]
    asked: dict[str, Any] = {"urn": start, "direction": "DOWNSTREAM", "count": 3}
    seen: list[str] = []
    scroll_id = None
    while scroll_id or not seen:
        body = await ask(SCROLL, input={**asked, "scrollId": scroll_id})
        page = body["data"]["scrollAcrossLineage"]
        seen += degrees_of(page)
        scroll_id = page["nextScrollId"]
    bad = [await ask(SCROLL, input={**asked, "scrollId": text}) for text in ("x", "WzEsMV0=", "é", "bnVsbA==")]

    expected = example.reached(start, "DOWNSTREAM")
    assert seen == sorted(expected, key=lambda urn: (expected[urn], urn))
    assert [body["errors"][0]["extensions"]["code"] for body in bad] == ["BAD_INPUT"] * 4


async def test_pages_sorting_words_and_flags(ask: Ask, example: Example) -> None:
    """By offset, by name, by a word of the name; without facets where they are not wanted."""
    start = example.starts()[0]
    common = {"urn": start, "direction": "DOWNSTREAM"}
    by_name = {"sortCriteria": [{"field": "name", "sortOrder": "DESCENDING"}]}
    expected = example.reached(start, "DOWNSTREAM")

    page = await ask(SEARCH, input={**common, "start": 1, "count": 2, "searchFlags": {"skipAggregates": True}})
    named = await ask(SEARCH, input={**common, "count": 200, "sortInput": by_name})
    part = example.properties[min(expected)]["name"][:4].upper()
    word = await ask(SEARCH, input={**common, "count": 200, "query": part})
    nowhere = await ask(SEARCH, input={**common, "urn": "urn:li:tag:nowhere"})
    missing = await ask(SEARCH, input={"direction": "UPSTREAM"})
    huge = await ask(SEARCH, input={**common, "count": 201})

    found = page["data"]["searchAcrossLineage"]
    assert ([*degrees_of(found)], found["facets"]) == (sorted(expected, key=lambda u: (expected[u], u))[1:3], [])
    names = [r["entity"]["name"] for r in named["data"]["searchAcrossLineage"]["searchResults"]]
    assert names == sorted(names, key=str.casefold, reverse=True)
    found_words = degrees_of(word["data"]["searchAcrossLineage"])
    assert (
        0
        < len(found_words)
        == sum(part.casefold() in f"{urn} {example.properties[urn]['name']}".casefold() for urn in expected)
    )
    assert nowhere["data"]["searchAcrossLineage"]["total"] == 0
    assert missing["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    assert huge["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_columns_stand_under_their_tables_unless_asked(ask: Ask, example: Example) -> None:
    """As in DataHub: grouped by default, themselves with the grouping that its client sends, as one object."""
    columns = Counter(down for _, down in example.pairs if "schemaField" in down)
    start = columns.most_common(1)[0][0]
    grouping = {
        "groupingSpec": {"groupingCriteria": {"baseEntityType": "SCHEMA_FIELD", "groupingEntityType": "SCHEMA_FIELD"}}
    }
    expected = example.reached(start, "UPSTREAM")

    alone = await ask(SEARCH, input={"urn": start, "direction": "UPSTREAM", "count": 200, "searchFlags": grouping})
    grouped = await ask(SEARCH, input={"urn": start, "direction": "UPSTREAM", "count": 200})

    assert degrees_of(alone["data"]["searchAcrossLineage"]) == expected
    tables: dict[str, int] = {}
    for urn, degree in expected.items():
        table = urn.removeprefix("urn:li:schemaField:(").rpartition(",")[0]
        tables[table] = min(degree, tables.get(table, degree))
    assert degrees_of(grouped["data"]["searchAcrossLineage"]) == tables


async def test_jobs_that_are_no_hops(ask: Ask, example: Example) -> None:
    """`ignoreAsHops` brings what lies behind them nearer, and says which ones they are."""
    jobs = {urn for pair in example.pairs for urn in pair if ":dataJob:" in urn}
    start = next(up for up, down in sorted(example.pairs) if down in jobs and ":dataset:" in up)
    flags = {"ignoreAsHops": [{"entityType": "DATA_JOB", "platforms": []}]}

    body = await ask(SEARCH, input={"urn": start, "direction": "DOWNSTREAM", "count": 200, "lineageFlags": flags})
    plain = example.reached(start, "DOWNSTREAM")

    results = body["data"]["searchAcrossLineage"]["searchResults"]
    assert {r["entity"]["urn"] for r in results} == plain.keys()
    assert {r["entity"]["urn"] for r in results if r["ignoredAsHop"]} == jobs & plain.keys()
    assert all(r["degree"] <= plain[r["entity"]["urn"]] for r in results)
    assert sum(r["degree"] for r in results) < sum(plain.values())


async def test_impact_says_whose_it_is(ask: Ask, example: Example) -> None:
    """Owners counted over what is found; the table of REST says the same."""
    start = example.starts()[0]
    expected = example.reached(start, "DOWNSTREAM", 3)
    body = await ask(
        """query ($urn: String!) { impactAnalysis(urn: $urn, maxHops: 3) {
          total partial partialReason truncatedAtMaxHops start { urn } hops { hops count direction }
          owners { owner { urn name } count }
          entities { distance name typeName platformName removed entity { urn } owners { urn name } }
          edges { upstream downstream type via through } } }""",
        urn=start,
    )

    found = body["data"]["impactAnalysis"]
    assert {e["entity"]["urn"]: e["distance"] for e in found["entities"]} == expected
    assert [(h["hops"], h["count"]) for h in found["hops"]] == sorted(Counter(expected.values()).items())
    owners = Counter(o for urn in expected for o in example.properties[urn].get("owners") or [None])
    assert {o["owner"] and o["owner"]["urn"]: o["count"] for o in found["owners"]} == dict(owners)
    nodes = {start, *expected}
    assert {(e["upstream"], e["downstream"]) for e in found["edges"]} == {
        (a, b) for a, b in example.pairs if a in nodes and b in nodes
    }


async def test_impact_with_filters(ask: Ask, example: Example) -> None:
    """Those on the answer choose what is shown, those on the walk what is entered; no direction stands for both."""
    start = example.starts()[0]
    text = """query ($urn: String!, $show: [AndFilterInput!], $enter: [AndFilterInput!], $way: LineageDirection) {
      impactAnalysis(urn: $urn, maxHops: 20, orFilters: $show, walkFilters: $enter, direction: $way) {
        entities { direction distance entity { urn } } edges { upstream downstream through } } }"""
    tables = [{"and": [{"field": "_entityType", "values": ["DATASET"]}]}]
    inner = Example([], [])
    inner.pairs = {(a, b) for a, b in example.pairs if {a.split(":")[2], b.split(":")[2]} == {"dataset"}}
    columns = {urn for pair in example.pairs for urn in pair if ":schemaField:" in urn}

    def found(body: dict[str, Any]) -> dict[str, int]:
        return {e["entity"]["urn"]: e["distance"] for e in body["data"]["impactAnalysis"]["entities"]}

    shown = await ask(text, urn=start, show=tables, way="DOWNSTREAM")
    entered = await ask(text, urn=start, enter=tables, way="DOWNSTREAM")
    both = await ask(text, urn=start, way=None)
    wrong = await ask(
        text, urn=start, show=[{"and": [{"field": "tags", "condition": "ANCESTORS_INCL", "values": ["x"]}]}]
    )

    whole = example.reached(start, "DOWNSTREAM")
    assert not columns & whole.keys()
    assert found(shown) == {urn: d for urn, d in whole.items() if ":dataset:" in urn}
    assert found(entered) == inner.reached(start, "DOWNSTREAM")
    assert len(both["data"]["impactAnalysis"]["entities"]) == len(whole) + len(example.reached(start, "UPSTREAM"))
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    for edge in shown["data"]["impactAnalysis"]["edges"]:
        assert set(pairwise((edge["upstream"], *edge["through"], edge["downstream"]))) <= example.pairs


async def test_paths_between(ask: Ask, example: Example) -> None:
    """Both ways; the query or job on each edge; limits refused with their code."""
    text = """query ($a: String!, $b: String!, $k: Int) { pathsBetween(from: $a, to: $b, k: $k) { partial
      paths { direction length entities { urn } steps { source { urn } target { urn } edges { type via } } } } }"""
    start = example.starts()[0]
    reached = example.reached(start, "DOWNSTREAM")
    end = max(reached, key=lambda urn: (reached[urn], urn))

    down = await ask(text, a=start, b=end)
    up = await ask(text, a=end, b=start, k=3)
    bad = [await ask(text, a=start, b=end, k=k) for k in (0, 1_001)]

    paths = down["data"]["pathsBetween"]["paths"]
    assert paths
    for path in paths:
        urns = [entity["urn"] for entity in path["entities"]]
        assert (path["direction"], path["length"], len(urns)) == ("DOWNSTREAM", reached[end], reached[end] + 1)
        assert set(pairwise(urns)) <= example.pairs
        assert all(step["edges"] for step in path["steps"])
    assert {path["direction"] for path in up["data"]["pathsBetween"]["paths"]} == {"UPSTREAM"}
    assert up["data"]["pathsBetween"]["paths"][0]["length"] == reached[end]
    assert [body["errors"][0]["extensions"]["code"] for body in bad] == ["BAD_INPUT", "LIMIT_EXCEEDED"]


async def test_rest_in_every_form(url: str, example: Example) -> None:
    """JSON, CSV with owners, and three drawings; both directions at once."""
    async with httpx.AsyncClient(base_url=url) as client:
        plain = await client.get(f"/lineage/{MART}", params={"direction": "both", "hops": 2})
        table = await client.get(f"/lineage/{MART}", params={"direction": "upstream", "hops": 2, "format": "csv"})
        others = {
            form: await client.get(f"/lineage/{MART}", params={"direction": "upstream", "format": form})
            for form in ("dot", "mermaid", "svg")
        }
        refused = [
            await client.get("/lineage/" + path)
            for path in (f"{MART}?hops=0", f"{MART}?hops=21", f"{MART}?format=png", "urn:li:tag:nowhere", "nonsense")
        ]

    up, down = example.reached(MART, "UPSTREAM", 2), example.reached(MART, "DOWNSTREAM", 2)
    nodes = plain.json()["nodes"]
    assert {n["urn"]: n["distance"] for n in nodes if n["direction"] == "upstream"} == up
    assert {n["urn"]: n["distance"] for n in nodes if n["direction"] == "downstream"} == down
    assert (plain.json()["partial"], plain.headers["x-graphsvc-partial"]) == (False, "no")
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert {row["urn"]: int(row["distance"]) for row in rows} == up
    assert any(row["owners"] for row in rows)
    assert list(rows[0])[:7] == ["name", "type", "platform", "distance", "owners", "domain", "tags"]
    assert others["dot"].text.startswith("digraph lineage {")
    assert others["mermaid"].text.startswith("flowchart LR")
    assert others["svg"].text.startswith("<svg ")
    assert others["svg"].headers["content-type"] == "image/svg+xml"
    assert [answer.status_code for answer in refused] == [400, 413, 400, 404, 422]


async def test_rest_entity(url: str, example: Example) -> None:
    """All aspects as they were sent, and the names of what they mention."""
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get(f"/entities/{MART}")
        nowhere = await client.get("/entities/urn:li:tag:nowhere")
        docs = (await client.get("/openapi.json")).json()

    found = answer.json()
    owners = [owner["owner"] for owner in found["aspects"]["ownership"]["owners"]]
    assert (found["urn"], found["type"], found["exists"], found["removed"]) == (MART, "dataset", True, False)
    assert {owner: found["names"][owner] for owner in owners} == {o: example.properties[o]["name"] for o in owners}
    assert nowhere.status_code == 404
    for path in ("/entities/{urn}", "/lineage/{urn}"):
        content = docs["paths"][path]["get"]["responses"]["200"]["content"]
        assert content["application/json"]["example"]


def test_command_line(url: str, example: Example) -> None:
    """A tree with every entity, the other forms as REST gives them, an entity, and an error in one line."""
    run = CliRunner().invoke

    tree = run(commands, ["lineage", MART, "--upstream", "--hops", "5", "--url", url])
    as_json = run(commands, ["lineage", MART, "--upstream", "--format", "json", "--url", url])
    drawn = {
        form: run(commands, ["lineage", MART, "--format", form, "--url", url])
        for form in ("csv", "dot", "mermaid", "svg")
    }
    entity = run(commands, ["get", MART, "--json", "--url", url])
    shown = run(commands, ["get", MART, "--url", url])
    nowhere = run(commands, ["lineage", "urn:li:tag:nowhere", "--url", url])
    searched = run(commands, ["search", "mart_daily_revenue", "--url", url])
    away = run(commands, ["get", MART, "--url", "http://127.0.0.1:9"])

    reached = example.reached(MART, "UPSTREAM", 5)
    assert tree.exit_code == 0, tree.output
    assert all(example.properties[urn]["name"] in tree.output for urn in reached)
    assert {n["urn"] for n in orjson.loads(as_json.stdout)["nodes"]} == example.reached(MART, "UPSTREAM", 3).keys()
    assert [result.exit_code for result in drawn.values()] == [0, 0, 0, 0]
    assert orjson.loads(entity.stdout)["urn"] == MART
    assert "ownership" in shown.output
    assert "mart_daily_revenue" in searched.output
    assert "404" in str(nowhere.exception)
    assert "does not answer" in str(away.exception)


async def test_removed_and_folded(url: str, service: IngestService, ask: Ask) -> None:
    """A soft-deleted table is hidden unless asked for, what hangs on it is not; a job is folded where asked."""

    def table(name: str) -> str:
        return f"urn:li:dataset:(urn:li:dataPlatform:fold,{name},PROD)"

    job = "urn:li:dataJob:(urn:li:dataFlow:(airflow,fold,prod),j)"
    edge = {"dataset": table("a"), "type": "TRANSFORMED"}
    await service.ingest(
        [
            proposal_of(table("gone"), "upstreamLineage", {"upstreams": [edge]}),
            proposal_of(table("gone"), "status", {"removed": True}),
            proposal_of(table("b"), "upstreamLineage", {"upstreams": [{**edge, "dataset": table("gone")}]}),
            proposal_of(job, "dataJobInputOutput", {"inputDatasets": [table("b")], "outputDatasets": [table("c")]}),
        ]
    )

    async with httpx.AsyncClient(base_url=url) as client:
        answers = [
            (await client.get(f"/lineage/{table('a')}", params={"hops": 5, **more})).json()
            for more in ({}, {"removed": True}, {"fold": True})
        ]
    searched = [
        degrees_of(
            (await ask(SEARCH, input={"urn": table("a"), "direction": "DOWNSTREAM", **more}))["data"][
                "searchAcrossLineage"
            ]
        )
        for more in ({}, {"searchFlags": {"includeSoftDeleted": True}})
    ]

    plain, whole, folded = [{n["urn"]: n["distance"] for n in answer["nodes"]} for answer in answers]
    assert plain == {table("b"): 2, job: 3, table("c"): 4}
    assert whole == {table("gone"): 1, **plain}
    assert folded == {table("b"): 2, table("c"): 3}
    assert searched == [plain, whole]
    joins = {(e["upstream"], e["downstream"]): (e["type"], e["through"]) for e in answers[2]["edges"]}
    assert joins == {
        (table("a"), table("b")): ("Folded", [table("gone")]),
        (table("b"), table("c")): ("Folded", [job]),
    }
