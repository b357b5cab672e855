"""The client's REST emitters against the real service."""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from neo4j import AsyncDriver
from pydantic import SecretStr
from served import neo4j_settings, served

from graphsvc.client import AsyncRestEmitter, Denied, Proposal, Refused, RestEmitter
from graphsvc.config import HttpSettings, LimitSettings, Settings

ROOT = Path(__file__).parents[2]
TOKEN = "let-me-in"


@pytest.fixture(scope="module")
def url(neo4j_server: Any) -> Iterator[str]:
    with served(Settings(neo4j=neo4j_settings(neo4j_server))) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(neo4j_server: Any) -> Iterator[str]:
    settings = Settings(
        neo4j=neo4j_settings(neo4j_server),
        http=HttpSettings(token=SecretStr(TOKEN)),
        limits=LimitSettings(body_bytes=100_000),
    )
    with served(settings) as running:
        yield running


def tag(number: int, name: str = "name") -> Proposal:
    return Proposal(f"urn:li:tag:client{number}", "tagProperties", {"name": f"{name} {number}"})


BAD = Proposal("urn:li:tag:client-bad", "upstreamLineage", {"upstreams": []})


async def names(graph: AsyncDriver) -> list[str]:
    records, _, _ = await graph.execute_query("MATCH (t:Tag) WHERE t.name IS NOT NULL RETURN t.name AS name")
    return sorted(record["name"] for record in records)


async def test_all_are_in_the_graph_when_flush_returns(url: str, graph: AsyncDriver) -> None:
    """Several batches; a full one goes out by itself, the rest at the flush."""
    with RestEmitter(url) as emitter:
        for number in range(450):
            await asyncio.to_thread(emitter.emit, tag(number))
        before = await names(graph)
        await asyncio.to_thread(emitter.flush)

        assert len(before) == 400
        assert await names(graph) == sorted(f"name {n}" for n in range(450))


async def test_the_block_flushes(url: str, graph: AsyncDriver) -> None:
    async with AsyncRestEmitter(url) as emitter:
        await emitter.emit(tag(1))
        assert await names(graph) == []

    assert await names(graph) == ["name 1"]


async def test_the_block_flushes_when_it_ends_by_an_error(url: str, graph: AsyncDriver) -> None:
    """What was given is sent, and the block's own error is the one that is seen."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  the block is what is tested
        async with AsyncRestEmitter(url) as emitter:
            await emitter.emit(tag(1))
            await emitter.emit(BAD)
            _ = 1 / 0

    assert await names(graph) == ["name 1"]


@pytest.mark.parametrize("kind", ["RestEmitter", "AsyncRestEmitter"])
async def test_the_interpreters_end_flushes(url: str, graph: AsyncDriver, kind: str) -> None:
    """A script that forgets to close loses nothing, and the refused one is logged."""
    wait = "asyncio.run(main())" if kind.startswith("Async") else "main()"
    word = ("async ", "await ") if kind.startswith("Async") else ("", "")
    script = f"""
import asyncio, sys
from graphsvc.client import {kind}, Proposal
emitter = {kind}(sys.argv[1])
{word[0]}def main():
    {word[1]}emitter.emit(Proposal("urn:li:tag:exit", "tagProperties", {{"name": "at exit"}}))
    {word[1]}emitter.emit(Proposal("urn:li:tag:exit", "upstreamLineage", {{"upstreams": []}}))
{wait}
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script, url], capture_output=True, text=True, check=True
    )

    assert await names(graph) == ["at exit"]
    assert "1 not taken: [1] urn:li:tag:exit upstreamLineage: AspectNotAllowed" in done.stderr


async def test_a_refused_proposal_is_named_and_the_others_land(url: str, graph: AsyncDriver) -> None:
    """In each of several batches; the place is that in everything given, not in its batch."""
    proposals = [tag(number) for number in range(449)]
    proposals.insert(3, BAD)
    proposals.insert(320, BAD)

    with pytest.raises(Refused) as caught:
        async with AsyncRestEmitter(url) as emitter:
            await emitter.emit_all(proposals)

    assert [(f.index, f.urn, f.aspect, f.retryable) for f in caught.value.failures] == [
        (index, BAD.urn, BAD.aspect, False) for index in (3, 320)
    ]
    assert all("not allowed on entity type tag" in f.reason for f in caught.value.failures)
    assert caught.value.failures[0].proposal is BAD
    assert len(await names(graph)) == 449


async def test_failures_are_told_once(url: str, graph: AsyncDriver) -> None:
    """After a flush has raised them, the emitter goes on, and counts from 0."""
    async with AsyncRestEmitter(url) as emitter:
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                await emitter.emit_all([tag(1), BAD])
            assert [f.index for f in caught.value.failures] == [1]
        await emitter.flush()

    assert await names(graph) == ["name 1"]


