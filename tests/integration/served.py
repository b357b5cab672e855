"""The service in this process, behind a real socket."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from graphsvc.app import create_app
from graphsvc.cli import SOCKET_MESSAGE_BYTES, bind
from graphsvc.config import Neo4jSettings, Settings


def neo4j_settings(server: Any, uri: str | None = None) -> Neo4jSettings:
    """The settings that lead to the Neo4j of this run, or to another address of it."""
    password = SecretStr(server.password)
    return Neo4jSettings(uri=uri or server.uri, user=server.user, password=password, database=server.database)


@contextmanager
def served(
    settings: Settings, create: Callable[[Settings], FastAPI] = create_app, *, ready: bool = True
) -> Iterator[str]:
    """Base URL of a running service, or consumer, which ends with the block; `ready`: once its Neo4j has answered."""
    config = uvicorn.Config(
        create(settings),
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    listening = bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 90
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    while ready and time.monotonic() < deadline and httpx.get(f"{url}/health/ready").is_error:
        time.sleep(0.05)
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(15)
        listening.close()


def no_fault(response: httpx.Response) -> None:
    """A hook for clients: whatever is sent, it is never our fault."""
    assert response.status_code < 500, f"{response.request.method} {response.request.url}: {response.status_code}"
