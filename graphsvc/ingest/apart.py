"""Keep batches of one process apart that would run into a deadlock in Neo4j (docs/adr/0004)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import count

from graphsvc.ingest.line import Line
from graphsvc.ingest.validate import Change

KNOWN = 50_000  # URNs that are remembered to have a node


class Turn:
    """
    One batch's turn beside those of other batches.

    Attributes:
        awaited: URNs that are not to be touched before the earlier batches are over: what those touch of its own
            entities, and ends of its edges which they write or bring into being.
    """

    def __init__(self, changes: Sequence[Change], earlier: Iterable["Turn"], known: Collection[str]) -> None:
        """Note what the batch writes, what it touches (that, and what it points at), and what of it may be new."""
        self.written = frozenset(change.urn.text for change in changes)
        self.touched = self.written.union(end for change in changes for end in _ends(change))
        self.new = frozenset(urn for urn in self.touched if urn not in known)
        self.awaited: frozenset[str] = frozenset()
        self._met = [other for other in earlier if self._meets(other)]
        self._locked, self._over = asyncio.Event(), asyncio.Event()

    @property
    def late(self) -> frozenset[str]:
        """URNs whose changes have to wait until the earlier batches are over; the others need not, but for edges."""
        return self.written & self.awaited

    def _meets(self, other: "Turn") -> bool:
        """
        Whether one of them writes what the other touches, or both may bring the same node into being.

        Not whether both point at the same one that is there: Neo4j locks that at the commit.
        """
        return not (
            self.written.isdisjoint(other.touched)
            and self.touched.isdisjoint(other.written)
            and self.new.isdisjoint(other.new)
        )

    async def begin(self, *, part: bool) -> None:
        """
        Wait until the batch, or the part of it that meets no earlier one, can go.

        Args:
            part: Whether its entities may be written one before the other.
        """
        # Behind its first lock, a batch brings no entities into being any more; that is what this one could hold up.
        for other in self._met:
            await (other._locked if part else other._over).wait()  # noqa: SLF001
        met = [other for other in self._met if not other._over.is_set()]  # noqa: SLF001
        theirs = frozenset[str]().union(*(other.written | other.new for other in met))
        touched = frozenset[str]().union(*(other.touched for other in met))
        late = self.written & touched
        if late == self.written:
            for other in met:
                await other._over.wait()  # noqa: SLF001
        else:
            self.awaited = late | (self.touched & theirs)

    def has_locks(self) -> None:
        """Let later batches begin that meet this one."""
        self._locked.set()

    async def lead(self) -> None:
        """Wait for the earlier batches that this one meets to be over."""
        for other in self._met:
            await other._over.wait()  # noqa: SLF001
        self.awaited = frozenset()

    def end(self) -> None:
        """Let those go that wait for the end."""
        self._locked.set()
        self._over.set()
        self._met.clear()


class Apart:
    """Knows the batches under way, and lets one begin when no earlier one is in its way."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._under_way: dict[Turn, int] = {}  # with their places
        self._places = count()
        self._known: set[str] = set()

    @asynccontextmanager
    async def turn(
        self, changes: Sequence[Change], *, part: bool = False, line: Line | None = None
    ) -> AsyncIterator[Turn]:
        """
        Take a turn, which ends with the block.

        Args:
            changes: The batch.
            part: Begin when some of its entities meet no earlier batch, and say which ones do (`Turn.late`).
            line: The batch's place in the line of its consumer. A batch that begins again keeps its turn, before those
                that came meanwhile: they may wait for it in the line.
        """
        place = next(self._places) if line is None or line.turn is None else line.turn
        if line is not None:
            line.turn = place
        turn = Turn(changes, [other for other, its in self._under_way.items() if its < place], self._known)
        self._under_way[turn] = place
        try:
            await turn.begin(part=part)
            yield turn
            self._note(turn.new)
        finally:
            del self._under_way[turn]
            turn.end()

    def _note(self, urns: Collection[str]) -> None:
        """Remember that these have nodes; where one goes again, batches that bring it back wait for each other."""
        if len(self._known) + len(urns) > KNOWN:
            self._known.clear()
        self._known.update(urns)


def _ends(change: Change) -> Iterable[str]:
    for edge in change.edges:
        yield edge.source
        yield edge.target
