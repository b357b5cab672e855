"""
The short way in: a GraphQL request of one operation is answered without the work of HTTP's router.

That takes as long as to execute an operation of medium size: routes are tried, dependencies resolved, headers read.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http import GraphQLRequestData, process_result

from graphsvc.api.bounded import ClientGoneError, until_gone
from graphsvc.api.graphql.answers import CLIENT_GONE, encoded
from graphsvc.api.graphql.direct import Direct

PATHS = ("/graphql", "/api/graphql")
# What an operation may consist of, and what each part may be.
PARTS = {"query": str | None, "variables": dict | None, "operationName": str | None, "extensions": dict | None}
_JSON = b"application/json"


class Door:
    """
    ASGI middleware: answers one operation that comes as JSON, and passes on the rest, malformed and gzipped ones too.

    What is passed on has been read, and is read again by who comes next. It stands before those that measure and unpack
    bodies, as it reads none that is longer than its limit, or that says so.
    """

    def __init__(self, app: ASGIApp, direct: Direct, limit: int) -> None:
        """Wrap an application that serves the same schema, and bounds bodies itself; the limit is in bytes."""
        self._app = app
        self._direct = direct
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in PATHS or not self._takes(scope):
            await self._app(scope, receive, send)
            return
        read = _Read(receive)
        body = await read.body(self._limit)
        operation = None if body is None else _operation(body)
        if operation is None:
            await self._app(scope, read.again, send)
            return
        try:
            async with until_gone(receive):
                answer = await self._answer(operation)
        except ClientGoneError:
            await _send(send, CLIENT_GONE, b"")
            return
        if answer is None:
            await self._app(scope, read.again, send)
        else:
            await _send(send, 200, answer)

    def _takes(self, scope: Scope) -> bool:
        """Whether the body is JSON as it is, and says that it is short enough."""
        kinds = 0
        for name, value in scope["headers"]:
            if name == b"content-type":
                kinds += 1
                if value.partition(b";")[0].strip().lower() != _JSON:
                    return False
            elif name == b"content-length":
                if not value.isdigit() or int(value) > self._limit:
                    return False
            elif name == b"content-encoding":
                return False
        return kinds == 1

    async def _answer(self, operation: Mapping[str, Any]) -> bytes | None:
        asked = GraphQLRequestData(
            operation.get("query"),
            operation.get("variables"),
            operation.get("operationName"),
            operation.get("extensions"),
        )
        result = await self._direct.answer(asked)
        return None if result is None else encoded(process_result(result))


class _Read:
    """Reads a request's body, and gives it again, with the error that reading it ended in."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._error: Exception | None = None

    async def body(self, limit: int) -> bytes | None:
        """The body; None if it is longer than the limit, cannot be read, or its sender went away."""
        parts: list[bytes] = []
        more = True
        while more:
            try:
                message = await self._receive()
            except Exception as exc:  # noqa: BLE001  whoever is next tells it
                self._error = exc
                return None
            self._messages.append(message)
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
            if sum(map(len, parts)) > limit:
                return None
        return b"".join(parts)

    async def again(self) -> Message:
        """The next message: those that were read, then those that still come."""
        if self._messages:
            return self._messages.pop(0)
        if self._error is not None:
            raise self._error
        return await self._receive()


def _operation(body: bytes) -> Mapping[str, Any] | None:
    """The one operation of a request; None where there are several, or it is malformed."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    return found if wrong_part(found) is None else None


def wrong_part(operation: Mapping[str, Any]) -> str | None:
    """The first part of an operation that is of a wrong type, if there is one."""
    return next((part for part, kind in PARTS.items() if not isinstance(operation.get(part), kind)), None)


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", _JSON), (b"accept-encoding", b"gzip")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
