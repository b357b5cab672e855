"""What every HTTP request gets: a budget of time, bookmarks in and out, and an end when its client has gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphsvc.errors import BadRequest
from graphsvc.graph.budget import Budget, Written, spending
from graphsvc.http import error_answer

BOOKMARK = "X-Graphsvc-Bookmark"
_BOOKMARK = BOOKMARK.lower().encode()
MAX_BOOKMARKS = 64  # of several writes, by several replicas
PATIENCE_S = 0.05  # until a task of its own watches the client: most requests are over by then
MAX_BOOKMARK = 200  # characters; Neo4j's have some 40


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


class Bounded:
    """
    ASGI middleware: every request has a budget.

    Answers to writes carry the header `X-Graphsvc-Bookmark`. A request that sends it back, to whichever replica, sees
    these writes; several may be joined by commas. A GET whose client goes away is cancelled, with its reads in Neo4j.
    """

    def __init__(self, app: ASGIApp, seconds: float, written: Written) -> None:
        """
        Wrap an application.

        Args:
            app: The application.
            seconds: Time for all reads of a request together.
            written: What this process wrote.
        """
        self._app = app
        self._seconds = seconds
        self._written = written

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400 to a header that holds no bookmarks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            sent = next((value for name, value in scope["headers"] if name == _BOOKMARK), b"")
            budget = Budget(self._seconds, bookmarks_of(sent.decode("latin-1")))
        except BadRequest as error:
            await error_answer(error)(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and budget.wrote:
                MutableHeaders(raw=message["headers"])[BOOKMARK] = ",".join(self._written.bookmarks)
            await send(message)

        with spending(budget):
            if scope["method"] == "GET":
                with suppress(ClientGoneError):
                    await self._get(scope, receive, send_on)
            else:
                await self._app(scope, receive, send_on)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await receive()
        messages = [first]

        async def body() -> Message:
            return messages.pop() if messages else await asyncio.Future()

        if first.get("more_body"):
            await error_answer(BadRequest("a GET has no body"))(scope, receive, send)
            return
        async with until_gone(receive):
            await self._app(scope, body, send)


def bookmarks_of(text: str) -> frozenset[str]:
    """
    Bookmarks, joined by commas, as the header has them.

    Raises:
        BadRequest: There are too many, or one is too long. What they say, Neo4j judges.
    """
    if not text:
        return frozenset()
    found = frozenset(part for item in text.split(",") if (part := item.strip()))
    if len(found) > MAX_BOOKMARKS or any(len(item) > MAX_BOOKMARK for item in found):
        raise BadRequest(
            f"{BOOKMARK} has more than {MAX_BOOKMARKS} bookmarks, or one of over {MAX_BOOKMARK} characters"
        )
    return found


@asynccontextmanager
async def until_gone(receive: Receive) -> AsyncIterator[None]:
    """
    Cancel the block when the client goes away, which is looked for once the block has taken a while.

    Args:
        receive: Of a request whose body was read already.

    Raises:
        ClientGoneError: The client went away.
    """
    scope = asyncio.timeout(None)
    watchers: list[asyncio.Task[None]] = []
    try:
        async with scope:
            later = asyncio.get_running_loop().call_later(
                PATIENCE_S, lambda: watchers.append(asyncio.create_task(_expire(receive, scope)))
            )
            try:
                yield
            finally:
                later.cancel()
                for watcher in watchers:
                    watcher.cancel()
    except TimeoutError as exc:
        if not scope.expired():
            raise
        raise ClientGoneError from exc


async def _expire(receive: Receive, scope: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.reschedule(asyncio.get_running_loop().time())
