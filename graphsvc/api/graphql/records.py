"""
GraphQL types of the model's records, made from the registry: one field per field, under the model's own names.

Their values are the records themselves, as JSON objects. What is not of the type that the model says is null.
"""

from collections.abc import Callable, Mapping
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.scalars import JSON

from graphsvc.api.graphql.columns import SchemaFieldRef, schema_field_refs
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.schema_metadata import SchemaMetadata, schema_fields, schema_metadata
from graphsvc.api.graphql.views import (
    WRITTEN,
    AuditStamp,
    CustomPropertiesEntry,
    Json,
    Long,
    at,
    described,
    entries,
    flag,
    fraction,
    number,
    stamp,
    text,
)
from graphsvc.graph.registry import load_registry

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import Assertion, CorpUser, Document, VersionSet

Read = Callable[[Json], Any]

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")
_AUDIT_STAMP = "@com.linkedin.common.AuditStamp"
_TEXT: tuple[Any, Read] = (str, text)
_PLAIN: Mapping[str, tuple[Any, Read]] = {
    "string": _TEXT,
    "enum": _TEXT,
    "bytes": _TEXT,
    "fixed": _TEXT,
    "int": (Long, number),
    "long": (Long, number),
    "float": (float, fraction),
    "double": (float, fraction),
    "boolean": (bool, flag),
}
_INTERVAL_MS = {
    "SECOND": 1_000,
    "MINUTE": 60_000,
    "HOUR": 3_600_000,
    "DAY": 86_400_000,
    "WEEK": 604_800_000,
    "MONTH": 2_592_000_000,  # as DataHub has it: 30 days, and so on
    "QUARTER": 7_776_000_000,
    "YEAR": 31_536_000_000,
}


def _duration(window: Json) -> Long | None:
    size = _INTERVAL_MS.get(text(at(window, "length.unit")) or "")
    return None if size is None else Long(size * (number(at(window, "length.multiple")) or 1))


@described
class ResolvedAuditStamp:
    """When something happened, and the user who did it."""

    time: Long
    actor: Annotated["CorpUser", _TYPES] | None


@described
class SchemaAssertionField:
    """A column that an assertion about a schema asks for."""

    path: str
    type: str | None
    native_type: str | None


def _resolved(key: str) -> tuple[Any, Read]:
    def read(record: Json) -> ResolvedAuditStamp | None:
        if (found := stamp(record.get(key))) is None:
            return None
        return ResolvedAuditStamp(time=found.time, actor=referred(found.actor, "corpuser"))

    return ResolvedAuditStamp, read


def _entity(of: Any, key: str, entity_type: str | None = None) -> tuple[Any, Read]:
    return of, lambda record: referred(record.get(key), entity_type)


def _column(info: Json) -> SchemaFieldRef | None:
    return next(iter(schema_field_refs([info.get("field")])), None)


def _asserted_fields(info: Json) -> list[SchemaAssertionField]:
    fields = schema_fields(at(info, "schema.fields"), text(info.get("entity")) or "")
    return [SchemaAssertionField(path=f.field_path, type=f.type, native_type=f.native_data_type) for f in fields]


def _asserted_schema(info: Json) -> SchemaMetadata | None:
    value = info.get("schema")
    return schema_metadata(value, text(info.get("entity")) or "") if isinstance(value, dict) else None


