"""Emitters over REST: `POST /aspects?action=ingestProposalBatch`, as DataHub's clients send it."""

import asyncio
import atexit
import gzip
import random
import threading
from collections.abc import Sequence
from contextlib import aclosing, closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
import stamina

from graphsvc.client.batches import Buffer, Waiting
from graphsvc.client.emitter import AsyncEmitter, Emitter, at_the_end
from graphsvc.client.errors import Denied, EmitError, Failure, Unavailable, error_of
from graphsvc.client.proposal import Proposal

PATH = "/aspects?action=ingestProposalBatch"
BUSY = frozenset({429, 502, 503, 504})
DENIED = frozenset({401, 403})
# Errors of graphsvc for single proposals that another try may cure.
PASSING = frozenset({"StoreUnavailable", "StoreRefused"})
GZIP_FROM_BYTES = 2_048
LONGEST_PAUSE_S = 60.0
REASON_CHARS = 500


class RestEmitter(Emitter):
    """
    Sends proposals over REST, in batches and in the order given. May be shared by threads.

    `emit` queues; a batch goes out when it is full (200 proposals or 15 MiB), at `flush`, at the end of the `with`
    block, and at the latest when the interpreter ends. A server that is away, or busy (429, 502, 503, 504), is tried
    again with growing, random pauses, or when its `Retry-After` says; no other answer is. A batch may so be
    applied twice, which changes nothing, except that `If-Version-Match` can then refuse it.

    Raises:
        ValueError: The address does not begin with http:// or https://.
    """

    def __init__(  # noqa: PLR0913  settings of one thing, all but the first with a default
        self,
        server: str,
        *,
        token: str | None = None,
        asynchronous: bool = False,
        compress: bool | None = None,
        timeout_s: float = 30.0,
        retry_s: float = 60.0,
    ) -> None:
        """
        Note the settings; nothing is sent yet.

        Args:
            server: Base address, e.g. `http://127.0.0.1:8080`; a path (`…/api/gms`) is kept.
            token: Sent as `Authorization: Bearer …`.
            asynchronous: Ask the server to queue the proposals (`"async": "true"`) instead of applying them before it
                answers.
            compress: Send bodies in gzip; None does so as soon as an answer says that the server takes it
                (`Accept-Encoding`, RFC 9110 12.5.3). graphsvc does; DataHub's server does not unpack bodies.
            timeout_s: Limit of connecting, and of each wait for the server, in seconds.
            retry_s: For how long a batch is tried again, in seconds.
        """
        self._wire = _Wire(
            server, token, asynchronous=asynchronous, compress=compress, timeout_s=timeout_s, retry_s=retry_s
        )
        self._client: httpx.Client | None = httpx.Client(**self._wire.client)
        self._buffer = Buffer()
        self._lock = threading.RLock()
        atexit.register(self._at_exit)

    def emit(self, proposal: Proposal) -> None:
        """
        Queue one proposal, and send a batch if it is full.

        Refused proposals are reported by `flush`, so that they do not stop the others.

        Raises:
            Denied: The server wants a token, or another one.
            Unavailable: A batch could not be delivered within `retry_s`; `failures` names its proposals, which are no
                longer queued.
            RuntimeError: The emitter is closed.
        """
        with self._lock:
            client = self._open()
            self._buffer.add(proposal)
            while self._buffer.is_full:
                _send(client, self._wire, self._buffer)

    def flush(self) -> None:
        """
        Send what is queued; all proposals given so far have been answered when this returns.

        Raises:
            Refused: Some were refused since the last flush; all others were taken. DataHub refuses a batch as a whole.
            Denied: As `emit`.
            Unavailable: As `emit`.
        """
        with self._lock:
            _drain(self._open(), self._wire, self._buffer)

    def close(self) -> None:
        """
        Flush, and end the connections. May be called twice.

        Raises:
            EmitError: As `flush`.
        """
        with self._lock:
            atexit.unregister(self._at_exit)
            client, self._client = self._client, None
            if client is not None:
                with closing(client):
                    _drain(client, self._wire, self._buffer)

    def _open(self) -> httpx.Client:
        if self._client is None:
            raise RuntimeError("the emitter is closed")
        return self._client


