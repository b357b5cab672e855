"""The pure side of walks over lineage: a walk in progress, what an answer hides, and the paths in it."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal, NamedTuple

Flow = Literal["up", "down"]
Graph = Mapping[str, Collection[str]]

MAX_FOLDED_EDGES = 100_000  # edges that stand for folded nodes; a job of 1,000 inputs and 1,000 outputs makes a million
MAX_GIVEN_EDGES = 500_000  # the same of all pages before one, which must not have them again
MAX_TRIED = 200_000  # beginnings of paths that a search for paths looks at
FOLDED = "Folded"


class Place(NamedTuple):
    """Where a node stands in an answer: the nearest first, then by URN."""

    distance: int
    urn: str


FIRST = Place(1, "")  # before every node but the start


class Node(NamedTuple):
    """An entity as a walk meets it."""

    urn: str
    name: str
    removed: bool
    referenced_only: bool


class Edge(NamedTuple):
    """
    One lineage edge.

    Attributes:
        upstream: URN of the end where the data comes from.
        downstream: URN of the end where it goes to.
        type: The model's name; `Folded` for an edge that stands for nodes which the answer leaves out.
        points_down: The model's relationship points to the downstream, as `Produces` does.
        aspect: Aspect that declares it.
        via: URN of the query or job that made it.
        created_on: Milliseconds, as is `updated_on`.
        transform: What column lineage says of the transformation.
        through: URNs of the nodes that the answer leaves out here, from upstream to downstream.
    """

    upstream: str
    downstream: str
    type: str
    points_down: bool = False
    aspect: str | None = None
    via: str | None = None
    created_on: int | None = None
    updated_on: int | None = None
    transform: str | None = None
    through: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """URN of the end that the model's relationship starts from."""
        return self.upstream if self.points_down else self.downstream

    @property
    def target(self) -> str:
        """URN of the end that the model's relationship points to."""
        return self.downstream if self.points_down else self.upstream


class Hop(NamedTuple):
    """An edge as a walk takes it: from a node that it knows to one that may be new."""

    near: str
    far: Node
    edge: Edge


class Stretch(NamedTuple):
    """
    A page of a walk.

    Attributes:
        before: Nodes of earlier pages, in the order of their places.
        nodes: Those of the page, in the same order.
        next: Where the next page begins; None if there is none.
        by_edges: It ends where it does because of its edges.
    """

    before: list[Node]
    nodes: list[Node]
    next: Place | None
    by_edges: bool


