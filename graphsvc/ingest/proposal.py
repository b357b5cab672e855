"""The Metadata Change Proposal on the wire: JSON from REST and files, a dict from Avro, one class."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class GenericAspect(BaseModel):
    """An aspect's value: JSON as text in `value` (DataHub's wire form), or as an object in `json` (its file form)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    value: str | bytes | None = Field(None, description="The aspect as JSON text.")
    json_: Any = Field(None, alias="json", description="The aspect as an object; used when `value` is absent.")
    content_type: str = Field("application/json", alias="contentType")


class Proposal(BaseModel):
    """One change to one aspect of one entity, as DataHub's clients write it."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

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
    system_metadata: dict[str, Any] | str | None = Field(
        None,
        alias="systemMetadata",
        description="An object; JSON text is taken too, as `datahub put --run-id` sends it.",
    )
    headers: dict[str, str] | None = Field(None, description="Preconditions: If-Version-Match, If-None-Match …")


def proposal_of(urn: str, aspect: str, value: Mapping[str, Any], **more: Any) -> Proposal:
    """An UPSERT of one aspect given as an object; `more` are further fields of Proposal by their Python names."""
    return Proposal.model_validate({"entity_urn": urn, "aspect_name": aspect, "aspect": {"json_": value}, **more})
