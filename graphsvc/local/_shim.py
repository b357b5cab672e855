"""
Parent of one server process; sees to it that the server never outlives graphsvc. Run by path, standard library only.

    python -I -S _shim.py PARENT_PID KEEP_FDS COMMAND …

Graphsvc holds the other end of standard input: `t` asks the server to stop, `k` kills it, and the end of input
(graphsvc is gone, however it went) asks, waits a little, then kills. The shim stands in a session of its own, so that
Ctrl-C in a terminal reaches graphsvc alone. If the shim itself is killed, Linux kills the server (PR_SET_PDEATHSIG).
It ends with the server's exit code, or 128 plus the signal that ended it.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
GRACE_S = 8.0
CHECK_S = 1.0  # a process forked from graphsvc may hold the pipe open, so its parent id is watched too


def die_with(shim: int) -> None:
    """In the child, before exec: ask Linux for SIGKILL at the end of the shim; elsewhere there is no such thing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != shim:
            os._exit(1)


def watch(server: subprocess.Popen[bytes], parent: int, wakeups: int) -> int:
    """Obey the pipe until the server has ended; its return code."""
    sources = [sys.stdin.fileno(), wakeups]
    kill_at = None
    while server.poll() is None:
        ready, _, _ = select.select(sources, [], [], CHECK_S)
        orders = os.read(0, 64) if sys.stdin.fileno() in ready else b"."
        if wakeups in ready and bytes([signal.SIGTERM]) in os.read(wakeups, 64):
            server.terminate()
        if kill_at is None and (not orders or os.getppid() != parent):
            sources = [wakeups]
            kill_at = time.monotonic() + GRACE_S
            server.terminate()
        if b"t" in orders:
            server.terminate()
        if b"k" in orders or (kill_at is not None and time.monotonic() > kill_at):
            server.kill()
    return server.returncode


def main(parent: int, keep: tuple[int, ...], command: list[str]) -> int:
    """Start the server and watch it; an exit code."""
    wakeups, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    shim = os.getpid()
    server = subprocess.Popen(  # noqa: S603 - the command is graphsvc's own
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=keep,
        preexec_fn=lambda: die_with(shim),  # noqa: PLW1509 - this process has one thread
    )
    code = watch(server, parent, wakeups)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    fds = tuple(int(text) for text in sys.argv[2].split(",") if text)
    sys.exit(main(int(sys.argv[1]), fds, sys.argv[3:]))
