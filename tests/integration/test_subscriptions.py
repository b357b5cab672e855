"""Subscriptions over a real socket, fed by Kafka and by the journal: every change once, wherever a client goes on."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from consuming import Topics
from neo4j import AsyncDriver
from served import neo4j_settings, served
from subscribing import ENTITY, FIELDS, Events, Refused, connected, dataset, lineage, put, put_all, subscribed

from graphsvc import feed as feeds
from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings, Settings, SubscriptionSettings
from graphsvc.graph.registry import Registry
from graphsvc.ingest.service import IngestService


@pytest.fixture(params=["journal", "kafka"])
def settings(request: pytest.FixtureRequest, graph: AsyncDriver, neo4j_server: Any) -> Iterator[Settings]:
    """A service with subscriptions, and an empty graph."""
    base = Settings(neo4j=neo4j_settings(neo4j_server), subscriptions=SubscriptionSettings(enabled=True))
    if request.param == "journal":
        yield base
        return
    with Topics.fresh(request.getfixturevalue("kafka_bootstrap")) as topics:
        yield base.model_copy(update={"kafka": topics.settings})


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with served(settings) as base:
        yield base


@pytest.fixture
def writer(graph: AsyncDriver, database: str, registry: Registry) -> IngestService:
    """Writes without a service in between, as another replica would."""
    neo4j = Neo4jSettings(database=database)
    return IngestService(graph, registry, neo4j, IngestSettings(), LimitSettings(), change_log=True)


async def cursor_now(url: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/graphql", json={"query": "{ changesCursor }"}, timeout=30)
    return str(answer.json()["data"]["changesCursor"])


async def test_a_change_comes_with_what_it_changed(url: str, writer: IngestService) -> None:
    """Creation, change and deletion of an aspect, with values and the entity behind it; not what is not asked for."""
    urn = dataset("a")
    query = """subscription($urns: [String!]!, $aspects: [String!], $after: String) {
      events: entityChanges(urns: $urns, aspects: $aspects, after: $after) {
        cursor id urn entityType aspect changeType version at actor timeseries value previousValue
        entity { urn name ... on Dataset { properties { description } } }
    } }"""

    names = ["datasetProperties", "datasetProfile"]
    async with subscribed(url, query, urns=[urn], aspects=names, after=await cursor_now(url)) as events:
        await put(writer, dataset("b"), "datasetProperties", {"description": "another"})
        await put(writer, urn, "datasetProperties", {"name": "A", "description": "one"})
        await put(writer, urn, "status", {"removed": False})
        first = await events.get()
        await put(writer, urn, "datasetProperties", {"name": "A", "description": "two"})
        second = await events.get()
        await put(writer, urn, "datasetProfile", {"timestampMillis": 7, "rowCount": 3})
        third = await events.get()
        await put(writer, urn, "datasetProperties", None, "DELETE")
        last = await events.get()

    assert first["urn"] == urn
    assert (first["entityType"], first["aspect"], first["changeType"]) == ("dataset", "datasetProperties", "UPSERT")
    assert (first["version"], first["actor"], first["timeseries"]) == (1, "urn:li:corpuser:ada", False)
    assert (first["value"], first["previousValue"]) == ({"name": "A", "description": "one"}, None)
    assert (second["version"], second["previousValue"]) == (2, first["value"])
    assert second["entity"] == {"urn": urn, "name": "A", "properties": {"description": "two"}}
    assert (third["timeseries"], third["value"]["rowCount"]) == (True, 3)
    assert (last["changeType"], last["value"], last["previousValue"]) == ("DELETE", None, second["value"])
    assert last["entity"]["properties"] is None
    assert first["at"] <= second["at"] <= last["at"]


async def test_nothing_is_missed_or_repeated_over_random_cuts(
    settings: Settings, url: str, writer: IngestService
) -> None:
    """Writers at once, two replicas, and a client that is cut off anywhere and goes on at either."""
    rng = random.Random(5)
    urns = [dataset(f"t{number}") for number in range(12)]
    rounds = 25

    async def write(mine: list[str]) -> None:
        for version in range(rounds):
            await put_all(writer, [(urn, "datasetProperties", {"description": str(version)}) for urn in mine])
            await asyncio.sleep(rng.random() / 20)

    seen: list[tuple[str, str, int]] = []
    ids: list[str] = []
    cuts = 0
    with ExitStack() as stack:
        replicas = [url, stack.enter_context(served(settings))]
        cursor = await cursor_now(url)
        writers = [asyncio.create_task(write(urns[start::4])) for start in range(4)]
        while len(seen) < len(urns) * (rounds + 1):
            async with subscribed(rng.choice(replicas), ENTITY, urns=urns, after=cursor) as events:
                for _ in range(rng.randrange(0, 60)):
                    if len(seen) == len(urns) * (rounds + 1):
                        break
                    event = await events.get()
                    cursor = event["cursor"]
                    ids.append(event["id"])
                    seen.append((event["urn"], event["aspect"], event["version"]))
                cuts += 1
                events.socket.transport.abort()
        await asyncio.gather(*writers)
        async with subscribed(replicas[1], ENTITY, urns=urns, after=cursor) as events:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(events.get(), 1.0)

    assert cuts > 5
    assert len(set(ids)) == len(ids)
    expected = {(urn, "datasetProperties", version) for urn in urns for version in range(1, rounds + 1)}
    assert set(seen) == expected | {(urn, "datasetKey", 1) for urn in urns}
    assert len(seen) == len(set(seen))
    for urn in urns:
        versions = [version for name, aspect, version in seen if name == urn and aspect == "datasetProperties"]
        assert versions == sorted(versions)


async def test_a_search_filter_is_followed(url: str, writer: IngestService) -> None:
    """Only changes of what matches right after them, by filters, by type and by text."""
    query = f"""subscription($types: [EntityType!], $query: String!, $orFilters: [AndFilterInput!], $after: String) {{
      events: searchChanges(types: $types, query: $query, orFilters: $orFilters, after: $after) {{ {FIELDS} }} }}"""
    tagged = [{"and": [{"field": "tags", "values": ["urn:li:tag:PII"]}]}]
    tags = {"tags": [{"tag": "urn:li:tag:PII"}]}
    orders, other, after = dataset("orders"), dataset("other"), await cursor_now(url)

    async with (
        subscribed(url, query, types=["DATASET"], query="*", orFilters=tagged, after=after) as by_tag,
        subscribed(url, query, query="invoices", after=after) as by_text,
    ):
        await put(writer, dataset("never"), "datasetProperties", {"description": "plain"})
        await put(writer, "urn:li:chart:(looker,c)", "globalTags", tags)
        await put(writer, orders, "globalTags", tags)
        found = await by_tag.take(2)
        await put(writer, orders, "datasetProperties", {"description": "about invoices"})
        found += await by_tag.take(1)
        by_words = await by_text.get()
        await put(writer, orders, "globalTags", {"tags": []})
        await put(writer, orders, "status", {"removed": False})
        await put(writer, other, "globalTags", tags)
        found += await by_tag.take(2)

    assert [(event["urn"], event["aspect"]) for event in found] == [
        (orders, "datasetKey"),
        (orders, "globalTags"),
        (orders, "datasetProperties"),
        (other, "datasetKey"),
        (other, "globalTags"),
    ]
    assert by_words["urn"] == orders


async def test_what_is_downstream_is_followed(url: str, writer: IngestService) -> None:
    """Over several hops, within the bound, with what joins and what leaves."""
    query = f"""subscription($urn: String!, $hops: Int, $after: String) {{
      events: downstreamChanges(urn: $urn, maxHops: $hops, after: $after) {{ {FIELDS} }} }}"""
    a, b, c, d, e, other = map(dataset, ("a", "b", "c", "d", "e", "other"))
    start = await cursor_now(url)
    for urn, upstream in ((b, a), (c, b)):
        await put(writer, urn, "upstreamLineage", lineage(upstream))
    for urn in (a, d, e, other):
        await put(writer, urn, "status", {"removed": False})
    async with subscribed(
        url, ENTITY, urns=[a, b, c, d, e, other], aspects=["upstreamLineage", "status"], after=start
    ) as events:
        after = (await events.take(6))[-1]["cursor"]  # partitions are read in no order: the last of all, not of one

    async with (
        subscribed(url, query, urn=a, after=after) as events,
        subscribed(url, query, urn=a, hops=1, after=after) as near,
    ):

        async def shown(urn: str, aspect: str, value: Any) -> None:
            await put(writer, urn, aspect, value)
            event = await events.get()
            assert (event["urn"], event["aspect"]) == (urn, aspect)

        await put(writer, a, "datasetProperties", {"description": "the root itself"})
        await put(writer, other, "datasetProperties", {"description": "not downstream"})
        await shown(c, "datasetProperties", {"description": "two hops"})
        await shown(d, "upstreamLineage", lineage(c))
        await shown(d, "datasetProperties", {"description": "three hops"})
        await shown(b, "datasetProperties", {"description": "one hop"})
        await shown(d, "upstreamLineage", lineage(e))
        await put(writer, d, "datasetProperties", {"description": "no longer"})
        await shown(b, "status", {"removed": True})
        nearest = [(event["urn"], event["aspect"]) for event in await near.take(2)]

    assert nearest == [(b, "datasetProperties"), (b, "status")]


async def test_a_client_that_does_not_read_is_ended_and_can_go_on(
    url: str, writer: IngestService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is bounded; the error says so, and its last cursor leads to all the rest."""
    monkeypatch.setattr(feeds, "MAX_WAITING", 20)
    urn, text = dataset("big"), "x" * 400_000
    query = """subscription($urns: [String!]!, $after: String) {
      events: entityChanges(urns: $urns, aspects: ["datasetProperties"], after: $after) { cursor id version value } }"""
    cursor = await cursor_now(url)
    versions: list[int] = []

    async with connected(url, max_queue=1) as socket:
        events = Events(socket)
        await events.ask(query, {"urns": [urn], "after": cursor})
        for number in range(80):
            await put(writer, urn, "datasetProperties", {"description": f"{number}{text}"})
        await asyncio.sleep(2)
        with pytest.raises(Refused) as refused:  # noqa: PT012  how many come before the error is open
            while True:
                event = await events.get()
                cursor = event["cursor"]
                versions.append(event["version"])
    async with subscribed(url, query, urns=[urn], after=cursor) as events:
        while not versions or versions[-1] < 80:
            versions.append((await events.get())["version"])

    assert refused.value.code == "TOO_SLOW"
    assert versions == list(range(1, 81))


