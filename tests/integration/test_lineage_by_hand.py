"""Every way to read lineage, with every option, against walks by hand over some hundred entities."""

import csv
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import pytest
from neo4j import AsyncDriver

from graphsvc.config import GraphqlSettings, Settings
from graphsvc.graph.walks import column_of, job
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.conftest import empty
from tests.integration.by_hand import Flow, World, in_order, onward, reached, simple_paths
from tests.integration.served import neo4j_settings, served

Ask = Callable[..., Awaitable[dict[str, Any]]]

WORDS: dict[str | None, tuple[Flow, ...]] = {"UPSTREAM": ("up",), "DOWNSTREAM": ("down",), None: ("up", "down")}
PLATFORMS = ("hive", "dbt", "kafka")
TYPES = ("DownstreamOf", "Consumes", "Produces")
LAST = 1_000  # times of edges are from 1 to here
NAMES = {"up": "UPSTREAM", "down": "DOWNSTREAM"}
ROUNDS = range(10)
LINEAGE = """
query ($urn: String!, $direction: LineageDirection, $hops: Int, $types: [String!], $nodes: Int, $removed: Boolean,
       $cursor: String) {
  lineage(urn: $urn, direction: $direction, maxHops: $hops, types: $types, maxNodes: $nodes, includeRemoved: $removed,
          cursor: $cursor) {
    total partial partialReason truncatedAtMaxHops cursor
    nodes { distance direction removed entity { urn } }
    countsByHop { direction hops count }
    edges { source target upstream downstream type aspect via through }
  }
}
"""
FILTERED = """
query ($urn: String!, $direction: LineageDirection, $hops: Int, $types: [String!], $nodes: Int, $removed: Boolean,
       $fold: Boolean, $mixed: Boolean, $show: [AndFilterInput!], $enter: [AndFilterInput!], $since: Long,
       $until: Long, $cursor: String) {
  lineage(urn: $urn, direction: $direction, maxHops: $hops, types: $types, maxNodes: $nodes, includeRemoved: $removed,
          fold: $fold, mixed: $mixed, orFilters: $show, walkFilters: $enter, startTimeMillis: $since,
          endTimeMillis: $until, cursor: $cursor) {
    total partial partialReason truncatedAtMaxHops cursor
    nodes { distance direction removed entity { urn } }
    countsByHop { direction hops count }
    edges { upstream downstream type aspect via through }
  }
}
"""
IMPACT = """
query ($urn: String!, $direction: LineageDirection, $hops: Int, $types: [String!], $nodes: Int, $removed: Boolean,
       $fold: Boolean, $mixed: Boolean, $show: [AndFilterInput!], $enter: [AndFilterInput!], $cursor: String) {
  impactAnalysis(urn: $urn, direction: $direction, maxHops: $hops, types: $types, maxNodes: $nodes, fold: $fold,
                 includeRemoved: $removed, mixed: $mixed, orFilters: $show, walkFilters: $enter, cursor: $cursor) {
    total partial partialReason truncatedAtMaxHops cursor
    entities { distance direction removed entity { urn } }
    hops { direction hops count }
    owners { owner { urn } count }
    edges { upstream downstream type aspect via through }
  }
}
"""
SEARCH = """
query ($input: SearchAcrossLineageInput!) {
  searchAcrossLineage(input: $input) { total isPartial searchResults { degree ignoredAsHop entity { urn } } }
}
"""
PATHS = """
query ($from: String!, $to: String!, $k: Int, $hops: Int, $direction: LineageDirection, $types: [String!],
       $removed: Boolean) {
  pathsBetween(from: $from, to: $to, k: $k, maxHops: $hops, direction: $direction, types: $types,
               includeRemoved: $removed) {
    partial
    paths { direction length entities { urn }
      steps { source { urn } target { urn } edges { upstream downstream type } } }
  }
}
"""


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{PLATFORMS[number % 3]},t{number:03},PROD)"


