"""The consumer job against a real Kafka: everything applied once, poison apart, whoever comes and goes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest
from consuming import PARTITIONS, Topics, running, until
from neo4j import AsyncDriver

from graphsvc.config import KafkaSettings
from graphsvc.errors import StoreUnavailable
from graphsvc.graph.operations import Advance
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.registry import Registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.graph.writer import Fenced
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.changelog import Relay
from graphsvc.ingest.changes import Answer
from graphsvc.ingest.kafka import FETCHED_BYTES, LANES, WARY_LANES, ConsumerJob
from graphsvc.ingest.line import Line
from graphsvc.ingest.service import Delivery, IngestService
from graphsvc.ingest.snapshot import Item, decode_proposal

NewConsumer = Callable[..., ConsumerJob]
Consumed = Callable[[int], Awaitable[None]]


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,consumed.t{number},PROD)"


def proposal(number: int, text: str, aspect: str = "datasetProperties") -> dict[str, Any]:
    return {
        "entityUrn": table(number),
        "entityType": "dataset",
        "changeType": "UPSERT",
        "aspectName": aspect,
        "aspect": {"value": orjson.dumps({"description": text}).decode(), "contentType": "application/json"},
    }


@pytest.fixture
def topics(kafka_bootstrap: str) -> Iterator[Topics]:
    with Topics.fresh(kafka_bootstrap) as fresh:
        yield fresh


@pytest.fixture
def kafka(topics: Topics) -> KafkaSettings:
    return topics.settings


@pytest.fixture
def outbox(graph: AsyncDriver, database: str) -> Outbox:
    return Outbox(graph, database)


@pytest.fixture
def codec(graph: AsyncDriver, database: str, registry: Registry, kafka: KafkaSettings) -> Codec:
    return Codec(GraphSchemas(graph, database), registry)


async def values(driver: AsyncDriver, database: str, text: str) -> list[Any]:
    async with driver.session(database=database) as session:
        return [record[0] async for record in await session.run(text)]  # type: ignore[arg-type]


@pytest.fixture
def consumer(service: IngestService, codec: Codec, outbox: Outbox, kafka: KafkaSettings) -> NewConsumer:
    """Makes a member of the test's group; with settings of its own, if any are given."""
    return lambda **own: ConsumerJob(service, codec, outbox, kafka.model_copy(update=own))


@pytest.fixture
def consumed(outbox: Outbox, kafka: KafkaSettings) -> Consumed:
    """Waits until the group has applied so many records."""
    places = [(kafka.proposal_topic, n) for n in range(kafka.partitions)]

    async def wait(records: int) -> None:
        async def done() -> bool:
            return sum(offset for offset, _ in (await outbox.offsets(kafka.group, places)).values()) >= records

        await until(done)

    return wait


async def test_what_is_on_the_topic_is_applied_in_order_per_urn(
    graph: AsyncDriver, database: str, consumer: NewConsumer, consumed: Consumed, topics: Topics
) -> None:
    """Many updates of few URNs: every version is there, the last value is current."""
    topics.send([proposal(n % 20, f"v{n // 20}") for n in range(400)])

    async with running(consumer()):
        await consumed(400)

    current = await values(graph, database, "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN [a.version, a.value]")
    assert current == [[20, '{"description":"v19"}']] * 20
    old = await values(graph, database, "MATCH (v:AspectVersion) RETURN v.version")
    assert sorted(old) == sorted(list(range(1, 20)) * 20)


