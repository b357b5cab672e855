"""Jars of the embedded servers: the lock file, and a download that ends in the right bytes or in one clear line."""

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from graphsvc.errors import ConfigError
from graphsvc.local import jars
from graphsvc.local.jars import Jar, JarSource, ensure, format_lock, is_intact, parse_lock

CONTENT = bytes(range(256)) * 40


def jar_of(content: bytes, artifact: str = "thing", classifier: str = "") -> Jar:
    return Jar("org.example", artifact, "1.0", classifier, hashlib.sha256(content).hexdigest(), len(content))


class Repository(ThreadingHTTPServer):
    """A Maven repository on loopback: `answers` lists, per path, the bodies of the next requests (the last stays)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[bytes]] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def offer(self, jar: Jar, *bodies: bytes) -> None:
        self.answers[f"/{jar.path.as_posix()}"] = list(bodies)


class Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        bodies = self.server.answers.get(self.path)
        if not bodies:
            self.send_error(404)
            return
        self.server.asked.append(self.path)
        body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))  # a shorter body is a transfer cut off
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.parametrize("name", ["neo4j", "kafka"])
def test_the_committed_locks_name_each_jar_once(name: jars.Bundle) -> None:
    """Each shipped lock parses, has no jar twice, and prints back to the same lines."""
    text = jars.LOCKS[name].read_text()

    locked = parse_lock(text)

    assert len({jar.path for jar in locked}) == len(locked) > 40
    assert text.endswith(format_lock([], locked).split("\n", 2)[2])


def test_a_lock_keeps_coordinates_and_classifiers() -> None:
    """What is written is what is read, with and without a classifier."""
    written = [jar_of(b"a"), jar_of(b"b", classifier="linux-x86_64")]

    read = parse_lock(format_lock(["org.example:thing:1.0"], written))

    assert list(read) == written
    assert read[1].path == Path("org/example/thing/1.0/thing-1.0-linux-x86_64.jar")


@pytest.mark.parametrize(
    "line",
    [
        "a:b:1 SHA",
        "a:b SHA 1",
        "a:b:1:c:d SHA 1",
        "a:../b:1 SHA 1",
        "a:b:1 zz 1",
        "a:b:1 SHA x",
    ],
)
def test_a_bad_line_of_a_lock_is_named(line: str) -> None:
    """A lock edited by hand into nonsense is refused with the number of its line."""
    with pytest.raises(ConfigError, match="line 2"):
        parse_lock("# head\n" + line.replace("SHA", "0" * 64))


def test_jars_are_fetched_once(repository: Repository, tmp_path: Path) -> None:
    """The first call downloads, the second finds everything in the cache and asks no one."""
    wanted = tuple(jar_of(CONTENT, f"thing{number}") for number in range(12))
    for jar in wanted:
        repository.offer(jar, CONTENT)
    source = JarSource(tmp_path, repository.url)

    paths = ensure(wanted, "test", source, None)
    asked = len(repository.asked)
    again = ensure(wanted, "test", source, None)

    assert paths == again
    assert all(map(is_intact, paths, wanted))
    assert len(repository.asked) == asked == len(wanted)
    assert not list(tmp_path.glob("download-*"))


@pytest.mark.parametrize("damaged", [CONTENT[:-1], b"x" * len(CONTENT), b""])
def test_a_damaged_file_in_the_cache_is_fetched_again(repository: Repository, tmp_path: Path, damaged: bytes) -> None:
    """A file cut short, changed or empty is seen at the next start and replaced."""
    jar = jar_of(CONTENT)
    repository.offer(jar, CONTENT)
    source = JarSource(tmp_path, repository.url)
    (path,) = ensure((jar,), "test", source, None)
    path.write_bytes(damaged)

    ensure((jar,), "test", source, None)

    assert path.read_bytes() == CONTENT


def test_a_download_cut_off_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    """A connection that ends half-way costs a second try, and its half never reaches the cache."""
    jar = jar_of(CONTENT)
    repository.offer(jar, CONTENT[: len(CONTENT) // 2], CONTENT)

    (path,) = ensure((jar,), "test", JarSource(tmp_path, repository.url), None)

    assert path.read_bytes() == CONTENT
    assert len(repository.asked) == 2


def test_wrong_bytes_never_reach_the_cache(repository: Repository, tmp_path: Path) -> None:
    """A repository that serves something else than the lock names ends the start, and leaves no file."""
    jar = jar_of(CONTENT)
    repository.offer(jar, b"y" * len(CONTENT))

    with pytest.raises(ConfigError, match=r"org\.example:thing:1\.0: what arrives is not the file"):
        ensure((jar,), "test", JarSource(tmp_path, repository.url), None)

    assert not list(tmp_path.rglob("*.jar"))


def test_a_missing_jar_is_named(repository: Repository, tmp_path: Path) -> None:
    """A repository without the jar is told apart from a missing network."""
    with pytest.raises(ConfigError, match="the repository does not give it out"):
        ensure((jar_of(CONTENT),), "test", JarSource(tmp_path, repository.url), None)


def test_no_network_is_one_clear_line(tmp_path: Path) -> None:
    """Without a network the start ends in seconds, with one line that says what is missing and what to do."""
    wanted = tuple(jar_of(CONTENT, f"thing{number}") for number in range(50))

    with pytest.raises(ConfigError) as caught:
        ensure(wanted, "test", JarSource(tmp_path, "http://127.0.0.1:9"), None)

    message = str(caught.value)
    assert "is there a network?" in message
    assert "A first start needs the network" in message
    assert "\n" not in message


def test_progress_off_a_terminal_is_plain_lines(repository: Repository, tmp_path: Path) -> None:
    """In a log there is one line at the beginning, no control characters, and nothing when all is there."""
    jar = jar_of(CONTENT)
    repository.offer(jar, CONTENT)
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=200)

    ensure((jar,), "test", JarSource(tmp_path, repository.url), console)
    first = out.getvalue()
    ensure((jar,), "test", JarSource(tmp_path, repository.url), console)

    assert first.startswith("downloading test: 1 jars")
    assert first.isprintable() or first.strip().isprintable()
    assert out.getvalue() == first


def test_progress_on_a_terminal_is_a_bar(repository: Repository, tmp_path: Path) -> None:
    """A person at a terminal sees what is fetched, and how much of it has come."""
    jar = jar_of(CONTENT)
    repository.offer(jar, CONTENT)
    out = io.StringIO()

    ensure((jar,), "test", JarSource(tmp_path, repository.url), Console(file=out, force_terminal=True, width=120))

    assert "test: 1 jars" in out.getvalue()
    assert "10.2/10.2 kB" in out.getvalue()