def task(number: int) -> str:
    return f"urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,prod),j{number:02})"


def column(entity: str, name: object) -> str:
    return f"urn:li:schemaField:({entity},{name})"


def metadata(seed: int, tables: int = 260, jobs: int = 50) -> list[Proposal]:
    """
    A catalogue: mostly from low to high, with edges back, to themselves and twice, columns that agree with the tables'
    lineage and some that do not, and a fifth of it soft-deleted.
    """
    rnd = random.Random(seed)
    found: list[Proposal] = []

    def near(number: int) -> str:
        return table(rnd.randrange(tables) if rnd.random() < 0.08 else max(0, number - rnd.randint(0, 25)))

    def fine(ups: list[str], downs: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "upstreamType": "FIELD_SET",
                "upstreams": [column(rnd.choice(ups), rnd.choice("abc")) for _ in range(rnd.randint(1, 2))],
                "downstreamType": "FIELD_SET",
                "downstreams": [column(rnd.choice(downs), rnd.choice("abc"))],
                **({"query": f"urn:li:query:q{rnd.randint(1, 9)}"} if rnd.random() < 0.3 else {}),
            }
            for _ in range(rnd.randint(0, 3))
        ]

    for number in range(tables):
        ups = [near(number) for _ in range(rnd.choice([0, 1, 1, 2, 3]))]
        stamp = {"time": rnd.randint(1, LAST), "actor": "urn:li:corpuser:x"}
        upstreams = [{"dataset": up, "type": "TRANSFORMED", "auditStamp": stamp} for up in dict.fromkeys(ups)]
        columns = fine([*ups, near(number)], [table(number)])
        found.append(
            proposal_of(table(number), "upstreamLineage", {"upstreams": upstreams, "fineGrainedLineages": columns})
        )
    for number in range(jobs):
        first = rnd.randrange(tables)
        ins, outs = [near(first) for _ in range(rnd.randint(0, 3))], [near(first + 9) for _ in range(rnd.randint(0, 2))]
        value = {
            "inputDatasets": sorted(set(ins)),
            "outputDatasets": sorted(set(outs)),
            "inputDatajobs": sorted({task(rnd.randrange(jobs)) for _ in range(rnd.randint(0, 2))}),
            "fineGrainedLineages": fine(ins, outs) if ins and outs else [],
        }
        found.append(proposal_of(task(number), "dataJobInputOutput", value))
    for number in range(tables // 10):
        chart = f"urn:li:chart:(looker,c{number})"
        value = {
            "title": "c",
            "description": "d",
            "lastModified": {},
            "inputs": [{"string": near(rnd.randrange(tables))}],
        }
        found.append(proposal_of(chart, "chartInfo", value))
    for urn in [table(n) for n in range(tables)] + [task(n) for n in range(jobs)]:
        if rnd.random() < 0.2:
            found.append(proposal_of(urn, "status", {"removed": True}))
        if rnd.random() < 0.4:
            owners = [{"owner": f"urn:li:corpuser:o{rnd.randint(1, 4)}", "type": "DATAOWNER"}]
            found.append(proposal_of(urn, "ownership", {"owners": owners}))
        if rnd.random() < 0.3:
            found.append(proposal_of(urn, "globalTags", {"tags": [{"tag": f"urn:li:tag:{rnd.choice('xy')}"}]}))
        if rnd.random() < 0.3:
            found.append(proposal_of(urn, "domains", {"domains": [f"urn:li:domain:{rnd.choice('mn')}"]}))
    return found


@pytest.fixture(scope="module", params=[1, 2])
async def world(request: Any, driver: AsyncDriver, database: str, service: IngestService) -> World:
    await empty(driver, database)
    answers = await service.ingest(metadata(request.param))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    found = await World.read(driver, database)
    assert {edge.type for edge in found.edges} >= set(TYPES)
    assert any(edge.upstream == edge.downstream for edge in found.edges)
    return found


@pytest.fixture(scope="module")
async def url(neo4j_server: Any) -> AsyncIterator[str]:
    settings = Settings(neo4j=neo4j_settings(neo4j_server), graphql=GraphqlSettings(max_page=1_000))
    with served(settings) as running:
        yield running


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        yield client


@pytest.fixture
async def ask(http: httpx.AsyncClient) -> Ask:
    async def run(query: str, **variables: Any) -> dict[str, Any]:
        body: dict[str, Any] = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
        assert "errors" not in body, body["errors"]
        found: dict[str, Any] = next(iter(body["data"].values()))
        return found

    return run


async def pages(
    ask: Ask, query: str, reasons: tuple[str, ...] = ("NODE_LIMIT",), **variables: Any
) -> list[dict[str, Any]]:
    """All pages of an answer; each but the last is partial, and says so."""
    found: list[dict[str, Any]] = []
    cursor = None
    while cursor or not found:
        found.append(await ask(query, **variables, cursor=cursor))
        cursor = found[-1]["cursor"]
        assert found[-1]["partialReason"] in (reasons if cursor else (None,))
        assert found[-1]["partial"] == bool(cursor)
    return found


def choices(rnd: random.Random, world: World) -> dict[str, Any]:
    """A start, a direction and bounds; now and then some types, soft-deleted ones, or pages."""
    return {
        "urn": rnd.choice(world.ends),
        "direction": rnd.choice(["UPSTREAM", "DOWNSTREAM", None]),
        "hops": rnd.choice([1, 2, 3, 5, 20]),
        "types": rnd.choice([None, None, rnd.sample(TYPES, 2)]),
        "nodes": rnd.choice([None, 9, 17, 60]),
        "removed": rnd.choice([True, False]),
    }


def followed(asked: Mapping[str, Any]) -> set[str] | None:
    return None if asked["types"] is None else set(asked["types"])


@pytest.mark.parametrize("number", ROUNDS)
async def test_lineage(ask: Ask, world: World, number: int) -> None:
    """Either way or both, page after page: each node once, in order, with its hops; each edge, and none twice."""
    asked = choices(random.Random(number), world)
    found = await pages(ask, LINEAGE, **asked)

    counts: Counter[tuple[str, int]] = Counter()
    joins: set[tuple[str, str]] = set()
    stand: set[tuple[str, str]] = set()
    more = False
    for flow in WORDS[asked["direction"]]:
        word = NAMES[flow]
        pairs = world.pairs(flow, followed(asked))
        whole = reached(onward(pairs, flow), asked["urn"], asked["hops"])
        hidden = set() if asked["removed"] else {urn for urn in whole if world.removed(urn)} - {asked["urn"]}
        nodes = [node for page in found for node in page["nodes"] if node["direction"] == word]
        assert [node["entity"]["urn"] for node in nodes] == in_order(whole, asked["urn"], hidden)
        assert all(node["distance"] == whole[node["entity"]["urn"]] for node in nodes)
        assert all(node["removed"] == world.removed(node["entity"]["urn"]) for node in nodes)
        counts.update((word, node["distance"]) for node in nodes)
        plain, folded = world.shown(asked["urn"], whole, pairs, hidden)
        joins, stand = joins | plain, stand | folded
        more = more or len(reached(onward(pairs, flow), asked["urn"], asked["hops"] + 1)) > len(whole)
    by_hop: Counter[tuple[str, int]] = Counter()
    for page in found:
        by_hop.update({(hop["direction"], hop["hops"]): hop["count"] for hop in page["countsByHop"]})
    edges = [edge for page in found for edge in page["edges"]]
    assert by_hop == counts
    assert sum(page["total"] for page in found) == counts.total()
    assert {(edge["upstream"], edge["downstream"]) for edge in edges if edge["type"] != "Folded"} == joins
    assert {(edge["upstream"], edge["downstream"]) for edge in edges if edge["type"] == "Folded"} == stand
    assert {kind_of(edge) for edge in edges if edge["type"] != "Folded"} == {
        (edge.upstream, edge.downstream, edge.type, edge.aspect)
        for edge in world.edges
        if edge[:2] in joins and (asked["types"] is None or edge.type in asked["types"])
    }
    check_folded(edges, world)
    if asked["direction"]:
        assert none_on_two_pages(found)
        assert found[-1]["truncatedAtMaxHops"] == more


def kind_of(edge: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return edge["upstream"], edge["downstream"], edge["type"], edge["aspect"]


def check_folded(edges: list[dict[str, Any]], world: World) -> None:
    """What stands for others names a way that is there."""
    every = {edge[:2] for edge in world.edges} | world.pairs("up", mixed=True) | world.pairs("down", mixed=True)
    for edge in edges:
        assert set(pairwise((edge["upstream"], *edge["through"], edge["downstream"]))) <= every
        assert bool(edge["through"]) == (edge["type"] == "Folded")


def none_on_two_pages(found: list[dict[str, Any]]) -> bool:
    per_page = [{(*kind_of(edge), edge["via"]) for edge in page["edges"]} for page in found]
    return sum(map(len, per_page)) == len(set().union(*per_page))


FILTERS: list[tuple[dict[str, Any], Callable[[str, Mapping[str, Any]], bool]]] = [
    (
        {"field": "platform", "values": ["urn:li:dataPlatform:hive", "urn:li:dataPlatform:dbt"]},
        lambda urn, _: "kafka" not in urn and "dataset" in urn,
    ),
    (
        {"field": "_entityType", "values": ["DATASET", "SCHEMA_FIELD"]},
        lambda urn, _: not job(urn) and "chart" not in urn,
    ),
    ({"field": "owners", "condition": "EXISTS", "negated": True}, lambda _, row: not row.get("owners")),
    (
        {"field": "tags", "values": ["urn:li:tag:x"], "negated": True},
        lambda _, row: "urn:li:tag:x" not in row.get("tags", ()),
    ),
    (
        {"field": "domains", "values": ["urn:li:domain:m"], "negated": True},
        lambda _, row: "urn:li:domain:m" not in row.get("domains", ()),
    ),
]


class ByHand(NamedTuple):
    """An answer by hand: nodes in order with their hops, edges, and edges that stand for what is hidden."""

    nodes: dict[str, list[tuple[str, int]]]
    joins: set[tuple[str, str]]
    stand: set[tuple[str, str]]


Condition = tuple[dict[str, Any], Callable[[str, Mapping[str, Any]], bool]]


def by_hand(
    world: World,
    asked: Mapping[str, Any],
    *,
    fold: bool,
    mixed: bool,
    show: Condition | None,
    enter: Condition | None,
    window: tuple[int, int] | None = None,
) -> ByHand:
    found = ByHand({}, set(), set())
    start = asked["urn"]
    for flow in WORDS[asked["direction"]]:
        pairs = world.pairs(flow, followed(asked), mixed=mixed, window=window)
        if enter:
            passing = {urn for urn, row in world.properties.items() if enter[1](urn, row)} | {start}
            pairs = {pair for pair in pairs if passing >= set(pair)}
        free = {urn for urn in world.properties if job(urn)} if fold else set()
        whole = reached(onward(pairs, flow), start, asked["hops"], free)
        hidden = {
            urn
            for urn in whole.keys() - {start}
            if (not asked["removed"] and world.removed(urn))
            or urn in free
            or (show is not None and not show[1](urn, world.properties[urn]))
        }
        found.nodes[NAMES[flow]] = [(urn, whole[urn]) for urn in in_order(whole, start, hidden)]
        plain, folded = world.shown(start, whole, pairs, hidden)
        found.joins.update(plain)
        found.stand.update(folded)
    return found


def check_nodes(nodes: list[dict[str, Any]], wanted: ByHand) -> None:
    """Each once, in order, with its hops."""
    for word, rows in wanted.nodes.items():
        mine = [node for node in nodes if node["direction"] == word]
        assert [(node["entity"]["urn"], node["distance"]) for node in mine] == rows


def check_edges(edges: list[dict[str, Any]], wanted: ByHand, world: World) -> None:
    assert {(edge["upstream"], edge["downstream"]) for edge in edges if edge["type"] != "Folded"} == wanted.joins
    assert {(edge["upstream"], edge["downstream"]) for edge in edges if edge["type"] == "Folded"} == wanted.stand
    check_folded(edges, world)


def options(rnd: random.Random) -> dict[str, Any]:
    """Jobs folded, columns mixed with entities, and filters on what is shown and what is entered; now and then."""
    show, enter = (rnd.choice([None, *FILTERS]) for _ in range(2))
    return {"fold": rnd.random() < 0.4, "mixed": rnd.random() < 0.4, "show": show, "enter": enter}


def as_filters(condition: Condition | None) -> list[dict[str, Any]] | None:
    return [{"and": [condition[0]]}] if condition else None


@pytest.mark.parametrize("number", range(16))
async def test_lineage_with_every_option(ask: Ask, world: World, number: int) -> None:
    """`lineage` too: folded, mixed, filtered on the way and afterwards, in a window of time, in pages: as by hand."""
    rnd = random.Random(500 + number)
    asked, chosen = choices(rnd, world), options(rnd)
    window = None if chosen["mixed"] else rnd.choice([None, None, (300, 700)])

    found = await pages(
        ask,
        FILTERED,
        **asked,
        fold=chosen["fold"],
        mixed=chosen["mixed"],
        show=as_filters(chosen["show"]),
        enter=as_filters(chosen["enter"]),
        since=window and window[0],
        until=window and window[1],
    )

    wanted = by_hand(world, asked, **chosen, window=window)
    nodes = [node for page in found for node in page["nodes"]]
    by_hop: Counter[tuple[str, int]] = Counter()
    for page in found:
        by_hop.update({(hop["direction"], hop["hops"]): hop["count"] for hop in page["countsByHop"]})
    check_nodes(nodes, wanted)
    check_edges([edge for page in found for edge in page["edges"]], wanted, world)
    assert sum(page["total"] for page in found) == len(nodes)
    assert by_hop == Counter((node["direction"], node["distance"]) for node in nodes)
    if asked["direction"]:
        assert none_on_two_pages(found)


@pytest.fixture(scope="module")
async def narrow(neo4j_server: Any) -> AsyncIterator[str]:
    """A service that lets few edges through at a time."""
    with served(Settings(neo4j=neo4j_settings(neo4j_server), graphql=GraphqlSettings(max_lineage_edges=12))) as running:
        yield running


@pytest.mark.parametrize("number", range(6))
async def test_pages_that_end_by_their_edges(narrow: str, world: World, number: int) -> None:
    """The reason is said, and its cursor goes on to exactly the whole, by `lineage` and by `impactAnalysis`."""
    rnd = random.Random(600 + number)
    asked, chosen = {**choices(rnd, world), "nodes": 60, "hops": 3}, options(rnd)
    filters = {name: as_filters(chosen[name]) for name in ("show", "enter")}
    more = {"fold": True, "mixed": chosen["mixed"], **filters}

    async with httpx.AsyncClient(base_url=narrow, timeout=120) as client:

        async def run(query: str, **variables: Any) -> dict[str, Any]:
            body = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
            assert "errors" not in body, body["errors"]
            return dict(next(iter(body["data"].values())))

        for query, name in ((FILTERED, "nodes"), (IMPACT, "entities")):
            found = await pages(run, query, ("NODE_LIMIT", "EDGE_LIMIT"), **asked, **more)
            wanted = by_hand(world, asked, **{**chosen, "fold": True})
            check_nodes([node for page in found for node in page[name]], wanted)
            check_edges([edge for page in found for edge in page["edges"]], wanted, world)
            if asked["direction"]:
                assert none_on_two_pages(found)


@pytest.mark.parametrize("number", range(16))
async def test_impact_analysis(ask: Ask, world: World, number: int) -> None:
    """Folded, mixed, filtered on the way and afterwards, in pages: as by hand, with whose it is."""
    rnd = random.Random(100 + number)
    asked = choices(rnd, world)
    chosen = options(rnd)

    found = await pages(
        ask,
        IMPACT,
        **asked,
        fold=chosen["fold"],
        mixed=chosen["mixed"],
        show=as_filters(chosen["show"]),
        enter=as_filters(chosen["enter"]),
    )

    wanted = by_hand(world, asked, **chosen)
    nodes = [node for page in found for node in page["entities"]]
    urns = [node["entity"]["urn"] for node in nodes]
    owned: Counter[str | None] = Counter()
    check_nodes(nodes, wanted)
    for page in found:
        owned.update({row["owner"] and row["owner"]["urn"]: row["count"] for row in page["owners"]})
    edges = [edge for page in found for edge in page["edges"]]
    check_edges(edges, wanted, world)
    assert sum(hop["count"] for page in found for hop in page["hops"]) == len(urns)
    if asked["direction"]:
        assert none_on_two_pages(found)
        assert owned == Counter(owner for urn in urns for owner in world.properties[urn].get("owners") or [None])


@pytest.mark.parametrize("number", ROUNDS)
async def test_rest(http: httpx.AsyncClient, world: World, number: int) -> None:
    """JSON and CSV, page after page by the header `Link`."""
    rnd = random.Random(200 + number)
    asked = choices(rnd, world)
    fold, mixed, form = rnd.random() < 0.4, rnd.random() < 0.4, rnd.choice(["json", "csv"])
    word = {"UPSTREAM": "upstream", "DOWNSTREAM": "downstream", None: "both"}[asked["direction"]]
    params = {"direction": word, "hops": asked["hops"], "format": form, "removed": asked["removed"], "fold": fold}
    params |= {"mixed": mixed, "types": asked["types"] or [], "maxNodes": asked["nodes"] or 10_000}

    answers = [await http.get(f"/lineage/{asked['urn']}", params=params)]
    while "next" in answers[-1].links:
        answers.append(await http.get(answers[-1].url.join(answers[-1].links["next"]["url"])))

    rows: list[dict[str, Any]] = []
    for answer in answers:
        last = answer is answers[-1]
        assert answer.headers["X-Graphsvc-Partial"] == ("no" if last else "node limit")
        if form == "json":
            assert (answer.json()["cursor"] is None) == last
        rows += answer.json()["nodes"] if form == "json" else csv.DictReader(io.StringIO(answer.text))
    for flow in WORDS[asked["direction"]]:
        pairs = world.pairs(flow, followed(asked), mixed=mixed)
        free = {urn for urn in world.properties if job(urn)} if fold else set()
        whole = reached(onward(pairs, flow), asked["urn"], asked["hops"], free)
        hidden = free | (set() if asked["removed"] else {urn for urn in whole if world.removed(urn)})
        mine = [row for row in rows if row["direction"] == NAMES[flow].lower()]
        assert [row["urn"] for row in mine] == in_order(whole, asked["urn"], hidden)
        assert all(int(row["distance"]) == whole[row["urn"]] for row in mine)


@pytest.mark.parametrize("number", ROUNDS)
async def test_search_across_lineage(ask: Ask, world: World, number: int) -> None:
    """Jobs that are no hops, a window of time, columns under their tables or not, filters, soft-deleted ones."""
    rnd = random.Random(300 + number)
    start, word = rnd.choice(world.ends), rnd.choice(["UPSTREAM", "DOWNSTREAM"])
    flow = WORDS[word][0]
    ignore, stay, removed = rnd.random() < 0.4, rnd.random() < 0.5, rnd.random() < 0.5
    window = rnd.choice([None, None, (300, 700)])
    degrees = rnd.choice([None, ["1"], ["1", "2"], ["3+"]])
    shown = rnd.choice([None, *FILTERS])
    flags: dict[str, Any] = {"ignoreAsHops": [{"entityType": "DATA_JOB"}]} if ignore else {}
    flags |= {"startTimeMillis": window[0], "endTimeMillis": window[1]} if window else {}
    group = [*([{"field": "degree", "values": degrees}] if degrees else []), *([shown[0]] if shown else [])]
    grouping = {"groupingCriteria": [{"baseEntityType": "SCHEMA_FIELD", "groupingEntityType": "SCHEMA_FIELD"}]}

    found = await ask(
        SEARCH,
        input={
            "urn": start,
            "direction": word,
            "count": 1_000,
            "orFilters": [{"and": group}] if group else None,
            "lineageFlags": flags,
            "searchFlags": {"includeSoftDeleted": removed, **({"groupingSpec": grouping} if stay else {})},
        },
    )

    free = {urn for urn in world.properties if job(urn)} if ignore else set()
    whole = reached(onward(world.pairs(flow, window=window), flow), start, 20, free)
    expected: dict[str, int] = {}
    for urn in whole.keys() - {start}:
        shown_as = urn if stay else column_of(urn) or urn
        expected[shown_as] = min(whole[urn], expected.get(shown_as, 99))
    kept = {
        urn
        for urn, degree in expected.items()
        if (removed or not world.properties.get(urn, {}).get("removed"))
        and (shown is None or shown[1](urn, world.properties.get(urn, {})))
        and (degrees is None or str(degree) in degrees or ("3+" in degrees and degree > 2))
    }
    results = found["searchResults"]
    assert [result["entity"]["urn"] for result in results] == in_order({urn: expected[urn] for urn in kept}, "")
    assert all(result["degree"] == expected[result["entity"]["urn"]] for result in results)
    assert {result["entity"]["urn"] for result in results if result["ignoredAsHop"]} == kept & free
    assert (found["total"], found["isPartial"]) == (len(kept), False)


@pytest.mark.parametrize("number", ROUNDS)
async def test_paths_between(ask: Ask, world: World, number: int) -> None:
    """All of the shortest or the k shortest, over entities and over columns, with each step's edges."""
    rnd = random.Random(400 + number)
    start, hops, removed = rnd.choice(world.ends), rnd.randint(2, 5), rnd.choice([True, False])
    word = rnd.choice(["UPSTREAM", "DOWNSTREAM", None])
    types = rnd.choice([None, None, ["DownstreamOf"]])
    wanted = rnd.choice([None, 1, 5, 40])
    mixed = bool(column_of(start))
    graphs: dict[str, dict[str, set[str]]] = {}
    for flow in WORDS[word]:
        pairs = world.pairs(flow, types, mixed=mixed)
        alive = {pair for pair in pairs if removed or not any(world.removed(urn) for urn in pair if urn != start)}
        graphs[NAMES[flow]] = onward(alive, flow)
    near = sorted({urn for graph in graphs.values() for urn in reached(graph, start, hops)} - {start})
    end = rnd.choice(near) if near else table(0)

    found = await ask(
        PATHS, **{"from": start, "to": end}, k=wanted, hops=hops, direction=word, types=types, removed=removed
    )

    ends = {end} | ({urn for urn in world.properties if column_of(urn) == end} if mixed else set()) - {start}
    every = sorted(
        (len(path), path, way) for way, graph in graphs.items() for path in simple_paths(graph, (start,), ends, hops)
    )
    expected = [path for length, path, _ in every if length == every[0][0]] if wanted is None else every[:wanted]
    paths = [tuple(entity["urn"] for entity in path["entities"]) for path in found["paths"]]
    assert paths == [path if wanted is None else path[1] for path in expected]
    assert not found["partial"]
    for path in found["paths"]:
        assert path["length"] == len(path["steps"]) == len(path["entities"]) - 1
        for step in path["steps"]:
            ends_of_step = (step["source"]["urn"], step["target"]["urn"])
            along = ends_of_step if path["direction"] == "DOWNSTREAM" else ends_of_step[::-1]
            assert {(edge["upstream"], edge["downstream"]) for edge in step["edges"]} == {along}


async def test_scrolling_passes_the_limit_of_one_answer(neo4j_server: Any, world: World) -> None:
    """A search stops at the limit on nodes and says so; a scroll goes on to the bound of the walk."""
    start = max(world.ends, key=lambda urn: (len(reached(onward(world.pairs("up"), "up"), urn, 20)), urn))
    whole = reached(onward(world.pairs("up"), "up"), start, 20)
    text = SEARCH.replace("SearchAcross", "ScrollAcross").replace("searchAcross", "scrollAcross")
    text = text.replace("{ total", "{ nextScrollId total")
    limits = GraphqlSettings(max_lineage_nodes=20)
    asked = {"urn": start, "direction": "UPSTREAM", "searchFlags": {"includeSoftDeleted": True}}
    seen: list[str] = []
    scroll_id = None

    with served(Settings(neo4j=neo4j_settings(neo4j_server), graphql=limits)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            body = await client.post(
                "/graphql", json={"query": SEARCH, "variables": {"input": {**asked, "count": 1_000}}}
            )
            while scroll_id or not seen:
                page = await client.post(
                    "/graphql",
                    json={"query": text, "variables": {"input": {**asked, "count": 30, "scrollId": scroll_id}}},
                )
                found = page.json()["data"]["scrollAcrossLineage"]
                seen += [result["entity"]["urn"] for result in found["searchResults"]]
                scroll_id = found["nextScrollId"]

    once = body.json()["data"]["searchAcrossLineage"]
    assert (len(once["searchResults"]), once["isPartial"]) == (20, True)
    assert len(whole) > 60
    assert seen == in_order(whole, start)


async def test_a_cursor_belongs_to_its_question(ask: Ask, http: httpx.AsyncClient, world: World) -> None:
    """Another start, direction or set of types is refused, and so is what is no cursor; another size of page is not."""
    start = Counter(world.ends).most_common(1)[0][0]
    asked = {"urn": start, "direction": "DOWNSTREAM", "hops": 20, "types": ["DownstreamOf", "Consumes"]}
    first = await ask(LINEAGE, **asked, nodes=2)
    impact = await ask(IMPACT, **asked, nodes=2)
    cursor = first["cursor"]

    larger = await ask(LINEAGE, **{**asked, "types": ["Consumes", "DownstreamOf"]}, nodes=5, cursor=cursor)
    refused = [
        (await http.post("/graphql", json={"query": LINEAGE, "variables": variables})).json()["errors"][0]
        for variables in (
            {**asked, "cursor": cursor, "direction": "UPSTREAM"},
            {**asked, "cursor": cursor, "direction": None},
            {**asked, "cursor": cursor, "urn": table(1) if start != table(1) else table(2)},
            {**asked, "cursor": cursor, "types": None},
            {**asked, "cursor": cursor, "removed": True},
            {**asked, "cursor": impact["cursor"]},
            *({**asked, "cursor": text} for text in ("", "x", "é", "bnVsbA==", "e30=", "WzEsMl0=", "W10=")),
        )
    ]
    by_rest = await http.get(f"/lineage/{start}", params={"cursor": cursor})

    assert len(cursor) < 500
    assert larger["nodes"]
    assert {error["extensions"]["code"] for error in refused} == {"BAD_INPUT"}
    assert by_rest.status_code == 400
