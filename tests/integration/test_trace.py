"""What DataHub's trace endpoint says of asynchronous proposals, with a real Kafka and without one."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from consuming import Topics, running, until
from neo4j import AsyncDriver
from served import neo4j_settings, no_fault, served

from graphsvc.config import KafkaSettings, Settings
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.registry import Registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.kafka import ConsumerJob
from graphsvc.ingest.service import IngestService

T = "urn:li:dataset:(urn:li:dataPlatform:hive,traced.t,PROD)"
OTHER = "urn:li:dataset:(urn:li:dataPlatform:hive,traced.other,PROD)"


@pytest.fixture
def topics(kafka_bootstrap: str) -> Iterator[Topics]:
    with Topics.fresh(kafka_bootstrap) as fresh:
        yield fresh


@pytest.fixture
def queued(neo4j_server: Any, graph: AsyncDriver, topics: Topics) -> Iterator[httpx.Client]:
    """A service that queues, and consumes nothing itself."""
    settings = Settings(neo4j=neo4j_settings(neo4j_server), kafka=topics.settings)
    with served(settings) as url, httpx.Client(base_url=url, event_hooks={"response": [no_fault]}) as client:
        yield client


@pytest.fixture
def direct(neo4j_server: Any, graph: AsyncDriver) -> Iterator[httpx.Client]:
    """A service without Kafka."""
    with (
        served(Settings(neo4j=neo4j_settings(neo4j_server))) as url,
        httpx.Client(base_url=url, event_hooks={"response": [no_fault]}) as client,
    ):
        yield client


@pytest.fixture
def consumer(
    graph: AsyncDriver, database: str, registry: Registry, service: IngestService, topics: Topics
) -> ConsumerJob:
    codec = Codec(GraphSchemas(graph, database), registry)
    return ConsumerJob(service, codec, Outbox(graph, database), topics.settings)


def proposal(aspect: str = "status", change: str = "UPSERT", urn: str = T, **value: Any) -> dict[str, Any]:
    raw = {"entityUrn": urn, "entityType": "dataset", "aspectName": aspect, "changeType": change}
    return raw if change == "DELETE" else {**raw, "aspect": {"json": value}}


def write(client: httpx.Client, *proposals: dict[str, Any], wait: bool = False) -> str | None:
    """The trace id of a batch, if the answer names one."""
    body = {"proposals": proposals, "async": "false" if wait else "true"}
    answer = client.post("/aspects?action=ingestProposalBatch", json=body)
    assert answer.status_code == 200, answer.text
    parent = answer.headers.get("traceparent")
    return parent and parent.split("-")[1]


def ask(client: httpx.Client, trace: str | None, asked: dict[str, list[str]], **options: Any) -> Any:
    answer = client.post(f"/openapi/v1/trace/write/{trace}", json=asked, params={"detailed": "true", **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def state(client: httpx.Client, trace: str | None, aspect: str = "status", urn: str = T) -> str:
    found = ask(client, trace, {urn: [aspect]})
    assert found.keys() == {urn}
    assert found[urn].keys() == {aspect}
    status = found[urn][aspect]
    assert status["primaryStorage"] == status["searchStorage"]
    assert status["success"] is (status["primaryStorage"]["writeStatus"] != "ERROR")
    return str(status["primaryStorage"]["writeStatus"])


async def caught_up(outbox: Outbox, kafka: KafkaSettings, records: int) -> None:
    async def done() -> bool:
        places = [(kafka.proposal_topic, number) for number in range(kafka.partitions)]
        return sum(offset for offset, _ in (await outbox.offsets(kafka.group, places)).values()) >= records

    await until(done)


async def test_a_queued_write_is_pending_then_active_then_historic(
    queued: httpx.Client, consumer: ConsumerJob, graph: AsyncDriver, database: str, topics: Topics
) -> None:
    """The states as a client sees them that polls."""
    outbox = Outbox(graph, database)
    first = write(queued, proposal(removed=False))
    assert state(queued, first) == "PENDING"

    async with running(consumer):
        await caught_up(outbox, topics.settings, 1)
        assert state(queued, first) == "ACTIVE_STATE"
        second = write(queued, proposal(removed=True))
        await caught_up(outbox, topics.settings, 2)

    assert state(queued, first) == "HISTORIC_STATE"
    assert state(queued, second) == "ACTIVE_STATE"


async def test_a_refused_write_is_an_error_with_its_reason(
    queued: httpx.Client, consumer: ConsumerJob, graph: AsyncDriver, database: str, topics: Topics
) -> None:
    """What only Neo4j's state refuses; the others of its request go on."""
    trace = write(queued, proposal(change="UPDATE", removed=True), proposal("datasetProperties", name="t", urn=OTHER))

    async with running(consumer):
        await caught_up(Outbox(graph, database), topics.settings, 2)

    asked = {T: ["status"], OTHER: ["datasetProperties"]}
    found = ask(queued, trace, asked)
    assert found[T]["status"]["success"] is False
    storage = found[T]["status"]["primaryStorage"]
    assert storage["writeStatus"] == "ERROR"
    assert storage["writeMessage"].startswith("Conflict: UPDATE: status of")
    assert found[OTHER]["datasetProperties"]["primaryStorage"] == {"writeStatus": "ACTIVE_STATE"}
    assert ask(queued, trace, asked, onlyIncludeErrors="true").keys() == {T}


