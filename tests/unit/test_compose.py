"""The compose file and the image say what the program understands."""

import ast
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from typer.main import get_command

from graphsvc.app import create_app, create_consumer
from graphsvc.cli import app as cli
from graphsvc.config import NEO4J_ALIASES, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = COMPOSE["services"]
COMMAND = re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
CONSUMERS = {name for name, service in OURS.items() if service["command"][1] == "consume"}
SPECIFICATION = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text("utf-8"))
REFERENCE = re.compile(r"\$\{([^}]*)\}")


def wrongs(document: Any) -> list[str]:
    """What the compose specification says against a document."""
    schema = validator_for(SPECIFICATION, Draft202012Validator)(SPECIFICATION)
    return [error.json_path for error in schema.iter_errors(document)]


def settings_of(name: str) -> Settings:
    """What graphsvc makes of a container's variables."""
    environment = {key: REFERENCE.sub("given", text) for key, text in OURS[name]["environment"].items()}
    return Settings.from_env(environment)


def app_of(name: str) -> tuple[FastAPI, str, int]:
    """What listens in a container of ours, and where."""
    settings = settings_of(name)
    command = get_command(cli).commands[OURS[name]["command"][1]]  # type: ignore[attr-defined]
    options = command.make_context("graphsvc", OURS[name]["command"][2:]).params
    if name in CONSUMERS:
        return create_consumer(settings), settings.kafka.metrics_host, settings.kafka.metrics_port
    return create_app(settings), options["host"] or settings.http.host, options["port"] or settings.http.port


def test_the_specification_has_nothing_against_it() -> None:
    """The file is what Docker Compose reads, by the JSON schema of the compose specification."""
    assert wrongs(COMPOSE) == []


@pytest.mark.parametrize(
    ("place", "value", "wrong"),
    [
        (("restart",), 1, "$.services.graphsvc.restart"),
        (("enviroment",), {}, "$.services.graphsvc"),
        (("healthcheck", "intervall"), "5s", "$.services.graphsvc.healthcheck"),
        (("depends_on", "neo4j", "condition"), "healthy", "$.services.graphsvc.depends_on"),
    ],
)
def test_the_specification_finds_a_planted_mistake(place: tuple[str, ...], value: Any, wrong: str) -> None:
    """A check that cannot fail holds nothing."""
    document = json.loads(json.dumps(COMPOSE))
    at = document["services"]["graphsvc"]
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value

    assert wrong in wrongs(document)


def test_there_are_neo4j_kafka_a_service_and_two_consumers() -> None:
    """All of them watched by a health check, and ours started once the servers are healthy."""
    servers = SERVICES.keys() - OURS.keys()

    assert servers == {"neo4j", "kafka"}
    assert len(CONSUMERS) == 2
    assert len(OURS) == 3
    assert all(service["healthcheck"]["test"] for service in SERVICES.values())
    for service in OURS.values():
        assert service["depends_on"] == {name: {"condition": "service_healthy"} for name in servers}


def test_what_is_referred_to_is_there() -> None:
    """Each named volume is declared, and used."""
    mounted = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}

    assert mounted == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_for_this_machine(name: str) -> None:
    """Whatever a service publishes, it publishes on loopback, and no container shares the host's network."""
    ports = SERVICES[name].get("ports", [])

    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    assert "network_mode" not in SERVICES[name]


def test_no_secret_has_a_default() -> None:
    """Every variable is demanded with `:?`: a forgotten one stops the start. No secret stands in the file."""
    variables = REFERENCE.findall(TEXT)
    secrets = [
        value
        for service in SERVICES.values()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|TOKEN|AUTH|SECRET", key)
    ]

    assert variables
    assert all(re.fullmatch(r"\w+:\?.+", variable) for variable in variables)
    assert set(re.findall(r"(?m)^#   (\w+)=", TEXT)) == {variable.partition(":")[0] for variable in variables}
    assert secrets
    assert all(REFERENCE.search(value) for value in secrets)


