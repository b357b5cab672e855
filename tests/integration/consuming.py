"""Topics of a test's own on the run's Kafka, and jobs in the background."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Self
from uuid import uuid4

import fastavro
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from graphsvc.config import KafkaSettings
from graphsvc.ingest.kafka import ensure_topics

WAIT_S = 90.0
PARTITIONS = 6


@dataclass(frozen=True)
class Topics:
    """All topics of one test, and a consumer group."""

    settings: KafkaSettings

    @classmethod
    @contextmanager
    def fresh(cls, bootstrap: str) -> Iterator[Self]:
        """New topics, which go with the block."""
        name = uuid4().hex[:8]
        settings = KafkaSettings(
            bootstrap=bootstrap,
            group=f"group-{name}",
            proposal_topic=f"mcp-{name}",
            event_topic=f"mce-{name}",
            failed_topic=f"failed-{name}",
            versioned_log_topic=f"versioned-{name}",
            timeseries_log_topic=f"timeseries-{name}",
            partitions=PARTITIONS,
        )
        ensure_topics(settings)
        yield cls(settings)
        names = [text for key, text in settings.model_dump().items() if key.endswith("_topic") and text]
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for done in admin.delete_topics(names).values():
            done.result(30)

    def send(self, records: Sequence[dict[str, Any] | bytes], topic: str | None = None) -> None:
        """Plain JSON under the proposal's URN, or bytes as they are."""
        producer = Producer({"bootstrap.servers": self.settings.bootstrap, "enable.idempotence": True})
        for record in records:
            value = record if isinstance(record, bytes) else orjson.dumps(record)
            key = b"bytes" if isinstance(record, bytes) else str(record.get("entityUrn")).encode()
            producer.produce(topic or self.settings.proposal_topic, value, key)
            producer.poll(0)
        assert producer.flush(30) == 0

    def raw(self, topic: str) -> list[tuple[dict[str, bytes], bytes]]:
        """Headers and value of every record of a topic, partition after partition."""
        reader = Consumer(
            {
                "bootstrap.servers": self.settings.bootstrap,
                "group.id": "reader",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        reader.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        found: list[tuple[dict[str, bytes], bytes]] = []
        ended = 0
        while ended < PARTITIONS:
            message = reader.poll(30)
            assert message is not None, f"{topic} does not answer"
            if message.error():
                ended += 1
            else:
                found.append((dict(message.headers() or []), message.value() or b""))
        reader.close()
        return found

    def records(self, kind: str, topic: str) -> list[tuple[dict[str, bytes], dict[str, Any]]]:
        """The same, decoded by our schema of that name."""
        text = (files("graphsvc.ingest") / "schemas" / f"{kind}.avsc").read_text("utf-8")
        schema = fastavro.parse_schema(json.loads(text))
        decoded: list[tuple[dict[str, bytes], Any]] = [
            (headers, fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None))
            for headers, value in self.raw(topic)
        ]
        return decoded


@asynccontextmanager
async def running(*jobs: Any) -> AsyncIterator[None]:
    """Jobs in the background; one that failed fails the test."""
    tasks = [asyncio.create_task(job.run()) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110  it is asked of Neo4j
            await asyncio.sleep(0.05)
