"""
A graph to read from, of any size: datasets with a power law in their fan-out, one tag on all of them, few platforms.

Dataset `number` is the same in a graph of every size, and so is all that is upstream of it: that has lower numbers.
"""

import asyncio
import random
import time
from collections.abc import Iterator

import neo4j
from ceiling import searchable

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

NOUNS = (
    "orders",
    "payments",
    "invoices",
    "sessions",
    "shipments",
    "refunds",
    "tickets",
    "employees",
    "leads",
    "clicks",
)
LAYERS = ("raw", "stg", "int", "dim", "fct", "mart", "rpt")
PLATFORMS = ("snowflake", "snowflake", "snowflake", "dbt", "bigquery")
RARE = 50  # one of so many of the first `CORE` is called after the word that the search looks for
CORE = 10_000
COLUMNS = 8
WITH_COLUMNS = 50  # one of so many datasets says which of its columns come from which
NEAR = 50  # the first upstream is one of so many numbers before
LAW = 1.5  # how steeply the other upstreams favour low numbers; some get a hundredth of all edges
SUPER_TAG = "urn:li:tag:everything"
BATCH, LANES = 500, 4


def urn(number: int) -> str:
    """The dataset's key."""
    rng = random.Random(number)
    layer, noun = rng.choice(LAYERS), rng.choice(NOUNS)
    rare = "_quarantined" if number < CORE and number % RARE == 0 else ""
    path = f"wh.s{number % 40}.{layer}_{noun}{rare}_{number}"
    return f"urn:li:dataset:(urn:li:dataPlatform:{rng.choice(PLATFORMS)},{path},PROD)"


def column(number: int, index: int) -> str:
    """The key of one of its columns."""
    return f"urn:li:schemaField:({urn(number)},col_{index})"


def upstreams(number: int) -> list[int]:
    """Numbers of the datasets that it is made from: one near it, and up to four of those that many are made from."""
    if number == 0:
        return []
    rng = random.Random(-number)
    far = (int(number * rng.random() ** LAW) for _ in range(rng.choice((2, 3, 4))))
    return list(dict.fromkeys([max(0, number - rng.randint(1, NEAR)), *far]))


def proposals(number: int) -> Iterator[Proposal]:
    """What a connector would send for it."""
    own, rng = urn(number), random.Random(number + 0.5)
    name = own.split(",")[1].rpartition(".")[2]
    yield proposal_of(
        own,
        "datasetProperties",
        {"name": name, "description": f"Rows of {name}.", "customProperties": {"tier": str(number % 3)}},
    )
    tags = [SUPER_TAG, f"urn:li:tag:t{int(200 * rng.random() ** 3)}"]
    yield proposal_of(own, "globalTags", {"tags": [{"tag": tag} for tag in tags]})
    if number % 10 == 0:
        stamp = {"time": 0, "actor": "urn:li:corpuser:bench"}
        owner = {"owner": f"urn:li:corpuser:u{int(1_000 * rng.random() ** 3)}", "type": "DATAOWNER"}
        yield proposal_of(own, "ownership", {"owners": [owner], "lastModified": stamp})
        yield proposal_of(own, "domains", {"domains": [f"urn:li:domain:d{number % 20}"]})
    if number == 0:
        return
    lineage: dict = {"upstreams": [{"dataset": urn(other), "type": "TRANSFORMED"} for other in upstreams(number)]}
    if number % WITH_COLUMNS == 0:
        # Columns come from the nearest lower dataset that has columns too, and from one that many are made from.
        sources = dict.fromkeys(
            [number - WITH_COLUMNS, WITH_COLUMNS * int(number / WITH_COLUMNS * rng.random() ** LAW)]
        )
        lineage["fineGrainedLineages"] = [
            {
                "upstreamType": "FIELD_SET",
                "downstreamType": "FIELD",
                "upstreams": [column(other, (index + shift) % COLUMNS) for other in sources for shift in (0, 1)],
                "downstreams": [column(number, index)],
            }
            for index in range(COLUMNS)
        ]
    yield proposal_of(own, "upstreamLineage", lineage)


async def loaded(driver: neo4j.AsyncDriver) -> int:
    """How many datasets the graph has from an earlier run, which was not cut off."""
    text = "MATCH (d:Dataset) WHERE d.referencedOnly IS NULL RETURN count(d) AS number"
    async with driver.session(database="neo4j") as session:
        return int((await (await session.run(text)).single(strict=True))["number"])


async def load(driver: neo4j.AsyncDriver, begin: int, end: int) -> float:
    """
    Write the datasets of these numbers through the service, so that the graph cannot be another than its own.

    Returns:
        Seconds that it took, until all could be searched.
    """
    service = IngestService(driver, load_registry(), Neo4jSettings(), IngestSettings(), LimitSettings())
    start = time.perf_counter()

    async def lane(number: int) -> None:
        for first in range(begin + number * BATCH, end, LANES * BATCH):
            batch = [p for n in range(first, min(first + BATCH, end)) for p in proposals(n)]
            for answer in await service.ingest(batch):
                if not isinstance(answer, Applied):
                    raise SystemExit(f"not written: {answer}")

    await asyncio.gather(*map(lane, range(LANES)))
    await searchable(driver)
    return time.perf_counter() - start
