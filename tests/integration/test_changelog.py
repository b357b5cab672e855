"""The change log on a real Kafka: every change once it happened, in order, never lost."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from consuming import Topics, running, until
from neo4j import AsyncDriver

from graphsvc.config import IngestSettings, KafkaSettings, LimitSettings, Neo4jSettings
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.registry import Registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.avro_log import ID_HEADER
from graphsvc.ingest.changelog import Relay
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import decode_proposal

T = "urn:li:dataset:(urn:li:dataPlatform:hive,logged.t,PROD)"


@pytest.fixture
def topics(kafka_bootstrap: str) -> Iterator[Topics]:
    with Topics.fresh(kafka_bootstrap) as fresh:
        yield fresh


@pytest.fixture
def logging_service(graph: AsyncDriver, database: str, registry: Registry) -> IngestService:
    neo4j = Neo4jSettings(database=database)
    return IngestService(graph, registry, neo4j, IngestSettings(), LimitSettings(), change_log=True)


def proposal(aspect: str = "status", change: str = "UPSERT", **value: Any) -> Any:
    raw = {"entityUrn": T, "aspectName": aspect, "changeType": change, "systemMetadata": {"runId": "r"}}
    return decode_proposal(raw if change == "DELETE" else {**raw, "aspect": {"json": value}})


async def ingest(service: IngestService, *proposals: Any) -> None:
    answers = await service.ingest(proposals, "urn:li:corpuser:ada")
    assert all(isinstance(answer, Applied) for answer in answers), answers


def relay(driver: AsyncDriver, database: str, registry: Registry, kafka: KafkaSettings) -> Relay:
    return Relay(Outbox(driver, database), Codec(GraphSchemas(driver, database), registry), kafka)


async def published(driver: AsyncDriver, database: str) -> bool:
    return await Outbox(driver, database).depth() == 0


async def test_every_change_is_announced_with_what_was_before(
    graph: AsyncDriver, database: str, registry: Registry, logging_service: IngestService, topics: Topics
) -> None:
    """Creation, change, deletion, the entity's deletion; not what changed nothing."""
    await ingest(logging_service, proposal(removed=False))
    await ingest(logging_service, proposal(removed=False))
    await ingest(logging_service, proposal(removed=True))
    await ingest(logging_service, proposal("datasetProperties", name="t"))
    await ingest(logging_service, proposal("status", "DELETE"))
    await ingest(logging_service, decode_proposal({"entityUrn": T, "changeType": "DELETE"}))

    async with running(relay(graph, database, registry, topics.settings)):
        await until(lambda: published(graph, database))

    records = topics.records("MetadataChangeLog", topics.settings.versioned_log_topic)
    said = [
        (
            record["aspectName"],
            record["changeType"],
            record["aspect"] and record["aspect"]["value"],
            record["previousAspectValue"] and record["previousAspectValue"]["value"],
        )
        for _, record in records
    ]
    key = b'{"name":"logged.t","origin":"PROD","platform":"urn:li:dataPlatform:hive"}'
    assert said == [
        ("datasetKey", "UPSERT", key, None),
        ("status", "UPSERT", b'{"removed":false}', None),
        ("status", "UPSERT", b'{"removed":true}', b'{"removed":false}'),
        ("datasetProperties", "UPSERT", b'{"name":"t"}', None),
        ("status", "DELETE", None, b'{"removed":true}'),
        ("datasetKey", "DELETE", None, key),
    ]
    assert {record["created"]["actor"] for _, record in records} == {"urn:li:corpuser:ada"}
    assert [record["systemMetadata"]["version"] for _, record in records[:3]] == ["1", "1", "2"]
    assert all(headers[ID_HEADER].decode() == record["headers"][ID_HEADER] for headers, record in records)


async def test_points_are_announced_on_their_own_topic(
    graph: AsyncDriver, database: str, registry: Registry, logging_service: IngestService, topics: Topics
) -> None:
    """A point of a timeseries once, however often it comes."""
    for _ in range(2):
        await ingest(logging_service, proposal("datasetProfile", timestampMillis=5, rowCount=3))

    async with running(relay(graph, database, registry, topics.settings)):
        await until(lambda: published(graph, database))

    records = topics.records("MetadataChangeLog", topics.settings.timeseries_log_topic)
    assert [record["aspectName"] for _, record in records] == ["datasetProfile"]


async def test_one_of_several_relays_works_and_another_takes_over(
    graph: AsyncDriver, database: str, registry: Registry, logging_service: IngestService, topics: Topics
) -> None:
    """Relays that come and go while changes are made: each change once, in order."""
    first, *others = (relay(graph, database, registry, topics.settings) for _ in range(3))
    async with running(first):
        for number in range(30):
            await ingest(logging_service, proposal("datasetProperties", description=str(number)))
    async with running(*others):
        for number in range(30, 60):
            await ingest(logging_service, proposal("datasetProperties", description=str(number)))
        await until(lambda: published(graph, database))

    records = topics.records("MetadataChangeLog", topics.settings.versioned_log_topic)
    identities = list(dict.fromkeys(headers[ID_HEADER] for headers, _ in records))
    assert len(identities) == 61
    by_identity = {headers[ID_HEADER]: record for headers, record in records}
    versions = [by_identity[i]["systemMetadata"]["version"] for i in identities[1:]]
    assert versions == [str(number) for number in range(1, 61)]


async def test_without_kafka_nothing_waits(graph: AsyncDriver, database: str, service: IngestService) -> None:
    """The outbox is not written where nobody would empty it."""
    await ingest(service, proposal(removed=False))

    assert await Outbox(graph, database).depth() == 0


async def test_a_broker_that_is_away_keeps_the_changes(
    graph: AsyncDriver, database: str, registry: Registry, logging_service: IngestService
) -> None:
    """Writes go on; the announcements wait."""
    away = KafkaSettings(bootstrap="127.0.0.1:1", options={"log_level": "0"})

    async with running(relay(graph, database, registry, away)):
        await ingest(logging_service, proposal(removed=False))
        await asyncio.sleep(1)

    assert await Outbox(graph, database).depth() == 2
