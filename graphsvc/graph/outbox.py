"""What waits to be published, how far consumers have come, and which process of several does a thing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from neo4j import AsyncDriver, RoutingControl

from graphsvc.graph.driver import store_errors
from graphsvc.graph.operations import Row
from graphsvc.graph.queries import query
from graphsvc.graph.records import records_of
from graphsvc.graph.writer import Rows

FORGOTTEN_AT_ONCE = 10_000
LOOKED_AT = 100  # chunks that one look into the outbox finds
ALL_KINDS = ("changes", "letters")


class Waiting(NamedTuple):
    """A chunk of records that waits: its place among the others, and how much is in it."""

    id: str
    order: int
    records: int
    bytes: int


class Chunk(NamedTuple):
    """Records that one transaction wrote, in order (docs/graph-model.md)."""

    id: str
    records: list[Row]


class Outbox:
    """
    The outbox of one database.

    All calls raise StoreUnavailable when Neo4j does not answer.
    """

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database

    async def head(self, records: int, size: int) -> list[Chunk]:
        """
        The oldest chunks, in the order of publishing.

        Args:
            records: So many at most, together.
            size: So many bytes of values at most, together; one chunk comes in any case.
        """
        taken: list[Waiting] = []
        for chunk in await self.waiting(ALL_KINDS):
            records -= chunk.records
            size -= chunk.bytes
            if taken and (records < 0 or size < 0):
                break
            taken.append(chunk)
        if not taken:
            return []
        found = (await self._one("read/outbox_records", ids=[chunk.id for chunk in taken]))["chunks"]
        by_id = {chunk["id"]: Chunk(chunk["id"], records_of(chunk)) for chunk in found}
        return [by_id[chunk.id] for chunk in taken if chunk.id in by_id]

    async def waiting(self, kinds: Sequence[str]) -> list[Waiting]:
        """
        The oldest chunks of these kinds, `LOOKED_AT` or some more, in order; all that belongs before the last one.

        A look takes its time: it may miss a chunk and yet see the next one of the same URN. A second look sees both.
        """
        seen = await self._look(kinds, LOOKED_AT)
        return in_order(seen, await self._look(kinds, 2 * LOOKED_AT)) if seen else []

    async def _look(self, kinds: Sequence[str], limit: int) -> list[Waiting]:
        return [Waiting(*row) for row in (await self._one("read/outbox_head", kinds=kinds, limit=limit))["head"]]

    async def drop(self, ids: Collection[str]) -> None:
        """Take published chunks out."""
        await self._write("write/drop_outbox", ids=Rows(ids))

    async def forget_refusals(self, before: int) -> None:
        """Take out what was noted of refused traces before a time, in milliseconds; a part of it, if it is much."""
        await self._write("write/forget_refusals", before=before, limit=FORGOTTEN_AT_ONCE)

    async def depth(self) -> int:
        """How many records wait."""
        return int((await self._one("read/outbox_depth"))["depth"])

    async def offsets(
        self, group: str, partitions: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """(topic, partition) -> the offset to go on from and the last record's time, where the group has been."""
        rows = [{"topic": topic, "partition": partition} for topic, partition in partitions]
        found = (await self._one("read/offsets", group=group, rows=rows))["offsets"]
        return {(topic, partition): (offset, at) for topic, partition, offset, at in found}

    async def take_lease(self, name: str, holder: str, ttl_ms: int) -> bool:
        """Whether the work called `name` is `holder`'s for the next `ttl_ms` milliseconds."""
        records = await self._write("write/take_lease", name=name, holder=holder, ttl=ttl_ms)
        return bool(records[0]["mine"])

    async def _one(self, file: str, **parameters: Any) -> Mapping[str, Any]:
        with store_errors():
            records, _, _ = await self._driver.execute_query(
                query(file), parameters, database_=self._database, routing_=RoutingControl.READ
            )
        return records[0]

    async def _write(self, file: str, **parameters: Any) -> list[Any]:
        with store_errors():
            records, _, _ = await self._driver.execute_query(query(file), parameters, database_=self._database)
        return records


def in_order(seen: Sequence[Waiting], again: Sequence[Waiting]) -> list[Waiting]:
    """What a look saw, with what a second look found that belongs before the last of it, in order."""
    last = max(chunk.order for chunk in seen)
    return sorted({*seen, *(chunk for chunk in again if chunk.order < last)}, key=lambda chunk: chunk.order)
