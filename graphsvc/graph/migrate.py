"""Run `cypher/schema/` in order, once each, noting it in the graph; safe with several replicas starting at once."""

import re
import time
from typing import LiteralString, cast

import stamina
from neo4j import AsyncDriver, AsyncSession
from neo4j.exceptions import ClientError, TransientError

from graphsvc.errors import ConfigError
from graphsvc.graph.driver import store_errors
from graphsvc.graph.queries import ROOT

_FILE = re.compile(r"V(\d+)__(\w+)\.cypher")
_ALREADY_THERE = "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists"


def migrations() -> dict[int, tuple[str, str]]:
    """Number -> (name, text) of every file, in order."""
    found: dict[int, tuple[str, str]] = {}
    for file in sorted((ROOT / "schema").glob("*.cypher")):
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise ConfigError(f"cypher/schema/{file.name} is not called V<number>__<name>.cypher")
        found[int(match[1])] = (match[2], file.read_text(encoding="utf-8"))
    return found


async def migrate(driver: AsyncDriver, database: str) -> list[str]:
    """
    Bring the graph's constraints and indexes up to date.

    One replica works at a time: it holds the write lock on a `:MigrationLock` node while it runs what is missing.

    Returns:
        Names of the migrations that were run now; none when the graph was up to date.

    Raises:
        StoreUnavailable: Neo4j is away.
        ConfigError: The graph was written by a newer graphsvc.
    """
    with store_errors():
        async for attempt in stamina.retry_context(on=_contended, attempts=20, timeout=120.0, wait_initial=0.1):
            with attempt:
                return await _migrate(driver, database)
    raise AssertionError("stamina either returns or raises")


def _contended(exc: Exception) -> bool:
    """Another replica is at the same constraint at the same moment."""
    return isinstance(exc, TransientError) or (isinstance(exc, ClientError) and exc.code == _ALREADY_THERE)


async def _migrate(driver: AsyncDriver, database: str) -> list[str]:
    async with driver.session(database=database) as holder, driver.session(database=database) as worker:
        await _run(
            holder,
            "CREATE CONSTRAINT migration_lock IF NOT EXISTS FOR (m:MigrationLock) REQUIRE m.id IS UNIQUE",
        )
        async with await holder.begin_transaction() as held:
            await (await held.run("MERGE (m:MigrationLock {id: 1}) SET m.lockedAt = timestamp()")).consume()
            done = await _missing(worker)
            await held.commit()
    return done


async def _missing(session: AsyncSession) -> list[str]:
    known = migrations()
    result = await session.run("MATCH (m:Migration) RETURN collect(m.number) AS numbers")
    record = await result.single(strict=True)
    noted = set(record["numbers"])
    if newer := noted - known.keys():
        raise ConfigError(
            f"this graph has schema version {max(newer)}; this graphsvc knows up to {max(known)}: upgrade it"
        )
    done: list[str] = []
    for number in sorted(known.keys() - noted):
        name, text = known[number]
        await _run(session, cast(LiteralString, text))
        note = "CREATE (:Migration {number: $number, name: $name, at: $at})"
        await (await session.run(note, number=number, name=name, at=time.time_ns() // 1_000_000)).consume()
        done.append(f"V{number:03d} {name}")
    if done:
        await _run(session, "CALL db.awaitIndexes(300)")
    return done


async def _run(session: AsyncSession, text: LiteralString) -> None:
    await (await session.run(text)).consume()
