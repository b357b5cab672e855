"""HTTP of GraphQL: one schema at `/graphql` and `/api/graphql`, and GraphiQL from our own files."""

from importlib.resources import files
from typing import Any

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from strawberry.types import ExecutionResult
from strawberry.types.unset import UNSET

from graphsvc.api.bounded import ClientGoneError, until_gone
from graphsvc.api.graphql.answers import CLIENT_GONE, encoded
from graphsvc.api.graphql.context import Context
from graphsvc.api.graphql.direct import Direct
from graphsvc.api.graphql.door import PARTS, PATHS, wrong_part
from graphsvc.api.graphql.limits import Documents
from graphsvc.api.graphql.schema import build_schema
from graphsvc.api.graphql.sockets import SocketRouter
from graphsvc.config import GraphqlSettings, SubscriptionSettings
from graphsvc.errors import TooLarge
from graphsvc.feed import Feed
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry

STATIC_PATH = "/static/graphiql"
_STATIC = files("graphsvc.api.graphql") / "static"
_MEDIA_TYPES = {
    "graphiql.min.css": "text/css",
    "graphiql.min.js": "text/javascript",
    "page.js": "text/javascript",
    "react.production.min.js": "text/javascript",
    "react-dom.production.min.js": "text/javascript",
}
# The page runs its own scripts only. GraphiQL's editor sets style attributes.
_PAGE_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:"


class _Router(SocketRouter):
    """Strawberry's router with orjson, our page, our limits, and answers of 400 for every malformed body."""

    def __init__(self, settings: GraphqlSettings, direct: Direct, *parts: Any, **options: Any) -> None:
        """Keep the limits and the short way; the rest is the sockets'."""
        super().__init__(direct.schema, *parts, **options)
        self._settings = settings
        self._direct = direct

    def decode_json(self, data: str | bytes) -> object:
        """
        Decode a request's body, and check its shape.

        Raises:
            HTTPException: It is neither an object nor a list of some, there are too many, or a part has the wrong type.
        """
        body = orjson.loads(data)
        operations = body if isinstance(body, list) else [body]
        if not operations or not all(isinstance(operation, dict) for operation in operations):
            raise HTTPException(400, "The body of a GraphQL request is a JSON object, or a list of some")
        limit = self._settings.max_batch
        if len(operations) > limit:
            raise HTTPException(TooLarge.status, f"A GraphQL request has at most {limit} operations")
        for operation in operations:
            if (wrong := wrong_part(operation)) is not None:
                name = "a string" if PARTS[wrong] == str | None else "an object"
                raise HTTPException(400, f"The GraphQL operation's `{wrong}` must be {name} or null, if provided.")
        return body

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> Any:
        """
        Read a request within the limits.

        Raises:
            HTTPException: It is malformed, or too long.
        """
        limit = self._settings.max_body_bytes
        if request.method == "POST" and len(await request.get_body()) > limit:
            raise HTTPException(TooLarge.status, f"A GraphQL request has at most {limit} bytes")
        return await super().parse_http_body(request)

    async def execute_operation(  # noqa: PLR0913, PLR0917  Strawberry's signature
        self,
        request: Request,
        request_adapter: Any,
        request_data: Any,
        context: Any,
        root_value: Any,
        sub_response: Any,
    ) -> Any:
        """Run the operations while the client is there; those of a batch only if they do not cost too much together."""
        if isinstance(request_data, list):
            error = self._direct.documents.together(self.schema._schema, request_data)  # type: ignore[attr-defined]  # noqa: SLF001
            if error is not None:
                return [ExecutionResult(data=None, errors=[error]) for _ in request_data]
        async with until_gone(request.receive):
            return await super().execute_operation(
                request, request_adapter, request_data, context, root_value, sub_response
            )

    async def execute_single(  # noqa: PLR0913, PLR0917  Strawberry's signature
        self,
        request: Request,
        request_adapter: Any,
        sub_response: Any,
        context: Any,
        root_value: Any,
        request_data: Any,
    ) -> ExecutionResult:
        """
        Run an operation as the short way in does.

        Raises:
            HTTPException: It came by GET, or there is none.
        """
        if request_adapter.method != "POST":
            raise HTTPException(400, "GraphQL operations are sent by POST, subscriptions over a WebSocket")
        return await self._direct.run(request_data, context) or await super().execute_single(
            request, request_adapter, sub_response, context, root_value, request_data
        )

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = UNSET) -> Any:
        """Answer, in GraphQL's form also where the request is refused as a whole."""
        try:
            return await super().run(request, context, root_value)
        except ClientGoneError:
            return Response(status_code=CLIENT_GONE)
        except HTTPException as error:
            code = "LIMIT_EXCEEDED" if error.status_code == TooLarge.status else "BAD_INPUT"
            content = self.encode_json({"errors": [{"message": error.reason, "extensions": {"code": code}}]})
            return Response(content, error.status_code, media_type="application/json")

    def encode_json(self, data: object) -> bytes:
        """Encode an answer."""
        return encoded(data)

    async def render_graphql_ide(self, request: Request) -> HTMLResponse:  # noqa: ARG002  Strawberry's signature
        """GraphiQL."""
        return HTMLResponse(
            (_STATIC / "page.html").read_text(encoding="utf-8"), headers={"Content-Security-Policy": _PAGE_POLICY}
        )


def build_direct(reader: Reader, registry: Registry, settings: GraphqlSettings, feed: Feed | None = None) -> Direct:
    """The schema of a model, and the short way to its answers; the arguments are those of `build_router`."""
    documents = Documents(settings)
    schema = build_schema(settings, registry, documents)
    return Direct(schema, documents, settings, lambda: Context(reader, registry, settings, feed))


def build_router(  # noqa: PLR0913  what the service was built with
    reader: Reader,
    registry: Registry,
    settings: GraphqlSettings,
    *,
    subscriptions: SubscriptionSettings | None = None,
    feed: Feed | None = None,
    token: str | None = None,
    direct: Direct | None = None,
) -> APIRouter:
    """
    The reading API.

    Args:
        reader: Where everything is read; its timeout bounds each query.
        registry: The model.
        settings: Limits, and whether GraphiQL and introspection are on.
        subscriptions: Limits of WebSockets; the default ones if none are given.
        feed: The changes to subscribe to; None where there are none.
        token: What WebSockets have to send; all else has been checked before.
        direct: What `build_direct` made of the same, where it is shared.
    """
    shared = direct or build_direct(reader, registry, settings, feed)

    async def context() -> Context:  # a plain function would cost a thread per request
        return shared.context()

    graphql = _Router(
        settings,
        shared,
        subscriptions or SubscriptionSettings(),
        token,
        graphql_ide="graphiql" if settings.graphiql else None,
        allow_queries_via_get=False,
        multipart_uploads_enabled=False,
        context_getter=context,
    )
    router = APIRouter()
    for path in PATHS:
        router.include_router(graphql, prefix=path, tags=["GraphQL"])
    if settings.graphiql:
        router.add_api_route(STATIC_PATH + "/{name}", _asset, include_in_schema=False)
    return router


async def _asset(name: str) -> Response:
    """A file of the page; the names are fixed, so no path leads elsewhere."""
    media_type = _MEDIA_TYPES.get(name)
    if media_type is None:
        return Response(status_code=404)
    content: Any = (_STATIC / name).read_bytes()
    return Response(content, media_type=media_type, headers={"Cache-Control": "public, max-age=86400"})
