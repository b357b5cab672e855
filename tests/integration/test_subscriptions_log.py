"""The logs behind subscriptions: what they keep, in which order, and what they never show twice."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from consuming import Topics, running, until
from neo4j import AsyncDriver
from subscribing import dataset, put

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings, SubscriptionSettings
from graphsvc.errors import CursorGone
from graphsvc.feed import Change, Feed, Position
from graphsvc.graph.journal import Journal
from graphsvc.graph.outbox import Outbox, Waiting, in_order
from graphsvc.graph.records import chunks
from graphsvc.graph.registry import Registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.changelog import Relay
from graphsvc.ingest.journal import JournalSource, Keeper
from graphsvc.ingest.log_reader import KafkaSource
from graphsvc.ingest.publisher import Publisher
from graphsvc.ingest.service import IngestService


@pytest.fixture
def journal(graph: AsyncDriver, database: str) -> Journal:
    return Journal(graph, database)


@pytest.fixture
def writer(graph: AsyncDriver, database: str, registry: Registry) -> IngestService:
    neo4j = Neo4jSettings(database=database)
    return IngestService(graph, registry, neo4j, IngestSettings(), LimitSettings(), change_log=True)


async def describe(writer: IngestService, name: str, *texts: str) -> None:
    for text in texts:
        await put(writer, dataset(name), "datasetProperties", {"description": text})


async def number_all(journal: Journal) -> None:
    while await journal.number():
        pass


def keeper(journal: Journal, driver: AsyncDriver, database: str, **settings: Any) -> Keeper:
    return Keeper(journal, Outbox(driver, database), SubscriptionSettings(**settings))


async def take(source: Any, after: Position, count: int) -> tuple[list[Change], Position]:
    """So many changes from a position on, through a feed of its own."""
    found: list[Change] = []
    async with asyncio.timeout(30), aclosing(Feed(source).changes(after, lambda _: True)) as batches:
        async for batch in batches:
            for change, behind in batch.steps():
                found.append(change)
                if len(found) == count:
                    return found, dict(behind)
    raise AssertionError


def chunk(name: str, order: int) -> dict[str, Any]:
    record = {
        "id": f"{order:x}-{name}", "order": order, "bytes": 0, "kind": "versioned", "urn": dataset(name), "version": 1,
        "entityType": "dataset", "aspect": "status", "changeType": "UPSERT", "at": 1, "actor": "urn:li:corpuser:a",
    }  # fmt: skip
    return chunks([record], "changes")[0]


async def test_what_commits_late_comes_late(graph: AsyncDriver, database: str, journal: Journal) -> None:
    """An older record that can be seen only now gets the next number: who has gone by sees it all the same."""
    async with graph.session(database=database) as slow, await slow.begin_transaction() as tx:
        await tx.run("CREATE (o:Outbox) SET o = $row", row=chunk("late", 1))
        await graph.execute_query("CREATE (o:Outbox) SET o = $row", row=chunk("early", 2), database_=database)
        start = await JournalSource(journal).end()
        await number_all(journal)
        first, after = await take(JournalSource(journal), start, 1)
        await tx.commit()
    await number_all(journal)
    second, _ = await take(JournalSource(journal), after, 1)

    assert [change.urn for change in (*first, *second)] == [dataset("early"), dataset("late")]


async def test_several_keepers_give_each_number_once(
    graph: AsyncDriver, database: str, journal: Journal, writer: IngestService
) -> None:
    """Even if all of them work at the same time, without a lease."""

    async def write(name: str) -> None:
        await describe(writer, name, *map(str, range(20)))

    async def number() -> None:
        while not all(task.done() for task in writers) or await journal.number():
            await journal.number()

    start = await JournalSource(journal).end()
    writers = [asyncio.create_task(write(name)) for name in "abcde"]
    await asyncio.gather(*writers, *(number() for _ in range(3)))
    await number_all(journal)
    changes, _ = await take(JournalSource(journal), start, 105)

    assert [change.number for change in changes] == list(range(105))
    assert len({change.id for change in changes}) == 105
    for name in "abcde":
        versions = [c.version for c in changes if c.urn == dataset(name) and c.aspect == "datasetProperties"]
        assert versions == list(range(1, 21))
    assert (await journal.state()).last == 105
    assert await Outbox(graph, database).depth() == 0


async def test_one_keeper_works_and_another_takes_over(
    graph: AsyncDriver, database: str, journal: Journal, writer: IngestService
) -> None:
    """The changes come while one of them runs."""
    start = await JournalSource(journal).end()
    async with running(keeper(journal, graph, database)):
        await describe(writer, "a", "1", "2")
        _, after = await take(JournalSource(journal), start, 3)
    async with running(keeper(journal, graph, database), keeper(journal, graph, database)):
        await describe(writer, "a", "3")
        changes, _ = await take(JournalSource(journal), after, 1)

    assert [change.version for change in changes] == [3]


async def test_the_journal_keeps_no_more_than_it_may(
    graph: AsyncDriver, database: str, journal: Journal, writer: IngestService
) -> None:
    """By number and by age; a cursor to what has gone is told so, one that is still good goes on."""
    source = JournalSource(journal)
    start = await source.end()
    await describe(writer, "a", *map(str, range(10)))
    await number_all(journal)

    await journal.trim(keep=4, before=0)
    state = await journal.state()
    with pytest.raises(CursorGone, match="not kept"):
        await take(source, start, 1)
    changes, _ = await take(source, {state.journal: 7}, 4)
    assert [change.version for change in changes] == [7, 8, 9, 10]
    assert (state.last, state.trimmed) == (11, 7)

    await journal.trim(keep=100, before=int(time.time() * 1000) + 1000)
    assert (await journal.state()).trimmed == 11
    count = await graph.execute_query("MATCH (c:Change) RETURN count(c) AS n", database_=database)
    assert count.records[0]["n"] == 0
    assert await source.end() == {state.journal: 11}


def test_a_second_look_puts_things_right() -> None:
    """What the first look missed goes before the last that it saw; what comes behind it waits for its turn."""

    def waiting(*orders: int) -> list[Waiting]:
        return [Waiting(f"{order:x}-a", order, 1, 2) for order in orders]

    assert in_order(waiting(20, 30), waiting(5, 6, 20, 30, 40)) == waiting(5, 6, 20, 30)


@pytest.fixture
def topics(kafka_bootstrap: str) -> Any:
    with Topics.fresh(kafka_bootstrap) as fresh:
        yield fresh


class Dying(Relay):
    """Publishes what waits, and dies before it takes it out."""

    async def publish_and_die(self) -> None:
        async with Publisher(self._kafka, None) as publisher:
            waiting = await self._outbox.head(1_000, 2**20)
            await self._publish(publisher, [record for chunk in waiting for record in chunk.records])


async def test_what_the_relay_repeats_is_shown_once(
    graph: AsyncDriver, database: str, registry: Registry, writer: IngestService, topics: Topics
) -> None:
    """Within one reading, and for one that goes on in the middle of the repeats."""

    def codec() -> Codec:
        return Codec(GraphSchemas(graph, database), registry)

    def source() -> KafkaSource:
        return KafkaSource(topics.settings, codec())

    outbox = Outbox(graph, database)
    start = await source().end()
    for name in "abcdef":
        await describe(writer, name, "1", "2")
    for _ in range(2):
        await Dying(outbox, codec(), topics.settings).publish_and_die()
    middle, after_some = await take(source(), start, 7)
    async with running(Relay(outbox, codec(), topics.settings)):
        await until(lambda: _empty(outbox))
    await describe(writer, "last", "1")
    async with running(Relay(outbox, codec(), topics.settings)):
        await until(lambda: _empty(outbox))

    rest, _ = await take(source(), after_some, 20 - 7)
    everything, _ = await take(source(), start, 20)

    ids = [change.id for change in (*middle, *rest)]
    assert len(ids) == len(set(ids)) == 20
    assert {change.id for change in everything} == set(ids)
    raw = [headers for headers, _ in topics.raw(topics.settings.versioned_log_topic)]
    assert len(raw) == 3 * 18 + 2


async def _empty(outbox: Outbox) -> bool:
    return await outbox.depth() == 0


async def test_records_that_kafka_has_deleted_are_gone(
    graph: AsyncDriver, database: str, registry: Registry, writer: IngestService, topics: Topics
) -> None:
    """A cursor to them is told so, instead of being moved on."""
    codec = Codec(GraphSchemas(graph, database), registry)
    source = KafkaSource(topics.settings, codec)
    start = await source.end()
    await describe(writer, "a", "1", "2")
    async with running(Relay(Outbox(graph, database), codec, topics.settings)):
        changes, after = await take(source, start, 3)
        await until(lambda: _empty(Outbox(graph, database)))
    topic, number = topics.settings.versioned_log_topic, int(changes[0].part[1:])

    admin = AdminClient({"bootstrap.servers": topics.settings.bootstrap})
    for done in admin.delete_records([TopicPartition(topic, number, 2)]).values():
        done.result(30)

    with pytest.raises(CursorGone, match="not keep"):
        await take(source, start, 1)
    await describe(writer, "a", "3")
    async with running(Relay(Outbox(graph, database), codec, topics.settings)):
        fresh, _ = await take(source, after, 1)
    assert [change.version for change in fresh] == [3]
