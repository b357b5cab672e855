"""
The ceiling: what someone who knows the graph by heart would write by hand, straight through Neo4j's driver.

It writes the same graph as graphsvc for `corpus`: every node, property and edge (`run.py` compares the two). It reads
nothing, checks nothing, keeps no history, and its rows are made before the clock starts.
"""

import asyncio
import time

import neo4j
import orjson
from corpus import SYSTEM, Dataset, aspects

from graphsvc.graph.words import name_words

ENTITIES = """
UNWIND $rows AS row
MERGE (e:Entity {urn: row.urn})
SET e:Dataset, e += row.properties
REMOVE e.referencedOnly
FOREACH (aspect IN row.aspects |
  CREATE (e)-[:HAS_ASPECT]->(a:Aspect)
  SET a = aspect
)
"""
EDGES = """
UNWIND $rows AS row
MATCH (source:Entity {urn: row.source})
MERGE (target:Entity {urn: row.target})
ON CREATE SET target:Dataset, target += row.target_properties, target.referencedOnly = true
CREATE (source)-[edge:DownstreamOf]->(target)
SET edge = row.properties
"""

Batch = tuple[list[dict], list[dict]]


def text(value: dict) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def bare(urn: str) -> dict:
    platform, name, origin = urn[len("urn:li:dataset:(") : -1].split(",")
    return {"platform": platform, "id": name, "name": name, "nameWords": name_words(name), "origin": origin}


def batch(datasets: list[Dataset], now: int) -> Batch:
    """Rows for one batch of datasets."""
    system = text(SYSTEM)
    stamp = {
        "version": 1,
        "createdAt": now,
        "createdBy": "urn:li:corpuser:unknown",
        "systemMetadata": system,
        "runId": "bench",
    }
    entities, edges = [], []
    for dataset in sorted(datasets, key=lambda d: d.urn):
        key = bare(dataset.urn)
        values = {
            "datasetKey": {"platform": key["platform"], "name": key["id"], "origin": key["origin"]},
            **aspects(dataset),
        }
        properties = values["datasetProperties"]
        entities.append(
            {
                "urn": dataset.urn,
                "properties": {
                    **key,
                    "name": properties["name"],
                    "nameWords": name_words(properties["name"], key["id"]),
                    "description": properties["description"],
                    "customProperties": [f"{k}={v}" for k, v in sorted(properties["customProperties"].items())],
                    "removed": False,
                    "facetValues": [
                        "_entityType=Dataset",
                        f"platform={key['platform']}",
                        f"origin={key['origin']}",
                        "removed=false",
                    ],
                },
                "aspects": [{"name": name, "value": text(value), **stamp} for name, value in values.items()],
            }
        )
        edges.extend(
            {
                "source": dataset.urn,
                "target": upstream["dataset"],
                "target_properties": bare(upstream["dataset"]),
                "properties": {
                    "aspect": "upstreamLineage",
                    "declaredBy": dataset.urn,
                    "lineage": True,
                    "createdOn": SYSTEM["lastObserved"],
                    "updatedOn": SYSTEM["lastObserved"],
                    "updatedActor": "urn:li:corpuser:bench",
                    "since": now,
                },
            }
            for upstream in values["upstreamLineage"]["upstreams"]
        )
    edges.sort(key=lambda row: (row["target"], row["source"]))
    return entities, edges


async def write(driver: neo4j.AsyncDriver, batches: list[Batch], writers: int) -> None:
    """Write all batches with this many writers at once, each batch in one managed transaction."""
    queue = list(reversed(batches))

    async def work(tx: neo4j.AsyncManagedTransaction, rows: Batch) -> None:
        await (await tx.run(ENTITIES, rows=rows[0])).consume()
        await (await tx.run(EDGES, rows=rows[1])).consume()

    async def writer() -> None:
        async with driver.session(database="neo4j") as session:
            while queue:
                await session.execute_write(work, queue.pop())

    await asyncio.gather(*(writer() for _ in range(writers)))


async def searchable(driver: neo4j.AsyncDriver) -> float:
    """
    Wait until what was written can be searched, and give the seconds that this took.

    The full-text index follows the commits: whoever wrote pays for it, not the contestant who comes next.
    """
    start = time.perf_counter()
    async with driver.session(database="neo4j") as session:
        await (await session.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")).consume()
    return time.perf_counter() - start
