"""Three `graphsvc consume` over six partitions join, leave and are killed; nothing is lost or doubled."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from commands import Running, running, until_ready
from confluent_kafka import Consumer, Producer, TopicPartition
from neo4j import Driver, GraphDatabase

from graphsvc.config import KafkaSettings
from graphsvc.ingest.kafka import ensure_topics

URNS = 60
ROUNDS = 40
WAIT_S = 120
STOP_S = 15
STOPPED = {0, -signal.SIGTERM}  # uvicorn, when all is done, ends by the signal it got
CURRENT = "MATCH (e:Dataset)-[:HAS_ASPECT]->(a:Aspect {name: $name}) RETURN e.urn, a.version, a.value"
OLD = "MATCH (v:AspectVersion {name: $name}) RETURN v.urn, collect(v.version)"
HUBS = "MATCH (s:Dataset)-[r:TaggedWith|OwnedBy]->(hub:Entity) RETURN s.urn, type(r), hub.urn"
EMPTY = """
MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock
CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS
"""


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,group.t{number},PROD)"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def values(number: int, turn: int) -> dict[str, dict[str, Any]]:
    """What is said of a table in a round; every value differs from the one before, and the hubs are few."""
    return {
        "datasetProperties": {"description": f"round {turn}"},
        "globalTags": {"tags": [{"tag": f"urn:li:tag:t{(number + turn) % 3}"}]},
        "ownership": {"owners": [{"owner": f"urn:li:corpuser:u{(number + turn) % 2}", "type": "DATAOWNER"}]},
    }


def proposals(turn: int) -> Iterator[dict[str, Any]]:
    for number in range(URNS):
        for name, value in values(number, turn).items():
            yield {
                "entityUrn": table(number),
                "entityType": "dataset",
                "changeType": "UPSERT",
                "aspectName": name,
                "aspect": {"value": orjson.dumps(value).decode(), "contentType": "application/json"},
            }


class Group:
    """Consumers of one group, topics of their own, and the graph that they write."""

    def __init__(self, home: Path, server: Any, bootstrap: str, driver: Driver, stack: ExitStack) -> None:
        name = uuid4().hex[:8]
        self.kafka = KafkaSettings(
            bootstrap=bootstrap,
            group=f"group-{name}",
            proposal_topic=f"mcp-{name}",
            event_topic="",
            failed_topic=f"failed-{name}",
            versioned_log_topic=f"versioned-{name}",
            timeseries_log_topic=f"timeseries-{name}",
        )
        settings = self.kafka.model_dump(include=self.kafka.model_fields_set)
        self.environment = {
            **server.environment,
            **{f"GRAPHSVC_KAFKA__{key.upper()}": str(text) for key, text in settings.items()},
        }
        self._home = home
        self._stack = stack
        self._driver = driver
        self._database = server.database
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
        self.sent = 0
        ensure_topics(self.kafka)

    def join(self, *, ready: bool = True) -> Running:
        """One more `graphsvc consume`."""
        port = free_port()
        environment = {**self.environment, "GRAPHSVC_KAFKA__METRICS_PORT": str(port)}
        child = self._stack.enter_context(running(self._home, environment, "consume"))
        if ready:
            until_ready(f"http://127.0.0.1:{port}", WAIT_S)
        return child

    def send(self, turns: range) -> None:
        for proposal in (item for turn in turns for item in proposals(turn)):
            self._producer.produce(self.kafka.proposal_topic, orjson.dumps(proposal), proposal["entityUrn"])
            self._producer.poll(0)
            self.sent += 1
        assert self._producer.flush(30) == 0

    def rows(self, text: str, **parameters: Any) -> list[list[Any]]:
        with self._driver.session(database=self._database) as session:
            return [record.values() for record in session.run(text, parameters)]  # type: ignore[arg-type]

    def applied(self) -> int:
        """How many records the offsets in the graph say."""
        text = "MATCH (o:ConsumerOffset {group: $group}) RETURN sum(o.next)"
        return int(self.rows(text, group=self.kafka.group)[0][0])

    def committed(self) -> int:
        """The same by Kafka's own offsets, which those read who watch lag."""
        topic = self.kafka.proposal_topic
        settings = {"bootstrap.servers": self.kafka.bootstrap, "group.id": self.kafka.group}
        reader = Consumer(settings)
        places = reader.committed([TopicPartition(topic, n) for n in range(self.kafka.partitions)], timeout=30)
        reader.close()
        return sum(max(0, place.offset) for place in places)

    def until_applied(self, records: int) -> None:
        until(lambda: self.applied() >= records)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


