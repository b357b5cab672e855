"""The command line, as a newcomer meets it: what works says so, and what does not is one clear line."""

import json
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from commands import run, running, until_ready
from confluent_kafka import Producer
from neo4j import GraphDatabase

ROOT = Path(__file__).parents[2]
STOP_S = 15
RETAIL = ROOT / "examples" / "retail.json"
ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,cli.orders,PROD)"
MCP = {"entityUrn": ORDERS, "aspectName": "status", "changeType": "UPSERT", "aspect": {"json": {"removed": False}}}
MCE = {
    "proposedSnapshot": {
        "com.linkedin.pegasus2avro.metadata.snapshot.DatasetSnapshot": {
            "urn": ORDERS,
            "aspects": [{"com.linkedin.pegasus2avro.common.Status": {"removed": False}}],
        }
    }
}


@pytest.fixture(scope="module")
def environment(neo4j_server: Any) -> Mapping[str, str]:
    return dict(neo4j_server.environment)


@pytest.fixture(scope="module", autouse=True)
def _empty(neo4j_server: Any) -> None:
    server = neo4j_server
    with GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
        empty = "CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
        with driver.session(database=server.database) as session:
            session.run(f"MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock {empty}").consume()


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that someone else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def service(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A `graphsvc serve`; gives its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running(tmp_path_factory.mktemp("serve"), environment, "serve", "--port", port) as child:
        until_ready(url)
        yield url
        child.stop()


def until_read(url: str, text: str, seconds: float = 90) -> None:
    """Return once the answer holds the text."""
    deadline = time.monotonic() + seconds
    while text not in (answer := httpx.get(url, timeout=10)).text:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)


