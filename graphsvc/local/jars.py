"""
The jars of the embedded Neo4j and Kafka: named with size and sha256 in committed lock files, fetched once by jgo.

A jar enters the cache by one rename, after its digest was seen to be right, so that two processes may fill the same
cache at once and an interrupted download leaves nothing that looks finished. Every start reads all digests again
(0.2 s for 190 MB), and fetches what does not match.
"""

import contextlib
import hashlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from graphsvc.errors import ConfigError

Bundle = Literal["neo4j", "kafka"]

LOCKS: Mapping[Bundle, Path] = {
    "neo4j": Path(__file__).with_name("neo4j.lock"),
    "kafka": Path(__file__).with_name("kafka.lock"),
}
LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.+-]+)(?::([\w.-]+))? ([0-9a-f]{64}) ([0-9]+)", re.ASCII)
THREADS = 8
ATTEMPTS = 3
TIMEOUT_S = 20
PLAIN_LINE_EVERY_S = 5.0
SCRATCH = "download-"
SCRATCH_KEPT_S = 24 * 3600


class Jar(NamedTuple):
    """One line of a lock file. `size` is in bytes, `classifier` empty where there is none."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size: int

    @property
    def coordinate(self) -> str:
        """As Maven writes it: `group:artifact:version[:classifier]`."""
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier)))

    @property
    def path(self) -> Path:
        """Place below a Maven repository."""
        name = "-".join(filter(None, (self.artifact, self.version, self.classifier)))
        return Path(*self.group.split("."), self.artifact, self.version, f"{name}.jar")


@dataclass(frozen=True)
class JarSource:
    """
    Where jars are kept and fetched from.

    Attributes:
        cache: Folder shared by all data directories of this user; created where missing.
        repository: Base URL of another Maven repository (a mirror); None for jgo's default.
    """

    cache: Path
    repository: str | None = None


def default_cache() -> Path:
    """The user's cache folder for graphsvc; not created yet."""
    return Path.home() / ".cache" / "graphsvc"


def format_lock(roots: Iterable[str], jars: Iterable[Jar]) -> str:
    """Text of a lock file: one jar a line, as `parse_lock` reads it."""
    head = [f"# Written by scripts/lock_jars.py from {' + '.join(roots)}", "# coordinate sha256 bytes"]
    return "\n".join([*head, *(f"{jar.coordinate} {jar.sha256} {jar.size}" for jar in jars), ""])


def parse_lock(text: str) -> tuple[Jar, ...]:
    """
    Jars of a lock file, in its order, which is the order of the class path.

    Raises:
        ConfigError: A line is not `group:artifact:version[:classifier] sha256 size`.
    """
    lines = enumerate(text.splitlines(), start=1)
    return tuple(_parse_line(number, line) for number, line in lines if line.strip() and line[0] != "#")


def _parse_line(number: int, line: str) -> Jar:
    match = LINE.fullmatch(line)
    if match is None:
        raise ConfigError(f"jar lock file, line {number}: cannot read {line!r}")
    group, artifact, version, classifier, sha256, size = match.groups(default="")
    return Jar(group, artifact, version, classifier, sha256, int(size))


def is_intact(path: Path, jar: Jar) -> bool:
    """True when the file is there and is, byte for byte, the one which the lock names."""
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def ensure_jars(name: Bundle, source: JarSource, console: Console | None = None) -> tuple[Path, ...]:
    """
    Make all jars of one lock file present and right.

    Args:
        name: Which lock file.
        source: Cache and repository. Files in the cache that do not match the lock are fetched again.
        console: Where progress is shown when something has to be fetched (a bar on a terminal, else a line
            every few seconds); None shows nothing.

    Returns:
        Paths in lock order.

    Raises:
        ConfigError: A jar cannot be fetched (no network …), or what arrives is not what the lock names.
    """
    return ensure(parse_lock(LOCKS[name].read_text("utf-8")), name, source, console)


def ensure(jars: tuple[Jar, ...], title: str, source: JarSource, console: Console | None) -> tuple[Path, ...]:
    """`ensure_jars` for any list of jars; `title` names them to the reader of the progress bar."""
    root = source.cache / "jars"
    paths = tuple(root / jar.path for jar in jars)
    with ThreadPoolExecutor(THREADS) as pool:
        intact = list(pool.map(is_intact, paths, jars))
    missing = [jar for jar, fine in zip(jars, intact, strict=True) if not fine]
    if missing:
        _fetch_all(missing, root, title, source, console)
    return paths


@dataclass(frozen=True)
class _Run:
    """One round of downloads: `advance` takes bytes as they come, `stop` is set when no more are wanted."""

    root: Path
    scratch: Path
    source: JarSource
    advance: Callable[[int], None]
    stop: threading.Event


