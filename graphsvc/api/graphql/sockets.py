"""GraphQL over WebSockets, by the protocol graphql-transport-ws: who may come in, and how much."""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from copy import copy
from datetime import timedelta
from typing import Any, cast

from cross_web import HTTPException
from fastapi import Request
from fastapi.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.exceptions import ConnectionRejectionError
from strawberry.fastapi import GraphQLRouter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types.unset import UNSET

from graphsvc.api.graphql.context import Context
from graphsvc.config import SubscriptionSettings
from graphsvc.errors import Unavailable
from graphsvc.http import error_answer

INIT_S = 10.0  # within which a connection has to say connection_init
MAX_ID = 200  # characters of an operation's id


class _Socket(ASGIWebSocketAdapter):
    """Sends text, as the protocol wants it, and takes whatever is no message for one that is none."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:  # noqa: ARG002
        try:
            while True:
                message = await self.ws.receive()
                if message["type"] != "websocket.receive":
                    return
                if (text := message.get("text")) is None:
                    raise NonTextMessageReceived
                try:
                    decoded = self.view.decode_json(text)
                except (ValueError, HTTPException) as exc:
                    raise NonJsonMessageReceived from exc
                yield decoded
        except (WebSocketDisconnect, RuntimeError):  # it was closed while a message was waited for
            return

    async def send_json(self, message: Mapping[str, object]) -> None:
        encoded = self.view.encode_json(message)
        try:
            await self.ws.send_text(encoded if isinstance(encoded, str) else encoded.decode())
        except (WebSocketDisconnect, RuntimeError) as exc:
            raise WebSocketDisconnected from exc

    async def close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError):  # it is closed already
            await super().close(code, reason)


class _Handler(BaseGraphQLTransportWSHandler[Context, None]):
    """Checks the shape of messages, and gives every operation a context of its own."""

    async def handle_message(self, message: Any) -> None:
        """Close with 4400 what is no message of the protocol."""
        if not isinstance(message, dict) or not _is_well_formed(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(cast("Message", message))

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        """Nothing that one operation has read is shown to another one."""
        own = copy(self)
        own.context = copy(self.context)
        own.context.renew()
        try:
            await super(_Handler, own).run_operation(operation)
        except WebSocketDisconnected:
            return


class SocketRouter(GraphQLRouter[Context, None]):
    """
    Strawberry's router, with WebSockets as we want them.

    Args:
        schema: What is asked.
        subscriptions: Limits.
        token: The service's token, if it has one: in the header `Authorization`, or under this name in the payload of
            `connection_init`, since browsers cannot send headers with WebSockets.
        options: As Strawberry's.
    """

    websocket_adapter_class = _Socket
    graphql_transport_ws_handler_class = _Handler

    def __init__(self, schema: Any, subscriptions: SubscriptionSettings, token: str | None, **options: Any) -> None:
        super().__init__(
            schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_S),
            max_subscriptions_per_connection=subscriptions.max_per_connection,
            **options,
        )
        self._token = token
        self._max_connections = subscriptions.max_connections
        self._connections = 0

    async def run(  # type: ignore[override]  # Strawberry's overloads say the same
        self, request: Request | WebSocket, context: Context = UNSET, root_value: None = UNSET
    ) -> Response | WebSocket:
        """Refuse a connection that is one too many by 503."""
        if not isinstance(request, WebSocket):
            return await super().run(request, context, root_value)
        if self._connections >= self._max_connections:
            error = Unavailable(f"{self._connections} WebSockets are open, which is the limit; try again later")
            await request.send_denial_response(error_answer(error))
            return request
        self._connections += 1
        try:
            return await super().run(request, context, root_value)
        except asyncio.CancelledError:  # the server stops
            return request
        finally:
            self._connections -= 1

    async def on_ws_connect(self, context: Context) -> Any:
        """
        Let in who has the token.

        Raises:
            ConnectionRejectionError: It is missing or wrong; the connection is closed with 4403.
        """
        if self._token is not None:
            assert context.request is not None  # noqa: S101  Strawberry has set it
            given = context.connection_params if isinstance(context.connection_params, dict) else {}
            named = [value for name, value in given.items() if str(name).lower() == "authorization"]
            sent = [*context.request.headers.getlist("authorization"), *named]
            wanted = f"Bearer {self._token}".encode()
            if not sent or not all(hmac.compare_digest(str(text).encode(), wanted) for text in sent):
                raise ConnectionRejectionError
        return UNSET


def _is_well_formed(message: Mapping[str, Any]) -> bool:
    """Whether the parts of a message have the types that the protocol gives them."""
    kind, payload, name = message.get("type"), message.get("payload"), message.get("id")
    if not isinstance(kind, str):
        return False
    if kind == "connection_init":
        return payload is None or isinstance(payload, dict)
    if kind in {"subscribe", "complete"} and not (isinstance(name, str) and 0 < len(name) <= MAX_ID):
        return False
    return kind != "subscribe" or (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
