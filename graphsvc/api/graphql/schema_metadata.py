"""Schemas of datasets."""

from collections.abc import Mapping
from typing import Any

from graphsvc.api.graphql.aspects import GlobalTags, GlossaryTerms, tags, terms
from graphsvc.api.graphql.entity import Entity, entity_of
from graphsvc.api.graphql.views import AuditStamp, Json, Long, described, path, records, text, texts, view
from graphsvc.urn import schema_field_urn

# The classes of DataHub's type union whose name is not the enum's value with `Type` behind it.
_RENAMED = {"RECORD": "STRUCT"}


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
    glossary_terms: GlossaryTerms | None
    schema_field_entity: Entity


@described
class ForeignKeyConstraint:
    """A constraint between columns of two datasets."""

    name: str | None
    foreign_dataset: str | None
    foreign_fields: list[str] | None
    source_fields: list[str] | None


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
    created: AuditStamp | None
    last_modified: AuditStamp | None


def schema_metadata(value: Mapping[str, Any], urn: str, version: int) -> SchemaMetadata:
    """A `schemaMetadata` value; fields without a path are left out."""
    return view(
        SchemaMetadata,
        value,
        aspect_version=Long(version),
        fields=[_field(item, urn) for item in records(value.get("fields")) if text(item.get("fieldPath"))],
        foreign_keys=[_foreign_key(item) for item in records(value.get("foreignKeys"))],
    )


def _field(item: Mapping[str, Any], urn: str) -> SchemaField:
    return view(
        SchemaField,
        item,
        field_path=item["fieldPath"],
        nullable=item.get("nullable") is True,
        recursive=item.get("recursive") is True,
        type=_type(item.get("type")),
        tags=tags(item.get("globalTags"), urn),
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
        foreign_dataset=text(item.get("foreignDataset")),
        foreign_fields=texts(item.get("foreignFields")),
        source_fields=texts(item.get("sourceFields")),
    )
