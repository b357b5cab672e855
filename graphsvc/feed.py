"""
Followers of one log of changes: each from a place of its own, each change once, and one reading of the log for all.

Whoever goes on from an older place reads the log by itself until it has come to where the common reading is.
"""

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import orjson
import structlog

from graphsvc.errors import BadRequest, GraphsvcError, TooSlow, Unavailable

MAX_WAITING = 10_000  # changes that wait for one follower
MAX_WAITING_BYTES = 64 * 1024 * 1024  # of values; the values are shared among followers
MAX_CURSOR = 20_000  # characters
CATCHING_UP = 16  # followers that read the log by themselves at a time
BACK_OFF_S = (0.2, 5.0)

# Part of a log (a partition of Kafka, or the journal's identity) -> number of the next record.
Position = Mapping[str, int]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """
    One record of a change log.

    Attributes:
        part: The part of the log that it stands in.
        number: Its place there.
        id: The change's identity: a change that the log repeats has it twice.
        urn: The entity.
        entity_type: Its type as URNs spell it.
        aspect: Name of the aspect; the key aspect stands for the entity itself.
        change_type: `UPSERT`, `DELETE` ….
        version: The aspect's version; None where the log does not say, 0 for points of timeseries.
        at: Milliseconds.
        actor: URN of who did it.
        value: JSON text; None for a deletion, or where the record was too large for the log.
        previous: The value before, as JSON text.
        timeseries: A point of a timeseries, not a version.
    """

    part: str
    number: int
    id: str
    urn: str
    entity_type: str
    aspect: str
    change_type: str
    version: int | None
    at: int
    actor: str | None
    value: str | None
    previous: str | None
    timeseries: bool

    @property
    def size(self) -> int:
        """Characters of its values."""
        return len(self.value or "") + len(self.previous or "")


class Batch(NamedTuple):
    """Changes in their order, where the log stood before them, and behind them."""

    changes: tuple[Change, ...]
    start: Position
    end: Position

    def steps(self) -> Iterator[tuple[Change, Position]]:
        """Each change with the position behind it, which is good until the next step."""
        position = dict(self.start)
        for change in self.changes:
            position[change.part] = max(position.get(change.part, 0), change.number + 1)
            yield change, position


class Source(Protocol):
    """A log of changes."""

    async def end(self) -> Position:
        """Where the next change will stand; Unavailable."""
        ...

    def follow(self, position: Position) -> AsyncGenerator[Batch, None]:
        """
        Everything from a position on, without repeats, for ever; a part that the position does not name from its start.

        Raises:
            BadRequest: The position is none of this log.
            CursorGone: What stood there is not kept any more.
            Unavailable: What holds the log does not answer.
        """
        ...


def cursor_of(position: Position) -> str:
    """A position as text for clients."""
    return base64.urlsafe_b64encode(orjson.dumps(dict(position))).decode().rstrip("=")


def position_of(cursor: str) -> Position:
    """
    What a cursor says.

    Raises:
        BadRequest: It is none.
    """
    if len(cursor) > MAX_CURSOR:
        raise BadRequest(f"the cursor has more than {MAX_CURSOR} characters")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as exc:
        raise BadRequest("the cursor is none that was answered here") from exc
    if not isinstance(found, dict) or not all(type(number) is int and number >= 0 for number in found.values()):
        raise BadRequest("the cursor is none that was answered here")
    return found


