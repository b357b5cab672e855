"""Kafka: MCP/s from the topic into the graph against the ceiling, and the time from `produce` to readable."""

import asyncio
import http.client
import itertools
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import ceiling
import neo4j
import orjson
from confluent_kafka import Producer
from corpus import MCPS_PER_ENTITY, Dataset, datasets, proposals
from ingest import by_hand
from service import consuming, served

from graphsvc.config import KafkaSettings
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.registry import load_registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.kafka import ensure_topics

WARM_UP = 6_000  # datasets, with each number of consumers
JAVA_WARM_UP = 60_000  # datasets before all else, of the ceiling and of one consumer: see `ingest.WARM_UP`
POLL_S = 0.1  # between two looks at how far the group is, which cost those who work a hundredth
QUEUED = 50_000  # records that the producer holds at most; its own limit is 100,000
PROBES = 200
PROBE_GAP_S = 0.02
APPLIED_S = 600.0


async def measure(driver: neo4j.AsyncDriver, env: dict[str, str], bootstrap: str, count: int, rounds: int) -> dict:
    """All figures; the ceiling runs in each round, between the consumers' turns."""
    figures: dict[str, dict] = {}
    site = Site(driver, env, bootstrap, change_log=True)
    with consuming(site.env, 1) as processes:
        await _warm_up(site, processes, JAVA_WARM_UP)
    for consumers, change_log in itertools.product((1, 3), (False, True)):
        logged = "_with_change_log" if change_log else ""
        name = f"ingest_kafka_{consumers}_consumer{'s' if consumers > 1 else ''}{logged}_vs_ceiling"
        target = "≥ 0.5" if change_log else "≥ 0.7"
        site = Site(driver, env, bootstrap, change_log=change_log)
        figures[name] = await _throughput(site, consumers, count, rounds) | {"target": target}
    return figures | await _latency(Site(driver, env, bootstrap, change_log=True))


class Site:
    """Topics and a group of their own, and a producer whose records are encoded as DataHub's clients do."""

    def __init__(self, driver: neo4j.AsyncDriver, env: dict[str, str], bootstrap: str, *, change_log: bool) -> None:
        name = uuid4().hex[:8]
        self.driver = driver
        self.kafka = KafkaSettings(
            bootstrap=bootstrap,
            group=f"bench-{name}",
            proposal_topic=f"bench-mcp-{name}",
            event_topic="",
            failed_topic=f"bench-failed-{name}",
            versioned_log_topic=f"bench-log-{name}",
            timeseries_log_topic=f"bench-points-{name}",
        )
        self.env = {
            **env,
            "KAFKA_BOOTSTRAP": bootstrap,
            "GRAPHSVC_KAFKA__CHANGE_LOG": str(change_log),
            "GRAPHSVC_KAFKA__EVENT_TOPIC": "",
            # Halted consumers stay members of their group.
            "GRAPHSVC_KAFKA__CONSUMER_OPTIONS": '{"session.timeout.ms": "60000"}',
            **{
                f"GRAPHSVC_KAFKA__{key.upper()}": str(getattr(self.kafka, key))
                for key in ("group", "proposal_topic", "failed_topic", "versioned_log_topic", "timeseries_log_topic")
            },
        }
        self.outbox = Outbox(driver, "neo4j")
        self.codec = Codec(GraphSchemas(driver, "neo4j"), load_registry())
        ensure_topics(self.kafka)
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "enable.idempotence": True})
        self._sent = 0

    async def encoded(self, corpus: list[Dataset]) -> list[tuple[bytes, bytes]]:
        """Key and value per proposal."""
        found = []
        for dataset in corpus:
            for proposal in proposals(dataset):
                aspect = {**proposal["aspect"], "value": proposal["aspect"]["value"].encode()}
                record: dict[str, Any] = {**proposal, "aspect": aspect}
                value = await self.codec.encode(self.kafka.proposal_topic, "MetadataChangeProposal", record)
                found.append((dataset.urn.encode(), value))
        return found

    async def apply(
        self, records: list[tuple[bytes, bytes]], consumers: Sequence[subprocess.Popen[bytes]] = ()
    ) -> float:
        """
        Produce the records, while the consumers are halted.

        Returns:
            Seconds from when they go on until the group has applied all records.
        """
        with _halted(consumers):
            for number, (key, value) in enumerate(records):
                self.producer.produce(self.kafka.proposal_topic, value, key)
                if number % QUEUED == 0:
                    self.producer.flush()
            self._sent += len(records)
            self.producer.flush()
            start = time.perf_counter()
        places = [(self.kafka.proposal_topic, number) for number in range(self.kafka.partitions)]
        while sum(offset for offset, _ in (await self.outbox.offsets(self.kafka.group, places)).values()) < self._sent:
            if time.perf_counter() - start > APPLIED_S:
                raise SystemExit("the consumers did not apply all records")
            await asyncio.sleep(POLL_S)
        return time.perf_counter() - start


