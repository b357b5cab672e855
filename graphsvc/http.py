"""What every HTTP door shares: bounded JSON bodies, routes by `?action=`, and one shape for errors."""

import hmac
import zlib
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphsvc.errors import BadRequest, GraphsvcError, TooLarge, Unauthorized, Unavailable, UnsupportedMediaType

# Open without a token: what load balancers ask, and the GraphiQL page, which holds no data until it sends one.
OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
OPEN_PAGES = frozenset({"/graphql", "/api/graphql"})
OPEN_PREFIX = "/static/"
GZIP = frozenset({"gzip", "x-gzip"})
GZIP_WINDOW = 31  # zlib's number for its largest window in gzip's wrapping
UNPACKED_AT_ONCE = 1024 * 1024


def action_route(action: str) -> type[APIRoute]:
    """
    A route class that also asks for `?action=…`: DataHub's rest.li doors share one path and differ in it.

    Starlette goes on to the next route where it does not match, so each action is a function of its own.
    """

    class ActionRoute(APIRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            match, child = super().matches(scope)
            if match is Match.FULL and QueryParams(scope.get("query_string", b"")).get("action") != action:
                return Match.NONE, {}
            return match, child

    return ActionRoute


async def json_body(request: Request) -> Any:
    """
    The request's body, decoded.

    Raises:
        UnsupportedMediaType: It does not call itself JSON. Browsers send JSON to other origins only after asking
            them, so this also keeps web pages from writing to a service on the user's own machine.
        BadRequest: It is not well-formed JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType(f"the body's Content-Type is {kind or 'missing'!r}; send application/json")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"the body is not well-formed JSON: {exc}") from exc


class JSONAnswer(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Bytes of one answer."""
        return orjson.dumps(content)


def error_answer(error: GraphsvcError, **more: Any) -> JSONAnswer:
    """
    An error as DataHub's clients read it: `exceptionClass`, `message`, `status` (WIRE.md 1.1).

    Args:
        error: Its class gives status and name.
        more: Further keys of the body.
    """
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Unavailable) else {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    body = {"exceptionClass": type(error).__name__, "message": str(error), "status": error.status, **more}
    return JSONAnswer(body, status_code=error.status, headers=headers)


def body_too_large(limit: int) -> TooLarge:
    """The error for a request body over the limit."""
    return TooLarge(f"the body has more than {limit} bytes, which is the limit; send fewer proposals at once")


class LengthGuard:
    """
    ASGI middleware: a body that says it is too long is refused before it is read.

    Starlette's own limit, which counts the bytes of those that do not say, answers in plain text here.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        said = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if said.isdecimal() and int(said) > self._limit:
            await error_answer(body_too_large(self._limit))(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class GzipBodies:
    """
    ASGI middleware: a request body in gzip goes on as what it was before it was packed.

    The limit holds for both sizes, and unpacking stops there, so that a small body cannot become a large one. Answers
    to POST say `Accept-Encoding: gzip`, from which clients learn that they may (RFC 9110 12.5.3).
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unpacked; or answer 415 to another encoding than gzip."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])["Accept-Encoding"] = "gzip"
            await send(message)

        encoding = Headers(scope=scope).get("content-encoding", "identity").strip().lower()
        if encoding in GZIP:
            dropped = (b"content-encoding", b"content-length")
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in dropped]}
            receive = _Unpacked(receive, self._limit)
        elif encoding != "identity":
            error = UnsupportedMediaType(f"the body's Content-Encoding is {encoding[:50]!r}; send gzip, or none")
            await error_answer(error)(scope, receive, send_on)
            return
        await self._app(scope, receive, send_on)


class _Unpacked:
    """
    Receives a body in gzip, one member long, piece by piece.

    Raises:
        BadRequest: The body is not in gzip, ends too early, or goes on behind its end.
        TooLarge: It is larger than the limit, packed or unpacked.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._packed = self._unpacked = 0
        self._zlib = zlib.decompressobj(GZIP_WINDOW)
        self._rest = b""
        self._more = True

    async def __call__(self) -> Message:
        if not self._rest and self._more:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._rest, self._more = message.get("body", b""), message.get("more_body", False)
            self._packed += len(self._rest)
        elif not self._rest:
            return await self._receive()
        body = self._unpack()
        self._unpacked += len(body)
        if max(self._packed, self._unpacked) > self._limit:
            raise body_too_large(self._limit)
        more = bool(self._rest) or self._more
        if not more and not self._zlib.eof:
            raise BadRequest("the body is not whole: its gzip ends too early")
        return {"type": "http.request", "body": body, "more_body": more}

    def _unpack(self) -> bytes:
        try:
            body = self._zlib.decompress(self._rest, UNPACKED_AT_ONCE)
        except zlib.error as exc:
            raise BadRequest(f"the body is not in gzip, as its Content-Encoding says: {exc}") from exc
        if self._zlib.unused_data:
            raise BadRequest("the body goes on behind the end of its gzip")
        self._rest = self._zlib.unconsumed_tail
        return body


class TokenGuard:
    """ASGI middleware: nobody comes in without the token, where one is set."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "lifespan" or self._is_open(scope) or self._has_token(scope):
            await self._app(scope, receive, send)
        else:
            error = Unauthorized("send `Authorization: Bearer <token>` with graphsvc's token (GRAPHSVC_HTTP__TOKEN)")
            await error_answer(error)(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        """Compared to the letter, so that no spelling of a path slips through."""
        path = scope["path"]
        if scope.get("raw_path", b"") != path.encode():
            return False
        if scope["type"] == "websocket":  # browsers send no headers with it; what serves it asks for the token inside
            return path in OPEN_PAGES and not Headers(scope=scope).getlist("authorization")
        if scope["method"] != "GET":
            return False
        return path in OPEN_PATHS or path in OPEN_PAGES or (path.startswith(OPEN_PREFIX) and ".." not in path)

    def _has_token(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(sent) == 1 and hmac.compare_digest(sent[0], self._wanted)