@pytest.mark.parametrize("cursor", ["", "x", "eyJ2OTkiOiAxfQ", "W10", "eyJ2MCI6IC0xfQ", "eyJhIjogMX0"])
async def test_a_cursor_of_somewhere_else_is_refused(url: str, cursor: str) -> None:
    """Whatever it says: broken, of other parts, of a place that is not there yet."""
    async with subscribed(url, ENTITY, urns=[dataset("a")], after=cursor) as events:
        with pytest.raises(Refused) as refused:
            await events.get()

    assert refused.value.code == "BAD_INPUT"


async def test_many_subscribers_get_the_same(url: str, writer: IngestService) -> None:
    """One reading of the log serves them all; who leaves changes nothing for the others."""
    urn, after = dataset("shared"), await cursor_now(url)
    async with connected(url) as socket:
        names = [str(number) for number in range(8)]
        for name in names:
            await Events(socket, name).ask(ENTITY, {"urns": [urn], "aspects": ["status"], "after": after})
        async with subscribed(url, ENTITY, urns=[urn], aspects=["status"], after=after) as other:
            await put(writer, urn, "status", {"removed": False})
            await other.get()
        got = [await Events(socket).get() for _ in names]
        await put(writer, urn, "status", {"removed": True})
        got += [await Events(socket).get() for _ in names]

    assert len({event["id"] for event in got}) == 2
    assert len(got) == 16
