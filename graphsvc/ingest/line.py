"""The order among batches of one consumer that are applied side by side."""

import asyncio


class Line:
    """
    One batch's place in the line: behind the one before it, which may be over.

    Attributes:
        turn: Its place among all batches of the process (`Apart`); None before it has one.
    """

    def __init__(self, before: "Line | None") -> None:
        """Stand behind another."""
        self._before = before
        self.turn: int | None = None
        self._begun, self._sealed, self._over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def first(self) -> bool:
        """Whether there is no batch before that is not over."""
        return self._before is None or self._before._over.is_set()  # noqa: SLF001

    async def begin(self) -> None:
        """Wait until the batch before has begun; then let the next one begin."""
        if self._before is not None:
            await self._before._begun.wait()  # noqa: SLF001
        self._begun.set()

    async def reach(self) -> None:
        """Wait until the batch before has nothing left to do but its commit, or is over."""
        if self._before is not None:
            await self._before._sealed.wait()  # noqa: SLF001

    async def lead(self) -> None:
        """Wait until the batch before is over."""
        if self._before is not None:
            await self._before._over.wait()  # noqa: SLF001
            self._before = None

    def seal(self) -> None:
        """Let the next one ask for its offsets: nothing but the commit is left to do."""
        self._sealed.set()

    def end(self) -> None:
        """Be over, however it went."""
        self._before = None
        self._begun.set()
        self._sealed.set()
        self._over.set()
