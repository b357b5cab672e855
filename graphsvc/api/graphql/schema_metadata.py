"""Schemas of datasets."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.aspects import GlobalTags, GlossaryTerms, tags, terms
from graphsvc.api.graphql.entity import entity_of, referred
from graphsvc.api.graphql.views import AuditStamp, Json, Long, described, path, records, text, texts, union, view
from graphsvc.graph.reader import AspectRow
from graphsvc.urn import schema_field_urn

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import Dataset, SchemaFieldEntity

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")

# The classes of DataHub's type union whose name is not the enum's value with `Type` behind it.
_RENAMED = {"RECORD": "STRUCT"}
_RAW = ("rawSchema", "tableSchema", "schema", "documentSchema")  # where the kinds of platform schemas have their text


@described
class SchemaField:
    """A column, or a field within one."""

    field_path: str
    json_path: str | None
    label: str | None
    nullable: bool
    description: str | None
    type: str | None
    native_data_type: str | None
    recursive: bool
    is_part_of_key: bool | None
    is_partitioning_key: bool | None
    json_props: str | None
    tags: GlobalTags | None
    global_tags: GlobalTags | None = strawberry.field(description="DataHub's older name for `tags`.")
    glossary_terms: GlossaryTerms | None
    schema_field_entity: Annotated["SchemaFieldEntity", _TYPES]


@described
class ForeignKeyConstraint:
    """A constraint between columns of two datasets."""

    name: str | None
    foreign_dataset: Annotated["Dataset", _TYPES] | None
    foreign_fields: list[Annotated["SchemaFieldEntity", _TYPES]]
    source_fields: list[Annotated["SchemaFieldEntity", _TYPES]]


@described
class TableSchema:
    """The schema in the platform's own words."""

    schema: str


@described
class KeyValueSchema:
    """The schemas of a topic's keys and values, in the platform's own words."""

    key_schema: str
    value_schema: str


PlatformSchema = Annotated[
    TableSchema | KeyValueSchema, union("PlatformSchema", "A schema in the platform's own words.")
]


@described
class SchemaMetadata:
    """The schema of a dataset, as one version of the aspect has it."""

    name: str | None = path("schemaName")
    platform_urn: str | None = path("platform")
    version: Long | None
    aspect_version: Long
    cluster: str | None
    hash: str | None
    primary_keys: list[str] | None
    foreign_keys: list[ForeignKeyConstraint]
    fields: list[SchemaField]
    platform_schema: PlatformSchema | None
    dataset_urn: str
    created: AuditStamp | None
    last_modified: AuditStamp | None
    created_at: Long | None = strawberry.field(description="When this version was written.")


@described
class EditableSchemaFieldInfo:
    """What people say of a column."""

    field_path: str
    description: str | None
    tags: GlobalTags | None
    global_tags: GlobalTags | None = strawberry.field(description="DataHub's older name for `tags`.")
    glossary_terms: GlossaryTerms | None


@described
class EditableSchemaMetadata:
    """What people say of the columns of a dataset."""

    editable_schema_field_info: list[EditableSchemaFieldInfo]


def schema_metadata(value: Mapping[str, Any], urn: str, row: AspectRow | None = None) -> SchemaMetadata:
    """A `schemaMetadata` value, of an aspect's row or out of another aspect; fields without a path are left out."""
    return view(
        SchemaMetadata,
        value,
        aspect_version=Long(row.version if row else 0),
        created_at=None if row is None or row.created_at is None else Long(row.created_at),
        dataset_urn=urn,
        platform_schema=_platform_schema(value.get("platformSchema")),
        fields=schema_fields(value.get("fields"), urn),
        foreign_keys=[_foreign_key(item) for item in records(value.get("foreignKeys"))],
    )


def schema_fields(value: Json, urn: str) -> list[SchemaField]:
    """The field `fields` of a schema; those without a path are left out."""
    return [_field(item, urn) for item in records(value) if text(item.get("fieldPath"))]


def _field(item: Mapping[str, Any], urn: str) -> SchemaField:
    return view(
        SchemaField,
        item,
        field_path=item["fieldPath"],
        nullable=item.get("nullable") is True,
        recursive=item.get("recursive") is True,
        type=_type(item.get("type")),
        tags=tags(item.get("globalTags"), urn),
        global_tags=tags(item.get("globalTags"), urn),
        glossary_terms=terms(item.get("glossaryTerms"), urn),
        schema_field_entity=entity_of(schema_field_urn(urn, item["fieldPath"])),
    )


def _type(value: Json) -> str | None:
    """`{"type": {"com.linkedin.schema.NumberType": {}}}` -> `NUMBER`."""
    union = value.get("type") if isinstance(value, dict) else None
    if not isinstance(union, dict) or not union:
        return None
    name = str(next(iter(union))).rpartition(".")[2].removesuffix("Type").upper()
    return _RENAMED.get(name, name)


def _foreign_key(item: Mapping[str, Any]) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        name=text(item.get("name")),
        foreign_dataset=referred(item.get("foreignDataset"), "dataset"),
        foreign_fields=_columns(item.get("foreignFields")),
        source_fields=_columns(item.get("sourceFields")),
    )


def _columns(value: Json) -> list[Any]:
    return [found for urn in texts(value) or () if (found := referred(urn, "schemaField")) is not None]


def _platform_schema(value: Json) -> TableSchema | KeyValueSchema | None:
    """`{"com.linkedin.schema.OtherSchema": {"rawSchema": …}}`, and its like."""
    inner = next(iter(value.values()), None) if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        return None
    key, whole = text(inner.get("keySchema")), text(inner.get("valueSchema") or inner.get("documentSchema"))
    if key:
        return KeyValueSchema(key_schema=key, value_schema=whole or "")
    raw = next((found for name in _RAW if (found := text(inner.get(name))) is not None), None)
    return None if raw is None else TableSchema(schema=raw)


def editable_schema_metadata(value: Mapping[str, Any], urn: str) -> EditableSchemaMetadata:
    """An `editableSchemaMetadata` value; fields without a path are left out."""
    return EditableSchemaMetadata(
        editable_schema_field_info=[
            view(
                EditableSchemaFieldInfo,
                item,
                field_path=item["fieldPath"],
                tags=tags(item.get("globalTags"), urn),
                global_tags=tags(item.get("globalTags"), urn),
                glossary_terms=terms(item.get("glossaryTerms"), urn),
            )
            for item in records(value.get("editableSchemaFieldInfo"))
            if text(item.get("fieldPath"))
        ]
    )
