"""Let callers that come at the same time share a transaction, as databases do with commits (docs/adr/0008)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

from graphsvc.errors import StoreRefused
from graphsvc.ingest.apart import Apart, Batch
from graphsvc.ingest.changes import Answer
from graphsvc.ingest.validate import Change

WRITERS = 3  # transactions at a time: one is planned in Python while Neo4j works on the others
SHARED = 1_000  # changes that several callers put into one transaction at most
PATIENCE = 4  # callers that may overtake one; after that those that meet it wait behind it
PASSED = 16  # callers that are overtaken at a time

Write = Callable[[Sequence[Change], str], Awaitable[list[Answer]]]


@dataclass(slots=True, eq=False)
class _Caller:
    changes: Sequence[Change]
    actor: str
    batch: Batch
    answers: asyncio.Future[list[Answer]]
    overtaken: int = 0


class Together:
    """
    Runs writes, at most `WRITERS` at a time; callers that wait for a writer are served by one transaction.

    A caller's changes are never split, and keep their order. A caller alone is not held up. One that would have to
    wait for a batch under way does not take a writer for that: those behind it overtake it, a few times at most.
    """

    def __init__(self, write: Write, apart: Apart) -> None:
        """
        Keep what it works with.

        Args:
            write: Writes changes in one transaction on behalf of an actor, when `apart` lets them.
            apart: Knows what is under way.
        """
        self._write = write
        self._apart = apart
        self._waiting: deque[_Caller] = deque()
        self._writers: set[asyncio.Task[None]] = set()

    async def write(self, changes: Sequence[Change], actor: str) -> list[Answer]:
        """
        Write the changes, alone or with those of other callers.

        Returns:
            An answer per change, in order, when they are committed.

        Raises:
            StoreUnavailable: As the function that writes raised it.
        """
        caller = _Caller(changes, actor, Batch.of(changes), asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        self._call_writer()
        return await caller.answers

    def _call_writer(self) -> None:
        if self._waiting and len(self._writers) < WRITERS:
            self._writers.add(asyncio.create_task(self._serve()))

    async def _serve(self) -> None:
        try:
            while callers := self._next():
                self._call_writer()
                await self._write_for(callers)
        finally:
            self._writers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _next(self) -> list[_Caller]:
        """The oldest who need not wait for what is under way; whoever that is, if no other writer is at work."""
        taken: list[_Caller] = []
        passed: list[_Caller] = []
        size = 0
        for caller in self._waiting:
            if not self._apart.free(caller.batch) or any(
                other.overtaken >= PATIENCE and other.batch.meets(caller.batch) for other in passed
            ):
                passed.append(caller)
                if len(passed) == PASSED:
                    break
                continue
            size += len(caller.changes)
            if taken and (size > SHARED or caller.actor != taken[0].actor):
                break
            taken.append(caller)
            for other in passed:
                other.overtaken += 1
        if not taken and passed and len(self._writers) == 1:
            taken = passed[:1]
        for caller in taken:
            self._waiting.remove(caller)
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
