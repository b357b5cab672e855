"""The dead letters on the failed topic: read them, and put their bytes back where they came from."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka import Message as Fetched

from graphsvc.config import KafkaSettings
from graphsvc.errors import BadRequest, BrokerUnavailable, Conflict, Undecodable
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.traces import Traces
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.avro_log import ID_HEADER
from graphsvc.ingest.kafka_clients import consumer_of
from graphsvc.ingest.publisher import Message, Publisher
from graphsvc.ingest.topic_ends import TopicEnds

BATCH = 500
POLL_S = 0.5
SILENT_S = 30.0  # brokers that say nothing for so long are taken for dead
SEEN = 50_000  # ids by which copies of one letter are found; a relay that died leaves them close together
FETCH_BYTES = 4 * 1024 * 1024
LEASE = "dlq replay"
LEASE_MS = 60_000
READER = {"enable.partition.eof": True, "queued.max.messages.kbytes": FETCH_BYTES // 1024}
FIELDS = ("error", "urn", "aspect", "topic", "reason")

Fate = Literal["replayed", "replayed before", "not possible"]


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A record that could not be applied.

    Attributes:
        id: Its identity: the place of the original record, `failed-<topic>-<partition>-<offset>`.
        at: When it was written off, in milliseconds.
        urn: The entity, as far as it could be read; else the record's key, if that is a URN.
        aspect: The aspect, as far as it could be read.
        error: Name of the error.
        reason: What was wrong.
        topic: Where the original record came from; with `partition` and `offset`.
        partition: -1 if it is not known.
        offset: -1 if it is not known.
        key: The original record's key.
        original: Its value; empty if it was too large for the failed topic, or empty itself.
    """

    id: str
    at: int
    urn: str
    aspect: str
    error: str
    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    original: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which letters are meant; all, if nothing is given.

    Attributes:
        ids: Only these, if there are any.
        patterns: (field of `FIELDS`, glob pattern): all must match.
    """

    ids: frozenset[str] = frozenset()
    patterns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, filters: Sequence[str], ids: Collection[str] = ()) -> "Wanted":
        """
        From `field=pattern` texts, e.g. `error=Unknown*`, and ids.

        Raises:
            BadRequest: A text is not of that form, or names no field.
        """
        patterns = []
        for text in filters:
            name, separator, pattern = text.partition("=")
            if not separator or name not in FIELDS:
                raise BadRequest(f"filter {text!r}: write one of {', '.join(FIELDS)}, then = and a pattern")
            patterns.append((name, pattern))
        return cls(frozenset(ids), tuple(patterns))

    def has(self, letter: Letter) -> bool:
        """Whether this letter is meant."""
        return (not self.ids or letter.id in self.ids) and all(
            fnmatchcase(getattr(letter, name), pattern) for name, pattern in self.patterns
        )


class DeadLetters:
    """
    The failed topic, as it is when the reading begins.

    Args:
        kafka: With `bootstrap`.
        codec: Decodes letters.
        traces: Knows which were replayed.
    """

    def __init__(self, kafka: KafkaSettings, codec: Codec, traces: Traces) -> None:
        self._kafka = kafka
        self._codec = codec
        self._traces = traces
        self.unreadable = 0  # records that are no letters of ours

    async def read(
        self, wanted: Wanted, advanced: Callable[[int, int], None] = lambda _done, _total: None
    ) -> AsyncIterator[list[tuple[Letter, int | None]]]:
        """
        The letters that are meant, each once, with the time in milliseconds at which it was replayed, if it was.

        They come in batches, those of one key in their order; memory does not grow with the topic.

        Args:
            wanted: Which ones.
            advanced: Is told how many records were read, of how many.

        Raises:
            BrokerUnavailable: Kafka, or an external schema registry, does not answer.
            StoreUnavailable: Neo4j does not.
        """
        self.unreadable = 0
        ends = await asyncio.to_thread(TopicEnds(self._kafka).of, self._kafka.failed_topic)
        total = sum(end - first for first, end in ends.values())
        left = {number: end for number, (first, end) in ends.items() if end > first}
        seen: dict[str, None] = {}
        done = 0
        advanced(done, total)
        reader = consumer_of(self._kafka, f"{self._kafka.group}-dead-letters", READER)  # assigned, never joined
        try:
            reader.assign([TopicPartition(self._kafka.failed_topic, number, ends[number][0]) for number in left])
            while left:
                fetched = await asyncio.to_thread(_fetch, reader, left)
                done += len(fetched)
                advanced(done, total)
                letters = [letter for letter in await self._letters(fetched) if wanted.has(letter)]
                fresh = {letter.id: letter for letter in letters if letter.id not in seen}
                seen.update(dict.fromkeys(fresh))
                while len(seen) > SEEN:
                    del seen[next(iter(seen))]
                if fresh:
                    replayed = await self._traces.replayed(fresh)
                    yield [(letter, replayed.get(letter.id)) for letter in fresh.values()]
        finally:
            await asyncio.to_thread(reader.close)

    async def _letters(self, fetched: Sequence[Fetched]) -> list[Letter]:
        await self._codec.prepare(_value(message) for message in fetched)
        found = []
        for message in fetched:
            try:
                found.append(_letter(message, self._codec.record(_value(message))))
            except Undecodable:
                self.unreadable += 1
        return found


async def replay(
    batch: Sequence[tuple[Letter, int | None]], publisher: Publisher, traces: Traces, *, again: bool
) -> dict[str, Fate]:
    """
    Put a batch of letters back on their topics under their keys, and mark them once the brokers have them.

    Whoever dies in between has replayed without a mark, so the next one replays again: nothing is lost.

    Args:
        batch: As `DeadLetters.read` gives them.
        publisher: Open.
        traces: Takes the marks.
        again: Also those that are marked.

    Returns:
        Id -> what was done. Not possible is it without the original bytes, or where the brokers do not take so many.

    Raises:
        BrokerUnavailable: The brokers did not take all of the batch; none of it is marked.
        StoreUnavailable: Neo4j does not answer; the batch was replayed, but not marked.
    """
    fates: dict[str, Fate] = {}
    sent: list[Letter] = []
    for letter, at in batch:
        if at is not None and not again:
            fates[letter.id] = "replayed before"
        elif not letter.original or not letter.topic:
            fates[letter.id] = "not possible"
        else:
            sent.append(letter)
    refused = await publisher.send([Message(letter.topic, letter.key, letter.original) for letter in sent])
    marked = [letter.id for index, letter in enumerate(sent) if index not in refused]
    fates.update((sent[index].id, "not possible") for index in refused)
    await traces.mark_replayed(marked)
    return {**fates, **dict.fromkeys(marked, "replayed")}


class Turn:
    """The right to replay, which one process at a time has: two would replay everything twice."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._holder = uuid4().hex

    async def keep(self) -> None:
        """
        Take it, or keep it for another minute.

        Raises:
            Conflict: Another process has it.
        """
        if not await self._outbox.take_lease(LEASE, self._holder, LEASE_MS):
            raise Conflict("another replay is under way, or ended badly less than a minute ago")

    async def give_back(self) -> None:
        """Let the next one begin at once."""
        await self._outbox.take_lease(LEASE, self._holder, 0)


