"""graphsvc's client speaks DataHub's wire: the bodies of DataHub's emitter, and Avro that DataHub's classes read."""

import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from recorder import recording

from graphsvc.client import KafkaEmitter, Proposal, RestEmitter

DATASET = "urn:li:dataset:(urn:li:dataPlatform:hive,client.größe,PROD)"
SYSTEM = {"lastObserved": 1_700_000_000_000, "runId": "contract", "lastRunId": "no-run-id-provided"}
PROPOSALS = [
    Proposal(DATASET, "datasetProperties", {"name": "größe", "customProperties": {"é": "ü"}, "tags": []}),
    Proposal(DATASET, "status", {"removed": False}, "CREATE", SYSTEM, {"If-None-Match": "*"}),
    Proposal("urn:li:tag:PII", "tagProperties", {"name": "PII"}, "UPDATE", headers={"If-Version-Match": "3"}),
    *(Proposal(f"urn:li:tag:{n}", "tagProperties", {"name": str(n)}) for n in range(250)),
]


def decoded(body: Any) -> Any:
    """A request with its aspects decoded: JSON within JSON may be spelt in several ways."""
    proposals = [{**p, "aspect": {**p["aspect"], "value": json.loads(p["aspect"]["value"])}} for p in body["proposals"]]
    return {**body, "proposals": proposals}


def unstamped(body: Any) -> Any:
    """The same without what DataHub's emitter adds to system metadata by itself: its name, and the time of sending."""
    for proposal in body["proposals"]:
        stamp = proposal["systemMetadata"]
        assert stamp.pop("properties")["clientId"] == "acryl-datahub"
        if stamp != SYSTEM:
            assert stamp.keys() == SYSTEM.keys()
            del proposal["systemMetadata"]
    return body


@pytest.mark.parametrize(("mode", "asynchronous"), [("SYNC_PRIMARY", False), ("ASYNC", True)])
def test_rest_bodies_are_those_of_datahubs_emitter(datahub, tmp_path: Path, mode: str, asynchronous: bool) -> None:
    """Path, batches, and every key and value."""
    file = tmp_path / "proposals.json"
    file.write_text(json.dumps([dataclasses.asdict(proposal) for proposal in PROPOSALS]), encoding="utf-8")
    with recording() as theirs, recording() as ours:
        dataclasses.replace(datahub, url=theirs.url).client("send_mcps", file, mode)
        with RestEmitter(ours.url, asynchronous=asynchronous) as emitter:
            emitter.emit_all(PROPOSALS)

    assert [path for path, _, _ in ours.requests] == [path for path, _, _ in theirs.requests]
    assert [decoded(body) for body in ours.bodies] == [unstamped(decoded(body)) for body in theirs.bodies]
    assert [len(body["proposals"]) for body in ours.bodies] == [200, 53]
    same = ("content-type", "x-restli-protocol-version")
    assert {ours.requests[0][1][name] for name in same} == {theirs.requests[0][1][name] for name in same}


def test_avro_reads_with_datahubs_classes(datahub, served, kafka_bootstrap: str) -> None:
    """Key and record; what we leave out has DataHub's defaults."""
    topic = f"contract-{uuid.uuid4().hex[:8]}"
    with KafkaEmitter(kafka_bootstrap, topic=topic, registry_url=f"{served.url}/schema-registry/api") as emitter:
        emitter.emit_all(PROPOSALS[:3])

    found = {
        (item["mcp"]["entityUrn"], item["mcp"]["aspectName"]): item
        for item in datahub.client("read_mcps", kafka_bootstrap, topic, "3")
    }

    assert len(found) == 3
    for proposal in PROPOSALS[:3]:
        item = found[proposal.urn, proposal.aspect]
        mcp = item["mcp"]
        assert item["key"] == proposal.urn
        assert mcp["entityType"] == proposal.entity_type
        assert mcp["changeType"] == proposal.change_type
        assert json.loads(mcp["aspect"]["value"]) == proposal.value
        assert mcp["aspect"]["contentType"] == "application/json"
        assert mcp.get("headers") == proposal.headers
        assert mcp.get("systemMetadata") == proposal.system_metadata
