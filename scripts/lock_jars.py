"""
Resolve the jars of the embedded Neo4j and Kafka once, and write their lock files.

    python scripts/lock_jars.py [neo4j] [kafka]

For maintainers, after a change of version in `COORDINATES`. jgo reads the POMs and downloads each jar; the lock then
names every file with its size and sha256, so that `graphsvc up` resolves nothing and trusts no one.
"""

import hashlib
import sys
from pathlib import Path

from jgo.maven import Dependency, MavenContext

from graphsvc.local.jars import LOCKS, Bundle, Jar, format_lock

COORDINATES: dict[Bundle, tuple[str, ...]] = {
    "neo4j": (
        "org.neo4j:neo4j:2026.08.1",
        "org.neo4j.app:neo4j-server:2026.08.1",
        "org.neo4j.client:neo4j-browser:5.24.0",
    ),
    # Kafka's jars only know slf4j; its distribution adds log4j, and without it there is no log. The "!" keeps the
    # versions that its POM manages from ruling over Kafka's own.
    "kafka": (
        "org.apache.kafka:kafka_2.13:4.3.1",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
    ),
}


def locked(dependency: Dependency) -> Jar:
    """One resolved dependency with the digest of its file; downloads it where needed."""
    artifact = dependency.artifact
    data = Path(artifact.resolve()).read_bytes()
    return Jar(
        artifact.groupId,
        artifact.artifactId,
        artifact.version,
        artifact.classifier,
        hashlib.sha256(data).hexdigest(),
        len(data),
    )


def main() -> None:
    for name in [name for name in COORDINATES if name in sys.argv[1:] or not sys.argv[1:]]:
        context = MavenContext()
        inputs, transitive = context.resolver.resolve([context.create_dependency(c) for c in COORDINATES[name]])
        jars = sorted({locked(dep) for dep in (*inputs, *transitive) if dep.type == "jar"})
        LOCKS[name].write_text(format_lock(COORDINATES[name], jars))
        print(f"{LOCKS[name].name}: {len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
