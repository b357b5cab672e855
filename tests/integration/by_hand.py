"""Walks over lineage by hand: slow, and simple enough to be believed."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from neo4j import AsyncDriver

from graphsvc.graph.walks import column_of

Flow = Literal["up", "down"]
Pairs = Iterable[tuple[str, str]]
Onward = Mapping[str, set[str]]


def onward(pairs: Pairs, flow: Flow) -> dict[str, set[str]]:
    """Near -> far, of (upstream, downstream)."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for up, down in pairs:
        near, far = (down, up) if flow == "up" else (up, down)
        found[near].add(far)
    return dict(found)


def reached(graph: Onward, start: str, hops: int, free: Collection[str] = frozenset()) -> dict[str, int]:
    """Distances by relaxing until nothing changes; free nodes cost none, and count as far as what is behind them."""
    cost = {start: 0}
    changed = True
    while changed:
        changed = False
        for near, fars in graph.items():
            for far in fars:
                new = cost[near] + (far not in free) if near in cost and cost[near] < hops else None
                if new is not None and new < cost.get(far, hops + 1):
                    cost[far], changed = new, True
    return {urn: c + (urn in free and urn != start) for urn, c in cost.items()}


def behind(graph: Onward, near: str, hidden: Collection[str]) -> set[str]:
    """What is not hidden and lies right behind hidden nodes."""
    inside: set[str] = set()
    found = {far for far in graph.get(near, ()) if far in hidden}
    while found - inside:
        inside |= found
        found = {far for urn in inside for far in graph.get(urn, ()) if far in hidden}
    return {far for urn in inside for far in graph.get(urn, ()) if far not in hidden}


def simple_paths(graph: Onward, path: tuple[str, ...], ends: Collection[str], hops: int) -> Iterator[tuple[str, ...]]:
    """Every path without a node twice that stops at an end."""
    last = path[-1]
    if last in ends and len(path) > 1:
        yield path
    elif len(path) <= hops:
        for far in graph.get(last, ()):
            if far not in path:
                yield from simple_paths(graph, (*path, far), ends, hops)


class Drawn(NamedTuple):
    """A lineage edge as the graph holds it; the type is the model's own."""

    upstream: str
    downstream: str
    type: str
    aspect: str | None
    by: str | None
    created: int | None
    updated: int | None


EDGES = """
MATCH (down:Entity)-[edge {lineage: true}]->(up:Entity)
RETURN collect([up.urn, down.urn, coalesce(edge.mirrorOf, type(edge)), edge.aspect, edge.declaredBy, edge.createdOn,
                edge.updatedOn]) AS edges
"""


@dataclass(frozen=True)
class World:
    """Every lineage edge and every entity's properties, and the walks over them."""

    edges: tuple[Drawn, ...]
    properties: Mapping[str, Mapping[str, Any]]

    @classmethod
    async def read(cls, driver: AsyncDriver, database: str) -> "World":
        edges = (await driver.execute_query(EDGES, database_=database)).records[0]["edges"]
        rows = await driver.execute_query("MATCH (n:Entity) RETURN properties(n) AS x", database_=database)
        return cls(tuple(map(Drawn._make, edges)), {row["x"]["urn"]: row["x"] for row in rows.records})

    @property
    def ends(self) -> list[str]:
        """Every entity and column with lineage, those with much of it more often."""
        return sorted(urn for edge in self.edges for urn in edge[:2])

    def removed(self, urn: str) -> bool:
        return bool(self.properties[urn].get("removed"))

    def pairs(
        self,
        flow: Flow,
        types: Collection[str] | None = None,
        *,
        mixed: bool = False,
        window: tuple[int, int] | None = None,
    ) -> set[tuple[str, str]]:
        """(upstream, downstream) of every edge that a walk follows."""
        taken = [
            edge
            for edge in self.edges
            if (types is None or edge.type in types) and (window is None or within(edge, window))
        ]
        pairs = {edge[:2] for edge in taken}
        return pairs | (set(self._attached(taken, flow)) if mixed else set())

    def _attached(self, edges: Iterable[Drawn], flow: Flow) -> Iterator[tuple[str, str]]:
        """A column and the neighbours of its entity that no column lineage of that entity reaches or is declared by."""
        covered: defaultdict[str, set[str | None]] = defaultdict(set)
        neighbours: defaultdict[str, set[str]] = defaultdict(set)
        for edge in edges:
            near, far = (edge.downstream, edge.upstream) if flow == "up" else (edge.upstream, edge.downstream)
            if column_of(near):
                covered[column_of(near)] |= {column_of(far), edge.by}
            else:
                neighbours[near].add(far)
        for urn in self.properties:
            entity = column_of(urn)
            for other in neighbours[entity] - covered[entity] if entity else ():
                yield (other, urn) if flow == "up" else (urn, other)

    def shown(
        self, start: str, found: Mapping[str, int], pairs: Collection[tuple[str, str]], hidden: Collection[str]
    ) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """(upstream, downstream) between what is found and not hidden: the edges, and what stands for hidden ones."""
        hidden = set(hidden) - {start}
        inner = {(up, down) for up, down in pairs if up in found and down in found}
        graph = onward(inner, "down")
        plain = {(up, down) for up, down in inner if up not in hidden and down not in hidden}
        return plain, {(near, far) for near in found.keys() - hidden for far in behind(graph, near, hidden)}


def within(edge: Drawn, window: tuple[int, int]) -> bool:
    times = [time for time in (edge.created, edge.updated) if time]
    return not times or any(window[0] <= time <= window[1] for time in times)


def in_order(found: Mapping[str, int], start: str, hidden: Collection[str] = frozenset()) -> list[str]:
    """The nearest first, then by URN."""
    return [urn for _, urn in sorted((hops, urn) for urn, hops in found.items() if urn != start and urn not in hidden)]


def by_hop(found: Mapping[str, int], urns: Iterable[str]) -> dict[int, int]:
    return dict(Counter(found[urn] for urn in urns))