@pytest.fixture
def group(neo4j_server: Any, kafka_bootstrap: str, tmp_path: Path) -> Iterator[Group]:
    server = neo4j_server
    with ExitStack() as stack:
        driver = stack.enter_context(GraphDatabase.driver(server.uri, auth=(server.user, server.password)))
        made = Group(tmp_path, server, kafka_bootstrap, driver, stack)
        made.rows(EMPTY)
        yield made


def test_nothing_is_lost_or_doubled_by_who_comes_and_goes(group: Group) -> None:
    """
    Each of many updates per table takes effect once and in order, through joins, leaves and kills.

    Every value differs from the one before it, so the version is the number of updates: a lost or doubled one shows.
    All tables share a few tags and owners, whose nodes the writers contend for.
    """
    quarter = ROUNDS // 4
    first = group.join()
    group.send(range(quarter))
    second, third = group.join(ready=False), group.join(ready=False)
    group.until_applied(group.sent // 4)
    group.send(range(quarter, 2 * quarter))
    group.until_applied(group.sent // 2)

    first.process.kill()
    group.send(range(2 * quarter, 3 * quarter))
    fourth = group.join(ready=False)
    group.until_applied(group.sent * 2 // 3)
    left = second.stop(signal.SIGTERM)
    group.send(range(3 * quarter, ROUNDS))
    third.process.kill()
    fifth = group.join()
    group.until_applied(group.sent)
    until(lambda: group.rows("MATCH (o:Outbox) RETURN count(o)") == [[0]])
    ends = [left, fourth.stop(), fifth.stop()]

    assert group.applied() == group.sent == URNS * ROUNDS * 3
    for name in ("datasetProperties", "globalTags", "ownership"):
        expected = [[table(n), ROUNDS, orjson.dumps(values(n, ROUNDS - 1)[name]).decode()] for n in range(URNS)]
        found = group.rows(CURRENT, name=name)
        assert sorted([urn, version] for urn, version, _ in found) == sorted([urn, n] for urn, n, _ in expected)
        assert {urn: orjson.loads(value) for urn, _, value in found} == {
            urn: orjson.loads(value) for urn, _, value in expected
        }
        old = {urn: sorted(versions) for urn, versions in group.rows(OLD, name=name)}
        assert old == {table(n): list(range(1, ROUNDS)) for n in range(URNS)}
    assert sorted(group.rows(HUBS)) == sorted(
        edge
        for n in range(URNS)
        for edge in (
            [table(n), "TaggedWith", f"urn:li:tag:t{(n + ROUNDS - 1) % 3}"],
            [table(n), "OwnedBy", f"urn:li:corpuser:u{(n + ROUNDS - 1) % 2}"],
        )
    )
    complaints = [line for child in (first, second, third, fourth, fifth) for line in child.complaints + child.lines]
    assert not any("eadlock" in line or "Traceback" in line for line in complaints), complaints[-5:]
    assert {code for code, _ in ends} <= STOPPED
    assert max(seconds for _, seconds in ends) < STOP_S


def test_sigterm_stops_a_busy_consumer_within_seconds(group: Group) -> None:
    """What is being applied is finished; the rest waits on the topic, and the next consumer goes on with it."""
    group.send(range(ROUNDS))
    child = group.join()
    group.until_applied(1)

    code, seconds = child.stop()

    stopped_at = group.applied()
    assert code in STOPPED
    assert 0 < stopped_at < group.sent
    assert group.committed() == stopped_at
    assert seconds < STOP_S
    assert not any("Traceback" in line for line in child.complaints)
    other = group.join()
    group.until_applied(group.sent)
    other.stop()
    found = group.rows(CURRENT, name="datasetProperties")
    assert {version for _, version, _ in found} == {ROUNDS}


def test_a_wrong_broker_is_waited_for(group: Group, tmp_path: Path) -> None:
    """It says which broker does not answer, is alive but not ready, and stops at once when told to."""
    port, nobody = free_port(), f"127.0.0.1:{free_port()}"
    environment = {
        **group.environment,
        "GRAPHSVC_KAFKA__BOOTSTRAP": nobody,
        "GRAPHSVC_KAFKA__METRICS_PORT": str(port),
    }
    with running(tmp_path, environment, "consume") as child:
        child.wait_for(f"Kafka at {nobody} does not answer")
        alive = httpx.get(f"http://127.0.0.1:{port}/health/live")
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=30)
        code, seconds = child.stop()

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert nobody in ready.json()["message"]
    assert code in STOPPED
    assert seconds < STOP_S
    assert not any("Traceback" in line for line in child.complaints)