@pytest.mark.parametrize("name", OURS)
def test_our_variables_are_settings(name: str) -> None:
    """Each variable of our containers is one that graphsvc reads, and leads to the other containers."""
    settings = settings_of(name)
    host, _, port = settings.kafka.bootstrap.partition(":")

    assert all(
        key.startswith("GRAPHSVC_") or key in NEO4J_ALIASES or key == "KAFKA_BOOTSTRAP"
        for key in OURS[name]["environment"]
    )
    assert settings.neo4j.uri == "bolt://neo4j:7687"
    assert settings.neo4j.user == SERVICES["neo4j"]["environment"]["NEO4J_AUTH"].partition("/")[0]
    assert settings.http.token is not None
    assert f"INSIDE://{host}:{port}" in advertised()
    assert host in SERVICES


def advertised() -> list[str]:
    return SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")


def test_kafka_is_reached_from_here_and_from_the_containers() -> None:
    """Each advertised listener is opened and has its protocol; the one for this machine is at the published port."""
    kafka = SERVICES["kafka"]["environment"]
    opened = dict(text.split("://:") for text in kafka["KAFKA_LISTENERS"].split(","))
    told = dict(text.split("://") for text in advertised())
    (published,) = SERVICES["kafka"]["ports"]

    assert {name: place.rpartition(":")[2] for name, place in told.items()}.items() <= opened.items()
    assert {text.partition(":")[0] for text in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")} == {*opened}
    assert published == f"{told['OUTSIDE']}:{opened['OUTSIDE']}"
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"].endswith(f"@kafka:{opened['CONTROLLER']}")
    assert int(kafka["KAFKA_MESSAGE_MAX_BYTES"]) >= Settings().limits.body_bytes
    assert SERVICES["kafka"]["volumes"] == [f"kafka-data:{kafka['KAFKA_LOG_DIRS']}"]


@pytest.mark.parametrize("line", [*(service["command"] for service in OURS.values()), COMMAND and COMMAND[1]])
def test_commands_are_those_of_the_program(line: Any) -> None:
    """Each container runs a command that the program has, with options that the command has."""
    program, command, *options = yaml.safe_load(line) if isinstance(line, str) else line
    known = get_command(cli).commands[command]  # type: ignore[attr-defined]

    context = known.make_context(command, options)

    assert program == "graphsvc"
    assert not context.args


@pytest.mark.parametrize("name", OURS)
def test_health_checks_ask_what_is_served(name: str) -> None:
    """The check is code that the image's Python runs; it asks the port of the container's command for a path it has."""
    kind, program, option, code = OURS[name]["healthcheck"]["test"]
    (url,) = [n.value for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    app, host, port = app_of(name)

    paths = app.openapi()["paths"]

    assert (kind, program, option) == ("CMD", "python", "-c")
    assert url == f"http://127.0.0.1:{port}/health/ready"
    assert host in ("0.0.0.0", "127.0.0.1")
    assert {"/health/ready", "/health/live", "/metrics"} <= paths.keys()
    assert name in CONSUMERS or "127.0.0.1" in settings_of(name).http.allowed_hosts
    assert re.search(r"^FROM python:\S+$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", OURS)
def test_published_ports_are_those_that_are_listened_on(name: str) -> None:
    """A port that a container of ours publishes is the one that its program has, on an address reached from outside."""
    _, host, port = app_of(name)

    for published in OURS[name].get("ports", ()):
        assert published.rpartition(":")[2] == str(port)
        assert host == "0.0.0.0"
        assert f"EXPOSE {port}" in DOCKERFILE


def test_the_stores_image_is_the_one_that_tests_use() -> None:
    """The deployment runs the Neo4j that our tests ran against."""
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")

    assert f'"{SERVICES["neo4j"]["image"]}"' in conftest


def test_the_image_copies_what_is_there() -> None:
    """All that the Dockerfile copies from the project exists, and .dockerignore does not keep it back."""
    copies = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)]
    sources = [source for line in copies for source in line]
    ignored = [line.strip("/") for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()]
    kept_back = set(ignored) - {"!" + line for line in ignored}

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert not set(sources) & kept_back


def test_the_image_runs_as_nobody() -> None:
    """The process in the container is not root, and pip takes only what the lock file names."""
    assert re.search(r"^USER \d+:\d+$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE
