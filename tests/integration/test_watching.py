"""What operators see: /metrics after good and bad proposals, and /health while Neo4j and Kafka are away and back."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from consuming import Topics
from neo4j import AsyncDriver
from prometheus_client.parser import text_string_to_metric_families
from served import neo4j_settings, served
from test_store_away import Cable

from graphsvc.app import create_consumer
from graphsvc.config import KafkaSettings, Settings
from graphsvc.local.stack import LocalStack

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,watched.{},PROD)"


def good(number: int) -> dict[str, Any]:
    return {
        "entityUrn": ORDERS.format(number),
        "entityType": "dataset",
        "changeType": "UPSERT",
        "aspectName": "status",
        "aspect": {"value": '{"removed": false}', "contentType": "application/json"},
    }


BAD_URN = {**good(0), "entityUrn": "nonsense"}
BAD_VALUE = {**good(0), "aspect": {"value": "{", "contentType": "application/json"}}


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


class Metrics:
    """What a process has counted since this was made; tests of one run share its counters."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._before = self._now()

    def _now(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        answer = httpx.get(f"{self._url}/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def gained(self, name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return self._now().get(key, 0) - self._before.get(key, 0)

    def level(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        return {labels: value for (found, labels), value in self._now().items() if found == name}

    def sum_gained(self, name: str) -> float:
        return sum(self.level(name).values()) - sum(v for (found, _), v in self._before.items() if found == name)


@pytest.fixture
def topics(kafka_bootstrap: str) -> Iterator[Topics]:
    with Topics.fresh(kafka_bootstrap) as fresh:
        yield fresh


@pytest.fixture
def cable(neo4j_server: Any) -> Iterator[Cable]:
    """The line to Neo4j. The driver logs what we cut."""
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)
    at = urlsplit(neo4j_server.uri)
    cable = Cable((at.hostname or "", at.port or 7687))
    yield cable
    cable.end()


def behind(cable: Cable, server: Any, kafka: KafkaSettings | None = None) -> Settings:
    neo4j = neo4j_settings(server, f"bolt://127.0.0.1:{cable.port}")
    return Settings(neo4j=neo4j, kafka=kafka or KafkaSettings())


def test_the_service_counts_what_came_of_each_proposal(graph: AsyncDriver, neo4j_server: Any, topics: Topics) -> None:
    """Good and bad ones of a batch, by REST; what is only queued is called so."""
    settings = Settings(neo4j=neo4j_settings(neo4j_server), kafka=topics.settings)
    with served(settings) as url:
        metrics = Metrics(url)
        batch = [good(1), BAD_URN, good(2), BAD_VALUE, good(3)]

        now = httpx.post(f"{url}/ingest", json=batch, timeout=30)
        later = httpx.post(
            f"{url}/aspects?action=ingestProposalBatch", json={"proposals": batch, "async": "true"}, timeout=30
        )

        assert (now.json()["landed"], now.json()["refused"]) == (3, 2)
        assert later.status_code == 422
        assert metrics.gained("graphsvc_proposals_total", door="rest", result="applied") == 3
        assert metrics.gained("graphsvc_proposals_total", door="rest", result="queued") == 3
        assert metrics.gained("graphsvc_proposals_total", door="rest", result="refused") == 4
        assert metrics.gained("graphsvc_batch_proposals_count", door="rest") == 2
        assert metrics.gained("graphsvc_batch_proposals_sum", door="rest") == 10


def test_a_consumer_counts_what_came_of_each_record(graph: AsyncDriver, neo4j_server: Any, topics: Topics) -> None:
    """Applied and refused ones, dead letters by error, what was announced; no lag is left, and an empty outbox."""
    settings = Settings(neo4j=neo4j_settings(neo4j_server), kafka=topics.settings)
    with served(settings, create_consumer) as url:
        metrics = Metrics(url)
        topics.send([*map(good, range(20)), BAD_URN, BAD_VALUE, b"\x05nonsense"])

        def done() -> bool:
            return metrics.gained("graphsvc_published_total") >= 43  # 20 keys, 20 values, 3 letters

        def lags() -> list[float]:
            found = metrics.level("graphsvc_consumer_lag").items()
            return [value for labels, value in found if ("topic", topics.settings.proposal_topic) in labels]

        until(done)
        until(lambda: metrics.level("graphsvc_outbox_records") == {frozenset(): 0.0})
        until(lambda: lags() == [0.0] * topics.settings.partitions)

        assert metrics.gained("graphsvc_published_total") == 43
        assert metrics.gained("graphsvc_proposals_total", door="kafka", result="applied") == 20
        assert metrics.gained("graphsvc_proposals_total", door="kafka", result="refused") == 3
        assert metrics.gained("graphsvc_batch_proposals_sum", door="kafka") == 23
        errors = ("BadUrn", "BadValue", "Undecodable")
        assert [metrics.gained("graphsvc_dead_letters_total", error=error) for error in errors] == [1, 1, 1]


def test_retries_are_counted(graph: AsyncDriver, neo4j_server: Any, cable: Cable) -> None:
    """A transaction that a lost connection cost is tried again; /metrics says how often, and with which error."""
    with served(behind(cable, neo4j_server)) as url:
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        metrics = Metrics(url)
        cable.cut = ("out", 1)
        mender = httpx.Client(timeout=30)

        def write() -> httpx.Response:
            return mender.post(f"{url}/ingest", json=good(1))

        write()
        cable.plug()
        until(lambda: write().status_code == 200)
        mender.close()

        assert metrics.sum_gained("stamina_retries_total") >= 1


def test_a_consumer_says_that_neo4j_is_away(
    graph: AsyncDriver, neo4j_server: Any, cable: Cable, topics: Topics
) -> None:
    """It lives on, is not ready meanwhile, and then applies what has waited."""
    with served(behind(cable, neo4j_server, topics.settings), create_consumer) as url:
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        metrics = Metrics(url)

        cable.pull()
        until(lambda: httpx.get(f"{url}/health/ready", timeout=30).status_code == 503)
        away = httpx.get(f"{url}/health/ready", timeout=30)
        alive = httpx.get(f"{url}/health/live")
        topics.send([good(1)])
        cable.plug()
        until(lambda: httpx.get(f"{url}/health/ready", timeout=30).status_code == 200)
        until(lambda: metrics.gained("graphsvc_proposals_total", door="kafka", result="applied") == 1)

    assert away.json()["exceptionClass"] == "StoreUnavailable"
    assert alive.status_code == 200


def test_both_say_that_kafka_is_away(graph: AsyncDriver, neo4j_server: Any, tmp_path: Path) -> None:
    """The consumer is not ready then; the service is, since it needs Kafka for little, and says how Kafka is."""
    broker = LocalStack(tmp_path, store=False, kafka=True, kafka_port=0)
    bootstrap = str(broker.start().kafka_bootstrap)
    settings = Settings(neo4j=neo4j_settings(neo4j_server), kafka=KafkaSettings(bootstrap=bootstrap, partitions=1))
    try:
        with served(settings) as service, served(settings, create_consumer) as consumer:

            def states() -> tuple[int, str, int]:
                of_service = httpx.get(f"{service}/health/ready", timeout=30)
                of_consumer = httpx.get(f"{consumer}/health/ready", timeout=30)
                assert httpx.get(f"{consumer}/health/live").status_code == 200
                return of_service.status_code, of_service.json()["kafka"], of_consumer.status_code

            until(lambda: states() == (200, "ok", 200))
            broker.stop()
            until(lambda: states()[2] == 503)
            until(lambda: states()[1] != "ok")
            code, text, _ = states()
            assert code == 200
            assert bootstrap in text
            broker = LocalStack(tmp_path, store=False, kafka=True, kafka_port=int(bootstrap.rpartition(":")[2]))
            assert broker.start().kafka_bootstrap == bootstrap
            until(lambda: states() == (200, "ok", 200))
    finally:
        broker.stop()
