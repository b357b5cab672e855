"""Let callers that come at the same time share a transaction, as databases do with commits (docs/adr/0008)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from graphsvc.errors import StoreRefused
from graphsvc.ingest.changes import Answer
from graphsvc.ingest.validate import Change

WRITERS = 2  # transactions at a time: one is planned in Python while Neo4j works on the other
SHARED = 1_000  # changes that several callers put into one transaction at most

Write = Callable[[Sequence[Change], str], Awaitable[list[Answer]]]


@dataclass(slots=True)
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
        """Keep the function that writes changes in one transaction on behalf of an actor."""
        self._write = write
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
        caller = _Caller(changes, actor, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        if len(self._writers) < WRITERS:
            writer = asyncio.create_task(self._serve())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await caller.answers

    async def _serve(self) -> None:
        while self._waiting:
            await self._write_for(self._next())

    def _next(self) -> list[_Caller]:
        callers = [self._waiting.popleft()]
        size = len(callers[0].changes)
        while self._waiting and self._waiting[0].actor == callers[0].actor:
            size += len(self._waiting[0].changes)
            if size > SHARED:
                break
            callers.append(self._waiting.popleft())
        return callers

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
