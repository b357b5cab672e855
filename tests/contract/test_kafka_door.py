"""DataHub's Kafka sink and emitter, and ours, end in the graph that the same proposals by REST make."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import stamina
from confluent_kafka import Consumer, KafkaException, TopicPartition
from conftest import CLEAR

from graphsvc.client import KafkaEmitter, Proposal

ROOT = Path(__file__).parents[2]
WAIT_S = 60
SYSTEM = {"lastObserved": 1_700_000_000_000, "runId": "contract"}
# When graphsvc wrote a value; entities have a createdAt too, but that is what their aspects say.
WALL_CLOCK = {"createdAt", "replacedAt", "since"}
# What the REST sink reports about its run is not part of what it was given.
NO_REPORT = """
MATCH (e:Entity) WHERE e.urn STARTS WITH "urn:li:dataHub"
OPTIONAL MATCH (e)-[:HAS_ASPECT|HAD_ASPECT]->(a) OPTIONAL MATCH (a)-[:PREVIOUS*]->(v)
DETACH DELETE e, a, v
"""
NODES = """
MATCH (n:Entity|Aspect|AspectVersion|TimeseriesPoint) RETURN collect([elementId(n), labels(n), properties(n)])
"""
EDGES = """
MATCH (s:Entity|Aspect|AspectVersion|TimeseriesPoint)-[r]->(t)
RETURN collect([elementId(s), type(r), properties(r), elementId(t)])
"""


@dataclass(frozen=True)
class Door:
    """A `graphsvc consume` with topics of its own."""

    bootstrap: str
    name: str
    metrics: str

    @property
    def proposals(self):
        return f"mcp-{self.name}"

    @property
    def events(self):
        return f"mce-{self.name}"

    @property
    def log(self):
        return f"versioned-{self.name}"

    @property
    def topic_routes(self):
        return {"MetadataChangeProposal": self.proposals, "MetadataChangeEvent": self.events}

    @property
    def environment(self):
        return {
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "GRAPHSVC_KAFKA__GROUP": f"group-{self.name}",
            "GRAPHSVC_KAFKA__PROPOSAL_TOPIC": self.proposals,
            "GRAPHSVC_KAFKA__EVENT_TOPIC": self.events,
            "GRAPHSVC_KAFKA__FAILED_TOPIC": f"failed-{self.name}",
            "GRAPHSVC_KAFKA__VERSIONED_LOG_TOPIC": self.log,
            "GRAPHSVC_KAFKA__TIMESERIES_LOG_TOPIC": f"timeseries-{self.name}",
        }

    def wait(self, cypher, records=None):
        """Return when everything on the topics is in the graph, and everything in the outbox on the log."""
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "contract"})
        topics = [
            TopicPartition(topic, number)
            for topic in (self.proposals, self.events)
            for number in reader.list_topics(topic, timeout=30).topics[topic].partitions
        ]
        ends = sum(end_of(reader, place) for place in topics)
        reader.close()
        assert records is None or ends == records
        deadline = time.monotonic() + WAIT_S
        applied = f"MATCH (o:ConsumerOffset {{group: 'group-{self.name}'}}) RETURN sum(o.next)"
        while cypher(applied) != ends or cypher("MATCH (o:Outbox) RETURN count(o)"):
            assert time.monotonic() < deadline, f"{cypher(applied)} of {ends} records applied"
            time.sleep(0.1)


@stamina.retry(on=KafkaException, attempts=None, timeout=WAIT_S)
def end_of(reader, place):
    """The offset that the next record will get; a new topic's leader may not know yet that it is one."""
    return reader.get_watermark_offsets(place, timeout=30)[1]


@contextmanager
def consuming(environment, log):
    """A `graphsvc consume` that is ready; gives the address of its /metrics."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHSVC_", "KAFKA_"))}
    command = [sys.executable, "-m", "graphsvc.cli", "consume"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**plain, **environment, "GRAPHSVC_KAFKA__METRICS_PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            until_ready(url, process, log)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def until_ready(url, process, log):
    deadline = time.monotonic() + WAIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"graphsvc consume did not start:\n{log.read_text(encoding='utf-8')[-3_000:]}", pytrace=False)


@pytest.fixture
def door(kafka_bootstrap, neo4j_server, empty_graph, tmp_path):
    """A consumer over new topics, and an empty graph."""
    name = uuid4().hex[:8]
    named = Door(kafka_bootstrap, name, "")
    with consuming({**neo4j_server.environment, **named.environment}, tmp_path / "consume.log") as url:
        yield Door(kafka_bootstrap, name, url)


@pytest.fixture(scope="module")
def files(datahub, tmp_path_factory):
    """MCPs by hand and MCEs by DataHub's classes, each with the same system metadata whoever sends it."""
    folder = tmp_path_factory.mktemp("metadata")
    datahub.client("write_mce", folder / "legacy.json")
    (folder / "retail.json").write_bytes((ROOT / "examples" / "retail.json").read_bytes())
    for file in folder.iterdir():
        items = [{**item, "systemMetadata": SYSTEM} for item in json.loads(file.read_text(encoding="utf-8"))]
        file.write_text(json.dumps(items), encoding="utf-8")
    return folder


def recipe(path, sink):
    """The file source, which leaves the system metadata as it is."""
    source = {"type": "file", "config": {"path": str(path)}}
    return {"source": source, "sink": sink, "flags": {"set_system_metadata": False}}


def count(path):
    return sum(len(json.loads(file.read_text(encoding="utf-8"))) for file in path.glob("*.json"))


