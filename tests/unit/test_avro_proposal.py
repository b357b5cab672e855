"""Proposals read in two parts are those that fastavro reads, and anything else is left to it."""

from io import BytesIO
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.ingest.avro import schema_text
from graphsvc.ingest.avro_json import bare
from graphsvc.ingest.avro_proposal import proposal_reader
from graphsvc.ingest.avro_schema import wire_schema
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.snapshot import decode_proposal

TEXT_OF_SCHEMA = schema_text("MetadataChangeProposal")
_, SCHEMA = wire_schema(TEXT_OF_SCHEMA)
READER = proposal_reader(SCHEMA)
FRAME = b"frame"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
GENERIC = st.fixed_dictionaries({"value": st.binary(max_size=300), "contentType": TEXT})
SYSTEM = st.fixed_dictionaries(
    {},
    optional={
        "lastObserved": st.integers(min_value=-(2**63), max_value=2**63 - 1),
        "runId": TEXT,
        "properties": st.dictionaries(TEXT, TEXT, max_size=3),
        "version": st.none() | TEXT,
    },
)
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "entityType": TEXT,
    "entityUrn": TEXT,
    "changeType": st.sampled_from(("UPSERT", "CREATE", "DELETE", "CREATE_ENTITY")),
    "aspectName": TEXT,
    "aspect": GENERIC,
}
ENDS: dict[str, st.SearchStrategy[Any]] = {
    "systemMetadata": st.none() | SYSTEM,
    "headers": st.none() | st.dictionaries(TEXT, TEXT, max_size=3),
}
PROPOSALS = st.fixed_dictionaries(PLAIN | ENDS)
OTHERS = st.one_of(
    st.fixed_dictionaries({**PLAIN, **ENDS, "entityKeyAspect": GENERIC}),
    *(st.fixed_dictionaries({**PLAIN, **ENDS, name: st.none()}) for name in ("entityUrn", "aspectName", "aspect")),
)


def encoded(proposal: dict[str, Any]) -> bytes:
    target = BytesIO()
    target.write(FRAME)
    fastavro.schemaless_writer(target, fastavro.parse_schema(orjson.loads(TEXT_OF_SCHEMA), named_schemas={}), proposal)
    return target.getvalue()


def by_library(record: bytes) -> Any:
    source = BytesIO(record)
    source.seek(len(FRAME))
    raw: Any = fastavro.schemaless_reader(source, SCHEMA, None)
    assert source.tell() == len(record)
    if raw["systemMetadata"]:
        raw["systemMetadata"] = bare(raw["systemMetadata"])
    return decode_proposal(raw)


def read(record: bytes) -> Proposal | None:
    assert READER is not None
    return READER.read(record, len(FRAME))


@given(PROPOSALS)
def test_a_plain_proposal_is_the_one_that_the_library_reads(proposal: dict[str, Any]) -> None:
    """Field by field, however long its texts are."""
    record = encoded(proposal)

    assert read(record) == by_library(record)


@given(OTHERS)
def test_what_is_not_plain_is_left_to_the_library(proposal: dict[str, Any]) -> None:
    """A key instead of a URN, or a deletion without a value."""
    assert read(encoded(proposal)) is None


@given(PROPOSALS, st.data())
def test_broken_bytes_are_never_read_as_something_else(proposal: dict[str, Any], data: st.DataObject) -> None:
    """One byte changed, or an end cut off or put on: what is read is what the library reads from it, or nothing."""
    record = bytearray(encoded(proposal))
    place = data.draw(st.integers(min_value=len(FRAME), max_value=len(record) - 1))
    match data.draw(st.sampled_from(("change", "cut", "append"))):
        case "change":
            record[place] = data.draw(st.integers(min_value=0, max_value=255))
        case "cut":
            del record[place:]
        case _:
            record.append(place % 256)

    found = read(bytes(record))

    assert found is None or found == by_library(bytes(record))


def test_a_number_that_never_ends_takes_no_time() -> None:
    """Each of its bytes would be added to a longer number; Avro's have ten at most."""
    assert read(FRAME + b"\x00" + b"\xff" * 4_000_000) is None


@pytest.mark.parametrize(
    ("place", "field"),
    [
        (0, {"name": "auditHeader", "type": "string"}),
        (1, {"name": "type", "type": "string"}),
        (2, {"name": "entityUrn", "type": ["string", "null"]}),
        (4, {"name": "changeType", "type": "string"}),
        (8, {"name": "headers", "type": ["null", {"type": "map", "values": "long"}]}),
        (7, {"name": "systemMetadata", "type": ["null", "com.linkedin.pegasus2avro.mxe.GenericAspect"]}),
    ],
)
def test_a_schema_of_another_form_is_left_to_the_library(place: int, field: dict[str, Any]) -> None:
    """As a producer of its own, or a later DataHub, may bring one."""
    schema = orjson.loads(TEXT_OF_SCHEMA)
    schema["fields"][place] = field

    assert proposal_reader(wire_schema(orjson.dumps(schema).decode())[1]) is None
