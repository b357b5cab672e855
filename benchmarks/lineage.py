"""Lineage: a GraphQL request over HTTP against the best hand-written Cypher over Bolt, for the same answer."""

import http.client
import statistics
import time
from collections.abc import Awaitable, Callable

import neo4j
import orjson
from corpus import datasets, proposals, urn
from service import served

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import decode_proposal

PREFIX = "lineage"
DATASETS = 9_000
START = 10  # a dataset near the sources: thousands are downstream of it
HOPS = (1, 3, 5, 20)
REPEATS = 15

GRAPHQL = """
query ($urn: String!, $hops: Int!) {
  lineage(urn: $urn, direction: DOWNSTREAM, maxHops: $hops) { partial nodes { distance entity { urn name } } }
}
"""
GRAPHQL_EDGES = GRAPHQL.replace("} } }\n}", "} } edges { source target type } }\n}")

# Two ways to write it, and the faster one is the ceiling: a row per node, or three lists in one row.
ROWS = """
MATCH path = (:Entity {urn: $urn})<-[:DownstreamOf*1..%d {lineage: true}]-(node)
WITH node, min(length(path)) AS distance
RETURN node.urn AS urn, node.name AS name, distance
"""
LISTS = """
MATCH path = (:Entity {urn: $urn})<-[:DownstreamOf*1..%d {lineage: true}]-(node)
WITH node, min(length(path)) AS distance
RETURN collect(node.urn) AS urns, collect(node.name) AS names, collect(distance) AS distances
"""
LISTS_EDGES = """
MATCH path = (:Entity {urn: $urn})<-[:DownstreamOf*0..%d {lineage: true}]-(node)
WITH node, min(length(path)) AS distance
WITH collect(node) AS nodes, collect(distance) AS distances
CALL (nodes) {
  UNWIND nodes AS node
  MATCH (node)<-[:DownstreamOf {lineage: true}]-(other)
  RETURN collect(node.urn) AS targets, collect(other.urn) AS sources
}
RETURN [node IN nodes | node.urn] AS urns, [node IN nodes | node.name] AS names, distances, targets, sources
"""


async def measure(driver: neo4j.AsyncDriver, env: dict[str, str]) -> dict[str, dict]:
    """Medians of the latencies by hops, in milliseconds, GraphQL and Cypher in turn."""
    await _fill(driver)
    start = urn(PREFIX, START)
    figures: dict[str, dict] = {}
    with served(env) as address:
        connection = http.client.HTTPConnection(*address)
        for hops in HOPS:
            figures[f"graphql_lineage_{hops}_hops_vs_cypher"] = await _compare(
                lambda hops=hops: _graphql(connection, GRAPHQL, start, hops),
                [_cypher(driver, text % hops, start) for text in (ROWS, LISTS)],
                "≤ 2 at 5 hops",
            )
        figures["graphql_lineage_5_hops_with_edges_vs_cypher"] = await _compare(
            lambda: _graphql(connection, GRAPHQL_EDGES, start, 5), [_cypher(driver, LISTS_EDGES % 5, start)], ""
        )
        connection.close()
    return figures


async def _fill(driver: neo4j.AsyncDriver) -> None:
    service = IngestService(driver, load_registry(), Neo4jSettings(), IngestSettings(), LimitSettings())
    corpus = list(datasets(PREFIX, DATASETS))
    for begin in range(0, DATASETS, 500):
        await service.ingest([decode_proposal(p) for d in corpus[begin : begin + 500] for p in proposals(d)])


async def _compare(ours: Callable[[], int], theirs: list[Callable[[], Awaitable[int]]], target: str) -> dict:
    mine: list[float] = []
    others: list[list[float]] = [[] for _ in theirs]
    for number in range(REPEATS + 3):
        begin = time.perf_counter()
        nodes = ours()
        middle = time.perf_counter()
        if number >= 3:  # the first ones warm plans and caches
            mine.append(middle - begin)
        for times, other in zip(others, theirs, strict=True):
            begin = time.perf_counter()
            found = await other()
            if number >= 3:
                times.append(time.perf_counter() - begin)
            if abs(found - nodes) > 1:  # with edges the start is one of Cypher's nodes
                raise SystemExit(f"GraphQL found {nodes} nodes, Cypher {found}")
    best = min(statistics.median(times) for times in others)
    value = statistics.median(mine)
    return {
        "value": value * 1000,
        "unit": f"ms ({nodes:,} nodes)",
        "ceiling": best * 1000,
        "ratio": value / best,
        "target": target,
    }


def _graphql(connection: http.client.HTTPConnection, text: str, start: str, hops: int) -> int:
    body = orjson.dumps({"query": text, "variables": {"urn": start, "hops": hops}})
    connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
    answer = orjson.loads(connection.getresponse().read())
    if "errors" in answer or answer["data"]["lineage"]["partial"]:
        raise SystemExit(f"GraphQL: {answer.get('errors') or 'partial'}")
    return len(answer["data"]["lineage"]["nodes"])


def _cypher(driver: neo4j.AsyncDriver, text: str, start: str) -> Callable[[], Awaitable[int]]:
    async def run() -> int:
        async with driver.session(database="neo4j", default_access_mode=neo4j.READ_ACCESS) as session:
            result = await session.run(text, urn=start)
            rows = [record.values() async for record in result]
        return len(rows[0][0]) if len(rows) == 1 and isinstance(rows[0][0], list) else len(rows)

    return run
