"""
Read the change log as DataHub's own readers do: Confluent's deserializer, DataHub's schema and class.

usage   read_changes.py <server> <bootstrap> <topic>
prints  [{"key", "id", "change"}] of all that is there now, where change is MetadataChangeLogClass.to_obj(), its bytes
        as text, and id is the header graphsvc-id
"""

import json
import sys
from importlib.resources import files

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from datahub.metadata.schema_classes import MetadataChangeLogClass


def main(server, bootstrap, topic):
    text = (files("datahub.metadata.schemas") / "MetadataChangeLog.avsc").read_text()
    decode = AvroDeserializer(
        SchemaRegistryClient({"url": f"{server}/schema-registry/api"}),
        text,
        lambda record, _: MetadataChangeLogClass.from_obj(record, tuples=True),
    )
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "contract", "enable.partition.eof": True})
    places = [TopicPartition(topic, n, 0) for n in consumer.list_topics(topic).topics[topic].partitions]
    consumer.assign(places)
    found = []
    ended = 0
    while ended < len(places):
        message = consumer.poll(30)
        assert message is not None, f"{topic} does not answer"
        if message.error():
            ended += 1
            continue
        change = decode(message.value(), SerializationContext(topic, MessageField.VALUE))
        assert change.validate()
        found.append(
            {
                "key": message.key().decode(),
                "id": dict(message.headers())["graphsvc-id"].decode(),
                "change": change.to_obj(),
            }
        )
    consumer.close()
    json.dump(found, sys.stdout, default=bytes.decode)


main(*sys.argv[1:])
