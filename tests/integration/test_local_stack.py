"""The embedded stack for real: Neo4j and Kafka as child processes, through crashes of any part."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from neo4j import GraphDatabase
from neo4j.exceptions import ClientError

from graphsvc.errors import ConfigError
from graphsvc.local import aot
from graphsvc.local.jars import JarSource, default_cache, ensure_jars
from graphsvc.local.process import Server, ServerDied, java
from graphsvc.local.stack import STOP_GRACE_S, Endpoints, LocalStack

WRITER = """
import sys
from pathlib import Path
from neo4j import GraphDatabase
from graphsvc.local.stack import LocalStack

with LocalStack(Path(sys.argv[1]), neo4j_ports=(0, 0)) as stack:
    at = stack.endpoints
    with GraphDatabase.driver(at.bolt_uri, auth=(at.user, at.password)) as driver:
        for number in range(1_000_000):
            driver.execute_query("CREATE (:Written {number: $number})", number=number)
            print(number, flush=True)
"""


def cypher(at: Endpoints, text: str, **parameters: object) -> list[list[object]]:
    with GraphDatabase.driver(at.bolt_uri, auth=(at.user, at.password)) as driver:
        return [record.values() for record in driver.execute_query(text, parameters).records]  # type: ignore[arg-type]


def produce(bootstrap: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce("local", value)
    assert producer.flush(20) == 0


def consume(bootstrap: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe(["local"])
        message = consumer.poll(30)
        return None if message is None or message.error() else message.value()
    finally:
        consumer.close()


def children(stack: LocalStack, main_class: str) -> list[psutil.Process]:
    every = psutil.Process().children(recursive=True)
    return [
        p for p in every if "java" in p.name() and main_class in p.cmdline() and str(stack.data_dir) in str(p.cwd())
    ]


def gone_within(processes: list[psutil.Process], seconds: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that someone else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def outside() -> set[psutil.Process]:
    """What this run of pytest has started before: the Neo4j of other tests, for one."""
    return set(psutil.Process().children())


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    taken: int,
    outside: set[psutil.Process],  # noted before this one starts
) -> Iterator[LocalStack]:
    """Both servers, asked for ports of which one is taken."""
    with LocalStack(tmp_path_factory.mktemp("stack"), kafka=True, neo4j_ports=(taken, 0), kafka_port=0) as running:
        yield running


def test_a_taken_port_gives_way_to_a_free_one(stack: LocalStack, taken: int) -> None:
    """The stack starts beside whatever has its default port, and says where it is."""
    assert stack.endpoints.bolt_uri != f"bolt://127.0.0.1:{taken}"
    assert cypher(stack.endpoints, "RETURN 1") == [[1]]


def test_secrets_are_for_this_user_alone(stack: LocalStack) -> None:
    """The password's file and the first user's are 0600, and the password is in no repr."""
    for file in (stack.password_file, stack.data_dir / "neo4j" / "data" / "dbms" / "auth.ini"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stack.password_file.read_text().strip() == stack.endpoints.password
    assert stack.endpoints.password not in repr(stack.endpoints)


def test_a_second_stack_on_the_directory_is_refused(stack: LocalStack) -> None:
    """At once, with the owner's process id, and without harm to the first."""
    started = time.monotonic()

    with pytest.raises(ConfigError, match=f"in use by process {os.getpid()}"):
        LocalStack(stack.data_dir).start()

    assert time.monotonic() - started < 10
    assert stack.dead() is None
    assert cypher(stack.endpoints, "RETURN 1") == [[1]]


@pytest.mark.parametrize("url", ["file:///etc/hostname", "http://127.0.0.1:9/", "http://[::1]:9/"])
def test_cypher_reads_no_files_and_no_addresses(stack: LocalStack, url: str) -> None:
    """LOAD CSV is shut: neither this machine's files nor its network can be read by a query."""
    with pytest.raises(ClientError, match=r"allow_csv_import_from_file_urls|cypher_ip_blocklist"):
        cypher(stack.endpoints, "LOAD CSV FROM $url AS row RETURN row", url=url)


def test_kafka_takes_and_gives_messages(stack: LocalStack) -> None:
    """A real producer and a real consumer group work against the embedded broker."""
    bootstrap = stack.endpoints.kafka_bootstrap
    assert bootstrap is not None

    produce(bootstrap, b"hello")

    assert consume(bootstrap) == b"hello"