class AsyncRestEmitter(AsyncEmitter):
    """
    The same as `RestEmitter` for asyncio, within one event loop; tasks may share it.

    What is still queued when the interpreter ends is sent then, without the loop.
    """

    def __init__(  # noqa: PLR0913  settings of one thing, all but the first with a default
        self,
        server: str,
        *,
        token: str | None = None,
        asynchronous: bool = False,
        compress: bool | None = None,
        timeout_s: float = 30.0,
        retry_s: float = 60.0,
    ) -> None:
        """Note the settings, which are those of `RestEmitter`; nothing is sent yet."""
        self._wire = _Wire(
            server, token, asynchronous=asynchronous, compress=compress, timeout_s=timeout_s, retry_s=retry_s
        )
        self._client: httpx.AsyncClient | None = httpx.AsyncClient(**self._wire.client)
        self._buffer = Buffer()
        self._lock = asyncio.Lock()
        atexit.register(self._at_exit)

    async def emit(self, proposal: Proposal) -> None:
        """
        Queue one proposal, and send a batch if it is full.

        Cancelling it leaves the batch queued.

        Raises:
            EmitError: As `RestEmitter.emit` does.
            RuntimeError: The emitter is closed.
        """
        async with self._lock:
            client = self._open()
            self._buffer.add(proposal)
            while self._buffer.is_full:
                await _send_async(client, self._wire, self._buffer)

    async def flush(self) -> None:
        """
        Send what is queued; all proposals given so far have been answered when this returns.

        Raises:
            EmitError: As `RestEmitter.flush` does.
        """
        async with self._lock:
            await _drain_async(self._open(), self._wire, self._buffer)

    async def close(self) -> None:
        """
        Flush, and end the connections. May be called twice.

        Raises:
            EmitError: As `flush`.
        """
        async with self._lock:
            if self._client is None:
                return
            client, self._client = self._client, None
            async with aclosing(client):
                await _drain_async(client, self._wire, self._buffer)
            atexit.unregister(self._at_exit)

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            raise RuntimeError("the emitter is closed")
        return self._client

    def _at_exit(self) -> None:
        try:
            with httpx.Client(**self._wire.client) as client:
                _drain(client, self._wire, self._buffer)
        except EmitError as error:
            at_the_end(error)


