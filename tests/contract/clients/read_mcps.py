"""
Read proposals from Kafka as DataHub's own consumers do: Confluent's deserializer, DataHub's schema and classes.

usage   read_mcps.py <server> <bootstrap> <topic> <how many>
prints  [{"key", "mcp"}], where mcp is MetadataChangeProposalClass.to_obj(), its bytes as text
"""

import json
import sys

from confluent_kafka import DeserializingConsumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import StringDeserializer
from datahub.metadata.schema_classes import MetadataChangeProposalClass
from datahub.metadata.schemas import getMetadataChangeProposalSchema


def main(server, bootstrap, topic, count):
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"read-{topic}",
            "auto.offset.reset": "earliest",
            "key.deserializer": StringDeserializer("utf_8"),
            "value.deserializer": AvroDeserializer(
                SchemaRegistryClient({"url": f"{server}/schema-registry/api"}),
                getMetadataChangeProposalSchema(),
                lambda record, _: MetadataChangeProposalClass.from_obj(record, tuples=True),
            ),
        }
    )
    consumer.subscribe([topic])
    found = []
    while len(found) < int(count):
        message = consumer.poll(30)
        assert message is not None, f"only {len(found)} of {count}"
        found.append({"key": message.key(), "mcp": message.value().to_obj()})
    consumer.close()
    json.dump(found, sys.stdout, default=bytes.decode)


main(*sys.argv[1:])
