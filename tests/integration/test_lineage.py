"""Lineage against a brute-force walk: random graphs with cycles, diamonds, mirrors and edges that are no lineage."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from neo4j import AsyncDriver

from graphsvc.graph.reader import Flow, Lineage, Reader, Walk
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import IngestService

MIRRORS = {"Produces": "ProducedBy"}


def dataset(name: object) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


@dataclass
class Drawn:
    """A graph as the metadata model has it: (source, type, target), and whether it is lineage."""

    nodes: set[str] = field(default_factory=set)
    edges: set[tuple[str, str, str]] = field(default_factory=set)
    other: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def flows(self) -> set[tuple[str, str, str]]:
        """(upstream, downstream, type) of every lineage edge."""
        return {(s, t, k) if k in MIRRORS else (t, s, k) for s, k, t in self.edges}

    async def write(self, driver: AsyncDriver, database: str) -> None:
        """As `docs/graph-model.md` says, mirrors included."""
        await driver.execute_query(
            "UNWIND $urns AS urn CREATE (:Entity:Dataset {urn: urn, name: 'name of ' + urn})",
            urns=sorted(self.nodes),
            database_=database,
        )
        rows = [
            (s, k, t, {"aspect": "a", "lineage": True} if k not in MIRRORS else {"aspect": "a"})
            for s, k, t in self.edges
        ]
        rows += [
            (t, MIRRORS[k], s, {"aspect": "a", "lineage": True, "mirrorOf": k})
            for s, k, t in self.edges
            if k in MIRRORS
        ]
        rows += [(s, k, t, {"aspect": "b"}) for s, k, t in self.other]
        for kind in {row[1] for row in rows}:
            text = (
                "UNWIND $rows AS row MATCH (s:Entity {urn: row[0]}) MATCH (t:Entity {urn: row[2]}) "
                f"CREATE (s)-[e:{kind}]->(t) SET e = row[3]"
            )
            await driver.execute_query(
                text,  # type: ignore[arg-type]
                rows=[row for row in rows if row[1] == kind],
                database_=database,
            )

    def reached(self, start: str, flow: Flow, hops: int, kinds: Iterable[str] | None = None) -> dict[str, int]:
        """URN -> least distance, by breadth-first search; the start too."""
        found = {start: 0}
        edge = [start]
        for distance in range(1, hops + 1):
            edge = [
                far
                for near in edge
                for up, down, kind in self.flows
                for a, far in [(down, up) if flow == "up" else (up, down)]
                if a == near and (kinds is None or kind in kinds)
            ]
            edge = [urn for urn in dict.fromkeys(edge) if urn not in found]
            found |= dict.fromkeys(edge, distance)
        return found


def draw(seed: int) -> Drawn:
    """A random graph of up to 40 nodes: layers with shortcuts, some edges back, some both kinds between one pair."""
    rnd = random.Random(seed)
    drawn = Drawn(nodes={dataset(i) for i in range(rnd.randint(2, 40))})
    urns = sorted(drawn.nodes)
    for _ in range(rnd.randint(1, 100)):
        source, target = rnd.choice(urns), rnd.choice(urns)
        kind = rnd.choice(["DownstreamOf", "DownstreamOf", "Consumes", "Produces"])
        (drawn.edges if rnd.random() < 0.85 else drawn.other).add((source, kind, target))
    drawn.other |= {(s, "OwnedBy", t) for s, t in pairwise(urns)}
    drawn.other -= drawn.edges
    return drawn


def triples(found: Lineage) -> list[tuple[str, str, str]]:
    return [(edge.upstream, edge.downstream, edge.type) for edge in found.edges]


@pytest.mark.parametrize("seed", range(25))
async def test_walk_is_the_brute_force_walk(graph: AsyncDriver, database: str, reader: Reader, seed: int) -> None:
    """Every node with its least distance, every edge between them once, and an honest word on what lies behind."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    rnd = random.Random(seed)
    start, flow, hops = rnd.choice(sorted(drawn.nodes)), rnd.choice(["up", "down"]), rnd.randint(1, 6)
    expected = drawn.reached(start, flow, hops)

    found = await reader.lineage(Walk(start, flow, hops, 1000))

    assert found is not None
    assert (found.start.urn, found.start.distance, found.start.name) == (start, 0, "name of " + start)
    assert {n.urn: n.distance for n in found.nodes} == {u: d for u, d in expected.items() if u != start}
    assert list(found.nodes) == sorted(found.nodes, key=lambda n: (n.distance, n.urn))
    assert sorted(triples(found)) == sorted(e for e in drawn.flows if e[0] in expected and e[1] in expected)
    assert found.more_hops == (len(drawn.reached(start, flow, hops + 1)) > len(expected))
    assert not found.limited


