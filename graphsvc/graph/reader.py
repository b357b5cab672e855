"""Read the graph: one method per file in `cypher/read/`. Plain values out; no JSON is decoded here."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, LiteralString, NamedTuple, TypeVar

from neo4j import READ_ACCESS, AsyncDriver, Bookmarks, Query
from neo4j.exceptions import Neo4jError, SessionExpired, TransientError

from graphsvc.errors import BadRequest, StoreUnavailable
from graphsvc.graph.bolt import NOTHING, lane_of
from graphsvc.graph.budget import Budget, Written, current
from graphsvc.graph.driver import TIMED_OUT, store_errors
from graphsvc.graph.queries import query
from graphsvc.graph.registry import Registry
from graphsvc.urn import urn_type

Direction = Literal["out", "in", "both"]
Flow = Literal["up", "down"]

MAX_HOPS = 50
# Hops stand in the text of a walk, since Cypher takes no parameter there.
_HOPS: tuple[LiteralString, ...] = (
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20",
    "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39",
    "40", "41", "42", "43", "44", "45", "46", "47", "48", "49", "50",
)  # fmt: skip
_Row = TypeVar("_Row")
_BAD_BOOKMARK = "Neo.ClientError.Transaction.InvalidBookmark"


class ReadTimeout(StoreUnavailable):
    """A read took longer than the settings allow; a smaller question may be answered."""


@dataclass(frozen=True, slots=True)
class EntityRow:
    """
    An entity at a glance.

    Attributes:
        urn: Its key.
        entity_type: `dataset` …, as in the URN.
        name: What to show.
        referenced_only: Others point to it, but nobody has described it yet.
        removed: Soft-deleted: its `status` aspect says so.
    """

    urn: str
    entity_type: str
    name: str
    referenced_only: bool
    removed: bool


class AspectRow(NamedTuple):
    """
    One version of one aspect.

    Attributes:
        name: Aspect name.
        version: 1, 2, 3 …
        value: JSON text.
        created_at: When this version was written, in milliseconds.
        created_by: URN of the actor.
        system_metadata: JSON text.
        run_id: Ingestion run that wrote it.
        unmodelled: The model does not know the aspect.
    """

    name: str
    version: int
    value: str
    created_at: int | None
    created_by: str | None
    system_metadata: str | None
    run_id: str | None
    unmodelled: bool


class Condition(NamedTuple):
    """A property of an entity's node is `value`; where it is `many`, it holds it."""

    field: str
    value: str
    many: bool


class PointRow(NamedTuple):
    """One point of a timeseries aspect; `value` and `system_metadata` are JSON text."""

    timestamp_millis: int
    message_id: str
    value: str
    system_metadata: str | None
    run_id: str | None


class RelationshipRow(NamedTuple):
    """
    One relationship, seen from the entity that was asked about.

    Attributes:
        type: The model's name, `OwnedBy`.
        urn: The other end.
        outgoing: The relationship points to the other end.
        aspect: Aspect that declares it.
        declared_by: URN of the entity that owns the aspect.
        via: URN of the query or job that made it.
        created_on: Milliseconds; as are all times here.
        properties: `key=value` texts.
    """

    type: str
    urn: str
    outgoing: bool
    aspect: str | None
    declared_by: str | None
    via: str | None
    created_on: int | None
    created_actor: str | None
    updated_on: int | None
    updated_actor: str | None
    properties: list[str] | None


class RelationshipCount(NamedTuple):
    """How many relationships of a type an entity has; `outgoing`: they point to the other ends."""

    type: str
    outgoing: bool
    total: int


class Page(NamedTuple):
    """A page of relationships, and how many there are in all."""

    total: int
    rows: tuple[RelationshipRow, ...]


EMPTY_PAGE = Page(0, ())


@dataclass(frozen=True, slots=True)
class Walk:
    """
    A walk over lineage.

    Attributes:
        urn: Where it starts: an entity, or a column (`urn:li:schemaField:…`) for column lineage.
        flow: Which way it goes.
        hops: How far, from 0 to `MAX_HOPS`.
        max_nodes: Nodes at most, the start not counted; the nearest are kept.
        types: Relationships to follow, under the model's names or their mirrors'; others match nothing. None for all.
        with_edges: Also bring the edges between the nodes; two to three times the work.
        with_details: Also bring the edges' aspects, `via` and times, a third of the edges' work; else they are None.
    """

    urn: str
    flow: Flow
    hops: int
    max_nodes: int
    types: frozenset[str] | None = None
    with_edges: bool = True
    with_details: bool = True


