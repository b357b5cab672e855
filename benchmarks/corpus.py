"""Metadata for the benchmarks: the same proposals for every contestant, made from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

MCPS_PER_ENTITY = 3
LAYER = 50  # upstreams are picked among the datasets of about half the number, so that lineage gets deep


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset of the corpus: what its three aspects say."""

    urn: str
    name: str
    description: str
    owner_team: str
    upstreams: tuple[str, str]


def urn(prefix: str, number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:snowflake,{prefix}.schema_{number % 20}.table_{number:07d},PROD)"


def datasets(prefix: str, count: int, seed: int = 7) -> Iterator[Dataset]:
    """`count` datasets with two upstreams each; the description brings datasetProperties to about 0.4 KB."""
    rng = random.Random(seed)
    for number in range(count):
        low, high = max(0, number // 2 - LAYER), max(0, number // 2)
        yield Dataset(
            urn=urn(prefix, number),
            name=f"table_{number:07d}",
            description=f"Rows of table {number}: " + "".join(rng.choices("abcdefgh ", k=220)),
            owner_team=f"team-{number % 40}",
            upstreams=(urn(prefix, rng.randint(low, high)), urn(prefix, rng.randint(low, high))),
        )


def aspects(dataset: Dataset) -> dict[str, dict]:
    """The three aspects, as objects."""
    return {
        "status": {"removed": False},
        "datasetProperties": {
            "name": dataset.name,
            "description": dataset.description,
            "customProperties": {"team": dataset.owner_team, "tier": "2"},
            "tags": [],
        },
        "upstreamLineage": {
            "upstreams": [
                {
                    "dataset": upstream,
                    "type": "TRANSFORMED",
                    "auditStamp": {"time": 0, "actor": "urn:li:corpuser:bench"},
                }
                for upstream in dict.fromkeys(dataset.upstreams)
            ]
        },
    }


SYSTEM = {"lastObserved": 1_790_000_000_000, "runId": "bench", "lastRunId": "no-run-id-provided"}


def proposals(dataset: Dataset) -> list[dict]:
    """The three proposals on DataHub's wire: aspect values as JSON text."""
    return [
        {
            "entityType": "dataset",
            "entityUrn": dataset.urn,
            "changeType": "UPSERT",
            "aspectName": name,
            "aspect": {"value": orjson.dumps(value).decode(), "contentType": "application/json"},
            "systemMetadata": SYSTEM,
        }
        for name, value in aspects(dataset).items()
    ]