class _Stopped(Exception):
    """This download is no longer wanted: another has failed, or the user has had enough."""


def _fetch_all(jars: list[Jar], root: Path, title: str, source: JarSource, console: Console | None) -> None:
    """Fetch in parallel, largest first; the first failure ends it, and what was fetched stays."""
    root.mkdir(parents=True, exist_ok=True)
    _clear_scratch(source.cache)
    with (
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=source.cache, ignore_cleanup_errors=True) as scratch,
        _progress(f"{title}: {len(jars)} jars", sum(jar.size for jar in jars), console) as advance,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        run = _Run(root, Path(scratch), source, advance, threading.Event())
        tasks = [pool.submit(_fetch, jar, run) for jar in sorted(jars, key=lambda jar: -jar.size)]
        try:
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        finally:
            run.stop.set()
            pool.shutdown(cancel_futures=True)
        for task in done:
            task.result()


def _clear_scratch(cache: Path) -> None:
    """Remove what downloads killed a day ago or longer have left."""
    for folder in cache.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < time.time() - SCRATCH_KEPT_S:
                shutil.rmtree(folder)


def _fetch(jar: Jar, run: _Run) -> None:
    """
    Fetch one jar into the cache, in up to `ATTEMPTS` tries.

    Raises:
        ConfigError: The last try failed too; the message says what to do.
    """
    failure: str | None = ""
    for attempt in range(ATTEMPTS):
        failure = _try_fetch(jar, run, run.scratch / f"{attempt}")
        if failure is None or run.stop.wait(0.5 * (attempt + 1)):
            return
    raise ConfigError(
        f"cannot download {jar.coordinate}: {failure}. A first start needs the network (a proxy is taken from"
        f" HTTPS_PROXY); what has arrived is kept in {run.root}, so starting again goes on from there"
    )


def _try_fetch(jar: Jar, run: _Run, repo_cache: Path) -> str | None:
    """One try; None when the jar is in the cache (or no longer wanted), else what went wrong."""
    target = repo_cache / jar.path
    try:
        _download(jar, run, repo_cache)
    except _Stopped:
        return None
    except (OSError, RuntimeError) as exc:  # requests' errors are OSErrors; jgo says RuntimeError for a 404
        return _reason(exc)
    if not is_intact(target, jar):
        run.advance(-target.stat().st_size)
        return "what arrives is not the file that the lock names"
    final = run.root / jar.path
    final.parent.mkdir(parents=True, exist_ok=True)
    target.replace(final)
    return None


def _download(jar: Jar, run: _Run, repo_cache: Path) -> None:
    """Let jgo write one file below `repo_cache`; what it has reported is taken back when it fails."""
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - the extra graphsvc[local]
    except ImportError as exc:
        raise ConfigError("the embedded servers need the extra: pip install 'graphsvc[local]'") from exc
    seen = 0

    @contextlib.contextmanager
    def report(_name: str, _size: int) -> Generator[Callable[[int], None]]:
        def count(received: int) -> None:
            nonlocal seen
            if run.stop.is_set():
                raise _Stopped
            seen += received
            run.advance(received)

        yield count

    context = MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=repo_cache,
        remote_repos={"mirror": run.source.repository.rstrip("/")} if run.source.repository else None,
        timeout=TIMEOUT_S,
    )
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        context.resolver.download(component.artifact(jar.classifier, "jar"))
    except BaseException:
        run.advance(-seen)
        raise


def _reason(exc: Exception) -> str:
    """A few words for a failed transfer; requests' own text names pools and objects."""
    name = type(exc).__name__
    if "Timeout" in name:
        return "the network does not answer"
    if "SSL" in name or "Proxy" in name or "Connection" in name:
        return f"no connection ({name}): is there a network?"
    if isinstance(exc, RuntimeError):
        return "the repository does not give it out"
    return f"{name}: {exc}"


@contextlib.contextmanager
def _progress(title: str, total: int, console: Console | None) -> Generator[Callable[[int], None]]:
    """A function that takes bytes as they come, and shows them."""
    if console is None:
        yield lambda _received: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda received: bar.advance(task, received)
    else:
        yield _plain_lines(title, total, console)


def _plain_lines(title: str, total: int, console: Console) -> Callable[[int], None]:
    """For logs: one line at the start, and one each `PLAIN_LINE_EVERY_S` seconds."""
    lock = threading.Lock()
    received_bytes = 0
    due = time.monotonic()

    def advance(received: int) -> None:
        nonlocal received_bytes, due
        with lock:
            received_bytes += received
            if time.monotonic() >= due:
                due = time.monotonic() + PLAIN_LINE_EVERY_S
                console.print(f"downloading {title}, {received_bytes / 1e6:.0f} of {total / 1e6:.0f} MB")

    return advance