async def test_poison_goes_to_the_dead_letters_and_the_rest_lands(
    graph: AsyncDriver,
    database: str,
    codec: Codec,
    outbox: Outbox,
    kafka: KafkaSettings,
    consumer: NewConsumer,
    consumed: Consumed,
    topics: Topics,
) -> None:
    """Every kind of record that can never be applied is in the failed topic, with reason, place and original bytes."""
    poison: list[dict[str, Any] | bytes] = [
        b"",
        b"\x00\x00\x00\x00\x63not avro",
        b"\x05nonsense",
        b'{"entityUrn": "nonsense", "aspectName": "status", "aspect": {"value": "{}"}}',
        {**proposal(1, "x"), "entityUrn": "urn:li:datset:a", "entityType": "datset"},
        {**proposal(1, "x"), "aspect": {"value": "{", "contentType": "application/json"}},
        {**proposal(1, "x"), "changeType": "RESTATE"},
        {**proposal(1, "x"), "aspectName": "dashboardInfo"},
    ]
    good = [proposal(n, "good") for n in range(100)]
    topics.send(
        [
            item
            for n, item in enumerate(good)
            for item in ([item, poison[n // 10]] if n % 10 == 5 and n // 10 < len(poison) else [item])
        ],
    )

    async with running(consumer(), Relay(outbox, codec, kafka)):
        await consumed(100 + len(poison))

        async def published() -> bool:
            return await outbox.depth() == 0

        await until(published)

    landed = await values(graph, database, "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN a.value")
    assert landed == ['{"description":"good"}'] * 100
    letters = topics.records("FailedMetadataChangeProposal", kafka.failed_topic)
    assert sorted(letter["original"] for _, letter in letters) == sorted(
        item if isinstance(item, bytes) else orjson.dumps(item) for item in poison
    )
    assert {letter["errorType"] for _, letter in letters} == {
        "Undecodable",
        "BadUrn",
        "UnknownEntityType",
        "BadValue",
        "Unsupported",
        "AspectNotAllowed",
    }
    assert all(letter["topic"] == kafka.proposal_topic and letter["error"] for _, letter in letters)


async def test_a_consumer_that_lost_its_partition_writes_nothing(
    graph: AsyncDriver, database: str, service: IngestService, outbox: Outbox
) -> None:
    """The offset in Neo4j is compared and set in the batch's transaction."""

    def delivery(start: int, after: int) -> Delivery:
        return Delivery("g", [Advance("t", 0, start, after, 1)], lambda _: [], lambda _: [], Line(None), alone=True)

    await service.consume([decode_proposal(proposal(1, "first"))], delivery(-1, 5))
    with pytest.raises(Fenced):
        await service.consume([decode_proposal(proposal(1, "zombie"))], delivery(-1, 7))

    assert await outbox.offsets("g", [("t", 0), ("t", 1)]) == {("t", 0): (5, 1)}
    assert await values(graph, database, "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN a.value") == [
        '{"description":"first"}'
    ]


async def test_a_batch_behind_one_that_has_to_begin_again_does_so_too(
    graph: AsyncDriver, database: str, service: IngestService, outbox: Outbox
) -> None:
    """It goes ahead when the one before has nothing left but its commit; where that fails, it is not fenced."""
    first = Line(None)
    first.seal()

    def delivery(start: int, after: int, line: Line) -> Delivery:
        return Delivery("g", [Advance("t", 0, start, after, 1)], lambda _: [], lambda _: [], line, alone=True)

    await first.begin()
    waiting = asyncio.create_task(
        service.consume([decode_proposal(proposal(1, "second"))], delivery(5, 7, Line(first)))
    )
    await asyncio.sleep(0.5)
    assert not waiting.done()
    assert await outbox.offsets("g", [("t", 0)]) == {}
    async with asyncio.timeout(20):
        await service.consume([decode_proposal(proposal(2, "first"))], delivery(-1, 5, Line(None)))
    first.end()
    await asyncio.wait_for(waiting, 20)

    assert await outbox.offsets("g", [("t", 0)]) == {("t", 0): (7, 1)}
    text = "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN a.value ORDER BY a.value"
    assert await values(graph, database, text) == ['{"description":"first"}', '{"description":"second"}']


async def test_a_record_larger_than_what_is_fetched_at_once_comes_too(
    graph: AsyncDriver, database: str, consumer: NewConsumer, consumed: Consumed, topics: Topics
) -> None:
    long = "x" * 3 * FETCHED_BYTES
    topics.send([proposal(n, long if n == 1 else "short") for n in range(3)])

    async with running(consumer()):
        await consumed(3)

    sizes = await values(graph, database, "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN size(a.value) > 100")
    assert sorted(sizes) == [False, False, True]


async def test_members_of_a_group_share_the_work(
    graph: AsyncDriver, database: str, consumer: NewConsumer, consumed: Consumed, topics: Topics
) -> None:
    """Consumers join and leave while records come: nothing is lost, nothing applied twice."""
    jobs = [consumer() for _ in range(3)]
    first = [proposal(n % 50, f"a{n}") for n in range(500)]
    second = [proposal(n % 50, f"b{n}") for n in range(500)]

    async with running(jobs[0]):
        await asyncio.to_thread(topics.send, first)
        async with running(jobs[1], jobs[2]):
            await asyncio.to_thread(topics.send, second)
            await consumed(700)
        await consumed(1_000)

    versions = await values(graph, database, "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN a.version")
    assert versions == [20] * 50


async def test_a_consumer_knows_whether_others_are_in_its_group(consumer: NewConsumer) -> None:
    """Then it does not hold the locks of a part of a batch while it waits for what the rest needs."""
    ours, other = (consumer() for _ in range(2))

    def is_alone(alone: bool) -> Callable[[], Any]:
        async def found() -> bool:
            return ours._alone is alone

        return found

    async with running(ours):
        await until(is_alone(True))
        async with running(other):
            await until(is_alone(False))
            assert not other._alone
        await until(is_alone(True))


async def test_others_join_and_leave_within_one_call_to_kafka(
    consumer: NewConsumer, consumed: Consumed, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's client aborts the process at a second callback within a call if the first one called back itself."""
    monkeypatch.setattr("graphsvc.ingest.kafka.POLL_S", 5.0)
    jobs = [consumer() for _ in range(2)]

    async with running(jobs[0]):
        await until(lambda: _holds(jobs[0], PARTITIONS))
        async with running(jobs[1]):
            await until(lambda: _holds(jobs[1], PARTITIONS // 2))
        await until(lambda: _holds(jobs[0], PARTITIONS))
        await asyncio.to_thread(topics.send, [proposal(n, "after") for n in range(20)])
        await consumed(20)


async def _holds(job: ConsumerJob, partitions: int) -> bool:
    return len(job._partitions) == partitions * 2  # of the proposals and of the older events


@pytest.mark.parametrize(("wary", "most"), [(True, WARY_LANES), (False, LANES)])
async def test_fewer_batches_at_a_time_while_others_are_in_the_way(
    service: IngestService,
    consumer: NewConsumer,
    consumed: Consumed,
    topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
    wary: bool,
    most: int,
) -> None:
    """Each that is under way may meet one of theirs, and has to be written again then."""
    running_now: list[int] = [0]
    apply = service.consume

    async def counted(items: Sequence[Item], delivery: Delivery) -> list[Answer]:
        running_now.append(running_now[-1] + 1)
        try:
            return await apply(items, delivery)
        finally:
            running_now.append(running_now[-1] - 1)

    monkeypatch.setattr(service, "consume", counted)
    monkeypatch.setattr(IngestService, "wary", wary)
    topics.send([proposal(n, "once") for n in range(600)])

    async with running(consumer(batch_items=12)):
        await consumed(600)

    assert max(running_now) == most


async def test_a_store_that_is_away_stops_consumption(
    graph: AsyncDriver,
    database: str,
    outbox: Outbox,
    consumer: NewConsumer,
    consumed: Consumed,
    topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No dead letter for it; what waits is applied when the store is back."""
    real = IngestService._attempt
    away = True

    async def attempt(self: IngestService, *args: Any, **options: Any) -> Any:
        if away:
            raise StoreUnavailable("away")
        return await real(self, *args, **options)

    monkeypatch.setattr(IngestService, "_attempt", attempt)
    topics.send([proposal(n, "x") for n in range(30)])

    async with running(consumer()):
        await asyncio.sleep(3)
        assert await values(graph, database, "MATCH (a:Aspect) RETURN count(a)") == [0]
        away = False
        await consumed(30)

    assert await outbox.depth() == 0
    assert await values(graph, database, "MATCH (a:Aspect {name: 'datasetProperties'}) RETURN count(a)") == [30]
