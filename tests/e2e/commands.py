"""Run graphsvc as users do: as a process, in a folder of its own."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

PROGRAM = [str(Path(sys.executable).with_name("graphsvc"))]


def clean(more: Mapping[str, str]) -> dict[str, str]:
    """This environment without any setting of graphsvc, Neo4j or Kafka, and with `more`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("GRAPHSVC_", "NEO4J_", "KAFKA_"))}
    return kept | {"COLUMNS": "200", "NO_COLOR": "1"} | dict(more)


def run(cwd: Path, environment: Mapping[str, str], *args: object, program: list[str] | None = None) -> Any:
    """One command to its end, with its output as text."""
    command = [*(program or PROGRAM), *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, env=clean(environment), capture_output=True, text=True, timeout=60, check=False
    )


class Running:
    """A command that goes on until it is told to stop."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.complaints: list[str] = []
        self._fresh: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(process.stderr, self.complaints), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._fresh.put(line)

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Return once a line of the output holds the text."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in [*self.lines, *self.complaints]):
            assert time.monotonic() < deadline, f"no {text!r} in {self.lines} {self.complaints[-5:]}"
            assert self.process.poll() is None or not self._fresh.empty(), (self.lines, self.complaints[-5:])
            try:
                self._fresh.get(timeout=0.1)
            except queue.Empty:
                continue

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Exit code, and the seconds that it took to stop."""
        started = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(5)
        return code, time.monotonic() - started


@contextmanager
def running(
    cwd: Path, environment: Mapping[str, str], *args: object, program: list[str] | None = None
) -> Iterator[Running]:
    """A command in the background, which does not outlive the block."""
    command = [*(program or PROGRAM), *map(str, args)]
    process = subprocess.Popen(
        command, cwd=cwd, env=clean(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        child = Running(process)
        try:
            yield child
        finally:
            if process.poll() is None:
                process.kill()


def until_ready(url: str, seconds: float = 120) -> None:
    """Return once the service answers that it is ready."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(f"{url}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{url} is not ready"
        time.sleep(0.05)
