"""Walks over lineage that analysts ask for: a query per hop, so that each hop can be filtered, folded or mixed."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import islice, pairwise, starmap
from typing import Any, NamedTuple

from graphsvc.graph import walking
from graphsvc.graph.reader import Lineage, Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.walking import FIRST, FOLDED, Edge, Flow, Hop, Node, Place, Walking, shown
from graphsvc.urn import parse_urn, urn_type

COLUMN = "schemaField"
JOBS = frozenset({"dataJob", "dataProcessInstance"})
MAX_WALKED = 100_000  # nodes that one walk meets, those of earlier pages included
MAX_EDGES = 200_000  # edges that one hop keeps; a limit on nodes alone would not bound the work
MAX_VALUES = 2_000  # entities whose properties one query brings
MAX_PATHS = 1_000
MAX_TIME = 2**63 - 1

Values = Mapping[str, Any]


class Partial(Enum):
    """What cut an answer short."""

    NODE_LIMIT = "node limit"
    WALK_LIMIT = "walk limit"
    EDGE_LIMIT = "edge limit"
    TIME_LIMIT = "time limit"
    PATH_LIMIT = "path limit"


@dataclass(frozen=True, slots=True)
class Filter:
    """
    A condition on nodes.

    Attributes:
        fields: Properties of the node that it looks at.
        holds: Says so of a node with these properties.
    """

    fields: frozenset[str]
    holds: Callable[[str, Values], bool]


@dataclass(frozen=True, slots=True)
class Question:
    """
    A walk over lineage.

    Attributes:
        urn: Where it starts: an entity, or a column (`urn:li:schemaField:…`).
        flow: Which way it goes.
        hops: How far, from 1.
        max_nodes: Nodes at most, the start not counted, those that the answer hides counted.
        after: Only nodes behind this place; the walk is the same, and costs what it costs to get there.
        max_walked: Nodes that the walk meets at most, those before `after` included; where it is less than `max_nodes`,
            that counts.
        max_edges: Edges of one hop at most. Where there are more, their far ends are found all the same, unless one
            node has so many.
        timeout_s: Seconds after which no further hop is asked for.
        types: Relationships to follow, under the model's names or their mirrors'; None for all.
        folded: Says of a URN whether it costs no hop.
        during: Nodes for which it does not hold are not entered, and nothing behind them is found through them.
        removed: Soft-deleted nodes are entered.
        mixed: A column is also followed to the neighbours of its entity that no column lineage reaches.
        since: Milliseconds: an edge that has times is followed only if one of them is not before this.
        until: The same for the end of the time.
        edges: Also bring the edges of the last nodes; without it `more_hops` is not known.
    """

    urn: str
    flow: Flow
    hops: int
    max_nodes: int
    timeout_s: float
    types: frozenset[str] | None = None
    folded: Callable[[str], bool] = lambda _: False
    during: Filter | None = None
    removed: bool = True
    mixed: bool = False
    since: int | None = None
    until: int | None = None
    edges: bool = True
    after: Place = FIRST
    max_walked: int = MAX_WALKED
    max_edges: int = MAX_EDGES

    def follows(self, edge: Edge) -> bool:
        """Whether an edge falls into the time."""
        if self.since is None and self.until is None:
            return True
        times = [time for time in (edge.created_on, edge.updated_on) if time]
        since, until = self.since or 0, MAX_TIME if self.until is None else self.until
        return not times or any(since <= time <= until for time in times)


@dataclass(frozen=True, slots=True)
class Walked:
    """
    The answer of one walk.

    Attributes:
        start: Where it began.
        nodes: Every other node of the page, the nearest first, then by URN.
        distance: URN -> hops, the start included as 0.
        edges: Every lineage edge between the nodes, those of earlier pages and the start, that the walk took or could
            have taken.
        partial: What cut the answer; None if nothing did.
        more_hops: Lineage goes on behind the last hop; None if edges were not asked for.
        before: The nodes of earlier pages, in the same order.
        next: Where to go on; None where the page is the last, or the walk cannot get farther.
    """

    start: Node
    nodes: tuple[Node, ...]
    distance: Mapping[str, int]
    edges: tuple[Edge, ...]
    partial: Partial | None
    more_hops: bool | None
    before: tuple[Node, ...] = ()
    next: Place | None = None

    def hidden(self, kept: Collection[str]) -> frozenset[str]:
        """All nodes but those to keep; the start is never hidden."""
        return frozenset(self.distance.keys() - set(kept) - {self.start.urn})

    def shown_edges(self, hidden: Container[str]) -> tuple[list[Edge], bool]:
        """
        The page's edges: those with an end on it, which no page before has.

        Args:
            hidden: Nodes that the answer leaves out, of earlier pages too; folded edges stand for them.

        Returns:
            The edges, and whether there were too many folded ones.
        """
        earlier = [self.start.urn, *(node.urn for node in self.before)]
        edges, cut = shown([*earlier, *(node.urn for node in self.nodes)], self.edges, hidden)
        if not self.before:
            return edges, cut
        given = {_identity(edge) for edge in shown(earlier, self.edges, hidden)[0]}
        return [edge for edge in edges if _identity(edge) not in given], cut


@dataclass(frozen=True, slots=True)
class Route:
    """
    A path over lineage.

    Attributes:
        flow: Whether it goes down or up from where it begins.
        urns: Its nodes, both ends included.
        steps: Between each two of them, every edge that joins them.
    """

    flow: Flow
    urns: tuple[str, ...]
    steps: tuple[tuple[Edge, ...], ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """Paths, the shortest first, the names of all that is on them, and what cut the answer, if anything did."""

    routes: tuple[Route, ...]
    nodes: Mapping[str, Node]
    partial: Partial | None


def job(urn: str) -> bool:
    """Whether a URN is that of a job or of a run of one, which answers show or fold."""
    return urn_type(urn) in JOBS


class _Brought(NamedTuple):
    """The edges of a hop, further nodes behind edges that are not kept, and whether there were too many to keep."""

    hops: list[Hop]
    more: list[Node]
    cut: bool


class Walks:
    """Walks of one database. Every method raises StoreUnavailable as the reader does, and BadUrn for what is none."""

    def __init__(self, reader: Reader, registry: Registry) -> None:
        self._reader = reader
        self._lineage, self._mirrors = _types(registry)

    async def walk(self, question: Question) -> Walked | None:
        """Everything that a walk reaches; None if its start has no node."""
        found = await self._reader.entities([question.urn])
        if question.urn not in found:
            return None
        row = found[question.urn]
        most = max(question.max_walked, question.max_nodes)
        walking_on = Walking(question.hops, question.max_nodes, most, question.folded, question.after)
        walking_on.begin(Node(row.urn, row.name, row.removed, row.referenced_only))
        end = time.monotonic() + question.timeout_s
        late = edges_cut = False
        while urns := walking_on.wanted():
            if time.monotonic() > end:
                late = True
                break
            brought = await self._hops(question, urns)
            edges_cut = edges_cut or brought.cut
            walking_on.enter(await self._entered(question, walking_on.look(brought.hops, brought.more)))
        before, nodes, more = walking_on.page(early=late)
        kept = {urn: walking_on.distance[urn] for urn in (row.urn, *(node.urn for node in (*before, *nodes)))}
        behind: list[Node] = []
        if question.edges and (last := walking_on.unasked(kept)):
            brought = await self._hops(question, last)
            edges_cut = edges_cut or brought.cut
            behind = await self._entered(question, walking_on.look(brought.hops, brought.more))
        partial = _cut(walking_on, late=late, more=more, edges_cut=edges_cut)
        edges = tuple(e for e in walking_on.edges if e.upstream in kept and e.downstream in kept)
        return Walked(
            walking_on.nodes[row.urn],
            tuple(nodes),
            kept,
            edges,
            partial,
            bool(behind) and partial is None if question.edges else None,
            tuple(before),
            Place(kept[nodes[-1].urn], nodes[-1].urn) if more and nodes else None,
        )

    async def routes(self, question: Question, end: str, wanted: int | None) -> Routes:
        """
        Paths from a question's start to an end, in its flow, without a node twice.

        A column of the end ends a path too, if the start is a column and the question is mixed.

        Args:
            question: Where, how far, and past which nodes. The walk goes half way from either side, so that it stays
                small; a mixed one goes all the way from the start.
            end: URN of the other end.
            wanted: So many paths, the shortest first; None for all that are as short as the shortest.
        """
        walks = await self._both_ways(question, end)
        graph = walking.neighbours(dict.fromkeys(edge for walk in walks for edge in walk.edges), question.flow)
        nodes = {node.urn: node for walk in walks for node in (walk.start, *walk.nodes)}
        ends = {end} | ({urn for urn in nodes if column_of(urn) == end} if question.mixed else set())
        asked = MAX_PATHS if wanted is None else min(wanted, MAX_PATHS)
        found = walking.shortest_paths(
            graph, question.urn, ends, wanted=asked, max_hops=question.hops, only_least=wanted is None
        )
        partial = next((walk.partial for walk in walks if walk.partial), None)
        if found.given_up or (found.more and asked == MAX_PATHS):
            partial = Partial.PATH_LIMIT
        routes = tuple(_route(path, graph, question.flow) for path in found.paths)
        return Routes(routes, nodes, partial)

    async def values(self, urns: Iterable[str], fields: Collection[str]) -> dict[str, dict[str, Any]]:
        """URN -> field -> value of the node's property, None where it has none; URNs without a node are left out."""
        names, wanted = sorted(fields), list(urns)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), MAX_VALUES):
            part = wanted[start : start + MAX_VALUES]
            rows = await self._reader.walk_values(part, names)
            found |= {urn: dict(zip(names, values, strict=True)) for urn, values in rows}
        return found

    async def _both_ways(self, question: Question, end: str) -> list[Walked]:
        if question.mixed:
            walks = [await self.walk(question)]
        else:
            other: Flow = "up" if question.flow == "down" else "down"
            near, far = (question.hops + 1) // 2, max(question.hops // 2, 1)
            halves = [
                replace(question, hops=near, edges=False),
                replace(question, urn=end, flow=other, hops=far, edges=False),
            ]
            walks = [await self.walk(half) for half in halves]
        return [walk for walk in walks if walk is not None]

    async def _entered(self, question: Question, nodes: list[Node]) -> list[Node]:
        """The new nodes that the walk may enter."""
        if not question.removed:
            nodes = [node for node in nodes if not node.removed]
        if question.during is None or not nodes:
            return nodes
        values = await self.values([node.urn for node in nodes], question.during.fields)
        return [node for node in nodes if question.during.holds(node.urn, values.get(node.urn, {}))]

    async def _hops(self, question: Question, urns: list[str]) -> _Brought:
        """The edges that lead on from some nodes."""
        brought = await self._in_parts(question, urns)
        columns = [urn for urn in urns if column_of(urn)] if question.mixed else []
        if columns:
            more = await self._above(question, columns)
            return _Brought(brought.hops + more.hops, brought.more + more.more, brought.cut or more.cut)
        return brought

    async def _in_parts(self, question: Question, urns: list[str]) -> _Brought:
        """The edges, or as many as are kept; the nodes behind the others come in parts of what would be too much."""
        hops, cut = await self._brought(question, urns, question.max_edges + 1)
        if not cut or len(urns) == 1:
            return _Brought(hops, [], cut)
        more: dict[str, Node] = {}
        half = len(urns) // 2
        for part in (urns[:half], urns[half:]):
            found = await self._in_parts(question, part)
            more |= {node.urn: node for node in (*(hop.far for hop in found.hops), *found.more)}
        return _Brought(hops, list(more.values()), cut=True)

    async def _above(self, question: Question, columns: list[str]) -> _Brought:
        """Where columns lead to by their entities' lineage, except where column lineage says more."""
        limit = question.max_edges + 1
        entities: defaultdict[str, list[str]] = defaultdict(list)
        for column in columns:
            entities[column_of(column)].append(column)
        names = self._followed(question.types)
        rows = await self._reader.walk_columns(question.flow, names, sorted(entities), limit)
        covered: defaultdict[str, set[str]] = defaultdict(set)
        for urn, other, declared_by in rows:
            covered[urn] |= {column_of(other), declared_by}
        brought = await self._in_parts(question, sorted(entities))
        above = (
            Hop(column, hop.far, _ended(hop.edge, hop.near, column))
            for hop in brought.hops
            for column in entities[hop.near]
            if hop.far.urn not in covered[hop.near]
        )
        hops = list(islice(above, limit))
        cut = brought.cut or limit in {len(rows), len(hops)}
        return _Brought(
            hops, [hop.far for hop in brought.hops if hop.far.urn not in covered[hop.near]] if cut else [], cut
        )

    async def _brought(self, question: Question, urns: list[str], limit: int) -> tuple[list[Hop], bool]:
        names = self._followed(question.types)
        if not names:
            return [], False
        columns = await self._reader.walk_edges(question.flow, names, urns, limit)
        hops = [_hop(urns[index], row, question.flow) for index, *row in zip(*columns, strict=True)]
        return [hop for hop in hops if question.follows(hop.edge)], len(hops) == limit

    def _followed(self, types: Collection[str] | None) -> str:
        """The relationship types to follow, joined; empty for none."""
        if types is None:
            return "|".join(sorted(self._lineage))
        return "|".join(sorted(frozenset(self._mirrors.get(name, name) for name in types) & self._lineage))


