"""What one request may ask of Neo4j: the time that is left to it, and the writes that it has to see."""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

WRITES_KEPT = 8  # more than the transactions that one process has open at a time; see `Written`


class Written:
    """
    Bookmarks of what this process wrote last.

    A bookmark stands for everything that was committed before it. Among the latest few there is therefore one that
    stands for any earlier write too, as long as fewer transactions are open at a time than are kept here.
    """

    def __init__(self) -> None:
        self._latest: deque[str] = deque(maxlen=WRITES_KEPT)

    def add(self, bookmarks: Collection[str]) -> None:
        """Note a commit."""
        self._latest.extend(bookmarks)

    @property
    def bookmarks(self) -> tuple[str, ...]:
        """The latest, oldest first; empty before the first write."""
        return tuple(self._latest)


@dataclass(slots=True, eq=False)
class Budget:
    """
    What one request has.

    Attributes:
        seconds: Time for all of its reads together, from now.
        bookmarks: Writes that its reads have to see.
        wrote: It has written something.
    """

    seconds: float
    bookmarks: frozenset[str] = frozenset()
    wrote: bool = False
    _end: float = field(init=False)
    _reads: "set[asyncio.Task[object]]" = field(default_factory=set)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds that are left; 0 or less when there is no time left, or the request is over."""
        return self._end - time.monotonic()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A read, which `close` cancels while it runs."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  the driver runs in tasks only
        self._reads.add(task)
        try:
            yield
        finally:
            self._reads.discard(task)

    def close(self) -> None:
        """End what still reads: nobody waits for it. Neo4j ends a transaction whose connection is cut."""
        self._end = 0.0
        for task in tuple(self._reads):
            task.cancel()


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget | None:
    """The budget of the request on whose behalf this code runs; None outside of requests."""
    return _current.get()


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Everything in the block, and in tasks that it starts, is on behalf of one request, which ends with the block."""
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)
        budget.close()
