"""
Send proposals with DataHub's own REST emitter.

usage   send_mcps.py <server> <file of [{urn, aspect, value, change_type, system_metadata, headers}]> <emit mode>
prints  null
"""

import json
import sys
from pathlib import Path

from datahub.emitter.rest_emitter import DatahubRestEmitter, EmitMode
from datahub.metadata.schema_classes import (
    GenericAspectClass,
    MetadataChangeProposalClass,
    SystemMetadataClass,
)


def mcp(raw):
    return MetadataChangeProposalClass(
        entityType=raw["urn"].split(":")[2],
        entityUrn=raw["urn"],
        changeType=raw["change_type"],
        aspectName=raw["aspect"],
        aspect=GenericAspectClass(value=json.dumps(raw["value"]).encode(), contentType="application/json"),
        systemMetadata=SystemMetadataClass.from_obj(raw["system_metadata"]) if raw["system_metadata"] else None,
        headers=raw["headers"],
    )


def main(server, file, mode):
    raws = json.loads(Path(file).read_text(encoding="utf-8"))
    DatahubRestEmitter(server).emit_mcps([mcp(raw) for raw in raws], emit_mode=EmitMode[mode])
    json.dump(None, sys.stdout)


main(*sys.argv[1:])
