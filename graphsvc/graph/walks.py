"""Walks over lineage that analysts ask for: a query per hop, so that each hop can be filtered, folded or mixed."""

import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import islice, pairwise, starmap
from typing import Any, NamedTuple

from graphsvc.graph import walking
from graphsvc.graph.reader import Lineage, Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.walking import (
    FIRST,
    MAX_FOLDED_EDGES,
    MAX_GIVEN_EDGES,
    Edge,
    Flow,
    Hop,
    Node,
    Place,
    Stretch,
    Walking,
    identity,
    shown,
)
from graphsvc.urn import parse_urn, urn_type

COLUMN = "schemaField"
JOBS = frozenset({"dataJob", "dataProcessInstance"})
MAX_WALKED = 100_000  # nodes that one walk meets, those of earlier pages included
MAX_EDGES = 200_000  # edges of a page, and of one query; a limit on nodes alone would not bound the work
MAX_VALUES = 2_000  # entities whose properties one query brings
MAX_PATHS = 1_000
MAX_TIME = 2**63 - 1
LAST_LIMIT = 2**31 - 1

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
        max_edges: Edges of a page at most; see `pages`.
        pages: A page that would have more edges ends sooner, and the next one goes on. Without it every node is there,
            and of each hop so many edges.
        hides: Nodes that the answer may leave out; edges stand for these, also where they are of earlier pages.
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
    pages: bool = False
    hides: Callable[[Node], bool] = lambda _: True

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
        after: Where the page begins.
    """

    start: Node
    nodes: tuple[Node, ...]
    distance: Mapping[str, int]
    edges: tuple[Edge, ...]
    partial: Partial | None
    more_hops: bool | None
    before: tuple[Node, ...] = ()
    next: Place | None = None
    after: Place = FIRST

    def hidden(self, kept: Collection[str]) -> frozenset[str]:
        """All nodes but those to keep; the start is never hidden."""
        return frozenset(self.distance.keys() - set(kept) - {self.start.urn})

    def shown(self, hidden: Container[str]) -> tuple["Walked", list[Edge]]:
        """
        The page, and its edges: those with an end on it, which no page before has.

        Args:
            hidden: Nodes that the answer leaves out, of earlier pages too; folded edges stand for them.

        Returns:
            The page itself, or the beginning of it where there would be too many folded edges; and the edges. Where its
            first node, or what stands before it, has too many already, it is partial and goes nowhere.
        """
        earlier = [self.start.urn, *(node.urn for node in self.before)]
        before, lost = shown(earlier, self.edges, hidden, MAX_GIVEN_EDGES) if self.after != FIRST else ([], False)
        given = frozenset(map(identity, before))
        size = len(self.nodes)
        while True:
            limit = MAX_FOLDED_EDGES if size > 1 else MAX_GIVEN_EDGES
            nodes = [*earlier, *(node.urn for node in self.nodes[:size])]
            edges, cut = shown(nodes, self.edges, hidden, limit, given)
            if lost or (cut and size <= 1):
                return replace(self._first(size), partial=Partial.EDGE_LIMIT, next=None), edges
            if not cut:
                return self._first(size), edges
            size = max(size // 4, 1)

    def _first(self, size: int) -> "Walked":
        """The page without its later nodes."""
        if size >= len(self.nodes):
            return self
        last = self.nodes[size - 1]
        return replace(
            self,
            nodes=self.nodes[:size],
            partial=Partial.EDGE_LIMIT,
            more_hops=False,
            next=Place(self.distance[last.urn], last.urn),
        )


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
        walking_on = Walking(
            question.hops,
            question.max_nodes,
            most,
            question.folded,
            question.after,
            question.max_edges if question.pages else None,
            question.hides,
        )
        walking_on.begin(Node(row.urn, row.name, row.removed, row.referenced_only))
        end = time.monotonic() + question.timeout_s
        late = edges_cut = False
        while not late and (urns := walking_on.wanted()):
            looked = await self._look(question, walking_on, urns, end)
            edges_cut = edges_cut or looked.cut
            late = looked.late
            if late:
                walking_on.forget(urns)
            else:
                walking_on.enter(await self._entered(question, looked.new))
        page = walking_on.page(early=late)
        behind: list[Node] = []
        if question.edges and (last := walking_on.unasked(_distances(walking_on, row.urn, page))):
            looked = await self._look(question, walking_on, last, None, _distances(walking_on, row.urn, page))
            edges_cut = edges_cut or looked.cut
            behind = await self._entered(question, looked.new)
            page = walking_on.page(early=late)  # with these edges it may end sooner
        kept = _distances(walking_on, row.urn, page)
        partial = _cut(walking_on, page, late=late, edges_cut=edges_cut)
        edges = tuple(e for e in walking_on.edges if e.upstream in kept and e.downstream in kept)
        return Walked(
            walking_on.nodes[row.urn],
            tuple(page.nodes),
            kept,
            edges,
            partial,
            bool(behind) and partial is None if question.edges else None,
            tuple(page.before),
            page.next,
            question.after,
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

    async def _look(
        self,
        question: Question,
        walking_on: Walking,
        urns: list[str],
        end: float | None,
        among: Container[str] | None = None,
    ) -> "_Looked":
        """
        Show a walk the edges that lead on from some nodes.

        Args:
            question: The walk's.
            walking_on: The walk.
            urns: Nodes.
            end: When to break off, by the monotonic clock; None for never.
            among: As `Walking.look` has it.
        """
        new: dict[str, Node] = {}
        number = 0
        over = False
        async with aclosing(self._hops(question, urns)) as batches:
            if end is not None and time.monotonic() > end:
                return _Looked([], cut=False, late=True)
            async for hops in batches:
                if number and end is not None and time.monotonic() > end:
                    return _Looked([], over, late=True)
                number += len(hops)
                over = not question.pages and number > question.max_edges
                nodes = walking_on.look((), [hop.far for hop in hops]) if over else walking_on.look(hops, (), among)
                new |= {node.urn: node for node in nodes}
        return _Looked(list(new.values()), over, late=False)

    async def _hops(self, question: Question, urns: list[str]) -> AsyncGenerator[list[Hop], None]:
        """The edges that lead on from some nodes, in parts."""
        async for hops in self._batches(question, urns):
            yield hops
        columns = [urn for urn in urns if column_of(urn)] if question.mixed else []
        if columns:
            async for hops in self._above(question, columns):
                yield hops

    async def _batches(self, question: Question, urns: list[str]) -> AsyncGenerator[list[Hop], None]:
        """The edges of some nodes, in parts of as many as one query brings."""
        hops, cut = await self._brought(question, urns)
        if not cut:
            yield hops
        elif len(urns) > 1:
            half = len(urns) // 2
            for part in (urns[:half], urns[half:]):
                async for hops in self._batches(question, part):
                    yield hops
        else:
            async for hops in self._wide(question, urns[0]):
                yield hops

    async def _wide(self, question: Question, urn: str) -> AsyncGenerator[list[Hop], None]:
        """The edges of a node that has more than one query brings, in the order of their far ends."""
        last: str | None = ""
        limit = question.max_edges + 1
        while last is not None:
            hops = await self._read(question, [urn], limit, last)
            full = len(hops) == limit
            if full and hops[0].far.urn == hops[-1].far.urn:  # two nodes that so many edges join
                limit *= 2
                continue
            if full:  # the last may have further edges
                hops = [hop for hop in hops if hop.far.urn != hops[-1].far.urn]
            last = hops[-1].far.urn if full else None
            yield [hop for hop in hops if question.follows(hop.edge)]

    async def _above(self, question: Question, columns: list[str]) -> AsyncGenerator[list[Hop], None]:
        """Where columns lead to by their entities' lineage, except where column lineage says more."""
        entities: defaultdict[str, list[str]] = defaultdict(list)
        for column in columns:
            entities[column_of(column)].append(column)
        covered: defaultdict[str, set[str]] = defaultdict(set)
        await self._cover(question, sorted(entities), covered)
        async for hops in self._batches(question, sorted(entities)):
            above = (
                Hop(column, hop.far, _ended(hop.edge, hop.near, column))
                for hop in hops
                for column in entities[hop.near]
                if hop.far.urn not in covered[hop.near]
            )
            while part := list(islice(above, question.max_edges)):
                yield part

    async def _cover(self, question: Question, entities: list[str], covered: defaultdict[str, set[str]]) -> None:
        """Note which neighbours of some entities their column lineage covers; one entity's lineage comes as a whole."""
        names = self._followed(question.types)
        if not names:
            return
        limit = question.max_edges if len(entities) > 1 else LAST_LIMIT
        rows = await self._reader.walk_columns(question.flow, names, entities, limit)
        if len(rows) == limit:
            half = len(entities) // 2
            for part in (entities[:half], entities[half:]):
                await self._cover(question, part, covered)
            return
        for urn, other, declared_by in rows:
            covered[urn] |= {column_of(other), declared_by}

    async def _brought(self, question: Question, urns: list[str]) -> tuple[list[Hop], bool]:
        """The edges of some nodes, and whether there are more than one query brings."""
        hops = await self._read(question, urns, question.max_edges + 1)
        return [hop for hop in hops if question.follows(hop.edge)], len(hops) > question.max_edges

    async def _read(self, question: Question, urns: list[str], limit: int, after: str | None = None) -> list[Hop]:
        names = self._followed(question.types)
        if not names:
            return []
        columns = await self._reader.walk_edges(question.flow, names, urns, limit, after)
        return [_hop(urns[index], row, question.flow) for index, *row in zip(*columns, strict=True)]

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


class _Looked(NamedTuple):
    """Nodes that are new, whether edges were left out, and whether the time was over before all edges were seen."""

    new: list[Node]
    cut: bool
    late: bool


def _distances(walking_on: Walking, start: str, page: Stretch) -> dict[str, int]:
    """URN -> hops of the start and all nodes up to a page's end."""
    return {urn: walking_on.distance[urn] for urn in (start, *(node.urn for node in (*page.before, *page.nodes)))}


def _cut(walking_on: Walking, page: Stretch, *, late: bool, edges_cut: bool) -> Partial | None:
    """What cut a page: what left most out is said."""
    if late:
        return Partial.TIME_LIMIT
    if page.next is not None:
        return Partial.EDGE_LIMIT if page.by_edges else Partial.NODE_LIMIT
    if walking_on.limited:
        return Partial.WALK_LIMIT
    return Partial.EDGE_LIMIT if edges_cut else None


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