class LineageNode(NamedTuple):
    """A node that a walk found, at its least distance from the start in hops."""

    urn: str
    name: str
    distance: int
    removed: bool
    referenced_only: bool


class LineageEdge(NamedTuple):
    """
    A lineage edge between two nodes of one answer.

    Attributes:
        upstream: URN of the end where the data comes from.
        downstream: URN of the end where it goes to.
        type: The model's name.
        points_down: The model's relationship points to the downstream, as `Produces` does; most point to the upstream.
    """

    upstream: str
    downstream: str
    type: str
    points_down: bool
    aspect: str | None
    via: str | None
    created_on: int | None
    updated_on: int | None

    @property
    def source(self) -> str:
        """URN of the end that the model's relationship starts from."""
        return self.upstream if self.points_down else self.downstream

    @property
    def target(self) -> str:
        """URN of the end that the model's relationship points to."""
        return self.downstream if self.points_down else self.upstream

    @property
    def through(self) -> tuple[str, ...]:
        """Nothing: it stands for no nodes that are left out."""
        return ()


class NodeColumns(NamedTuple):
    """The nodes of an answer in columns, which are named as `LineageNode` names its values."""

    urn: Sequence[str]
    name: Sequence[str]
    distance: Sequence[int]
    removed: Sequence[bool]
    referenced_only: Sequence[bool]


class EdgeColumns(NamedTuple):
    """The edges of an answer in columns, which are named as `LineageEdge` names its values."""

    upstream: Sequence[str] = ()
    downstream: Sequence[str] = ()
    type: Sequence[str] = ()
    points_down: Sequence[bool] = ()
    aspect: Sequence[str | None] = ()
    via: Sequence[str | None] = ()
    created_on: Sequence[int | None] = ()
    updated_on: Sequence[int | None] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """
    The answer of one walk, in columns: it may have tens of thousands of rows.

    Attributes:
        start: Where it began; its distance is 0.
        node_columns: Every other node, the nearest first, then by URN.
        edge_columns: Every lineage edge between these nodes and the start, in the nodes' order; empty if not asked for.
        limited: More nodes were within the hops than the limit on nodes let through.
        more_hops: Lineage goes on behind the last hop; None if edges were not asked for.
    """

    start: LineageNode
    node_columns: NodeColumns
    edge_columns: EdgeColumns
    limited: bool
    more_hops: bool | None

    @property
    def nodes(self) -> tuple[LineageNode, ...]:
        """The nodes one by one."""
        return tuple(map(LineageNode._make, zip(*self.node_columns, strict=True)))

    @property
    def edges(self) -> tuple[LineageEdge, ...]:
        """The edges one by one."""
        return tuple(map(LineageEdge._make, zip(*self.edge_columns, strict=True)))


