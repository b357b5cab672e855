"""What runs beside the doors: with Kafka, the relay of the change log and the consumer; without it, the journal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from neo4j import AsyncDriver

from graphsvc.config import Settings
from graphsvc.errors import ConfigError
from graphsvc.graph.journal import Journal
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.registry import Registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.changelog import Relay
from graphsvc.ingest.external_schemas import ExternalSchemas
from graphsvc.ingest.journal import JournalSource, Keeper
from graphsvc.ingest.kafka import Broker, ConsumerJob
from graphsvc.ingest.log_reader import KafkaSource
from graphsvc.ingest.publisher import Publisher
from graphsvc.ingest.queue import Queue
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.trace import Progress

AGAIN_S = 2.0
QUEUE_TIMEOUT_S = 30.0  # a client's own limit for one request

log = structlog.get_logger()


class Streams:
    """
    Everything that has to do with Kafka, for one process.

    Args:
        settings: With `kafka.bootstrap`.
        driver: Open driver; not closed here.
        registry: The model.
        service: Applies what is consumed.
    """

    def __init__(self, settings: Settings, driver: AsyncDriver, registry: Registry, service: IngestService) -> None:
        kafka = settings.kafka
        self._kafka = kafka
        self._service = service
        self._outbox = Outbox(driver, settings.neo4j.database)
        own = GraphSchemas(driver, settings.neo4j.database)
        self._external = ExternalSchemas(kafka) if kafka.registry_url else None
        self._codec = Codec(self._external or own, registry)
        self._publisher = Publisher(kafka, QUEUE_TIMEOUT_S)
        self.queue = Queue(service, self._publisher, self._codec, kafka)
        self.broker = Broker(kafka)
        self.progress = Progress(kafka, self._outbox)
        self.source = KafkaSource(kafka, self._codec)

    @asynccontextmanager
    async def running(self, ready: Callable[[], Awaitable[None]], *, consume: bool) -> AsyncIterator[None]:
        """
        Relay, and consume if wanted, while the context is open.

        Args:
            ready: Returns when the graph's schema is up to date; nothing starts before.
            consume: Whether to consume too.
        """
        relay = Relay(self._outbox, self._codec, self._kafka)
        jobs = [relay.run]
        if consume:
            jobs.append(lambda: ConsumerJob(self._service, self._codec, self._outbox, self._kafka).run())
        async with AsyncExitStack() as stack:
            if self._external is not None:
                stack.push_async_callback(self._external.close)
            await stack.enter_async_context(self._publisher)
            await stack.enter_async_context(_running(jobs, ready))
            yield


class Journaling:
    """
    What subscriptions need without Kafka, for one process.

    Args:
        settings: All of them.
        driver: Open driver; not closed here.
    """

    def __init__(self, settings: Settings, driver: AsyncDriver) -> None:
        journal = Journal(driver, settings.neo4j.database)
        self._keeper = Keeper(journal, Outbox(driver, settings.neo4j.database), settings.subscriptions)
        self.source = JournalSource(journal)

    @asynccontextmanager
    async def running(self, ready: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Keep the journal while the context is open, from when `ready` has returned."""
        async with _running([self._keeper.run], ready):
            yield


@asynccontextmanager
async def _running(
    jobs: Sequence[Callable[[], Awaitable[None]]], ready: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_keep_running(job, ready)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(job: Callable[[], Awaitable[None]], ready: Callable[[], Awaitable[None]]) -> None:
    """Run a job again when it ends by a fault, which the log shows; what was not committed is done again."""
    await ready()
    while True:
        try:
            await job()
        except ConfigError as error:
            log.error("job stopped", reason=str(error))  # noqa: TRY400  one line says it
            return
        except Exception:
            log.exception("job failed; it starts again")
        await asyncio.sleep(AGAIN_S)
