"""The client's Kafka emitters against a real broker."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import fastavro
import httpx
import orjson
import pytest
from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr
from served import neo4j_settings, served

from graphsvc.client import AsyncKafkaEmitter, Denied, KafkaEmitter, Proposal, Refused, Unavailable
from graphsvc.config import HttpSettings, Settings

TOKEN = "let-me-in"
FULL = Proposal(
    "urn:li:dataset:(urn:li:dataPlatform:hive,größe.orders,PROD)",
    "datasetProperties",
    {"name": "größe", "customProperties": {"a": "1"}},
    "CREATE",
    {"runId": "r1", "lastObserved": 123},
    {"If-None-Match": "*"},
)


@pytest.fixture(scope="module")
def url(neo4j_server: Any) -> Iterator[str]:
    with served(Settings(neo4j=neo4j_settings(neo4j_server))) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(neo4j_server: Any) -> Iterator[str]:
    settings = Settings(neo4j=neo4j_settings(neo4j_server), http=HttpSettings(token=SecretStr(TOKEN)))
    with served(settings) as running:
        yield running


@pytest.fixture
def topic(kafka_bootstrap: str) -> Iterator[str]:
    """A topic of its own, with three partitions."""
    name = f"client-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(30)
    yield name
    admin.delete_topics([name])[name].result(30)


def read(bootstrap: str, topic: str, count: int) -> list[Message]:
    """So many messages, by partition and offset."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        found: list[Message] = []
        while len(found) < count:
            batch = consumer.consume(count - len(found), 30)
            assert batch, f"only {len(found)} of {count} messages"
            found += batch
        assert consumer.poll(0.5) is None, "more messages than expected"
    finally:
        consumer.close()
    assert not any(message.error() for message in found)
    return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))


def tag(number: int, name: str = "name") -> Proposal:
    return Proposal(f"urn:li:tag:kafka{number}", "tagProperties", {"name": f"{name} {number}"})


async def test_plain_json_needs_no_registry(kafka_bootstrap: str, topic: str) -> None:
    """The key is the URN in UTF-8, the value what REST would have sent."""
    with KafkaEmitter(kafka_bootstrap, topic=topic, encoding="json", registry_url="http://127.0.0.1:1") as emitter:
        emitter.emit(FULL)

    (message,) = read(kafka_bootstrap, topic, 1)
    assert (message.key() or b"").decode() == FULL.urn
    assert Proposal.from_dict(orjson.loads(message.value() or b"")) == FULL
    assert message.headers() is None


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_avro_is_framed_with_the_registrys_id(kafka_bootstrap: str, topic: str, url: str, kind: str) -> None:
    """A zero byte, the id, and a record that reads with the schema of that id."""
    registry = f"{url}/schema-registry/api"
    if kind == "async":
        async with AsyncKafkaEmitter(kafka_bootstrap, topic=topic, registry_url=registry) as emitter:
            await emitter.emit_all([FULL, tag(1)])
    else:
        with KafkaEmitter(kafka_bootstrap, topic=topic, registry_url=registry) as emitter:
            await asyncio.to_thread(emitter.emit_all, [FULL, tag(1)])

    messages = {(m.key() or b"").decode(): m.value() or b"" for m in read(kafka_bootstrap, topic, 2)}
    value = messages[FULL.urn]
    assert value[0] == 0
    number = int.from_bytes(value[1:5], "big")
    async with httpx.AsyncClient() as client:
        schema = (await client.get(f"{registry}/schemas/ids/{number}")).json()["schema"]
        subjects = (await client.get(f"{registry}/subjects")).json()
    record: Any = fastavro.schemaless_reader(BytesIO(value[5:]), fastavro.parse_schema(json.loads(schema)), None)
    assert f"{topic}-value" in subjects
    assert {key: record[key] for key in ("entityType", "entityUrn", "changeType", "aspectName", "headers")} == {
        "entityType": "dataset",
        "entityUrn": FULL.urn,
        "changeType": "CREATE",
        "aspectName": "datasetProperties",
        "headers": {"If-None-Match": "*"},
    }
    assert orjson.loads(record["aspect"]["value"]) == FULL.value
    assert record["aspect"]["contentType"] == "application/json"
    assert (record["systemMetadata"]["runId"], record["systemMetadata"]["lastObserved"]) == ("r1", 123)


