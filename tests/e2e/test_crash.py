"""`kill -9` in the middle of a load: all that was acknowledged is there, and a second run gives the same graph."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest
from commands import Running, running, until_ready
from neo4j import GraphDatabase

from graphsvc.local.stack import LocalStack

TABLES = 240
BATCH = 20
KILL_AFTER = 12  # acknowledged batches
WALL_CLOCK = frozenset({"createdAt", "replacedAt", "since", "until"})  # when graphsvc wrote aspects and edges
Item = dict[str, Any]


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,crash.t{number},PROD)"


def proposals() -> list[Item]:
    """A few aspects of each of many tables, which share tags and owners and form one chain of lineage."""
    return [
        {
            "entityUrn": table(number),
            "aspectName": aspect,
            "aspect": {"json": value},
            "systemMetadata": {"lastObserved": 1_000 + number, "runId": "crash"},
        }
        for number in range(TABLES)
        for aspect, value in (
            ("datasetProperties", {"name": f"t{number}", "description": "x" * 200}),
            ("status", {"removed": number % 10 == 0}),
            ("globalTags", {"tags": [{"tag": f"urn:li:tag:crash{number % 7}"}]}),
            ("ownership", {"owners": [{"owner": f"urn:li:corpuser:crash{number % 5}", "type": "DATAOWNER"}]}),
            ("upstreamLineage", {"upstreams": [{"dataset": table(max(number - 1, 0)), "type": "TRANSFORMED"}]}),
        )
    ]


LOAD = proposals()
BATCHES = [LOAD[start : start + BATCH] for start in range(0, len(LOAD), BATCH)]


class Site:
    """A private Neo4j and a `graphsvc serve`, each of which can be killed and started again on what it left."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._bolt_port = 0
        self._stack: LocalStack | None = None
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start_neo4j(self) -> None:
        self._stack = LocalStack(self._home / "data", neo4j_ports=(self._bolt_port, 0))
        self._bolt_port = int(self._stack.start().bolt_uri.rpartition(":")[2])

    def kill_neo4j(self) -> None:
        """The server itself, as the machine's OOM killer would."""
        children = psutil.Process().children(recursive=True)
        (server,) = [p for p in children if "java" in p.name() and str(self._home) in p.cwd()]
        server.kill()

    def stop_neo4j(self) -> None:
        if self._stack is not None:
            self._stack.stop()

    @contextmanager
    def service(self) -> Iterator[Running]:
        at = self._endpoints
        environment = {"NEO4J_URI": at.bolt_uri, "NEO4J_USER": at.user, "NEO4J_PASSWORD": at.password}
        with running(self._home, environment, "serve", "--port", self.port) as child:
            until_ready(self.url)
            yield child

    def run(self, text: str) -> list[list[Any]]:
        at = self._endpoints
        with GraphDatabase.driver(at.bolt_uri, auth=(at.user, at.password)) as driver, driver.session() as session:
            return [record.values() for record in session.run(text)]

    def empty(self) -> None:
        keep = "MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock"
        self.run(f"{keep} CALL (n) {{ DETACH DELETE n }} IN TRANSACTIONS OF 5000 ROWS")

    def dump(self) -> list[bytes]:
        """The whole graph in an order of its own, without ids and times of writing."""
        nodes = self.run(
            "MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock RETURN elementId(n), labels(n), properties(n)"
        )
        edges = self.run("MATCH (s)-[r]->(t) RETURN elementId(s), type(r), properties(r), elementId(t)")
        named = {identity: _plain(sorted(labels), properties) for identity, labels, properties in nodes}
        lines = [*named.values(), *(_plain(named[s], kind, properties, named[t]) for s, kind, properties, t in edges)]
        return sorted(lines)

    @property
    def _endpoints(self) -> Any:
        assert self._stack is not None
        return self._stack.endpoints


def _plain(*parts: Any) -> bytes:
    shown = [
        {key: value for key, value in part.items() if key not in WALL_CLOCK} if isinstance(part, dict) else part
        for part in parts
    ]
    return orjson.dumps(shown, default=bytes.decode, option=orjson.OPT_SORT_KEYS)


def load(url: str, batches: list[list[Item]], acknowledged: list[Item] | None = None) -> None:
    """Post the batches in order, noting what the service says has landed; ends at the first that it does not."""
    with httpx.Client(base_url=url, timeout=30) as web:
        for batch in batches:
            try:
                answer = web.post("/ingest", json=batch)
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                assert answer.status_code == 503, answer.text
                return
            assert answer.json()["landed"] == len(batch)
            if acknowledged is not None:
                acknowledged.extend(batch)


def load_and_kill(url: str, kill: Callable[[], None], delay_s: float) -> list[Item]:
    """What was acknowledged before the kill, which strikes within a batch some way into the load."""
    acknowledged: list[Item] = []

    def strike() -> None:
        while len(acknowledged) < KILL_AFTER * BATCH:
            time.sleep(0.001)
        time.sleep(delay_s)
        kill()

    killer = threading.Thread(target=strike)
    killer.start()
    load(url, BATCHES, acknowledged)
    killer.join()
    return acknowledged


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("crash"))
    site.start_neo4j()
    yield site
    site.stop_neo4j()


@pytest.fixture(scope="module")
def undisturbed(site: Site) -> list[bytes]:
    """The graph after a load that nothing happened to; the site is empty again afterwards."""
    with site.service() as child:
        load(site.url, BATCHES)
        child.stop()
    dump = site.dump()
    site.empty()
    assert len(dump) > 5 * TABLES
    return dump


def lost(site: Site, acknowledged: list[Item]) -> list[Item]:
    """Acknowledged proposals that the graph does not have."""
    rows = site.run("MATCH (e:Entity)-[:HAS_ASPECT]->(a:Aspect) RETURN e.urn, a.name, a.value")
    stored = {(urn, name): orjson.loads(value) for urn, name, value in rows}
    return [i for i in acknowledged if stored.get((i["entityUrn"], i["aspectName"])) != i["aspect"]["json"]]


def assert_cured(site: Site, acknowledged: list[Item], undisturbed: list[bytes]) -> None:
    """Nothing acknowledged is lost, and the load, run again, ends in the graph of a load without a crash."""
    assert KILL_AFTER * BATCH <= len(acknowledged) < len(LOAD)
    assert lost(site, acknowledged) == []
    load(site.url, BATCHES)
    assert site.dump() == undisturbed


def test_a_killed_neo4j_loses_nothing(site: Site, undisturbed: list[bytes]) -> None:
    """
    Neo4j is killed within a write, and started again on its own files; graphsvc runs on and needs no help.

    It answers 503 meanwhile, so the client knows which proposals did not land.
    """
    site.empty()
    with site.service() as child:
        acknowledged = load_and_kill(site.url, site.kill_neo4j, 0.01)
        away = httpx.get(f"{site.url}/health/ready", timeout=30)
        site.stop_neo4j()
        site.start_neo4j()
        until_ready(site.url)

        assert away.status_code == 503
        assert_cured(site, acknowledged, undisturbed)
        child.stop()


@pytest.mark.parametrize("delay_s", [0.0, 0.012])
def test_a_killed_graphsvc_loses_nothing(site: Site, undisturbed: list[bytes], delay_s: float) -> None:
    """graphsvc is killed at some moment of a write; a new one, started on the same graph, goes on."""
    site.empty()
    with site.service() as child:
        acknowledged = load_and_kill(site.url, lambda: os.kill(child.process.pid, signal.SIGKILL), delay_s)
        child.process.wait(10)

    with site.service() as child:
        assert_cured(site, acknowledged, undisturbed)
        child.stop()
