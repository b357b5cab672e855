"""The change log on Kafka as a log for subscriptions: every change once, from any place that the brokers still have."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import stamina
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from graphsvc.config import KafkaSettings
from graphsvc.errors import BadRequest, BrokerUnavailable, CursorGone, Undecodable
from graphsvc.feed import Batch, Change, Position
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.avro_log import ID_HEADER
from graphsvc.ingest.kafka_clients import away, consumer_of
from graphsvc.ingest.topic_ends import TopicEnds

# The relay repeats a record when it dies after the brokers' word; it has at most 1,000 on the way. So many records of
# a partition are read before the place that is wanted, and their identities kept, to know a repeat when it comes.
REPEATS_WITHIN = 2_000
AT_ONCE = 500
POLL_S = 0.25
NEW_PARTITIONS_S = 5.0  # how often we look for topics and partitions that are new
READER = {
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 16 * 1024,
}
END = KafkaError._PARTITION_EOF  # noqa: SLF001  librdkafka's own codes
IN_PARTITION = frozenset({END, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET})  # noqa: SLF001

log = structlog.get_logger()


class KafkaSource:
    """
    The two topics of the change log; their partitions are the log's parts, `v0`, `v1`, … and `t0`, ….

    Args:
        kafka: Where the brokers are, and the topics' names.
        codec: Decodes the records.
    """

    def __init__(self, kafka: KafkaSettings, codec: Codec) -> None:
        self._kafka = kafka
        self._codec = codec
        self._topics = {"v": kafka.versioned_log_topic, "t": kafka.timeseries_log_topic}
        self._ends = TopicEnds(kafka)

    async def end(self) -> Position:
        """Behind the last record of every partition."""
        return {part: last for part, (_, last) in (await self._places()).items()}

    async def follow(self, position: Position) -> AsyncGenerator[Batch, None]:
        """See `Source`. What is no change is left out, and so is what the relay has repeated."""
        places = await self._places()
        if not position.keys() <= places.keys():
            raise BadRequest("the cursor is of another change log")
        starts = {part: self._checked(part, position.get(part, 0), ends) for part, ends in places.items()}
        with ThreadPoolExecutor(
            1, "change-log"
        ) as thread:  # librdkafka's calls wait, and in the shared threads for long
            reader = consumer_of(self._kafka, f"{self._kafka.group}-subscriptions", READER)  # assigned, never joined
            try:
                reading = _Reading(self._codec, self._topics, starts)
                reader.assign(self._assigned(starts, places))
                look_at = time.monotonic() + NEW_PARTITIONS_S
                while True:
                    messages = await _in(thread, _fetch, reader)
                    batch = await reading.batch(messages)
                    if batch.changes or batch.start != batch.end:
                        yield batch
                    if time.monotonic() >= look_at:
                        fresh = {p: ends for p, ends in (await self._places()).items() if p not in reading.position}
                        reading.add(fresh)
                        reader.incremental_assign(self._assigned(dict.fromkeys(fresh, 0), fresh))
                        look_at = time.monotonic() + NEW_PARTITIONS_S
            except KafkaException as exc:
                raise away(self._kafka, exc) from exc
            finally:
                await asyncio.shield(_in(thread, reader.close))

    @stamina.retry(on=BrokerUnavailable, attempts=4, timeout=5.0, wait_initial=0.1)  # partitions change their leaders
    async def _places(self) -> dict[str, tuple[int, int]]:
        """Part -> its first offset, and the one that its next record will get."""
        found = await asyncio.gather(*(asyncio.to_thread(self._ends.of, topic) for topic in self._topics.values()))
        return {
            f"{kind}{number}": ends
            for kind, partitions in zip(self._topics, found, strict=True)
            for number, ends in partitions.items()
        }

    @staticmethod
    def _checked(part: str, start: int, ends: tuple[int, int]) -> int:
        first, last = ends
        if start < first:
            raise CursorGone(f"Kafka does not keep record {start} of {part} any more; its oldest one is {first}")
        if start > last:
            raise BadRequest("the cursor is of another change log")
        return start

    def _assigned(self, starts: Position, places: Mapping[str, tuple[int, int]]) -> list[TopicPartition]:
        return [
            TopicPartition(self._topics[part[0]], int(part[1:]), max(places[part][0], start - REPEATS_WITHIN))
            for part, start in starts.items()
        ]


class _Reading:
    """One pass over the log: how far it has come, and which changes it has seen lately."""

    def __init__(self, codec: Codec, topics: Mapping[str, str], starts: Position) -> None:
        self._codec = codec
        self._kinds = {topic: kind for kind, topic in topics.items()}
        self.position = dict(starts)
        self._seen: dict[str, OrderedDict[str, None]] = {part: OrderedDict() for part in starts}

    def add(self, parts: Iterable[str]) -> None:
        """Take partitions in that are new."""
        for part in parts:
            self.position[part] = 0
            self._seen[part] = OrderedDict()

    async def batch(self, messages: Sequence[Message]) -> Batch:
        """
        The changes in some records, and where they lead to.

        Raises:
            BrokerUnavailable: A message is an error.
            CursorGone: The brokers have dropped what comes next.
        """
        start = dict(self.position)
        fresh = [message for message in messages if self._advanced(message)]
        await self._codec.prepare(_value(message) for message in fresh)
        changes = tuple(change for message in fresh if (change := self._change(message)) is not None)
        return Batch(changes, start, dict(self.position))

    def _advanced(self, message: Message) -> bool:
        """Whether a record is a change that was not there before; notes that it was read."""
        error = message.error()
        if error is not None and error.code() not in IN_PARTITION:
            raise BrokerUnavailable(f"Kafka: {error.str()}")
        part, offset = self._part(message), message.offset() or 0
        if error is not None and error.code() == END:
            self.position[part] = max(self.position[part], offset)
            return False
        if error is not None:
            raise CursorGone(f"Kafka does not keep record {self.position[part]} of {part} any more")
        wanted = offset >= self.position[part]
        self.position[part] = max(self.position[part], offset + 1)
        identity, seen = _identity(message), self._seen[part]
        repeated = identity in seen
        seen[identity] = None
        seen.move_to_end(identity)
        if len(seen) > REPEATS_WITHIN:
            seen.popitem(last=False)
        return wanted and not repeated

    def _change(self, message: Message) -> Change | None:
        try:
            record = self._codec.record(_value(message))
            return change_of(self._part(message), message.offset() or 0, _identity(message), record)
        except (Undecodable, KeyError, TypeError, ValueError) as error:
            log.warning("a record of the change log is no change", place=_identity(message), reason=str(error))
            return None

    def _part(self, message: Message) -> str:
        return f"{self._kinds[message.topic() or '']}{message.partition()}"


def change_of(part: str, offset: int, identity: str, record: Mapping[str, Any]) -> Change:
    """
    A change, from a MetadataChangeLog.

    Args:
        part: The part of the log.
        offset: Its place there.
        identity: What tells it apart from others.
        record: The fields of its Avro schema.

    Raises:
        KeyError, TypeError, ValueError: It lacks what a change needs.
    """
    created = record.get("created") or {}
    version = (record.get("systemMetadata") or {}).get("version")
    return Change(
        part=part,
        number=offset,
        id=identity,
        urn=str(record["entityUrn"]),
        entity_type=record["entityType"],
        aspect=record.get("aspectName") or "",
        change_type=str(record["changeType"]),
        version=0 if part.startswith("t") else None if version is None else int(version),
        at=int(created.get("time") or 0),
        actor=created.get("actor"),
        value=_text(record.get("aspect")),
        previous=_text(record.get("previousAspectValue")),
        timeseries=part.startswith("t"),
    )


def _text(generic: Mapping[str, Any] | None) -> str | None:
    return None if generic is None else generic["value"].decode()


def _identity(message: Message) -> str:
    """The change's own where the relay has written the record, else the record's place."""
    headers: Any = message.headers() or []
    own = next((value for name, value in headers if name == ID_HEADER and value), None)
    return own.decode() if own else f"{message.topic()}-{message.partition()}-{message.offset()}"


def _value(message: Message) -> bytes | None:
    return message.value()


def _fetch(reader: Consumer) -> list[Message]:
    """What is there now; waits a little where there is nothing."""
    first = reader.poll(POLL_S)
    return [] if first is None else [first, *reader.consume(AT_ONCE - 1, 0)]


async def _in(thread: ThreadPoolExecutor, function: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)
