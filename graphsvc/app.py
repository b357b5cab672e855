"""Composition root of HTTP: opens the driver, builds the services, mounts the routers, turns errors into answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from neo4j import AsyncDriver
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from graphsvc.api import health, lineage_rest, search_rest
from graphsvc.api import rest as reading
from graphsvc.api.bounded import Bounded
from graphsvc.api.graphql.door import Door
from graphsvc.api.graphql.router import build_direct
from graphsvc.api.graphql.router import build_router as build_graphql
from graphsvc.config import Neo4jSettings, Settings
from graphsvc.errors import (
    BadRequest,
    BrokerUnavailable,
    ConfigError,
    GraphsvcError,
    NotFound,
    StoreUnavailable,
    TooLarge,
    Unavailable,
)
from graphsvc.feed import Feed
from graphsvc.graph.budget import Written
from graphsvc.graph.driver import open_driver
from graphsvc.graph.migrate import migrate
from graphsvc.graph.reader import Reader
from graphsvc.graph.referrers import Referrers
from graphsvc.graph.registry import load_registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.graph.traces import Traces
from graphsvc.http import GzipBodies, LengthGuard, TokenGuard, error_answer
from graphsvc.ingest import rest as writing
from graphsvc.ingest import schema_registry, trace
from graphsvc.ingest.kafka import check_settings
from graphsvc.ingest.references import References
from graphsvc.ingest.service import IngestService
from graphsvc.jobs import Journaling, Streams

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
BOLT_SCHEMES = frozenset(f"{scheme}{tls}" for scheme in ("bolt", "neo4j") for tls in ("", "+s", "+ssc"))
# A start waits for Neo4j so long and then goes on without it; it tries again so often.
START_WAIT_S = 5.0
MIGRATE_AGAIN_S = 2.0

log = structlog.get_logger()


class Guarded(FastAPI):
    """
    FastAPI behind layers that see every request before its own do.

    What they answer by themselves, most of what GraphQL is asked, is spared those: the time of a small request's plan.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._first: ASGIApp = super().__call__

    def stand_before(self, layer: Callable[..., ASGIApp], **options: Any) -> None:
        """Put ASGI middleware before everything that is there so far."""
        self._first = layer(self._first, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request, or the lifespan, to the first layer."""
        await self._first(scope, receive, send)


def create_app(settings: Settings, *, consume: bool = False) -> Guarded:
    """
    The HTTP service.

    Args:
        settings: All of them; nothing is read from the environment here.
        consume: Run the consumer job beside it, in the same process.

    Raises:
        ConfigError: It would listen to other machines without a token, or the model file cannot be used.
    """
    if not settings.http.is_loopback and not settings.http.token:
        raise ConfigError(
            f"to listen on {settings.http.host}, which other machines reach, set a token: GRAPHSVC_HTTP__TOKEN"
        )
    parts = Parts(settings)
    reader, registry = parts.reader, parts.registry
    direct = build_direct(reader, registry, settings.graphql, parts.feed)

    async def ready() -> dict[str, str]:
        await parts.check()
        return {"neo4j": "ok", **await _kafka_state(parts.streams)}

    app = Guarded(
        title="graphsvc",
        version=version("graphsvc"),
        description="A metadata graph service: DataHub's wire in, Neo4j as the one store, GraphQL out.",
        lifespan=lambda _: parts.running(consume=consume),
    )
    app.include_router(  # first, as routes are tried in their order
        build_graphql(
            reader,
            registry,
            settings.graphql,
            subscriptions=settings.subscriptions,
            feed=parts.feed,
            token=settings.http.token.get_secret_value() if settings.http.token else None,
            direct=direct,
        )
    )
    app.include_router(health.build_router(ready))
    app.include_router(health.build_config_router())
    app.include_router(reading.build_router(reader, registry))
    app.include_router(search_rest.build_router(reader, registry))
    app.include_router(lineage_rest.build_router(reader, registry, settings.graphql))
    queue = parts.streams.queue if parts.streams else None
    schemas = GraphSchemas(parts.driver, settings.neo4j.database)
    traces = Traces(parts.driver, settings.neo4j.database)
    references = References(parts.service, Referrers(parts.driver, settings.neo4j.database), registry)
    for router in (
        writing.build_router(parts.service, registry, queue, references),
        trace.build_router(traces, registry, parts.streams.progress if parts.streams else None),
        schema_registry.build_router(schemas),
    ):
        app.include_router(router, dependencies=[Depends(parts.schema.check)])
    app.add_api_route("/", _home, include_in_schema=False)
    _limit_bodies(app, settings)
    app.stand_before(Door, direct=direct, limit=min(settings.graphql.max_body_bytes, settings.limits.body_bytes))
    app.stand_before(Bounded, seconds=settings.graphql.request_timeout_s, written=parts.written)
    _guard(app, settings)
    _answer_errors(app, settings)
    return app


def create_consumer(settings: Settings) -> FastAPI:
    """
    The consumer job, with `/metrics` and `/health` of its own.

    Raises:
        ConfigError: No Kafka is configured, or the model file cannot be used.
    """
    if not settings.kafka.bootstrap:
        raise ConfigError("no Kafka to consume from: set KAFKA_BOOTSTRAP to host:port of a broker")
    parts = Parts(settings)

    async def ready() -> dict[str, str]:
        await parts.check()
        assert parts.streams is not None  # noqa: S101  Kafka is configured
        await parts.streams.broker.check()
        return {"neo4j": "ok", "kafka": "ok"}

    app = FastAPI(
        title="graphsvc consume",
        version=version("graphsvc"),
        lifespan=lambda _: parts.running(consume=True),
        openapi_url=None,
    )
    app.include_router(health.build_router(ready))
    _answer_errors(app, settings)
    return app


class Parts:
    """What the service and a consumer have in common, from their settings."""

    def __init__(self, settings: Settings) -> None:
        kafka = settings.kafka
        self.registry = load_registry(settings.model.file)
        if kafka.bootstrap:
            check_settings(kafka)
        self.driver = open_neo4j(settings.neo4j)
        self.written = Written()
        self.reader = Reader(
            self.driver,
            settings.neo4j.database,
            settings.graphql.query_timeout_s,
            self.registry,
            # One server knows its own writes; a cluster's readers have to be told of them.
            self.written if settings.neo4j.uri.startswith("neo4j") else None,
        )
        self.service = IngestService(
            self.driver,
            self.registry,
            settings.neo4j,
            settings.ingest,
            settings.limits,
            change_log=(bool(kafka.bootstrap) and kafka.change_log) or settings.change_feed == "journal",
            written=self.written,
        )
        self.schema = Schema(self.driver, settings.neo4j.database)
        self.streams = Streams(settings, self.driver, self.registry, self.service) if kafka.bootstrap else None
        self.journaling = Journaling(settings, self.driver) if settings.change_feed == "journal" else None
        self.feed = self._feed(settings)

    async def check(self) -> None:
        """
        Return if Neo4j can be used.

        Raises:
            StoreUnavailable: It does not answer, or its schema is not up to date.
        """
        await self.schema.check()
        await self.reader.ping()

    @asynccontextmanager
    async def running(self, *, consume: bool) -> AsyncIterator[None]:
        """Open everything; with Kafka, relay the change log, and consume if wanted."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.driver)
            later = asyncio.create_task(self.schema.keep_trying())
            stack.push_async_callback(_cancelled, later)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.schema.tried.wait(), START_WAIT_S)
            if self.streams is not None:
                await stack.enter_async_context(self.streams.running(self.schema.ready, consume=consume))
            if self.journaling is not None:
                await stack.enter_async_context(self.journaling.running(self.schema.ready))
            yield

    def _feed(self, settings: Settings) -> Feed | None:
        if settings.change_feed == "kafka" and self.streams is not None:
            return Feed(self.streams.source)
        return Feed(self.journaling.source) if self.journaling is not None else None


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _kafka_state(streams: Streams | None) -> dict[str, str]:
    """What `/health` says of Kafka, without which everything but asynchronous writes goes on."""
    if streams is None:
        return {}
    try:
        await streams.broker.check()
    except BrokerUnavailable as error:
        return {"kafka": str(error)}
    return {"kafka": "ok"}


