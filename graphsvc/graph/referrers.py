"""Who refers to an entity: the aspects that declare its edges."""

from collections.abc import Collection
from typing import Any, NamedTuple

from neo4j import AsyncDriver, RoutingControl

from graphsvc.graph.driver import store_errors
from graphsvc.graph.queries import query


class Referrer(NamedTuple):
    """
    An aspect that refers to an entity.

    Attributes:
        urn: The aspect's entity.
        aspect: Its name.
        relationship: Type of the edge, as the model calls it.
        version: Its version.
        value: Its value as JSON text.
    """

    urn: str
    aspect: str
    relationship: str
    version: int
    value: str


class Referrers:
    """
    The referrers in one database, read where it is written to: who changes them needs what stands there now.

    All calls raise StoreUnavailable when Neo4j does not answer.
    """

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database

    async def total(self, urn: str) -> int:
        """How many aspects of others refer to an entity; the cost grows with its edges."""
        return int(await self._value("read/referrers_total", urn=urn))

    async def some(self, urn: str, count: int, skipped: Collection[tuple[str, str]] = ()) -> list[Referrer]:
        """So many referrers at most, but for some (URN, aspect); one with edges of two types comes once for each."""
        pairs = [list(pair) for pair in skipped]
        return [Referrer(*row) for row in await self._value("read/referrers", urn=urn, count=count, skipped=pairs)]

    async def _value(self, file: str, **parameters: Any) -> Any:
        with store_errors():
            records, _, _ = await self._driver.execute_query(
                query(file), parameters, database_=self._database, routing_=RoutingControl.WRITE
            )
        return records[0][0]
