"""What is written inside the caller's transaction; the only code that changes the graph."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, LiteralString

from neo4j import AsyncTransaction

from graphsvc.errors import StoreUnavailable
from graphsvc.graph.operations import Advance, AspectState, EntityState, Locked, NewEdge, Operations, Row
from graphsvc.graph.pipeline import Query
from graphsvc.graph.projection import FACETS
from graphsvc.graph.queries import query
from graphsvc.graph.records import chunks

ROWS_PER_QUERY = 10_000
# With which `write/create_edges` fails, and nothing else.
END_IS_GONE = "Neo.ClientError.Statement.ArithmeticError"


class Rows(list[Any]):
    """Rows of a query; the driver spells out all parameters for its debug log, heard or not: 14 % of ingest's CPU."""

    def __repr__(self) -> str:
        return f"[{len(self)} rows]"


class Fenced(StoreUnavailable):
    """Another consumer has moved on in some of the partitions; nothing was written."""

    def __init__(self, lost: Collection[tuple[str, int]]) -> None:
        self.lost = lost
        super().__init__(f"another consumer has moved on in {', '.join(f'{t}[{p}]' for t, p in sorted(lost))}")


async def advance(tx: AsyncTransaction, group: str, steps: Sequence[Advance]) -> None:
    """
    Move a consumer group on in its partitions, in the transaction that applies the records.

    Raises:
        Fenced: The group is not where a step says it was; the transaction has to be rolled back.
    """
    rows = Rows({"index": index, **asdict(step)} for index, step in enumerate(steps))
    result = await tx.run(query("write/advance_offsets"), group=group, rows=rows)
    moved = set((await result.single(strict=True))["moved"])
    if lost := [(s.topic, s.partition) for index, s in enumerate(steps) if index not in moved]:
        raise Fenced(lost)


def recorded(records: Sequence[Row], kind: str) -> list[Query]:
    """Records for the outbox; `kind` as for `chunks`. One call per kind and transaction keeps their order."""
    return _over(query("write/record_outbox"), chunks(records, kind))


def refused(rows: Sequence[Row]) -> list[Query]:
    """Why traced proposals were refused (see `write/note_refusals`)."""
    return _over(query("write/note_refusals"), rows)


async def lock(tx: AsyncTransaction, locks: Mapping[str, Collection[str] | None]) -> Locked:
    """
    Bring the entities and the ends of their edges into being, lock the entities in one order, and read their state.

    Args:
        tx: The caller's open transaction.
        locks: URN -> the aspects whose state is wanted; None for all, nothing for the end of an edge.

    Returns:
        A state for every URN asked for. No other writer changes the locked entities until the transaction ends; Neo4j
        locks the ends of edges at the commit.
    """
    order = sorted(locks)
    rows = Rows([index, urn, None if (names := locks[urn]) is None else list(names)] for index, urn in enumerate(order))
    result = await tx.run(query("write/lock_entities"), rows=rows)
    record = await result.single(strict=True)
    known = set(record["known"])
    states = {urn: EntityState(index in known) for index, urn in enumerate(order)}
    for index, name, version, value, system, created_at, deleted in record["states"]:
        states[order[index]].aspects[name] = AspectState(version, value, system, created_at, deleted)
    bare = frozenset(order[index] for index in record["bare"])
    return Locked(states, bare, record["now"], dict(zip(order, record["nodes"], strict=True)))


async def points(tx: AsyncTransaction, rows: Sequence[Row]) -> dict[int, str]:
    """Values of the points that exist already, by the rows' `index`; the entities are locked."""
    if not rows:
        return {}
    result = await tx.run(query("write/read_points"), rows=Rows(rows))
    return dict((await result.single(strict=True))["points"])


def applied(operations: Operations, nodes: Mapping[str, str]) -> list[Query]:
    """
    The queries for all operations, in their order: one per kind and edge type, not per item.

    Args:
        operations: What to write.
        nodes: As `lock` found them in the same transaction, for all entities that get aspects or edges.

    Returns:
        Queries whose answers say nothing. Where an edge cannot be made, since another writer removed its end, its query
        fails (`END_IS_GONE`).
    """
    added = [
        [nodes[urn], row.labels, row.properties, [*map(list, row.aspects)]] for urn, row in operations.added.items()
    ]
    systems = [*operations.systems]
    faceted = [[nodes[urn], *row] for urn, row in operations.faceted.items()]
    return [
        *_each_type("write/drop_edges", operations.removed),
        *_over(query("write/forget_entities"), operations.forgotten),
        *_over(query("write/drop_aspects"), operations.dropped),
        *_over(query("write/replace_aspects"), operations.replaced),
        *_over(query("write/add_aspects"), added, systems=systems, at=operations.at, actor=operations.actor),
        *_over(query("write/refresh_aspects"), operations.refreshed),
        *_over(query("write/set_facets"), faceted, order=list(FACETS)),
        *_over(query("write/describe_ends"), operations.described),
        *_new_edges(operations, nodes),
        *_each_type("write/update_edges", operations.updated),
        *_over(query("write/put_points"), operations.points),
        *_over(query("write/drop_loose"), sorted(operations.loose), name="urns"),
    ]


def _new_edges(operations: Operations, nodes: Mapping[str, str]) -> Iterator[Query]:
    for edge_type in sorted(operations.created):
        edges = sorted(operations.created[edge_type], key=_target_then_source)
        rows = [[nodes[edge.source], nodes[edge.target], *edge[2:]] for edge in edges]
        yield from _over(query("write/create_edges", edge_type=edge_type), rows, at=operations.at)


def _each_type(name: str, by_type: Mapping[str, list[Row]]) -> Iterator[Query]:
    for edge_type in sorted(by_type):
        rows = sorted(by_type[edge_type], key=lambda row: (row.get("target", ""), row["source"]))
        yield from _over(query(name, edge_type=edge_type), rows)


def _target_then_source(edge: NewEdge) -> tuple[str, str]:
    """One order for all writers: an edge of a node with many locks its degrees at once, and such hubs are targets."""
    return edge.target, edge.source


def _over(text: LiteralString, rows: Sequence[Any], name: str = "rows", **parameters: Any) -> list[Query]:
    """One query over all rows, or some if they are very many; none for no rows."""
    return [
        (text, {name: Rows(rows[start : start + ROWS_PER_QUERY]), **parameters})
        for start in range(0, len(rows), ROWS_PER_QUERY)
    ]
