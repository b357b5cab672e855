"""
DatahubRestEmitter in all its ways of writing; what it wrote is read back through DataHubGraph.

usage   emitter.py <server>
prints  {scenario: what came of it}
"""

import json
import sys
import time

from datahub.configuration.common import OperationalError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.rest_emitter import DatahubRestEmitter, EmitMode
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import ClientMode, DatahubClientConfig
from datahub.metadata import schema_classes as m

SYSTEM = {"lastObserved": 1_700_000_000_000, "runId": "contract"}


def urn(name):
    return f"urn:li:dataset:(urn:li:dataPlatform:contract,{name},PROD)"


def described(text):
    return m.DatasetPropertiesClass(description=text, customProperties={"text": text})


def proposal(name, aspect, **more):
    return MetadataChangeProposalWrapper(entityUrn=urn(name), aspect=aspect, **more)


def raw(name, aspect, value, change="UPSERT", content_type="application/json"):
    """An MCP that the wrapper's own checks would not let through."""
    return m.MetadataChangeProposalClass(
        entityType="dataset",
        entityUrn=urn(name),
        changeType=change,
        aspectName=aspect,
        aspect=m.GenericAspectClass(value=value.encode(), contentType=content_type),
    )


class Attempt:
    """What became of one call: nothing to say, or the client's error and how long it took."""

    def __init__(self, call, *args, **kwargs):
        start = time.monotonic()
        self.error = None
        try:
            call(*args, **kwargs)
        except OperationalError as error:
            self.error = {"message": error.message, **error.info}
        self.seconds = time.monotonic() - start

    def json(self):
        return {"error": self.error, "seconds": self.seconds}