@pytest.mark.parametrize("seed", range(6))
async def test_edges_or_not_the_nodes_are_the_same(
    graph: AsyncDriver, database: str, reader: Reader, seed: int
) -> None:
    """Who does not ask for edges gets the same nodes, sooner."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start = min(drawn.nodes)

    full = await reader.lineage(Walk(start, "up", 5, 1000))
    bare = await reader.lineage(Walk(start, "up", 5, 1000, with_edges=False))

    assert full is not None
    assert bare is not None
    assert (bare.nodes, bare.edges, bare.more_hops) == (full.nodes, (), None)


@pytest.mark.parametrize("seed", range(6))
async def test_details_or_not_the_edges_are_the_same(
    graph: AsyncDriver, database: str, reader: Reader, seed: int
) -> None:
    """Who does not ask for what an edge says of itself gets the same edges, in the same order, without it."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start = min(drawn.nodes)

    full = await reader.lineage(Walk(start, "down", 5, 1000))
    bare = await reader.lineage(Walk(start, "down", 5, 1000, with_details=False))

    assert full is not None
    assert bare is not None
    assert (bare.nodes, bare.more_hops) == (full.nodes, full.more_hops)
    assert bare.edges == tuple(edge._replace(aspect=None) for edge in full.edges)
    assert {edge.aspect for edge in full.edges} <= {"a"}


