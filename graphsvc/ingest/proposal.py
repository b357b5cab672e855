"""The Metadata Change Proposal on the wire: JSON from REST and files, a dict from Avro, one class."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

_ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}")


class GenericAspect(BaseModel):
    """An aspect's value: JSON as text in `value` (DataHub's wire form), or as an object in `json` (its file form)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    value: str | bytes | None = Field(None, description="The aspect as JSON text.")
    json_: Any = Field(None, alias="json", description="The aspect as an object; used when `value` is absent.")
    content_type: str = Field("application/json", alias="contentType")


class Proposal(BaseModel):
    """One change to one aspect of one entity, as DataHub's clients write it."""

    model_config = ConfigDict(
        extra="ignore",
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "entityType": "dataset",
                    "entityUrn": "urn:li:dataset:(urn:li:dataPlatform:hive,sales.orders,PROD)",
                    "changeType": "UPSERT",
                    "aspectName": "datasetProperties",
                    "aspect": {"json": {"name": "orders", "description": "One row per order."}},
                }
            ]
        },
    )

    entity_type: str | None = Field(None, alias="entityType", description="Entity type; the URN's own if absent.")
    entity_urn: str | None = Field(None, alias="entityUrn")
    entity_key_aspect: GenericAspect | None = Field(
        None,
        alias="entityKeyAspect",
        description="The key as an aspect, from which the URN is made if it is absent.",
    )
    change_type: str = Field(
        "UPSERT", alias="changeType", description="UPSERT, CREATE, CREATE_ENTITY, UPDATE or DELETE."
    )
    aspect_name: str | None = Field(None, alias="aspectName")
    aspect: GenericAspect | None = None
    system_metadata: dict[str, Any] | None = Field(None, alias="systemMetadata")
    headers: dict[str, str] | None = Field(None, description="Preconditions: If-Version-Match, If-None-Match …")

    @field_validator("entity_urn")
    @classmethod
    def _unescape(cls, urn: str | None) -> str | None:
        """DataHub's client escapes non-ASCII URNs of single proposals twice (WIRE.md 1.4): `\\u00e9` arrives as text."""
        if urn is None or "\\u" not in urn:
            return urn
        units = _ESCAPED.sub(lambda found: chr(int(found.group()[2:], 16)), urn)
        return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    @field_validator("system_metadata", mode="before")
    @classmethod
    def _system_metadata_as_text(cls, value: Any) -> Any:
        """`datahub put --run-id` sends it as JSON text."""
        if isinstance(value, str | bytes):
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError as exc:
                raise ValueError(f"systemMetadata is text, but not JSON: {exc}") from exc
        return value


def proposal_of(urn: str, aspect: str, value: Mapping[str, Any], **more: Any) -> Proposal:
    """An UPSERT of one aspect given as an object; `more` are further fields of Proposal by their Python names."""
    return Proposal(entity_urn=urn, aspect_name=aspect, aspect=GenericAspect(json_=value), **more)
