"""
The graph does not depend on how the same changes arrive.

Only the order of the changes to one aspect of one entity counts. Left out of the comparison is what says when and by
whom, not what: `createdAt`, `replacedAt`, `since` and `until` (the clock of the write), and of key aspects, which come
with whatever change is the first of its entity, `systemMetadata`, `runId` and the times of their edges (they are that
change's own).
"""

import random
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from neo4j import AsyncDriver

from graphsvc.graph.queries import query
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

KEY_ASPECTS = frozenset(entity.key_aspect for entity in load_registry().entities.values())
CLOCK = frozenset({"createdAt", "replacedAt", "since", "until"})
FIRST_SIGHT = frozenset({"systemMetadata", "runId"})


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def column(name: str, path: str) -> str:
    return f"urn:li:schemaField:({table(name)},{path})"


TABLES = [table(name) for name in "abc"]
COLUMNS = [column("a", "x"), column("b", "x"), column("b", "y")]
TAGS = ["urn:li:tag:p", "urn:li:tag:q"]
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,PROD),load)"
CHART = "urn:li:chart:(looker,c)"
QUERY = "urn:li:query:q"


def some(items: Sequence[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(items), max_size=most, unique=True)


systems = st.fixed_dictionaries({"runId": st.sampled_from(["r1", "r2"]), "lastObserved": st.integers(1, 50)})
created = st.fixed_dictionaries({}, optional={"created": st.just({"time": 7, "actor": "urn:li:corpuser:x"})})
fine_grained = st.lists(
    st.fixed_dictionaries(
        {"upstreams": some(COLUMNS), "downstreams": some(COLUMNS)},
        optional={"query": st.just(QUERY), "confidenceScore": st.sampled_from([0.5, 1.0])},
    ),
    max_size=2,
)
upstreams = st.lists(
    st.builds(
        lambda target, more, query: {"dataset": target, **more, **query},
        st.sampled_from(TABLES),
        created,
        st.sampled_from([{}, {"query": QUERY}]),
    ),
    max_size=2,
)
job_edges = st.lists(
    st.builds(lambda t, more: {"destinationUrn": t, **more}, st.sampled_from(TABLES), created), max_size=2
)


def one(urns: Sequence[str], aspect: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Proposal]:
    """A value, or now and then the deletion, of one aspect of one of these entities."""
    upsert = st.builds(
        lambda urn, v, system: proposal_of(urn, aspect, v, system_metadata=system),
        st.sampled_from(urns),
        value,
        systems,
    )
    delete = st.sampled_from([Proposal(entity_urn=urn, aspect_name=aspect, change_type="DELETE") for urn in urns])
    return st.one_of(upsert, upsert, upsert, delete)


points = st.builds(
    lambda urn, time, rows, system: proposal_of(
        urn,
        "operation",
        {"timestampMillis": time, "operationType": "INSERT", "lastUpdatedTimestamp": 1, "numAffectedRows": rows},
        system_metadata=system,
    ),
    st.sampled_from(TABLES[:2]),
    st.sampled_from([1, 2]),
    st.sampled_from([5, 6]),
    systems,
)
proposals = st.one_of(
    one(TABLES[:2], "upstreamLineage", st.fixed_dictionaries({
        "upstreams": upstreams, "fineGrainedLineages": fine_grained,
    })),
    one([JOB], "dataJobInputOutput", st.fixed_dictionaries({
        "inputDatasets": some(TABLES), "outputDatasets": some(TABLES), "outputDatasetEdges": job_edges,
        "fineGrainedLineages": fine_grained,
    })),
    one([CHART], "inputFields", st.fixed_dictionaries({"fields": st.lists(st.fixed_dictionaries({
        "schemaField": st.just({"fieldPath": "f"}), "schemaFieldUrn": st.sampled_from(COLUMNS),
    }), max_size=2)})),
    one([TABLES[0], JOB], "globalTags", some(TAGS).map(lambda tags: {"tags": [{"tag": tag} for tag in tags]})),
    one([TABLES[0], TAGS[0], COLUMNS[0]], "status", st.booleans().map(lambda removed: {"removed": removed})),
    one(TABLES[:2], "datasetProperties", st.sampled_from([{"name": "One"}, {"description": "Two."}, {}])),
    one(TABLES[:2], "subTypes", some(["Table", "View"]).map(lambda names: {"typeNames": names})),
    one(TABLES[:2], "container", st.just({"container": "urn:li:container:c"})),
    one([TABLES[0]], "ourOwnAspect", st.sampled_from([{"n": 1}, {"n": 2}])),
    st.builds(lambda urn, s: proposal_of(urn, "datasetKey", {}, system_metadata=s), st.sampled_from(TABLES), systems),
    points,
)  # fmt: skip
streams = st.lists(proposals, min_size=4, max_size=14)


def rearranged(stream: Sequence[Proposal], choose: random.Random) -> list[list[Proposal]]:
    """The same changes in another order, some of them sent twice or thrice at once, in batches of any size."""
    queues: dict[tuple[str | None, str | None], deque[Proposal]] = defaultdict(deque)
    for item in stream:
        queues[item.entity_urn, item.aspect_name].extend([item] * choose.choice([1, 1, 1, 2, 3]))
    turns = [slot for slot, queue in queues.items() for _ in queue]
    choose.shuffle(turns)
    return batches([queues[slot].popleft() for slot in turns], choose)


def batches(items: Sequence[Proposal], choose: random.Random) -> list[list[Proposal]]:
    found: list[list[Proposal]] = [[]]
    for item in items:
        if choose.random() < 0.4:
            found.append([])
        found[-1].append(item)
    return found


class Graph:
    """The graph to compare: written by batches, seen as plain sorted values."""

    def __init__(self, driver: AsyncDriver, database: str, service: IngestService) -> None:
        self._driver = driver
        self._database = database
        self._service = service

    async def rows(self, text: str) -> list[list[Any]]:
        records, _, _ = await self._driver.execute_query(text, database_=self._database)
        return [record.values() for record in records]

    async def write(self, sequence: Sequence[Sequence[Proposal]]) -> None:
        for batch in sequence:
            answers = await self._service.ingest(batch)
            assert all(isinstance(answer, Applied) for answer in answers), answers

    async def written_anew(self, sequence: Sequence[Sequence[Proposal]]) -> None:
        await self.rows("MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock DETACH DELETE n")
        await self.write(sequence)

    async def count_facets_anew(self) -> None:
        """As graphs that are older than `facetValues` come by them."""
        async with self._driver.session(database=self._database) as session:
            await (await session.run("MATCH (e:Entity) REMOVE e.facetValues")).consume()
            await (await session.run(query("schema/V019__facet_values"))).consume()

    async def dump(self, *, versions: bool = True) -> dict[str, list[Any]]:
        """
        Everything: entities, current aspects, history, points and edges, each with all properties but those above.

        Without `versions` history and the numbers of current versions are left out: sending a stream again goes
        through its values once more.
        """
        found: dict[str, list[Any]] = {
            "entities": await self.rows("MATCH (e:Entity) RETURN e.urn, labels(e), properties(e)"),
            "aspects": await self.rows(
                "MATCH (e:Entity)-[:HAS_ASPECT]->(a:Aspect) RETURN e.urn, a.name, properties(a)"
            ),
            "points": await self.rows("MATCH (p:TimeseriesPoint) RETURN p.urn, p.timestampMillis, properties(p)"),
            "edges": await self.rows("MATCH (s:Entity)-[e]->(t:Entity) RETURN type(e), s.urn, t.urn, properties(e)"),
            "nodes": await self.rows(
                "MATCH (n:Entity|Aspect|TimeseriesPoint) UNWIND labels(n) AS l RETURN l, count(*), {}"
            ),
        }
        if versions:
            found["history"] = await self.rows(
                "MATCH p = (e:Entity)-[:HAS_ASPECT|HAD_ASPECT]->(a)-[:PREVIOUS*0..]->(v) "
                "RETURN e.urn, a.name, labels(v), length(p), properties(v)"
            )
            found["past edges"] = await self.rows("MATCH (p:PastEdge) RETURN p.source, p.target, properties(p)")
        for kind, rows in found.items():
            for row in rows:
                row[-1] = self._kept(kind, row[-1], versions=versions)
        return {kind: sorted(rows, key=repr) for kind, rows in found.items()}

    def _kept(self, kind: str, properties: dict[str, Any], *, versions: bool) -> list[tuple[str, Any]]:
        out = set[str]() if kind == "entities" else set(CLOCK)
        if properties.get("name") in KEY_ASPECTS and kind in ("aspects", "history"):
            out |= FIRST_SIGHT
        if kind == "edges" and properties["aspect"] in KEY_ASPECTS:
            out |= {"createdOn", "updatedOn"}
        if not versions:
            out.add("version")
        return sorted((key, item) for key, item in properties.items() if key not in out)


# A stream is short enough to be read as it is; to shrink one would take minutes.
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate))
@given(stream=streams, seed=st.integers(0, 2**32))
async def test_the_same_changes_make_the_same_graph(
    driver: AsyncDriver, database: str, service: IngestService, stream: list[Proposal], seed: int
) -> None:
    """One by one, or in another order, with repetitions, in any batches, or all of it once more: no difference."""
    graph, choose = Graph(driver, database, service), random.Random(seed)
    await graph.written_anew([[item] for item in stream])
    expected, without_versions = await graph.dump(), await graph.dump(versions=False)

    await graph.written_anew(rearranged(stream, choose))
    assert await graph.dump() == expected

    await graph.write(batches(stream, choose))
    assert await graph.dump(versions=False) == without_versions

    await graph.count_facets_anew()
    assert await graph.dump(versions=False) == without_versions