@dataclass(slots=True)
class Walking:
    """
    A breadth-first walk in progress: `wanted` says whose edges to bring, `look` and `enter` take them.

    It ends where the page is full, and its pages are the same however long it goes on: a level is never cut. An edge
    belongs to the page of the later one of its ends; a page that would have too many ends sooner.

    Attributes:
        hops: How far, from 1.
        max_nodes: Nodes of the page at most.
        max_walked: Nodes at most in all, the start not counted; the nearest are kept, then the first by URN.
        folded: Says whether a node costs no hop: what lies behind it is as near as it is itself.
        after: The page begins behind this place.
        max_edges: Edges of a page at most, unless its first node alone has more; None for all that are looked at.
        hides: Says of a node whether the answer may leave it out. Edges of earlier pages are kept for these only.
        end: The page ends here, as there would be too many edges else; None if it does not.
        nodes: What was found, the start first.
        distance: URN -> least number of hops; a node that costs none is as far as what lies behind it.
        edges: Every edge that was brought, once.
        limited: More nodes were there than `max_walked`.
    """

    hops: int
    max_nodes: int
    max_walked: int
    folded: Callable[[str], bool]
    after: Place = FIRST
    max_edges: int | None = None
    hides: Callable[[Node], bool] = lambda _: True
    end: Place | None = None
    nodes: dict[str, Node] = field(default_factory=dict)
    distance: dict[str, int] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    limited: bool = False
    _level: int = 0
    _asked: set[str] = field(default_factory=set)
    _now: list[str] = field(default_factory=list)
    _next: dict[str, Node] = field(default_factory=dict)
    _most_edges: int = 0

    def begin(self, start: Node) -> None:
        """Start at a node."""
        self.nodes[start.urn] = start
        self.distance[start.urn] = 0
        self._now = [start.urn]

    def wanted(self) -> list[str]:
        """The nodes whose edges the walk needs now; empty at its end."""
        if not self._now and self._next and not self.limited and not self._ended() and self._room() > 0:
            self._level += 1
            candidates = [self._next[urn] for urn in sorted(self._next) if urn not in self.nodes]
            self._next = {}
            self._now = self._keep(candidates, self._level)
        if self.limited or self._level >= self.hops or self._ended() or self._room() < 0:
            return []
        self._asked.update(self._now)
        return self._now

    def look(self, hops: Iterable[Hop], more: Iterable[Node] = (), among: Container[str] | None = None) -> list[Node]:
        """
        Take the edges of the wanted nodes, or some of them at a time.

        Args:
            hops: Edges to keep.
            more: Nodes behind edges that are not kept.
            among: Keep only edges that lead to these.

        Returns:
            The nodes that are new.
        """
        found: dict[str, Node] = {}
        for near, far, edge in hops:
            if near in self.nodes:
                if among is None or far.urn in among:
                    self.edges[edge] = None
                found[far.urn] = far
        if self.max_edges is not None and len(self.edges) > max(self.max_edges, self._most_edges):
            self._shed(self.max_edges)
        found |= {node.urn: node for node in more}
        return [node for urn, node in found.items() if urn not in self.nodes and urn not in self._next]

    def forget(self, urns: Iterable[str]) -> None:
        """Not all edges of these wanted nodes were brought."""
        self._asked.difference_update(urns)

    def enter(self, nodes: Iterable[Node]) -> None:
        """Go on from these nodes, some or all of those that were new."""
        free: list[Node] = []
        for node in nodes:
            if self.folded(node.urn):
                free.append(node)
            else:
                self._next[node.urn] = node
        self._now = self._keep(sorted(free), self._level + 1)

    def page(self, *, early: bool) -> Stretch:
        """
        The page as far as the walk has come.

        Args:
            early: The walk was broken off; what it has of the next level is left out then.
        """
        if self.max_edges is not None and len(self.edges) > self.max_edges:
            self._shed(self.max_edges)
        full = (self._now or self._next) and not self.limited and not self._ended()
        broken = early or bool(full and self._room() <= 0 and self._level < self.hops)
        places = sorted(
            Place(hops, urn) for urn, hops in self.distance.items() if hops and (hops <= self._level or not broken)
        )
        before = [self.nodes[place.urn] for place in places if place <= self.after]
        rest = [place for place in places if place > self.after and (self.end is None or place <= self.end)]
        kept = rest[: self.max_nodes]
        nodes = [self.nodes[place.urn] for place in kept]
        if broken or len(rest) > self.max_nodes:
            return Stretch(before, nodes, kept[-1] if kept else None, by_edges=False)
        return Stretch(before, nodes, self.end, by_edges=self.end is not None)

    def unasked(self, kept: Iterable[str]) -> list[str]:
        """Those whose edges the walk did not need; the ones among the known nodes belong to an answer all the same."""
        return [urn for urn in kept if urn not in self._asked]

    def _ended(self) -> bool:
        """Whether the page ends within what the walk has finished."""
        return self.end is not None and self.end.distance <= self._level

    def _shed(self, most: int) -> None:
        """Drop the edges that the page does not need, and end it where it has as many as it may."""
        far = self._level + 1  # of nodes that the walk does not know yet
        places = {
            edge: max(Place(self.distance.get(urn, far), urn) for urn in (edge.upstream, edge.downstream))
            for edge in self.edges
        }
        mine = sorted(place for place in places.values() if place > self.after)
        if len(mine) > most:
            over = mine[most]
            end = max((place for place in mine[:most] if place < over), default=over)
            self.end = end if self.end is None else min(end, self.end)
        self.edges = {
            edge: None
            for edge, place in places.items()
            if (self._needed(edge) if place <= self.after else self.end is None or place <= self.end)
        }
        self._most_edges = 2 * len(self.edges)

    def _needed(self, edge: Edge) -> bool:
        """Whether an edge before the page counts: of the start with itself, or one that others may stand for."""
        if self.after == FIRST:
            return True
        ends = [self.nodes.get(urn) or self._next.get(urn) for urn in (edge.upstream, edge.downstream)]
        return any(node is None or self.hides(node) for node in ends)

    def _room(self) -> int:
        """How many more nodes the page takes than the finished levels have; negative where they have too many."""
        after, level = self.after, self._level
        return self.max_nodes - sum(1 for urn, hops in self.distance.items() if hops <= level and (hops, urn) > after)

    def _keep(self, candidates: Sequence[Node], distance: int) -> list[str]:
        room = self.max_walked + 1 - len(self.nodes)
        self.limited = self.limited or len(candidates) > room
        kept = candidates[:room]
        for node in kept:
            self.nodes[node.urn] = node
            self.distance[node.urn] = distance
        return [node.urn for node in kept]


def identity(edge: Edge) -> Edge | tuple[str, str]:
    """What tells an edge from others; of a folded one it is not the way that it stands for."""
    return (edge.upstream, edge.downstream) if edge.type == FOLDED else edge


