"""
Java's ahead-of-time cache for Neo4j: what the JVM learns in one start is kept, and later starts take half the work.

A training run (a scratch store, some queries, an orderly end) records which classes are used; a second Java turns
the record into the cache, some 120 MB. Both are niced and may be stopped at any time: the cache gets its name only when
it is whole. The JVM itself ignores a cache that does not fit its version or class path.
"""

import hashlib
import os
import secrets
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from neo4j import GraphDatabase

from graphsvc.local import neo4j
from graphsvc.local.ports import choose_ports
from graphsvc.local.process import Server

NICE = ("nice", "-n", "19")
TIMEOUT_S = 600.0
TRAINING = (
    "CREATE CONSTRAINT IF NOT EXISTS FOR (n:Entity) REQUIRE n.urn IS UNIQUE",
    "CREATE FULLTEXT INDEX text IF NOT EXISTS FOR (n:Entity) ON EACH [n.name]",
    "UNWIND range(1, 500) AS i MERGE (n:Entity {urn: 'u' + i}) ON CREATE SET n:Dataset, n.name = 'name ' + i",
    "UNWIND range(2, 500) AS i MATCH (a:Entity {urn: 'u' + i}), (b:Entity {urn: 'u' + (i / 2)}) MERGE (a)-[:T]->(b)",
    "MATCH p = (:Entity {urn: 'u500'})-[:T*1..20]->(t) WITH t, min(length(p)) AS d RETURN t.urn, d ORDER BY d LIMIT 10",
    "CALL db.index.fulltext.queryNodes('text', 'name') YIELD node, score RETURN node.urn, score LIMIT 5",
    "MATCH (n:Entity {urn: 'u1'}) OPTIONAL MATCH (n)<-[r:T]-(m) RETURN n, collect({type: type(r), urn: m.urn})",
    "MATCH (n:Entity {urn: 'u500'}) DETACH DELETE n",
)


class Halted(Exception):
    """The training is no longer wanted; not an error, the stack is being stopped."""


def cache_file(cache: Path, java: str, jars: Sequence[Path]) -> Path:
    """Where the cache for this Java and these jars is, or would be."""
    text = "\n".join((java, *neo4j.JVM_FLAGS, *map(str, jars)))
    return cache / "aot" / f"neo4j-{hashlib.sha256(text.encode()).hexdigest()[:16]}.aot"


def train(java: str, jars: Sequence[Path], cache: Path, halt: threading.Event) -> bool:
    """
    Make the cache of `cache_file`; takes half a minute or more.

    Args:
        java: Program.
        jars: Class path, as the later starts have it.
        cache: The user's cache folder.
        halt: Set it to stop the training within moments.

    Returns:
        True when the cache is there; False when the training was halted.

    Raises:
        ConfigError: Neo4j or Java ended with an error.
    """
    target = cache_file(cache, java, jars)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="train-", dir=target.parent, ignore_cleanup_errors=True) as scratch:
        home, record, draft = Path(scratch), Path(scratch, "record.aotconf"), Path(scratch, "draft.aot")
        try:
            _record(java, jars, home, record, halt)
            class_path = ("-cp", os.pathsep.join(map(str, jars)))
            mode = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={record}", f"-XX:AOTCache={draft}")
            create = [*NICE, java, *neo4j.JVM_FLAGS, *mode, *class_path]
            _run_to_end(Server("Java's cache", create, home, home / "create.out"), halt)
        except Halted:
            return False
        draft.replace(target)
    return True


def _record(java: str, jars: Sequence[Path], home: Path, record: Path, halt: threading.Event) -> None:
    """One start of Neo4j on an empty store, `TRAINING`, and an orderly end, at which the JVM writes its record."""
    memory, password, ports = neo4j.Memory(512, 64), secrets.token_urlsafe(24), choose_ports((0, 0, 0))
    neo4j.prepare(home, ports.bolt, ports.http, memory, password)
    mode = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={record}")
    server = Server("Neo4j", [*NICE, *neo4j.command(java, jars, home, memory, mode)], home, home / "record.out")

    def started() -> bool:
        if halt.is_set():
            raise Halted
        return neo4j.says_started(home)

    try:
        server.wait_until(started, TIMEOUT_S)
        address, user = f"bolt://127.0.0.1:{ports.bolt}", (neo4j.USER, password)
        with GraphDatabase.driver(address, auth=user, notifications_min_severity="OFF") as driver:
            for text in TRAINING:
                driver.execute_query(text)
        server.ask_to_stop()
        _run_to_end(server, halt)
    finally:
        server.stop(0)


def _run_to_end(server: Server, halt: threading.Event) -> None:
    """Wait for the end of a process, or for `halt`, which ends it."""
    while server.exit_code is None:
        if halt.wait(0.1):
            server.stop(0)
            raise Halted
    server.finish(TIMEOUT_S)