async def test_the_registry_wants_its_token(kafka_bootstrap: str, topic: str, guarded: str) -> None:
    registry = f"{guarded}/schema-registry/api"
    async with AsyncKafkaEmitter(kafka_bootstrap, topic=topic, registry_url=registry) as without:
        with pytest.raises(Denied) as caught:
            await without.emit(FULL)
    async with AsyncKafkaEmitter(kafka_bootstrap, topic=topic, registry_url=registry, token=TOKEN) as emitter:
        await emitter.emit(FULL)

    assert caught.value.failures[0].urn == FULL.urn
    assert len(read(kafka_bootstrap, topic, 1)) == 1


async def test_a_registry_that_is_away_is_worth_another_try(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphsvc.client.kafka.REGISTER_S", 0.5)

    emitter = KafkaEmitter(kafka_bootstrap, topic=topic, registry_url="http://127.0.0.1:1")
    with pytest.raises(Unavailable) as caught:
        emitter.emit(FULL)
    emitter.close()

    assert [(f.index, f.retryable) for f in caught.value.failures] == [(0, True)]
    assert "schema registry" in caught.value.failures[0].reason


async def test_changes_of_one_entity_keep_their_order(kafka_bootstrap: str, topic: str) -> None:
    """From many tasks; all of one URN are in one partition."""
    async with AsyncKafkaEmitter(kafka_bootstrap, topic=topic, encoding="json") as emitter:
        await asyncio.gather(*(emitter.emit(tag(n % 50, f"v{n // 50:02}")) for n in range(1000)))

    messages = read(kafka_bootstrap, topic, 1000)
    places: dict[bytes, set[int]] = {}
    texts: dict[bytes, list[str]] = {}
    for message in messages:
        key = message.key() or b""
        places.setdefault(key, set()).add(message.partition() or 0)
        texts.setdefault(key, []).append(orjson.loads(orjson.loads(message.value() or b"")["aspect"]["value"])["name"])
    assert len(places) == 50
    assert all(len(place) == 1 for place in places.values())
    assert all(found == sorted(found) and len(set(found)) == 20 for found in texts.values())


async def test_a_full_queue_makes_the_caller_wait(kafka_bootstrap: str, topic: str) -> None:
    """Back-pressure, not an error, and nothing lost."""
    options = {"queue.buffering.max.messages": 10, "linger.ms": 50}
    with KafkaEmitter(kafka_bootstrap, topic=topic, encoding="json", options=options) as emitter:
        emitter.emit_all(tag(number) for number in range(200))

    assert len(read(kafka_bootstrap, topic, 200)) == 200


async def test_one_too_large_fails_alone(kafka_bootstrap: str, topic: str) -> None:
    """So does one that JSON cannot say; both are named, with the places they had."""
    big = Proposal("urn:li:tag:big", "tagProperties", {"name": "x" * 6_000_000})
    bad = Proposal("urn:li:tag:bad", "tagProperties", {"name": object()})

    with pytest.raises(Refused) as caught, KafkaEmitter(kafka_bootstrap, topic=topic, encoding="json") as emitter:
        emitter.emit_all([tag(0), big, tag(2), bad, tag(4)])

    assert [(f.index, f.urn, f.retryable) for f in caught.value.failures] == [(1, big.urn, False), (3, bad.urn, False)]
    assert len(read(kafka_bootstrap, topic, 3)) == 3


async def test_a_broker_that_is_away_is_a_typed_error(topic: str) -> None:
    """After the time that a message may wait; each undelivered proposal is handed back."""
    emitter = AsyncKafkaEmitter("127.0.0.1:1", topic=topic, encoding="json", options={"message.timeout.ms": 700})

    with pytest.raises(Unavailable) as caught:
        await emitter.emit_all([tag(0), tag(1)])
    await emitter.close()

    assert [(f.index, f.proposal, f.retryable) for f in caught.value.failures] == [(0, tag(0), True), (1, tag(1), True)]
    with pytest.raises(RuntimeError, match="closed"):
        await emitter.emit(tag(2))


async def test_the_interpreters_end_flushes(kafka_bootstrap: str, topic: str) -> None:
    script = """
import sys
from graphsvc.client import KafkaEmitter, Proposal
emitter = KafkaEmitter(sys.argv[1], topic=sys.argv[2], encoding="json", options={"linger.ms": 5000})
emitter.emit(Proposal("urn:li:tag:exit", "tagProperties", {"name": "at exit"}))
"""
    command = [sys.executable, "-c", script, kafka_bootstrap, topic]
    await asyncio.to_thread(subprocess.run, command, check=True)

    assert [message.key() for message in read(kafka_bootstrap, topic, 1)] == [b"urn:li:tag:exit"]


def test_a_misspelt_option_is_refused_at_once() -> None:
    with pytest.raises(KafkaException, match="linger"):
        KafkaEmitter("127.0.0.1:1", options={"linger.mss": 5})
