"""What the emitters of both wires have in common: many at once, the `with` block, and the interpreter's end."""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Iterable
from types import TracebackType
from typing import Self

from graphsvc.client.errors import EmitError
from graphsvc.client.proposal import Proposal

log = logging.getLogger("graphsvc.client")


class Emitter(ABC):
    """Takes proposals, and delivers them at the latest when it is closed."""

    @abstractmethod
    def emit(self, proposal: Proposal) -> None:
        """Queue one proposal."""

    @abstractmethod
    def flush(self) -> None:
        """Wait until all proposals given so far have been answered."""

    @abstractmethod
    def close(self) -> None:
        """Flush, and take no more."""

    def emit_all(self, proposals: Iterable[Proposal]) -> None:
        """
        Send all of them, and what was queued before; all have been answered when this returns.

        Raises:
            EmitError: As `emit` and `flush` do.
        """
        for proposal in proposals:
            self.emit(proposal)
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except EmitError as error:
            if exc is None:
                raise
            while_another_ends_the_block(error)

    def _at_exit(self) -> None:
        try:
            self.close()
        except EmitError as error:
            at_the_end(error)


class AsyncEmitter(ABC):
    """The same as `Emitter` for asyncio."""

    @abstractmethod
    async def emit(self, proposal: Proposal) -> None:
        """Queue one proposal."""

    @abstractmethod
    async def flush(self) -> None:
        """Wait until all proposals given so far have been answered."""

    @abstractmethod
    async def close(self) -> None:
        """Flush, and take no more."""

    async def emit_all(self, proposals: Iterable[Proposal] | AsyncIterable[Proposal]) -> None:
        """
        Send all of them, and what was queued before; all have been answered when this returns.

        Raises:
            EmitError: As `emit` and `flush` do.
        """
        if isinstance(proposals, AsyncIterable):
            async for proposal in proposals:
                await self.emit(proposal)
        else:
            for proposal in proposals:
                await self.emit(proposal)
        await self.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except EmitError as error:
            if exc is None:
                raise
            while_another_ends_the_block(error)


def while_another_ends_the_block(error: EmitError) -> None:
    """Say what would hide the error that ends a `with` block."""
    log.error("while another error ends the block: %s", error)


def at_the_end(error: EmitError) -> None:
    """Say what nobody is left to catch."""
    log.error("at the interpreter's end: %s", error)
