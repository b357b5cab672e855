"""The compose file and the image say what the program understands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from graphsvc.app import create_app
from graphsvc.cli import app as cli
from graphsvc.config import NEO4J_ALIASES, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = COMPOSE["services"]
COMMAND = re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_for_this_machine(name: str) -> None:
    """Whatever a service publishes, it publishes on loopback."""
    ports = SERVICES[name].get("ports", [])

    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_no_secret_has_a_default() -> None:
    """Every variable is demanded with `:?`: a forgotten one stops the start. No secret stands in the file."""
    variables = re.findall(r"\$\{([^}]*)\}", TEXT)
    secrets = [
        value
        for service in SERVICES.values()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|TOKEN|AUTH|SECRET", key)
    ]

    assert variables
    assert all(":?" in variable for variable in variables)
    assert secrets
    assert all("${" in value for value in secrets)


@pytest.mark.parametrize("name", OURS)
def test_our_variables_are_settings(name: str) -> None:
    """Each variable of our containers is one that graphsvc reads, with a value that it takes."""
    environment = {key: re.sub(r"\$\{[^}]*\}", "given", text) for key, text in OURS[name]["environment"].items()}

    settings = Settings.from_env(environment)

    assert all(key.startswith("GRAPHSVC_") or key in NEO4J_ALIASES for key in environment)
    assert settings.neo4j.uri == "bolt://neo4j:7687"
    assert settings.http.token is not None


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
    """The health check asks a path that exists and is open without the token."""
    check = " ".join(OURS[name]["healthcheck"]["test"])
    (path,) = re.findall(r"http://127\.0\.0\.1:8080(/[\w/]+)", check)

    paths = create_app(Settings()).openapi()["paths"]

    assert path in paths
    assert path == "/health/ready"
    assert "127.0.0.1" in SERVICES[name]["environment"]["GRAPHSVC_HTTP__ALLOWED_HOSTS"].split(",")


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