_DOCUMENT: Any = Annotated["Document", _TYPES]
_CONTRACTED: Mapping[str, tuple[Any, Read]] = {
    "assertion": _entity(Annotated["Assertion", _TYPES], "assertion", "assertion")
}
_ASSERTED: Mapping[str, tuple[Any, Read]] = {"entityUrn": (str, lambda info: text(info.get("entity")))}
# What DataHub's GraphQL calls otherwise, or shows in another form: record -> field -> type, and how to read it.
_SHOWN_AS: Mapping[str, Mapping[str, tuple[Any, Read]]] = {
    "com.linkedin.assertion.CustomAssertionInfo": {**_ASSERTED, "field": (SchemaFieldRef, _column)},
    "com.linkedin.assertion.DatasetAssertionInfo": {
        "datasetUrn": (str, lambda info: text(info.get("dataset"))),
        "fields": (list[SchemaFieldRef], lambda info: schema_field_refs(info.get("fields"))),
    },
    "com.linkedin.assertion.FieldAssertionInfo": _ASSERTED,
    "com.linkedin.assertion.FreshnessAssertionInfo": _ASSERTED,
    "com.linkedin.assertion.SchemaAssertionInfo": {
        **_ASSERTED,
        "fields": (list[SchemaAssertionField], _asserted_fields),
        "schema": (SchemaMetadata, _asserted_schema),
    },
    "com.linkedin.assertion.SqlAssertionInfo": _ASSERTED,
    "com.linkedin.assertion.VolumeAssertionInfo": _ASSERTED,
    "com.linkedin.common.Operation": {"partition": (str, lambda info: text(at(info, "partitionSpec.partition")))},
    "com.linkedin.common.VersionProperties": {
        "created": _resolved("metadataCreatedTimestamp"),
        "createdInSource": _resolved("sourceCreatedTimestamp"),
        "versionSet": _entity(Annotated["VersionSet", _TYPES], "versionSet", "versionSet"),
    },
    "com.linkedin.datacontract.DataContractProperties": _ASSERTED,
    "com.linkedin.datacontract.DataQualityContract": _CONTRACTED,
    "com.linkedin.datacontract.FreshnessContract": _CONTRACTED,
    "com.linkedin.datacontract.SchemaContract": _CONTRACTED,
    "com.linkedin.knowledge.DocumentInfo": {
        "created": _resolved("created"),
        "lastModified": _resolved("lastModified"),
    },
    "com.linkedin.knowledge.ParentDocument": {"document": _entity(_DOCUMENT, "document", "document")},
    "com.linkedin.knowledge.RelatedAsset": {"asset": _entity(Entity, "asset")},
    "com.linkedin.knowledge.RelatedDocument": {"document": _entity(_DOCUMENT, "document", "document")},
    "com.linkedin.post.PostContent": {"contentType": (str, lambda content: text(content.get("type")))},
    "com.linkedin.timeseries.TimeWindow": {"durationMillis": (Long, _duration)},
}
_MADE: dict[str, Any] = {}


def record_type(record: str) -> Any:
    """
    The GraphQL type of a record.

    Its name is the record's own without the package, with `Record` behind it where a type written by hand has that one.

    Args:
        record: Full name on the wire; records of a model file are not described.

    Returns:
        A class, or None for a record that the model does not describe.
    """
    fields = load_registry().records.get(record)
    if not fields:
        return None
    if record not in _MADE:
        name = record.rpartition(".")[2]
        name += "Record" if name in WRITTEN else ""
        cls = _MADE[record] = type(name, (), {})  # noted before its fields: a record may hold its like
        for field, kind in fields.items():
            of, read = _shape(kind)
            setattr(cls, field, _field(field, of, _key(field, read)))
        for field, (of, read) in _SHOWN_AS.get(record, {}).items():
            setattr(cls, field, _field(field, of, read))
        strawberry.type(cls, name=name, description=f"The model's record `{record}`.")
    return _MADE[record]


def _key(name: str, read: Read) -> Read:
    return lambda record: read(record.get(name))


def _field(name: str, of: Any, read: Read) -> Any:
    def resolve(root: Json) -> Any:
        return read(root)

    return strawberry.field(resolver=resolve, graphql_type=of | None, name=name)


def _shape(kind: Any) -> tuple[Any, Read]:
    """GraphQL's type for one of the model's, and how to read a value of it."""
    if isinstance(kind, str):
        if kind == _AUDIT_STAMP:
            return AuditStamp, stamp
        if not kind.startswith("@"):
            return _PLAIN[kind]
        cls = record_type(kind[1:])
        return (cls, _object) if cls else (JSON, _as_it_is)
    if kind == ["map", "string"]:
        return list[CustomPropertiesEntry], entries
    if isinstance(kind, list) and kind[0] == "array":
        of, read = _shape(kind[1])
        return GenericAlias(list, (of,)), lambda value: _items(value, read)
    return JSON, _as_it_is


def _object(value: Json) -> Json:
    return value if isinstance(value, dict) else None


def _as_it_is(value: Json) -> Json:
    return value


def _items(value: Json, read: Read) -> list[Any] | None:
    if not isinstance(value, list):
        return None
    return [item for raw in value if (item := read(raw)) is not None]
