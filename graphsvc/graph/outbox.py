"""What waits to be published, how far consumers have come, and which process of several does a thing."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from neo4j import AsyncDriver, RoutingControl

from graphsvc.graph.driver import store_errors
from graphsvc.graph.operations import Row
from graphsvc.graph.queries import query
from graphsvc.graph.writer import Rows

FORGOTTEN_AT_ONCE = 10_000


class Outbox:
    """
    The outbox of one database.

    All calls raise StoreUnavailable when Neo4j does not answer.
    """

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database

    async def head(self, records: int, size: int) -> list[Row]:
        """
        The oldest records, in the order of publishing.

        Args:
            records: So many at most.
            size: So many bytes together at most; one record comes in any case.

        Returns:
            Properties of the records (docs/graph-model.md).
        """
        ids: list[str] = []
        for name, length in (await self._one("read/outbox_head", limit=records))["head"]:
            size -= length
            if ids and size < 0:
                break
            ids.append(name)
        if not ids:
            return []
        found = (await self._one("read/outbox_records", ids=ids))["records"]
        return sorted(found, key=lambda row: int(row["order"]))

    async def drop(self, ids: Collection[str]) -> None:
        """Take published records out."""
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
