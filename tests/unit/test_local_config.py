"""What the embedded servers are told: configuration, first user, ports, password file, lock."""

import os
import socket
import stat
from pathlib import Path

import pytest

from graphsvc.errors import ConfigError
from graphsvc.local import kafka, neo4j
from graphsvc.local.ports import choose_ports, is_free
from graphsvc.local.stack import keep_password, take_lock


def test_the_first_user_is_what_neo4j_admin_writes() -> None:
    """The line equals the one of `neo4j-admin dbms set-initial-password abcDEF123456` for the same salt."""
    salt = bytes.fromhex("4e2563036cab9e260aeb191284a34ed88f49cd73e7d7951336ee7edc43cbcf40")
    digest = "499f96fd1b86ce18ba615b5b6e9110d74ad0e17b8dbbc404d48b16d91380b0c0"

    line = neo4j.initial_user("abcDEF123456", salt)

    assert line == f"neo4j:SHA-256,{digest},{salt.hex()},1024:\n"


def test_everything_listens_on_loopback_only() -> None:
    """No address in either configuration is reachable from another machine."""
    texts = [neo4j.config_text(1, 2, neo4j.Memory()), kafka.config_text(3, 4)]

    lines = [line for text in texts for line in text.splitlines() if "listen" in line.split("=")[0]]

    assert len(lines) >= 5
    assert all("0.0.0.0" not in line and "[::]" not in line for line in lines)
    assert all("127.0.0.1" in line for line in lines if "address" in line or "://" in line)


def test_cluster_ids_are_never_options() -> None:
    """A cluster id has Kafka's 22 characters and does not begin with a hyphen."""
    ids = {kafka.new_cluster_id() for _ in range(50)}

    assert len(ids) == 50
    assert all(len(one) == 22 and not one.startswith("-") for one in ids)


def test_taken_ports_are_replaced() -> None:
    """A wanted port that someone listens on gives way to a free one; a free one is taken; all differ."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        ports = choose_ports((busy, busy, 0))

    assert len({busy, ports.bolt, ports.http, ports.kafka, ports.controller}) == 5
    assert is_free(ports.bolt)
    assert choose_ports((ports.bolt, 0, 0)).bolt == ports.bolt


def test_the_password_is_random_private_and_kept(tmp_path: Path) -> None:
    """A fresh directory gets its own password, mode 0600, and gives it out again."""
    first, other = tmp_path / "a", tmp_path / "b"

    password = keep_password(first, fresh=True)

    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert keep_password(first, fresh=False) == password
    assert keep_password(other, fresh=True) != password


def test_a_store_without_its_password_is_named(tmp_path: Path) -> None:
    """No new password is invented for a store that has one; an empty file is no password."""
    (tmp_path / "empty").touch()

    with pytest.raises(ConfigError, match="missing"):
        keep_password(tmp_path / "password", fresh=False)
    with pytest.raises(ConfigError, match="empty"):
        keep_password(tmp_path / "empty", fresh=False)


def test_a_live_lock_names_its_owner(tmp_path: Path) -> None:
    """A second owner is refused at once, told who has it, and let in when the first has gone."""
    path = tmp_path / "lock"
    first = take_lock(path)

    with pytest.raises(ConfigError, match=f"in use by process {os.getpid()}"):
        take_lock(path)

    os.close(first)
    os.close(take_lock(path))