def test_kafka_runs_without_a_neo4j(tmp_path: Path) -> None:
    """For those who have a Neo4j of their own; nothing is prepared for the one that is not there."""
    with LocalStack(tmp_path, store=False, kafka=True, kafka_port=0) as stack:
        produce(stack.endpoints.kafka_bootstrap or "", b"alone")

        assert consume(stack.endpoints.kafka_bootstrap or "") == b"alone"
        assert (stack.endpoints.bolt_uri, stack.endpoints.http_url) == (None, None)
    assert not (tmp_path / "neo4j").exists()


def test_a_server_that_is_killed_is_noticed(outside: set[psutil.Process], stack: LocalStack) -> None:
    """`wait` returns and names the part that died; what is left can still be stopped."""
    (broker,) = children(stack, "kafka.Kafka")

    broker.kill()

    assert (stack.wait(10) or "").startswith("Kafka ended with exit code 137")
    assert cypher(stack.endpoints, "RETURN 1") == [[1]]
    others = {p for child in outside for p in (child, *child.children(recursive=True))}
    everything = [p for p in psutil.Process().children(recursive=True) if p not in others]
    stack.stop()
    assert gone_within(everything, 0)


def test_a_killed_owner_leaves_no_orphan_and_a_good_store(tmp_path: Path) -> None:
    """
    After `kill -9` of the owner its servers end by themselves, the next start waits for that and finds every
    acknowledged write; an orderly stop and a start on other ports keep them, and Kafka's messages, too.
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with owner:
        assert owner.stdout is not None
        acknowledged = next(int(line) for line in owner.stdout if int(line) >= 50)
        family = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()
        acknowledged = max([acknowledged, *map(int, owner.stdout.read().split())])
    assert len(family) == 2  # the shim and Neo4j

    with LocalStack(tmp_path, kafka=True, neo4j_ports=(0, 0), kafka_port=0) as stack:
        assert gone_within(family, 0)
        found = cypher(stack.endpoints, "MATCH (n:Written) WHERE n.number <= $last RETURN count(n)", last=acknowledged)
        cypher(stack.endpoints, "CREATE (:Late)")
        produce(stack.endpoints.kafka_bootstrap or "", b"kept")
        started = time.monotonic()
    assert time.monotonic() - started < STOP_GRACE_S

    assert found == [[acknowledged + 1]]
    with LocalStack(tmp_path, kafka=True, neo4j_ports=(0, 0), kafka_port=0) as stack:
        assert cypher(stack.endpoints, "MATCH (n:Late) RETURN count(n)") == [[1]]
        assert consume(stack.endpoints.kafka_bootstrap or "") == b"kept"


def test_a_halted_training_leaves_nothing(tmp_path: Path) -> None:
    """Java's cache appears whole or not at all, and its making ends within moments when the stack stops."""
    before = set(psutil.Process().children())
    halt = threading.Event()
    halt.set()

    made = aot.train(java(), ensure_jars("neo4j", JarSource(default_cache())), tmp_path, halt)

    assert not made
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not set(psutil.Process().children()) - before


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The error holds the last lines of the server's own output."""
    command = [sys.executable, "-c", "import sys; sys.exit('no such option')"]
    server = Server("Test", command, tmp_path, tmp_path / "out")

    with pytest.raises(ServerDied, match=r"Test ended with exit code 1.*\n.*no such option"):
        server.wait_until(lambda: False, 10)

    server.stop(0)


def test_a_server_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """One that ignores SIGTERM ends all the same once its grace is over."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    server = Server("Test", [sys.executable, "-c", code], tmp_path, tmp_path / "out")
    server.wait_until(lambda: "up" in server.tail(), 30)

    assert not server.stop(0.3)
    assert server.exit_code == 128 + signal.SIGKILL


def test_a_server_dies_with_its_shim(tmp_path: Path) -> None:
    """Killing the process between graphsvc and the server leaves no server either."""
    server = Server("Test", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, tmp_path / "out")
    shim = psutil.Process(server.pid)
    deadline = time.monotonic() + 30
    while not (family := shim.children()) and time.monotonic() < deadline:
        time.sleep(0.01)

    shim.kill()

    assert gone_within(family, 30)
    assert server.exit_code == -signal.SIGKILL
    server.stop(0)
