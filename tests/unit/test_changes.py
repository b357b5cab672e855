"""State that was read and changes that were asked for -> operations and answers; no I/O."""

import re
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from graphsvc.config import IngestSettings, LimitSettings
from graphsvc.errors import BadProposal, BadUrn, Conflict, PreconditionFailed
from graphsvc.graph.operations import AspectState, EntityState, Locked, NewEdge, Operations
from graphsvc.graph.queries import query
from graphsvc.graph.registry import load_registry
from graphsvc.graph.registry.load import DETAILS
from graphsvc.ingest.changes import MESSAGE_ID_BYTES, Answer, Applied, Planner, Stamp, point_key, steps
from graphsvc.ingest.changes import _of_new_version as of_new_version
from graphsvc.ingest.changes import _succeeded as succeeded
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.validate import Change, Validator, canonical

REGISTRY = load_registry()
VALIDATOR = Validator(REGISTRY, IngestSettings(), LimitSettings())
STAMP = Stamp("urn:li:corpuser:tester", 1_000)
NOTHING = Operations(STAMP.time, STAMP.actor)


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


T = table("t")
FALSE, TRUE = {"removed": False}, {"removed": True}


def changed(aspect: str = "status", value: Any = None, urn: str = T, **more: Any) -> Change:
    return VALIDATOR.validate(proposal_of(urn, aspect, FALSE if value is None else value, **more))


def deleted(aspect: str | None, urn: str = T) -> Change:
    return VALIDATOR.validate(Proposal(entity_urn=urn, aspect_name=aspect, change_type="DELETE"))


def stored(value: Any, version: int = 1, system: Any = None, *, gone: bool = False) -> AspectState:
    return AspectState(version, canonical(value), canonical(system) if system else None, 1, gone)


def known(**aspects: AspectState) -> EntityState:
    return EntityState(exists=True, aspects=dict(aspects))


def planned(
    state: EntityState, *changes: Change, points: Sequence[str | None] | None = None
) -> tuple[list[Answer], Operations]:
    states = {change.urn.text: state for change in changes}
    planner = Planner(REGISTRY, Locked(states, frozenset(), 0, {}), STAMP, 1_000)
    stored_points = points or [None] * len(changes)
    answers = [planner.plan(change, point) for change, point in zip(changes, stored_points, strict=True)]
    return answers, planner.operations


def plan_one(state: EntityState, change: Change) -> tuple[Answer, Operations]:
    (answer,), operations = planned(state, change)
    return answer, operations


# --- New, replaced, seen again, deleted ---------------------------------------------------------------------------


def test_the_first_aspect_brings_the_key_aspect_with_it() -> None:
    """An entity is described from its first aspect on: its key is computed from the URN."""
    answer, operations = plan_one(EntityState(exists=False), changed())

    aspects = operations.added[T].aspects
    assert answer == Applied(T, "status", 1, changed=True)
    assert [(a.name, a.version) for a in aspects] == [("datasetKey", 1), ("status", 1)]
    assert orjson.loads(aspects[0].value) == {
        "platform": "urn:li:dataPlatform:hive", "name": "t", "origin": "PROD",
    }  # fmt: skip
    assert (operations.at, operations.actor) == (1_000, "urn:li:corpuser:tester")


def test_a_key_aspect_sent_first_is_there_once() -> None:
    """Sent alone, or beside others in either order, the key is made one time."""
    for changes in (
        [changed("datasetKey")],
        [changed("datasetKey"), changed()],
        [changed(), changed("datasetKey")],
    ):
        answers, operations = planned(EntityState(exists=False), *changes)

        names = [aspect.name for aspect in operations.added[T].aspects]
        assert all(isinstance(answer, Applied) and answer.changed for answer in answers)
        assert sorted(names) == sorted({change.aspect for change in changes} | {"datasetKey"})


