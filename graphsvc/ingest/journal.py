"""Subscriptions without Kafka: a job keeps the journal in Neo4j, and any number of processes follow it."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from graphsvc.config import SubscriptionSettings
from graphsvc.errors import BadRequest, CursorGone
from graphsvc.feed import Batch, Change, Position
from graphsvc.graph.journal import Journal
from graphsvc.graph.operations import Row
from graphsvc.graph.outbox import Outbox
from graphsvc.ingest.leased import take_turns

LEASE = "journal"
LEASE_S = 5.0
IDLE_S = 0.1  # between two looks where nothing is new


class Keeper:
    """
    Gives numbers to the changes that the outbox holds, and takes old ones out.

    Any number may run; one at a time does the work. Two that overlap for a moment do no harm.
    """

    def __init__(self, journal: Journal, outbox: Outbox, settings: SubscriptionSettings) -> None:
        self._journal = journal
        self._outbox = outbox
        self._settings = settings

    async def run(self) -> None:
        """Keep the journal until cancelled. A Neo4j that is away is waited for."""
        await take_turns(self._outbox, LEASE, LEASE_S, self._opened, self._turn)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Journal]:
        await self._journal.state()
        yield self._journal

    async def _turn(self, journal: Journal, until: float) -> None:
        while time.monotonic() < until:
            if not await journal.number():
                await asyncio.sleep(IDLE_S)
        oldest = time.time() - self._settings.keep_hours * 3600
        await journal.trim(self._settings.keep_changes, int(oldest * 1000))


class JournalSource:
    """The journal as a log; its one part is named by the journal's identity."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def end(self) -> Position:
        """Behind the newest change."""
        state = await self._journal.state()
        return {state.journal: state.last}

    async def follow(self, position: Position) -> AsyncGenerator[Batch, None]:
        """See `Source`; the position is the last number that was seen."""
        state = await self._journal.state()
        if position.keys() != {state.journal}:
            raise BadRequest("the cursor is of another change log")
        last = position[state.journal]
        while True:
            rows = await self._journal.page(last)
            if rows:
                changes = tuple(_change(state.journal, row) for row in rows)
                yield Batch(changes, {state.journal: last}, {state.journal: last + len(rows)})
                last += len(rows)
                continue
            now = await self._journal.state()
            if now.trimmed > last or now.journal != state.journal:
                raise CursorGone(f"change {last + 1} is not kept any more; the oldest one is {now.trimmed + 1}")
            await asyncio.sleep(IDLE_S)


def _change(journal: str, row: Row) -> Change:
    return Change(
        part=journal,
        number=row["number"] - 1,  # numbers are from 1, places from 0
        id=row["id"],
        urn=row["urn"],
        entity_type=row["entityType"],
        aspect=row["aspect"],
        change_type=row["changeType"],
        version=row["version"],
        at=row["at"],
        actor=row["actor"],
        value=row.get("value"),
        previous=row.get("previousValue"),
        timeseries=row["kind"] == "timeseries",
    )
