"""
What stood at a time, by random histories: against an oracle in plain dictionaries, and against the answers of then.

A history is written batch by batch, each in a millisecond of its own, and read back at the moment after each batch.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson
import pytest
from neo4j import AsyncDriver

from graphsvc.errors import BadRequest
from graphsvc.graph.past import PastReader
from graphsvc.graph.reader import Flow, Reader, Walk
from graphsvc.graph.registry import Registry
from graphsvc.graph.walks import Question, Walks
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

BATCHES = 14
PLATFORM = "urn:li:dataPlatform:hive"
TABLES = [f"urn:li:dataset:({PLATFORM},shop.{name},PROD)" for name in "abcd"]
COLUMNS = [f"urn:li:schemaField:({table},{path})" for table in TABLES[:3] for path in "xy"]
JOBS = [f"urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,PROD),{name})" for name in ("load", "copy")]
TAGS = ["urn:li:tag:p", "urn:li:tag:q"]
QUERY = "urn:li:query:q"
URNS = [*TABLES, *COLUMNS, *JOBS, *TAGS, QUERY, "urn:li:dataFlow:(airflow,daily,PROD)"]
KEYS = {"dataset": "datasetKey", "dataJob": "dataJobKey", "tag": "tagKey"}
NAMING = {"datasetProperties", "tagProperties"}
UP = {"DownstreamOf": False, "Consumes": False, "Produces": True}  # whether it points to the downstream


class Edge(NamedTuple):
    """As the oracle tells edges apart."""

    type: str
    source: str
    target: str
    aspect: str
    via: str | None

    @property
    def lineage(self) -> bool:
        """Between two tables, two columns, or a job and a table."""
        return ("schemaField" in self.source) == ("schemaField" in self.target) and self.type != "IsPartOf"


def edges_of(owner: str, aspect: str, value: dict[str, Any]) -> Iterator[Edge]:
    """What the few aspects of these histories declare."""
    if aspect == "upstreamLineage":
        for upstream in value["upstreams"]:
            yield Edge("DownstreamOf", owner, upstream["dataset"], aspect, upstream.get("query"))
    if aspect == "dataJobInputOutput":
        for urn in value["inputDatasets"]:
            yield Edge("Consumes", owner, urn, aspect, None)
        for urn in value["outputDatasets"]:
            yield Edge("Produces", owner, urn, aspect, None)
    for entry in value.get("fineGrainedLineages", ()):
        if aspect == "upstreamLineage":  # the model has an edge from the table to each column, too, which is no lineage
            yield from (Edge("DownstreamOf", owner, up, aspect, None) for up in entry["upstreams"])
        via = entry.get("query") or (owner if aspect == "dataJobInputOutput" else None)
        for down in entry["downstreams"]:
            for up in entry["upstreams"]:
                yield Edge("DownstreamOf", down, up, aspect, via)
    if aspect == "globalTags":
        for tag in value["tags"]:
            yield Edge("TaggedWith", owner, tag["tag"], aspect, None)
    if aspect == "dataJobKey":
        yield Edge("IsPartOf", owner, value["flow"], aspect, None)


@dataclass
class Oracle:
    """Every value of every aspect since when; None stands for its deletion. Who is deleted for good never was."""

    history: dict[tuple[str, str], list[tuple[int, dict[str, Any] | None]]] = field(default_factory=dict)

    def apply(self, proposal: Proposal, at: int) -> None:
        urn, aspect = str(proposal.entity_urn), proposal.aspect_name
        kind = urn.split(":")[2]
        known = (urn, KEYS[kind]) in self.history
        if proposal.change_type == "DELETE" and aspect == KEYS[kind]:
            self.history = {key: item for key, item in self.history.items() if key[0] != urn}
        elif proposal.change_type == "DELETE":
            if (urn, str(aspect)) in self.history:
                self.history[urn, str(aspect)].append((at, None))
        elif proposal.aspect is not None:
            if not known:
                flow = {"flow": "urn:li:dataFlow:(airflow,daily,PROD)"} if kind == "dataJob" else {}
                self.history[urn, KEYS[kind]] = [(at, flow)]
            self.history.setdefault((urn, str(aspect)), []).append((at, proposal.aspect.json_))

    def state(self, at: int) -> dict[tuple[str, str], dict[str, Any]]:
        last = {key: next((v for t, v in reversed(values) if t <= at), None) for key, values in self.history.items()}
        return {key: value for key, value in last.items() if value is not None}


@dataclass
class Then:
    """The oracle's view of one moment."""

    state: dict[tuple[str, str], dict[str, Any]]
    edges: set[Edge] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.edges = {edge for (urn, aspect), value in self.state.items() for edge in edges_of(urn, aspect, value)}

    def entities(self) -> dict[str, tuple[str, bool, bool]]:
        """URN -> name, exists, removed."""
        described = {urn for urn, _ in self.state}
        ends = {end for edge in self.edges for end in (edge.source, edge.target)}
        return {
            urn: (self.name(urn), urn in described, self.state.get((urn, "status"), {}).get("removed", False))
            for urn in described | ends
        }

    def name(self, urn: str) -> str:
        said = next((v.get("name") for (u, a), v in self.state.items() if u == urn and a in NAMING), None)
        part = urn.rpartition(",")[2] if "dataJob" in urn or "schemaField" in urn else urn.split(",")[-2:][0]
        return str(said or part.removeprefix("urn:li:tag:").removeprefix("urn:li:query:").rstrip(")"))

    def neighbours(self, urn: str, flow: Flow) -> set[str]:
        found = set()
        for edge in self.edges:
            if edge.type in UP and edge.lineage:
                up, down = (edge.source, edge.target) if UP[edge.type] else (edge.target, edge.source)
                near, far = (down, up) if flow == "up" else (up, down)
                found |= {far} if near == urn else set()
        return found

    def walk(self, urn: str, flow: Flow) -> dict[str, int]:
        found = {urn: 0}
        waiting = deque([urn])
        while waiting:
            near = waiting.popleft()
            for far in self.neighbours(near, flow) - found.keys():
                found[far] = found[near] + 1
                waiting.append(far)
        return found