def test_the_key_of_a_job_points_to_its_flow() -> None:
    """Relationships of the key aspect come with it."""
    job = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,PROD),load)"

    _, operations = plan_one(EntityState(exists=False), changed(urn=job))

    (row,) = operations.created["IsPartOf"]
    assert (row.source, row.target) == (job, "urn:li:dataFlow:(airflow,daily,PROD)")
    assert row.aspect == "dataJobKey"


def test_another_value_is_the_next_version() -> None:
    """The old one is replaced, with the node's properties."""
    answer, operations = plan_one(known(status=stored(FALSE, 4)), changed(value=TRUE))

    (row,) = operations.replaced
    assert answer == Applied(T, "status", 5, changed=True)
    assert (row["name"], row["at"], row["aspect"]["version"], row["properties"]["removed"]) == (
        "status",
        1_000,
        5,
        True,
    )


def test_the_same_value_again_changes_nothing() -> None:
    """Whatever the order of its keys, no version is added and nothing is written."""
    state = known(globalTags=stored({"tags": [{"tag": "urn:li:tag:a", "context": "c"}]}, 3))

    answer, operations = plan_one(state, changed("globalTags", {"tags": [{"context": "c", "tag": "urn:li:tag:a"}]}))

    assert answer == Applied(T, "globalTags", 3, changed=False)
    assert operations == NOTHING


def test_the_same_value_from_another_run_notes_the_run() -> None:
    """No version, but who saw it last."""
    state = known(status=stored(FALSE, 3, {"runId": "r1", "lastObserved": 5}))

    answer, operations = plan_one(state, changed(system_metadata={"runId": "r2", "lastObserved": 9}))

    (row,) = operations.refreshed
    assert answer == Applied(T, "status", 3, changed=False)
    assert orjson.loads(row["system"]) == {"runId": "r2", "lastObserved": 9, "lastRunId": "r1"}
    assert row["runId"] == "r2"


def test_deletion_of_an_aspect_takes_its_edges_away() -> None:
    """Aspect, properties and edges go; ends that may be loose now are named."""
    state = known(globalTags=stored({"tags": [{"tag": "urn:li:tag:a"}]}, 2))

    answer, operations = plan_one(state, deleted("globalTags"))

    assert answer == Applied(T, "globalTags", 0, changed=True)
    assert [row["name"] for row in operations.dropped] == ["globalTags"]
    assert operations.removed["TaggedWith"][0]["targets"] == ["urn:li:tag:a"]
    assert "urn:li:tag:a" in operations.loose


def test_an_aspect_that_comes_back_counts_on() -> None:
    """Its last version is history; none of its edges is there any more, so all are made."""
    state = known(globalTags=stored({"tags": [{"tag": "urn:li:tag:a"}]}, 2, gone=True))

    answer, operations = plan_one(state, changed("globalTags", {"tags": [{"tag": "urn:li:tag:a"}]}))

    assert answer == Applied(T, "globalTags", 3, changed=True)
    assert [edge.target for edge in operations.created["TaggedWith"]] == ["urn:li:tag:a"]
    assert not operations.removed


@pytest.mark.parametrize("state", [known(), known(status=stored(FALSE, 2, gone=True))])
def test_deletion_of_what_is_not_there_changes_nothing(state: EntityState) -> None:
    """It is answered as done."""
    answer, operations = plan_one(state, deleted("status"))

    assert answer == Applied(T, "status", 0, changed=False)
    assert operations == NOTHING


@pytest.mark.parametrize("aspect", ["status", None])
def test_deletion_on_an_entity_that_is_not_there_leaves_no_node(aspect: str | None) -> None:
    """The lock made a node; it is named as one that may go."""
    answer, operations = plan_one(EntityState(exists=False), deleted(aspect))

    assert isinstance(answer, Applied)
    assert not answer.changed
    assert operations == Operations(STAMP.time, STAMP.actor, loose={T})