class Schema:
    """The graph's constraints and indexes: up to date as soon as Neo4j answers; before that, nothing is written."""

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database
        self._missing: str | None = "Neo4j has not answered yet"
        self.tried = asyncio.Event()
        self._done = asyncio.Event()

    async def check(self) -> None:
        """
        Return if the schema is up to date.

        Raises:
            StoreUnavailable: It is not yet; the message says why.
        """
        if self._missing is not None:
            raise StoreUnavailable(self._missing)

    async def ready(self) -> None:
        """Wait until the schema is up to date."""
        await self._done.wait()

    async def keep_trying(self) -> None:
        """Return when a try has succeeded; `tried` is set after the first one."""
        while self._missing is not None:
            if self.tried.is_set():
                await asyncio.sleep(MIGRATE_AGAIN_S)
            await self._migrate()
            self.tried.set()

    async def _migrate(self) -> None:
        try:
            done = await migrate(self._driver, self._database)
        except GraphsvcError as error:
            self._missing = str(error)
            log.warning("schema not migrated; trying again", reason=str(error))
        else:
            self._missing = None
            self._done.set()
            for name in done:
                log.info("schema migrated", migration=name)


def open_neo4j(neo4j: Neo4jSettings) -> AsyncDriver:
    """
    The driver that the settings ask for.

    Raises:
        ConfigError: The address is not one of Bolt; the driver would take http:// too, as a preview.
    """
    if neo4j.uri.partition("://")[0] not in BOLT_SCHEMES:
        raise ConfigError(f"NEO4J_URI {neo4j.uri!r}: an address starts with bolt:// or neo4j://, with +s for TLS")
    return open_driver(
        neo4j.uri,
        neo4j.user,
        neo4j.password.get_secret_value(),
        connect_timeout_s=neo4j.connect_timeout_s,
        pool_size=neo4j.pool_size,
    )


