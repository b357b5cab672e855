"""Reading at scale: GraphQL over HTTP against the best hand-written Cypher over Bolt, in graphs of growing size."""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import neo4j
import orjson
from scale import CORE, SUPER_TAG, WITH_COLUMNS, column, load, loaded, urn
from service import Client, connected, served

from graphsvc.graph.search import MOST_COUNTED

SIZES = (10_000, 100_000, 1_000_000)
HOPS = (1, 3, 5, 20)
WARM, WARM_S = 100, 2.0  # rounds before those that count, up to so long: Java compiles what has become hot
REPEATS, ENOUGH_S, FEWEST = 200, 10.0, 5  # rounds that count, up to so long, and at least so many
CLOSURE = 14_000  # from about this dataset on, 20 hops reach 8,000 nodes
COUNT = 60  # results of a page of search

PAGE = """
query ($urn: String!) {
  dataset(urn: $urn) {
    urn name properties { name description customProperties { key value } }
    ownership { owners { owner { urn name } } } tags { tags { tag { urn name } } } domain { domain { urn name } }
  }
}
"""
LINEAGE = """
query ($urn: String!, $hops: Int!) {
  lineage(urn: $urn, direction: UPSTREAM, maxHops: $hops) { partial nodes { distance entity { urn name } } }
}
"""
SEARCH = """
query ($text: String!, $count: Int!, $filters: [AndFilterInput!]) {
  searchAcrossEntities(input: {query: $text, types: [DATASET], count: $count, orFilters: $filters}) {
    total searchResults { entity { urn name } } facets { field aggregations { value count } }
  }
}
"""
LISTED = """
query ($count: Int!) {
  searchAcrossEntities(input: {query: "*", types: [DATASET], count: $count}) { searchResults { entity { urn name } } }
}
"""

# By hand, for the same answers. Where there are two ways to write it, the faster one is the ceiling.
PAGE_BY_HAND = """
MATCH (e:Entity {urn: $urn})
RETURN e.urn, e.name, COLLECT { MATCH (e)-[:HAS_ASPECT]->(a) RETURN [a.name, a.value] } AS aspects,
  COLLECT { MATCH (e)-[:OwnedBy|TaggedWith|AssociatedWith]->(other) RETURN [other.urn, other.name] } AS others
"""
ROWS_BY_HAND = """
MATCH path = (:Entity {urn: $urn})-[:DownstreamOf*1..%d {lineage: true}]->(node)
WITH node, min(length(path)) AS distance
RETURN node.urn AS urn, node.name AS name, distance
"""
LISTS_BY_HAND = """
MATCH path = (:Entity {urn: $urn})-[:DownstreamOf*1..%d {lineage: true}]->(node)
WITH node, min(length(path)) AS distance
RETURN collect(node.urn) AS urns, collect(node.name) AS names, collect(distance) AS distances
"""
# What of the index follows a commit is waited for, as whoever wants what was acknowledged has to. Counting stops where
# graphsvc's does; the facets and their 20 values are those of graphsvc. A word is looked for in all fields, as it is if
# one says nothing else. The page is in the index's own order.
FACET_BY_HAND = """CALL (nodes) {
  UNWIND nodes AS n %s
  WITH %s AS v, count(*) AS c WHERE v IS NOT NULL
  ORDER BY c DESC, v LIMIT 20 RETURN collect([v, c]) AS %s
}
"""
FACETS_BY_HAND = {
    "types": ("UNWIND labels(n) AS l", 'nullIf(l, "Entity")'),
    "removed": ("", "coalesce(n.removed, false)"),
    **{name: ("", f"n.{name}") for name in ("platform", "origin", "container")},
    **{name: (f"UNWIND n.{name} AS l", "l") for name in ("typeNames", "tags", "glossaryTerms", "domains", "owners")},
}
SEARCH_BY_HAND = f"""
CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()
CALL db.index.fulltext.queryNodes("entity_search", $text) YIELD node, score
WHERE node:Dataset AND node.referencedOnly IS NULL AND coalesce(node.removed, false) = false
WITH node LIMIT $most
WITH collect(node) AS nodes
{"".join(FACET_BY_HAND % (*parts, name) for name, parts in FACETS_BY_HAND.items())}
RETURN size(nodes), [n IN nodes[..$count] | [n.urn, n.name]], {", ".join(FACETS_BY_HAND)}
"""
LISTED_BY_HAND = """
MATCH (e:Entity) WHERE e.urn STARTS WITH "urn:li:dataset:" AND e.referencedOnly IS NULL
WITH e ORDER BY e.urn LIMIT $count
RETURN collect(e.urn) AS urns, collect(e.name) AS names
"""


