"""
Consumers, the service, Kafka and Neo4j are killed at random while a producer sends; then the graph and the change log
are compared with an oracle. `make faults` runs it in full, `test_faults.py` a short form.
"""

import argparse
import io
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro
import orjson
import psutil
from commands import PROGRAM, clean
from confluent_kafka import Consumer, Producer, TopicPartition
from neo4j import GraphDatabase

from graphsvc.config import KafkaSettings
from graphsvc.ingest.kafka import ensure_topics
from graphsvc.local.stack import LocalStack

GROUP = "graphsvc"
ASPECTS = ("datasetProperties", "status", "globalTags", "upstreamLineage")
DELETES = 0.05
SETTLE_S = 600


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,faults.t{number},PROD)"


def stream(rng: random.Random, proposals: int, urns: int) -> Iterator[dict[str, Any]]:
    """Proposals with few different values, so that repeats, changes and deletions of one aspect all occur."""
    for number in range(proposals):
        urn, aspect = table(rng.randrange(urns)), rng.choice(ASPECTS)
        if rng.random() < DELETES:
            yield {"entityUrn": urn, "entityType": "dataset", "aspectName": aspect, "changeType": "DELETE"}
            continue
        value: dict[str, Any] = {
            "datasetProperties": {"description": f"v{rng.randrange(5)}", "customProperties": {"n": str(number % 50)}},
            "status": {"removed": rng.random() < 0.5},
            "globalTags": {"tags": [{"tag": f"urn:li:tag:t{rng.randrange(4)}"}]},
            "upstreamLineage": {"upstreams": [{"dataset": table(rng.randrange(urns)), "type": "TRANSFORMED"}]},
        }[aspect]
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        yield {
            "entityUrn": urn,
            "entityType": "dataset",
            "changeType": "UPSERT",
            "aspectName": aspect,
            "aspect": {"value": text, "contentType": "application/json"},
            "systemMetadata": {"lastObserved": number + 1, "runId": "faults"},
        }


@dataclass
class Oracle:
    """What the graph and the change log have to hold: a dictionary and a list per URN."""

    current: dict[tuple[str, str], str] = field(default_factory=dict)
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    log: dict[str, list[tuple[str, str, str | None]]] = field(default_factory=lambda: defaultdict(list))

    def apply(self, proposal: dict[str, Any]) -> None:
        urn, aspect = proposal["entityUrn"], proposal["aspectName"]
        key = urn, aspect
        if proposal["changeType"] == "DELETE":
            if self.current.pop(key, None) is not None:
                self.log[urn].append((aspect, "DELETE", None))
            return
        if urn not in self.log:
            name = urn.split(",")[1]
            text = {"name": name, "origin": "PROD", "platform": "urn:li:dataPlatform:hive"}
            self.put(urn, "datasetKey", orjson.dumps(text, option=orjson.OPT_SORT_KEYS).decode())
        self.put(urn, aspect, proposal["aspect"]["value"])

    def put(self, urn: str, aspect: str, text: str) -> None:
        if self.current.get((urn, aspect)) != text:
            self.current[urn, aspect] = text
            self.versions[urn, aspect] += 1
            self.log[urn].append((aspect, "UPSERT", text))


class Site:
    """A Neo4j, a Kafka, a service and consumers, each of which can be killed and started again on what it left."""

    def __init__(self, home: Path, consumers: int) -> None:
        self.home = home
        self.ports = [free_port() for _ in range(4 + consumers)]
        self.store = LocalStack(home / "store", neo4j_ports=(self.ports[0], self.ports[1]))
        self.broker = LocalStack(home / "broker", store=False, kafka=True, kafka_port=self.ports[2])
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self.store.start()
        self.broker.start()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.ports[2]}"

    def environment(self) -> dict[str, str]:
        ends = self.store.endpoints
        return {
            "NEO4J_URI": str(ends.bolt_uri),
            "NEO4J_USER": ends.user,
            "NEO4J_PASSWORD": ends.password,
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "GRAPHSVC_KAFKA__GROUP": GROUP,
        }

    def run(self, name: str) -> None:
        """Start `serve` or `consume-0` …."""
        number = 3 if name == "serve" else 4 + int(name.rpartition("-")[2])
        environment = clean(self.environment())
        command = [*PROGRAM, "serve", "--port", str(self.ports[3])]
        if name != "serve":
            command = [*PROGRAM, "consume"]
            environment["GRAPHSVC_KAFKA__METRICS_PORT"] = str(self.ports[number])
        output = (self.home / f"{name}.log").open("ab")
        self.children[name] = subprocess.Popen(command, env=environment, cwd=self.home, stdout=output, stderr=output)
        output.close()

    def kill(self, name: str) -> None:
        """`kill -9`, and start it again."""
        if name == "neo4j":
            self._kill_java(self.store, "store")
        elif name == "kafka":
            self._kill_java(self.broker, "broker")
        else:
            self.children[name].kill()
            self.children[name].wait()
            self.run(name)

    def _kill_java(self, stack: LocalStack, folder: str) -> None:
        for process in psutil.Process().children(recursive=True):
            try:
                if "java" in process.name() and str(self.home / folder) in process.cwd():
                    process.kill()
            except psutil.Error:
                continue
        stack.stop()
        stack.start()

    def stop(self) -> None:
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
        self.broker.stop()
        self.store.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass(frozen=True)