def test_deletion_of_an_entity_takes_all_its_edges_away() -> None:
    """Edges of every current aspect go, with mirrors; the node says from then on what its URN says."""
    job = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,PROD),load)"
    state = known(
        dataJobInputOutput=stored({"outputDatasets": [T]}),
        globalTags=stored({"tags": [{"tag": "urn:li:tag:old"}]}, gone=True),
        ourOwnAspect=stored({"x": 1}),
    )

    answer, operations = plan_one(state, deleted(None, job))

    assert answer == Applied(job, "dataJobKey", 0, changed=True)
    assert set(operations.removed) == {"Produces", "ProducedBy"}
    assert {job, T} <= operations.loose
    (row,) = operations.forgotten
    assert row["properties"]["referencedOnly"] is True
    assert row["properties"]["urn"] == job
    assert row["properties"]["name"] == "load"


def test_an_aspect_that_the_model_does_not_know_is_marked() -> None:
    """It is stored, and says so, on the node and in the answer."""
    answer, operations = plan_one(known(), changed("ourOwnAspect", {"x": 1}))

    assert answer == Applied(T, "ourOwnAspect", 1, changed=True, modelled=False)
    assert operations.added[T].aspects[0].unmodelled is True


# --- Edges --------------------------------------------------------------------------------------------------------


def upstreams(*items: dict[str, Any]) -> dict[str, Any]:
    return {"upstreams": list(items)}


def test_only_the_difference_of_edges_is_written() -> None:
    """Old without new goes, new without old comes, what stays is not touched."""
    state = known(upstreamLineage=stored(upstreams({"dataset": table("a")}, {"dataset": table("b")})))

    _, operations = plan_one(
        state, changed("upstreamLineage", upstreams({"dataset": table("b")}, {"dataset": table("c")}))
    )

    assert operations.removed["DownstreamOf"] == [
        {"source": T, "aspect": "upstreamLineage", "declaredBy": T, "via": "", "at": 1_000, "targets": [table("a")]}
    ]
    assert [edge.target for edge in operations.created["DownstreamOf"]] == [table("c")]
    assert not operations.updated
    assert operations.ends == {T, table("c")}


def test_details_that_changed_are_updated_in_place() -> None:
    """What the value no longer says goes; times that it no longer says fall back to when it was seen."""
    before = {"dataset": table("a"), "created": {"time": 5, "actor": "urn:li:corpuser:x"}, "properties": {"k": "v"}}
    after = {"dataset": table("a"), "auditStamp": {"time": 8}}
    state = known(upstreamLineage=stored(upstreams(before)))

    _, operations = plan_one(state, changed("upstreamLineage", upstreams(after), system_metadata={"lastObserved": 99}))

    (row,) = operations.updated["DownstreamOf"]
    assert row["properties"] == {
        "createdOn": 99, "createdActor": None, "properties": None, "updatedOn": 8, "lineage": True,
    }  # fmt: skip
    assert not operations.created
    assert not operations.removed


@pytest.mark.parametrize(("system", "time"), [({"lastObserved": 77}, 77), ({"lastObserved": 0}, 1_000), ({}, 1_000)])
def test_times_that_the_value_does_not_say_are_when_it_was_seen(system: dict[str, Any], time: int) -> None:
    """`lastObserved` if there is one, else now."""
    change = changed("globalTags", {"tags": [{"tag": "urn:li:tag:a"}]}, system_metadata=system)

    _, operations = plan_one(known(), change)

    assert operations.created["TaggedWith"] == [
        NewEdge(T, "urn:li:tag:a", "globalTags", T, created_on=time, updated_on=time)
    ]


def test_all_that_an_edge_may_say_has_a_place_in_its_row() -> None:
    """The registry names no detail that the query does not write, in the order in which it reads them."""
    text = query("write/create_edges", edge_type="DownstreamOf")
    written = dict(re.findall(r"(\w+): row\[(\d+)\]", text))

    fields = [to_camel(name) for name in NewEdge._fields]

    assert set(DETAILS) <= set(fields)
    assert {name: int(place) for name, place in written.items()} == {
        name: place for place, name in enumerate(fields) if place >= 2
    }