class Reader:
    """
    Reads of one database, each in a read transaction of its own.

    Every method raises StoreUnavailable when Neo4j does not answer, and ReadTimeout when it takes too long.
    """

    def __init__(
        self,
        driver: AsyncDriver,
        database: str,
        timeout_s: float,
        registry: Registry,
        written: Written | None = None,
    ) -> None:
        """
        Keep the driver.

        Args:
            driver: Open driver; the reader does not close it.
            database: Database to read.
            timeout_s: Time that one read may take, in seconds; less if the request's budget has less.
            registry: The model.
            written: What reads have to see besides what their requests name; None for nothing.
        """
        self._driver = driver
        self._lane = lane_of(driver, database)
        self._written = written or Written()
        self._database = database
        self._timeout_s = timeout_s
        edges = [edge for aspect in registry.aspects.values() for edge in aspect.edges]
        self._mirrors = {edge.name: edge.mirror for edge in edges if edge.mirror}
        self._shown = frozenset(registry.relationship_types) - frozenset(self._mirrors.values())
        self._lineage = frozenset(registry.lineage_types)

    async def ping(self) -> None:
        """Return if Neo4j answers a query."""
        await self._read(query("read/ping"))

    async def value_of(self, text: LiteralString, **parameters: Any) -> Any:
        """The one value of the one row of a query from `cypher/read/`, for the readers beside this one."""
        return await self._read(text, **parameters)

    async def entities(self, urns: Iterable[str]) -> dict[str, EntityRow]:
        """The entities that have a node, by URN."""
        rows = await self._read(query("read/entities"), urns=list(urns))
        return {
            urn: EntityRow(urn, urn_type(urn), name or urn, bool(referenced), bool(removed))
            for urn, name, referenced, removed in rows
        }

    async def walk_edges(
        self, flow: Flow, types: str, urns: list[str], limit: int, after: str | None = None
    ) -> Sequence[Sequence[Any]]:
        """
        The lineage edges that lead on from some nodes, in columns, as `read/walk_up` and `read/walk_down` say.

        With `after` those of one node, in the order of their far ends, behind this URN.
        """
        if after is None:
            columns: Sequence[Sequence[Any]] = await self._read(
                query(f"read/walk_{flow}", types=types), urns=urns, limit=limit
            )
        else:
            text = query(f"read/walk_{flow}_wide", types=types)
            columns = await self._read(text, urn=urns[0], after=after, limit=limit)
        return columns

    async def walk_columns(self, flow: Flow, types: str, urns: list[str], limit: int) -> Sequence[tuple[str, str, str]]:
        """What the column lineage of some entities covers: (urn, far column, declared by)."""
        rows: Sequence[tuple[str, str, str]] = await self._read(
            query(f"read/walk_columns_{flow}", types=types), urns=urns, limit=limit
        )
        return rows

    async def walk_values(self, urns: list[str], fields: list[str]) -> Sequence[tuple[str, list[Any]]]:
        """Properties of nodes: (urn, value per field), None where there is none; URNs without a node are left out."""
        rows: Sequence[tuple[str, list[Any]]] = await self._read(query("read/walk_values"), urns=urns, fields=fields)
        return rows

    async def platform_resources(self, conditions: Sequence[Condition], *, match_all: bool) -> list[str]:
        """URNs, sorted, of the platform resources for which all conditions hold, or any."""
        rows = [condition._asdict() for condition in conditions]
        return list(await self._read(query("read/platform_resources"), conditions=rows, all=match_all))

    async def aspects(self, urns: Iterable[str], names: Iterable[str] | None = None) -> dict[str, dict[str, AspectRow]]:
        """
        Current aspects.

        Args:
            urns: Entities, known or not.
            names: Aspects wanted; None for all.

        Returns:
            URN -> aspect name -> row; URNs without any of the aspects are left out.
        """
        wanted = None if names is None else list(names)
        rows = await self._read(query("read/aspects"), urns=list(urns), names=wanted)
        found: dict[str, dict[str, AspectRow]] = {}
        for urn, *columns in rows:
            found.setdefault(urn, {})[columns[0]] = _aspect(columns)
        return found

    async def aspect_version(self, urn: str, name: str, version: int) -> AspectRow | None:
        """One version of an aspect, current or replaced; None if there is no such version."""
        return (await self.aspects_at([(urn, name, version)]))[0]

    async def aspects_at(self, keys: Sequence[tuple[str, str, int]]) -> list[AspectRow | None]:
        """For each (urn, aspect name, version) the row, or None, in order."""
        requests = [{"index": i, "urn": u, "name": n, "version": v} for i, (u, n, v) in enumerate(keys)]
        found: list[AspectRow | None] = [None] * len(keys)
        for index, *columns in await self._read(query("read/aspects_at"), requests=requests):
            found[index] = _aspect(columns)
        return found

    async def aspect_versions(self, urn: str, name: str, start: int, count: int) -> list[AspectRow]:
        """Versions of one aspect, newest first, the current one included."""
        return (await self.histories([urn], name, start, count)).get(urn, [])

    async def histories(self, urns: Iterable[str], name: str, start: int, count: int) -> dict[str, list[AspectRow]]:
        """The same page of the versions of one aspect, for several entities."""
        rows = await self._read(query("read/aspect_history"), urns=list(urns), name=name, start=start, count=count)
        return _grouped(rows, _aspect)

    async def timeseries(self, urn: str, name: str, start_ms: int, end_ms: int, limit: int) -> list[PointRow]:
        """Points between two times (milliseconds, both inclusive), newest first."""
        return (await self.points([urn], name, start_ms, end_ms, limit)).get(urn, [])

    async def points(
        self, urns: Iterable[str], name: str, start_ms: int, end_ms: int, limit: int
    ) -> dict[str, list[PointRow]]:
        """The same range of one timeseries aspect, for several entities; at most `limit` points each."""
        rows = await self._read(
            query("read/timeseries"), urns=list(urns), name=name, start=start_ms, end=end_ms, limit=limit
        )
        return _grouped(rows, PointRow._make)

    async def relationships(  # noqa: PLR0913, PLR0917
        self,
        urns: Iterable[str],
        types: Collection[str] | None,
        direction: Direction,
        start: int,
        count: int,
        removed: bool = True,  # noqa: FBT001, FBT002  a part of the loaders' keys
    ) -> dict[str, Page]:
        """
        One page of relationships per entity, sorted by type, then by the other end's URN.

        Args:
            urns: Entities, known or not.
            types: Names from the model; others match nothing. None for all. Mirrors and graphsvc's own are never shown.
            direction: Seen from the entity.
            start: Relationships to leave out.
            count: Relationships at most, per entity.
            removed: Those with soft-deleted entities too. Without them, totals are counted instead of looked up.

        Returns:
            URN -> page; URNs without a node are left out.
        """
        wanted = self._shown if types is None else self._shown & frozenset(types)
        if not wanted:
            return {}
        names = "|".join(sorted(wanted))
        text = query(f"read/relationships_{direction}", types=names)
        rows = await self._read(text, urns=list(urns), start=start, count=count, removed=removed)
        return {urn: Page(total, tuple(map(RelationshipRow._make, page))) for urn, total, page in rows}

    async def relationship_counts(
        self,
        urns: Iterable[str],
        types: Collection[str] | None,
        direction: Direction,
        removed: bool = True,  # noqa: FBT001, FBT002  as above
    ) -> dict[str, list[RelationshipCount]]:
        """
        How many relationships of each type each entity has, by type, those that point away first.

        Args:
            urns: Entities, known or not.
            types: As `relationships` has them.
            direction: Seen from the entity.
            removed: Those with soft-deleted entities too.

        Returns:
            URN -> counts, none of them 0; URNs without a node are left out.
        """
        wanted = self._shown if types is None else self._shown & frozenset(types)
        if not wanted:
            return {}
        text = query(f"read/relationship_counts_{direction}", types="|".join(sorted(wanted)))
        rows = await self._read(text, urns=list(urns), removed=removed)
        return {urn: list(map(RelationshipCount._make, counts)) for urn, counts in rows}

    async def hops(
        self,
        urns: Iterable[str],
        flow: Flow,
        start: int,
        count: int,
        removed: bool = True,  # noqa: FBT001, FBT002  as above
    ) -> dict[str, Page]:
        """One page of direct upstreams or downstreams per entity; else as `relationships`."""
        text = query(f"read/hop_{flow}", types="|".join(sorted(self._lineage)))
        rows = await self._read(text, urns=list(urns), start=start, count=count, removed=removed)
        return {
            urn: Page(total, tuple(RelationshipRow._make((t, other, flow == "up", *more)) for t, other, *more in page))
            for urn, total, page in rows
        }

    async def lineage(self, walk: Walk) -> Lineage | None:
        """Everything that a walk reaches; None if its start has no node."""
        if not 0 <= walk.hops <= MAX_HOPS:
            raise ValueError(f"hops must be from 0 to {MAX_HOPS}, not {walk.hops}")
        hops, with_edges = walk.hops, walk.with_edges
        names = self._walked(walk.types)
        if not names:  # nothing to follow: the start alone is the answer
            names, hops, with_edges = self._lineage, 0, False
        text = _walk_text(f"read/lineage_{walk.flow}" + ("_edges" if with_edges else ""), names, hops)
        details = {"details": walk.with_details} if with_edges else {}
        columns = await self._read(text, urn=walk.urn, limit=walk.max_nodes + 2, **details)
        if not columns[0]:
            return None
        limited = len(columns[0]) > walk.max_nodes + 1
        if limited and not with_edges:  # the last distance is cut somewhere; it has to be by URN
            text = text.replace("BY distance LIMIT", "BY distance, node.urn LIMIT")
            columns = await self._read(text, urn=walk.urn, limit=walk.max_nodes + 2)
        nodes = _nodes(columns[:5], walk.max_nodes + 1, in_order=with_edges)
        edges, more = _edges(nodes, columns[5:], walk.flow, hops) if with_edges else (EdgeColumns(), None)
        start = LineageNode._make(column[0] for column in nodes)
        return Lineage(start, NodeColumns._make(column[1:] for column in nodes), edges, limited, more)

    def _walked(self, types: Collection[str] | None) -> frozenset[str]:
        if types is None:
            return self._lineage
        return frozenset(self._mirrors.get(name, name) for name in types) & self._lineage

    async def _read(self, text: LiteralString, **parameters: Any) -> Any:
        """
        The one value of a query's one row.

        Raises:
            BadRequest: A bookmark that came with the request is none.
            ReadTimeout: It took too long, or the request's time is over. Its transaction ends with it.
            StoreUnavailable: Neo4j does not answer.
        """
        budget = current()
        seconds = self._timeout_s if budget is None else min(self._timeout_s, budget.left)
        if seconds <= 0:
            raise self._timeout(budget)
        with store_errors():
            try:
                async with asyncio.timeout(seconds):
                    with nullcontext() if budget is None else budget.reading():
                        return await self._ask(text, parameters, seconds, budget)
            except TimeoutError as exc:
                raise self._timeout(budget) from exc
            except Neo4jError as exc:
                if (exc.code or "").startswith(TIMED_OUT):
                    raise self._timeout(budget) from exc
                if exc.code == _BAD_BOOKMARK:
                    raise BadRequest("a bookmark of the request is not one of this database") from exc
                raise

    async def _ask(self, text: LiteralString, parameters: dict[str, Any], seconds: float, budget: Budget | None) -> Any:
        """Ask once more if a member of the cluster went away or is not the right one: a read may be repeated."""
        bookmarks = {*self._written.bookmarks, *(budget.bookmarks if budget else ())}
        if self._lane is not None:
            found = await self._lane.read(text, parameters, seconds, bookmarks)
            if found is not NOTHING:
                return found
        for last in (False, True):
            try:
                async with self._driver.session(
                    database=self._database,
                    default_access_mode=READ_ACCESS,
                    bookmarks=Bookmarks.from_raw_values(bookmarks) if bookmarks else None,
                    fetch_size=-1,
                ) as session:
                    result = await session.run(Query(text, timeout=seconds), parameters)
                    return (await result.single(strict=True))[0]
            except (SessionExpired, TransientError):
                if last:
                    raise
        raise AssertionError("the last turn returns or raises")

    def _timeout(self, budget: Budget | None) -> ReadTimeout:
        if budget is not None and budget.left <= 0:
            return ReadTimeout(
                f"the request took longer than {budget.seconds:g} s in Neo4j, which is all the time it has"
                " (graphql.request_timeout_s). Ask for less"
            )
        return ReadTimeout(f"a read took longer than {self._timeout_s:g} s (graphql.query_timeout_s). Ask for less")


