"""The change log: what waits in the outbox is published, in order per URN, and then taken out (docs/adr/0009)."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import structlog

from graphsvc.config import KafkaSettings
from graphsvc.errors import GraphsvcError
from graphsvc.graph.operations import Row
from graphsvc.graph.outbox import Outbox
from graphsvc.ingest import metrics
from graphsvc.ingest.avro import CHANGE_RECORD, Codec
from graphsvc.ingest.avro_log import ID_HEADER, JSON
from graphsvc.ingest.leased import take_turns
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.publisher import Message, Publisher

RECORDS = 1_000
SIZE = 8 * 1024 * 1024
LEASE = "relay"
REFUSALS_KEPT_MS = 7 * 24 * 60 * 60 * 1000  # how long one can ask why a traced proposal was refused
LEASE_S = 10.0
IDLE_S = 0.2  # between two looks into an empty outbox
CHANGE_TYPES = frozenset({"UPSERT", "CREATE", "CREATE_ENTITY", "UPDATE", "DELETE", "PATCH", "RESTATE"})
# Aspect -> the category that DataHub's entity change events give its changes.
CATEGORIES = {
    "globalTags": "TAG",
    "glossaryTerms": "GLOSSARY_TERM",
    "domains": "DOMAIN",
    "ownership": "OWNER",
    "deprecation": "DEPRECATION",
    "schemaMetadata": "TECHNICAL_SCHEMA",
    "editableDatasetProperties": "DOCUMENTATION",
    "datasetProperties": "DOCUMENTATION",
}

log = structlog.get_logger()


class Relay:
    """
    Publishes the outbox of one database. Any number may run; one at a time does the work.

    A record is published at least once: when the relay dies between the brokers' word and the record's removal, the
    next one publishes it again, with the same `graphsvc-id` header, by which readers drop repeats. It keeps no cursor,
    since a slow transaction may commit after a later one.
    """

    def __init__(self, outbox: Outbox, codec: Codec, kafka: KafkaSettings) -> None:
        self._outbox = outbox
        self._codec = codec
        self._kafka = kafka

    async def run(self) -> None:
        """Publish until cancelled. What is away is waited for."""
        await take_turns(self._outbox, LEASE, LEASE_S, lambda: Publisher(self._kafka, None), self._turn)

    async def _turn(self, publisher: Publisher, until: float) -> None:
        while time.monotonic() < until:
            chunks = await self._outbox.head(RECORDS, SIZE)
            if chunks:
                records = [record for chunk in chunks for record in chunk.records]
                await self._publish(publisher, records)
                await self._outbox.drop([chunk.id for chunk in chunks])
                metrics.PUBLISHED.inc(len(records))
            else:
                await asyncio.sleep(IDLE_S)
        metrics.OUTBOX.set(await self._outbox.depth())
        await self._outbox.forget_refusals(int(time.time() * 1000) - REFUSALS_KEPT_MS)

    async def _publish(self, publisher: Publisher, records: Sequence[Row]) -> None:
        messages = [message for record in records for message in await self._messages(record)]
        refused = await publisher.send(messages)
        for index, error in refused.items():
            message = messages[index]
            log.error("change log record is too large; sent without its values", topic=message.topic, reason=str(error))
        shorter = [m for i in sorted(refused) for m in await self._shortened(messages[i], records)]
        if left := await publisher.send(shorter):
            log.error("change log records were not taken by the brokers", count=len(left))

    async def _shortened(self, message: Message, records: Sequence[Row]) -> list[Message]:
        """The same record without the values; a reader finds them in the graph, by URN, aspect and version."""
        ids = {text for name, text in message.headers if name == ID_HEADER}
        bare = [
            {**record, "value": None, "previousValue": None, "original": b"", "bytes": 0}
            for record in records
            if record["id"].encode() in ids
        ]
        return [short for record in bare for short in await self._messages(record) if short.topic == message.topic]

    async def _messages(self, record: Row) -> list[Message]:
        """The Kafka records of one record of the outbox."""
        if record["kind"] == "failed":
            await self._codec.prepare([record["original"]])
        found = []
        for topic, kind, key, value in self._records(record):
            headers = ((ID_HEADER, record["id"].encode()),)
            found.append(Message(topic, key, await self._codec.encode(topic, kind, value), headers))
        return found

    def _records(self, record: Row) -> Iterator[tuple[str, str, bytes | None, Mapping[str, Any]]]:
        kafka = self._kafka
        if record["kind"] == "failed":
            (item,) = self._codec.items(record["original"], event=record["topic"] == kafka.event_topic)[:1] or (None,)
            yield kafka.failed_topic, "FailedMetadataChangeProposal", record.get("key"), failed(record, item)
            return
        key = record["urn"].encode()
        topic = kafka.timeseries_log_topic if record["kind"] == "timeseries" else kafka.versioned_log_topic
        yield topic, CHANGE_RECORD, key, record
        if kafka.platform_event_topic and record["kind"] == "versioned":
            yield kafka.platform_event_topic, "PlatformEvent", key, event(record)


def generic(text: str | bytes | None) -> dict[str, Any] | None:
    """A GenericAspect of JSON text."""
    if text is None:
        return None
    return {"value": text.encode() if isinstance(text, str) else text, "contentType": JSON}


def event(record: Row) -> dict[str, Any]:
    """A PlatformEvent of DataHub's kind `entityChangeEvent`."""
    lifecycle = record["aspect"].endswith("Key")
    operation = "MODIFY" if record.get("previousValue") else "CREATE"
    if record["changeType"] == "DELETE":
        operation = "HARD_DELETE" if lifecycle else "REMOVE"
    payload = {
        "entityUrn": record["urn"],
        "entityType": record["entityType"],
        "category": "LIFECYCLE" if lifecycle else CATEGORIES.get(record["aspect"], record["aspect"]),
        "operation": operation,
        "auditStamp": {"time": record["at"], "actor": record["actor"]},
        "version": 0,
    }
    return {
        "header": {"timestampMillis": record["at"]},
        "name": "entityChangeEvent",
        "payload": {"value": orjson.dumps(payload), "contentType": JSON},
    }


