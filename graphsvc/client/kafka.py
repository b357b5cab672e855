"""Emitters over Kafka: proposals on `MetadataChangeProposal_v1`, as DataHub's Kafka emitter writes them."""

import asyncio
import atexit
import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from io import BytesIO
from typing import Any, Literal
from urllib.parse import quote

import fastavro
import httpx
import orjson
import stamina
from confluent_kafka import KafkaError, KafkaException, Producer

from graphsvc.client.batches import Waiting
from graphsvc.client.emitter import AsyncEmitter, Emitter
from graphsvc.client.errors import Denied, Failure, error_of
from graphsvc.client.proposal import Proposal

TOPIC = "MetadataChangeProposal_v1"
REGISTRY_URL = "http://127.0.0.1:8080/schema-registry/api"
SCHEMA = "ingest/schemas/MetadataChangeProposal.avsc"
MAGIC = b"\x00"
# How long a full queue is given to drain before it is offered the message again.
DRAIN_S = 0.5
REGISTER_S = 60.0
# Below this many messages, librdkafka's queue (100,000 by default) takes another one at once.
QUEUED_MANY = 5_000
DEFAULTS: dict[str, Any] = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    # DataHub's topics take 5 MiB; librdkafka's own default is 1 MB.
    "message.max.bytes": 5 * 1024 * 1024,
    # How long a message may wait for the broker before it counts as not delivered.
    "message.timeout.ms": 60_000,
}
# What the same message meets again, however often it is sent.
LASTING = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
DENIED = frozenset({401, 403})
REASON_CHARS = 500


