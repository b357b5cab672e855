"""Walks with every option against walks by hand: random graphs with cycles, jobs, soft-deleted nodes and columns."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from typing import Any, LiteralString

import pytest
from neo4j import AsyncDriver

from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.walking import FIRST, FOLDED, Edge, Flow, Place, identity, shown
from graphsvc.graph.walks import Filter, Partial, Question, Walked, Walks, column_of, job
from tests.integration.by_hand import behind, reached, simple_paths

SEEDS = range(12)


def dataset(name: object) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def task(name: object) -> str:
    return f"urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,prod),{name})"


def column(entity: str, name: object) -> str:
    return f"urn:li:schemaField:({entity},{name})"


@dataclass
class Drawn:
    """A graph: (upstream, downstream) pairs of entities and of columns; the latter with who declares them."""

    entities: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    flows: set[tuple[str, str]] = field(default_factory=set)
    columns: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def nodes(self) -> set[str]:
        return {*self.entities, *(end for pair in self.columns for end in pair)}

    @property
    def pairs(self) -> set[tuple[str, str]]:
        return self.flows | set(self.columns)

    async def write(self, driver: AsyncDriver, database: str) -> None:
        """A job Produces what is downstream of it, with the mirror; everything else DownstreamOf or Consumes."""
        rows: list[dict[str, Any]] = [
            {
                "urn": urn,
                "label": "SchemaField" if column_of(urn) else "Dataset",
                "removed": urn in self.removed or None,
            }
            for urn in sorted(self.nodes)
        ]
        await driver.execute_query(
            "UNWIND $rows AS row CREATE (n:Entity {urn: row.urn, name: 'name of ' + row.urn, removed: row.removed}) "
            "SET n:$(row.label), n.size = size(row.urn)",
            rows=rows,
            database_=database,
        )
        produced = {(up, down) for up, down in self.flows if job(up) and not job(down)}
        consumed = {(up, down) for up, down in self.flows if job(down)}
        writes: list[tuple[set[tuple[str, str]], LiteralString]] = [
            (produced, "(u)-[:Produces]->(d), (d)-[:ProducedBy {lineage: true, mirrorOf: 'Produces'}]->(u)"),
            (consumed, "(d)-[:Consumes {lineage: true, aspect: 'a'}]->(u)"),
            (self.flows - produced - consumed, "(d)-[:DownstreamOf {lineage: true, via: 'urn:li:query:q'}]->(u)"),
        ]
        for pairs, text in writes:
            await driver.execute_query(
                "UNWIND $rows AS row MATCH (u:Entity {urn: row[0]}) MATCH (d:Entity {urn: row[1]}) CREATE " + text,
                rows=[[up, down] for up, down in sorted(pairs)],
                database_=database,
            )
        await driver.execute_query(
            "UNWIND $rows AS row MATCH (u:Entity {urn: row[0]}) MATCH (d:Entity {urn: row[1]}) "
            "CREATE (d)-[:DownstreamOf {lineage: true, declaredBy: row[2], transformOperation: 'T'}]->(u)",
            rows=[[up, down, by] for (up, down), by in self.columns.items()],
            database_=database,
        )

    def onward(self, flow: Flow, pairs: set[tuple[str, str]] | None = None) -> dict[str, set[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for up, down in self.pairs if pairs is None else pairs:
            near, far = (down, up) if flow == "up" else (up, down)
            found[near].add(far)
        return found


def draw(seed: int) -> Drawn:
    rnd = random.Random(seed)
    drawn = Drawn([dataset(i) for i in range(rnd.randint(3, 12))] + [task(i) for i in range(rnd.randint(0, 6))])
    for _ in range(rnd.randint(3, 35)):
        drawn.flows.add((rnd.choice(drawn.entities), rnd.choice(drawn.entities)))
    drawn.removed = set(rnd.sample(drawn.entities, len(drawn.entities) // 4))
    tables = [urn for urn in drawn.entities if not job(urn)]
    for _ in range(rnd.randint(0, 25)):
        up, down = (column(rnd.choice(tables), rnd.choice("xyz")) for _ in range(2))
        by = rnd.choice([column_of(down), *filter(job, drawn.entities)])
        drawn.columns[up, down] = by
    return drawn


@pytest.fixture
def walks(reader: Reader, registry: Registry) -> Walks:
    return Walks(reader, registry)


def asked(urn: str, flow: Flow, hops: int, **more: Any) -> Question:
    return Question(urn, flow, hops, more.pop("max_nodes", 1000), 30.0, **more)


def pairs_of(found: Walked) -> set[tuple[str, str]]:
    return {(edge.upstream, edge.downstream) for edge in found.edges}


def begun(seed: int, drawn: Drawn) -> tuple[str, Flow, int]:
    rnd = random.Random(seed)
    return rnd.choice(sorted(drawn.entities)), rnd.choice(["up", "down"]), rnd.randint(1, 5)


@pytest.mark.parametrize("seed", SEEDS)
async def test_walk_is_the_walk_by_hand(graph: AsyncDriver, database: str, walks: Walks, seed: int) -> None:
    """Every node at its least distance, every edge between them, and whether there is more."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)
    expected = reached(drawn.onward(flow), start, hops)

    found = await walks.walk(asked(start, flow, hops))

    assert found is not None
    assert found.distance == expected
    assert [n.urn for n in found.nodes] == sorted(expected.keys() - {start}, key=lambda urn: (expected[urn], urn))
    assert pairs_of(found) == {(up, down) for up, down in drawn.pairs if up in expected and down in expected}
    assert len(found.edges) == len(pairs_of(found))
    assert found.more_hops == (len(reached(drawn.onward(flow), start, hops + 1)) > len(expected))
    assert found.partial is None
    assert {n.urn for n in found.nodes if n.removed} == (drawn.removed & expected.keys()) - {start}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_folded_job_costs_no_hop(graph: AsyncDriver, database: str, walks: Walks, seed: int) -> None:
    """Datasets behind a job, or behind several, are as near as if they stood next to each other."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)

    found = await walks.walk(asked(start, flow, hops, folded=job))

    assert found is not None
    assert found.distance == reached(drawn.onward(flow), start, hops, {urn for urn in drawn.entities if job(urn)})


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_hidden_still_joins(graph: AsyncDriver, database: str, walks: Walks, seed: int) -> None:
    """Jobs and soft-deleted nodes left out: an edge stands for every way through them, and for nothing else."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)
    found = await walks.walk(asked(start, flow, hops))
    assert found is not None
    hidden = {n.urn for n in found.nodes if n.removed or job(n.urn)} - {start}

    edges, cut = shown([start, *(n.urn for n in found.nodes)], found.edges, hidden)

    inner = drawn.onward("down", pairs_of(found))
    through = {(near, far) for near in found.distance.keys() - hidden for far in behind(inner, near, hidden)}
    assert not cut
    assert {(e.upstream, e.downstream) for e in edges if e.type != FOLDED} == {
        (a, b) for a, b in pairs_of(found) if a not in hidden and b not in hidden
    }
    assert sorted((e.upstream, e.downstream) for e in edges if e.type == FOLDED) == sorted(through)
    for edge in edges:
        assert set(pairwise((edge.upstream, *edge.through, edge.downstream))) <= pairs_of(found)
        assert set(edge.through) <= hidden


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_filter_during_the_walk_ends_it_there(
    graph: AsyncDriver, database: str, walks: Walks, seed: int
) -> None:
    """Nothing is found through a node that does not pass, nor through a soft-deleted one where they are not walked."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)
    kept = {urn for urn in drawn.nodes if len(urn) % 2 == 1 and urn not in drawn.removed} | {start}
    passing = Filter(frozenset({"size"}), lambda _, values: values["size"] % 2 == 1)
    inner = {pair for pair in drawn.pairs if pair[0] in kept and pair[1] in kept}

    found = await walks.walk(asked(start, flow, hops, during=passing, removed=False))

    assert found is not None
    assert found.distance == reached(drawn.onward(flow, inner), start, hops)
    assert pairs_of(found) == {(a, b) for a, b in inner if a in found.distance and b in found.distance}


@pytest.mark.parametrize("seed", SEEDS)
async def test_columns_mixed_with_entities(graph: AsyncDriver, database: str, walks: Walks, seed: int) -> None:
    """A column goes on by column lineage, and by its entity's lineage to neighbours that column lineage leaves out."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    _, flow, hops = begun(seed, drawn)
    starts = sorted(drawn.nodes - set(drawn.entities))
    if not starts:
        drawn.columns[column(dataset(0), "x"), column(dataset(1), "x")] = dataset(1)
        await graph.execute_query("MATCH (n:Entity) DETACH DELETE n", database_=database)
        await drawn.write(graph, database)
        starts = sorted(drawn.nodes - set(drawn.entities))
    start = random.Random(seed).choice(starts)

    found = await walks.walk(asked(start, flow, hops, mixed=True))
    bare = await walks.walk(asked(start, flow, hops))

    assert found is not None
    assert bare is not None
    assert found.distance == reached(drawn.onward(flow, drawn.pairs | set(attached(drawn, flow))), start, hops)
    assert bare.distance == reached(drawn.onward(flow), start, hops)