class Scenarios:
    def __init__(self, server):
        self.server = server
        self.emitter = DatahubRestEmitter(server)
        self.graph = DataHubGraph(DatahubClientConfig(server=server))

    def text(self, name):
        found = self.graph.get_aspect(urn(name), m.DatasetPropertiesClass)
        return found and found.description

    def modes(self):
        """Each emit mode by emit_mcp, by emit_mcps, and with an MCE."""
        found = {}
        for mode in EmitMode:
            name = mode.name.lower()
            self.emitter.emit_mcp(proposal(f"one.{name}", described(name)), emit_mode=mode)
            batch = [proposal(f"many.{name}.{i}", described(f"{name} {i}")) for i in range(3)]
            self.emitter.emit_mcps(batch, emit_mode=mode)
            default = DatahubRestEmitter(self.server, default_emit_mode=mode)
            default.emit(proposal(f"default.{name}", described(name)))
            snapshot = m.DatasetSnapshotClass(urn(f"mce.{name}"), [described(name), m.StatusClass(removed=False)])
            default.emit(m.MetadataChangeEventClass(proposedSnapshot=snapshot))
            names = [f"one.{name}", *(f"many.{name}.{i}" for i in range(3)), f"default.{name}", f"mce.{name}"]
            found[mode.name] = [self.text(n) for n in names]
        return found

    def large_batch(self):
        """More than the client puts into one request."""
        batch = [proposal(f"large.{i}", described(str(i))) for i in range(450)]
        self.emitter.emit_mcps(batch)
        return [self.text(f"large.{i}") for i in (0, 199, 200, 449)]

    def sdk(self):
        """An SDK client that has asked /config must stay with rest.li."""
        emitter = DatahubRestEmitter(self.server, client_mode=ClientMode.SDK)
        paths = []
        emitter.session.hooks["response"].append(lambda answer, *_, **__: paths.append(answer.request.path_url))
        emitter.test_connection()
        emitter.emit_mcp(proposal("sdk", described("sdk")))
        emitter.emit_mcps([proposal("sdk", described("sdk, again"))])
        return {"paths": paths, "text": self.text("sdk")}

    def unicode(self):
        """One client escapes such URNs twice, the other once; they are one entity."""
        name = "straße.été.表"
        self.emitter.emit_mcp(proposal(name, described("single")))
        first = self.text(name)
        self.emitter.emit_mcps([proposal(name, described("batch"))])
        self.emitter.emit_mcp(proposal(name, m.StatusClass(removed=False)))
        aspects = self.graph.get_entity_raw(urn(name))["aspects"]
        return {"urn": urn(name), "texts": [first, self.text(name)], "aspects": sorted(aspects)}

    def change_types(self):
        def send(change, name, text):
            mcp = proposal(name, described(text), changeType=change)
            return Attempt(self.emitter.emit_mcp, mcp).json() | {"text": self.text(name)}

        def patch(name):
            patch = json.dumps([{"op": "add", "path": "/description", "value": "x"}])
            mcp = raw(name, "datasetProperties", patch, "PATCH", "application/json-patch+json")
            return Attempt(self.emitter.emit_mcp, mcp).json() | {"text": self.text(name)}

        return {
            "CREATE": send("CREATE", "made", "1"),
            "CREATE, sent again": send("CREATE", "made", "1"),
            "CREATE of what exists": send("CREATE", "made", "2"),
            "CREATE_ENTITY": send("CREATE_ENTITY", "made.entity", "1"),
            "CREATE_ENTITY of what exists": send("CREATE_ENTITY", "made", "3"),
            "UPDATE": send("UPDATE", "made", "4"),
            "UPDATE of what does not exist": send("UPDATE", "not.made", "1"),
            "RESTATE": send("RESTATE", "made", "5"),
            "PATCH": patch("made"),
        }

    def preconditions(self):
        def send(text, version):
            mcp = proposal("guarded", described(text), headers={"If-Version-Match": version})
            return Attempt(self.emitter.emit_mcp, mcp).json() | {"text": self.text("guarded")}

        return {"first": send("1", "-1"), "stale": send("2", "-1"), "right": send("3", "1")}

    def deletes(self):
        key = m.DatasetKeyClass(platform="urn:li:dataPlatform:contract", name="gone", origin="PROD")
        self.emitter.emit_mcp(proposal("gone", described("here")))
        before = self.graph.exists(urn("gone"))
        self.emitter.emit_mcp(proposal("gone", key, changeType="DELETE"))
        after = self.graph.exists(urn("gone"))
        self.emitter.emit_mcps([proposal("half", a) for a in (described("here"), m.StatusClass(removed=False))])
        self.emitter.emit_mcps([proposal("half", m.StatusClass(removed=False), changeType="DELETE")])
        half = sorted(self.graph.get_entity_raw(urn("half"))["aspects"])
        return {"before": before, "after": after, "text": self.text("gone"), "half": half}

    def refused(self):
        """Each must fail at once: the client repeats what a 5xx answers."""
        proposals = {
            "not JSON": raw("bad", "datasetProperties", "{"),
            "wrong type": raw("bad", "datasetProperties", '{"description": 5}'),
            "not a URN": raw("bad", "upstreamLineage", '{"upstreams": [{"type": "COPY", "dataset": "orders"}]}'),
            "aspect of another type": raw("bad", "chartInfo", '{"title": "x"}'),
        }
        proposals["unknown type"] = m.MetadataChangeProposalClass(
            entityType="datasett",
            entityUrn="urn:li:datasett:x",
            changeType="UPSERT",
            aspectName="status",
            aspect=m.GenericAspectClass(value=b"{}", contentType="application/json"),
        )
        proposals["too few parts"] = m.MetadataChangeProposalClass(
            entityType="dataset",
            entityUrn="urn:li:dataset:x",
            changeType="UPSERT",
            aspectName="status",
            aspect=m.GenericAspectClass(value=b"{}", contentType="application/json"),
        )
        found = {name: Attempt(self.emitter.emit_mcp, mcp).json() for name, mcp in proposals.items()}
        return {"attempts": found, "exists": self.graph.exists(urn("bad"))}

    def mixed_batch(self):
        good = [proposal(f"mixed.{i}", described(str(i))) for i in range(4)]
        bad = raw("mixed.bad", "datasetProperties", '{"description": 5}')
        attempt = Attempt(self.emitter.emit_mcps, [*good[:2], bad, *good[2:]])
        texts = [self.text(f"mixed.{i}") for i in range(4)]
        return attempt.json() | {"texts": texts, "bad": self.text("mixed.bad"), "urn": urn("mixed.bad")}

    def mixed_snapshot(self):
        good, bad = m.StatusClass(removed=True), m.OwnershipClass(owners=[m.OwnerClass(owner="ada", type="DATAOWNER")])
        snapshot = m.DatasetSnapshotClass(urn("snapshot"), [good, bad])
        attempt = Attempt(self.emitter.emit, m.MetadataChangeEventClass(proposedSnapshot=snapshot))
        status = self.graph.get_aspect(urn("snapshot"), m.StatusClass)
        return attempt.json() | {"removed": status and status.removed, "urn": urn("snapshot")}

    def system_metadata(self):
        mcp = proposal("seen", described("seen"), systemMetadata=m.SystemMetadataClass.from_obj(SYSTEM))
        self.emitter.emit_mcp(mcp)
        (found,) = self.graph.get_entity_as_mcps(urn("seen"), ["datasetProperties"])
        return {key: found.systemMetadata.to_obj()[key] for key in ("lastObserved", "runId", "version")}

    def all(self):
        names = (
            "modes large_batch sdk unicode change_types preconditions deletes refused mixed_batch mixed_snapshot "
            "system_metadata"
        )
        return {name: getattr(self, name)() for name in names.split()}


json.dump(Scenarios(sys.argv[1]).all(), sys.stdout)
