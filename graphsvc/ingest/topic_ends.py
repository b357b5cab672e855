"""Where the partitions of a topic begin and end now."""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public, but not in __all__

from graphsvc.config import KafkaSettings
from graphsvc.ingest.kafka_clients import admin_of, away

ANSWER_S = 5.0


class TopicEnds:
    """Asks the brokers; one connection for all calls, which may come from any thread."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin: AdminClient | None = None

    def of(self, topic: str) -> dict[int, tuple[int, int]]:
        """
        Partition -> its first offset, and the one that its next record will get. Empty if there is no such topic.

        Raises:
            BrokerUnavailable: Kafka does not answer.
            ConfigError: Kafka's client does not take our settings.
        """
        if self._admin is None:
            self._admin = admin_of(self._kafka)
        try:
            partitions = self._admin.list_topics(timeout=ANSWER_S).topics
            if topic not in partitions:
                return {}
            places = [TopicPartition(topic, number) for number in partitions[topic].partitions]
            first = _offsets(self._admin, dict.fromkeys(places, OffsetSpec.earliest()))  # type: ignore[no-untyped-call]
            last = _offsets(self._admin, dict.fromkeys(places, OffsetSpec.latest()))  # type: ignore[no-untyped-call]
        except KafkaException as exc:
            raise away(self._kafka, exc) from exc
        return {number: (first[number], last[number]) for number in first}


def _offsets(admin: AdminClient, wanted: Mapping[TopicPartition, Any]) -> dict[int, int]:
    asked = admin.list_offsets(dict(wanted), request_timeout=ANSWER_S)
    return {place.partition: done.result(ANSWER_S).offset for place, done in asked.items()}
