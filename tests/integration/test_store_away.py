"""Neo4j is away, comes, goes and comes again: the service says so, waits, and loses nothing that it acknowledged."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from neo4j import Driver, GraphDatabase
from pydantic import SecretStr
from served import neo4j_settings, served

from graphsvc.config import Settings

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,away.orders,PROD)"
A_FEW_SECONDS = 9.0  # less than the 10 s for which the driver waits for a connection, and the 15 s of its retries
COMMIT = b"\x00\x02\xb0\x12\x00\x00"  # the message in Bolt, framed


AT_COMMIT = ("commit", 0)
AT_ITS_ANSWER = ("answer", 0)  # the answer to the commit, which carries a bookmark; those to what was sent with it pass


class Cable:
    """A TCP proxy before a server, which can be pulled and plugged in again."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.plugged = True
        self.cut: tuple[str, int] | None = None
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        """Cut what is open; what comes is closed at once."""
        self.plugged = False
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            _close(end)

    def plug(self) -> None:
        """Let connections through again."""
        self.cut = None
        self.plugged = True

    def end(self) -> None:
        _close(self._listening)
        self.pull()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if not self.plugged:
                _close(near)
                continue
            try:
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                _close(near)
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far, "in"), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, "out"), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        try:
            while data := source.recv(65_536):
                if self.cut and self.cut[0] == way:
                    if self.cut[1] == 0:
                        self.pull()
                        return
                    self.cut = (way, self.cut[1] - 1)
                if self.cut == AT_COMMIT and way == "in" and COMMIT in data:
                    self.cut = AT_ITS_ANSWER
                if self.cut == AT_ITS_ANSWER and way == "out" and b"bookmark" in data:
                    self.pull()
                    return
                sink.sendall(data)
        except OSError:
            pass
        _close(source)
        _close(sink)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """The driver logs what we cut."""
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)


@pytest.fixture
def store(neo4j_server: Any) -> Iterator[Driver]:
    server = neo4j_server
    with GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
        empty = "CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
        with driver.session(database=server.database) as session:
            session.run(f"MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock {empty}").consume()
        yield driver


@pytest.fixture
def cable(neo4j_server: Any) -> Iterator[Cable]:
    at = urlsplit(neo4j_server.uri)
    cable = Cable((at.hostname or "", at.port or 7687))
    yield cable
    cable.end()


@pytest.fixture(scope="module")
def line(neo4j_server: Any) -> Iterator[tuple[Cable, httpx.Client]]:
    """A service behind a cable, and a client of it."""
    at = urlsplit(neo4j_server.uri)
    cable = Cable((at.hostname or "", at.port or 7687))
    with served(settings(neo4j_server, cable.port), ready=False) as url, httpx.Client(base_url=url, timeout=60) as web:
        until(lambda: web.get("/health/ready").status_code == 200)
        yield cable, web
    cable.end()


def settings(server: Any, port: int) -> Settings:
    return Settings(neo4j=neo4j_settings(server, f"bolt://127.0.0.1:{port}"))


def put(number: int, urn: str = ORDERS) -> dict[str, object]:
    value = {"description": f"number {number}"}
    return {"entityUrn": urn, "aspectName": "datasetProperties", "aspect": {"value": json.dumps(value)}}


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


CALLS = [
    ("POST", "/ingest", put(1)),
    ("POST", "/aspects?action=ingestProposal", {"proposal": put(1)}),
    ("POST", "/aspects?action=ingestProposalBatch", {"proposals": [put(1)]}),
    ("POST", "/entities?action=delete", {"urn": ORDERS}),
    ("GET", f"/entitiesV2/{quote(ORDERS, safe='')}", None),
    ("GET", f"/aspects/{quote(ORDERS, safe='')}?aspect=status", None),
    ("POST", "/openapi/v3/entity/dataset/batchGet", [{"urn": ORDERS}]),
    ("GET", "/health", None),
    ("GET", "/health/ready", None),
]


