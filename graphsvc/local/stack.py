"""The embedded stack: one data directory, its lock, and the servers that live on it."""

import contextlib
import fcntl
import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from neo4j.exceptions import DriverError, Neo4jError
from rich.console import Console

from graphsvc.errors import ConfigError
from graphsvc.local import aot, kafka, neo4j
from graphsvc.local.jars import JarSource, default_cache, ensure_jars
from graphsvc.local.ports import Ports, choose_ports, is_free
from graphsvc.local.process import Server, ServerDied, java

START_ATTEMPTS = 3
START_TIMEOUT_S = 180.0
STOP_GRACE_S = 20.0
LEFTOVER_WAIT_S = 15.0
POLL_S = 0.2


@dataclass(frozen=True)
class Endpoints:
    """Where the servers of a started stack answer; None for one that was not asked for."""

    bolt_uri: str | None
    http_url: str | None
    user: str
    password: str = field(repr=False)
    kafka_bootstrap: str | None


class LocalStack:
    """
    A private Neo4j, Kafka, or both, on one data directory.

    As a context manager it is started on entry and stopped on exit. `wait`, `dead` and `stop` may be called from
    another thread than `start`.
    """

    def __init__(  # noqa: PLR0913 - settings of one thing, all but the first with a default
        self,
        data_dir: Path,
        *,
        store: bool = True,
        kafka: bool = False,
        neo4j_ports: tuple[int, int] = (7687, 7474),
        kafka_port: int = 9092,
        memory: neo4j.Memory | None = None,
        jars: JarSource | None = None,
        console: Console | None = None,
        train: bool = False,
    ) -> None:
        """
        Note the settings; nothing is touched before `start`.

        Args:
            data_dir: Folder for stores, logs and the password; created where missing, for this user alone.
            store: Start a Neo4j.
            kafka: Start a Kafka.
            neo4j_ports: Bolt and HTTP port to take if they are free; else free ones are chosen, anew each time.
            kafka_port: The same for Kafka.
            memory: Limits of Neo4j.
            jars: Cache and repository of the jars; None for the user's cache folder and jgo's default.
            console: Where the progress of a first download is shown; None shows nothing.
            train: Once started, and where it is missing, make Java's ahead-of-time cache for later starts, in the
                background at the lowest priority (see `aot`). A cache that is there is used in any case.
        """
        self.data_dir = data_dir.absolute()
        self._with_store = store
        self._with_kafka = kafka
        self._wanted = (*neo4j_ports, kafka_port)
        self._memory = memory or neo4j.Memory()
        self._jars = jars or JarSource(default_cache())
        self._console = console
        self._train = train
        self._halt = threading.Event()
        self._trainer: threading.Thread | None = None
        self._lock: int | None = None
        self._servers: list[Server] = []
        self._endpoints: Endpoints | None = None

    @property
    def endpoints(self) -> Endpoints:
        """
        Where the servers answer.

        Raises:
            ConfigError: The stack is not started.
        """
        if self._endpoints is None:
            raise ConfigError("the embedded stack is not started")
        return self._endpoints

    def start(self) -> Endpoints:
        """
        Fetch what is missing, start all servers, and return once they answer.

        Whatever happens in between, Ctrl-C too, nothing is left running when this raises.

        Raises:
            ConfigError: The data directory is in use, a jar cannot be fetched, a server does not start.
        """
        if self._lock is not None:
            raise ConfigError("the embedded stack is started already")
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = take_lock(self.data_dir / "lock")
            neo4j_jars = ensure_jars("neo4j", self._jars, self._console) if self._with_store else ()
            kafka_jars = ensure_jars("kafka", self._jars, self._console) if self._with_kafka else ()
            password = keep_password(self.password_file, fresh=not self._neo4j_home.joinpath("data").exists())
            self._endpoints = self._start_on_free_ports(neo4j_jars, kafka_jars, password)
            if self._train and self._with_store:
                self._start_training(neo4j_jars)
        except BaseException:
            self.stop()
            raise
        return self._endpoints

    @property
    def password_file(self) -> Path:
        """The password of Neo4j's user, readable by this user alone."""
        return self.data_dir / "password"

    def dead(self) -> str | None:
        """One line on the first server found ended; None while all run."""
        return next((server.describe_death() for server in self._servers if server.exit_code is not None), None)

    def wait(self, timeout_s: float | None = None) -> str | None:
        """Block until a server has ended (its line, as from `dead`), or until `stop` or `timeout_s` seconds (None)."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._servers and (deadline is None or time.monotonic() < deadline):
            if (death := self.dead()) is not None:
                return death
            time.sleep(POLL_S)
        return None

    def stop(self) -> None:
        """Stop all servers, in order where they let us, and free the data directory. May be called twice."""
        self._halt.set()
        self._stop_servers()
        trainer, self._trainer = self._trainer, None
        if trainer is not None:
            trainer.join()
        self._endpoints = None
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _neo4j_home(self) -> Path:
        return self.data_dir / "neo4j"

    @property
    def _kafka_home(self) -> Path:
        return self.data_dir / "kafka"

    def _start_on_free_ports(
        self, neo4j_jars: tuple[Path, ...], kafka_jars: tuple[Path, ...], password: str
    ) -> Endpoints:
        """Start all; again on other ports when someone took one of ours in the meantime, or without a bad cache."""
        cache = aot.cache_file(self._jars.cache, java(), neo4j_jars)
        for attempt in range(START_ATTEMPTS):
            ports = choose_ports(self._wanted)
            flags = (f"-XX:AOTCache={cache}",) if cache.exists() else ()
            try:
                return self._start_servers(neo4j_jars, kafka_jars, password, ports, flags)
            except ServerDied:
                self._stop_servers()
                taken = not all(map(is_free, (ports.bolt, ports.http, ports.kafka, ports.controller)))
                if attempt + 1 == START_ATTEMPTS or not (taken or flags):
                    raise
                if not taken:
                    cache.unlink(missing_ok=True)
        raise AssertionError  # the last attempt returned or raised

    def _start_training(self, jars: tuple[Path, ...]) -> None:
        """Train in a thread; what goes wrong there costs a faster start, no more."""
        program, cache = java(), self._jars.cache
        if aot.cache_file(cache, program, jars).exists():
            return

        def run() -> None:
            with contextlib.suppress(ConfigError, OSError, Neo4jError, DriverError):
                aot.train(program, jars, cache, self._halt)

        self._halt.clear()
        self._trainer = threading.Thread(target=run, name="graphsvc-train", daemon=True)
        self._trainer.start()

    def _start_servers(
        self,
        neo4j_jars: tuple[Path, ...],
        kafka_jars: tuple[Path, ...],
        password: str,
        ports: Ports,
        flags: tuple[str, ...],
    ) -> Endpoints:
        program = java()
        home, logs = self._neo4j_home, self.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        if not self._with_store:
            bootstrap = self._start_kafka(program, kafka_jars, ports) if self._with_kafka else None
            return Endpoints(None, None, neo4j.USER, password, bootstrap)
        neo4j.prepare(home, ports.bolt, ports.http, self._memory, password)
        command = neo4j.command(program, neo4j_jars, home, self._memory, flags)
        store = self._run("Neo4j", command, home, logs / "neo4j.out")
        bootstrap = self._start_kafka(program, kafka_jars, ports) if self._with_kafka else None
        bolt_uri = f"bolt://127.0.0.1:{ports.bolt}"
        store.wait_until(lambda: neo4j.says_started(home), START_TIMEOUT_S)
        store.wait_until(lambda: neo4j.answers(bolt_uri, password, self.password_file), START_TIMEOUT_S)
        return Endpoints(bolt_uri, f"http://127.0.0.1:{ports.http}", neo4j.USER, password, bootstrap)

    def _start_kafka(self, program: str, jars: tuple[Path, ...], ports: Ports) -> str:
        home, logs = self._kafka_home, self.data_dir / "logs"
        cluster_id = kafka.prepare(home, ports.kafka, ports.controller)
        formatted = home / "formatted"
        if not formatted.exists():
            command = kafka.format_command(program, jars, cluster_id)
            self._run("Kafka's format", command, home, logs / "kafka-format.out").finish(START_TIMEOUT_S)
            self._servers.pop()
            formatted.touch()
        bootstrap = f"127.0.0.1:{ports.kafka}"
        broker = self._run("Kafka", kafka.command(program, jars), home, logs / "kafka.out")
        broker.wait_until(lambda: not is_free(ports.kafka), START_TIMEOUT_S)
        broker.wait_until(lambda: kafka.answers(bootstrap, cluster_id), START_TIMEOUT_S)
        return bootstrap

    def _run(self, name: str, command: list[str], cwd: Path, output: Path) -> Server:
        """Start a child that holds the lock too: the data directory is free when the last of us is gone."""
        keep = () if self._lock is None else (self._lock,)
        server = Server(name, command, cwd, output, keep)
        self._servers.append(server)
        return server

    def _stop_servers(self) -> None:
        servers, self._servers = self._servers, []
        for server in servers:
            server.ask_to_stop()
        for server in servers:
            server.stop(STOP_GRACE_S)


def take_lock(path: Path) -> int:
    """
    Lock a data directory; the lock lasts until the returned descriptor is closed by all processes that hold it.

    When its owner is dead (killed), the servers it left are about to end too, and this waits for them.

    Raises:
        ConfigError: Another process lives on this directory; the message names it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LEFTOVER_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode().strip()
            if is_running(owner) or time.monotonic() > deadline:
                os.close(descriptor)
                raise ConfigError(
                    f"{path.parent} is in use by process {owner or '(starting)'};"
                    " stop that one first, or choose another data directory"
                ) from None
            time.sleep(POLL_S)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor


def is_running(pid: str) -> bool:
    """True when a process of this number lives, or when there is no number to ask for."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True


def keep_password(path: Path, *, fresh: bool) -> str:
    """
    The password in this file; on a fresh data directory a random one is put there first, in one step, mode 0600.

    Raises:
        ConfigError: The file is missing though the store is not fresh, or is empty.
    """
    if not path.exists():
        if not fresh:
            raise ConfigError(f"{path} is missing, but the store beside it has a password; put the file back")
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    password = path.read_text("utf-8").strip()
    if not password:
        raise ConfigError(f"{path} is empty; it must hold the password of Neo4j's user {neo4j.USER}")
    return password