@lru_cache(maxsize=256)
def _walk_text(file: str, types: frozenset[str], hops: int) -> LiteralString:
    return query(file, types="|".join(sorted(types))).replace("*0..20", "*0.." + _HOPS[hops])


def _nodes(columns: Sequence[Sequence[Any]], size: int, *, in_order: bool) -> NodeColumns:
    """
    The nodes, the nearest first, then by URN.

    Args:
        columns: As `read/lineage_*` brings them.
        size: Nodes to keep.
        in_order: They are in order; else by distance only. Python sorts URNs faster than Neo4j.
    """
    urns, names, distances, referenced_only, removed = columns
    if not in_order:
        order: list[int] = []
        for same in Counter(distances).values():
            order += sorted(range(len(order), len(order) + same), key=urns.__getitem__)
        urns, names = [urns[at] for at in order], [names[at] for at in order]
    urns = urns[:size]
    return NodeColumns(urns, names[:size], distances[:size], _among(removed, urns), _among(referenced_only, urns))


def _among(those: Collection[str], urns: Sequence[str]) -> list[bool]:
    """Whether each URN is one of those, which are few."""
    return list(map(frozenset(those).__contains__, urns)) if those else [False] * len(urns)


def _aspect(columns: Sequence[Any]) -> AspectRow:
    return AspectRow._make((*columns[:-1], bool(columns[-1])))