@pytest.mark.parametrize("with_edges", [True, False])
async def test_nodes_say_what_is_removed_and_what_is_only_referenced(
    graph: AsyncDriver, database: str, reader: Reader, *, with_edges: bool
) -> None:
    """Each node for itself, the start too."""
    states: list[dict[str, bool]] = [{"removed": True}, {}, {"referencedOnly": True}, {"removed": False}]
    rows = [{"urn": dataset(i), **state} for i, state in enumerate(states)]
    await graph.execute_query("UNWIND $rows AS row CREATE (n:Entity) SET n = row", rows=rows, database_=database)
    await graph.execute_query(
        "MATCH (s:Entity {urn: $s}), (t:Entity) WHERE s <> t CREATE (s)-[:DownstreamOf {lineage: true}]->(t)",
        s=dataset(0),
        database_=database,
    )

    found = await reader.lineage(Walk(dataset(0), "up", 1, 10, with_edges=with_edges))

    assert found is not None
    assert [(n.urn, n.removed, n.referenced_only) for n in (found.start, *found.nodes)] == [
        (dataset(0), True, False),
        (dataset(1), False, False),
        (dataset(2), False, True),
        (dataset(3), False, False),
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_types_narrow_the_walk(graph: AsyncDriver, database: str, reader: Reader, seed: int) -> None:
    """By the model's names, also where the walk goes over a mirror, and by the mirror's own."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start = max(drawn.nodes)
    expected = drawn.reached(start, "up", 5, {"Produces", "Consumes"})

    named = await reader.lineage(Walk(start, "up", 5, 1000, frozenset({"Produces", "Consumes", "OwnedBy"})))
    mirrored = await reader.lineage(Walk(start, "up", 5, 1000, frozenset({"ProducedBy", "Consumes"})))

    assert named is not None
    assert named == mirrored
    assert {start, *(n.urn for n in named.nodes)} == set(expected)
    assert {e.type for e in named.edges} <= {"Produces", "Consumes"}


@pytest.mark.parametrize("hostile", ["OwnedBy", "", "Consumes]->(x) DETACH DELETE x //", "`", "HAS_ASPECT", "A|B"])
async def test_types_that_are_no_lineage_match_nothing(
    graph: AsyncDriver, database: str, reader: Reader, hostile: str
) -> None:
    """Whatever stands there, it never becomes part of a query; the start alone is the answer."""
    drawn = Drawn({dataset("a"), dataset("b")}, {(dataset("a"), "Consumes", dataset("b"))})
    await drawn.write(graph, database)

    found = await reader.lineage(Walk(dataset("a"), "up", 5, 1000, frozenset({hostile})))

    assert found is not None
    assert (found.nodes, found.edges) == ((), ())
    assert len((await graph.execute_query("MATCH (n:Entity) RETURN n", database_=database)).records) == 2


async def test_diamond_and_cycle_keep_all_their_edges(graph: AsyncDriver, database: str, reader: Reader) -> None:
    """A spanning tree would lose one side of the diamond and the edge that closes the cycle."""
    a, b, c, d = (dataset(x) for x in "abcd")
    edges = {(a, b), (a, c), (b, d), (c, d), (d, a)}
    await Drawn({a, b, c, d}, {(s, "DownstreamOf", t) for s, t in edges}).write(graph, database)

    found = await reader.lineage(Walk(a, "up", 2, 1000))

    assert found is not None
    assert {n.urn: n.distance for n in found.nodes} == {b: 1, c: 1, d: 2}
    assert {(e.downstream, e.upstream) for e in found.edges} == edges
    assert found.more_hops is False


async def test_both_kinds_between_one_pair_are_two_edges(graph: AsyncDriver, database: str, reader: Reader) -> None:
    """One for the relationship that points up, one for that which points down, under the model's own names."""
    job, table = dataset("job"), dataset("table")
    await Drawn({job, table}, {(job, "Produces", table), (table, "DownstreamOf", job)}).write(graph, database)

    found = await reader.lineage(Walk(job, "down", 1, 10))

    assert found is not None
    assert [(e.type, e.points_down) for e in found.edges] == [("DownstreamOf", False), ("Produces", True)]
    assert triples(found) == [(job, table, "DownstreamOf"), (job, table, "Produces")]


async def test_limit_keeps_the_nearest_and_says_so(graph: AsyncDriver, database: str, reader: Reader) -> None:
    """A chain cut at 3 nodes: the first three, the edges among them, and no claim to be complete."""
    urns = [dataset(i) for i in range(10)]
    await Drawn(set(urns), {(a, "DownstreamOf", b) for a, b in pairwise(urns)}).write(graph, database)

    cut = await reader.lineage(Walk(urns[0], "up", 9, 3))
    whole = await reader.lineage(Walk(urns[0], "up", 9, 9))

    assert cut is not None
    assert whole is not None
    assert ([n.urn for n in cut.nodes], len(cut.edges), cut.limited) == (urns[1:4], 3, True)
    assert (len(whole.nodes), len(whole.edges), whole.limited) == (9, 9, False)


async def test_within_a_distance_the_limit_keeps_the_first_by_urn(
    graph: AsyncDriver, database: str, reader: Reader
) -> None:
    """Whether edges are asked for or not: else a page after it would miss some."""
    urns = [dataset(i) for i in range(10)]
    edges = {(urns[0], "DownstreamOf", urn) for urn in urns[:0:-1]}
    await Drawn(set(urns), edges).write(graph, database)

    found = [await reader.lineage(Walk(urns[0], "up", 2, 4, with_edges=edges)) for edges in (True, False)]

    assert [[node.urn for node in cut.nodes] for cut in found if cut] == [urns[1:5]] * 2


async def test_no_node_no_answer(graph: AsyncDriver, reader: Reader) -> None:
    """An unknown start is None, which is not the same as a start without lineage."""
    await graph.execute_query("CREATE (:Entity:Tag {urn: 'urn:li:tag:a', name: 'a'})")
    alone = await reader.lineage(Walk("urn:li:tag:a", "up", 3, 10))

    assert await reader.lineage(Walk("urn:li:tag:b", "up", 3, 10)) is None
    assert alone is not None
    assert (alone.nodes, alone.edges, alone.more_hops) == ((), (), False)


async def test_an_edge_to_itself_is_shown_once(graph: AsyncDriver, database: str, reader: Reader) -> None:
    """A table that reads itself: the start is no node of the answer, the edge is."""
    a = dataset("a")
    await Drawn({a}, {(a, "DownstreamOf", a)}).write(graph, database)

    found = await reader.lineage(Walk(a, "up", 3, 10))

    assert found is not None
    assert (found.nodes, triples(found), found.more_hops) == ((), [(a, a, "DownstreamOf")], False)


async def test_many_diamonds_in_a_row_are_no_explosion(graph: AsyncDriver, database: str, reader: Reader) -> None:
    """2^15 paths of 30 hops, and more at each further diamond; pruned, they are 45 nodes."""
    edges: set[tuple[str, str, str]] = set()
    for i in range(15):
        top, left, right, low = dataset(i), dataset(f"{i}l"), dataset(f"{i}r"), dataset(i + 1)
        edges |= {(s, "DownstreamOf", t) for s, t in [(top, left), (top, right), (left, low), (right, low)]}
    await Drawn({u for s, _, t in edges for u in (s, t)}, edges).write(graph, database)

    found = await reader.lineage(Walk(dataset(0), "up", 50, 1000))

    assert found is not None
    assert (len(found.nodes), len(found.edges)) == (45, 60)


async def test_columns_have_lineage_of_their_own(graph: AsyncDriver, reader: Reader, service: IngestService) -> None:
    """From a schema field the walk goes over fields only; from the dataset over datasets only."""
    up, down = dataset("up"), dataset("down")
    columns = {"upstreams": [f"urn:li:schemaField:({up},id)"], "downstreams": [f"urn:li:schemaField:({down},key)"]}
    fine = {"upstreamType": "FIELD_SET", "downstreamType": "FIELD", **columns}
    value = {"upstreams": [{"dataset": up, "type": "TRANSFORMED"}], "fineGrainedLineages": [fine]}
    await service.ingest([proposal_of(down, "upstreamLineage", value)])

    field = await reader.lineage(Walk(f"urn:li:schemaField:({down},key)", "up", 3, 10))
    table = await reader.lineage(Walk(down, "up", 3, 10))

    assert field is not None
    assert table is not None
    assert [n.urn for n in field.nodes] == [f"urn:li:schemaField:({up},id)"]
    assert [(n.urn, n.referenced_only) for n in table.nodes] == [(up, True)]
