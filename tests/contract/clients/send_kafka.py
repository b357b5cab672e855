"""
Send a file of MCPs and MCEs with DataHub's own Kafka emitter, each as the class it is in the file.

usage   send_kafka.py <server> <bootstrap> <proposal topic> <event topic> <file>
prints  {"sent": n}
"""

import json
import sys

from datahub.emitter.kafka_emitter import DatahubKafkaEmitter, KafkaEmitterConfig
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.source.file import GenericFileSource


def main(server, bootstrap, proposal_topic, event_topic, file):
    emitter = DatahubKafkaEmitter(
        KafkaEmitterConfig.model_validate(
            {
                "connection": {"bootstrap": bootstrap, "schema_registry_url": f"{server}/schema-registry/api/"},
                "topic_routes": {"MetadataChangeProposal": proposal_topic, "MetadataChangeEvent": event_topic},
            }
        )
    )
    failures = []
    sent = 0
    for unit in GenericFileSource.create({"path": file}, PipelineContext(run_id="contract")).get_workunits():
        emitter.emit(unit.metadata, lambda error, _: failures.append(str(error)) if error else None)
        sent += 1
    emitter.flush()
    assert not failures, failures
    json.dump({"sent": sent}, sys.stdout)


main(*sys.argv[1:])