class Plan:
    """How much happens."""

    proposals: int
    urns: int
    kills: int
    consumers: int
    seconds: float
    seed: int


def run(plan: Plan, home: Path, say: Callable[[str], None] = print) -> None:
    """
    One run; it says what it does.

    Raises:
        AssertionError: The graph or the change log is not what the oracle says.
    """
    say(f"seed {plan.seed}: {plan}")
    rng = random.Random(plan.seed)
    oracle = Oracle()
    site = Site(home, plan.consumers)
    with ExitStack() as stack:
        stack.callback(site.stop)
        site.start()
        ensure_topics(KafkaSettings(bootstrap=site.bootstrap))
        for name in ["serve", *(f"consume-{n}" for n in range(plan.consumers))]:
            site.run(name)
        producer = Producer(
            {"bootstrap.servers": site.bootstrap, "enable.idempotence": True, "message.timeout.ms": 0, "log_level": 0}
        )
        proposals = list(stream(rng, plan.proposals, plan.urns))
        names = [f"consume-{n}" for n in range(plan.consumers)]
        # Everything is killed in turn, then at random; servers take seconds to come back, processes of ours do not.
        kills = [*names, "serve", "kafka", "neo4j"]
        kills += [rng.choice([*names, *names, "serve", "kafka", "neo4j"]) for _ in range(plan.kills - len(kills))]
        rng.shuffle(kills)
        pauses = sorted(rng.uniform(0, plan.seconds) for _ in kills)
        started = time.monotonic()
        done = Counter[str]()
        sent = 0
        for at, name in [*zip(pauses, kills, strict=True), (plan.seconds, None)]:
            target = min(plan.proposals, int(plan.proposals * at / plan.seconds)) if name else plan.proposals
            while sent < target or time.monotonic() - started < at:
                if sent < target:
                    proposal = proposals[sent]
                    oracle.apply(proposal)
                    producer.produce("MetadataChangeProposal_v1", orjson.dumps(proposal), proposal["entityUrn"])
                    sent += 1
                else:
                    time.sleep(0.01)
                producer.poll(0)
            if name:
                say(f"{time.monotonic() - started:6.1f} s, {sent} sent: kill -9 {name}")
                site.kill(name)
                done[name.partition("-")[0]] += 1
        assert producer.flush(120) == 0, "Kafka did not take all records"
        say(f"all {sent} sent; kills: {dict(done)}; waiting until they are applied")
        settle(site)
        compare(site, oracle, say)
        say("the graph and the change log are what the oracle says")


def settle(site: Site) -> None:
    """Wait until all records are applied and all announcements published."""
    ends = site.store.endpoints
    deadline = time.monotonic() + SETTLE_S
    reader = Consumer({"bootstrap.servers": site.bootstrap, "group.id": "faults-watermarks", "log_level": 0})
    partitions = range(KafkaSettings().partitions)
    try:
        with GraphDatabase.driver(ends.bolt_uri, auth=(ends.user, ends.password)) as driver:
            while True:
                high = {
                    n: reader.get_watermark_offsets(TopicPartition("MetadataChangeProposal_v1", n), timeout=30)[1]
                    for n in partitions
                }
                rows, _, _ = driver.execute_query(
                    "MATCH (o:ConsumerOffset {topic: 'MetadataChangeProposal_v1'}) RETURN o.partition AS p, o.next AS n"
                )
                applied = {row["p"]: row["n"] for row in rows}
                (waiting,), _, _ = driver.execute_query("MATCH (o:Outbox) RETURN count(o) AS n")
                if all(applied.get(n, 0) >= end for n, end in high.items()) and waiting["n"] == 0:
                    return
                assert time.monotonic() < deadline, f"applied {applied} of {high}, {waiting['n']} in the outbox"
                time.sleep(0.5)
    finally:
        reader.close()