async def test_what_left_nothing_behind_does_not_wait_for_ever(
    queued: httpx.Client, consumer: ConsumerJob, graph: AsyncDriver, database: str, topics: Topics
) -> None:
    """A deletion, a value that was sent again since, a point of a timeseries: final, but no success seen."""
    same = write(queued, proposal("datasetProperties", name="t"))
    again = write(queued, proposal("datasetProperties", name="t"))
    write(queued, proposal(removed=True))
    gone = write(queued, proposal(change="DELETE"))
    point = write(queued, proposal("datasetProfile", timestampMillis=5, rowCount=1))
    assert {state(queued, same, "datasetProperties"), state(queued, point, "datasetProfile")} == {"PENDING"}

    async with running(consumer):
        await caught_up(Outbox(graph, database), topics.settings, 5)

    assert state(queued, again, "datasetProperties") == "ACTIVE_STATE"
    assert state(queued, same, "datasetProperties") == "NO_OP"
    assert state(queued, gone) == "UNKNOWN"
    assert state(queued, point, "datasetProfile") == "TRACE_NOT_IMPLEMENTED"


def test_without_kafka_an_asynchronous_write_is_done_at_once(direct: httpx.Client) -> None:
    """So that a client that waits for it comes to an end."""
    trace = write(direct, proposal(removed=False))

    assert state(direct, trace) == "ACTIVE_STATE"


async def test_a_synchronous_write_has_no_trace(direct: httpx.Client, graph: AsyncDriver, database: str) -> None:
    """Nobody asks what became of it, so nothing is noted for that."""
    assert write(direct, proposal(removed=False), wait=True) is None

    records, _, _ = await graph.execute_query(
        "MATCH (a:Aspect {name: 'status'}) RETURN a.systemMetadata AS system", database_=database
    )
    assert [record["system"] for record in records] == [None]


async def test_refusals_are_forgotten_in_time(graph: AsyncDriver, database: str) -> None:
    """By their age; the younger ones stay."""
    await graph.execute_query(
        "UNWIND [1, 2, 3] AS at CREATE (:Refusal {trace: 't', urn: 'u', aspect: toString(at), at: at})",
        database_=database,
    )

    await Outbox(graph, database).forget_refusals(3)

    records, _, _ = await graph.execute_query("MATCH (r:Refusal) RETURN r.at AS at", database_=database)
    assert [record["at"] for record in records] == [3]


@pytest.mark.parametrize(
    ("trace", "body"), [("nonsense", {T: ["status"]}), ("0" * 32, [T]), ("0" * 32, {T: "status"}), ("0" * 32, {T: [1]})]
)
def test_a_question_that_makes_no_sense_is_refused(direct: httpx.Client, trace: str, body: Any) -> None:
    answer = direct.post(f"/openapi/v1/trace/write/{trace}", json=body)

    assert answer.status_code == 400
    assert answer.json()["exceptionClass"] == "BadRequest"
