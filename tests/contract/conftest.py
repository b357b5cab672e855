"""
DataHub's own clients, unmodified, against a real `graphsvc serve` on a real Neo4j.

The clients live in an environment of their own, `.venv-datahub`, which `make test` installs. They are only ever started
as processes: the command line `datahub`, and the scripts in `clients/`, which print one JSON document.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from neo4j import GraphDatabase

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
DATAHUB = ROOT / ".venv-datahub" / "bin"
START_S = 60
CLIENT_S = 180
LOG_SHOWN = 3_000
CLEAR = (
    "MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
)

_logs: list[Path] = []


@dataclass(frozen=True)
class Served:
    """A graphsvc that runs in a process of its own."""

    url: str
    log: Path


@dataclass(frozen=True)
class DataHub:
    """DataHub's clients, told where the service is."""

    url: str
    home: Path
    token: str | None = None

    def cli(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run `datahub …`."""
        return self._run([DATAHUB / "datahub", *args])

    def ingest(self, recipe: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run `datahub ingest -c` with this recipe; JSON is YAML."""
        file = self.home / f"recipe-{time.monotonic_ns()}.yml"
        file.write_text(json.dumps(recipe), encoding="utf-8")
        return self.cli("ingest", "-c", file)

    def client(self, script: str, *args: str | Path) -> Any:
        """Run `clients/<script>.py <url> …` and give what it prints."""
        done = self._run([DATAHUB / "python", CLIENTS / f"{script}.py", self.url, *args])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        if not (DATAHUB / "datahub").is_file():
            pytest.fail("DataHub's clients are not installed: run `make test`", pytrace=False)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "DATAHUB_TELEMETRY_ENABLED": "false",
            "DATAHUB_GMS_URL": self.url,
        }
        if self.token is not None:
            environment["DATAHUB_GMS_TOKEN"] = self.token
        return subprocess.run(
            [str(part) for part in command],
            env=environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_S,
            check=False,
        )


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[Served]:
    """A `graphsvc serve` on a free port; its stderr is in the log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHSVC_", "KAFKA_"))}
    command = [sys.executable, "-m", "graphsvc.cli", "serve", "--port", str(port)]
    _logs.append(log)
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, cwd=ROOT, env={**plain, **environment}, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(url, process, log)
            yield Served(url, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
            _logs.remove(log)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"graphsvc did not start:\n{log.read_text(encoding='utf-8')[-LOG_SHOWN:]}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the service has logged goes to the report of a test that failed."""
    report = yield
    if report.failed:
        for log in _logs:
            report.sections.append((f"graphsvc, {log.name}", log.read_text(encoding="utf-8")[-LOG_SHOWN:]))
    return report


@pytest.fixture(scope="session")
def serve(neo4j_server):
    """Start a service of one's own, with more variables in its environment."""

    def start(log: Path, **environment: str):
        return serving({**neo4j_server.environment, **environment}, log)

    return start


@pytest.fixture(scope="session")
def served(serve, tmp_path_factory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served") / "stderr.log") as running:
        yield running


@pytest.fixture(scope="session")
def datahub(served, tmp_path_factory) -> DataHub:
    return DataHub(served.url, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def cypher(neo4j_server, served):
    """Run a query; gives the one value it returns, or None."""
    with GraphDatabase.driver(neo4j_server.uri, auth=(neo4j_server.user, neo4j_server.password)) as driver:

        def run(text: str) -> Any:
            with driver.session(database=neo4j_server.database) as session:
                record = session.run(text).single()
                return record and record.value()

        yield run


@pytest.fixture(scope="module")
def emptied(cypher) -> None:
    """An empty graph at the module's start; constraints and the record of migrations stay."""
    cypher(CLEAR)


@pytest.fixture
def empty_graph(cypher) -> None:
    """An empty graph at the test's start."""
    cypher(CLEAR)
