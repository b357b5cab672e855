"""What comes from Kafka as bytes becomes proposals or says why not; whatever it is, quickly and without harm."""

import io
import struct
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.errors import GraphsvcError, SchemaNotFound, StoreUnavailable, Undecodable
from graphsvc.graph.registry import Registry
from graphsvc.ingest.avro import Codec, schema_text
from graphsvc.ingest.avro_schema import wire_schema
from graphsvc.ingest.proposal import Proposal

URN = "urn:li:dataset:(urn:li:dataPlatform:hive,sales.orders,PROD)"
FIELDS = {
    "entityType": "dataset",
    "entityUrn": URN,
    "changeType": "UPSERT",
    "aspectName": "datasetProperties",
    "aspect": {"value": '{"name":"Aufträge"}'.encode(), "contentType": "application/json"},
    "systemMetadata": {"lastObserved": 5, "runId": "r1", "properties": {"a": "b"}},
    "headers": {"If-Version-Match": "1"},
}
SNAPSHOT = "com.linkedin.pegasus2avro.metadata.snapshot.DatasetSnapshot"
# A small MetadataChangeEvent with each kind of union that DataHub's has.
EVENT: dict[str, Any] = {
    "type": "record",
    "name": "MetadataChangeEvent",
    "namespace": "com.linkedin.pegasus2avro.mxe",
    "fields": [
        {
            "name": "proposedSnapshot",
            "type": [
                {
                    "type": "record",
                    "name": "DatasetSnapshot",
                    "namespace": "com.linkedin.pegasus2avro.metadata.snapshot",
                    "fields": [
                        {"name": "urn", "type": "string"},
                        {
                            "name": "aspects",
                            "type": {
                                "type": "array",
                                "items": [
                                    {
                                        "type": "record",
                                        "name": "Status",
                                        "namespace": "com.linkedin.pegasus2avro.common",
                                        "fields": [{"name": "removed", "type": "boolean"}],
                                    }
                                ],
                            },
                        },
                    ],
                }
            ],
        },
        {"name": "choice", "type": ["null", "string", {"type": "enum", "name": "E", "symbols": ["A", "B"]}]},
        {"name": "maybe", "type": ["null", {"type": "map", "values": "long"}]},
    ],
}


class Shelf:
    """A schema registry as simple as can be: a list."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.asked = 0
        self.away = False

    async def register(self, subject: str, text: str) -> int:
        if self.away:
            raise StoreUnavailable("away")
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1

    async def schema(self, schema_id: int) -> str:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        if not 0 < schema_id <= len(self.texts):
            raise SchemaNotFound("none", 40403)
        return self.texts[schema_id - 1]


def framed(schema_id: int, body: bytes = b"") -> bytes:
    return struct.pack(">bI", 0, schema_id) + body


def avro(schema: Any, value: Any, schema_id: int = 1) -> bytes:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(schema, named_schemas={}), value)
    return framed(schema_id, target.getvalue())


async def read(registry: Registry, schema: Any, value: bytes, *, event: bool = False) -> list[Any]:
    codec = Codec(Shelf(orjson.dumps(schema).decode()), registry)
    await codec.prepare([value])
    return codec.items(value, event=event)


def refused(items: list[Any]) -> str:
    """The reason why a record as a whole was refused."""
    (item,) = items
    assert type(item) is Undecodable
    return str(item)


async def test_a_proposal_comes_back_as_it_went(registry: Registry) -> None:
    """Through our own encoder: the aspect's bytes untouched, nulls and what was not given left out."""
    codec = Codec(Shelf(), registry)
    value = await codec.encode("MetadataChangeProposal_v1", "MetadataChangeProposal", FIELDS)
    await codec.prepare([value])

    (item,) = codec.items(value, event=False)

    assert isinstance(item, Proposal)
    assert (item.entity_urn, item.entity_type, item.change_type) == (URN, "dataset", "UPSERT")
    assert item.aspect is not None
    assert (item.aspect.value, item.aspect.content_type) == (FIELDS["aspect"]["value"], "application/json")
    assert item.system_metadata == {**FIELDS["systemMetadata"], "lastRunId": "no-run-id-provided"}
    assert item.headers == {"If-Version-Match": "1"}


async def test_json_needs_no_schema(registry: Registry) -> None:
    """A plain JSON proposal, as any tool can write it; white space in front does not matter."""
    text = orjson.dumps({"entityUrn": URN, "aspectName": "status", "aspect": {"json": {"removed": True}}})

    for value in (text, b"\n " + text):
        (item,) = Codec(Shelf(), registry).items(value, event=False)
        assert isinstance(item, Proposal)
        assert (item.entity_urn, item.aspect and item.aspect.json_) == (URN, {"removed": True})


async def test_an_event_is_its_aspects(registry: Registry) -> None:
    """Also where a union has one member only; names lose `pegasus2avro`."""
    aspects = [{"removed": True}, {"removed": False}]
    value = avro(EVENT, {"proposedSnapshot": {"urn": URN, "aspects": aspects}, "choice": None, "maybe": None})

    items = await read(registry, EVENT, value, event=True)

    assert [(item.entity_urn, item.aspect_name, item.aspect.json_) for item in items] == [
        (URN, "status", aspect) for aspect in aspects
    ]


async def test_an_event_in_json_is_its_aspects(registry: Registry) -> None:
    """In Avro's JSON, as MCE files have it."""
    snapshot = {SNAPSHOT: {"urn": URN, "aspects": [{"com.linkedin.pegasus2avro.common.Status": {"removed": True}}]}}

    (item,) = Codec(Shelf(), registry).items(orjson.dumps({"proposedSnapshot": snapshot}), event=True)

    assert isinstance(item, Proposal)
    assert (item.aspect_name, item.aspect and item.aspect.json_) == ("status", {"removed": True})


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        (None, None),
        (("string", "A"), {"string": "A"}),
        (("com.linkedin.pegasus2avro.mxe.E", "A"), {"com.linkedin.mxe.E": "A"}),
    ],
)
async def test_a_union_says_which_member_it_is(registry: Registry, given: Any, wire: Any) -> None:
    """As DataHub's REST clients spell it, and to the letter what was written: Avro's bytes say which."""
    value = avro(EVENT, {"proposedSnapshot": {"urn": URN, "aspects": []}, "choice": given, "maybe": {"a": 1}})
    codec = Codec(Shelf(orjson.dumps(EVENT).decode()), registry)
    await codec.prepare([value])

    found = codec.record(value)

    assert found["choice"] == wire
    assert found["maybe"] == {"a": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "0 bytes"),
        (b"\x00\x00\x00", "3 bytes"),
        (b"\x01\x00\x00\x00\x01abc", "starts with byte 1"),
        (b"{", "not well-formed JSON"),
        (b"[]", "a JSON list"),
        (b"[" * 5_000, "not well-formed JSON"),
        (framed(7, b"abc"), "no schema 7"),
        (framed(1, b""), "not Avro of schema 1"),
        (framed(1, b"\x00\x0edataset\x02\xfe\xff\xff\xff\xff\xff\xff\xff\x7fabc"), "not Avro of schema 1"),
        (framed(2, b"\x02a"), "not that of a record"),
        (framed(3, b"\x02a"), "schema 3: the schema is not one of Avro"),
    ],
)
@pytest.mark.parametrize("event", [False, True])
async def test_what_does_not_decode_says_why(registry: Registry, value: bytes | None, reason: str, event: bool) -> None:
    """One error, which goes to the dead letters; nothing is raised."""
    codec = Codec(Shelf(schema_text("MetadataChangeProposal"), '"string"', '{"type": "recrod"}'), registry)
    await codec.prepare([value])

    assert reason in refused(codec.items(value, event=event))


async def test_every_cut_of_a_record_is_refused(registry: Registry) -> None:
    """And so are bytes behind its end: no part of a broken record is taken for a whole one."""
    codec = Codec(Shelf(), registry)
    value = await codec.encode("T", "MetadataChangeProposal", FIELDS)
    await codec.prepare([value])

    for broken in (*(value[:cut] for cut in range(len(value))), value + b"\x00"):
        refused(codec.items(broken, event=False))


async def test_a_record_of_another_kind_is_refused(registry: Registry) -> None:
    codec = Codec(Shelf(), registry)
    value = await codec.encode("T", "MetadataChangeProposal", FIELDS)
    await codec.prepare([value])

    assert refused(codec.items(value, event=True)) == (
        "a MetadataChangeProposal stands where a MetadataChangeEvent belongs"
    )


def record(*fields: Any, name: str = "MetadataChangeProposal") -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)],
    }


def doubled(times: int) -> dict[str, Any]:
    """A record of two records of two records …, which takes no bytes at all."""
    kind = record("null", name="R0")
    for number in range(1, times):
        kind = record(kind, f"R{number - 1}", name=f"R{number}")
    return record(kind)


def chain(length: int) -> dict[str, Any]:
    """Records that refer to the one before, so that the text is flat but the value is deep."""
    links = [record("string", name="C0"), *(record(f"C{n - 1}", name=f"C{n}") for n in range(1, length))]
    return record(*links)


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        (record({"type": "array", "items": "null"}), b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", "take no bytes"),
        (
            record({"type": "array", "items": record("null", name="N")}),
            b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
            "take no bytes",
        ),
        (record(["null", "MetadataChangeProposal"]), b"\x02" * 1_000_000, "contains itself"),
        (record({"type": "array", "items": "MetadataChangeProposal"}), b"\x02" * 1_000_000, "contains itself"),
        (doubled(40), b"", "values that take no bytes"),
        (chain(20_000), b"\x02a", "nests over"),
    ],
    ids=["nulls", "empty records", "itself", "itself in a list", "doubled", "chain"],
)
async def test_a_schema_that_floods_is_refused(registry: Registry, schema: Any, body: bytes, reason: str) -> None:
    """Whoever may register schemas can not stop the consumer with a few bytes."""
    start = time.process_time()

    assert reason in refused(await read(registry, schema, framed(1, body)))
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "kind",
    ["bytes", "string", {"type": "array", "items": "string"}, {"type": "map", "values": "long"}],
    ids=["bytes", "string", "array", "map"],
)
async def test_a_length_beyond_the_record_costs_nothing(registry: Registry, kind: Any) -> None:
    """The memory is not taken before the bytes are there."""
    schema = record(kind)
    tracemalloc.start()
    try:
        reason = refused(
            await read(registry, schema, framed(1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\x02a" * 10))
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "not Avro" in reason
    assert peak < 10_000_000


async def test_a_registry_that_is_away_is_not_the_records_fault(registry: Registry) -> None:
    """It is raised, so that the consumer waits; afterwards the same record decodes."""
    shelf = Shelf(schema_text("MetadataChangeProposal"))
    codec = Codec(shelf, registry)
    value = await codec.encode("T", "MetadataChangeProposal", FIELDS)
    shelf.away = True

    with pytest.raises(StoreUnavailable):
        await codec.prepare([value])
    shelf.away = False
    await codec.prepare([value])

    assert isinstance(codec.items(value, event=False)[0], Proposal)


async def test_an_unknown_schema_is_asked_for_again(registry: Registry) -> None:
    """A known one is not: an id never changes its meaning."""
    shelf = Shelf()
    codec = Codec(shelf, registry)
    value = framed(1) + (await codec.encode("T", "PlatformEvent", EVENT_FIELDS))[5:]
    shelf.texts.clear()
    await codec.prepare([value])
    assert "no schema 1" in refused(codec.items(value, event=False))

    shelf.texts.append(schema_text("PlatformEvent"))
    for _ in range(3):
        await codec.prepare([value])

    assert codec.record(value)["name"] == "entityChangeEvent"
    assert shelf.asked == 2


EVENT_FIELDS = {
    "header": {"timestampMillis": 5},
    "name": "entityChangeEvent",
    "payload": {"value": b"{}", "contentType": "application/json"},
}
CHANGE = {
    "id": "1-a", "urn": URN, "entityType": "dataset", "aspect": "status", "changeType": "UPSERT", "version": 1, "at": 1,
    "actor": "urn:li:corpuser:a", "value": "{}",
}  # fmt: skip
DEAD = {"metadataChangeProposal": FIELDS, "error": "bad", "errorType": "BadValue", "topic": "T", "partition": 3}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PlatformEvent", EVENT_FIELDS, {"name": "entityChangeEvent", "header": {"timestampMillis": 5}}),
        (
            "MetadataChangeLog",
            CHANGE,
            {"entityUrn": URN, "aspect": {"value": b"{}", "contentType": "application/json"}},
        ),
        (
            "FailedMetadataChangeProposal",
            {**DEAD, "offset": 2**40, "key": b"k", "original": b"\x00\xff"},
            {"error": "bad", "partition": 3, "offset": 2**40, "key": b"k", "original": b"\x00\xff"},
        ),
        ("FailedMetadataChangeProposal", DEAD, {"offset": -1, "key": None, "original": None}),
    ],
)
async def test_every_record_we_write_reads_back(registry: Registry, name: str, value: Any, shown: Any) -> None:
    shelf = Shelf()
    codec = Codec(shelf, registry)

    data = await codec.encode("T", name, value)

    await codec.prepare([data])
    assert codec.record(data).items() >= shown.items()
    assert len(shelf.texts) == 1


async def test_a_reader_of_datahubs_three_fields_understands_our_dead_letters() -> None:
    """What we add stands behind them, with defaults."""
    ours = orjson.loads(schema_text("FailedMetadataChangeProposal"))

    assert [field["name"] for field in ours["fields"]][:3] == ["auditHeader", "metadataChangeProposal", "error"]
    assert all("default" in field for field in ours["fields"][3:])


@given(
    body=st.binary(max_size=300) | st.binary(max_size=30).map(lambda b: b"\x00\x0edataset" + b),
    schema_id=st.integers(1, 3),
    event=st.booleans(),
)
async def test_random_bytes_never_raise(
    registry: Registry, prepared: Callable[[], Codec], body: bytes, schema_id: int, event: bool
) -> None:
    """In a frame or not, as a proposal or as an event: proposals or errors of ours come out."""
    codec = prepared()

    for value in (body, framed(schema_id, body), b"{" + body):
        for item in codec.items(value, event=event):
            assert isinstance(item, Proposal | GraphsvcError)


@pytest.fixture(scope="module")
async def prepared(registry: Registry) -> Callable[[], Codec]:
    """A codec that knows schemas 1, of proposals, and 2, of events."""
    codec = Codec(Shelf(schema_text("MetadataChangeProposal"), orjson.dumps(EVENT).decode()), registry)
    await codec.prepare([framed(number, b"x") for number in (1, 2, 3)])
    return lambda: codec


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "name", "fields", "items", "values", "symbols", "size"]), inner, max_size=4
            )
        ),
    )
)
def test_random_schemas_never_raise(schema: Any) -> None:
    """Anything but that they cannot be used."""
    try:
        wire_schema(orjson.dumps(schema, option=orjson.OPT_NON_STR_KEYS).decode())
    except Undecodable:
        pass
    except TypeError:  # orjson: an integer over 64 bits
        pass
