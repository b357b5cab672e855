"""graphsvc as its users run it: a process of its own, reached over HTTP."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Client:
    """
    One connection to the service, in the event loop, as Neo4j's driver has its own.

    A thread per request, and a standard library that sends head and body apart, would take half a millisecond.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer; anything but 200 ends the benchmark."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(answer)
        if not answer.startswith(b"HTTP/1.1 200 ") or length is None:
            raise SystemExit(f"{path}: {answer!r}")
        return await self._reader.readexactly(int(length[1]))


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[Client]:
    """A connection to the service at an address."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@contextmanager
def served(env: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Run `graphsvc serve` against this Neo4j; gives host and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "graphsvc.cli", "serve", "--port", str(port)]
    with _process(command, env, f"http://127.0.0.1:{port}/health"):
        yield "127.0.0.1", port


@contextmanager
def consuming(env: dict[str, str], count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run so many `graphsvc consume`; gives their processes."""
    with ExitStack() as stack:
        processes = []
        for _ in range(count):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            command = [sys.executable, "-m", "graphsvc.cli", "consume"]
            more = {**env, "GRAPHSVC_KAFKA__METRICS_PORT": str(port)}
            processes.append(stack.enter_context(_process(command, more, f"http://127.0.0.1:{port}/health/ready")))
        yield processes


@contextmanager
def _process(command: list[str], env: dict[str, str], url: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env={**os.environ, **env}) as process:
        try:
            _wait(url, process)
            yield process
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("graphsvc serve did not start")
        try:
            with urllib.request.urlopen(url):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError("graphsvc serve did not answer in a minute")