def walked_of(found: Lineage) -> Walked:
    """The reader's answer as the walks give theirs, so that nodes of it can be left out."""
    nodes = [Node(node.urn, node.name, node.removed, node.referenced_only) for node in (found.start, *found.nodes)]
    edges = tuple(starmap(Edge, found.edges))
    distance = {node.urn: node.distance for node in (found.start, *found.nodes)}
    last = found.nodes[-1:] if found.limited else ()
    return Walked(
        nodes[0],
        tuple(nodes[1:]),
        distance,
        edges,
        Partial.NODE_LIMIT if found.limited else None,
        found.more_hops,
        next=next((Place(node.distance, node.urn) for node in last), None),
    )


def column_of(urn: str) -> str:
    """The entity that a column belongs to; empty for what is no column."""
    return parse_urn(urn).parts[0] if urn_type(urn) == COLUMN else ""


def _cut(walking_on: Walking, *, late: bool, more: bool, edges_cut: bool) -> Partial | None:
    """What cut a page: what left most out is said."""
    if late:
        return Partial.TIME_LIMIT
    if more:
        return Partial.NODE_LIMIT
    if walking_on.limited:
        return Partial.WALK_LIMIT
    return Partial.EDGE_LIMIT if edges_cut else None


def _identity(edge: Edge) -> Edge | tuple[str, str]:
    """What tells an edge from others; of a folded one it is not the way that it stands for."""
    return (edge.upstream, edge.downstream) if edge.type == FOLDED else edge


def _route(path: tuple[str, ...], graph: Mapping[str, Mapping[str, list[Edge]]], flow: Flow) -> Route:
    steps = (tuple(sorted(graph[near][far], key=str)) for near, far in pairwise(path))
    return Route(flow, path, tuple(steps))


def _hop(near: str, row: Sequence[Any], flow: Flow) -> Hop:
    far, name, removed, referenced, kind, down, aspect, via, created, updated, transform = row
    up, to = (far, near) if flow == "up" else (near, far)
    node = Node(far, name or far, bool(removed), bool(referenced))
    return Hop(near, node, Edge(up, to, kind, down, aspect, via, created, updated, transform))


def _ended(edge: Edge, entity: str, column: str) -> Edge:
    """An entity's edge as one of its columns has it."""
    if edge.upstream == entity:
        return edge._replace(upstream=column)
    return edge._replace(downstream=column)


@lru_cache(maxsize=8)
def _types(registry: Registry) -> tuple[frozenset[str], dict[str, str]]:
    """The types that walks follow, and the mirrors of those that point down."""
    edges = [edge for aspect in registry.aspects.values() for edge in aspect.edges]
    return frozenset(registry.lineage_types), {edge.name: edge.mirror for edge in edges if edge.mirror}