def test_another_query_is_another_edge() -> None:
    """The edge via the old query goes, the one via the new query comes."""
    state = known(upstreamLineage=stored(upstreams({"dataset": table("a"), "query": "urn:li:query:1"})))

    _, operations = plan_one(
        state, changed("upstreamLineage", upstreams({"dataset": table("a"), "query": "urn:li:query:2"}))
    )

    assert operations.removed["DownstreamOf"][0]["via"] == "urn:li:query:1"
    assert operations.created["DownstreamOf"][0].via == "urn:li:query:2"


def test_a_smaller_limit_does_not_keep_old_edges_in() -> None:
    """A value that was let in under a higher limit can still be replaced and deleted."""
    many = {"tags": [{"tag": f"urn:li:tag:{i}"} for i in range(9)]}
    planner = Planner(REGISTRY, Locked({T: known(globalTags=stored(many))}, frozenset(), 0, {}), STAMP, 3)

    answer = planner.plan(changed("globalTags", {"tags": []}))

    assert isinstance(answer, Applied)
    assert len(planner.operations.removed["TaggedWith"][0]["targets"]) == 9


# --- Refusals -----------------------------------------------------------------------------------------------------

HERE, AWAY = known(status=stored(FALSE, 3)), known()
GONE, NOBODY = known(status=stored(FALSE, 3, gone=True)), EntityState(exists=False)


@pytest.mark.parametrize(
    ("state", "change_type", "headers", "error"),
    [
        (HERE, "CREATE", {}, Conflict),
        (AWAY, "CREATE", {}, None),
        (GONE, "CREATE", {}, None),
        (HERE, "CREATE_ENTITY", {}, Conflict),
        (AWAY, "CREATE_ENTITY", {}, Conflict),
        (NOBODY, "CREATE_ENTITY", {}, None),
        (HERE, "UPDATE", {}, None),
        (AWAY, "UPDATE", {}, Conflict),
        (GONE, "UPDATE", {}, Conflict),
        (NOBODY, "UPDATE", {}, Conflict),
        (HERE, "UPSERT", {"If-Version-Match": "3"}, None),
        (HERE, "UPSERT", {"If-Version-Match": "2"}, PreconditionFailed),
        (HERE, "UPSERT", {"If-Version-Match": "-1"}, PreconditionFailed),
        (AWAY, "UPSERT", {"If-Version-Match": "-1"}, None),
        (GONE, "UPSERT", {"If-Version-Match": "-1"}, None),
        (GONE, "UPSERT", {"If-Version-Match": "3"}, PreconditionFailed),
        (NOBODY, "UPSERT", {"If-Version-Match": "-1"}, None),
        (NOBODY, "UPSERT", {"If-Version-Match": "1"}, PreconditionFailed),
        (HERE, "UPSERT", {"If-None-Match": "*"}, PreconditionFailed),
        (AWAY, "UPSERT", {"If-None-Match": "*"}, None),
        (GONE, "UPSERT", {"If-None-Match": "*"}, None),
    ],
)
def test_what_the_caller_expects_must_hold(
    state: EntityState, change_type: str, headers: dict[str, str], error: type[Exception] | None
) -> None:
    """CREATE of what exists, UPDATE of what does not, a stale version: refused, and nothing is written."""
    answer, operations = plan_one(state, changed(value=TRUE, change_type=change_type, headers=headers))

    if error is None:
        assert isinstance(answer, Applied)
    else:
        assert type(answer) is error
        assert operations == NOTHING


@pytest.mark.parametrize(
    ("change_type", "headers"),
    [("CREATE", {}), ("CREATE_ENTITY", {}), ("UPSERT", {"If-Version-Match": "2"}), ("UPSERT", {"If-None-Match": "*"})],
)
def test_an_expectation_repeated_after_it_was_met_passes(change_type: str, headers: dict[str, str]) -> None:
    """A client whose reply was lost sends the same again, and is told the same."""
    answer, operations = plan_one(HERE, changed(value=FALSE, change_type=change_type, headers=headers))

    assert answer == Applied(T, "status", 3, changed=False)
    assert operations == NOTHING


