"""Keep batches of one process apart that would run into a deadlock in Neo4j (docs/adr/0004)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from graphsvc.ingest.validate import Change


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """URNs of what a batch writes, and of that and what it points at."""

    written: frozenset[str]
    touched: frozenset[str]

    @classmethod
    def of(cls, changes: Sequence[Change]) -> "Batch":
        """The batch that is made of these changes."""
        written = frozenset(change.urn.text for change in changes)
        return cls(written, written.union([u for c in changes for edge in c.edges for u in (edge.source, edge.target)]))

    def meets(self, other: "Batch") -> bool:
        """
        Whether one of them writes what the other touches.

        Not whether both point at the same: edges are made in one order, so those wait without a deadlock, and only
        from their edges to the commit.
        """
        return not (self.written.isdisjoint(other.touched) and self.touched.isdisjoint(other.written))


class Apart:
    """Lets a batch pass when no earlier one is under way that writes what it touches, or touches what it writes."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._under_way: dict[Batch, asyncio.Event] = {}  # set when the batch is over

    def free(self, batch: Batch) -> bool:
        """Whether the batch would not have to wait now."""
        return not self._met_by(batch)

    @asynccontextmanager
    async def turn(self, changes: Sequence[Change]) -> AsyncIterator[None]:
        """Wait for the earlier batches that these changes meet; later ones that meet them wait until the block ends."""
        batch = Batch.of(changes)
        earlier = self._met_by(batch)
        over = self._under_way[batch] = asyncio.Event()
        try:
            for other in earlier:
                await other.wait()
            yield
        finally:
            del self._under_way[batch]
            over.set()

    def _met_by(self, batch: Batch) -> list[asyncio.Event]:
        return [over for other, over in self._under_way.items() if batch.meets(other)]
