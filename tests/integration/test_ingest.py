"""The write path against a real Neo4j: versions, history, nodes, deletions, points, batches, and many writers."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from neo4j import AsyncDriver, AsyncTransaction

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.errors import (
    BadUrn,
    BadValue,
    Conflict,
    GraphsvcError,
    PreconditionFailed,
    StoreRefused,
    TooLarge,
    UnknownEntityType,
)
from graphsvc.graph import pipeline, writer
from graphsvc.graph.migrate import migrate, migrations
from graphsvc.graph.operations import NewEdge, Operations
from graphsvc.graph.queries import query
from graphsvc.graph.registry import Registry
from graphsvc.ingest import together
from graphsvc.ingest.apart import Turn
from graphsvc.ingest.changes import Answer, Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.validate import Change
from graphsvc.urn import MAX_URN_BYTES


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def column(name: str, path: str) -> str:
    return f"urn:li:schemaField:({table(name)},{path})"


T = table("t")
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,PROD),load)"
OPERATION = {"operationType": "INSERT", "lastUpdatedTimestamp": 1}


def status(urn: str = T, *, removed: bool = False, **more: Any) -> Proposal:
    return proposal_of(urn, "status", {"removed": removed}, **more)


def tags(*names: str, urn: str = T, **more: Any) -> Proposal:
    return proposal_of(urn, "globalTags", {"tags": [{"tag": f"urn:li:tag:{name}"} for name in names]}, **more)


def upstreams(*urns: str, urn: str = T, **more: Any) -> Proposal:
    return proposal_of(urn, "upstreamLineage", {"upstreams": [{"dataset": text} for text in urns]}, **more)


def deletion(aspect: str | None = None, urn: str = T) -> Proposal:
    return Proposal(entity_urn=urn, aspect_name=aspect, change_type="DELETE")


def run(run_id: str, observed: int) -> dict[str, Any]:
    return {"runId": run_id, "lastObserved": observed}


class Graph:
    """The graph as a test looks at it."""

    def __init__(self, driver: AsyncDriver, database: str, service: IngestService) -> None:
        self.driver = driver
        self._database = database
        self._service = service

    async def rows(self, text: str, **parameters: Any) -> list[list[Any]]:
        records, _, _ = await self.driver.execute_query(text, parameters, database_=self._database)
        return [record.values() for record in records]

    async def ingest(self, *items: Proposal | GraphsvcError) -> list[Answer]:
        return await self._service.ingest(items, "urn:li:corpuser:tester")

    async def ingest_all(self, *items: Proposal) -> list[Applied]:
        answers = await self.ingest(*items)
        assert all(isinstance(answer, Applied) for answer in answers), answers
        return [answer for answer in answers if isinstance(answer, Applied)]

    async def node(self, urn: str) -> dict[str, Any] | None:
        found = await self.rows("MATCH (e:Entity {urn: $urn}) RETURN properties(e), labels(e)", urn=urn)
        return {**found[0][0], "labels": sorted(found[0][1])} if found else None

    async def aspect(self, urn: str, name: str) -> dict[str, Any] | None:
        text = "MATCH (:Entity {urn: $urn})-[:HAS_ASPECT]->(a:Aspect {name: $name}) RETURN properties(a)"
        found = await self.rows(text, urn=urn, name=name)
        assert len(found) < 2
        return found[0][0] if found else None

    async def history(self, urn: str, name: str) -> list[tuple[int, Any]]:
        """All versions as they hang together, the newest first: number and value."""
        text = (
            "MATCH p = (:Entity {urn: $urn})-[:HAS_ASPECT|HAD_ASPECT]->({name: $name})-[:PREVIOUS*0..]->(v) "
            "RETURN v.version, v.value ORDER BY length(p)"
        )
        return [(version, orjson.loads(value)) for version, value in await self.rows(text, urn=urn, name=name)]

    async def targets(self, urn: str, edge: str) -> list[str]:
        text = f"MATCH (:Entity {{urn: $urn}})-[:{edge}]->(t) RETURN t.urn ORDER BY t.urn"
        return [row[0] for row in await self.rows(text, urn=urn)]

    async def urns(self) -> list[str]:
        return [row[0] for row in await self.rows("MATCH (e:Entity) RETURN e.urn ORDER BY e.urn")]

    async def count(self, pattern: str) -> int:
        return (await self.rows(f"MATCH {pattern} RETURN count(*)"))[0][0]


@pytest.fixture
def neo(graph: AsyncDriver, database: str, service: IngestService) -> Graph:
    return Graph(graph, database, service)


# --- Versions and history -----------------------------------------------------------------------------------------


async def test_each_new_value_is_a_version_and_the_old_ones_stay(neo: Graph) -> None:
    """Numbers run from 1 without gaps; every version is reached from the newer one; the newest is the current one."""
    for number in range(4):
        (answer,) = await neo.ingest_all(tags(f"t{number}", system_metadata=run("r", 100 + number)))
        assert answer == Applied(T, "globalTags", number + 1, changed=True)

    expected = [(n + 1, {"tags": [{"tag": f"urn:li:tag:t{n}"}]}) for n in (3, 2, 1, 0)]
    assert await neo.history(T, "globalTags") == expected
    assert await neo.count("(:AspectVersion)") == 3
    (old,) = await neo.rows(
        "MATCH (v:AspectVersion {urn: $urn, name: 'globalTags', version: 2}) RETURN properties(v)", urn=T
    )
    assert old[0].keys() >= {"value", "createdAt", "createdBy", "systemMetadata", "runId", "replacedAt"}
    assert old[0]["createdBy"] == "urn:li:corpuser:tester"


async def test_the_same_value_again_adds_no_version_but_says_who_saw_it(neo: Graph) -> None:
    """`systemMetadata` is that of the last sighting and remembers the run before; value, number and time stay."""
    await neo.ingest_all(status(system_metadata=run("r1", 5)))
    before = await neo.aspect(T, "status")
    (answer,) = await neo.ingest_all(status(system_metadata=run("r2", 9)))
    after = await neo.aspect(T, "status")

    assert before is not None
    assert after is not None
    assert answer == Applied(T, "status", 1, changed=False)
    assert orjson.loads(after["systemMetadata"]) == {"runId": "r2", "lastObserved": 9, "lastRunId": "r1"}
    assert {**before, "systemMetadata": "", "runId": ""} == {**after, "systemMetadata": "", "runId": ""}
    assert await neo.count("(:AspectVersion)") == 0


async def test_many_updates_of_one_aspect_in_a_batch_are_all_kept_in_order(neo: Graph) -> None:
    """A batch is a sequence: each update sees the one before it, also around a deletion and a repetition."""
    batch = [tags(f"t{number}") for number in range(12)]
    batch += [tags("t11"), deletion("globalTags"), tags("last"), status()]

    answers = await neo.ingest_all(*batch)

    assert [answer.version for answer in answers] == [*range(1, 13), 12, 0, 13, 1]
    assert [version for version, _ in await neo.history(T, "globalTags")] == list(range(13, 0, -1))
    assert await neo.targets(T, "TaggedWith") == ["urn:li:tag:last"]
    assert await neo.urns() == [T, "urn:li:tag:last"]


async def test_an_aspect_that_comes_back_after_its_deletion_counts_on(neo: Graph) -> None:
    """The deleted version is history too, and nothing of the old value is left on node and edges."""
    await neo.ingest_all(proposal_of(T, "datasetProperties", {"name": "Orders", "description": "All."}))
    await neo.ingest_all(deletion("datasetProperties"))
    node = await neo.node(T)
    (again,) = await neo.ingest_all(deletion("datasetProperties"))
    (back,) = await neo.ingest_all(proposal_of(T, "datasetProperties", {"name": "Orders again"}))

    assert node is not None
    assert (node["name"], "description" in node) == ("t", False)
    assert (again.changed, back.version) == (False, 2)
    assert [version for version, _ in await neo.history(T, "datasetProperties")] == [2, 1]
    assert await neo.count("(:Entity)-[:HAD_ASPECT]->()") == 0


async def test_an_aspect_that_the_model_does_not_know_has_versions_too(neo: Graph) -> None:
    """Stored as it came, marked, without edges; replaced and deleted like any other."""
    (one,) = await neo.ingest_all(proposal_of(T, "ourOwnAspect", {"dataset": table("u"), "n": 1}))
    (two,) = await neo.ingest_all(proposal_of(T, "ourOwnAspect", {"dataset": table("u"), "n": 2}))
    aspect = await neo.aspect(T, "ourOwnAspect")
    (gone,) = await neo.ingest_all(deletion("ourOwnAspect"))

    assert (one.modelled, one.version, two.version, gone.changed) == (False, 1, 2, True)
    assert aspect is not None
    assert aspect["unmodelled"] is True
    assert await neo.urns() == [T]


# --- Nodes --------------------------------------------------------------------------------------------------------


async def test_an_entity_only_referred_to_is_a_node_and_becomes_a_described_one(neo: Graph) -> None:
    """It has label, name and key from its URN and says that nobody described it; the first aspect ends that."""
    upstream = table("u")
    await neo.ingest_all(upstreams(upstream))
    before = await neo.node(upstream)
    await neo.ingest_all(proposal_of(upstream, "datasetProperties", {"name": "Up"}))
    after = await neo.node(upstream)

    assert before == {
        "urn": upstream, "labels": ["Dataset", "Entity"], "referencedOnly": True, "name": "u", "nameWords": "u",
        "id": "u", "platform": "urn:li:dataPlatform:hive", "origin": "PROD",
    }  # fmt: skip
    assert after is not None
    assert (after["name"], after["labels"], "referencedOnly" in after) == ("Up", ["Dataset", "Entity"], False)
    assert await neo.targets(T, "DownstreamOf") == [upstream]
    assert (await neo.aspect(upstream, "datasetKey")) is not None


async def test_a_target_of_an_unknown_type_is_a_node_without_a_type(neo: Graph) -> None:
    """Targets are not held to the model, as in DataHub."""
    await neo.ingest_all(upstreams("urn:li:spaceship:x1"))

    assert await neo.node("urn:li:spaceship:x1") == {
        "urn": "urn:li:spaceship:x1", "labels": ["Entity"], "referencedOnly": True, "name": "x1", "nameWords": "x1 x 1",
    }  # fmt: skip


async def test_properties_follow_their_aspects(neo: Graph) -> None:
    """Each aspect's fields stand on the node, go when the value is silent, and leave other aspects' alone."""
    value = {"name": "Orders", "description": "All.", "customProperties": {"b": "2", "a": "1"}, "tags": []}
    await neo.ingest_all(status(removed=True), tags("a", "b"), proposal_of(T, "datasetProperties", value))
    full = await neo.node(T)
    await neo.ingest_all(proposal_of(T, "datasetProperties", {"name": "Orders"}), tags())
    less = await neo.node(T)

    assert full is not None
    assert less is not None
    assert (full["name"], full["description"], full["removed"]) == ("Orders", "All.", True)
    assert full["customProperties"] == ["a=1", "b=2"]
    assert full["tags"] == ["urn:li:tag:a", "urn:li:tag:b"]
    assert full.keys() - less.keys() == {"description", "customProperties", "tags"}
    assert less["removed"] is True


async def test_a_node_falls_back_to_its_urns_name(neo: Graph) -> None:
    """When the aspect that names it goes, or no longer says a name."""
    user = "urn:li:corpuser:jd"
    names = []
    for item in (
        status(user),
        proposal_of(user, "corpUserInfo", {"fullName": "Jo Doe", "active": True}),
        proposal_of(user, "corpUserInfo", {"displayName": "Jo", "fullName": "Jo Doe", "active": True}),
        proposal_of(user, "corpUserInfo", {"active": True}),
        proposal_of(user, "corpUserInfo", {"displayName": "Jo", "active": True}),
        deletion("corpUserInfo", user),
    ):
        await neo.ingest_all(item)
        names.append((await neo.node(user) or {})["name"])

    assert names == ["jd", "Jo Doe", "Jo", "jd", "Jo", "jd"]


async def test_an_end_node_goes_with_its_last_edge_only(neo: Graph) -> None:
    """As long as anybody points to it, or somebody described it, it stays."""
    await neo.ingest_all(tags("both", "mine"), tags("both", urn=table("other")), status("urn:li:tag:described"))
    await neo.ingest_all(tags("described"))
    kept = await neo.urns()
    await neo.ingest_all(tags("described", urn=table("other")))
    await neo.ingest_all(tags(), tags(urn=table("other")))

    assert kept == sorted([T, table("other"), "urn:li:tag:both", "urn:li:tag:described"])
    assert await neo.urns() == sorted([T, table("other"), "urn:li:tag:described"])


@pytest.mark.parametrize("item", [deletion("status"), deletion(), status(change_type="UPDATE")])
async def test_what_does_nothing_to_an_unknown_entity_leaves_no_node(neo: Graph, item: Proposal) -> None:
    """Deleting what is not there, or a refused change, brings nothing into being."""
    await neo.ingest(item)

    assert await neo.urns() == []


async def test_the_longest_urns_and_names_have_room(neo: Graph) -> None:
    """What validation lets in fits into every index, replaced versions and points included."""
    urn = "urn:li:tag:" + "é" * ((MAX_URN_BYTES - len("urn:li:tag:")) // 2)
    dataset = table("x" * (MAX_URN_BYTES - len(table(""))))
    aspect = "a" * 200

    await neo.ingest_all(*(proposal_of(urn, aspect, {"n": n}) for n in range(3)))
    await neo.ingest_all(
        proposal_of(dataset, "operation", {"timestampMillis": 1, "messageId": "m" * 9_000, **OPERATION})
    )

    assert [version for version, _ in await neo.history(urn, aspect)] == [3, 2, 1]
    assert await neo.count("(:TimeseriesPoint)") == 1


# --- Deletion of entities -----------------------------------------------------------------------------------------


async def test_a_deleted_entity_to_which_others_point_stays_as_one_referred_to(neo: Graph) -> None:
    """Aspects, versions, points and own edges go; the edges of others stay, and so does the bare node."""
    properties = proposal_of(T, "datasetProperties", {"name": "Orders", "description": "All."})
    point = proposal_of(T, "operation", {"timestampMillis": 1, **OPERATION})
    await neo.ingest_all(upstreams(T, urn=table("down")), properties, tags("a"), tags("b"), status(), point)
    (answer,) = await neo.ingest_all(deletion())

    assert answer == Applied(T, "datasetKey", 0, changed=True)
    assert await neo.node(T) == {
        "urn": T, "labels": ["Dataset", "Entity"], "referencedOnly": True, "name": "t", "nameWords": "t", "id": "t",
        "platform": "urn:li:dataPlatform:hive", "origin": "PROD",
    }  # fmt: skip
    assert await neo.targets(table("down"), "DownstreamOf") == [T]
    assert await neo.urns() == sorted([T, table("down")])
    assert await neo.count("(:TimeseriesPoint)") == 0
    assert await neo.count("(:AspectVersion)") == 0
    assert await neo.history(T, "status") == []


async def test_a_deleted_entity_to_which_nobody_points_is_gone(neo: Graph) -> None:
    """With its mirrors, its columns and all ends that only it named; twice is once."""
    entry = {"upstreams": [column("in", "a")], "downstreams": [column("out", "a")]}
    value = {"inputDatasets": [table("in")], "outputDatasets": [table("out")], "fineGrainedLineages": [entry]}
    await neo.ingest_all(proposal_of(JOB, "dataJobInputOutput", value))
    there = await neo.urns()
    (first,) = await neo.ingest_all(deletion(urn=JOB))
    (second,) = await neo.ingest_all(deletion(urn=JOB))

    flow = "urn:li:dataFlow:(airflow,daily,PROD)"
    assert there == sorted([JOB, flow, table("in"), table("out"), column("in", "a"), column("out", "a")])
    assert (first.changed, second.changed) == (True, False)
    assert await neo.count("(n) WHERE NOT n:Migration AND NOT n:MigrationLock") == 0


async def test_an_entity_that_comes_back_starts_anew(neo: Graph) -> None:
    """Also within one batch: what was before the deletion is gone, what comes after it stands."""
    answers = await neo.ingest_all(status(), status(removed=True), tags("a"), deletion(), tags("b"), status())

    assert [answer.version for answer in answers] == [1, 2, 1, 0, 1, 1]
    assert await neo.targets(T, "TaggedWith") == ["urn:li:tag:b"]
    assert await neo.urns() == [T, "urn:li:tag:b"]
    assert await neo.history(T, "status") == [(1, {"removed": False})]
    assert "referencedOnly" not in (await neo.node(T) or {})


# --- Points of a timeseries ---------------------------------------------------------------------------------------


async def test_a_point_is_there_once_and_can_be_corrected(neo: Graph) -> None:
    """The same again changes nothing, another value under the same key replaces it, another key is another point."""
    point = {"timestampMillis": 1_000, **OPERATION}
    first = await neo.ingest_all(proposal_of(T, "operation", point))
    again = await neo.ingest_all(proposal_of(T, "operation", point), proposal_of(T, "operation", point))
    other = await neo.ingest_all(
        proposal_of(T, "operation", {**point, "numAffectedRows": 5}),
        proposal_of(T, "operation", {**point, "messageId": "m1"}),
        proposal_of(T, "operation", {**point, "timestampMillis": 2_000}),
    )

    assert [answer.changed for answer in (*first, *again, *other)] == [True, False, False, True, True, True]
    text = (
        "MATCH (p:TimeseriesPoint) WHERE p.urn = $urn AND p.name = 'operation' AND 1000 <= p.timestampMillis < $end "
        "AND p.messageId IS NOT NULL RETURN p.timestampMillis AS time, p.messageId AS id, p.value ORDER BY time, id"
    )
    early = await neo.rows(text, urn=T, end=2_000)
    assert [row[:2] for row in early] == [[1_000, ""], [1_000, "m1"]]
    assert orjson.loads(early[0][2])["numAffectedRows"] == 5
    assert len(await neo.rows(text, urn=T, end=2_001)) == 3
    assert (await neo.node(T) or {}).get("referencedOnly") is None


# --- Batches ------------------------------------------------------------------------------------------------------


async def test_the_good_ones_of_a_batch_land_and_each_answer_has_its_place(neo: Graph) -> None:
    """What could not be decoded, what is invalid and what does not fit the state are refused alone."""
    await neo.ingest_all(status(table("known")))
    answers = await neo.ingest(
        status(),
        BadValue("could not even be decoded"),
        status("urn:li:datset:x"),
        tags("a"),
        proposal_of(T, "globalTags", {"tags": [{"tag": "no urn"}]}),
        status(table("known"), removed=True, change_type="CREATE"),
        status(table("known"), removed=True, headers={"If-Version-Match": "7"}),
        status("urn:li:dataJob:(abc,load)"),
        tags("b", urn=table("new"), change_type="UPDATE"),
        status(table("last")),
    )

    kinds = [type(answer) for answer in answers]
    assert kinds == [
        Applied, BadValue, UnknownEntityType, Applied, BadUrn, Conflict, PreconditionFailed, BadUrn, Conflict, Applied,
    ]  # fmt: skip
    assert await neo.urns() == sorted([T, table("known"), table("last"), "urn:li:tag:a"])
    assert await neo.history(table("known"), "status") == [(1, {"removed": False})]


async def test_an_empty_batch_is_fine(neo: Graph) -> None:
    """Nothing in, nothing out."""
    assert await neo.ingest() == []


async def test_a_batch_past_the_limit_is_refused_whole(
    graph: AsyncDriver, database: str, registry: Registry, neo: Graph
) -> None:
    """Nothing of it lands."""
    limits = LimitSettings(batch_items=2)
    small = IngestService(graph, registry, Neo4jSettings(database=database), IngestSettings(), limits)

    with pytest.raises(TooLarge, match="the limit is 2"):
        await small.ingest([status(table(str(n))) for n in range(3)])

    assert await neo.urns() == []


async def test_an_entity_and_its_references_in_one_batch(neo: Graph) -> None:
    """Whichever comes first, a described entity is not one that is only referred to."""
    await neo.ingest_all(upstreams(table("a"), table("b")), status(table("a")), upstreams(T, urn=table("b")))

    only = await neo.rows("MATCH (e:Entity) WHERE e.referencedOnly RETURN e.urn")
    unnamed = await neo.count("(e:Entity) WHERE e.name IS NULL OR NOT e:Dataset")
    assert (only, unnamed) == ([], 0)


async def test_a_refused_entity_can_still_be_referred_to(neo: Graph) -> None:
    """A change to it is refused in the batch that points to it: it is a node like any other end."""
    answers = await neo.ingest(status(table("u"), change_type="UPDATE"), upstreams(table("u")))

    node = await neo.node(table("u"))
    assert [type(answer) for answer in answers] == [Conflict, Applied]
    assert node is not None
    assert (node["labels"], node["name"], node["referencedOnly"]) == (["Dataset", "Entity"], "u", True)


async def test_create_repeated_after_a_lost_reply_is_no_conflict(neo: Graph) -> None:
    """Every conditional write can be sent again."""
    items = [
        status(change_type="CREATE"),
        tags("a", headers={"If-Version-Match": "-1"}),
        upstreams(table("u"), headers={"If-None-Match": "*"}),
    ]
    first = await neo.ingest_all(*items)
    second = await neo.ingest_all(*items)

    assert [answer.changed for answer in first] == [True] * 3
    assert [answer.changed for answer in second] == [False] * 3


# --- Many writers -------------------------------------------------------------------------------------------------

CONSISTENT = {
    "an aspect twice": "(e:Entity)-[:HAS_ASPECT]->(a:Aspect) WITH e, a.name AS name, count(*) AS n WHERE n > 1",
    "a current and a deleted one": "(e:Entity)-[:HAS_ASPECT]->(a) MATCH (e)-[:HAD_ASPECT]->(b {name: a.name})",
    "a loose node": "(e:Entity) WHERE (e.referencedOnly OR e.name IS NULL) AND NOT EXISTS { (e)--() }",
    "an aspect without an entity": "(a:Aspect) WHERE NOT EXISTS { (a)<-[:HAS_ASPECT]-() }",
    "a version that hangs nowhere": "(v:AspectVersion) WHERE NOT EXISTS { (v)<-[:PREVIOUS|HAD_ASPECT]-() }",
    "an edge twice": (
        "(s:Entity)-[r]->(t:Entity) WITH s, t, type(r) AS type, r.aspect AS a, r.declaredBy AS d, r.via AS via, "
        "count(*) AS n WHERE n > 1"
    ),
    "a gap": "(a)-[:PREVIOUS]->(b) WHERE a.version <> b.version + 1",
    "a first version with a number": (
        "(a) WHERE (a:Aspect OR a:AspectVersion) AND NOT EXISTS { (a)-[:PREVIOUS]->() } AND a.version <> 1"
    ),
}


async def assert_consistent(neo: Graph) -> None:
    for what, pattern in CONSISTENT.items():
        assert await neo.count(pattern) == 0, what


async def test_a_second_writer_waits_for_the_first(graph: AsyncDriver, database: str, neo: Graph) -> None:
    """The lock on an entity is a real one: who comes second reads what the first one committed."""
    await neo.ingest_all(status())
    order: list[str] = []

    async def second() -> int:
        async with graph.session(database=database) as session, await session.begin_transaction() as tx:
            locked = await writer.lock(tx, {T: {"status"}})
            order.append("second")
            return locked.states[T].aspects["status"].version

    async with graph.session(database=database) as session, await session.begin_transaction() as tx:
        await writer.lock(tx, {T: {"status"}})
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.5)
        order.append("first")
        text = "MATCH (:Entity {urn: $urn})-[:HAS_ASPECT]->(a {name: 'status'}) SET a.version = 7"
        await (await tx.run(text, urn=T)).consume()
        await tx.commit()

    assert await waiting == 7
    assert order == ["first", "second"]


async def test_a_write_whose_time_is_over_says_which_limit_ended_it(
    graph: AsyncDriver, database: str, neo: Graph, registry: Registry
) -> None:
    await neo.ingest_all(status())
    settings = Neo4jSettings(database=database, tx_timeout_s=0.1, retry_time_s=0.1)
    hurried = IngestService(graph, registry, settings, IngestSettings(), LimitSettings())
    async with graph.session(database=database) as session, await session.begin_transaction() as tx:
        await writer.lock(tx, {T: {"status"}})
        with pytest.raises(StoreRefused, match="takes longer than GRAPHSVC_NEO4J__TX_TIMEOUT_S allows"):
            await hurried.ingest([status(removed=True)])

    assert await neo.history(T, "status") == [(1, {"removed": False})]


async def test_writers_on_the_same_entities_lose_nothing(neo: Graph) -> None:
    """Eight writers update the same aspects, with shared hubs: each update is a version, the graph hangs together."""
    entities = [table(f"e{n}") for n in range(5)]
    hubs = [f"hub{n}" for n in range(4)]

    async def write(number: int) -> list[Answer]:
        choose = random.Random(number)
        answers: list[Answer] = []
        for turn in range(6):
            mine = choose.sample(entities, 3)
            # A context of its own makes each value a new one.
            batch = [
                proposal_of(urn, "globalTags", {"tags": [
                    {"tag": f"urn:li:tag:{hub}", "context": f"{number}/{turn}"} for hub in choose.sample(hubs, 2)
                ]})
                for urn in mine
            ]  # fmt: skip
            batch.append(upstreams(*choose.sample(entities, 2), table(f"only{number}"), urn=mine[0]))
            answers += await neo.ingest(*batch)
        return answers

    answers = [answer for found in await asyncio.gather(*map(write, range(8))) for answer in found]

    assert all(isinstance(answer, Applied) for answer in answers), answers
    for urn in entities:
        sent = sum(isinstance(a, Applied) and (a.urn, a.aspect) == (urn, "globalTags") for a in answers)
        history = await neo.history(urn, "globalTags")
        assert [version for version, _ in history] == list(range(sent, 0, -1))
        assert await neo.targets(urn, "TaggedWith") == sorted(t["tag"] for t in history[0][1]["tags"])
        lineage = await neo.history(urn, "upstreamLineage")
        wanted = [u["dataset"] for u in lineage[0][1]["upstreams"]] if lineage else []
        assert await neo.targets(urn, "DownstreamOf") == sorted(wanted)
    await assert_consistent(neo)


async def test_an_end_that_one_writer_drops_and_another_needs(neo: Graph) -> None:
    """What is acknowledged stands: an edge is not lost because its end was just removed as nobody's."""

    async def write(number: int) -> None:
        choose = random.Random(number)
        urn = table(f"w{number}")
        for _ in range(25):
            wanted = sorted(choose.sample(["a", "b", "c", "d", "e", "f"], choose.randint(0, 3)))
            await neo.ingest_all(tags(*wanted, urn=urn))
            assert await neo.targets(urn, "TaggedWith") == [f"urn:li:tag:{name}" for name in wanted]

    async def describe() -> None:
        for _ in range(25):
            await neo.ingest_all(status("urn:li:tag:a"))
            await neo.ingest_all(deletion(urn="urn:li:tag:a"))

    await asyncio.gather(*map(write, range(8)), describe())

    await assert_consistent(neo)


