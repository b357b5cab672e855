"""HTTP of GraphQL: one schema at `/graphql` and `/api/graphql`, and GraphiQL from our own files."""

import json
from importlib.resources import files
from typing import Any

import orjson
from cross_web import HTTPException
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from graphsvc.api.graphql.context import Context
from graphsvc.api.graphql.plain import decoded
from graphsvc.api.graphql.schema import build_schema
from graphsvc.api.graphql.sockets import SocketRouter
from graphsvc.config import GraphqlSettings, SubscriptionSettings
from graphsvc.feed import Feed
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry

PATHS = ("/graphql", "/api/graphql")
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
    """Strawberry's router with orjson, our page, and answers of 400 for every malformed body."""

    def decode_json(self, data: str | bytes) -> object:
        """
        Decode a request's body, and check its shape.

        Raises:
            HTTPException: It is not an object, or the operation's name is not text.
        """
        body = orjson.loads(data)
        if not isinstance(body, dict):
            raise HTTPException(400, "The body of a GraphQL request is a JSON object")
        if not isinstance(body.get("operationName"), str | None):
            raise HTTPException(400, "The GraphQL operation's `operationName` must be a string or null, if provided.")
        return body

    def encode_json(self, data: object) -> bytes:
        """Encode an answer; whole numbers beyond 64 bits, which orjson refuses, go by the standard library."""
        try:
            return orjson.dumps(data)
        except TypeError:
            return json.dumps(data, separators=(",", ":"), default=decoded).encode()

    async def render_graphql_ide(self, request: Request) -> HTMLResponse:  # noqa: ARG002  Strawberry's signature
        """GraphiQL."""
        return HTMLResponse(
            (_STATIC / "page.html").read_text(encoding="utf-8"), headers={"Content-Security-Policy": _PAGE_POLICY}
        )


def build_router(  # noqa: PLR0913  what the service was built with
    reader: Reader,
    registry: Registry,
    settings: GraphqlSettings,
    *,
    subscriptions: SubscriptionSettings | None = None,
    feed: Feed | None = None,
    token: str | None = None,
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
    """

    async def context() -> Context:  # a plain function would cost a thread per request
        return Context(reader, registry, settings, feed)

    graphql = _Router(
        build_schema(settings, registry),
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