async def _home() -> Response:
    return RedirectResponse("/graphql")


def _limit_bodies(app: FastAPI, settings: Settings) -> None:
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.limits.body_bytes)
    app.add_middleware(GzipBodies, limit=settings.limits.body_bytes)
    app.add_middleware(LengthGuard, limit=settings.limits.body_bytes)


def _guard(app: Guarded, settings: Settings) -> None:
    """Who may come in: callers that name this host, with the token if one is set."""
    if settings.http.token:
        app.stand_before(TokenGuard, token=settings.http.token.get_secret_value())
    own = (*LOOPBACK_NAMES, settings.http.host) if settings.http.is_loopback else ("*",)
    names = settings.http.allowed_hosts or own
    app.stand_before(TrustedHostMiddleware, allowed_hosts=list(names), www_redirect=False)


def _answer_errors(app: FastAPI, settings: Settings) -> None:
    """The only place where an error becomes an answer."""

    @app.exception_handler(GraphsvcError)
    async def _ours(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, GraphsvcError)  # noqa: S101  registered for it
        if isinstance(exc, Unavailable):
            log.error(type(exc).__name__, path=request.url.path, reason=str(exc))
        return error_answer(exc)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)  # noqa: S101  registered for it
        places = (f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in exc.errors())
        return error_answer(BadRequest("; ".join(places)))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)  # noqa: S101  registered for it
        if exc.status_code == TooLarge.status:
            limit = settings.limits.body_bytes
            return error_answer(
                TooLarge(f"the body has more than {limit} bytes, which is the limit. Send less at once")
            )
        if exc.status_code == NotFound.status:
            return error_answer(NotFound(f"{request.method} {request.url.path} is not served here; see /docs"))
        error = BadRequest(f"{request.method} {request.url.path}: {exc.detail}")
        answer = error_answer(error, status=exc.status_code)
        answer.status_code = exc.status_code
        answer.headers.update(exc.headers or {})
        return answer
