"""The time of a request, and the writes that it sees: over HTTP, against a Neo4j that can be looked into."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any, LiteralString
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from neo4j import AsyncDriver
from served import neo4j_settings, served

from graphsvc.api.bounded import BOOKMARK, Bounded, bookmarks_of
from graphsvc.api.graphql.router import build_router
from graphsvc.app import create_app
from graphsvc.config import GraphqlSettings, Settings
from graphsvc.errors import BadRequest
from graphsvc.graph.budget import Budget, Written, spending
from graphsvc.graph.driver import open_driver
from graphsvc.graph.reader import EntityRow, Reader, ReadTimeout
from graphsvc.graph.registry import Registry

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,budget.orders,PROD)"
ASK = '{ entity(urn: "urn:li:tag:a") { urn } }'
MARK = "budget test"
# Work without end, as far as a test is concerned, which Neo4j shows under our mark.
SLOW: LiteralString = (
    "UNWIND range(1, 10000000) AS a UNWIND range(1, 10000000) AS b RETURN sum(a * b % 7) AS `budget test`"
)
SOON_S = 20.0  # less than the 30 s after which another limit than the tested one would end a read


class SlowReader(Reader):
    """A reader of which every look at entities takes until it is ended."""

    async def entities(self, urns: Any) -> dict[str, EntityRow]:
        await self._read(SLOW)
        raise AssertionError("it ended by itself")


async def running(driver: AsyncDriver) -> list[str]:
    """Transactions in Neo4j that do our slow work."""
    found = await driver.execute_query(
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE currentQuery CONTAINS $mark AND currentQuery "
        "STARTS WITH 'UNWIND' RETURN transactionId AS id",
        mark=MARK, database_="system",
    )  # fmt: skip
    return [record["id"] for record in found.records]


async def until_running(driver: AsyncDriver, *, wanted: int) -> None:
    """Return once so many of them run."""
    start = time.monotonic()
    while len(await running(driver)) != wanted:
        assert time.monotonic() - start < SOON_S, f"{await running(driver)} run, not {wanted}"
        await asyncio.sleep(0.02)


def slow_app(driver: AsyncDriver, database: str, registry: Registry, seconds: float, *, bounded: bool) -> FastAPI:
    settings = GraphqlSettings(request_timeout_s=seconds)
    app = FastAPI()
    app.include_router(build_router(SlowReader(driver, database, 30.0, registry), registry, settings))
    if bounded:
        app.add_middleware(Bounded, seconds=seconds, written=Written())
    return app


@pytest.mark.parametrize("bounded", [True, False], ids=["a request's", "a query's that came by another door"])
async def test_time_is_up(driver: AsyncDriver, database: str, registry: Registry, *, bounded: bool) -> None:
    """The caller learns which time it was; Neo4j works on nothing any more."""
    transport = httpx.ASGITransport(slow_app(driver, database, registry, 1.0, bounded=bounded))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        start = time.monotonic()
        answer = await client.post("/graphql", json={"query": ASK})
        (error,) = answer.json()["errors"]
        took = time.monotonic() - start

    assert error["extensions"] == {"code": "TIMEOUT"}
    assert "longer than 1 s" in error["message"]
    assert "graphql.request_timeout_s" in error["message"]
    assert 1.0 <= took < SOON_S
    await until_running(driver, wanted=0)


async def test_the_reads_of_a_request_share_its_time(driver: AsyncDriver, database: str, registry: Registry) -> None:
    """One after the other, they have no more together than one has alone; the last one is not even begun."""
    reader = Reader(driver, database, 30.0, registry)

    with spending(Budget(3.0)):
        start = time.monotonic()
        await reader.ping()
        with pytest.raises(ReadTimeout, match="longer than 3 s"):
            await reader._read(SLOW)
        with pytest.raises(ReadTimeout):
            await reader.ping()
        took = time.monotonic() - start

    assert 2.9 < took < SOON_S


async def test_one_read_has_a_limit_of_its_own(driver: AsyncDriver, database: str, registry: Registry) -> None:
    """Where the request has time left."""
    reader = Reader(driver, database, 1.0, registry)

    with spending(Budget(60.0)):
        with pytest.raises(ReadTimeout, match=r"a read took longer than 1 s \(graphql\.query_timeout_s\)"):
            await reader._read(SLOW)
        await reader.ping()

    await until_running(driver, wanted=0)


async def test_what_a_request_leaves_running_ends_with_it(
    driver: AsyncDriver, database: str, registry: Registry
) -> None:
    """A read that nobody waits for any more is cancelled, and another one does not begin."""
    reader = Reader(driver, database, 30.0, registry)

    with spending(Budget(60.0)):
        left = asyncio.create_task(reader._read(SLOW))
        await until_running(driver, wanted=1)

    with pytest.raises(asyncio.CancelledError):
        await left
    await until_running(driver, wanted=0)


@pytest.mark.parametrize("way", ["graphql", "rest"])
def test_a_client_that_goes_away_ends_its_read(
    neo4j_server: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """By a real socket: as soon as it is closed, Neo4j has nothing to do for it any more."""

    async def slow(self: Reader, urns: Any) -> dict[str, EntityRow]:
        return await SlowReader.entities(self, urns)  # type: ignore[arg-type]

    monkeypatch.setattr(Reader, "entities", slow)

    async def go_away(url: str) -> None:
        async with open_driver(neo4j_server.uri, neo4j_server.user, neo4j_server.password) as driver:
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                asked = (
                    client.post("/graphql", json={"query": ASK})
                    if way == "graphql"
                    else client.get(f"/entities/{quote(ORDERS)}")
                )
                asking = asyncio.create_task(asked)
                await until_running(driver, wanted=1)
                asking.cancel()
            await until_running(driver, wanted=0)

    with served(Settings(neo4j=neo4j_settings(neo4j_server))) as url:
        asyncio.run(go_away(url))


def put(number: int) -> dict[str, Any]:
    value = {"description": f"number {number}"}
    return {"entityUrn": ORDERS, "aspectName": "datasetProperties", "aspect": {"json": value}}


READ = {"query": f'{{ dataset(urn: "{ORDERS}") {{ properties {{ description }} }} }}'}


@pytest.fixture(params=["bolt", "neo4j"])
async def replicas(request: Any, graph: AsyncDriver, neo4j_server: Any) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two replicas of the service over one Neo4j, addressed by itself and by its routing table."""
    uri = request.param + neo4j_server.uri[neo4j_server.uri.index("://") :]
    graphql = GraphqlSettings(request_timeout_s=5.0)
    apps = [create_app(Settings(neo4j=neo4j_settings(neo4j_server, uri), graphql=graphql)) for _ in range(2)]
    async with (
        apps[0].router.lifespan_context(apps[0]),
        apps[1].router.lifespan_context(apps[1]),
        httpx.AsyncClient(transport=httpx.ASGITransport(apps[0]), base_url="http://localhost") as one,
        httpx.AsyncClient(transport=httpx.ASGITransport(apps[1]), base_url="http://localhost") as other,
    ):
        yield [one, other]