class Feed:
    """The followers of one log in one process."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position: Position = {}
        self._queues: set[_Queue] = set()
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._catching_up = asyncio.Semaphore(CATCHING_UP)

    async def end(self) -> Position:
        """Where the next change will stand; Unavailable."""
        return await self._source.end()

    async def changes(self, after: Position | None, wanted: Callable[[Change], bool]) -> AsyncGenerator[Batch, None]:
        """
        The wanted changes from a position on, for ever, each once.

        Args:
            after: Where to go on; None for now.
            wanted: Says so of a change; it is asked in the process's one loop, so it must be quick.

        Yields:
            Batches, some of them empty: these bring the position forward.

        Raises:
            BadRequest: The position is none of this log.
            CursorGone: What stood there is not kept any more.
            TooSlow: The follower takes its changes more slowly than they come.
            Unavailable: What holds the log does not answer.
        """
        async with self._reading():
            position = dict(await self._source.end() if after is None else after)
            if not _covers(self._position, position) and not _covers(await self._source.end(), position):
                raise BadRequest("the cursor is of another change log")
            queue, target = self._join(wanted)
            try:
                if not _covers(position, target):
                    async with self._catching_up, aclosing(self._source.follow(position)) as batches:
                        async for batch in batches:
                            yield batch._replace(changes=tuple(filter(wanted, batch.changes)))
                            position = dict(batch.end)
                            if queue.error is not None:  # too much came meanwhile, which is not the follower's fault
                                self._queues.discard(queue)
                                queue, target = self._join(wanted)
                            if _covers(position, target):
                                break
                while True:
                    batch = _rest(await queue.get(), position)
                    yield batch
                    position = dict(batch.end)
            finally:
                self._queues.discard(queue)

    def _join(self, wanted: Callable[[Change], bool]) -> tuple["_Queue", Position]:
        """A queue for everything behind a position, which comes with it."""
        queue = _Queue(wanted, self._position)
        self._queues.add(queue)
        return queue, self._position

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        """Read the log as long as somebody follows it."""
        async with self._turn:
            if self._task is None:
                self._position = await self._source.end()
                self._task = asyncio.create_task(self._read())
            self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and self._task is not None:
                task, self._task = self._task, None
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _read(self) -> None:
        """Hand everything that comes to all followers. What is away is waited for."""
        back_off, longest = BACK_OFF_S
        while True:
            try:
                async with aclosing(self._source.follow(self._position)) as batches:
                    async for batch in batches:
                        back_off = BACK_OFF_S[0]
                        self._position = batch.end
                        for queue in list(self._queues):
                            queue.put(batch)
            except Unavailable as error:
                log.warning("subscriptions wait", reason=str(error))
            except GraphsvcError as error:
                self._fail(error)
                with suppress(Unavailable):
                    self._position = await self._source.end()
            except Exception:
                log.exception("subscriptions: reading the log failed; it starts again")
            await asyncio.sleep(back_off)
            back_off = min(2 * back_off, longest)

    def _fail(self, error: GraphsvcError) -> None:
        log.warning("subscriptions end", reason=str(error))
        for queue in self._queues:
            queue.fail(error)
        self._queues.clear()


class _Queue:
    """What waits for one follower."""

    def __init__(self, wanted: Callable[[Change], bool], position: Position) -> None:
        self._wanted = wanted
        self._position = position
        self._batches: deque[Batch] = deque()
        self._count = self._bytes = 0
        self._some = asyncio.Event()
        self.error: GraphsvcError | None = None

    def put(self, batch: Batch) -> None:
        """Take what is wanted of a batch; too much of it is the end."""
        if self.error is not None:
            return
        changes = tuple(filter(self._wanted, batch.changes))
        if self._batches and not changes and not self._batches[-1].changes:
            self._batches[-1] = self._batches[-1]._replace(end=batch.end)
        else:
            self._batches.append(Batch(changes, self._position, batch.end))
        self._position = batch.end
        self._count += len(changes)
        self._bytes += sum(change.size for change in changes)
        if self._count > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            self.fail(
                TooSlow(
                    f"more than {MAX_WAITING} changes or {MAX_WAITING_BYTES} bytes wait for this subscription;"
                    " go on from its last cursor"
                )
            )
        self._some.set()

    def fail(self, error: GraphsvcError) -> None:
        """End it; what waits is forgotten."""
        self.error = error
        self._batches.clear()
        self._some.set()

    async def get(self) -> Batch:
        """The next batch; raises what ended the queue."""
        while not self._batches:
            if self.error is not None:
                raise self.error
            self._some.clear()
            await self._some.wait()
        batch = self._batches.popleft()
        self._count -= len(batch.changes)
        self._bytes -= sum(change.size for change in batch.changes)
        return batch


def _covers(position: Position, target: Position) -> bool:
    return all(position.get(part, 0) >= number for part, number in target.items())


def _rest(batch: Batch, position: Position) -> Batch:
    """The part of a batch that lies behind a position."""
    left = tuple(change for change in batch.changes if change.number >= position.get(change.part, 0))
    end = {part: max(position.get(part, 0), batch.end.get(part, 0)) for part in {*position, *batch.end}}
    return Batch(left, position, end)