@pytest.fixture
def calm(graph: AsyncDriver, database: str, registry: Registry) -> IngestService:
    """A service that has not seen a deadlock yet, which would make it wary."""
    return IngestService(graph, registry, Neo4jSettings(database=database), IngestSettings(), LimitSettings())


async def test_batches_that_share_some_entities_are_written_side_by_side(
    graph: AsyncDriver, database: str, calm: IngestService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As requests that a client cuts in the middle of an entity: the shared ones are written last, and all is there."""
    neo = Graph(graph, database, calm)
    waited: list[int] = []
    lead = Turn.lead

    async def counted(turn: Turn) -> None:
        waited.append(len(turn.late))
        await lead(turn)

    monkeypatch.setattr(Turn, "lead", counted)
    monkeypatch.setattr(together, "SHARED", 1)
    monkeypatch.setattr(together, "MANY", 1)
    started = time.monotonic()

    def batch(number: int) -> list[Proposal]:
        names = [f"s{at}" for at in range(3 * number, 3 * number + 4)]  # the last is the next batch's first
        lineage = [
            upstreams(table(f"s{3 * number + 8 - at}"), table(f"src{at}"), urn=table(n))
            for at, n in enumerate(names[:3])
        ]
        last = tags(f"by{number}", urn=table(names[3]))
        return [*(status(table(name)) for name in names[:3]), *lineage, last]

    await asyncio.gather(*(neo.ingest_all(*batch(number)) for number in range(20)))

    assert any(0 < late < 4 for late in waited)
    assert time.monotonic() - started < 20
    for number in range(20):
        for at in range(3):
            urn = table(f"s{3 * number + at}")
            assert await neo.targets(urn, "DownstreamOf") == sorted(
                [table(f"s{3 * number + 8 - at}"), table(f"src{at}")]
            )
            assert await neo.history(urn, "status") == [(1, {"removed": False})]
        assert await neo.targets(table(f"s{3 * number + 3}"), "TaggedWith") == [f"urn:li:tag:by{number}"]
    await assert_consistent(neo)


async def test_an_edge_waits_for_an_end_that_another_batch_writes_but_its_entity_does_not(
    graph: AsyncDriver, database: str, calm: IngestService, monkeypatch: pytest.MonkeyPatch
) -> None:
    neo = Graph(graph, database, calm)
    upstream = table("upstream")
    written: list[str] = []
    is_written = asyncio.Event()
    run = pipeline.run

    async def noted(tx: AsyncTransaction, queries: Sequence[pipeline.Query]) -> None:
        await run(tx, queries)
        written.extend(text for text, _ in queries)
        is_written.set()

    monkeypatch.setattr(pipeline, "run", noted)
    (change,) = await calm.check([status(upstream)])
    assert isinstance(change, Change)
    async with calm._apart.turn([change], part=True) as other:
        other.has_locks()
        writing = asyncio.create_task(neo.ingest_all(status(T), upstreams(upstream)))
        await asyncio.wait_for(is_written.wait(), 20)
        assert not writing.done()
    await asyncio.wait_for(writing, 20)

    assert written == [query("write/add_aspects")]
    assert await neo.targets(T, "DownstreamOf") == [upstream]
    await assert_consistent(neo)


async def test_a_batch_gives_its_locks_back_while_another_takes_long(
    graph: AsyncDriver, database: str, calm: IngestService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may want one of them after all; this one begins again when it is over."""
    monkeypatch.setattr("graphsvc.ingest.service.PATIENCE_S", 0.05)
    neo = Graph(graph, database, calm)
    other = table("other")
    (change,) = await calm.check([status(T)])
    assert isinstance(change, Change)
    async with calm._apart.turn([change], part=True) as slow:
        slow.has_locks()
        writing = asyncio.create_task(neo.ingest_all(status(T), status(other)))
        await asyncio.sleep(0.5)
        async with (
            asyncio.timeout(10),
            graph.session(database=database) as session,
            await session.begin_transaction() as tx,
        ):
            await writer.lock(tx, {other: {"status"}})
        assert not writing.done()
    await asyncio.wait_for(writing, 20)

    assert await neo.history(T, "status") == await neo.history(other, "status") == [(1, {"removed": False})]


async def test_a_writer_that_waits_for_a_new_node_holds_no_lock_on_another(
    graph: AsyncDriver, database: str, neo: Graph
) -> None:
    """Whoever brings that node into being may point at the other one, which Neo4j locks at the commit."""
    old, new = table("a_old"), table("b_new")
    await neo.ingest_all(status(old))
    edges = Operations(1, T, created={"DownstreamOf": [NewEdge(new, old, "upstreamLineage", new)]})
    async with (
        asyncio.timeout(20),
        graph.session(database=database) as ours,
        graph.session(database=database) as theirs,
        await ours.begin_transaction() as tx,
        await theirs.begin_transaction() as other,
    ):
        locked = await writer.lock(tx, {new: {"upstreamLineage"}, old: set()})
        waiting = asyncio.create_task(writer.lock(other, {old: {"status"}, new: {"status"}}))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await pipeline.run(tx, writer.applied(edges, locked.nodes))
        await tx.commit()
        await waiting
        await other.commit()

    assert await neo.targets(new, "DownstreamOf") == [old]


async def test_lineage_both_ways_at_once_ends_well(neo: Graph) -> None:
    """Two writers that take the same locks in opposite orders are both served."""

    async def write(first: str, second: str) -> None:
        for turn in range(8):
            more = table(f"x{turn}")
            await neo.ingest_all(upstreams(second, more, urn=first), upstreams(first, more, urn=second))

    await asyncio.gather(write(table("a"), table("b")), write(table("b"), table("a")))

    assert await neo.targets(table("a"), "DownstreamOf") == [table("b"), table("x7")]
    assert await neo.targets(table("b"), "DownstreamOf") == [table("a"), table("x7")]
    await assert_consistent(neo)


# --- Migrations ---------------------------------------------------------------------------------------------------


async def test_several_replicas_may_migrate_at_once(graph: AsyncDriver, database: str, neo: Graph) -> None:
    """On a database without anything in it, each migration is run by exactly one of them, and noted once."""
    for (name,) in await neo.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
        await neo.rows(f"DROP CONSTRAINT `{name}`")
    for (name,) in await neo.rows("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"):
        await neo.rows(f"DROP INDEX `{name}`")
    await neo.rows("MATCH (m) WHERE m:Migration OR m:MigrationLock DELETE m")

    done = await asyncio.gather(*(migrate(graph, database) for _ in range(5)))
    again = await migrate(graph, database)

    expected = [f"V{number:03d} {name}" for number, (name, _) in sorted(migrations().items())]
    assert sorted(name for found in done for name in found) == expected
    assert again == []
    assert [row[0] for row in await neo.rows("MATCH (m:Migration) RETURN m.number ORDER BY m.number")] == sorted(
        migrations()
    )
    assert await neo.count("(:MigrationLock)") == 1
    offline = await neo.rows("SHOW INDEXES YIELD name, state WHERE state <> 'ONLINE' RETURN name")
    assert offline == []
