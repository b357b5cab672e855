"""What the REST emitters do with a server that is away, busy, or of another make."""

import asyncio
import socket
import time
from typing import Any

import pytest
from recorder import Answer, recording

from graphsvc.client import AsyncRestEmitter, Denied, Proposal, Refused, RestEmitter, Unavailable

ONE = Proposal("urn:li:tag:one", "tagProperties", {"name": "one"})
TWO = Proposal("urn:li:tag:two", "tagProperties", {"name": "two"})
BUSY = Answer(503, {"message": "away"}, {"Retry-After": "0"})


async def emit(kind: str, url: str, proposals: list[Proposal], **settings: Any) -> None:
    if kind == "async":
        async with AsyncRestEmitter(url, **settings) as emitter:
            await emitter.emit_all(proposals)
    else:

        def run() -> None:
            with RestEmitter(url, **settings) as emitter:
                emitter.emit_all(proposals)

        await asyncio.to_thread(run)


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_server_is_asked_again(kind: str, status: int) -> None:
    """With the same batch, until it takes it."""
    with recording(Answer(status, "<html>busy</html>", {"Retry-After": "0"}), BUSY, Answer()) as server:
        await emit(kind, server.url, [ONE, TWO])

    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[1] == server.bodies[2]


@both
@pytest.mark.parametrize("status", [400, 404, 409, 412, 413, 422, 500, 302])
async def test_other_answers_are_final(kind: str, status: int) -> None:
    """DataHub refuses a batch as a whole: all in it are failures, with what it says."""
    answer = Answer(status, {"message": "because", "status": status})
    with recording(answer) as server, pytest.raises(Refused) as caught:
        await emit(kind, server.url, [ONE, TWO])

    assert len(server.bodies) == 1
    assert [(f.index, f.urn, f.reason) for f in caught.value.failures] == [
        (0, ONE.urn, f"{status} because"),
        (1, TWO.urn, f"{status} because"),
    ]


@both
@pytest.mark.parametrize("status", [401, 403])
async def test_a_door_that_is_shut_is_not_knocked_at_twice(kind: str, status: int) -> None:
    with recording(Answer(status, "no")) as server, pytest.raises(Denied):
        await emit(kind, server.url, [ONE] * 500)

    assert len(server.bodies) == 1


async def test_retry_after_is_obeyed() -> None:
    with recording(Answer(429, {}, {"Retry-After": "2"}), Answer()) as server:
        started = time.monotonic()
        await emit("async", server.url, [ONE])

    assert 2.0 <= time.monotonic() - started < 20.0


@both
async def test_patience_ends(kind: str) -> None:
    """The failures of an earlier batch come along, the batch that did not get through is handed back."""
    refused = {"message": "1 refused", "failures": [{"index": 5, "error": "BadValue", "reason": "bad"}]}
    with recording(Answer(422, refused), BUSY) as server, pytest.raises(Unavailable) as caught:
        await emit(kind, server.url, [ONE] * 201, retry_s=0.5)

    assert [(f.index, f.reason, f.retryable) for f in caught.value.failures] == [
        (5, "BadValue: bad", False),
        (200, "503 away", True),
    ]
    assert caught.value.failures[1].proposal is ONE


@both
async def test_a_server_that_comes_up_late_gets_everything(kind: str) -> None:
    """Connections that are refused are tried again, as in a rolling restart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    task = asyncio.create_task(emit(kind, f"http://127.0.0.1:{address[1]}", [ONE]))
    await asyncio.sleep(0.7)
    received = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        received.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, *address):
        await task

    assert len(received) == 1
    assert b"urn:li:tag:one" in received[0]


@both
async def test_a_server_that_never_answers_is_a_typed_error(kind: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unavailable) as caught:
            await emit(kind, url, [ONE], timeout_s=0.2, retry_s=0.1)

    assert caught.value.failures[0].retryable


@both
async def test_failures_that_name_no_place_are_not_trusted(kind: str) -> None:
    """Whatever an answer of another make holds: no proposal is forgotten, and nothing falls over."""
    odd = {"failures": [{"index": 7}, {"index": -1}, {"index": "0"}, "text", None]}
    with recording(Answer(422, odd)) as server, pytest.raises(Refused) as caught:
        await emit(kind, server.url, [ONE, TWO])

    assert [f.index for f in caught.value.failures] == [0, 1]


async def test_passing_failures_within_a_batch_are_marked() -> None:
    answer = {"failures": [{"index": 1, "error": "StoreRefused", "reason": "deadlock"}]}
    with recording(Answer(422, answer)) as server, pytest.raises(Unavailable) as caught:
        await emit("async", server.url, [ONE, TWO])

    assert [(f.index, f.retryable) for f in caught.value.failures] == [(1, True)]


@both
async def test_gzip_waits_until_the_server_says_so(kind: str) -> None:
    """graphsvc says it with every answer; DataHub never does, and gets plain bodies."""
    many = [Proposal(f"urn:li:tag:{n}", "tagProperties", {"name": "x" * 50}) for n in range(600)]
    with recording(Answer(headers={"Accept-Encoding": "gzip"})) as ours, recording() as other:
        await emit(kind, ours.url, many)
        await emit(kind, other.url, many)
        await emit(kind, other.url, many, compress=True)

    encodings = [[h.get("content-encoding") for _, h, _ in r.requests] for r in (ours, other)]
    assert encodings == [[None, "gzip", "gzip"], [None] * 3 + ["gzip"] * 3]
    assert ours.bodies == other.bodies[:3] == other.bodies[3:]


async def test_a_path_in_the_address_is_kept() -> None:
    """DataHub's frontend passes `/api/gms` on to its service."""
    with recording() as server:
        await emit("sync", f"{server.url}/api/gms/", [ONE], token="t", asynchronous=True)

    ((path, headers, body),) = server.requests
    assert path == "/api/gms/aspects?action=ingestProposalBatch"
    assert headers["authorization"] == "Bearer t"
    assert body["async"] == "true"


async def test_a_cancelled_emit_keeps_its_batch() -> None:
    """The task ends at once; the next flush sends what it was about to send."""
    with recording(Answer(503, {}, {"Retry-After": "30"}), Answer()) as server:
        emitter = AsyncRestEmitter(server.url)
        task = asyncio.create_task(emitter.emit_all([ONE]))
        while not server.bodies:  # noqa: ASYNC110  it is filled by a thread
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await emitter.close()

    assert [p["entityUrn"] for p in server.bodies[-1]["proposals"]] == [ONE.urn]


def test_an_address_without_a_scheme_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="http://"):
        RestEmitter("localhost:8080")