def dump(cypher):
    """Nodes and relationships with how often each is there, without Neo4j's ids and what depends on the sender."""
    cypher(NO_REPORT)
    nodes = {
        identity: (tuple(sorted(labels)), plain(properties, aspect="Entity" not in labels))
        for identity, labels, properties in cypher(NODES)
    }
    edges = Counter((nodes[s], kind, plain(properties), nodes[t]) for s, kind, properties, t in cypher(EDGES))
    return Counter(nodes.values()), edges


def plain(properties, *, aspect=False):
    clock = WALL_CLOCK if aspect else {"since"}
    kept = {key: value for key, value in properties.items() if key not in clock}
    if "systemMetadata" in kept:  # senders add who they are, and Avro's records their defaults
        stored = json.loads(kept["systemMetadata"]).items()
        kept["systemMetadata"] = {key: value for key, value in stored if key not in ("properties", "lastRunId")}
    return json.dumps(kept, sort_keys=True)


def assert_same(graph, other):
    for found, expected in zip(graph, other, strict=True):
        assert found - expected == Counter()
        assert expected - found == Counter()


@pytest.fixture(scope="module")
def by_rest(datahub, files, emptied, cypher):
    """The graph after the REST sink has sent the files."""
    sink = {"type": "datahub-rest", "config": {"server": datahub.url, "mode": "SYNC"}}
    done = datahub.ingest(recipe(files, sink))
    assert done.returncode == 0, done.stdout + done.stderr
    graph = dump(cypher)
    assert sum(graph[0].values()) > 500
    assert sum(graph[1].values()) > 500
    return graph


def test_the_kafka_sink_makes_the_same_graph(by_rest, datahub, door, files, cypher):
    """`datahub ingest` with `datahub-kafka`: node for node and edge for edge, with all their properties."""
    connection = {"bootstrap": door.bootstrap, "schema_registry_url": f"{datahub.url}/schema-registry/api/"}
    sink = {"type": "datahub-kafka", "config": {"connection": connection, "topic_routes": door.topic_routes}}

    done = datahub.ingest(recipe(files, sink))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pipeline finished successfully" in done.stdout
    door.wait(cypher)
    assert_same(dump(cypher), by_rest)


def test_datahubs_emitter_makes_the_same_graph(by_rest, datahub, door, files, cypher):
    """DatahubKafkaEmitter, with MCPs and MCEs."""
    sent = datahub.client("send_kafka", door.bootstrap, door.proposals, door.events, files)

    assert sent == {"sent": count(files)}
    door.wait(cypher, count(files))
    assert_same(dump(cypher), by_rest)


@pytest.mark.parametrize("encoding", ["avro", "json"])
def test_our_emitter_makes_the_same_graph(datahub, door, files, served, cypher, encoding):
    """KafkaEmitter, with the MCPs, in both of its encodings, against the same by REST."""
    raws = json.loads((files / "retail.json").read_text(encoding="utf-8"))
    url = f"{served.url}/schema-registry/api"

    with KafkaEmitter(door.bootstrap, topic=door.proposals, encoding=encoding, registry_url=url) as emitter:
        emitter.emit_all(Proposal.from_dict(raw) for raw in raws)

    door.wait(cypher, len(raws))
    graph = dump(cypher)
    cypher(CLEAR)
    assert httpx.post(f"{served.url}/ingest", json=raws, trust_env=False, timeout=60).status_code == 200
    assert_same(graph, dump(cypher))


def test_asynchronous_rest_makes_the_same_graph(by_rest, datahub, door, files, serve, tmp_path, cypher):
    """The REST sink's own default, against a service that has Kafka: it queues, the consumer applies."""
    with serve(tmp_path / "serve.log", **door.environment) as service:
        sink = {"type": "datahub-rest", "config": {"server": service.url, "mode": "ASYNC_BATCH"}}
        done = datahub.ingest(recipe(files, sink))
        assert done.returncode == 0, done.stdout + done.stderr
        door.wait(cypher)

    assert_same(dump(cypher), by_rest)


def test_datahubs_class_reads_the_change_log(datahub, door, files, served, cypher):
    """Each current value is the newest change of its aspect, by Confluent's deserializer and DataHub's class."""
    url = f"{served.url}/schema-registry/api"
    raws = json.loads((files / "retail.json").read_text(encoding="utf-8"))
    first = next(raw for raw in raws if raw["aspectName"] == "datasetProperties")
    again = {**first, "aspect": {"json": {**first["aspect"]["json"], "description": "größer"}}}
    with KafkaEmitter(door.bootstrap, topic=door.proposals, registry_url=url) as emitter:
        emitter.emit_all(Proposal.from_dict(raw) for raw in [*raws, again])
    door.wait(cypher, len(raws) + 1)

    records = datahub.client("read_changes", door.bootstrap, door.log)

    newest = {(r["key"], r["change"]["aspectName"]): r["change"] for r in records}
    stored = cypher("MATCH (e:Entity)-[:HAS_ASPECT]->(a:Aspect) RETURN collect([e.urn, a.name, a.value, a.version])")
    assert len({r["id"] for r in records}) == len(records)
    assert sorted((urn, name, json.loads(value), str(version)) for urn, name, value, version in stored) == sorted(
        (urn, name, json.loads(change["aspect"]["value"]), change["systemMetadata"]["version"])
        for (urn, name), change in newest.items()
    )
    changed = newest[first["entityUrn"], "datasetProperties"]
    assert json.loads(changed["previousAspectValue"]["value"]) == first["aspect"]["json"]
    assert changed["systemMetadata"]["version"] == "2"
    assert changed["systemMetadata"]["runId"] == "contract"
    assert changed["created"]["time"] > SYSTEM["lastObserved"]
    assert changed["entityType"] == "dataset"
