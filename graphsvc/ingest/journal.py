"""Subscriptions without Kafka: a job keeps the journal in Neo4j, and any number of processes follow it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from uuid import uuid4

import structlog

from graphsvc.config import SubscriptionSettings
from graphsvc.errors import BadRequest, CursorGone, Unavailable
from graphsvc.feed import Batch, Change, Position
from graphsvc.graph.journal import NUMBERED_AT_ONCE, Journal
from graphsvc.graph.operations import Row
from graphsvc.graph.outbox import Outbox

LEASE = "journal"
LEASE_S = 5.0
IDLE_S = 0.1  # between two looks where nothing is new
BACK_OFF_S = (0.2, 5.0)

log = structlog.get_logger()


class Keeper:
    """
    Gives numbers to the changes that the outbox holds, and takes old ones out.

    Any number may run; one at a time does the work. Two that overlap for a moment do no harm.
    """

    def __init__(self, journal: Journal, outbox: Outbox, settings: SubscriptionSettings) -> None:
        self._journal = journal
        self._outbox = outbox
        self._settings = settings
        self._holder = uuid4().hex

    async def run(self) -> None:
        """Keep the journal until cancelled. A Neo4j that is away is waited for."""
        back_off, longest = BACK_OFF_S
        try:
            while True:
                try:
                    await self._journal.state()
                    while True:
                        await self._turn()
                        back_off = BACK_OFF_S[0]
                except Unavailable as error:
                    log.warning("journal waits", reason=str(error))
                    await asyncio.sleep(back_off)
                    back_off = min(2 * back_off, longest)
        finally:
            with suppress(Unavailable):  # so that the next one need not wait
                await self._outbox.take_lease(LEASE, self._holder, 0)

    async def _turn(self) -> None:
        if not await self._outbox.take_lease(LEASE, self._holder, int(LEASE_S * 1000)):
            await asyncio.sleep(LEASE_S / 4)
            return
        until = time.monotonic() + LEASE_S / 2
        while time.monotonic() < until:
            if await self._journal.number() < NUMBERED_AT_ONCE:
                await asyncio.sleep(IDLE_S)
        oldest = time.time() - self._settings.keep_hours * 3600
        await self._journal.trim(self._settings.keep_changes, int(oldest * 1000))


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
