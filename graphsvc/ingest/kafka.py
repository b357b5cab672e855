"""The consumer job: records of the proposal topics are applied in batches, each with its offsets in one transaction."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import groupby
from typing import Any, TypeVar

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from graphsvc.config import KafkaSettings
from graphsvc.errors import BrokerUnavailable, GraphsvcError, StoreRefused, Unavailable
from graphsvc.graph.operations import Advance, Row
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.writer import Fenced
from graphsvc.ingest import metrics
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.changelog import letter
from graphsvc.ingest.changes import Answer
from graphsvc.ingest.kafka_clients import admin_of, away, consumer_of
from graphsvc.ingest.line import Line
from graphsvc.ingest.publisher import Publisher
from graphsvc.ingest.service import Delivery, IngestService, in_turns
from graphsvc.ingest.snapshot import Item
from graphsvc.ingest.trace_ids import refusals

WARY_LANES = 2  # while writers of other processes are in the way: each batch that is under way may meet theirs
LANES = 3  # batches at a time: one is decoded while another is written, and a third one's edges are made
DECODED = 50  # records that are decoded in one go: 1 ms, which a transaction may have to wait for its next step
POLL_S = 0.1
POLL_RECORDS = 500
# Where nothing was there to do, and then many records come, those of one partition come first. So nothing is taken
# before a poll of so long brings fewer than a burst: the partitions are abreast then, and batches meet less.
BURST = 50
GATHER_S = 0.01
FETCHED_BYTES = 256 * 1024  # of a partition, before the next one's turn; a larger record is fetched all the same
COMMIT_S = 1.0
LAG_S = 5.0
QUEUED_RECORDS = 10_000  # past it, or past the bytes, nothing is fetched
QUEUED_BYTES = 64 * 1024 * 1024
HOLD_S = 0.05  # between two looks whether there is room again; each takes the interpreter from the event loop
# After so long the partitions are paused, until half of what waits is applied, and the group is listened to again. Not
# before, since librdkafka then throws away what it has fetched ahead, and waits for the broker when it goes on.
PAUSE_AFTER_S = 5.0
BATCH_BYTES = 16 * 1024 * 1024
KEY_RUN = 50  # records of one key behind the first that are taken together
REST_S = 1.0  # a lane that is too much looks again after so long
BACK_OFF_S = (0.2, 5.0)
REFUSALS = 3  # times that Neo4j, though it takes other writes, refuses one record before that is a dead letter
REVOKE_S = 30.0  # a batch of a partition that goes away is waited for so long
REASONS_SHOWN = 5
BROKER_ANSWER_S = 2.0
CONSUMER = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
    "max.poll.interval.ms": 600_000,
    "queued.max.messages.kbytes": QUEUED_BYTES // 1024,
    "max.partition.fetch.bytes": FETCHED_BYTES,
}

Place = tuple[str, int]
T = TypeVar("T")
log = structlog.get_logger()


@dataclass(slots=True)
class _Record:
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    start: int = -1  # the group's offset before it

    @property
    def size(self) -> int:
        return len(self.value or b"")


@dataclass(slots=True, eq=False)
class _Partition:
    """
    One partition while it is ours.

    Attributes:
        topic: Its topic.
        number: Its number.
        next: The group's offset in Neo4j, as far as we know; -1 for none.
        read: The offset behind the last record that was accepted; `next`, if there was none.
        waiting: Records that are not taken yet.
        busy: Batches with records of it that are being applied.
        stray: Somebody else moved the group on, or we have lost it: nothing of it is taken or applied any more.
    """

    topic: str
    number: int
    next: int
    read: int
    waiting: deque[_Record] = field(default_factory=deque)
    busy: int = 0
    stray: bool = False

    @property
    def place(self) -> Place:
        return self.topic, self.number


_Taken = list[tuple[_Partition, _Record]]  # records of a partition stand together, in their order


class _Valve:
    """Holds fetching back while too much waits; used by the polling thread alone."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._full_since: float | None = None
        self._paused = False

    def fetch(self, now: float, wait_s: float, *, full: bool, drained: bool) -> list[Message]:
        """What there is to accept. When it was full for long, the partitions are paused: the group has to be heard."""
        self._full_since = (self._full_since or now) if full else None
        if self._full_since is not None and now - self._full_since < PAUSE_AFTER_S:
            time.sleep(HOLD_S)
            return []
        if full:
            self._consumer.pause(self._consumer.assignment())  # again and again, for those assigned since
            self._paused = True
        elif self._paused and drained:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False
        return _fetch(self._consumer, wait_s)


