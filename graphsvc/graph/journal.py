"""The journal: changes under numbers without a gap, for subscriptions of a service without Kafka."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from neo4j import AsyncDriver, RoutingControl

from graphsvc.graph.driver import store_errors
from graphsvc.graph.operations import Row
from graphsvc.graph.queries import query
from graphsvc.graph.writer import Rows

NUMBERED_AT_ONCE = 1_000
TRIMMED_AT_ONCE = 10_000
LOOKED_AT = 500  # changes of one page at most
SIZE = 8 * 1024 * 1024  # bytes of one page, but one change comes in any case


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

    async def state(self) -> State:
        """Where it stands; there is one from the first look on."""
        found = await self._one("read/journal")
        if found["journal"] is None:
            await self._write("write/open_journal")
            found = await self._one("read/journal")
        return State(found["journal"], found["last"], found["trimmed"])

    async def number(self) -> int:
        """
        Give numbers to the oldest changes of the outbox, those of one URN in their order.

        Returns:
            How many had been waiting, up to `NUMBERED_AT_ONCE`.
        """
        seen = await self._waiting(NUMBERED_AT_ONCE)
        if not seen:
            return 0
        # A look takes its time: it may miss a change and yet see the next one of that URN. The second look sees both.
        ids = in_order(seen, await self._waiting(2 * NUMBERED_AT_ONCE))
        await self._write("write/number_changes", ids=Rows(ids))
        return len(seen)

    async def page(self, after: int) -> list[Row]:
        """
        The changes behind a number, in order and without a gap; none if the next one is not there.

        Returns:
            Properties of the changes (docs/graph-model.md), `LOOKED_AT` and `SIZE` at most.
        """
        sizes = (await self._one("read/journal_sizes", after=after, until=after + LOOKED_AT))["sizes"]
        until, size = after, 0
        for number, length, _ in sizes:
            size += length
            if number != until + 1 or (size > SIZE and until > after):
                break
            until = number
        if until == after:
            return []
        rows = (await self._one("read/journal_changes", after=after, until=until))["changes"]
        found = {row["number"]: row for row in rows}
        return [found[number] for number in range(after + 1, until + 1)] if len(found) == until - after else []

    async def trim(self, keep: int, before: int) -> None:
        """
        Take out the oldest changes, or a part of them if they are many.

        Args:
            keep: So many of the newest stay, if they are young enough.
            before: Milliseconds; what is older goes.
        """
        state = await self.state()
        sizes = (await self._one("read/journal_sizes", after=state.trimmed, until=state.trimmed + TRIMMED_AT_ONCE))[
            "sizes"
        ]
        old = max((number for number, _, at in sizes if at < before), default=0)
        until = min(max(old, state.last - keep), state.trimmed + TRIMMED_AT_ONCE)
        if until > state.trimmed:
            await self._write("write/trim_journal", until=until)

    async def _waiting(self, limit: int) -> list[tuple[str, str, int]]:
        """Id, URN and order of the oldest changes of the outbox."""
        return [
            (name, urn, order) for name, urn, order in (await self._one("read/outbox_changes", limit=limit))["changes"]
        ]

    async def _one(self, file: str, **parameters: Any) -> Mapping[str, Any]:
        with store_errors():
            records, _, _ = await self._driver.execute_query(
                query(file), parameters, database_=self._database, routing_=RoutingControl.READ
            )
        return records[0]

    async def _write(self, file: str, **parameters: Any) -> None:
        with store_errors():
            await self._driver.execute_query(query(file), parameters, database_=self._database)


def in_order(seen: Sequence[tuple[str, str, int]], again: Sequence[tuple[str, str, int]]) -> list[str]:
    """
    Ids of what was seen, with what a second look found before it under the same URN, in order.

    Args:
        seen: Id, URN and order of changes.
        again: The same of a second look.
    """
    latest: dict[str, int] = {}
    for _, urn, order in seen:
        latest[urn] = max(order, latest.get(urn, order))
    missed = [row for row in again if row[2] < latest.get(row[1], row[2])]
    found = {name: order for name, _, order in (*seen, *missed)}
    return sorted(found, key=found.__getitem__)
