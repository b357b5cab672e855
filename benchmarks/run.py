"""
The figures of docs/benchmarks.md, measured in one run and given as ratios to a hand-written ceiling.

    python benchmarks/run.py [--datasets 20000] [--rounds 5] [--only ingest|kafka|lineage|reading]
                             [--sizes 10000,100000,1000000]

Neo4j is the one that NEO4J_URI names (its graph gets the benchmark's data added), else a private one in a temporary
folder. Prints a table and writes benchmarks/latest.json: name -> {value, unit, ceiling, ratio}.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import consume
import ingest
import lineage
import neo4j
import reading
import uvloop
from rich.console import Console
from rich.table import Table

from graphsvc.graph.driver import open_driver
from graphsvc.graph.migrate import migrate
from graphsvc.local.stack import LocalStack

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Figure:
    """One line of the table: ours, the ceiling's, and ours as a ratio to it."""

    value: float
    unit: str
    ceiling: float
    ratio: float
    target: str


@asynccontextmanager
async def graph() -> AsyncIterator[tuple[neo4j.AsyncDriver, dict[str, str]]]:
    """An open driver, and the environment in which a process of its own finds the same Neo4j."""
    async with AsyncExitStack() as stack:
        if "NEO4J_URI" in os.environ:
            env = {name: os.environ[name] for name in os.environ if name.startswith("NEO4J_")}
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            endpoints = stack.enter_context(LocalStack(Path(folder), console=Console(stderr=True))).endpoints
            env = {"NEO4J_URI": endpoints.bolt_uri, "NEO4J_USER": endpoints.user, "NEO4J_PASSWORD": endpoints.password}
        driver = open_driver(env["NEO4J_URI"], env.get("NEO4J_USER", "neo4j"), env.get("NEO4J_PASSWORD", ""))
        async with driver:
            await migrate(driver, "neo4j")
            yield driver, env


@contextmanager
def broker() -> Iterator[str]:
    """A Kafka: the one that KAFKA_BOOTSTRAP names, else a private one."""
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        yield bootstrap
        return
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder), store=False, kafka=True) as stack:
        assert stack.endpoints.kafka_bootstrap is not None
        yield stack.endpoints.kafka_bootstrap


def machine() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE, check=False
    )
    return {
        "commit": commit.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "cores": str(os.cpu_count()),
    }


def show(figures: dict[str, Figure]) -> None:
    table = Table("figure", "ours", "ceiling", "unit", "ratio", "to reach")
    for name, figure in figures.items():
        table.add_row(
            name, f"{figure.value:,.1f}", f"{figure.ceiling:,.1f}", figure.unit, f"{figure.ratio:.2f}", figure.target
        )
    Console(width=140).print(table)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--datasets", type=int, default=20_000, help="datasets per contestant and round, three MCPs each"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds; each contestant runs once in each")
    parser.add_argument("--only", choices=("ingest", "kafka", "lineage", "reading"), help="measure only this")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="datasets of the graphs that are read from")
    arguments = parser.parse_args()
    async with graph() as (driver, env):
        measured: dict[str, dict] = {}
        if arguments.only in (None, "ingest"):
            measured |= await ingest.measure(driver, env, arguments.datasets, arguments.rounds)
        if arguments.only in (None, "lineage"):
            measured |= await lineage.measure(driver, env)
        if arguments.only in (None, "reading"):
            measured |= await reading.measure(driver, env, [int(size) for size in arguments.sizes.split(",")])
        if arguments.only in (None, "kafka"):
            with broker() as bootstrap:
                measured |= await consume.measure(driver, env, bootstrap, arguments.datasets, arguments.rounds)
        figures = {name: Figure(**figure) for name, figure in measured.items()}
    show(figures)
    latest = {
        name: {"value": f.value, "unit": f.unit, "ceiling": f.ceiling, "ratio": f.ratio} for name, f in figures.items()
    }
    (HERE / "latest.json").write_text(json.dumps(latest, indent=2) + "\n")
    print("machine:", machine(), file=sys.stderr)


if __name__ == "__main__":
    uvloop.run(main())