class _Busy(Exception):
    """The server wants us to come again."""

    def __init__(self, reason: str, after_s: float | None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class _Wire:
    """How a batch becomes a request, and an answer the fate of a batch; no I/O."""

    def __init__(  # noqa: PLR0913  the settings of both emitters
        self,
        server: str,
        token: str | None,
        *,
        asynchronous: bool,
        compress: bool | None,
        timeout_s: float,
        retry_s: float,
    ) -> None:
        if not server.startswith(("http://", "https://")):
            raise ValueError(f"the server's address begins with http:// or https://, unlike {server!r}")
        # X-RestLi-Protocol-Version as DataHub's own clients send it (WIRE.md 1.1).
        headers = {"Content-Type": "application/json", "X-RestLi-Protocol-Version": "2.0.0"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.client: dict[str, Any] = {"base_url": server, "headers": headers, "timeout": timeout_s}
        self._end = b'],"async":"true"}' if asynchronous else b'],"async":"false"}'
        self._compress = compress
        self.retry: dict[str, Any] = {
            "on": _pause,
            "attempts": None,
            "timeout": retry_s,
            "wait_initial": 0.2,
            "wait_max": 10.0,
        }

    def request(self, batch: Sequence[Waiting]) -> dict[str, Any]:
        """Body and further headers, as httpx names them."""
        body = b'{"proposals":[' + b",".join(item.body for item in batch) + self._end
        if not self._compress or len(body) < GZIP_FROM_BYTES:
            return {"content": body}
        return {"content": gzip.compress(body, compresslevel=1), "headers": {"Content-Encoding": "gzip"}}

    def failures(self, batch: Sequence[Waiting], answer: httpx.Response) -> list[Failure]:
        """
        The proposals of a batch that were refused.

        Raises:
            _Busy: Try again.
            Denied: 401 or 403.
        """
        if self._compress is None and "gzip" in answer.headers.get("accept-encoding", ""):
            self._compress = True
        if answer.is_success:
            return []
        body = _json(answer)
        reason = f"{answer.status_code} {body.get('message') or answer.text}"[:REASON_CHARS]
        if answer.status_code in BUSY:
            raise _Busy(reason, retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC)))
        if answer.status_code in DENIED:
            raise Denied([item.failed(reason, retryable=False) for item in batch])
        named = [f for f in body.get("failures") or () if isinstance(f, dict) and f.get("index") in range(len(batch))]
        if not named:
            return [item.failed(reason, retryable=False) for item in batch]
        return [
            batch[f["index"]].failed(f"{f.get('error')}: {f.get('reason')}", retryable=f.get("error") in PASSING)
            for f in named
        ]


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """
    Seconds that a `Retry-After` header asks to wait (RFC 9110 10.2.3), 60 at most.

    Args:
        text: Seconds, or a date.
        now: The time, with its zone.

    Returns:
        None where there is no header, or one that says neither.
    """
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text), LONGEST_PAUSE_S)
    try:
        return min(max((parsedate_to_datetime(text) - now).total_seconds(), 0.0), LONGEST_PAUSE_S)
    except (TypeError, ValueError):
        return None


def _pause(exc: Exception) -> bool | float:
    if isinstance(exc, _Busy) and exc.after_s is not None:
        return exc.after_s + random.uniform(0.0, 1.0)  # noqa: S311  spreads callers, guards nothing
    return isinstance(exc, _Busy | httpx.RequestError)


def _settle(buffer: Buffer, batch: Sequence[Waiting], error: Exception) -> EmitError:
    """The error for a batch that did not get through; the batch leaves the buffer, and earlier failures come along."""
    buffer.drop(batch)
    earlier = buffer.take_failures()
    if isinstance(error, EmitError):
        return type(error)([*earlier, *error.failures])
    reason = str(error) or type(error).__name__
    return Unavailable([*earlier, *(item.failed(reason, retryable=True) for item in batch)])


def _send(client: httpx.Client, wire: _Wire, buffer: Buffer) -> None:
    batch = buffer.batch()
    failures: list[Failure] = []
    try:
        for attempt in stamina.retry_context(**wire.retry):
            with attempt:
                failures = wire.failures(batch, client.post(PATH, **wire.request(batch)))
    except (_Busy, httpx.RequestError, Denied) as exc:
        raise _settle(buffer, batch, exc) from exc
    buffer.drop(batch)
    buffer.fail(failures)


async def _send_async(client: httpx.AsyncClient, wire: _Wire, buffer: Buffer) -> None:
    batch = buffer.batch()
    failures: list[Failure] = []
    try:
        async for attempt in stamina.retry_context(**wire.retry):
            with attempt:
                failures = wire.failures(batch, await client.post(PATH, **wire.request(batch)))
    except (_Busy, httpx.RequestError, Denied) as exc:
        raise _settle(buffer, batch, exc) from exc
    buffer.drop(batch)
    buffer.fail(failures)


def _drain(client: httpx.Client, wire: _Wire, buffer: Buffer) -> None:
    while buffer.batch():
        _send(client, wire, buffer)
    _report(buffer)


async def _drain_async(client: httpx.AsyncClient, wire: _Wire, buffer: Buffer) -> None:
    while buffer.batch():
        await _send_async(client, wire, buffer)
    _report(buffer)


def _report(buffer: Buffer) -> None:
    buffer.restart()
    if failures := buffer.take_failures():
        raise error_of(failures)
