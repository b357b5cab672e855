"""Subscribers of the protocol graphql-transport-ws, and changes for them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from graphsvc.graph.operations import Row
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import decode_proposal

WAIT_S = 60.0
PROTOCOL = Subprotocol("graphql-transport-ws")
FIELDS = "cursor id urn aspect version"
ENTITY = f"""subscription($urns: [String!]!, $aspects: [String!], $after: String) {{
  events: entityChanges(urns: $urns, aspects: $aspects, after: $after) {{ {FIELDS} }}
}}"""


class Refused(Exception):
    """The service has ended an operation by errors."""

    @property
    def code(self) -> str:
        return str(self.args[0][0]["extensions"]["code"])


class Events:
    """One operation of one connection."""

    def __init__(self, socket: ClientConnection, name: str = "1") -> None:
        self.socket = socket
        self._name = name

    async def ask(self, query: str, variables: dict[str, Any]) -> None:
        payload = {"query": query, "variables": variables}
        await self.socket.send(json.dumps({"id": self._name, "type": "subscribe", "payload": payload}))

    async def get(self) -> Row:
        """The next event; Refused where there is an error in its place."""
        while True:
            message = orjson.loads(await asyncio.wait_for(self.socket.recv(), WAIT_S))
            if message["type"] == "error":
                raise Refused(message["payload"])
            if message["type"] == "next":
                if message["payload"].get("errors"):
                    raise Refused(message["payload"]["errors"])
                event: Row = message["payload"]["data"]["events"]
                return event
            assert message["type"] == "pong", message

    async def take(self, count: int) -> list[Row]:
        return [await self.get() for _ in range(count)]


def address(url: str) -> str:
    return f"ws{url.removeprefix('http')}/graphql"


@asynccontextmanager
async def connected(url: str, payload: Any = None, **options: Any) -> AsyncIterator[ClientConnection]:
    """A connection that was let in."""
    async with connect(address(url), subprotocols=[PROTOCOL], **{"max_size": None, **options}) as socket:
        await socket.send(json.dumps({"type": "connection_init", **({} if payload is None else {"payload": payload})}))
        assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
        yield socket


@asynccontextmanager
async def subscribed(url: str, document: str, /, **variables: Any) -> AsyncIterator[Events]:
    async with connected(url) as socket:
        events = Events(socket)
        await events.ask(document, variables)
        yield events


async def put(service: IngestService, urn: str, aspect: str, value: Any, change: str = "UPSERT") -> None:
    await put_all(service, [(urn, aspect, value)], change)


async def put_all(service: IngestService, changes: Iterable[tuple[str, str, Any]], change: str = "UPSERT") -> None:
    proposals = [
        decode_proposal(
            {
                "entityUrn": urn,
                "aspectName": aspect,
                "changeType": change,
                **({} if value is None else {"aspect": {"json": value}}),
            }
        )
        for urn, aspect, value in changes
    ]
    answers = await service.ingest(proposals, "urn:li:corpuser:ada")
    assert all(isinstance(answer, Applied) for answer in answers), answers


def dataset(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def lineage(*upstreams: str) -> Any:
    return {"upstreams": [{"dataset": urn, "type": "TRANSFORMED"} for urn in upstreams]}