@dataclass(frozen=True)
class Reading:
    """
    One thing to read.

    Attributes:
        query: GraphQL, and its variables.
        by_hand: Cypher texts, and their parameters.
        size: Number of things in an answer of GraphQL's, and in one of Cypher's; they have to be the same.
        same: The answer is of the same size in every graph, so that its time should not grow.
    """

    query: str
    variables: dict[str, Any]
    by_hand: Sequence[str]
    parameters: dict[str, Any]
    size: tuple[Callable[[Any], int], Callable[[list[Any]], int]]
    same: bool = True


def readings() -> dict[str, Reading]:
    """By the name of the figure."""
    start, field = urn(CORE - 3), column(CORE - WITH_COLUMNS, 0)
    searched = (_found, lambda rows: rows[0][0] + sum(map(len, rows[0][2:])))
    tagged = [{"and": [{"field": "tags", "values": [SUPER_TAG]}]}]
    found: dict[str, Reading] = {
        "entity_page": Reading(
            PAGE, {"urn": start}, [PAGE_BY_HAND], {"urn": start}, (lambda data: bool(data["dataset"]["name"]), len)
        ),
        "list_page": Reading(
            LISTED,
            {"count": COUNT},
            [LISTED_BY_HAND],
            {"count": COUNT},
            (lambda data: len(data["searchAcrossEntities"]["searchResults"]), _nodes),
        ),
        "search_with_facets": Reading(
            SEARCH,
            {"text": "quarantined", "count": COUNT, "filters": []},
            [SEARCH_BY_HAND],
            {"text": "quarantined", "count": COUNT, "most": MOST_COUNTED},
            searched,
        ),
        "search_supernode_with_facets": Reading(
            SEARCH,
            {"text": "*", "count": COUNT, "filters": tagged},
            [SEARCH_BY_HAND],
            {"text": f'tags:"{SUPER_TAG}"', "count": COUNT, "most": MOST_COUNTED},
            searched,
            same=False,
        ),
    }
    for hops in HOPS:
        for name, at in (("lineage", start), ("column_lineage", field)):
            found[f"{name}_{hops}_hops"] = _walk(at, hops)
    return found


def _found(data: Any) -> int:
    """How many, and with how many values of facets."""
    answer = data["searchAcrossEntities"]
    return answer["total"] + sum(len(facet["aggregations"]) for facet in answer["facets"])


def _nodes(rows: list[Any]) -> int:
    return len(rows[0][0]) if len(rows) == 1 and isinstance(rows[0][0], list) else len(rows)


async def measure(driver: neo4j.AsyncDriver, env: dict[str, str], sizes: Sequence[int] = SIZES) -> dict[str, dict]:
    """
    Medians and 99th percentiles in milliseconds, both contestants in turn, and how they grow.

    Args:
        driver: Where to write the graph, and what Cypher goes over.
        env: Where `graphsvc serve` finds it.
        sizes: Numbers of datasets, from at least `CORE` on in ascending order.
    """
    if sorted(sizes) != list(sizes) or sizes[0] < CORE:
        raise SystemExit(f"--sizes: ascending numbers from {CORE} on")
    figures: dict[str, dict] = {}
    medians: dict[str, dict[int, float]] = {}
    done = await loaded(driver)
    with served(env) as address:
        for size in sizes:
            if done > size:
                raise SystemExit(f"the graph has {done:,} datasets already")
            seconds = await load(driver, done, size)
            print(f"{size - done:,} datasets in {seconds:.0f} s", file=sys.stderr)
            done = size
            for name, reading in readings().items():
                ours, theirs, answer = await _compare(address, driver, reading)
                medians.setdefault(name, {})[size] = statistics.median(ours)
                print(f"{name} {size:,}: {statistics.median(ours) * 1000:.1f} ms", file=sys.stderr)
                target = "≤ 1.5" if answer > 50 else ""
                unit = f"ms ({answer:,} rows)"
                figures[f"graphql_{name}_{_short(size)}_p50_vs_cypher"] = _figure(ours, theirs, 0.5, unit, target)
                figures[f"graphql_{name}_{_short(size)}_p99_vs_cypher"] = _figure(ours, theirs, 0.99, unit, "")
        if sizes[-1] > CLOSURE:
            ours, theirs, answer = await _compare(address, driver, _walk(urn(CLOSURE), 20))
            unit = f"ms ({answer:,} rows)"
            figures["graphql_closure_8000_vs_cypher"] = _figure(ours, theirs, 0.5, unit, "≤ 2")
    return figures | _growth(medians, sizes)


