"""
The bytes that DatahubKafkaEmitter would put on Kafka, and what DatahubRestEmitter would send for the same.

usage   kafka_records.py <server>
prints  {"records": [{"topic", "value": <hex>, "rest": <body of the REST call>}]}

The emitter's own serializers register their schemas with the server. Nothing is produced: the broker is the one that
librdkafka keeps for tests, which the serializers ask for the cluster's id.
"""

import json
import sys

import requests
from confluent_kafka.serialization import MessageField, SerializationContext
from datahub.emitter.kafka_emitter import DatahubKafkaEmitter, KafkaEmitterConfig
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.rest_emitter import DatahubRestEmitter
from datahub.metadata import schema_classes as m

URN = "urn:li:dataset:(urn:li:dataPlatform:kafka,sales.orders,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(azkaban,f,PROD),j)"
STAMP = m.AuditStampClass(time=1_700_000_000_000, actor="urn:li:corpuser:ada")


def field(path, kind):
    return m.SchemaFieldClass(
        fieldPath=path, type=m.SchemaFieldDataTypeClass(type=kind), nativeDataType="x", description="ß"
    )


def events():
    schema = m.SchemaMetadataClass(
        schemaName="orders",
        platform="urn:li:dataPlatform:kafka",
        version=0,
        hash="",
        platformSchema=m.KafkaSchemaClass(documentSchema="{}"),
        fields=[field("a", m.NumberTypeClass()), field("b", m.ArrayTypeClass(nestedType=["string"]))],
    )
    lineage = m.UpstreamLineageClass([m.UpstreamClass(dataset=URN, type="TRANSFORMED", auditStamp=STAMP)])
    properties = m.DatasetPropertiesClass(description="ß", customProperties={"a": "b"}, tags=["x"])
    dataset = m.DatasetSnapshotClass(URN, [properties, schema, lineage, m.StatusClass(removed=False)])
    job = m.DataJobInfoClass(name="j", type=m.AzkabanJobTypeClass.SQL, customProperties={})
    other = m.DataJobInfoClass(name="j", type="anything", customProperties={})
    model = "urn:li:mlModel:(urn:li:dataPlatform:kafka,m,PROD)"
    numbers = m.MLModelPropertiesClass(hyperParameters={"i": 3, "f": 0.5, "s": "x", "b": True})
    chart = m.ChartInfoClass(
        title="t",
        description="d",
        lastModified=m.ChangeAuditStampsClass(created=STAMP, lastModified=STAMP),
        inputs=[URN],
    )
    return [
        dataset,
        m.DataJobSnapshotClass(JOB, [job]),
        m.DataJobSnapshotClass(JOB, [other]),
        m.MLModelSnapshotClass(model, [numbers]),
        m.ChartSnapshotClass("urn:li:chart:(kafka,c)", [chart]),
        m.SchemaFieldSnapshotClass(f"urn:li:schemaField:({URN},a)", [m.SchemaFieldKeyClass(parent=URN, fieldPath="a")]),
    ]


def proposals():
    text = m.DatasetPropertiesClass(description="ß", customProperties={"a": "b"})
    raw = m.GenericAspectClass(value=b'{"removed": false}', contentType="application/json")
    system = m.SystemMetadataClass(lastObserved=5, runId="r1", properties={"k": "v"})
    return [
        MetadataChangeProposalWrapper(entityUrn=URN, aspect=text),
        MetadataChangeProposalWrapper(
            entityUrn=URN, aspect=text, systemMetadata=system, headers={"If-None-Match": "*"}
        ),
        MetadataChangeProposalWrapper(entityUrn=URN, aspect=m.StatusClass(removed=True), changeType="CREATE"),
        m.MetadataChangeProposalClass(
            entityType="dataset", entityUrn=URN, aspectName="status", changeType="UPDATE", aspect=raw
        ),
    ]


class Caught(requests.adapters.BaseAdapter):
    """Keeps what DatahubRestEmitter sends, in place of a connection."""

    def __init__(self, server):
        super().__init__()
        self.emitter = DatahubRestEmitter(server)
        self.emitter.session.mount(server, self)
        self.body = None

    def send(self, request, **kwargs):
        self.body = json.loads(request.body)
        answer = requests.Response()
        answer.status_code, answer._content, answer.url, answer.request = 200, b"{}", request.url, request
        return answer

    def close(self):
        pass

    def of(self, item):
        self.emitter.emit(item)
        return self.body


def main(server):
    connection = {
        "bootstrap": "127.0.0.1:1",
        "schema_registry_url": f"{server}/schema-registry/api/",
        "producer_config": {"test.mock.num.brokers": 1},
    }
    emitter = DatahubKafkaEmitter(KafkaEmitterConfig.model_validate({"connection": connection}))
    caught = Caught(server)
    made = [("MetadataChangeProposal", "MetadataChangeProposal_v1", item) for item in proposals()]
    for snapshot in events():
        system = m.SystemMetadataClass(lastObserved=7, runId="r2")
        event = m.MetadataChangeEventClass(proposedSnapshot=snapshot, systemMetadata=system)
        made.append(("MetadataChangeEvent", "MetadataChangeEvent_v4", event))
    records = []
    for kind, topic, item in made:
        serializer = emitter.producers[kind]._value_serializer
        value = serializer(item, SerializationContext(topic, MessageField.VALUE))
        records.append({"topic": topic, "value": value.hex(), "rest": caught.of(item)})
    json.dump({"records": records}, sys.stdout)


main(*sys.argv[1:])
