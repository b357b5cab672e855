"""The embedded Kafka: one process as broker and controller (KRaft), on loopback."""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

MAIN = "kafka.Kafka"
FORMAT_MAIN = "kafka.tools.StorageTool"
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
JVM_FLAGS = (
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Dlog4j2.configurationFile=log4j2.properties",
    "-Xms128m",
    "-Xmx512m",
)
LOG4J = """\
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=logs/kafka.log
appender.file.filePattern=logs/kafka.%i.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601} %p %c{1} %m%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
"""


def config_text(port: int, controller_port: int) -> str:
    """Text of `server.properties`. Paths are relative to the folder that Kafka runs in."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": "data",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def command(java: str, jars: Sequence[Path]) -> list[str]:
    """Program and arguments of the broker, to be run in its home."""
    return [java, *JVM_FLAGS, "-cp", os.pathsep.join(map(str, jars)), MAIN, "server.properties"]


def format_command(java: str, jars: Sequence[Path], cluster_id: str) -> list[str]:
    """Program and arguments that lay out an empty store; harmless on one that is laid out."""
    class_path = os.pathsep.join(map(str, jars))
    arguments = ("format", "--ignore-formatted", "-t", cluster_id, "-c", "server.properties")
    return [java, *JVM_FLAGS, "-cp", class_path, FORMAT_MAIN, *arguments]


def new_cluster_id() -> str:
    """Sixteen random bytes as Kafka writes them; never with a leading hyphen, which looks like an option."""
    return base64.urlsafe_b64encode(b"g" + secrets.token_bytes(15)).decode().rstrip("=")


def prepare(home: Path, port: int, controller_port: int) -> str:
    """
    Write what the broker reads at its start.

    Returns:
        The cluster's id, which is kept in `home` from the first start on.
    """
    (home / "logs").mkdir(parents=True, exist_ok=True)
    (home / "server.properties").write_text(config_text(port, controller_port), "utf-8")
    (home / "log4j2.properties").write_text(LOG4J, "utf-8")
    kept = home / "cluster-id"
    if not kept.exists():
        fresh = home / "cluster-id.new"
        fresh.write_text(new_cluster_id(), "utf-8")
        fresh.replace(kept)
    return kept.read_text("utf-8")


def answers(bootstrap: str, cluster_id: str) -> bool:
    """True when the broker at this address tells its metadata, and is ours."""
    try:
        metadata = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=5)
    except KafkaException:
        return False
    return bool(metadata.brokers) and metadata.cluster_id == cluster_id