class Histories:
    """Random changes; few urns and values, so that everything comes, goes and comes again."""

    def __init__(self, seed: int, *, deletions: bool) -> None:
        self._rng = random.Random(seed)
        self._deletions = deletions

    def batch(self) -> list[Proposal]:
        return [self._change() for _ in range(self._rng.choice([1, 1, 2, 4]))]

    def _some(self, items: list[str]) -> list[str]:
        return self._rng.sample(items, self._rng.randrange(3))

    def _change(self) -> Proposal:
        rng = self._rng
        if self._deletions and rng.random() < 0.1:
            urn = rng.choice([*TABLES, *JOBS, *TAGS])
            return Proposal(entity_urn=urn, aspect_name=KEYS[urn.split(":")[2]], change_type="DELETE")
        aspect, urns = rng.choice([
            ("upstreamLineage", TABLES), ("upstreamLineage", TABLES), ("dataJobInputOutput", JOBS), ("status", TABLES),
            ("globalTags", [*TABLES, *JOBS]), ("datasetProperties", TABLES), ("tagProperties", TAGS),
        ])  # fmt: skip
        urn = rng.choice(urns)
        if rng.random() < 0.15:
            return Proposal(entity_urn=urn, aspect_name=aspect, change_type="DELETE")
        return proposal_of(urn, aspect, self._value(aspect), system_metadata={"lastObserved": rng.randrange(1, 99)})

    def _value(self, aspect: str) -> dict[str, Any]:
        rng = self._rng
        if aspect == "upstreamLineage":
            created = {"created": {"time": rng.randrange(1, 9), "actor": "urn:li:corpuser:x"}}
            more: dict[str, Any] = rng.choice([{}, {"query": QUERY}, created])
            upstreams = [{"dataset": table, **more} for table in self._some(TABLES)]
            return {"upstreams": upstreams, "fineGrainedLineages": self._columns()}
        if aspect == "dataJobInputOutput":
            sides = {"inputDatasets": self._some(TABLES), "outputDatasets": self._some(TABLES)}
            return {**sides, "fineGrainedLineages": self._columns()}
        if aspect == "globalTags":
            return {"tags": [{"tag": tag} for tag in self._some(TAGS)]}
        values: dict[str, dict[str, Any]] = {
            "status": {"removed": rng.random() < 0.5},
            "datasetProperties": rng.choice([{"name": "One"}, {"name": "Two"}, {"description": "none"}]),
            "tagProperties": {"name": rng.choice("PQ"), "description": rng.choice("xyz")},
        }
        return values[aspect]

    def _columns(self) -> list[dict[str, Any]]:
        if self._rng.random() < 0.5:
            return []
        entry: dict[str, Any] = {"upstreams": self._some(COLUMNS), "downstreams": self._some(COLUMNS)}
        return [{**entry, **self._rng.choice([{}, {"query": QUERY}, {"transformOperation": "SUM"}])}]


async def write(service: IngestService, batch: list[Proposal]) -> int:
    """Write a batch; gives a millisecond after it, and before anything that is written later."""
    answers = await service.ingest(batch)
    assert all(isinstance(answer, Applied) for answer in answers), answers
    at = time.time_ns() // 1_000_000 + 2
    await asyncio.sleep(0.006)
    return at