def shown(
    nodes: Iterable[str],
    edges: Iterable[Edge],
    hidden: Container[str],
    limit: int = MAX_FOLDED_EDGES,
    given: Container[Edge | tuple[str, str]] = (),
) -> tuple[list[Edge], bool]:
    """
    The edges of an answer that leaves nodes out, so that what hangs together still does.

    Args:
        nodes: All nodes, those to leave out too.
        edges: Edges; ones with an end that is no node are dropped.
        hidden: Nodes to leave out. Where a way through them joins two others, one edge stands for the shortest way.
        limit: Edges at most that stand for hidden nodes.
        given: What is left out, by `identity`.

    Returns:
        The edges between the nodes that are left, then those which stand for others; and whether the limit cut them.
    """
    known = set(nodes)
    inner = [edge for edge in edges if edge.upstream in known and edge.downstream in known]
    plain = [edge for edge in inner if edge.upstream not in hidden and edge.downstream not in hidden]
    none_hidden = len(plain) == len(inner)
    plain = [edge for edge in plain if edge not in given] if given else plain
    if none_hidden:
        return plain, False
    forth: defaultdict[str, set[str]] = defaultdict(set)
    for edge in inner:
        if edge.upstream in hidden or edge.downstream in hidden:
            forth[edge.upstream].add(edge.downstream)
    stand: list[Edge] = []
    for start in [urn for urn in nodes if urn not in hidden and urn in forth]:
        for end, through in _beyond(start, forth, hidden):
            if (start, end) in given:
                continue
            if len(stand) == limit:
                return plain + stand, True
            via = through[0] if len(through) == 1 else None
            stand.append(Edge(start, end, FOLDED, via=via, through=through))
    return plain + stand, False


def _beyond(start: str, forth: Graph, hidden: Container[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The nodes behind hidden ones, seen from a node that is not, with the hidden ones in between."""
    met: set[str] = set()
    ways: deque[tuple[str, tuple[str, ...]]] = deque([(start, ())])
    while ways:
        near, through = ways.popleft()
        for far in sorted(forth.get(near, ())):
            if far in met:
                continue
            if far in hidden:
                met.add(far)
                ways.append((far, (*through, far)))
            elif through:
                met.add(far)
                yield far, through


def neighbours(edges: Iterable[Edge], flow: Flow) -> dict[str, dict[str, list[Edge]]]:
    """Near end -> far end -> the edges between them, in a flow's direction."""
    found: defaultdict[str, defaultdict[str, list[Edge]]] = defaultdict(lambda: defaultdict(list))
    for edge in edges:
        near, far = (edge.downstream, edge.upstream) if flow == "up" else (edge.upstream, edge.downstream)
        found[near][far].append(edge)
    return {near: dict(fars) for near, fars in found.items()}


def hops_from(starts: Iterable[str], graph: Graph) -> dict[str, int]:
    """URN -> least number of edges to it from one of the starts; the starts are 0."""
    found = dict.fromkeys(starts, 0)
    waiting = deque(found)
    while waiting:
        near = waiting.popleft()
        for far in graph.get(near, ()):
            if far not in found:
                found[far] = found[near] + 1
                waiting.append(far)
    return found


def turned(graph: Graph) -> dict[str, set[str]]:
    """The same graph with every edge reversed."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for near, fars in graph.items():
        for far in fars:
            found[far].add(near)
    return dict(found)


class Paths(NamedTuple):
    """
    Paths, the shortest first and then by URNs.

    Attributes:
        paths: Each as its URNs.
        more: There are more than were wanted.
        given_up: The search ended early; there may be more.
    """

    paths: tuple[tuple[str, ...], ...]
    more: bool = False
    given_up: bool = False


def shortest_paths(  # noqa: PLR0913  one word per thing it needs
    graph: Graph,
    start: str,
    ends: Collection[str],
    *,
    wanted: int,
    max_hops: int,
    only_least: bool,
    tries: int = MAX_TRIED,
) -> Paths:
    """
    Paths without a node twice, from a start to any of some ends, at which they stop.

    Args:
        graph: Near -> far.
        start: Where they begin; itself an end, it makes no path.
        ends: Where they may end.
        wanted: Paths at most.
        max_hops: Edges of a path at most.
        only_least: Only those that are as short as the shortest.
        tries: Beginnings of paths to look at before giving up.
    """
    rest = hops_from([end for end in ends if end != start], turned(graph))
    heap: list[tuple[int, tuple[str, ...]]] = [(rest[start], (start,))] if start in rest else []
    tried = 0
    found: list[tuple[str, ...]] = []
    bound = max_hops
    while heap:
        length, path = heappop(heap)
        if length > bound:
            break
        if rest[path[-1]] == 0:
            if len(found) == wanted:
                return Paths(tuple(found), more=True)
            found.append(path)
            bound = length if only_least else bound
            continue
        for far in graph.get(path[-1], ()):
            if far in rest and far not in path and len(path) + rest[far] <= bound:
                heappush(heap, (len(path) + rest[far], (*path, far)))
                tried += 1
        if tried > tries:
            return Paths(tuple(found), given_up=True)
    return Paths(tuple(found))
