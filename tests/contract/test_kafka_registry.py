"""DatahubKafkaEmitter's serializers: they register with our schema registry, and what they write we read like REST."""

import asyncio
import json

import httpx
import pytest

from graphsvc.graph.driver import open_driver
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.snapshot import decode_proposal, proposals_of_entity

EVENT_TOPIC = "MetadataChangeEvent_v4"


@pytest.fixture(scope="module")
def records(emptied, datahub):
    """What `clients/kafka_records.py` serialized, with the REST call for the same."""
    return datahub.client("kafka_records")["records"]


@pytest.fixture(scope="module")
def decoded(records, neo4j_server, registry):
    """The items in each record, by a process of its own that knows nothing but the graph."""

    async def decode():
        server = neo4j_server
        async with open_driver(server.uri, server.user, server.password) as driver:
            codec = Codec(GraphSchemas(driver, server.database), registry)
            values = [bytes.fromhex(record["value"]) for record in records]
            await codec.prepare(values)
            return [codec.items(v, event=r["topic"] == EVENT_TOPIC) for v, r in zip(values, records, strict=True)]

    return asyncio.run(decode())


def plain(item):
    """All that the service reads of a proposal, with the value decoded."""
    assert isinstance(item, Proposal), item
    aspect = item.aspect
    value = aspect and (json.loads(aspect.value) if aspect.value is not None else aspect.json_)
    return (item.entity_type, item.entity_urn, item.change_type, item.aspect_name, value, item.headers)


def test_both_records_have_their_subject(records, served):
    subjects = httpx.get(f"{served.url}/schema-registry/api/subjects", trust_env=False).json()

    assert subjects == ["MetadataChangeEvent_v4-value", "MetadataChangeProposal_v1-value"]


def test_a_record_says_the_same_as_the_rest_call(records, decoded, registry):
    """Aspect for aspect, union for union; the run may differ, since the Kafka emitter does not say it."""
    for record, items in zip(records, decoded, strict=True):
        body = record["rest"]
        if record["topic"] == EVENT_TOPIC:
            expected = proposals_of_entity(body["entity"], body["systemMetadata"], registry)
        else:
            expected = [decode_proposal(body["proposal"])]
        assert [plain(item) for item in items] == [plain(item) for item in expected]
        assert len(items) > 0


def test_system_metadata_says_the_same(records, decoded):
    """Where the caller gives it: the REST emitter adds to it what it finds missing."""
    for record, items in zip(records, decoded, strict=True):
        body = record["rest"]
        sent = body["systemMetadata"] if record["topic"] == EVENT_TOPIC else body["proposal"].get("systemMetadata")
        for item in items:
            if item.system_metadata is not None:
                shared = {key: value for key, value in sent.items() if key != "properties"}
                assert {k: v for k, v in item.system_metadata.items() if k != "properties"} == shared


def test_they_land(records, decoded, served):
    """The values pass the same checks as REST's: sent on as plain JSON, each is taken."""
    for items in decoded[4:]:
        body = [
            {"entityUrn": i.entity_urn, "aspectName": i.aspect_name, "aspect": {"json": plain(i)[4]}} for i in items
        ]
        answer = httpx.post(f"{served.url}/ingest", json=body, trust_env=False)
        assert answer.status_code == 200, answer.text