def failed(record: Row, item: Proposal | GraphsvcError | None) -> dict[str, Any]:
    """A FailedMetadataChangeProposal: what could be read of the proposal, the error, and the record as it came."""
    proposal = item if isinstance(item, Proposal) else None
    aspect = proposal.aspect.value if proposal and proposal.aspect else None
    return {
        "auditHeader": None,
        "metadataChangeProposal": {
            "auditHeader": None,
            "entityType": (proposal and proposal.entity_type) or "",
            "entityUrn": proposal.entity_urn if proposal else None,
            "entityKeyAspect": None,
            "changeType": proposal.change_type if proposal and proposal.change_type in CHANGE_TYPES else "UPSERT",
            "aspectName": proposal.aspect_name if proposal else None,
            "aspect": generic(aspect),
            "systemMetadata": None,
            "headers": proposal.headers if proposal else None,
        },
        **{key: record[key] for key in ("error", "errorType", "topic", "partition", "offset", "original")},
        "key": record.get("key"),
    }


def letter(  # noqa: PLR0913  what a dead letter says
    *, topic: str, partition: int, offset: int, key: bytes | None, original: bytes, error: GraphsvcError, reason: str
) -> Row:
    """A dead letter, as a row of the outbox. Its identity is the record's place, so that it is one letter for ever."""
    now = time.time_ns() // 1_000
    return {
        "id": f"failed-{topic}-{partition}-{offset}",
        "order": now,
        "bytes": len(original),
        "kind": "failed",
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "key": key,
        "original": original,
        "error": reason,
        "errorType": type(error).__name__,
        "at": now // 1_000,
    }
