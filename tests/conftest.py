"""
The servers that tests run against, and graphsvc's parts on top of them.

Neo4j comes from the environment if NEO4J_URI is set, else from testcontainers where a Docker engine answers, else from
`graphsvc/local`: one instance for the whole run, emptied between tests. Where none can be had, tests fail.
"""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors
import orjson
import pytest
from hypothesis import HealthCheck, settings
from neo4j import AsyncDriver
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.neo4j import Neo4jContainer

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.graph.driver import open_driver
from graphsvc.graph.migrate import migrate
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry, load_registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import proposals_of_file
from graphsvc.local.stack import LocalStack

ROOT = Path(__file__).parents[1]
NEO4J_IMAGE = "neo4j:2026.08.1-community"
KAFKA_IMAGE = "confluentinc/cp-kafka:7.6.0"

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@dataclass(frozen=True)
class Neo4jServer:
    """How to reach the Neo4j of this run."""

    uri: str
    user: str
    password: str
    database: str = "neo4j"

    @property
    def environment(self) -> dict[str, str]:
        """The same as variables for a process of its own."""
        return {
            "NEO4J_URI": self.uri,
            "NEO4J_USER": self.user,
            "NEO4J_PASSWORD": self.password,
            "NEO4J_DATABASE": self.database,
        }


def docker_answers() -> bool:
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if path.startswith("/"):  # asked by hand first: docker's client leaks its socket where nobody listens
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path):
                return False
    client = docker.from_env(version="1.44", timeout=5)  # a version, so that it does not connect here already
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jServer]:
    if uri := os.environ.get("NEO4J_URI"):
        env = os.environ
        yield Neo4jServer(
            uri, env.get("NEO4J_USER", "neo4j"), env.get("NEO4J_PASSWORD", ""), env.get("NEO4J_DATABASE", "neo4j")
        )
    elif docker_answers():
        with Neo4jContainer(NEO4J_IMAGE) as container:
            yield Neo4jServer(container.get_connection_url(), "neo4j", container.password)
    else:
        with LocalStack(tmp_path_factory.mktemp("neo4j")) as stack:
            endpoints = stack.endpoints
            yield Neo4jServer(endpoints.bolt_uri, endpoints.user, endpoints.password)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker: from KAFKA_BOOTSTRAP if it is set, else from testcontainers, else from `graphsvc/local`."""
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        yield bootstrap
    elif docker_answers():
        with KafkaContainer(KAFKA_IMAGE).with_kraft() as container:
            yield container.get_bootstrap_server()
    else:
        with LocalStack(tmp_path_factory.mktemp("kafka"), store=False, kafka=True) as stack:
            assert stack.endpoints.kafka_bootstrap is not None
            yield stack.endpoints.kafka_bootstrap


@pytest.fixture(scope="session")
def database(neo4j_server: Neo4jServer) -> str:
    return neo4j_server.database


@pytest.fixture(scope="session")
async def driver(neo4j_server: Neo4jServer) -> AsyncIterator[AsyncDriver]:
    async with open_driver(neo4j_server.uri, neo4j_server.user, neo4j_server.password) as opened:
        await migrate(opened, neo4j_server.database)
        yield opened


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_registry()


async def empty(driver: AsyncDriver, database: str) -> None:
    text = """
        MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock
        CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS
    """
    async with driver.session(database=database) as session:
        await (await session.run(text)).consume()


@pytest.fixture
async def graph(driver: AsyncDriver, database: str) -> AsyncDriver:
    """The driver, with the graph emptied and its constraints in place."""
    await empty(driver, database)
    return driver


@pytest.fixture(scope="session")
def reader(driver: AsyncDriver, database: str, registry: Registry) -> Reader:
    return Reader(driver, database, 30.0, registry)


@pytest.fixture(scope="session")
def service(driver: AsyncDriver, neo4j_server: Neo4jServer, registry: Registry) -> IngestService:
    neo4j = Neo4jSettings(uri=neo4j_server.uri, database=neo4j_server.database)
    return IngestService(driver, registry, neo4j, IngestSettings(), LimitSettings())


@pytest.fixture(scope="module")
async def retail(driver: AsyncDriver, database: str, service: IngestService, registry: Registry) -> int:
    """The example metadata, in an otherwise empty graph; gives the number of its proposals."""
    await empty(driver, database)
    items = proposals_of_file(orjson.loads((ROOT / "examples" / "retail.json").read_bytes()), registry)
    answers = await service.ingest(items)
    assert all(isinstance(answer, Applied) for answer in answers), answers
    return len(items)