async def seen(reader: Reader, registry: Registry) -> dict[str, Any]:
    """Everything that a reader says of these entities, with all details."""
    walks = Walks(reader, registry)
    found: dict[str, Any] = {
        "entities": await reader.entities(URNS),
        # Who saw a value last, and when, is noted on it, and no version is made of that.
        "aspects": {
            urn: [row._replace(system_metadata=None, run_id=None) for _, row in sorted(rows.items())]
            for urn, rows in (await reader.aspects(URNS)).items()
        },
        "values": await walks.values((await reader.entities(URNS)).keys(), {"platform", "tags", "name", "removed"}),
    }
    for removed in (True, False):
        for direction in ("in", "out"):
            pages = await reader.relationships(URNS, None, direction, 1, 3, removed)
            found[f"{direction} {removed}"] = {
                urn: (page.total, [row._replace(via=None) for row in page.rows])
                for urn, page in pages.items()
                if page.total
            }
        pages = await reader.relationships(URNS, None, "both", 0, 500, removed)
        for direction, way in (("both", (True, False)), ("out", (True,)), ("in", (False,))):
            counts = await reader.relationship_counts(URNS, None, direction, removed)
            counted = {urn: Counter((row.type, row.outgoing) for row in page.rows) for urn, page in pages.items()}
            if direction != "in":  # of an entity with itself: both ways, if asked for one
                assert {urn: {(c.type, c.outgoing): c.total for c in rows} for urn, rows in counts.items()} == {
                    urn: {key: total for key, total in by_type.items() if key[1] in way}
                    for urn, by_type in counted.items()
                    if urn in counts
                }
            found[f"counts {direction} {removed}"] = {urn: rows for urn, rows in counts.items() if rows}
        found[f"both {removed}"] = {
            urn: (page.total, sorted(map(str, page.rows))) for urn, page in pages.items() if page.total
        }
    for flow in ("up", "down"):
        pages = await reader.hops(URNS, flow, 0, 50, removed=True)
        found[flow] = {urn: (page.total, set(map(str, page.rows))) for urn, page in pages.items() if page.total}
        for urn in (TABLES[0], COLUMNS[0]):
            mixed = await walks.walk(Question(urn, flow, 3, 50, 10.0, mixed=True))
            walked = await reader.lineage(Walk(urn, flow, 2, 50))
            found[f"{flow} {urn}"] = (
                mixed and (mixed.nodes, sorted(map(str, mixed.edges)), mixed.more_hops),
                walked and (walked.nodes, sorted(map(str, walked.edges)), walked.more_hops),
            )
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_the_past_is_what_the_oracle_says(
    graph: AsyncDriver, service: IngestService, reader: Reader, registry: Registry, seed: int
) -> None:
    """Entities come and go for good and come again, are soft-deleted, and edges of all kinds with them."""
    del graph
    histories, oracle, moments = Histories(seed, deletions=True), Oracle(), [time.time_ns() // 1_000_000 - 1]
    for _ in range(BATCHES):
        batch = histories.batch()
        moments.append(await write(service, batch))
        for proposal in batch:
            oracle.apply(proposal, moments[-1])

    for at in moments:
        past, then = PastReader(reader, registry, at), Then(oracle.state(at))

        entities = await past.entities(URNS)
        assert {u: (e.name, not e.referenced_only, e.removed) for u, e in entities.items()} == then.entities()
        aspects = await past.aspects(URNS)
        values = {(u, n): orjson.loads(a.value) for u, rows in aspects.items() for n, a in rows.items()}
        keys = set(KEYS.values())
        assert {k: v for k, v in values.items() if k[1] not in keys} == {
            k: v for k, v in then.state.items() if k[1] not in keys
        }
        related = await past.relationships(URNS, None, "both", 0, 500)
        assert {
            Edge(row.type, urn, row.urn, str(row.aspect), row.via)
            for urn, page in related.items()
            for row in page.rows
            if row.outgoing
        } == then.edges
        assert {
            Edge(row.type, row.urn, urn, str(row.aspect), row.via)
            for urn, page in related.items()
            for row in page.rows
            if not row.outgoing
        } == {edge for edge in then.edges if edge.source != edge.target}
        for urn in (TABLES[0], COLUMNS[0], JOBS[0]):
            for flow in ("up", "down"):
                walked = await Walks(past, registry).walk(Question(urn, flow, 9, 50, 10.0))
                expected = then.walk(urn, flow) if urn in then.entities() else None
                assert (walked and dict(walked.distance)) == expected
                narrow = Question(urn, flow, 9, 50, 10.0, max_edges=1, pages=True)
                nodes: list[str] = []
                while page := await Walks(past, registry).walk(narrow):
                    nodes += [node.urn for node in page.nodes]
                    if page.next is None:
                        break
                    narrow = replace(narrow, after=page.next)
                assert nodes == [node.urn for node in walked.nodes] if walked else not nodes


@pytest.mark.parametrize("seed", range(20, 24))
async def test_the_past_is_what_was_answered_then(
    graph: AsyncDriver, service: IngestService, reader: Reader, registry: Registry, seed: int
) -> None:
    """Without deletions for good, every answer is the same as on the day, with all its details and pages."""
    del graph
    histories = Histories(seed, deletions=False)
    answers = {}
    for _ in range(BATCHES):
        at = await write(service, histories.batch())
        answers[at] = await seen(reader, registry)

    for at, answer in answers.items():
        assert await seen(PastReader(reader, registry, at), registry) == answer


async def test_an_edge_that_comes_and_goes_has_stood_between_its_times(
    graph: AsyncDriver, database: str, service: IngestService, reader: Reader, registry: Registry
) -> None:
    """From the millisecond in which it was written to the one before that in which it was taken away."""
    lineage = proposal_of(TABLES[0], "upstreamLineage", {"upstreams": [{"dataset": TABLES[1]}]})
    await write(service, [lineage])
    await write(service, [Proposal(entity_urn=TABLES[0], aspect_name="upstreamLineage", change_type="DELETE")])
    records, _, _ = await graph.execute_query("MATCH (p:PastEdge) RETURN p{.*} AS p", database_=database)
    (edge,) = (record["p"] for record in records)

    async def stands(at: int) -> bool:
        page = (await PastReader(reader, registry, at).hops([TABLES[0]], "up", 0, 9)).get(TABLES[0])
        return page is not None and page.total == 1

    assert [await stands(edge[end] + more) for end in ("since", "until") for more in (-1, 0)] == [
        False,
        True,
        True,
        False,
    ]


async def test_edges_older_than_their_times_stood_always(
    graph: AsyncDriver, database: str, service: IngestService, reader: Reader, registry: Registry
) -> None:
    """A graph that an older graphsvc wrote has edges without `since`; taken away, they have stood until then."""
    await write(service, [proposal_of(TABLES[0], "upstreamLineage", {"upstreams": [{"dataset": TABLES[1]}]})])
    await graph.execute_query("MATCH (:Entity)-[e:DownstreamOf]->() REMOVE e.since", database_=database)

    async def upstream(at: int) -> int:
        pages = await PastReader(reader, registry, at).hops([TABLES[0]], "up", 0, 9)
        return pages[TABLES[0]].total if TABLES[0] in pages else 0

    assert await upstream(1) == 1
    await write(service, [proposal_of(TABLES[0], "upstreamLineage", {"upstreams": []})])
    assert [await upstream(1), await upstream(time.time_ns() // 1_000_000)] == [1, 0]


async def test_deletion_for_good_takes_the_past_too(
    graph: AsyncDriver, database: str, service: IngestService, reader: Reader, registry: Registry
) -> None:
    """What the entity declared is gone from all times; what others declare of it is not theirs to lose."""
    before = await write(
        service,
        [
            proposal_of(TABLES[0], "upstreamLineage", {"upstreams": [{"dataset": TABLES[1]}]}),
            proposal_of(TABLES[2], "upstreamLineage", {"upstreams": [{"dataset": TABLES[0]}]}),
        ],
    )
    await write(service, [proposal_of(TABLES[0], "upstreamLineage", {"upstreams": [{"dataset": TABLES[3]}]})])
    await write(service, [proposal_of(TABLES[2], "upstreamLineage", {"upstreams": []})])
    await write(service, [Proposal(entity_urn=TABLES[0], aspect_name="datasetKey", change_type="DELETE")])

    past = PastReader(reader, registry, before)
    assert (await past.entities([TABLES[0]]))[TABLES[0]].referenced_only
    assert await past.aspects([TABLES[0]]) == {}
    related = await past.relationships([TABLES[0]], None, "both", 0, 9)
    assert [(row.urn, row.outgoing) for row in related[TABLES[0]].rows] == [(TABLES[2], False)]
    text = "MATCH (p:PastEdge) RETURN p.declaredBy AS urn"
    records, _, _ = await graph.execute_query(text, database_=database)
    assert [record["urn"] for record in records] == [TABLES[2]]


@pytest.mark.parametrize("at", [-1, 2**63])
def test_a_time_that_is_none_is_refused(reader: Reader, registry: Registry, at: int) -> None:
    """Neo4j has no words for it."""
    with pytest.raises(BadRequest, match="asOf"):
        PastReader(reader, registry, at)
