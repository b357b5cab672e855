"""Let callers that come at the same time share a transaction, as databases do with commits (docs/adr/0008)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from graphsvc.errors import StoreRefused
from graphsvc.ingest.changes import Answer
from graphsvc.ingest.validate import Change

WRITERS = 3  # transactions at a time: one is planned in Python while Neo4j works on the others
MANY = 300  # changes that are worth another one; fewer wait for company, since each transaction has a fixed price
LONG = 500  # changes under way that nobody waits for: they take a tenth of a second
SHARED = 1_000  # changes that several callers put into one transaction at most

Write = Callable[[Sequence[Change], str], Awaitable[list[Answer]]]


@dataclass(slots=True, eq=False)
class _Caller:
    changes: Sequence[Change]
    actor: str
    answers: asyncio.Future[list[Answer]]


class Together:
    """
    Runs writes, at most `WRITERS` at a time; callers that wait for a writer are served by one transaction.

    A caller's changes are never split, and keep their order. A caller alone is not held up.
    """

    def __init__(self, write: Write) -> None:
        """Keep what writes changes in one transaction on behalf of an actor."""
        self._write = write
        self._waiting: deque[_Caller] = deque()
        self._writers: set[asyncio.Task[None]] = set()
        self._under_way = 0

    async def write(self, changes: Sequence[Change], actor: str) -> list[Answer]:
        """
        Write the changes, alone or with those of other callers.

        Returns:
            An answer per change, in order, when they are committed.

        Raises:
            StoreUnavailable: As the function that writes raised it.
        """
        caller = _Caller(changes, actor, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        self._call_writer()
        return await caller.answers

    def _call_writer(self) -> None:
        if self._waiting and len(self._writers) < WRITERS and self._is_worth_one():
            self._writers.add(asyncio.create_task(self._serve()))

    def _is_worth_one(self) -> bool:
        return not self._writers or self._under_way > LONG or _size(self._waiting) >= MANY

    async def _serve(self) -> None:
        try:
            while callers := self._next():
                size = _size(callers)
                self._under_way += size
                self._call_writer()
                try:
                    await self._write_for(callers)
                finally:
                    self._under_way -= size
        finally:
            self._writers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _next(self) -> list[_Caller]:
        """Those who have waited longest."""
        taken: list[_Caller] = []
        size = 0
        while self._waiting:
            caller = self._waiting[0]
            size += len(caller.changes)
            if taken and (size > SHARED or caller.actor != taken[0].actor):
                break
            taken.append(self._waiting.popleft())
        return taken

    async def _write_for(self, callers: Sequence[_Caller]) -> None:
        try:
            answers = await self._write([change for caller in callers for change in caller.changes], callers[0].actor)
        except Exception as exc:  # noqa: BLE001  whatever it is, it is the callers' to see
            if len(callers) > 1 and isinstance(exc, StoreRefused):
                for caller in callers:  # Neo4j refused the transaction: nobody suffers for another one's changes
                    await self._write_for([caller])
            else:
                for caller in callers:
                    if not caller.answers.done():
                        caller.answers.set_exception(exc)
            return
        start = 0
        for caller in callers:
            end = start + len(caller.changes)
            if not caller.answers.done():  # a caller may have gone away meanwhile
                caller.answers.set_result(answers[start:end])
            start = end


def _size(callers: Iterable[_Caller]) -> int:
    return sum(len(caller.changes) for caller in callers)
