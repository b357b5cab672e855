"""GraphQL's names for entity types: DataHub's own where it has one, and the same rule for those it has none for."""

import re
from enum import Enum
from typing import TYPE_CHECKING

import strawberry

from graphsvc.graph.registry import load_registry

# Where DataHub's names do not follow from the entity type's.
_ENUM_NAMES = {
    "corpuser": "CORP_USER",
    "dataHubAccessToken": "ACCESS_TOKEN",
    "dataHubExecutionRequest": "EXECUTION_REQUEST",
    "dataHubIngestionSource": "INGESTION_SOURCE",
    "ownershipType": "CUSTOM_OWNERSHIP_TYPE",
}
_TYPE_NAMES = {
    "corpuser": "CorpUser",
    "dataHubAccessToken": "AccessTokenMetadata",
    "dataHubExecutionRequest": "ExecutionRequest",
    "dataHubIngestionSource": "IngestionSource",
    "dataType": "DataTypeEntity",
    "entityType": "EntityTypeEntity",
    "erModelRelationship": "ERModelRelationship",
    "ownershipType": "OwnershipTypeEntity",
    "query": "QueryEntity",
    "schemaField": "SchemaFieldEntity",
    "structuredProperty": "StructuredPropertyEntity",
}
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
OTHER = "OTHER"


def enum_name(entity_type: str) -> str:
    """`dataJob` -> `DATA_JOB`, as a value of `EntityType`."""
    if entity_type in _ENUM_NAMES:
        return _ENUM_NAMES[entity_type]
    name = _WORD_STARTS.sub("_", entity_type).upper()
    if name.startswith("DATA_HUB_"):
        return name.replace("DATA_HUB_", "DATAHUB_", 1)
    return name.replace("ML_", "ML", 1) if name.startswith("ML_") else name


def type_name(entity_type: str) -> str:
    """`dataJob` -> `DataJob`, the GraphQL type of its entities."""
    if entity_type in _TYPE_NAMES:
        return _TYPE_NAMES[entity_type]
    name = entity_type[:1].upper() + entity_type[1:]
    return "ML" + name[2:] if name.startswith("Ml") else name


SHIPPED_TYPES = tuple(load_registry().entities)

if TYPE_CHECKING:

    class EntityType(Enum):
        """The names come from the model, so that type checkers know none of them."""
else:
    EntityType = strawberry.enum(
        Enum("EntityType", {enum_name(name): name for name in SHIPPED_TYPES} | {OTHER: OTHER}),
        description="Entity types that DataHub ships; OTHER for a model file's own.",
    )
_BY_NAME: dict[str, EntityType] = {member.value: member for member in EntityType}


def entity_type_of(name: str) -> EntityType:
    """The enum's member for an entity type as URNs spell it."""
    return _BY_NAME.get(name, _BY_NAME[OTHER])