def _fetch(reader: Consumer, left: dict[int, int]) -> list[Fetched]:
    """Some records before the ends; takes out of `left` the partitions that are through."""
    found: list[Fetched] = []
    silent = 0.0
    while not found and left:
        messages = reader.consume(BATCH, POLL_S)
        silent = 0.0 if messages else silent + POLL_S
        if silent >= SILENT_S:
            raise BrokerUnavailable(f"Kafka has stopped answering; partitions {sorted(left)} are not read to their end")
        for message in messages:
            number, offset, error = message.partition(), message.offset(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's own code
                raise BrokerUnavailable(f"Kafka: {error.str()}")
            if number not in left or offset is None:
                continue
            end = left[number]
            if error is None and offset < end:
                found.append(message)
            if error is not None or offset + 1 >= end:
                del left[number]
                reader.incremental_unassign([TopicPartition(message.topic() or "", number)])
    return found


def _value(message: Fetched) -> bytes | None:
    value = message.value()
    return value.encode() if isinstance(value, str) else value


def _letter(message: Fetched, record: dict[str, Any]) -> Letter:
    """
    A letter of a record of the failed topic; one that is not ours may lack what only we write.

    Raises:
        Undecodable: It is no failed proposal.
    """
    proposal = record.get("metadataChangeProposal")
    if not isinstance(proposal, dict) or "error" not in record:
        raise Undecodable("the record is no FailedMetadataChangeProposal")
    headers = dict(message.headers() or [])
    given = headers.get(ID_HEADER)
    place = f"{message.topic()}-{message.partition()}-{message.offset()}"
    key = record.get("key")
    named = key.decode("utf-8", "replace") if isinstance(key, bytes) else ""
    return Letter(
        id=given.decode("utf-8", "replace") if isinstance(given, bytes) else given or place,
        at=message.timestamp()[1],
        urn=proposal.get("entityUrn") or (named if named.startswith("urn:li:") else ""),
        aspect=proposal.get("aspectName") or "",
        error=record.get("errorType") or "",
        reason=record["error"],
        topic=record.get("topic") or "",
        partition=record.get("partition", -1),
        offset=record.get("offset", -1),
        key=key,
        original=record.get("original") or b"",
    )
