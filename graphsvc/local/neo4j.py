"""The embedded Neo4j: its configuration, its command line, its password, and how to tell that it is ready."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neo4j import GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from graphsvc.errors import ConfigError

USER = "neo4j"
MAIN = "org.neo4j.server.Neo4jCommunity"
JVM_FLAGS = (
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Dfile.encoding=UTF-8",
)
HASH_ROUNDS = 1024


@dataclass(frozen=True)
class Memory:
    """What Neo4j may take, in MiB. The process takes some 200 MiB beyond the two."""

    heap_mib: int = 1024
    pagecache_mib: int = 256


def config_text(bolt_port: int, http_port: int, memory: Memory) -> str:
    """
    Text of `neo4j.conf`: loopback only, nothing sent home, no files or URLs read by Cypher, a stop without waiting.

    The internal waits of Bolt's thread pool would make every stop take ten seconds; the store is closed in order
    either way.
    """
    settings = {
        "server.default_listen_address": "127.0.0.1",
        "server.bolt.listen_address": f"127.0.0.1:{bolt_port}",
        "server.bolt.advertised_address": f"127.0.0.1:{bolt_port}",
        "server.http.listen_address": f"127.0.0.1:{http_port}",
        "server.http.advertised_address": f"127.0.0.1:{http_port}",
        "server.memory.heap.initial_size": f"{min(memory.heap_mib, 256)}m",
        "server.memory.heap.max_size": f"{memory.heap_mib}m",
        "server.memory.pagecache.size": f"{memory.pagecache_mib}m",
        "server.config.strict_validation.enabled": "true",
        "server.http.x_forward.enabled": "false",
        "server.fleet_discovery.enabled": "false",
        "dbms.fleet_manager.enabled": "false",
        "dbms.usage_report.enabled": "false",
        "client.allow_telemetry": "false",
        "db.index.fulltext.eventually_consistent_refresh_interval": "15s",
        "internal.dbms.index.lucene.merge_factor": "10",
        "dbms.security.allow_csv_import_from_file_urls": "false",
        "internal.dbms.cypher_ip_blocklist": "0.0.0.0/0,::/0",
        "db.logs.query.enabled": "OFF",
        "db.tx_log.preallocate": "false",
        "db.tx_log.rotation.retention_policy": "1 days 1G",
        "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
        "internal.server.bolt.connection_shutdown_wait_time": "0s",
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
        "internal.dbms.bolt.netty_server_shutdown_timeout": "1s",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def command(java: str, jars: Sequence[Path], home: Path, memory: Memory, flags: Sequence[str] = ()) -> list[str]:
    """Program and arguments; `home` holds conf/, data/ and logs/, `flags` are more options of the JVM."""
    heap = (f"-Xms{min(memory.heap_mib, 256)}m", f"-Xmx{memory.heap_mib}m")
    class_path = os.pathsep.join(map(str, jars))
    places = (f"--home-dir={home}", f"--config-dir={home / 'conf'}")
    return [java, *JVM_FLAGS, *heap, *flags, "-cp", class_path, MAIN, *places]


def initial_user(password: str, salt: bytes) -> str:
    """
    Text of `auth.ini`, the user that a database without users begins with.

    The same line as `neo4j-admin dbms set-initial-password` writes, without starting a Java for it. Neo4j reads it
    only while it has no user, so writing it before each start is safe, also after a crash in the midst of the first.
    """
    digest = salt + password.encode()
    for _ in range(HASH_ROUNDS):
        digest = hashlib.sha256(digest).digest()
    return f"{USER}:SHA-256,{digest.hex()},{salt.hex()},{HASH_ROUNDS}:\n"


def prepare(home: Path, bolt_port: int, http_port: int, memory: Memory, password: str) -> None:
    """Write what the server reads at its start: the configuration and the first user."""
    for folder in ("conf", "logs", "data/dbms"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "conf" / "neo4j.conf").write_text(config_text(bolt_port, http_port, memory), "utf-8")
    auth = home / "data" / "dbms" / "auth.ini"
    auth.touch(mode=0o600)
    auth.write_text(initial_user(password, secrets.token_bytes(32)), "utf-8")
    if user_log(home).exists():
        user_log(home).replace(home / "logs" / "neo4j.previous.log")


def user_log(home: Path) -> Path:
    """Neo4j's own log; it says "Started." once Bolt and HTTP listen."""
    return home / "logs" / "neo4j.log"


def says_started(home: Path) -> bool:
    """True once this start has come to its end. Its ports are then its own, not another server's."""
    try:
        return "Started." in user_log(home).read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return False


def answers(bolt_uri: str, password: str, password_file: Path) -> bool:
    """
    True when a real query comes back.

    Raises:
        ConfigError: The server is there, but does not take the password.
    """
    try:
        with GraphDatabase.driver(bolt_uri, auth=(USER, password), connection_timeout=5) as driver:
            driver.execute_query("RETURN 1", database_="neo4j")
    except AuthError as exc:
        raise ConfigError(f"Neo4j does not take the password in {password_file}; put the right one there") from exc
    except (DriverError, Neo4jError):
        return False
    return True
