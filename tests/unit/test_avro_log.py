from io import BytesIO
from typing import Any

import fastavro
import orjson
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.ingest.avro import schema_text
from graphsvc.ingest.avro_log import ID_HEADER, JSON, change_writer, system

SCHEMA = orjson.loads(schema_text("MetadataChangeLog"))
WRITE = change_writer(SCHEMA)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
MILLIS = st.integers(min_value=0, max_value=2**53)
STAMP = st.fixed_dictionaries({"time": MILLIS, "actor": TEXT})
SYSTEM = st.none() | st.dictionaries(
    st.sampled_from(("lastObserved", "runId", "properties", "aspectCreated", "more", "schemaVersion", "version")),
    MILLIS | TEXT | st.dictionaries(TEXT, TEXT | MILLIS, max_size=3) | STAMP,
).map(lambda value: orjson.dumps(value).decode())
RECORDS = st.fixed_dictionaries(
    {
        "id": TEXT,
        "urn": TEXT,
        "entityType": TEXT,
        "aspect": TEXT,
        "changeType": st.sampled_from(("UPSERT", "DELETE")),
        "version": MILLIS,
        "at": MILLIS,
        "actor": TEXT,
        "value": st.none() | TEXT,
        "systemMetadata": SYSTEM,
        "previousValue": st.none() | TEXT,
        "previousSystemMetadata": SYSTEM,
    }
)


def generic(text: str | None) -> dict[str, Any] | None:
    return None if text is None else {"value": text.encode(), "contentType": JSON}


@given(RECORDS)
def test_a_change_is_the_same_bytes_as_by_the_library(record: dict[str, Any]) -> None:
    """What is put together from parts is what fastavro writes for the whole record."""
    whole = {
        "entityType": record["entityType"],
        "entityUrn": record["urn"],
        "changeType": record["changeType"],
        "aspectName": record["aspect"],
        "aspect": generic(record["value"]),
        "systemMetadata": system(record["systemMetadata"], record["version"]),
        "headers": {ID_HEADER: record["id"]},
        "previousAspectValue": generic(record["previousValue"]),
        "previousSystemMetadata": system(record["previousSystemMetadata"], None),
        "created": {"time": record["at"], "actor": record["actor"]},
    }
    target = BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(SCHEMA, named_schemas={}), whole)

    assert WRITE(record) == target.getvalue()