async def test_a_client_sees_its_own_writes_through_any_replica(replicas: list[httpx.AsyncClient]) -> None:
    """The answer to a write has a bookmark; a read that brings it along sees the write. Reads have none."""
    for number in range(4):
        written = await replicas[number % 2].post("/ingest", json=put(number))
        bookmark = written.headers[BOOKMARK]
        read = await replicas[1 - number % 2].post("/graphql", json=READ, headers={BOOKMARK: bookmark})

        assert written.status_code == 200
        assert read.json() == {"data": {"dataset": {"properties": {"description": f"number {number}"}}}}
        assert BOOKMARK not in read.headers


async def test_a_read_waits_for_what_its_bookmark_stands_for(replicas: list[httpx.AsyncClient]) -> None:
    """As it would on a member of a cluster that is behind: here the write is yet to come."""
    one, other = replicas
    now = (await one.post("/ingest", json=put(0))).headers[BOOKMARK].split(",")[-1]

    late = asyncio.create_task(other.post("/graphql", json=READ, headers={BOOKMARK: later(now, 1)}))
    await asyncio.sleep(0.3)
    waited = not late.done()
    await one.post("/ingest", json=put(1))
    never = await other.post("/graphql", json=READ, headers={BOOKMARK: later(now, 1_000)})

    assert waited
    assert (await late).json()["data"]["dataset"]["properties"]["description"] == "number 1"
    assert never.json()["errors"][0]["extensions"]["code"] == "TIMEOUT"


async def test_a_process_tells_its_reads_of_its_own_writes(
    replicas: list[httpx.AsyncClient], graph: AsyncDriver, database: str, registry: Registry
) -> None:
    """In a cluster no client has to; a write that no member has yet makes reads wait."""
    now = (await replicas[0].post("/ingest", json=put(0))).headers[BOOKMARK].split(",")[-1]
    written = Written()
    reader = Reader(graph, database, 1.0, registry, written)

    written.add([now])
    await reader.ping()
    written.add([later(now, 1_000)])
    with pytest.raises(ReadTimeout):
        await reader.ping()


@pytest.mark.parametrize("text", ["nonsense", "FB:kcwQ", "FB:" + "A" * 180, "x" * 201, ",".join(map(str, range(65)))])
async def test_what_is_no_bookmark_is_the_callers_mistake(replicas: list[httpx.AsyncClient], text: str) -> None:
    """Never 500, and never 503, which clients retry."""
    rest = await replicas[0].get(f"/entities/{quote(ORDERS)}", headers={BOOKMARK: text})
    graphql = await replicas[0].post("/graphql", json=READ, headers={BOOKMARK: text})

    assert rest.status_code == 400
    if graphql.status_code == 200:
        assert graphql.json()["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    else:
        assert graphql.status_code == 400


def later(bookmark: str, by: int) -> str:
    """The bookmark of a transaction to come: PackStream, in which the last one's number follows 16 bytes of an id."""
    kind, _, text = bookmark.partition(":")
    raw = base64.b64decode(text + "=" * (-len(text) % 4))
    start = raw.index(b"\xcc\x10") + 18
    size = {0xC8: 1, 0xC9: 2, 0xCA: 4, 0xCB: 8}.get(raw[start], 0)
    number = int.from_bytes(raw[start + 1 : start + 1 + size], "big", signed=True) if size else raw[start]
    packed = b"\xca" + (number + by).to_bytes(4, "big", signed=True)
    return f"{kind}:{base64.b64encode(raw[:start] + packed + raw[start + 1 + size :]).decode()}"


def test_a_header_holds_several_bookmarks() -> None:
    """Of several writes, whoever made them."""
    assert bookmarks_of(" a, b ,,a") == {"a", "b"}
    assert bookmarks_of("") == frozenset()
    with pytest.raises(BadRequest):
        bookmarks_of("x" * 201)


def test_the_latest_bookmarks_are_kept() -> None:
    """A handful, so that headers stay short."""
    written = Written()
    for number in range(100):
        written.add([str(number)])

    assert written.bookmarks == tuple(map(str, range(92, 100)))
