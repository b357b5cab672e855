"""Ports of this machine: which are free, and which to take."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    """What the servers listen on, all on loopback."""

    bolt: int
    http: int
    kafka: int
    controller: int


def is_free(port: int) -> bool:
    """True when a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose_ports(wanted: tuple[int, int, int]) -> Ports:
    """The wanted ports for Bolt, HTTP and Kafka where they are free (0 never is), else free ones, all different."""
    chosen: list[int] = []
    for port in (*wanted, 0):
        chosen.append(port if port and port not in chosen and is_free(port) else _free_port(chosen))
    return Ports(*chosen)


def _free_port(but: list[int]) -> int:
    """A port that the system offers, and that is not in `but`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in but:
            return port