def _walk(start: str, hops: int) -> Reading:
    texts = [ROWS_BY_HAND % hops, LISTS_BY_HAND % hops]
    size = (lambda data: len(data["lineage"]["nodes"]), _nodes)
    return Reading(LINEAGE, {"urn": start, "hops": hops}, texts, {"urn": start}, size)


def _growth(medians: dict[str, dict[int, float]], sizes: Sequence[int]) -> dict[str, dict]:
    small, large = sizes[0], sizes[-1]
    if small == large:
        return {}
    return {
        f"{name}_{_short(large)}_vs_{_short(small)}": {
            "value": by_size[large] * 1000,
            "unit": "ms",
            "ceiling": by_size[small] * 1000,
            "ratio": by_size[large] / by_size[small],
            "target": "≤ 1.3" if readings()[name].same else "",
        }
        for name, by_size in medians.items()
    }


def _short(size: int) -> str:
    return f"{size // 1_000_000}m" if size % 1_000_000 == 0 else f"{size // 1_000}k"


def _figure(ours: list[float], theirs: list[float], part: float, unit: str, target: str) -> dict:
    value, ceiling = _quantile(ours, part), _quantile(theirs, part)
    return {
        "value": value * 1000,
        "unit": unit,
        "ceiling": ceiling * 1000,
        "ratio": value / ceiling,
        "target": target,
    }


def _quantile(times: list[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]


async def _compare(
    address: tuple[str, int], driver: neo4j.AsyncDriver, reading: Reading
) -> tuple[list[float], list[float], int]:
    """Times of ours and of the best Cypher, in seconds, and the size of the answer."""
    async with connected(address) as client:
        return await _compared(client, driver, reading)


async def _compared(
    client: Client, driver: neo4j.AsyncDriver, reading: Reading
) -> tuple[list[float], list[float], int]:
    begin = time.perf_counter()
    for _ in range(WARM):
        await _round(client, driver, reading)
        if time.perf_counter() - begin > WARM_S:
            break
    begin = time.perf_counter()
    rounds = []
    while len(rounds) < FEWEST or (len(rounds) < REPEATS and time.perf_counter() - begin < ENOUGH_S):
        rounds.append(await _round(client, driver, reading))
    ours, by_hand, sizes = zip(*rounds, strict=True)
    return list(ours), list(min(zip(*by_hand, strict=True), key=statistics.median)), sizes[0]


async def _round(client: Client, driver: neo4j.AsyncDriver, reading: Reading) -> tuple[float, list[float], int]:
    """Seconds of ours, those of each text by hand, and the size of the answer, which has to be the same."""
    begin = time.perf_counter()
    data = await _graphql(client, reading)
    ours = time.perf_counter() - begin
    size = int(reading.size[0](data))
    by_hand = []
    for text in reading.by_hand:
        begin = time.perf_counter()
        rows = await _cypher(driver, text, reading.parameters)
        by_hand.append(time.perf_counter() - begin)
        if (found := reading.size[1](rows)) != size:
            raise SystemExit(f"GraphQL found {size}, Cypher {found}: {text}")
    return ours, by_hand, size


async def _graphql(client: Client, reading: Reading) -> Any:
    body = orjson.dumps({"query": reading.query, "variables": reading.variables})
    answer = orjson.loads(await client.post("/graphql", body))
    if "errors" in answer or (answer["data"].get("lineage") or {}).get("partial"):
        raise SystemExit(f"GraphQL: {answer.get('errors') or 'partial'}")
    return answer["data"]


async def _cypher(driver: neo4j.AsyncDriver, text: str, parameters: dict[str, Any]) -> list[Any]:
    async with driver.session(database="neo4j", default_access_mode=neo4j.READ_ACCESS) as session:
        result = await session.run(text, parameters)
        return [record.values() async for record in result]