def _grouped(rows: Iterable[Sequence[Any]], make: Callable[[Sequence[Any]], _Row]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for urn, *columns in rows:
        found.setdefault(urn, []).append(make(columns))
    return found


def _edges(nodes: NodeColumns, columns: Sequence[Sequence[Any]], flow: Flow, hops: int) -> tuple[EdgeColumns, bool]:
    """
    Edges between the nodes, in the nodes' order and then by far end, and whether any leads on behind the last hop.

    Args:
        nodes: What the answer keeps, the start too.
        columns: The edges that lead on in the walk's direction, as `read/lineage_*_edges` brings them.
        flow: The walk's direction.
        hops: The walk's length.
    """
    known = frozenset(nodes.urn)
    given = [column for column in columns if column]  # without details the last four are empty
    rows = [row for row in sorted(zip(*given, strict=True)) if row[0] < len(known)]
    inner = [row for row in rows if row[1] in known]
    more = len(inner) < len(rows) and any(row[1] not in known and nodes.distance[row[0]] == hops for row in rows)
    if not inner:
        return EdgeColumns(), more
    index, far, kind, down, *details = zip(*inner, strict=True)
    near: Sequence[Any] = [nodes.urn[i] for i in index]
    up, to = (far, near) if flow == "up" else (near, far)
    shown = [[value or None for value in column] for column in details] or [[None] * len(inner)] * 4
    return EdgeColumns(up, to, kind, down, *shown), more
