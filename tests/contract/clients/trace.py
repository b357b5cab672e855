"""
What DatahubRestEmitter makes of our traces, by its own functions for ASYNC_WAIT.

usage   trace.py <server>
prints  {"sync": bool, "age": <seconds>, "open": {…}, "batch": {…}, "status": {…}}
"""

import json
import sys
from datetime import UTC, datetime, timedelta

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.rest_emitter import DatahubRestEmitter, EmitMode
from datahub.metadata import schema_classes as m

LIMIT = timedelta(seconds=20)


def proposal(name, removed):
    urn = f"urn:li:dataset:(urn:li:dataPlatform:contract,{name},PROD)"
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=m.StatusClass(removed=removed))


class Tracing:
    """A server that claims to trace; ours names an older version, so that clients write to its rest.li doors."""

    def supports_feature(self, _):
        return True


def main(server):
    emitter = DatahubRestEmitter(server)
    sync = emitter.emit_mcp(proposal("traced.sync", False), emit_mode=EmitMode.SYNC_PRIMARY)
    one = emitter.emit_mcp(proposal("traced.straße", False), emit_mode=EmitMode.ASYNC)
    batch = [proposal(f"traced.{number}", False) for number in range(3)]
    many = emitter._emit_restli_mcps(batch, emit_mode=EmitMode.ASYNC)
    age = (datetime.now(UTC) - one.extract_timestamp()).total_seconds()
    emitter._server_config = Tracing()
    status = emitter.get_trace_status(one)
    emitter._await_status([one], LIMIT)
    emitter._await_status(many, LIMIT)
    found = {"sync": sync is not None, "age": age, "open": one.data, "batch": [trace.data for trace in many]}
    json.dump({**found, "status": status}, sys.stdout)


main(*sys.argv[1:])