async def test_a_conflict_is_refused_with_its_reason(url: str, graph: AsyncDriver) -> None:
    """All of one kind come as 409 or 412, and are named all the same."""
    async with AsyncRestEmitter(url) as emitter:
        await emitter.emit_all([tag(1)])
        stale = Proposal(tag(1).urn, "tagProperties", {"name": "x"}, headers={"If-Version-Match": "7"})
        with pytest.raises(Refused) as conflict:
            await emitter.emit_all([Proposal(tag(1).urn, "tagProperties", {"name": "other"}, "CREATE")])
        with pytest.raises(Refused) as failed:
            await emitter.emit_all([stale])

    assert conflict.value.failures[0].reason.startswith("Conflict: ")
    assert failed.value.failures[0].reason.startswith("PreconditionFailed: ")
    assert await names(graph) == ["name 1"]


async def test_changes_of_one_entity_keep_their_order(url: str, graph: AsyncDriver) -> None:
    """Over batches, and with many tasks: the last value given is the one that stands."""
    async with AsyncRestEmitter(url) as emitter:
        await asyncio.gather(*(emitter.emit(tag(0, f"v{number}")) for number in range(500)))

    assert await names(graph) == ["v499 0"]


async def numbers(count: int) -> AsyncIterator[Proposal]:
    for number in range(count):
        yield tag(number)


async def test_an_async_iterable_will_do(url: str, graph: AsyncDriver) -> None:
    async with AsyncRestEmitter(url, asynchronous=True) as emitter:
        await emitter.emit_all(numbers(250))

    assert len(await names(graph)) == 250


async def test_a_delete_by_its_change_type(url: str, graph: AsyncDriver) -> None:
    async with AsyncRestEmitter(url) as emitter:
        await emitter.emit_all([tag(1), tag(2)])
        await emitter.emit_all([Proposal(tag(1).urn, "tagKey", change_type="DELETE")])

    assert await names(graph) == ["name 2"]


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_without_the_token_nothing_is_tried_twice(guarded: str, graph: AsyncDriver, token: str | None) -> None:
    """The first batch already says so; the others are not sent."""
    emitter = RestEmitter(guarded, token=token)

    with pytest.raises(Denied) as caught:
        await asyncio.to_thread(emitter.emit_all, [tag(n) for n in range(500)])

    assert len(caught.value.failures) == 200
    assert caught.value.failures[0].reason.startswith("401 ")
    emitter.close()
    assert await names(graph) == []


@pytest.mark.parametrize("compress", [True, None])
async def test_bodies_in_gzip_land(guarded: str, graph: AsyncDriver, compress: bool | None) -> None:
    """The limit of the body holds for what it was before: 200 of these are near 70 kB, under the limit of 100 kB."""
    long = [
        Proposal(f"urn:li:tag:z{n}", "tagProperties", {"name": f"{n:03}", "description": "x" * 150}) for n in range(600)
    ]

    async with AsyncRestEmitter(guarded, token=TOKEN, compress=compress) as emitter:
        await emitter.emit_all(long)

    assert await names(graph) == [f"{n:03}" for n in range(600)]


async def test_a_body_that_unpacks_beyond_the_limit_is_refused(guarded: str, graph: AsyncDriver) -> None:
    big = Proposal("urn:li:tag:big", "tagProperties", {"name": "big", "description": "x" * 150_000})

    with pytest.raises(Refused) as caught:
        async with AsyncRestEmitter(guarded, token=TOKEN, compress=True) as emitter:
            await emitter.emit_all([big])

    assert caught.value.failures[0].reason.startswith("413 the body has more than 100000 bytes")
    assert await names(graph) == []


async def test_every_door_takes_gzip(url: str, graph: AsyncDriver) -> None:
    """GraphQL too; what the request says of its body is that of the unpacked one."""
    body = gzip.compress(b'{"query": "{ __typename }"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        answer = await client.post("/graphql", content=body)
        broken = await client.post("/ingest", content=body[:-4])

    assert answer.json() == {"data": {"__typename": "Query"}}
    assert (broken.status_code, broken.json()["exceptionClass"]) == (400, "BadRequest")


async def test_the_example_runs(url: str, graph: AsyncDriver) -> None:
    """What examples/emit.py sends is all taken, and stands as it says."""
    command = [sys.executable, ROOT / "examples" / "emit.py", "--server", url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)

    query = """
        MATCH (d:Dataset {name: 'orders'})-[:DownstreamOf]->(up), (d)-[:OwnedBy]->(owner)
        RETURN up.urn AS up, owner.name AS owner
    """
    records, _, _ = await graph.execute_query(query)
    assert done.stdout == "5 aspects sent\n"
    assert [(r["up"], r["owner"]) for r in records] == [
        ("urn:li:dataset:(urn:li:dataPlatform:kafka,emit.orders,PROD)", "Sales data")
    ]


async def test_a_closed_emitter_takes_nothing_more(url: str) -> None:
    emitter = AsyncRestEmitter(url)
    await emitter.close()
    await emitter.close()

    with pytest.raises(RuntimeError, match="closed"):
        await emitter.emit(tag(1))