def test_a_refused_key_leaves_no_trace() -> None:
    """A job whose flow is no URN is not described by halves, and the next aspect of it is refused as well."""
    job = "urn:li:dataJob:(abc,load)"

    answers, operations = planned(EntityState(exists=False), changed(urn=job), changed("globalTags", {"tags": []}, job))

    assert [type(answer) for answer in answers] == [BadUrn, BadUrn]
    assert operations == NOTHING


def test_a_refused_stored_value_leaves_no_trace() -> None:
    """Where today's model cannot read what was stored, the change is refused as a whole."""
    state = known(globalTags=stored({"tags": [{"tag": "no urn"}]}), status=stored(FALSE))

    for change in (changed("globalTags", {"tags": []}), deleted("globalTags")):
        answer, operations = plan_one(state, change)

        assert isinstance(answer, BadProposal)
        assert operations == NOTHING


# --- Points -------------------------------------------------------------------------------------------------------


def point(time: int = 1, **more: Any) -> Change:
    return changed("operation", {"timestampMillis": time, "operationType": "INSERT", "lastUpdatedTimestamp": 1, **more})


def test_a_point_is_written_once() -> None:
    """The same again changes nothing; another value under the same key replaces it."""
    (new,), first = planned(known(), point())
    (same,), second = planned(known(), point(), points=[point().text])
    (other,), third = planned(known(), point(numAffectedRows=5), points=[point().text])

    assert [answer.changed for answer in (new, same, other) if isinstance(answer, Applied)] == [True, False, True]
    assert (len(first.points), second, len(third.points)) == (1, NOTHING, 1)


def test_the_first_point_describes_its_entity() -> None:
    """An entity of which only points are known exists, with its key."""
    _, operations = plan_one(EntityState(exists=False), point())

    assert [aspect.name for aspect in operations.added[T].aspects] == ["datasetKey"]


def test_what_tells_points_of_one_time_apart() -> None:
    """The message's id, else the length of the bucket and the partition, else nothing."""
    day = {"eventGranularity": {"unit": "DAY", "multiple": 1}}
    keys = [
        point_key(change)["messageId"]
        for change in (
            point(), point(messageId="m"), point(messageId="m", **day), point(**day),
            point(partitionSpec={"partition": "p", "type": "PARTITION"}), point(2),
        )
    ]  # fmt: skip

    assert keys == [
        "",
        "m",
        "m",
        '{"eventGranularity":{"multiple":1,"unit":"DAY"}}',
        '{"partitionSpec":{"partition":"p","type":"PARTITION"}}',
        "",
    ]


def test_a_long_message_id_is_known_by_its_hash() -> None:
    """What would not fit into an index is shortened without two becoming one."""
    longest, first, second = ("m" * MESSAGE_ID_BYTES, "é" * MESSAGE_ID_BYTES, "é" * MESSAGE_ID_BYTES + "x")

    keys = [point_key(point(messageId=text))["messageId"] for text in (longest, first, second)]

    assert keys[0] == longest
    assert all(key.startswith("sha256:") and len(key) < MESSAGE_ID_BYTES for key in keys[1:])
    assert len(set(keys)) == 3


# --- Steps --------------------------------------------------------------------------------------------------------

SLOTS = [
    changed(urn=table("a")),
    changed("globalTags", {"tags": []}, table("a")),
    changed(urn=table("b")),
    deleted(None, table("a")),
    deleted("status", table("a")),
    VALIDATOR.validate(proposal_of(table("a"), "operation", {"timestampMillis": 1})),
    VALIDATOR.validate(proposal_of(table("a"), "operation", {"timestampMillis": 2})),
]


def slot(change: Change) -> tuple[str, str]:
    time = str(change.value.get("timestampMillis", ""))
    return change.urn.text, change.aspect + time