def assert_away(answer: httpx.Response) -> None:
    """503 in our shape, with a time after which to try again, and no secret."""
    body = answer.json()
    assert answer.status_code == body["status"] == 503
    assert body["exceptionClass"] == "StoreUnavailable"
    assert "Neo4j" in body["message"]
    assert int(answer.headers["retry-after"]) > 0


def test_without_neo4j_the_service_starts_and_says_so(neo4j_server: Any) -> None:
    """Everything that needs the graph answers 503 within seconds; the process is alive, and says what it can do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with served(settings(neo4j_server, port), ready=False) as url, httpx.Client(base_url=url, timeout=30) as web:
        for method, path, body in CALLS:
            started = time.monotonic()
            answer = web.request(method, path, json=body)
            assert time.monotonic() - started < A_FEW_SECONDS, path
            assert_away(answer)
        assert web.get("/health/live").status_code == 200
        assert web.get("/config").status_code == 200


def test_a_neo4j_that_does_not_speak_is_away(neo4j_server: Any) -> None:
    """A server that takes the connection and says nothing holds up neither the start nor those who ask."""
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with served(settings(neo4j_server, port), ready=False) as url, httpx.Client(base_url=url, timeout=30) as web:
            assert time.monotonic() - started < 2 * A_FEW_SECONDS
            assert web.get("/health/live").status_code == 200
            for path in ("/health/ready", "/ingest"):
                started = time.monotonic()
                assert_away(web.request("GET" if "health" in path else "POST", path, json=put(1)))
                assert time.monotonic() - started < A_FEW_SECONDS


def test_a_neo4j_that_comes_later_is_taken_up(neo4j_server: Any, store: Driver, cable: Cable) -> None:
    """Nothing is written before the schema is there; once Neo4j answers, that happens by itself, and all works."""
    cable.pull()
    with store.session(database=neo4j_server.database) as session:
        session.run("MATCH (m:Migration) DELETE m").consume()

    with served(settings(neo4j_server, cable.port), ready=False) as url, httpx.Client(base_url=url, timeout=30) as web:
        assert_away(web.get("/health/ready"))
        assert_away(web.post("/ingest", json=put(1)))
        cable.plug()
        until(lambda: web.get("/health/ready").status_code == 200)
        answer = web.post("/ingest", json=put(1))

    assert answer.status_code == 200
    with store.session(database=neo4j_server.database) as session:
        assert session.run("MATCH (m:Migration) RETURN count(m) AS n").single(strict=True)["n"] >= 3


def test_a_wrong_login_is_told_and_not_served(neo4j_server: Any, cable: Cable) -> None:
    """A service whose login is refused is not ready, says that it is the login, and shows no password."""
    chosen = settings(neo4j_server, cable.port)
    wrong = chosen.neo4j.model_copy(update={"user": "nobody", "password": SecretStr("not-the-password")})

    with served(chosen.model_copy(update={"neo4j": wrong}), ready=False) as url:
        answer = httpx.get(f"{url}/health/ready", timeout=30)

    assert_away(answer)
    assert "login" in answer.json()["message"]
    assert "not-the-password" not in answer.text


def test_an_outage_passes(line: tuple[Cable, httpx.Client], store: Driver) -> None:
    """Pulled while it serves: 503 at once; plugged in again: all works again by itself."""
    cable, web = line
    assert web.post("/ingest", json=put(1)).status_code == 200

    for _ in range(2):
        cable.pull()
        for method, path, body in CALLS:
            started = time.monotonic()
            assert_away(web.request(method, path, json=body))
            assert time.monotonic() - started < A_FEW_SECONDS, path
        assert web.get("/health/live").status_code == 200
        cable.plug()
        until(lambda: web.get("/health/ready").status_code == 200)

        assert web.post("/ingest", json=put(1)).json()["items"][0]["changed"] is False
        assert web.get(f"/aspects/{quote(ORDERS, safe='')}?aspect=datasetProperties").status_code == 200


def test_a_dead_connection_is_not_the_callers_problem(line: tuple[Cable, httpx.Client], store: Driver) -> None:
    """A write that meets connections which died in the pool, as after a restart of Neo4j, goes through."""
    cable, web = line
    assert web.post("/ingest", json=put(1)).status_code == 200
    cable.pull()
    cable.plug()

    answer = web.post("/ingest", json=put(2))

    assert answer.status_code == 200
    assert answer.json()["items"][0]["version"] == 2


@pytest.mark.parametrize("messages", range(6))
@pytest.mark.parametrize("way", ["in", "out"])
def test_a_cut_in_a_write_is_all_or_nothing(
    line: tuple[Cable, httpx.Client], neo4j_server: Any, store: Driver, way: str, messages: int
) -> None:
    """
    Wherever a batch is cut, it is whole or not there; sent again, it is there once.

    The cut comes after so many messages to Neo4j, or from it, from the first query to behind the commit.
    """
    cable, web = line
    batch = [put(1, ORDERS.replace("orders", f"t{i}")) for i in range(20)]
    count = """
        MATCH (e:Entity:Dataset)-[:HAS_ASPECT]->(a:Aspect {name: "datasetProperties"})
        RETURN count(a) AS aspects, max(a.version) AS version
    """
    cable.cut = (way, messages)

    first = web.post("/ingest", json=batch)

    cable.plug()
    with store.session(database=neo4j_server.database) as session:
        there = session.run(count).single(strict=True)["aspects"]
    until(lambda: web.get("/health/ready").status_code == 200)
    second = web.post("/ingest", json=batch)
    assert first.status_code in (200, 503)
    assert there in ((20,) if first.status_code == 200 else (0, 20))
    assert second.status_code == 200
    assert {item["changed"] for item in second.json()["items"]} == {there == 0}
    with store.session(database=neo4j_server.database) as session:
        assert session.run(count).single(strict=True).data() == {"aspects": 20, "version": 1}


def test_a_lost_answer_to_the_commit_is_cured_by_repeating(
    line: tuple[Cable, httpx.Client], neo4j_server: Any, store: Driver
) -> None:
    """What was committed without our knowing is not acknowledged; the same proposal again finds it there."""
    cable, web = line
    cable.cut = AT_COMMIT

    first = web.post("/ingest", json=put(1))

    cable.plug()
    until(lambda: web.get("/health/ready").status_code == 200)
    second = web.post("/ingest", json=put(1))
    assert_away(first)
    assert second.status_code == 200
    assert second.json()["items"][0] | {"urn": ""} == {
        "index": 0,
        "urn": "",
        "aspect": "datasetProperties",
        "version": 1,
        "changed": False,
    }


def test_what_was_acknowledged_outlives_a_shaky_line(
    line: tuple[Cable, httpx.Client], neo4j_server: Any, store: Driver
) -> None:
    """Writers that repeat what was not acknowledged, and nothing else, lose nothing and double nothing."""
    cable, web = line
    total, stop = 60, threading.Event()
    cuts = 0

    def shake() -> None:
        nonlocal cuts
        while not stop.wait(0.3):
            cable.pull()
            cuts += 1
            time.sleep(0.05)
            cable.plug()

    def write(number: int) -> None:
        body = put(number, ORDERS.replace("orders", f"s{number}"))
        until(lambda: web.post("/ingest", json=body).status_code == 200)

    shaker = threading.Thread(target=shake)
    shaker.start()
    try:
        with ThreadPoolExecutor(4) as writers:
            list(writers.map(write, range(total)))
    finally:
        stop.set()
        shaker.join()

    assert cuts
    text = 'MATCH (e:Dataset)-[:HAS_ASPECT]->(a {name: "datasetProperties"}) RETURN count(a) AS n, max(a.version) AS v'
    with store.session(database=neo4j_server.database) as session:
        assert session.run(text).single(strict=True).data() == {"n": total, "v": 1}