def compare(site: Site, oracle: Oracle, say: Callable[[str], None]) -> None:
    """The graph first, then the change log."""
    ends = site.store.endpoints
    with GraphDatabase.driver(ends.bolt_uri, auth=(ends.user, ends.password)) as driver:
        rows, _, _ = driver.execute_query(
            "MATCH (e:Entity)-[:HAS_ASPECT]->(a:Aspect) RETURN e.urn AS urn, a.name AS name, a.value AS value, "
            "a.version AS version"
        )
        current = {(row["urn"], row["name"]): row["value"] for row in rows}
        versions = defaultdict(list)
        for row in rows:
            versions[row["urn"], row["name"]].append(row["version"])
        rows, _, _ = driver.execute_query(
            "MATCH (v:AspectVersion) RETURN v.urn AS urn, v.name AS name, v.version AS version"
        )
        for row in rows:
            versions[row["urn"], row["name"]].append(row["version"])
        rows, _, _ = driver.execute_query(
            "MATCH (s:Dataset)-[r:DownstreamOf {aspect: 'upstreamLineage'}]->(t) RETURN s.urn AS s, t.urn AS t"
        )
        edges = sorted((row["s"], row["t"]) for row in rows)
    assert current == oracle.current, "current values differ"
    gaps = {key: sorted(found) for key, found in versions.items() if sorted(found) != list(range(1, len(found) + 1))}
    assert not gaps, f"versions with gaps or doubles: {gaps}"
    assert {key: len(found) for key, found in versions.items()} == dict(oracle.versions), "numbers of versions differ"
    wanted = sorted(
        (urn, upstream["dataset"])
        for (urn, aspect), text in oracle.current.items()
        if aspect == "upstreamLineage"
        for upstream in json.loads(text)["upstreams"]
    )
    assert edges == wanted, "lineage differs"
    repeats, found = read_log(site)
    said = sum(map(len, found.values()))
    say(
        f"{len(current)} aspects, {sum(oracle.versions.values())} versions, {said} changes announced, {repeats} repeats"
    )
    for urn, changes in oracle.log.items():
        assert found.get(urn, []) == changes, f"the change log of {urn} differs: {found.get(urn)} is not {changes}"
    assert found.keys() == {urn for urn, changes in oracle.log.items() if changes}


def read_log(site: Site) -> tuple[int, dict[str, list[tuple[str, str, str | None]]]]:
    """How many repeats there were, and the changes per URN in the order of the log, without them."""
    topic = "MetadataChangeLog_Versioned_v1"
    text = files_of_schema()
    schema = fastavro.parse_schema(json.loads(text))
    reader = Consumer(
        {"bootstrap.servers": site.bootstrap, "group.id": "faults-log", "enable.partition.eof": True, "log_level": 0}
    )
    count = KafkaSettings().partitions
    reader.assign([TopicPartition(topic, n, 0) for n in range(count)])
    seen: set[bytes] = set()
    repeats, ended = 0, 0
    found: dict[str, list[tuple[str, str, str | None]]] = defaultdict(list)
    while ended < count:
        message = reader.poll(30)
        assert message is not None, "the change log does not answer"
        if message.error():
            ended += 1
            continue
        identity = dict(message.headers() or [])["graphsvc-id"]
        if identity in seen:
            repeats += 1
            continue
        seen.add(identity)
        value = message.value()
        record: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
        aspect = record["aspect"]
        text_of = aspect["value"].decode() if aspect else None
        found[record["entityUrn"]].append((record["aspectName"], record["changeType"], text_of))
    reader.close()
    return repeats, found


def files_of_schema() -> str:
    """The schema with which the change log is written."""
    import graphsvc.ingest as package  # noqa: PLC0415  only its place is wanted

    return (Path(package.__file__).parent / "schemas" / "MetadataChangeLog.avsc").read_text("utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proposals", type=int, default=20_000)
    parser.add_argument("--urns", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--consumers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=180, help="how long the producer takes")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        plan = Plan(**vars(arguments))
        try:
            run(plan, Path(home))
        except BaseException:
            for file in sorted(Path(home).glob("*.log")):
                sys.stderr.write(f"--- {file.name}\n{file.read_text('utf-8', 'replace')[-3000:]}\n")
            raise


if __name__ == "__main__":
    main()
