"""Send records to Kafka and wait for the brokers' word."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from graphsvc.config import KafkaSettings
from graphsvc.errors import BrokerUnavailable, TooLarge
from graphsvc.ingest.kafka_clients import refused

POLL_S = 0.2
FULL_WAIT_S = 0.02
COMPLAIN_S = 10.0
MESSAGE_BYTES = 64 * 1024 * 1024  # what the client lets pass; the brokers have limits of their own


log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    """One record to send; records of one key keep their order."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher:
    """
    An idempotent producer for asyncio; opened by `async with`.

    Args:
        kafka: Where the brokers are.
        timeout_s: How long a record is tried, in seconds; None for as long as it takes.

    Raises:
        ConfigError: Kafka's client does not take the settings.
    """

    def __init__(self, kafka: KafkaSettings, timeout_s: float | None) -> None:
        config: dict[str, Any] = {
            "bootstrap.servers": kafka.bootstrap,
            "client.id": "graphsvc",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 2,
            "message.max.bytes": MESSAGE_BYTES,
            "message.timeout.ms": 0 if timeout_s is None else int(timeout_s * 1000),
            # As librdkafka's clients by default, so that a URN's records meet in one partition whoever sends them.
            "partitioner": "consistent_random",
            "log_level": 0,
            "error_cb": self._complain,
            **kafka.options,
            **kafka.producer_options,
        }
        self._complained_at = -COMPLAIN_S
        try:
            self._producer: Producer | None = Producer(config)
        except KafkaException as exc:
            raise refused("producer", exc) from exc
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> Self:
        self._thread = threading.Thread(target=self._poll, args=(self._producer,), name="publisher", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def send(self, messages: Sequence[Message]) -> dict[int, TooLarge]:
        """
        Send records, and return when the brokers have all of them.

        Returns:
            Index -> error, for records that are larger than the brokers take.

        Raises:
            BrokerUnavailable: Some record was not acknowledged, for another reason than its size.
        """
        if not messages:
            return {}
        receipt = _Receipt(len(messages))
        for index, message in enumerate(messages):
            await self._produce(message, index, receipt)
        await receipt.complete
        refused: dict[int, TooLarge] = {}
        for index, error in receipt.errors.items():
            if error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise BrokerUnavailable(f"Kafka did not take a record for {messages[index].topic}: {error.str()}")
            refused[index] = TooLarge(f"{len(messages[index].value)} bytes are more than {messages[index].topic} takes")
        return refused

    def _complain(self, error: KafkaError) -> None:
        """Say that the brokers are away, which librdkafka does for each of its tries."""
        if time.monotonic() - self._complained_at >= COMPLAIN_S:
            self._complained_at = time.monotonic()
            log.warning("kafka", reason=error.str())

    async def _produce(self, message: Message, index: int, receipt: "_Receipt") -> None:
        while True:
            if self._producer is None:
                raise BrokerUnavailable("the producer is closed")
            try:
                self._producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    headers=list(message.headers),
                    on_delivery=lambda error, _: receipt.note(index, error),
                )
            except BufferError:
                await asyncio.sleep(FULL_WAIT_S)
            except KafkaException as exc:
                receipt.note(index, exc.args[0])
                return
            else:
                return

    def _poll(self, producer: Producer) -> None:
        """Serve delivery reports; the producer goes on to its end even when it is purged."""
        while self._producer is producer:
            producer.poll(POLL_S)
        producer.flush(1.0)


class _Receipt:
    """Counts what the brokers said of the records of one call."""

    def __init__(self, records: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = records
        self._lock = threading.Lock()
        self.errors: dict[int, KafkaError] = {}
        self.complete: asyncio.Future[None] = self._loop.create_future()

    def note(self, index: int, error: KafkaError | None) -> None:
        with self._lock:
            if error is not None:
                self.errors[index] = error
            self._left -= 1
            last = self._left == 0
        if last:
            self._loop.call_soon_threadsafe(self._done)

    def _done(self) -> None:
        if not self.complete.done():
            self.complete.set_result(None)
