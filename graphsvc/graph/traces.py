"""What became of traced proposals, and which dead letters were replayed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from neo4j import AsyncDriver, RoutingControl

from graphsvc.graph.driver import store_errors
from graphsvc.graph.queries import query
from graphsvc.graph.writer import Rows


class TracedAspect(NamedTuple):
    """
    An aspect, seen from one trace.

    Attributes:
        exists: It is there now, whoever wrote it.
        active: It was written, or seen again, by this trace, and is there still.
        replaced: An older or deleted version was.
        refusal: Why the trace's proposal was refused, if it was.
    """

    exists: bool
    active: bool
    replaced: bool
    refusal: str | None


class Traces:
    """
    Traces and marks of one database.

    All calls raise StoreUnavailable when Neo4j does not answer.
    """

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database

    async def states(self, trace: str, mark: str, pairs: Sequence[tuple[str, str]]) -> list[TracedAspect]:
        """
        How things stand for each (URN, aspect name), in order.

        Args:
            trace: Trace id, as refusals are noted under.
            mark: How the trace stands in systemMetadata's JSON text.
            pairs: What is asked for.
        """
        rows = Rows({"index": index, "urn": urn, "name": name} for index, (urn, name) in enumerate(pairs))
        found = (await self._one("read/traces", rows=rows, trace=trace, mark=mark))["states"]
        return [TracedAspect(*state) for _, *state in sorted(found, key=lambda row: int(row[0]))]

    async def replayed(self, ids: Collection[str]) -> dict[str, int]:
        """Of these dead letters, those that were replayed: id -> when, in milliseconds."""
        return dict((await self._one("read/replayed_letters", ids=Rows(ids)))["replayed"])

    async def mark_replayed(self, ids: Collection[str]) -> None:
        """Note that these dead letters were replayed."""
        with store_errors():
            await self._driver.execute_query(query("write/mark_replayed"), {"ids": Rows(ids)}, database_=self._database)

    async def _one(self, file: str, **parameters: Any) -> Mapping[str, Any]:
        with store_errors():
            records, _, _ = await self._driver.execute_query(
                query(file), parameters, database_=self._database, routing_=RoutingControl.READ
            )
        return records[0]