@contextmanager
def _halted(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


async def _warm_up(site: Site, processes: Sequence[subprocess.Popen[bytes]], count: int) -> None:
    await by_hand(site.driver, list(datasets(f"w_{site.kafka.group}", count)))
    await site.apply(await site.encoded(list(datasets(f"warm_{site.kafka.group}", count))), processes)
    await ceiling.searchable(site.driver)


async def _throughput(site: Site, consumers: int, count: int, rounds: int) -> dict[str, Any]:
    tops: list[float] = []
    ours: list[float] = []
    with consuming(site.env, consumers) as processes:
        await _warm_up(site, processes, WARM_UP)
        for number in range(rounds):
            written_in = await by_hand(site.driver, list(datasets(f"c{number}_{site.kafka.group}", count)))
            tops.append(written_in + await ceiling.searchable(site.driver))
            records = await site.encoded(list(datasets(f"k{number}_{site.kafka.group}", count)))
            ours.append(await site.apply(records, processes) + await ceiling.searchable(site.driver))
            while await site.outbox.depth():  # noqa: ASYNC110  the next round starts with nothing left over
                await asyncio.sleep(0.1)
    mcps = count * MCPS_PER_ENTITY
    return {
        "value": mcps / statistics.median(ours),
        "unit": "MCP/s",
        "ceiling": mcps / statistics.median(tops),
        "ratio": statistics.median(top / mine for top, mine in zip(tops, ours, strict=True)),
    }


async def _latency(site: Site) -> dict[str, dict]:
    """At light load: one record, and GraphQL is asked until it is there; then a synchronous REST write of the like."""
    with served(site.env) as address, consuming(site.env, 1):
        await site.apply(await site.encoded(list(datasets(f"warm_{site.kafka.group}", 50))))
        produced, written = [], []
        for number in range(PROBES):
            corpus = list(datasets(f"p{number}_{site.kafka.group}", 1, seed=number))
            key, value = (await site.encoded(corpus))[1]
            produced.append(await asyncio.to_thread(_until_readable, site, address, key, value))
            await asyncio.sleep(PROBE_GAP_S)
            (_, proposal, _) = proposals(next(iter(datasets(f"r{number}_{site.kafka.group}", 1, seed=number))))
            written.append(await asyncio.to_thread(_write, address, proposal))
            await asyncio.sleep(PROBE_GAP_S)
    figures = {}
    for name, quantile, target in (("p50", 50, "≤ 5"), ("p99", 99, "≤ 20")):
        ours = statistics.quantiles(produced, n=100)[quantile - 1] * 1_000
        rest = statistics.quantiles(written, n=100)[quantile - 1] * 1_000
        base = statistics.median(written) * 1_000
        figures[f"kafka_produce_to_readable_{name}_vs_rest"] = {
            "value": ours,
            "unit": "ms",
            "ceiling": rest,
            "ratio": ours / rest,
            "target": f"{target} (p50 of REST: {base:.1f} ms)",
        }
    return figures


def _until_readable(site: Site, address: tuple[str, int], key: bytes, value: bytes) -> float:
    connection = http.client.HTTPConnection(*address)
    question = orjson.dumps(
        {
            "query": "query($urn: String!) { dataset(urn: $urn) { properties { description } } }",
            "variables": {"urn": key.decode()},
        }
    )
    start = time.perf_counter()
    site.producer.produce(site.kafka.proposal_topic, value, key)
    site.producer.flush()
    while True:
        connection.request("POST", "/graphql", question, {"Content-Type": "application/json"})
        answer = orjson.loads(connection.getresponse().read())
        if ((answer.get("data") or {}).get("dataset") or {}).get("properties"):
            connection.close()
            return time.perf_counter() - start


def _write(address: tuple[str, int], proposal: dict) -> float:
    connection = http.client.HTTPConnection(*address)
    connection.connect()
    body = orjson.dumps({"proposal": proposal, "async": "false"})
    start = time.perf_counter()
    connection.request("POST", "/aspects?action=ingestProposal", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    seconds = time.perf_counter() - start
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"graphsvc answered {answer.status}: {text[:500]!r}")
    return seconds
