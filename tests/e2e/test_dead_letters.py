"""Poison on Kafka becomes dead letters; after a fix, `graphsvc dlq replay` lands them."""

import base64
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from commands import run, running, until_ready
from confluent_kafka import Producer
from neo4j import GraphDatabase

SETTINGS = ("proposal", "event", "failed", "versioned_log", "timeseries_log")
MODEL = "entities: {pipeline: {aspects: [status]}}"
GOOD = 792
POISON: dict[str, bytes] = {
    "Undecodable: empty": b"",
    "Undecodable: Avro": b"\x00\x00\x00\x00\x63not avro",
    "Undecodable: bytes": b"\x05nonsense \xff",
    "BadUrn": b'{"entityUrn": "nonsense", "aspectName": "status", "aspect": {"value": "{}"}}',
    "BadValue": b'{"entityUrn": "urn:li:tag:a", "aspectName": "status", "aspect": {"value": "{"}}',
    "Unsupported": b'{"entityUrn": "urn:li:tag:a", "aspectName": "status", "changeType": "RESTATE"}',
    "AspectNotAllowed": b'{"entityUrn": "urn:li:tag:a", "aspectName": "dashboardInfo", "aspect": {"value": "{}"}}',
    "UnknownEntityType": b'{"entityUrn": "urn:li:pipeline:p", "aspectName": "status", "aspect": {"value": "{}"}}',
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def environment(neo4j_server: Any, kafka_bootstrap: str) -> Mapping[str, str]:
    """An empty graph, and topics of our own."""
    server, name = neo4j_server, uuid4().hex[:8]
    with GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
        empty = "CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
        with driver.session(database=server.database) as session:
            session.run(f"MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock {empty}").consume()
    topics = {f"GRAPHSVC_KAFKA__{topic.upper()}_TOPIC": f"{topic}-{name}" for topic in SETTINGS}
    kafka = {"KAFKA_BOOTSTRAP": kafka_bootstrap, "GRAPHSVC_KAFKA__GROUP": f"group-{name}"}
    return {**server.environment, **kafka, **topics}


@pytest.fixture(scope="module")
def cypher(neo4j_server: Any, environment: Mapping[str, str]) -> Iterator[Callable[[str], Any]]:
    server = neo4j_server
    with GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
        yield lambda text: driver.execute_query(text, database_=server.database).records[0][0]


@contextmanager
def consuming(cwd: Path, environment: Mapping[str, str], *more: object) -> Iterator[None]:
    """A `graphsvc consume`, which has finished what it took when the block ends."""
    port = free_port()
    own = {**environment, "GRAPHSVC_KAFKA__METRICS_PORT": str(port)}
    with running(cwd, own, "consume", *more) as child:
        until_ready(f"http://127.0.0.1:{port}")
        yield
        child.stop()


def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def send(environment: Mapping[str, str]) -> int:
    """Good records with 1 % of poison, of every kind, among them; gives their number."""
    topic = environment["GRAPHSVC_KAFKA__PROPOSAL_TOPIC"]
    producer = Producer({"bootstrap.servers": environment["KAFKA_BOOTSTRAP"]})
    bad = list(POISON.values())
    for number in range(GOOD):
        value = {
            "entityUrn": f"urn:li:tag:good{number}",
            "aspectName": "tagProperties",
            "aspect": {"json": {"name": f"n{number}"}},
        }
        producer.produce(topic, orjson.dumps(value), f"urn:li:tag:good{number}")
        if number % 99 == 50:
            producer.produce(topic, bad[number // 99], b"urn:li:tag:bad" if number // 99 % 2 else b"\xff")
    assert producer.flush(30) == 0
    return GOOD + len(bad)


@pytest.fixture(scope="module")
def poisoned(
    environment: Mapping[str, str], cypher: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """The stream has been consumed, and its dead letters published."""
    with consuming(tmp_path_factory.mktemp("consume"), environment):
        records = send(environment)
        wait(lambda: cypher("MATCH (o:ConsumerOffset) RETURN sum(o.next)") == records)
        wait(lambda: cypher("MATCH (o:Outbox) RETURN count(o)") == 0)
    return environment


def letters(cwd: Path, environment: Mapping[str, str], *args: object) -> list[dict[str, Any]]:
    done = run(cwd, environment, "dlq", "list", "--json", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_stream_with_poison(poisoned: Mapping[str, str], cypher: Callable[[str], Any], tmp_path: Path) -> None:
    """All good ones are applied; every bad one is in the dead letters, with its reason, and with its bytes."""
    found = letters(tmp_path, poisoned)

    assert cypher("MATCH (:Tag)-[:HAS_ASPECT]->(a:Aspect {name: 'tagProperties'}) RETURN count(a)") == GOOD
    assert sorted(letter["error"] for letter in found) == sorted(kind.partition(":")[0] for kind in POISON)
    assert all(letter["reason"] and not letter["replayed"] for letter in found)
    assert [letter["time"] for letter in found] == sorted(letter["time"] for letter in found)
    shown = [json.loads(run(tmp_path, poisoned, "dlq", "show", letter["id"]).stdout) for letter in found]
    originals = [
        base64.b64decode(letter["originalBase64"]) if "originalBase64" in letter else orjson.dumps(letter["original"])
        for letter in shown
    ]
    plain = [orjson.dumps(orjson.loads(text)) if text.startswith(b"{") else text for text in POISON.values()]
    assert sorted(originals) == sorted(plain)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["error=Un*"], 5),
        (["error=Un*", "urn=urn:li:pipeline:*"], 1),
        (["aspect=dashboardInfo"], 1),
        (["reason=*RESTATE*"], 1),
        (["topic=other"], 0),
    ],
)
def test_letters_are_filtered(poisoned: Mapping[str, str], tmp_path: Path, filters: list[str], count: int) -> None:
    """All filters have to hold."""
    found = letters(tmp_path, poisoned, *(part for text in filters for part in ("--filter", text)))

    assert len(found) == count


def test_the_newest_are_listed(poisoned: Mapping[str, str], tmp_path: Path) -> None:
    """For people, as a table; how many are left out is said beside it."""
    every = letters(tmp_path, poisoned)

    done = run(tmp_path, poisoned, "dlq", "list", "--limit", 3)

    shown = done.stdout.replace("\n", "")
    ids = [rf"{re.escape(letter['id'])}(?!\d)" for letter in every]  # not a longer one that begins like it
    assert [bool(re.search(text, shown)) for text in ids] == [False] * 5 + [True] * 3
    assert "5 older ones are not shown" in done.stderr


def test_after_a_fix_a_replay_lands_them(
    poisoned: Mapping[str, str], cypher: Callable[[str], Any], tmp_path: Path
) -> None:
    """The model learns the entity type; what could not be applied then is replayed once, and stands in the graph."""
    model = tmp_path / "model.yaml"
    model.write_text(MODEL, encoding="utf-8")
    (letter,) = letters(tmp_path, poisoned, "--filter", "error=UnknownEntityType")

    first = run(tmp_path, poisoned, "dlq", "replay", "--filter", "error=UnknownEntityType")
    second = run(tmp_path, poisoned, "dlq", "replay", letter["id"])
    with consuming(tmp_path, poisoned, "--model", model):
        wait(lambda: cypher("MATCH (p:Pipeline {urn: 'urn:li:pipeline:p'}) RETURN count(p)") == 1)

    assert (first.returncode, first.stdout) == (0, "1 letters replayed\n"), first.stderr
    assert (second.returncode, second.stdout) == (0, "0 letters replayed, 1 were replayed before\n"), second.stderr
    assert len(letters(tmp_path, poisoned)) == len(POISON) - 1
    (marked,) = [found for found in letters(tmp_path, poisoned, "--all") if found["replayed"]]
    assert marked["id"] == letter["id"]
    again = run(tmp_path, poisoned, "dlq", "replay", "--again", letter["id"])
    assert (again.returncode, again.stdout) == (0, "1 letters replayed\n"), again.stderr


def test_what_cannot_be_replayed_is_named(poisoned: Mapping[str, str], tmp_path: Path) -> None:
    """A letter without bytes, and one that there is not; the command fails, since not all that was meant is done."""
    (empty,) = letters(tmp_path, poisoned, "--filter", "reason=*0 bytes*")

    done = run(tmp_path, poisoned, "dlq", "replay", empty["id"], "failed-nothing-0-0")

    assert done.returncode == 1
    assert done.stdout == "0 letters replayed\n"
    assert f"not replayed: {empty['id']}" in done.stderr
    assert "there is no dead letter failed-nothing-0-0" in done.stderr


@pytest.mark.parametrize(
    ("change", "args", "words"),
    [
        ({"KAFKA_BOOTSTRAP": ""}, ["list"], "KAFKA_BOOTSTRAP"),
        ({"KAFKA_BOOTSTRAP": "127.0.0.1:1"}, ["list"], "Kafka at 127.0.0.1:1 does not answer"),
        ({"NEO4J_URI": "bolt://127.0.0.1:1"}, ["replay"], "Neo4j"),
        ({}, ["list", "--filter", "colour=red"], "colour=red"),
        ({}, ["show", "failed-nothing-0-0"], "there is no dead letter"),
    ],
)
def test_what_is_wrong_is_one_line(
    poisoned: Mapping[str, str], tmp_path: Path, change: dict[str, str], args: list[str], words: str
) -> None:
    done = run(tmp_path, {**poisoned, **change}, "dlq", *args)

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert words in done.stderr