class ConsumerJob:
    """
    Consumes the proposal topic and the legacy event topic as one member of the group.

    Each transaction holds the effects of some records and the offsets behind them, and is written only if the offsets
    in Neo4j are where this consumer left them. So a record takes effect once, whatever dies; a consumer that lost its
    partition without knowing writes nothing. Kafka's own offsets are committed too, but only for those who watch lag.
    """

    def __init__(self, service: IngestService, codec: Codec, outbox: Outbox, kafka: KafkaSettings) -> None:
        self._service = service
        self._codec = codec
        self._outbox = outbox
        self._kafka = kafka
        self._partitions: dict[Place, _Partition] = {}
        self._queued_records = self._queued_bytes = 0
        self._last: Line | None = None
        self._of_topics: frozenset[Place] = frozenset()
        self._gathering = True
        self._decoding = asyncio.Lock()
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()
        self._free = asyncio.Condition()

    async def run(self) -> None:
        """
        Consume until cancelled; then finish what is being applied, and leave the group.

        Raises:
            ConfigError: Kafka does not take our settings.
        """
        loop = asyncio.get_running_loop()
        await self._until_there(lambda: asyncio.to_thread(ensure_topics, self._kafka))
        consumer = consumer_of(self._kafka, self._kafka.group, CONSUMER)
        poller = loop.run_in_executor(None, self._poll, consumer, loop)
        lanes = [asyncio.create_task(self._lane(number)) for number in range(LANES)]
        try:
            await asyncio.wait([poller, *lanes], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop()
            done = asyncio.gather(poller, *lanes, return_exceptions=True)
            await asyncio.shield(done)
        for task in (poller, *lanes):
            task.result()

    def _stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    # --- In the polling thread ------------------------------------------------------------------------------------

    def _poll(self, consumer: Consumer, loop: asyncio.AbstractEventLoop) -> None:
        """
        Fetch, hand over, commit. It never waits for a transaction but where partitions go, so the group keeps us.

        What Kafka calls back must not call what waits for Kafka: the client forgets the call that it came from, and
        aborts the process at the next one.
        """
        looked = True

        def on_assign(_: Consumer, partitions: list[TopicPartition]) -> None:
            nonlocal looked
            starts = _wait(loop, self._assign([(p.topic, p.partition) for p in partitions]))
            consumer.incremental_assign([_from(place, start) for place, start in starts.items()])
            looked = False

        def on_revoke(_: Consumer, partitions: list[TopicPartition]) -> None:
            leave([(p.topic, p.partition) for p in partitions])

        def leave(places: Collection[Place]) -> None:
            going = [partition for place in places if (partition := self._partitions.get(place))]
            _wait(loop, self._revoke(places, REVOKE_S))
            self._commit(consumer, going, committed)

        def on_lost(_: Consumer, partitions: list[TopicPartition]) -> None:
            log.warning("partitions lost", partitions=[f"{p.topic}[{p.partition}]" for p in partitions])
            _wait(loop, self._revoke([(p.topic, p.partition) for p in partitions], 0))

        topics = [self._kafka.proposal_topic, *([self._kafka.event_topic] if self._kafka.event_topic else [])]
        consumer.subscribe(topics, on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
        valve = _Valve(consumer)
        commit_at = lag_at = 0.0
        committed: dict[Place, int] = {}
        try:
            while not self._stopped.is_set():
                now = time.monotonic()
                wait_s = GATHER_S if (held := self._holds_back()) else POLL_S
                messages = valve.fetch(now, wait_s, full=self._waits(1), drained=not self._waits(2))
                if messages or held:
                    loop.call_soon_threadsafe(self._accept, _by_place(messages), len(messages))
                self._seek_strays(consumer, loop)
                if not looked:
                    self._of_topics, looked = _all_places(consumer, topics), True
                if now >= commit_at:
                    self._commit(consumer, list(self._partitions.values()), committed)
                    commit_at = now + COMMIT_S
                if now >= lag_at:
                    self._note_lag(consumer)
                    lag_at = now + LAG_S
        finally:
            loop.call_soon_threadsafe(self._stop)
            leave(list(self._partitions))
            consumer.close()

    def _seek_strays(self, consumer: Consumer, loop: asyncio.AbstractEventLoop) -> None:
        """Read partitions anew where another has moved the group on; mostly there are none."""
        if any(partition.stray for partition in list(self._partitions.values())):
            for place, start in _wait(loop, self._found_again()).items():
                consumer.seek(_from(place, start))

    def _holds_back(self) -> bool:
        """Whether something waits that is not to be taken yet."""
        return self._gathering and any(partition.waiting for partition in list(self._partitions.values()))

    def _waits(self, part: int) -> bool:
        """Whether more waits than this part of what may wait."""
        return self._queued_records > QUEUED_RECORDS // part or self._queued_bytes > QUEUED_BYTES // part

    @staticmethod
    def _commit(consumer: Consumer, partitions: Sequence[_Partition], committed: dict[Place, int]) -> None:
        """Tell Kafka how far we are; nobody depends on it, so what goes wrong is tried again later."""
        moved = {p.place: p.next for p in partitions if p.next > committed.get(p.place, -1)}
        if moved:
            with suppress(KafkaException):
                consumer.commit(
                    offsets=[TopicPartition(topic, number, offset) for (topic, number), offset in moved.items()],
                    asynchronous=True,
                )
                committed.update(moved)

    def _note_lag(self, consumer: Consumer) -> None:
        for (topic, number), partition in list(self._partitions.items()):
            with suppress(KafkaException):
                _, high = consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)
                if high >= 0:
                    metrics.LAG.labels(topic, number).set(max(0, high - max(0, partition.next)))

    # --- In the event loop ----------------------------------------------------------------------------------------

    @property
    def _alone(self) -> bool:
        """Whether all partitions of the topics are ours: then nobody else of the group writes."""
        return bool(self._of_topics) and self._partitions.keys() >= self._of_topics

    async def _assign(self, places: Sequence[Place]) -> dict[Place, int]:
        """Make the partitions ours; gives where each of them goes on, -1 for the beginning."""
        offsets = await self._until_there(lambda: self._outbox.offsets(self._kafka.group, places))
        for place in places:
            start, _ = offsets.get(place, (-1, 0))
            self._partitions[place] = _Partition(*place, start, start)
        return {place: self._partitions[place].next for place in places}

    async def _revoke(self, places: Collection[Place], wait_s: float) -> None:
        """Forget what waits of these partitions; what is being applied is given some time."""
        gone = [partition for place in places if (partition := self._partitions.pop(place, None))]
        for partition in gone:
            self._drop(partition)
            with suppress(KeyError):
                metrics.LAG.remove(partition.topic, str(partition.number))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s), self._free:
                await self._free.wait_for(lambda: not any(partition.busy for partition in gone))

    async def _found_again(self) -> dict[Place, int]:
        """Partitions that are ours, but where another has moved the group on: from where to read them anew."""
        strays = [place for place, partition in self._partitions.items() if partition.stray and not partition.busy]
        return await self._assign(strays) if strays else {}

    def _accept(self, by_place: dict[Place, list[_Record]], fetched: int) -> None:
        for place, records in by_place.items():
            partition = self._partitions.get(place)
            if partition is None or partition.stray:
                continue
            for record in records:
                record.start, partition.read = partition.read, record.offset + 1
            partition.waiting.extend(records)
            self._queued_records += len(records)
            self._queued_bytes += sum(record.size for record in records)
        if fetched < BURST or self._waits(2):
            self._gathering = False
        self._wake.set()

    def _drop(self, partition: _Partition) -> None:
        partition.stray = True
        self._queued_records -= len(partition.waiting)
        self._queued_bytes -= sum(record.size for record in partition.waiting)
        partition.waiting.clear()

    async def _lane(self, number: int) -> None:
        """Apply batch after batch, each behind the one that was taken before it, by whichever lane."""
        turn = 0
        while not self._stopped.is_set():
            if number >= WARY_LANES and self._service.wary:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), REST_S)
                continue
            self._wake.clear()
            ready = [partition for partition in self._partitions.values() if partition.waiting]
            if not ready:
                self._gathering = True
            if self._gathering:
                await self._wake.wait()
                continue
            turn += 1
            taken = _take(ready[turn % len(ready) :] + ready[: turn % len(ready)], self._kafka.batch_items)
            line = self._last = Line(self._last)
            partitions = {id(partition): partition for partition, _ in taken}.values()
            for partition in partitions:
                partition.busy += 1
            try:
                await self._apply(taken, line)
            finally:
                line.end()
                self._queued_records -= len(taken)
                self._queued_bytes -= sum(record.size for _, record in taken)
                async with self._free:
                    for partition in partitions:
                        partition.busy -= 1
                    self._free.notify_all()

    async def _apply(self, taken: _Taken, line: Line) -> None:
        """Apply a batch, however long that takes; what others have applied already is left out."""
        back_off, longest = BACK_OFF_S
        refusals = 0
        refused: StoreRefused | None = None
        while not self._stopped.is_set():
            taken = [(partition, record) for partition, record in taken if not partition.stray]
            if not taken:
                return
            try:
                await self._write(taken, line, refused)
            except Fenced as error:
                metrics.FENCED.inc()
                log.warning("another consumer has moved on", partitions=sorted(error.lost))
                for partition in {id(p): p for p, _ in taken if p.place in error.lost}.values():
                    self._drop(partition)
            except StoreRefused as error:
                if len(taken) > 1:  # one of them is the trouble
                    await self._apply(taken[: len(taken) // 2], line)
                    await self._apply(taken[len(taken) // 2 :], line)
                    return
                refusals += 1
                if refusals >= REFUSALS and await self._store_takes_others():
                    refused = error
                await self._pause(back_off, error)
            except Unavailable as error:
                await self._pause(back_off, error)
                back_off = min(2 * back_off, longest)
            else:
                return

    async def _until_there(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """
        Try until what is needed answers.

        Raises:
            Unavailable: It does not, and we are to stop.
        """
        back_off, longest = BACK_OFF_S
        while True:
            try:
                return await attempt()
            except Unavailable as error:
                if self._stopped.is_set():
                    raise
                await self._pause(back_off, error)
                back_off = min(2 * back_off, longest)

    async def _pause(self, seconds: float, error: GraphsvcError) -> None:
        log.warning("consumption waits", reason=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _store_takes_others(self) -> bool:
        with suppress(Unavailable):
            return await self._outbox.take_lease(f"probe {self._kafka.group}", "any", 1) or True
        return False

    async def _write(self, taken: _Taken, line: Line, refused: StoreRefused | None) -> None:
        """Write a batch with its offsets in one transaction; with `refused`, as what Neo4j does not take."""
        await self._codec.prepare(record.value for _, record in taken if record.value)
        decoded: list[Item] = []
        spans: list[tuple[int, int]] = []
        async with self._decoding:  # one after the other: in turns all would be ready at once, late
            async for part in in_turns(taken, DECODED):
                for _, (partition, record) in part:
                    start = len(decoded)
                    event = partition.topic == self._kafka.event_topic
                    decoded.extend(self._codec.items(record.value, event=event))
                    spans.append((start, len(decoded)))
        items: list[Item] = [refused] * len(decoded) if refused else decoded
        advances = [_advance(partition, group) for partition, group in _groups(taken)]

        def letters(answers: Sequence[Answer]) -> list[Row]:
            if not any(isinstance(answer, GraphsvcError) for answer in answers):
                return []
            return [
                row
                for (partition, record), (start, end) in zip(taken, spans, strict=True)
                if (row := _letter(partition, record, answers[start:end]))
            ]

        def traced(answers: Sequence[Answer]) -> list[Row]:
            return refusals(decoded, answers)

        delivery = Delivery(self._kafka.group, advances, letters, traced, line, self._alone)
        answers = await self._service.consume(items, delivery)
        for (partition, _), advance in zip(_groups(taken), advances, strict=True):
            partition.next = advance.next
        metrics.count("kafka", answers)
        for row in letters(answers):
            metrics.DEAD_LETTERS.labels(row["errorType"]).inc()


def _take(partitions: Sequence[_Partition], most: int) -> _Taken:
    """
    A batch; an entity's records that stand together are not parted.

    A half goes to the partitions in equal shares, so that none starves. The other half are the oldest records: so
    partitions that were fetched one after the other come abreast, and what was sent together is written together.
    """
    taken: list[list[_Record]] = [[] for _ in partitions]
    share = max(1, most // (2 * len(partitions)))
    room = BATCH_BYTES
    for records, partition in zip(taken, partitions, strict=True):
        while partition.waiting and len(records) < share and (partition.waiting[0].size <= room or not any(taken)):
            room -= _take_run(partition.waiting, records, room)
    left = most - sum(map(len, taken))
    oldest = [(partition.waiting[0].at, at) for at, partition in enumerate(partitions) if partition.waiting]
    heapify(oldest)
    while oldest and left > 0:
        _, at = heappop(oldest)
        waiting, before = partitions[at].waiting, len(taken[at])
        if waiting[0].size > room:
            continue
        room -= _take_run(waiting, taken[at], room)
        left -= len(taken[at]) - before
        if waiting:
            heappush(oldest, (waiting[0].at, at))
    return [(partition, record) for records, partition in zip(taken, partitions, strict=True) for record in records]


def _take_run(waiting: deque[_Record], taken: list[_Record], room: int) -> int:
    """Move the first record, and up to `KEY_RUN` of its key behind it that there is room for; gives their bytes."""
    first = waiting.popleft()
    taken.append(first)
    size = first.size
    for _ in range(KEY_RUN):
        if first.key is None or not waiting or waiting[0].key != first.key or size + waiting[0].size > room:
            break
        size += waiting[0].size
        taken.append(waiting.popleft())
    return size


def _advance(partition: _Partition, records: Sequence[_Record]) -> Advance:
    first, last = records[0], records[-1]
    return Advance(partition.topic, partition.number, first.start, last.offset + 1, last.at)


def _groups(taken: _Taken) -> Iterator[tuple[_Partition, list[_Record]]]:
    for _, pairs in groupby(taken, key=lambda pair: id(pair[0])):
        listed = list(pairs)
        yield listed[0][0], [record for _, record in listed]


def _letter(partition: _Partition, record: _Record, answers: Sequence[Answer]) -> Row | None:
    """The dead letter for a record of which some proposal was refused."""
    errors = [answer for answer in answers if isinstance(answer, GraphsvcError)]
    if not errors:
        return None
    more = f"; and {len(errors) - REASONS_SHOWN} more" if len(errors) > REASONS_SHOWN else ""
    return letter(
        topic=partition.topic,
        partition=partition.number,
        offset=record.offset,
        key=record.key,
        original=record.value or b"",
        error=errors[0],
        reason="; ".join(str(error) for error in errors[:REASONS_SHOWN]) + more,
    )


def _fetch(consumer: Consumer, wait_s: float) -> list[Message]:
    """What is there now; waits a little when there is nothing, while `consume` alone would wait for a full batch."""
    first = consumer.poll(wait_s)
    return [] if first is None else [first, *consumer.consume(POLL_RECORDS - 1, 0)]


def _all_places(consumer: Consumer, topics: Sequence[str]) -> frozenset[Place]:
    """All partitions of the topics; none where Kafka does not know them all."""
    with suppress(KafkaException):
        found = {
            topic: consumer.list_topics(topic, timeout=BROKER_ANSWER_S).topics[topic].partitions for topic in topics
        }
        if all(found.values()):
            return frozenset((topic, number) for topic, numbers in found.items() for number in numbers)
    return frozenset()


def _by_place(messages: Sequence[Message]) -> dict[Place, list[_Record]]:
    found: dict[Place, list[_Record]] = {}
    for message in messages:
        error = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            log.warning("kafka", reason=error.str())
            continue
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None and partition is not None and offset is not None  # noqa: S101, PT018  no error, so all there
        record = _Record(offset, message.timestamp()[1], _bytes(message.key()), _bytes(message.value()))
        found.setdefault((topic, partition), []).append(record)
    return found


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def _from(place: Place, start: int) -> TopicPartition:
    return TopicPartition(*place, OFFSET_BEGINNING if start < 0 else start)


def _wait(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Have the event loop do something for this thread."""
    future: Future[T] = asyncio.run_coroutine_threadsafe(coroutine, loop)
    return future.result()


def check_settings(kafka: KafkaSettings) -> None:
    """
    Return if Kafka's clients take the settings; no broker has to be there.

    Raises:
        ConfigError: It does not.
    """
    consumer_of(kafka, kafka.group, CONSUMER).close()
    Publisher(kafka, None)


class Broker:
    """Asks whether Kafka answers; the answer holds for a moment."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin: AdminClient | None = None
        self._asked_at = -BROKER_ANSWER_S
        self._error: BrokerUnavailable | None = None

    async def check(self) -> None:
        """
        Return if Kafka answers.

        Raises:
            BrokerUnavailable: It does not.
        """
        if time.monotonic() - self._asked_at >= BROKER_ANSWER_S:
            self._error = await asyncio.to_thread(self._ask)
            self._asked_at = time.monotonic()
        if self._error is not None:
            raise self._error

    def _ask(self) -> BrokerUnavailable | None:
        try:
            self._admin = self._admin or admin_of(self._kafka)
            self._admin.list_topics(timeout=3)
        except KafkaException as exc:
            return away(self._kafka, exc)
        return None


def ensure_topics(kafka: KafkaSettings) -> None:
    """
    Create the topics that graphsvc reads and writes, where they are missing.

    Raises:
        BrokerUnavailable: Kafka does not answer, or does not let us create them.
        ConfigError: Kafka does not take our settings.
    """
    wanted = [
        kafka.proposal_topic,
        kafka.event_topic,
        kafka.failed_topic,
        kafka.versioned_log_topic,
        kafka.timeseries_log_topic,
        kafka.platform_event_topic,
    ]
    try:
        admin = admin_of(kafka)
        missing = {topic for topic in wanted if topic} - admin.list_topics(timeout=5).topics.keys()
        new = [NewTopic(name, kafka.partitions, kafka.replication) for name in sorted(missing)]
        for name, done in admin.create_topics(new).items() if new else ():
            try:
                done.result(30)
                log.info("topic created", topic=name, partitions=kafka.partitions)
            except KafkaException as exc:
                if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
    except KafkaException as exc:
        raise away(kafka, exc) from exc