def attached(drawn: Drawn, flow: Flow) -> Iterator[tuple[str, str]]:
    """The (upstream, downstream) pairs of a column and a neighbour of its entity."""
    for near in drawn.nodes - set(drawn.entities):
        entity = column_of(near)
        covered = set()
        for (up, down), by in drawn.columns.items():
            mine, other = (down, up) if flow == "up" else (up, down)
            if column_of(mine) == entity:
                covered |= {column_of(other), by}
        for up, down in drawn.flows:
            mine, other = (down, up) if flow == "up" else (up, down)
            if mine == entity and other not in covered:
                yield (other, near) if flow == "up" else (near, other)


@pytest.mark.parametrize("seed", SEEDS)
async def test_paths_are_all_paths_in_order(graph: AsyncDriver, database: str, walks: Walks, seed: int) -> None:
    """The k shortest, or all of the shortest, as an exhaustive search has them; each step with all its edges."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)
    rnd = random.Random(seed + 1)
    end = rnd.choice([urn for urn in drawn.entities if urn != start])
    every = sorted(simple_paths(drawn.onward(flow), (start,), {end}, hops), key=lambda p: (len(p), p))

    few = await walks.routes(asked(start, flow, hops), end, 7)
    least = await walks.routes(asked(start, flow, hops), end, None)

    assert [route.urns for route in few.routes] == every[:7]
    assert [route.urns for route in least.routes] == [path for path in every if len(path) == len(every[0])]
    assert (few.partial, least.partial) == (None, None)
    for route in few.routes:
        for (near, far), edges in zip(pairwise(route.urns), route.steps, strict=True):
            assert {(e.upstream, e.downstream) for e in edges} == {(far, near) if flow == "up" else (near, far)}
            assert all(e.via == "urn:li:query:q" for e in edges if e.type == "DownstreamOf")


@pytest.mark.parametrize("seed", SEEDS)
async def test_paths_of_columns_end_at_a_column_of_the_end(
    graph: AsyncDriver, database: str, walks: Walks, seed: int
) -> None:
    """From a column to an entity, over columns and entities."""
    drawn = draw(seed)
    drawn.columns[column(dataset(0), "x"), column(dataset(1), "x")] = dataset(1)
    await drawn.write(graph, database)
    _, flow, hops = begun(seed, drawn)
    start, end = column(dataset(0), "x"), random.Random(seed).choice(drawn.entities)
    graph_by_hand = drawn.onward(flow, drawn.pairs | set(attached(drawn, flow)))
    ends = {end} | {urn for urn in drawn.nodes if column_of(urn) == end} - {start}
    every = sorted(simple_paths(graph_by_hand, (start,), ends, hops), key=lambda p: (len(p), p))

    found = await walks.routes(asked(start, flow, hops, mixed=True), end, 5)

    assert [route.urns for route in found.routes] == every[:5]


async def test_limits_are_said(graph: AsyncDriver, database: str, walks: Walks) -> None:
    """Nodes: the nearest are kept, then the first by URN. Time: no further hop. Nothing is claimed to be complete."""
    urns = [dataset(i) for i in range(8)]
    drawn = Drawn(urns, flows={(urns[0], urn) for urn in urns[1:5]} | {(urns[4], urns[5])})
    await drawn.write(graph, database)

    few = await walks.walk(asked(urns[0], "down", 5, max_nodes=3))
    late = await walks.walk(Question(urns[0], "down", 5, 1000, -1.0))
    many = await walks.walk(asked(urns[0], "down", 5, max_nodes=5))
    bound = await walks.walk(asked(urns[0], "down", 5, max_nodes=2, max_walked=3))

    assert few is not None
    assert late is not None
    assert many is not None
    assert bound is not None
    assert ([n.urn for n in few.nodes], few.partial, len(few.edges)) == (urns[1:4], Partial.NODE_LIMIT, 3)
    assert (late.nodes, late.partial, late.next) == ((), Partial.TIME_LIMIT, None)
    assert (len(many.nodes), many.partial, many.more_hops, many.next) == (5, None, False, None)
    assert (few.next, bound.next) == (Place(1, urns[3]), Place(1, urns[2]))


async def test_a_walk_has_an_end_that_no_page_passes(graph: AsyncDriver, database: str, walks: Walks) -> None:
    """Page after page up to the bound of the walk, which then says so and gives no place to go on."""
    urns = [dataset(i) for i in range(8)]
    await Drawn(urns, flows=set(pairwise(urns))).write(graph, database)

    places = [FIRST]
    pages: list[Walked] = []
    while len(places) > len(pages):
        page = await walks.walk(asked(urns[0], "down", 9, max_nodes=2, max_walked=5, after=places[-1]))
        assert page is not None
        pages.append(page)
        places += [page.next] if page.next else []

    assert [[n.urn for n in page.nodes] for page in pages] == [urns[1:3], urns[3:5], urns[5:6]]
    assert [page.partial for page in pages] == [Partial.NODE_LIMIT, Partial.NODE_LIMIT, Partial.WALK_LIMIT]


@pytest.mark.parametrize("seed", SEEDS)
async def test_pages_are_the_whole_walk(graph: AsyncDriver, database: str, walks: Walks, seed: int) -> None:
    """Cut anywhere, with jobs that cost no hop and columns that are mixed: each node once, each edge once, in order."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)
    question = asked(start, flow, hops, folded=job, mixed=True)
    whole = await walks.walk(question)
    assert whole is not None

    page: Walked | None = whole
    for size in (1, 2, 5):
        nodes: list[str] = []
        edges: list[Edge] = []
        after: Place | None = FIRST
        while after:
            page = await walks.walk(replace(question, max_nodes=size, after=after))
            assert page is not None
            assert [node.urn for node in page.before] == nodes
            nodes += [node.urn for node in page.nodes]
            edges += page.shown(frozenset())[1]
            after = page.next

        assert nodes == [node.urn for node in whole.nodes]
        assert sorted(edges, key=str) == sorted(whole.edges, key=str)
        assert (page.more_hops, page.partial) == (whole.more_hops, None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("most", [1, 3, 8])
async def test_pages_that_their_edges_end_are_the_whole_walk(
    graph: AsyncDriver, database: str, walks: Walks, seed: int, most: int
) -> None:
    """However few edges a page may have, and whatever is hidden: each node and each edge once, no page too large."""
    drawn = draw(seed)
    await drawn.write(graph, database)
    start, flow, hops = begun(seed, drawn)
    rnd = random.Random(seed)
    folded = job if rnd.random() < 0.5 else lambda _: False
    hiding = rnd.choice([None, lambda node: node.removed, lambda node: node.removed or job(node.urn)])
    hides = hiding or (lambda _: False)
    question = asked(start, flow, hops, folded=folded, mixed=rnd.random() < 0.5, hides=hides)
    whole = await walks.walk(question)
    assert whole is not None

    def answered(found: Walked) -> list[Edge]:
        hidden = found.hidden({node.urn for node in (*found.before, *found.nodes) if not hides(node)})
        return found.shown(hidden)[1]

    nodes: list[str] = []
    edges: list[Any] = []
    after: Place | None = FIRST
    while after:
        page = await walks.walk(
            replace(question, pages=True, max_edges=most, max_nodes=rnd.choice([2, 50]), after=after)
        )
        assert page is not None
        assert (page.partial in {Partial.EDGE_LIMIT, Partial.NODE_LIMIT}) == (page.next is not None)
        own = answered(page)
        assert hiding or len(page.nodes) == 1 or len(own) <= most
        nodes += [node.urn for node in page.nodes]
        edges += map(identity, own)
        after = page.next
    assert nodes == [node.urn for node in whole.nodes]
    assert sorted(edges, key=str) == sorted(map(identity, answered(whole)), key=str)


async def test_too_many_folded_edges_end_a_page(
    graph: AsyncDriver, database: str, walks: Walks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hidden job of many inputs and outputs makes their product; pages go on, and give each edge once."""
    ins, outs = [dataset(f"in{i}") for i in range(6)], [dataset(f"out{i}") for i in range(6)]
    flows = {(urn, task(0)) for urn in ins} | {(task(0), urn) for urn in outs} | set(product(outs, [dataset("end")]))
    await Drawn([*ins, *outs, task(0), dataset("end")], flows=flows).write(graph, database)
    question = asked(dataset("end"), "up", 5, pages=True)
    whole = await walks.walk(question)
    assert whole is not None
    monkeypatch.setattr("graphsvc.graph.walks.MAX_FOLDED_EDGES", 10)

    found: list[Any] = []
    nodes: list[str] = []
    after: Place | None = FIRST
    while after:
        walked = await walks.walk(replace(question, after=after))
        assert walked is not None
        page, edges = walked.shown({task(0)})
        assert len([edge for edge in edges if edge.type == FOLDED]) <= 10
        assert (page.partial is Partial.EDGE_LIMIT) == (page.next is not None)
        found += map(identity, edges)
        nodes += [node.urn for node in page.nodes]
        after = page.next

    assert nodes == [node.urn for node in whole.nodes]
    assert len(found) == len(set(found)) == 6 + 36


async def test_fan_out_beyond_the_limit_of_edges(graph: AsyncDriver, database: str, walks: Walks) -> None:
    """More edges in one hop than are kept: every node is there, and the answer is called partial."""
    await graph.execute_query(
        "CREATE (hub:Entity {urn: $hub}) WITH hub UNWIND range(1, 50) AS i "
        "MERGE (n:Entity {urn: 'urn:li:tag:' + (i % 3)}) "
        "CREATE (n)-[:DownstreamOf {lineage: true, via: toString(i)}]->(hub) "
        "MERGE (m:Entity {urn: 'urn:li:tag:far' + i}) CREATE (m)-[:DownstreamOf {lineage: true}]->(n)",
        hub=dataset("hub"),
        database_=database,
    )

    cut = await walks.walk(asked(dataset("hub"), "down", 2, max_edges=40))
    whole = await walks.walk(asked(dataset("hub"), "down", 2))
    pages: list[Walked] = []
    while not pages or pages[-1].next:
        after = pages[-1].next if pages else FIRST
        page = await walks.walk(asked(dataset("hub"), "down", 2, max_edges=10, pages=True, after=after))
        assert page is not None
        pages.append(page)

    assert cut is not None
    assert whole is not None
    assert (cut.partial, whole.partial) == (Partial.EDGE_LIMIT, None)
    assert (len(whole.nodes), len(whole.edges)) == (53, 100)
    assert {node.urn for node in cut.nodes if "far" in node.urn} == {f"urn:li:tag:far{i}" for i in range(1, 51)}
    assert len(cut.edges) < 100
    assert [node.urn for page in pages for node in page.nodes] == [node.urn for node in whole.nodes]
    assert Counter(edge for page in pages for edge in page.shown(frozenset())[1]) == Counter(whole.edges)
    assert {page.partial for page in pages[:-1]} == {Partial.EDGE_LIMIT}


@pytest.mark.usefixtures("graph")
async def test_no_node_no_answer(walks: Walks) -> None:
    """An unknown start is None, and there are no paths from it."""
    assert await walks.walk(asked(dataset("nowhere"), "up", 3)) is None
    assert (await walks.routes(asked(dataset("nowhere"), "up", 3), dataset("a"), 3)).routes == ()


async def test_types_narrow_a_walk(graph: AsyncDriver, database: str, walks: Walks) -> None:
    """By the model's names, also over a mirror; names that are no lineage match nothing."""
    drawn = Drawn(
        [dataset(0), task(0), dataset(1)],
        flows={(dataset(0), task(0)), (task(0), dataset(1)), (dataset(0), dataset(1))},
    )
    await drawn.write(graph, database)

    found = [
        await walks.walk(asked(dataset(1), "up", 3, types=frozenset(types)))
        for types in ({"Produces"}, {"Produces", "Consumes"}, {"OwnedBy", "x]->() //"})
    ]

    assert [[n.urn for n in walked.nodes] for walked in found if walked] == [[task(0)], [task(0), dataset(0)], []]