class KafkaEmitter(Emitter):
    """
    Puts proposals on a Kafka topic; the URN is the key, so that the changes of one entity keep their order.

    May be shared by threads. `emit` queues in librdkafka, whose producer is idempotent: a message that was
    acknowledged is on the topic once. What is queued is delivered by `flush`, by the end of the `with` block, and at
    the latest when the interpreter ends. A delivered proposal is on the topic; whether it can be applied
    shows when it is consumed.
    """

    def __init__(  # noqa: PLR0913  settings of one thing, all but the first with a default
        self,
        bootstrap: str,
        *,
        topic: str = TOPIC,
        encoding: Literal["avro", "json"] = "avro",
        registry_url: str = REGISTRY_URL,
        registry_auth: tuple[str, str] | None = None,
        token: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Start librdkafka; nothing is sent yet.

        Args:
            bootstrap: `host:port,…` of the brokers.
            topic: Where to.
            encoding: `avro` is what DataHub's own consumer reads; `json` needs no schema registry, and is read by
                graphsvc alone.
            registry_url: Schema registry, asked once for the schema's id; graphsvc's and DataHub's own are at
                `<server>/schema-registry/api`. For `avro` only.
            registry_auth: User and password for a registry that wants them.
            token: Bearer token for the registry, where it is that of a graphsvc with a token.
            options: Settings of librdkafka, which win over `DEFAULTS`: `security.protocol`, `linger.ms` …

        Raises:
            KafkaException: librdkafka does not know one of the options.
        """
        self._producer = Producer({**DEFAULTS, "bootstrap.servers": bootstrap, **(options or {})})
        self._topic = topic
        registry = {"base_url": registry_url, "auth": registry_auth, "headers": _bearer(token)}
        self._encode: Callable[[Proposal], bytes] | None = Proposal.wire if encoding == "json" else None
        self._register = partial(_avro_encoder, registry, topic)
        self._failures: list[Failure] = []
        self._given = 0
        self._closed = False
        self._lock = threading.RLock()
        atexit.register(self._at_exit)

    def emit(self, proposal: Proposal) -> None:
        """
        Queue one proposal; waits only while librdkafka's queue is full.

        Raises:
            Denied: The registry wants a token, or another one.
            Refused: It does not take the schema.
            Unavailable: The registry does not answer, or earlier proposals could not be delivered in time;
                `failures` names these.
            RuntimeError: The emitter is closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the emitter is closed")
            item = Waiting(self._given, proposal, b"")
            self._given += 1
            try:
                encode = self._encoder(item)
                value = encode(proposal)
            except (TypeError, ValueError) as exc:
                self._failures.append(item.failed(f"cannot be encoded: {exc}", retryable=False))
            else:
                self._produce(item, value)
            if any(failure.retryable for failure in self._failures):
                raise error_of(self._take_failures())

    def flush(self) -> None:
        """
        Wait until the brokers have all proposals given so far: `message.timeout.ms` at most.

        Raises:
            Refused: Some were refused since the last flush (too large, not JSON); all others were delivered.
            Unavailable: Some were not delivered in time.
        """
        with self._lock:
            self._producer.flush()
            self._given = 0
            if failures := self._take_failures():
                raise error_of(failures)

    def close(self) -> None:
        """
        Flush, and take no more. May be called twice.

        Raises:
            EmitError: As `flush`.
        """
        with self._lock:
            self._closed = True
            atexit.unregister(self._at_exit)
            self.flush()

    @property
    def would_wait(self) -> bool:
        """True when `emit` may block for long: the schema's id is not known yet, or many messages are queued."""
        return self._encode is None or len(self._producer) >= QUEUED_MANY

    def _encoder(self, item: Waiting) -> Callable[[Proposal], bytes]:
        if self._encode is None:
            try:
                self._encode = self._register()
            except httpx.HTTPError as exc:
                failure = item.failed(f"schema registry: {_reason(exc)}", retryable=_passes(exc))
                denied = isinstance(exc, httpx.HTTPStatusError) and exc.response.status_code in DENIED
                raise Denied([failure]) if denied else error_of([failure]) from exc
        return self._encode

    def _produce(self, item: Waiting, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, value, item.proposal.urn.encode(), on_delivery=partial(self._delivered, item)
                )
            except BufferError:
                self._producer.poll(DRAIN_S)
            except KafkaException as exc:
                self._delivered(item, exc.args[0])
                return
            else:
                self._producer.poll(0)
                return

    def _delivered(self, item: Waiting, error: KafkaError | None, _: Any = None) -> None:
        """Called by librdkafka within poll and flush, for each message once."""
        if error is not None:
            retryable = error.code() not in LASTING
            self._failures.append(item.failed(f"Kafka: {error.str()}", retryable=retryable))

    def _take_failures(self) -> list[Failure]:
        failures, self._failures = self._failures, []
        return sorted(failures, key=lambda failure: failure.index)


class AsyncKafkaEmitter(AsyncEmitter):
    """
    The same as `KafkaEmitter` for asyncio; tasks may share it.

    librdkafka sends in threads of its own, so the event loop waits for nothing here: what could block runs in a
    thread. (Confluent's AIOProducer is not used: it holds messages back for up to a second to batch them, which
    librdkafka does anyway.)
    """

    def __init__(  # noqa: PLR0913  settings of one thing, all but the first with a default
        self,
        bootstrap: str,
        *,
        topic: str = TOPIC,
        encoding: Literal["avro", "json"] = "avro",
        registry_url: str = REGISTRY_URL,
        registry_auth: tuple[str, str] | None = None,
        token: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Start librdkafka with the settings of `KafkaEmitter`; nothing is sent yet."""
        self._emitter = KafkaEmitter(
            bootstrap,
            topic=topic,
            encoding=encoding,
            registry_url=registry_url,
            registry_auth=registry_auth,
            token=token,
            options=options,
        )
        self._lock = asyncio.Lock()

    async def emit(self, proposal: Proposal) -> None:
        """
        Queue one proposal; waits only for the schema's id, once, and while librdkafka's queue is full.

        Raises:
            EmitError: As `KafkaEmitter.emit` does.
            RuntimeError: The emitter is closed.
        """
        async with self._lock:
            if self._emitter.would_wait:
                await asyncio.to_thread(self._emitter.emit, proposal)
            else:
                self._emitter.emit(proposal)

    async def flush(self) -> None:
        """
        Wait until the brokers have all proposals given so far.

        Raises:
            EmitError: As `KafkaEmitter.flush` does.
        """
        async with self._lock:
            await asyncio.to_thread(self._emitter.flush)

    async def close(self) -> None:
        """
        Flush, and take no more. May be called twice.

        Raises:
            EmitError: As `flush`.
        """
        async with self._lock:
            await asyncio.to_thread(self._emitter.close)


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _reason(exc: httpx.HTTPError) -> str:
    if isinstance(exc, httpx.HTTPStatusError):
        return f"{exc.response.status_code} {exc.response.text[:REASON_CHARS]}"
    return str(exc) or type(exc).__name__


def _passes(exc: Exception) -> bool:
    """Whether the registry may answer better later: it is away, or busy."""
    if isinstance(exc, httpx.HTTPStatusError):
        return exc.response.status_code == 429 or exc.response.status_code >= 500
    return isinstance(exc, httpx.RequestError)


def _avro_encoder(registry: Mapping[str, Any], topic: str) -> Callable[[Proposal], bytes]:
    """
    A function from a proposal to Avro in Confluent's framing: a zero byte, the schema's id in four, the record.

    Raises:
        httpx.HTTPStatusError: The registry refuses the schema, or us.
        httpx.RequestError: It does not answer within `REGISTER_S`.
    """
    text = files("graphsvc").joinpath(SCHEMA).read_text(encoding="utf-8")
    schema = fastavro.parse_schema(orjson.loads(text))
    number = 0
    with httpx.Client(**registry) as client:
        for attempt in stamina.retry_context(on=_passes, attempts=None, timeout=REGISTER_S):
            with attempt:
                answer = client.post(f"/subjects/{quote(topic, safe='')}-value/versions", json={"schema": text})
                number = int(answer.raise_for_status().json()["id"])
    head = MAGIC + number.to_bytes(4, "big")

    def encode(proposal: Proposal) -> bytes:
        out = BytesIO(head)
        out.seek(len(head))
        fastavro.schemaless_writer(out, schema, proposal.record())
        return out.getvalue()

    return encode