def one_line(result: Any, *words: str) -> None:
    """The command failed with one line that says all of the words, and with no traceback."""
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert result.returncode == 1, result
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("graphsvc: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in result.stdout


def test_help_names_the_commands(tmp_path: Path) -> None:
    """Every command and its options are explained, and asking needs neither Neo4j nor settings."""
    overview = run(tmp_path, {}, "--help")
    one = run(tmp_path, {}, "up", "--help")

    assert overview.returncode == one.returncode == 0
    assert all(name in overview.stdout for name in ("up", "serve", "load", "migrate"))
    assert all(name in one.stdout for name in ("--data-dir", "--load", "--host", "--port", "--model", "NEO4J_URI"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        ["--nothing"],
        ["nothing"],
        ["load"],
        ["serve", "--port", "x"],
        ["serve", "--port", "65536"],
        ["up", "--port", "-1"],
    ],
)
def test_a_wrong_word_is_explained(tmp_path: Path, args: list[str]) -> None:
    """A command or option that does not exist, or a port that is none, is said as such."""
    result = run(tmp_path, {}, *args)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    """The line names the variable."""
    one_line(run(tmp_path, {"GRAPHSVC_NEO4J__URL": "bolt://x"}, "serve"), "GRAPHSVC_NEO4J__URL")


def test_an_open_door_needs_a_token(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Listening for other machines without a token is refused before anything starts."""
    one_line(run(tmp_path, environment, "serve", "--host", "0.0.0.0"), "GRAPHSVC_HTTP__TOKEN")


def test_consume_needs_a_kafka(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """It says which variable names one."""
    one_line(run(tmp_path, environment, "consume"), "KAFKA_BOOTSTRAP")


def test_migrate_may_run_twice(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """The first run says what it did, or that nothing was left to do; the second finds it done."""
    first = run(tmp_path, environment, "migrate")
    second = run(tmp_path, environment, "migrate")

    assert first.returncode == second.returncode == 0, first.stderr
    assert second.stdout.strip() == "the graph is up to date"


@pytest.mark.parametrize("args", [["migrate"], ["serve"], ["up"]])
def test_a_wrong_password_is_one_line(tmp_path: Path, environment: Mapping[str, str], args: list[str]) -> None:
    """It says that the login is wrong and where it comes from, and never which password was tried."""
    # A user of its own: after three wrong tries Neo4j lets nobody in under that name for some seconds.
    result = run(tmp_path, {**environment, "NEO4J_USER": "nobody", "NEO4J_PASSWORD": "not-the-password"}, *args)

    one_line(result, "login", "NEO4J_PASSWORD")
    assert "not-the-password" not in result.stderr


def test_a_database_that_is_not_there_is_one_line(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Waiting does not cure a wrong NEO4J_DATABASE, so the service does not start."""
    one_line(run(tmp_path, {**environment, "NEO4J_DATABASE": "nosuch"}, "serve"), "nosuch")


def test_migrate_without_neo4j_is_one_line(tmp_path: Path) -> None:
    """It names the address that does not answer."""
    port = free_port()

    one_line(run(tmp_path, {"NEO4J_URI": f"bolt://127.0.0.1:{port}"}, "migrate"), str(port))


def test_serve_waits_for_neo4j(tmp_path: Path) -> None:
    """With Neo4j away it starts all the same, says that it waits, and is alive but not ready."""
    url = f"http://127.0.0.1:{(port := free_port())}"

    with running(tmp_path, {"NEO4J_URI": f"bolt://127.0.0.1:{free_port()}"}, "serve", "--port", port) as child:
        child.wait_for("waiting for it")
        child.wait_for("trying again")
        alive, ready = httpx.get(f"{url}/health/live"), httpx.get(f"{url}/health/ready")
        _, seconds = child.stop()

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert seconds < STOP_S
    assert not any("Traceback" in line for line in child.complaints)


def test_a_taken_port_is_one_line(tmp_path: Path, environment: Mapping[str, str], taken: int) -> None:
    """`serve`, and `up` with a port that was asked for, do not go elsewhere silently."""
    for command in ("serve", "up"):
        one_line(run(tmp_path, environment, command, "--port", taken), str(taken), "--port")


@pytest.mark.parametrize("document", [MCP, [MCP], MCE, [MCE, MCP], []], ids=["MCP", "MCPs", "MCE", "both", "none"])
def test_load_takes_mcps_and_mces(service: str, tmp_path: Path, document: Any) -> None:
    """A file of one or many, of the new or the old form, lands; the command says how much."""
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(document), encoding="utf-8")

    result = run(tmp_path, {}, "load", "--url", service, file)

    count = {0: 0, 1: 1}.get(len(document), 2) if isinstance(document, list) else 1
    assert result.returncode == 0, result.stderr
    assert f"{count} proposals landed" in result.stdout


def test_load_takes_several_files_and_says_what_was_new(service: str, tmp_path: Path) -> None:
    """Sending the same again changes nothing."""
    other = tmp_path / "other.json"
    other.write_text(json.dumps(MCP), encoding="utf-8")

    first = run(tmp_path, {}, "load", "--url", service, RETAIL, other)
    second = run(tmp_path, {}, "load", "--url", service, RETAIL, other)

    count = len(json.loads(RETAIL.read_text(encoding="utf-8"))) + 1
    assert f"{count} proposals landed" in first.stdout
    assert f"{count} proposals landed, 0 of them changed the graph" in second.stdout


@pytest.mark.parametrize(
    ("text", "word"),
    [("{", "JSON"), ("", "JSON"), ("[" * 5000, "JSON"), ('{"a": NaN}', "JSON")],
    ids=["cut", "empty", "deep", "NaN"],
)
def test_a_file_that_is_not_json_is_one_line(service: str, tmp_path: Path, text: str, word: str) -> None:
    """It names the file."""
    file = tmp_path / "bad.json"
    file.write_text(text, encoding="utf-8")

    one_line(run(tmp_path, {}, "load", "--url", service, file), "bad.json", word)


def test_a_file_that_is_missing_is_one_line(service: str, tmp_path: Path) -> None:
    """A name that leads nowhere, and a folder, are named."""
    one_line(run(tmp_path, {}, "load", "--url", service, "nosuch.json"), "nosuch.json")
    one_line(run(tmp_path, {}, "load", "--url", service, tmp_path), tmp_path.name)


def test_bad_proposals_in_a_file_are_named(service: str, tmp_path: Path) -> None:
    """The good ones land; each bad one is told by its place and its reason, and the command fails."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    file = tmp_path / "mixed.json"
    nested = {"entityUrn": ORDERS, "aspectName": "homeMade", "aspect": {"json": deep}}
    file.write_text(json.dumps([MCP, {**MCP, "entityUrn": "urn:li:nosuch:x"}, {"a": 1}, nested]), encoding="utf-8")

    result = run(tmp_path, {}, "load", "--url", service, file)

    assert result.returncode == 1
    assert "1 proposals landed" in result.stdout
    assert all(f"mixed.json[{index}]" in result.stdout for index in (1, 2, 3))
    assert "nosuch" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_load_without_a_service_is_one_line(tmp_path: Path) -> None:
    """It says which address does not answer and what to start, after a few tries."""
    result = run(tmp_path, {}, "load", "--url", f"http://127.0.0.1:{free_port()}", RETAIL)

    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "graphsvc up" in result.stderr.splitlines()[-1]
    assert "urn:li:" not in result.stderr


def test_load_with_a_wrong_token_is_one_line(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """It says that the service refuses, and with the right one all lands; the token comes from the environment too."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running(tmp_path, {**environment, "GRAPHSVC_HTTP__TOKEN": "right"}, "serve", "--port", port) as child:
        until_ready(url)
        wrong = run(tmp_path, {}, "load", "--url", url, "--token", "wrong", RETAIL)
        right = run(tmp_path, {"GRAPHSVC_HTTP__TOKEN": "right"}, "load", "--url", url, RETAIL)
        child.stop()

    one_line(wrong, "401")
    assert right.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_up_on_a_server_of_ones_own(
    tmp_path: Path, environment: Mapping[str, str], taken: int, how: signal.Signals
) -> None:
    """
    With NEO4J_URI set `up` starts no other Neo4j, loads the example, says what to open, and ends at Ctrl-C or SIGTERM.

    `load` in the same folder finds the service by itself.
    """
    with running(tmp_path, environment, "up", "--port", free_port(), "--load", RETAIL) as child:
        child.wait_for("Ctrl-C stops everything")
        said = "\n".join(child.lines)
        urls = {line.split()[-1] for line in child.lines if "http://" in line}
        pages = [httpx.get(url, headers={"Accept": "text/html"}) for url in urls if url.endswith(("/graphql", "/docs"))]
        again = run(tmp_path, {}, "load", RETAIL)
        code, seconds = child.stop(how)

    assert f"{len(json.loads(RETAIL.read_text(encoding='utf-8')))} proposals landed" in said
    assert environment["NEO4J_URI"] in said
    assert len(pages) == 2
    assert all(page.status_code == 200 for page in pages)
    assert "0 of them changed the graph" in again.stdout
    assert code in (0, 128 + signal.SIGINT)
    assert seconds < STOP_S
    assert not any("Traceback" in line for line in child.complaints)
    assert not (tmp_path / ".graphsvc" / "service.json").exists()


def test_up_goes_to_another_port_where_its_own_is_taken(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Nobody asked for 8080: where someone has it, a free port is as good, and is said."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 8080))
        other.listen()
        with running(tmp_path, environment, "up") as child:
            child.wait_for("Ctrl-C stops everything")
            (line,) = [line for line in child.lines if line.strip().startswith("DataHub's clients")]
            url = line.split()[-1]
            answer = httpx.get(f"{url}/config")
            child.stop()

    assert not url.endswith(":8080")
    assert answer.json()["noCode"] == "true"


def test_up_starts_kafka_beside_ones_own_neo4j(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Only what was asked for is started; the Neo4j that NEO4J_URI names is used. A record on the topic is applied."""
    with running(tmp_path, environment, "up", "--kafka", "--port", free_port()) as child:
        child.wait_for("Ctrl-C stops everything")
        said = {line.split()[0]: line.split()[-1] for line in child.lines if line.startswith("  ")}
        url = next(line.split()[-1] for line in child.lines if line.strip().startswith("DataHub's clients"))
        tag = "urn:li:tag:by-kafka"
        producer = Producer({"bootstrap.servers": said["Kafka"]})
        record = {"entityUrn": tag, "aspectName": "tagProperties", "aspect": {"json": {"name": "By Kafka"}}}
        producer.produce("MetadataChangeProposal_v1", json.dumps(record), tag)
        assert producer.flush(30) == 0
        until_read(f"{url}/entitiesV2/{quote(tag, safe='')}", "By Kafka")
        child.stop()

    assert said["Neo4j"] == environment["NEO4J_URI"]
    assert said["Kafka"].startswith("127.0.0.1:")
    assert not (tmp_path / ".graphsvc" / "neo4j").exists()


def test_up_with_a_bad_file_stops_and_says_so(tmp_path: Path, environment: Mapping[str, str]) -> None:
    """A file that cannot be read ends the start with its name, not with a service that lacks it."""
    result = run(tmp_path, environment, "up", "--port", free_port(), "--load", "nosuch.json")

    one_line(result, "nosuch.json")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_in_the_middle_of_a_load(tmp_path: Path, environment: Mapping[str, str], how: signal.Signals) -> None:
    """Ctrl-C does not wait for a long load, and complains about nothing."""
    big = tmp_path / "big.json"
    tags = [
        {"entityUrn": f"urn:li:tag:cli{i}", "aspectName": "tagProperties", "aspect": {"json": {"name": "x"}}}
        for i in range(30_000)
    ]
    big.write_text(json.dumps(tags), encoding="utf-8")

    with running(tmp_path, environment, "up", "--port", (port := free_port()), "--load", big) as child:
        until_ready(f"http://127.0.0.1:{port}")
        code, seconds = child.stop(how)

    assert code in (0, 128 + signal.SIGINT)
    assert seconds < STOP_S
    assert child.complaints == []
