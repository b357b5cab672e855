"""What Kafka's clients would refuse stops the start, before anything runs."""

import pytest

from graphsvc.app import create_app, create_consumer
from graphsvc.config import KafkaSettings, Settings
from graphsvc.errors import ConfigError


@pytest.mark.parametrize("section", ["options", "consumer_options", "producer_options"])
def test_an_unknown_setting_of_librdkafka_stops_the_start(section: str) -> None:
    """The error names the setting, for the service and the consumer alike."""
    kafka = KafkaSettings.model_validate({"bootstrap": "127.0.0.1:1", section: {"nonsense": "x"}})

    for create in (create_app, create_consumer):
        with pytest.raises(ConfigError, match="nonsense"):
            create(Settings(kafka=kafka))


def test_a_consumer_needs_a_broker() -> None:
    """Without one there is nothing to do, and the error says what to set."""
    with pytest.raises(ConfigError, match="KAFKA_BOOTSTRAP"):
        create_consumer(Settings())
