"""Keep batches of one process apart that would run into a deadlock in Neo4j (docs/adr/0004)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from graphsvc.ingest.validate import Change


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """URNs of what a batch writes, and of that and what it points at."""

    written: frozenset[str]
    touched: frozenset[str]
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, other: "_Batch") -> bool:
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
        self._under_way: list[_Batch] = []

    @asynccontextmanager
    async def turn(self, changes: Sequence[Change]) -> AsyncIterator[None]:
        """Wait for the earlier batches that these changes meet; later ones that meet them wait until the block ends."""
        written = frozenset(change.urn.text for change in changes)
        ends = (urn for change in changes for edge in change.edges for urn in (edge.source, edge.target))
        batch = _Batch(written, written.union(ends))
        earlier = [other for other in self._under_way if batch.meets(other)]
        self._under_way.append(batch)
        try:
            for other in earlier:
                await other.over.wait()
            yield
        finally:
            self._under_way.remove(batch)
            batch.over.set()
