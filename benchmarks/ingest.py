"""Ingest: MCP/s by hand, through graphsvc in process, and through its REST door. All three write the same graph."""

import asyncio
import http.client
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

import ceiling
import neo4j
import orjson
from corpus import MCPS_PER_ENTITY, Dataset, datasets, proposals
from service import served

from graphsvc.cli import ease_collection
from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import decode_proposal

WRITERS = 4
BATCH = 1000 // MCPS_PER_ENTITY  # datasets in a batch: 999 MCPs
REST_BATCH = 200  # MCPs in a request, what DataHub's clients send at most
WARM_UP = 60_000  # datasets per contestant before it counts: Java compiles what is new to it for a minute or more

FINGERPRINT = """
MATCH (e:Entity) WHERE e.urn STARTS WITH $prefix
WITH e, COUNT { (e)-[:HAS_ASPECT]->() } AS aspects, COUNT { (e)-[:DownstreamOf {lineage: true}]->() } AS edges
OPTIONAL MATCH (e)-[:HAS_ASPECT]->(a:Aspect {name: "datasetProperties"})
RETURN count(e) AS entities, sum(aspects) AS aspects, sum(edges) AS edges, sum(size(keys(e))) AS properties,
       sum(size(a.value)) AS text, sum(size(keys(a))) AS aspectProperties
"""


def chunks(items: list, size: int) -> list[list]:
    return [items[start : start + size] for start in range(0, len(items), size)]


async def measure(driver: neo4j.AsyncDriver, env: dict[str, str], count: int, rounds: int) -> dict[str, dict]:
    """The three rates, as medians over the rounds; the ratios are medians of the rounds' own ratios."""
    ease_collection()
    service = IngestService(driver, load_registry(), Neo4jSettings(), IngestSettings(), LimitSettings())
    seconds: dict[str, list[float]] = {"ceiling": [], "process": [], "rest": []}
    with served(env) as address:
        contestants: dict[str, Callable[[list[Dataset]], Awaitable[float]]] = {
            "ceiling": lambda corpus: by_hand(driver, corpus),
            "process": lambda corpus: in_process(service, corpus),
            "rest": lambda corpus: over_rest(address, corpus),
        }
        for name, run in contestants.items():
            await run(list(datasets(f"warm_{name}", WARM_UP)))
            await ceiling.searchable(driver)
        for number in range(rounds):
            prints = []
            for name, run in contestants.items():
                written_in = await run(list(datasets(f"{name[:4]}_{number}", count)))
                seconds[name].append(written_in + await ceiling.searchable(driver))
                prints.append(await fingerprint(driver, f"{name[:4]}_{number}"))
            if any(other != prints[0] for other in prints[1:]):
                raise SystemExit(f"the contestants did not write the same graph: {prints}")
    mcps = count * MCPS_PER_ENTITY
    return {
        "ingest_in_process_vs_ceiling": _figure(seconds, "process", mcps, "≥ 0.8"),
        "ingest_rest_vs_ceiling": _figure(seconds, "rest", mcps, "≥ 0.6"),
    }


def _figure(seconds: dict[str, list[float]], name: str, mcps: int, target: str) -> dict:
    ratios = [top / ours for top, ours in zip(seconds["ceiling"], seconds[name], strict=True)]
    return {
        "value": mcps / statistics.median(seconds[name]),
        "unit": "MCP/s",
        "ceiling": mcps / statistics.median(seconds["ceiling"]),
        "ratio": statistics.median(ratios),
        "target": target,
    }


async def fingerprint(driver: neo4j.AsyncDriver, prefix: str) -> dict[str, int]:
    """What the graph of one contestant adds up to; equal sums for all of them, but for the length of their names."""
    start = f"urn:li:dataset:(urn:li:dataPlatform:snowflake,{prefix}."
    async with driver.session(database="neo4j") as session:
        return (await (await session.run(FINGERPRINT, prefix=start)).single(strict=True)).data()


async def by_hand(driver: neo4j.AsyncDriver, corpus: list[Dataset]) -> float:
    now = time.time_ns() // 1_000_000
    batches = [ceiling.batch(part, now) for part in chunks(corpus, BATCH)]
    start = time.perf_counter()
    await ceiling.write(driver, batches, WRITERS)
    return time.perf_counter() - start


async def in_process(service: IngestService, corpus: list[Dataset]) -> float:
    queue = [[p for dataset in part for p in proposals(dataset)] for part in reversed(chunks(corpus, BATCH))]

    async def writer() -> None:
        while queue:
            answers = await service.ingest([decode_proposal(raw) for raw in queue.pop()])
            if not all(isinstance(answer, Applied) and answer.changed for answer in answers):
                raise SystemExit(f"not all proposals landed: {answers[:3]}")

    start = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return time.perf_counter() - start


async def over_rest(address: tuple[str, int], corpus: list[Dataset]) -> float:
    """Four client processes, a connection each, bodies encoded beforehand; they take turns in the corpus."""
    flat = [proposal for dataset in corpus for proposal in proposals(dataset)]
    bodies = [orjson.dumps({"proposals": part, "async": "false"}) for part in chunks(flat, REST_BATCH)]
    context = get_context("spawn")
    gate = context.Barrier(WRITERS + 1)
    clients = [context.Process(target=_client, args=(address, bodies[n::WRITERS], gate)) for n in range(WRITERS)]
    for client in clients:
        client.start()
    await asyncio.to_thread(gate.wait)
    start = time.perf_counter()
    await asyncio.to_thread(gate.wait)
    seconds = time.perf_counter() - start
    for client in clients:
        client.join()
    if any(client.exitcode for client in clients):
        raise SystemExit("a REST client failed")
    return seconds


def _client(address: tuple[str, int], bodies: list[bytes], gate: Barrier) -> None:
    connection = http.client.HTTPConnection(*address)
    gate.wait()
    for body in bodies:
        connection.request("POST", "/aspects?action=ingestProposalBatch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            gate.abort()
            raise SystemExit(f"graphsvc answered {answer.status}: {text[:500]!r}")
    gate.wait()
