"""The journal: changes under numbers without a gap, for subscriptions of a service without Kafka."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from neo4j import AsyncDriver, RoutingControl

from graphsvc.graph.driver import store_errors
from graphsvc.graph.operations import Row
from graphsvc.graph.outbox import LOOKED_AT, Outbox
from graphsvc.graph.queries import query
from graphsvc.graph.records import records_of
from graphsvc.graph.writer import Rows

KINDS = ("changes",)
TRIMMED_AT_ONCE = 1_000  # chunks
PAGE = 500  # changes of one page, but one chunk comes in any case
SIZE = 8 * 1024 * 1024  # bytes of one page, likewise


class State(NamedTuple):
    """
    Where the journal stands.

    Attributes:
        journal: Its identity; another graph, or an emptied one, has another.
        last: The number of its newest change, from 1; 0 if it never had one.
        trimmed: The number up to which changes are not kept any more.
    """

    journal: str
    last: int
    trimmed: int


class Journal:
    """
    The journal of one database.

    Transactions commit in no order of their own, so a change gets its number only when it can be seen, in a
    transaction that gives numbers alone: what has a lower number was there before. All calls raise StoreUnavailable
    when Neo4j does not answer.
    """

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database
        self._outbox = Outbox(driver, database)

    async def state(self) -> State:
        """Where it stands; there is one from the first look on."""
        found = await self._one("read/journal")
        if found["journal"] is None:
            await self._write("write/open_journal")
            found = await self._one("read/journal")
        return State(found["journal"], found["last"], found["trimmed"])

    async def number(self) -> bool:
        """
        Give numbers to the oldest changes of the outbox, those of one URN in their order.

        Returns:
            Whether more may be waiting.
        """
        waiting = await self._outbox.waiting(KINDS)
        if waiting:
            await self._write("write/number_changes", ids=Rows(chunk.id for chunk in waiting))
        return len(waiting) >= LOOKED_AT

    async def page(self, after: int) -> list[Row]:
        """
        The changes behind a number, in order and without a gap; none if the next one is not there.

        Returns:
            Records of the changes (docs/graph-model.md) with their `number`, `PAGE` and `SIZE` at most, but a chunk.
        """
        until, changes, size = after, 0, 0
        for number, count, length, _ in await self._sizes(after, LOOKED_AT):
            changes += count
            size += length
            if number - count > until or (until > after and (changes > PAGE or size > SIZE)):
                break
            until = number
        if until == after:
            return []
        chunks = (await self._one("read/journal_changes", after=after, until=until))["chunks"]
        rows = {
            number: {**record, "number": number}
            for chunk in chunks
            for number, record in enumerate(records_of(chunk), chunk["number"] - chunk["count"] + 1)
        }
        wanted = range(after + 1, until + 1)
        return [rows[number] for number in wanted] if all(number in rows for number in wanted) else []

    async def trim(self, keep: int, before: int) -> None:
        """
        Take out the oldest changes, or a part of them if they are many.

        Args:
            keep: So many of the newest stay, if they are young enough; a chunk of them goes as a whole.
            before: Milliseconds; what is older goes.
        """
        state = await self.state()
        until = state.trimmed
        for number, _, _, at in await self._sizes(state.trimmed, TRIMMED_AT_ONCE):
            if at >= before and number > state.last - keep:
                break
            until = number
        if until > state.trimmed:
            await self._write("write/trim_journal", until=until)

    async def _sizes(self, after: int, limit: int) -> list[tuple[int, int, int, int]]:
        """Number of the last change, count, bytes and time of chunks that end behind a number."""
        return [tuple(row) for row in (await self._one("read/journal_sizes", after=after, limit=limit))["sizes"]]

    async def _one(self, file: str, **parameters: Any) -> Mapping[str, Any]:
        with store_errors():
            records, _, _ = await self._driver.execute_query(
                query(file), parameters, database_=self._database, routing_=RoutingControl.READ
            )
        return records[0]

    async def _write(self, file: str, **parameters: Any) -> None:
        with store_errors():
            await self._driver.execute_query(query(file), parameters, database_=self._database)
