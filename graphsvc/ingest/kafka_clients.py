"""Kafka's clients with our settings, and what their errors mean for us."""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from graphsvc.config import KafkaSettings
from graphsvc.errors import BrokerUnavailable, ConfigError


def consumer_of(kafka: KafkaSettings, group: str, settings: Mapping[str, Any]) -> Consumer:
    """
    A consumer that commits nothing by itself, and begins at the beginning where it is not told otherwise.

    Args:
        kafka: Where the brokers are; its options win over all others.
        group: Its group.
        settings: More settings of librdkafka.

    Raises:
        ConfigError: Kafka's client does not take the settings.
    """
    try:
        return Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "client.id": "graphsvc",
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 0,
                **settings,
                **kafka.options,
                **kafka.consumer_options,
            }
        )
    except KafkaException as exc:
        raise refused("consumer", exc) from exc


def admin_of(kafka: KafkaSettings) -> AdminClient:
    """
    A client that asks for topics and offsets, and creates topics.

    Raises:
        ConfigError: Kafka's client does not take the settings.
    """
    try:
        return AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0, **kafka.options})
    except KafkaException as exc:
        raise refused("client", exc) from exc


def refused(kind: str, exc: KafkaException) -> ConfigError:
    """The error for a client (`consumer`, `producer` …) that does not take its settings."""
    return ConfigError(f"Kafka's {kind} does not take its settings: {exc.args[0].str()}")


def away(kafka: KafkaSettings, exc: KafkaException) -> BrokerUnavailable:
    """The error for brokers that do not answer."""
    return BrokerUnavailable(f"Kafka at {kafka.bootstrap} does not answer: {exc.args[0].str()}")