def test_changes_that_do_not_meet_are_one_step() -> None:
    """Different aspects, entities and points go together."""
    assert steps([SLOTS[0], SLOTS[1], SLOTS[2], SLOTS[5], SLOTS[6]]) == [[0, 1, 2, 3, 4]]
    assert steps([]) == [[]]


def test_changes_to_one_aspect_are_a_step_each() -> None:
    """The third change to an aspect waits for the second; others do not wait."""
    assert steps([SLOTS[0], SLOTS[0], SLOTS[1], SLOTS[4], SLOTS[2]]) == [[0, 2, 4], [1], [3]]


def test_deletion_of_an_entity_stands_alone() -> None:
    """It comes after all that was before it, and before all that comes after it; other entities go on."""
    found = steps([SLOTS[0], SLOTS[1], SLOTS[3], SLOTS[0], SLOTS[2], SLOTS[1]])

    assert found == [[0, 1, 4], [2], [3, 5]]


@given(indexes=st.lists(st.integers(0, len(SLOTS) - 1), max_size=25))
def test_steps_keep_every_change_and_every_order(indexes: list[int]) -> None:
    """Each change is in one step; an aspect's changes keep their order; deletions are alone with their entity."""
    changes = [SLOTS[i] for i in indexes]

    found = steps(changes)

    level = {index: number for number, step in enumerate(found) for index in step}
    assert sorted(level) == list(range(len(changes)))
    assert all(step == sorted(step) for step in found)
    for i, first in enumerate(changes):
        for j in range(i + 1, len(changes)):
            second = changes[j]
            same_entity = first.urn == second.urn
            if slot(first) == slot(second) or (same_entity and (first.deletes_entity or second.deletes_entity)):
                assert level[i] < level[j]


# --- systemMetadata over time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"runId": "a"}, {"runId": "a"}),
        ({"lastObserved": 5}, {"lastObserved": 9}, {"lastObserved": 9}),
        ({"lastObserved": 9}, {"lastObserved": 5}, {"lastObserved": 9}),
        ({"lastObserved": 9}, {}, {"lastObserved": 9}),
        ({"runId": "a"}, {"runId": "b"}, {"runId": "b", "lastRunId": "a"}),
        ({"runId": "b", "lastRunId": "a"}, {"runId": "b"}, {"runId": "b", "lastRunId": "a"}),
        ({"runId": "b", "lastRunId": "a"}, {"runId": "b", "lastRunId": "x"}, {"runId": "b", "lastRunId": "a"}),
        ({"runId": "b", "lastRunId": "a"}, {"runId": "c", "lastRunId": "x"}, {"runId": "c", "lastRunId": "b"}),
        ({"pipelineName": "p"}, {"pipelineName": "q"}, {"pipelineName": "q"}),
    ],
)
def test_system_metadata_remembers_the_run_before(
    old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The newest sighting wins, `lastObserved` never goes back, and `lastRunId` is the run that was there before."""
    assert succeeded(old, new) == expected


systems = st.fixed_dictionaries(
    {},
    optional={
        "runId": st.sampled_from("abc"),
        "lastRunId": st.sampled_from("xa"),
        "lastObserved": st.integers(0, 9),
    },
)


@given(old=systems, new=systems)
def test_the_same_sighting_twice_is_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    """What a client or Kafka sends again changes nothing more."""
    once = succeeded(old, new)

    assert succeeded(once, new) == once
    assert once.get("lastObserved", 0) == max(old.get("lastObserved", 0), new.get("lastObserved", 0))


def test_a_new_value_without_a_run_is_not_laid_at_the_old_run() -> None:
    """What came without system metadata does not count as written by the run that wrote the value before."""
    assert of_new_version({"runId": "r1", "lastObserved": 5}, {}) == {"lastRunId": "r1"}
    assert of_new_version({"runId": "r1"}, {"runId": "r2"}) == {"runId": "r2", "lastRunId": "r1"}
