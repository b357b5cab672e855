"""
Write a file of MCE snapshots, made by DataHub's own classes.

usage   write_mce.py <server, not used> <file>
prints  {"snapshots": n, "aspects": n}
"""

import json
import sys
from pathlib import Path

from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.sink.file import FileSink
from datahub.metadata import schema_classes as m

STAMP = m.AuditStampClass(time=1_700_000_000_000, actor="urn:li:corpuser:ada")
STAMPS = m.ChangeAuditStampsClass(created=STAMP, lastModified=STAMP)
OWNED = m.OwnershipClass(
    owners=[m.OwnerClass(owner="urn:li:corpuser:ada", type=m.OwnershipTypeClass.TECHNICAL_OWNER)], lastModified=STAMP
)
ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,legacy.orders,PROD)"
RAW = "urn:li:dataset:(urn:li:dataPlatform:hive,legacy.raw_orders,PROD)"
CHART = "urn:li:chart:(looker,legacy_orders)"

SCHEMA = m.SchemaMetadataClass(
    schemaName="legacy.orders",
    platform="urn:li:dataPlatform:hive",
    version=0,
    hash="",
    platformSchema=m.MySqlDDLClass(tableSchema="CREATE TABLE orders (id int)"),
    fields=[
        m.SchemaFieldClass(
            fieldPath="id", type=m.SchemaFieldDataTypeClass(type=m.NumberTypeClass()), nativeDataType="int"
        ),
        m.SchemaFieldClass(
            fieldPath="größe",
            type=m.SchemaFieldDataTypeClass(type=m.ArrayTypeClass(nestedType=["string"])),
            nativeDataType="array<string>",
            globalTags=m.GlobalTagsClass(tags=[m.TagAssociationClass(tag="urn:li:tag:legacy")]),
        ),
    ],
)
SNAPSHOTS = [
    m.CorpUserSnapshotClass(
        urn="urn:li:corpuser:ada",
        aspects=[m.CorpUserInfoClass(active=True, displayName="Ada", email="ada@example.org")],
    ),
    m.CorpGroupSnapshotClass(
        urn="urn:li:corpGroup:legacy",
        aspects=[m.CorpGroupInfoClass(admins=["urn:li:corpuser:ada"], members=["urn:li:corpuser:ada"], groups=[])],
    ),
    m.DatasetSnapshotClass(
        urn=ORDERS,
        aspects=[
            m.DatasetPropertiesClass(description="One row per order, as in “legacy”.", customProperties={"a": "1"}),
            m.UpstreamLineageClass(
                upstreams=[m.UpstreamClass(dataset=RAW, type=m.DatasetLineageTypeClass.TRANSFORMED, auditStamp=STAMP)]
            ),
            m.StatusClass(removed=False),
            SCHEMA,
            OWNED,
        ],
    ),
    m.ChartSnapshotClass(
        urn=CHART,
        aspects=[
            m.ChartInfoClass(
                title="Orders", description="", lastModified=STAMPS, inputs=[ORDERS], type=m.ChartTypeClass.BAR
            ),
            OWNED,
        ],
    ),
    m.DashboardSnapshotClass(
        urn="urn:li:dashboard:(looker,legacy)",
        aspects=[m.DashboardInfoClass(title="Legacy", description="", lastModified=STAMPS, charts=[CHART])],
    ),
    m.DataFlowSnapshotClass(
        urn="urn:li:dataFlow:(airflow,legacy,PROD)", aspects=[m.DataFlowInfoClass(name="legacy", project="p")]
    ),
    m.DataJobSnapshotClass(
        urn="urn:li:dataJob:(urn:li:dataFlow:(airflow,legacy,PROD),load)",
        aspects=[
            m.DataJobInfoClass(name="load", type="COMMAND"),
            m.DataJobInputOutputClass(inputDatasets=[RAW], outputDatasets=[ORDERS]),
        ],
    ),
    m.TagSnapshotClass(
        urn="urn:li:tag:legacy", aspects=[m.TagPropertiesClass(name="legacy", description="to be moved")]
    ),
    m.GlossaryNodeSnapshotClass(
        urn="urn:li:glossaryNode:legacy", aspects=[m.GlossaryNodeInfoClass(definition="Old words")]
    ),
    m.GlossaryTermSnapshotClass(
        urn="urn:li:glossaryTerm:legacy.order",
        aspects=[
            m.GlossaryTermInfoClass(
                definition="A purchase", termSource="INTERNAL", parentNode="urn:li:glossaryNode:legacy"
            )
        ],
    ),
    m.MLModelSnapshotClass(
        urn="urn:li:mlModel:(urn:li:dataPlatform:sagemaker,legacy,PROD)",
        aspects=[
            m.MLModelPropertiesClass(description="scores", hyperParameters={"depth": 3, "rate": 0.5, "name": "x"}),
            m.CostClass(
                costType=m.CostTypeClass.ORG_COST_TYPE,
                cost=m.CostCostClass(costId=1.5, fieldDiscriminator=m.CostCostDiscriminatorClass.costId),
            ),
        ],
    ),
]


def main(_, file):
    sink = FileSink.create({"filename": file}, PipelineContext(run_id="legacy"))
    for snapshot in SNAPSHOTS:
        event = m.MetadataChangeEventClass(proposedSnapshot=snapshot)
        sink.write_record_async(RecordEnvelope(event, metadata={}), NoCallback())
    sink.close()
    assert "pegasus2avro" in Path(file).read_text()
    json.dump({"snapshots": len(SNAPSHOTS), "aspects": sum(len(s.aspects) for s in SNAPSHOTS)}, sys.stdout)


class NoCallback:
    def on_success(self, *_):
        pass

    def on_failure(self, record, error, _):
        raise error


main(*sys.argv[1:])
