"""GraphQL's names for entity types: DataHub's own where it has one, and the same rule for those it has none for."""

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

import strawberry
from strawberry.utils.str_converters import to_camel_case

from graphsvc.graph.registry import Registry, load_registry

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
# DataHub's names for queries by type, where they are not the entity type's.
_QUERY_NAMES = {
    "corpuser": "corpUser",
    "dataHubConnection": "connection",
    "dataHubExecutionRequest": "executionRequest",
    "dataHubIngestionSource": "ingestionSource",
    "dataHubView": "view",
}
_EDITABLE = ("editableProperties", "editableInfo")
# DataHub's names for aspects, where neither a field written by hand nor the aspect's own name has them: entity type ->
# aspect -> names.
ASPECT_NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "assertion": {"assertionActions": ("actions",)},
    "businessAttribute": {"businessAttributeInfo": ("properties",)},
    "chart": {"chartQuery": ("query",), "editableChartProperties": _EDITABLE},
    "container": {"editableContainerProperties": _EDITABLE},
    "corpGroup": {"corpGroupEditableInfo": _EDITABLE},
    "corpuser": {
        "corpUserEditableInfo": ("editableInfo",),
        "corpUserSettings": ("settings",),
    },
    "dashboard": {"editableDashboardProperties": _EDITABLE},
    "dataContract": {"dataContractStatus": ("status",)},
    "dataFlow": {"editableDataFlowProperties": _EDITABLE},
    "dataHubConnection": {"dataHubConnectionDetails": ("details",)},
    "dataHubExecutionRequest": {
        "dataHubExecutionRequestInput": ("input",),
        "dataHubExecutionRequestResult": ("result",),
    },
    "dataJob": {"editableDataJobProperties": _EDITABLE},
    "dataset": {"datasetProfile": ("datasetProfiles",), "operation": ("operations",)},
    "document": {"documentSettings": ("settings",)},
    "erModelRelationship": {"editableERModelRelationshipProperties": ("editableProperties",)},
    "mlFeature": {"mlFeatureProperties": ("featureProperties",), "editableMlFeatureProperties": _EDITABLE},
    "mlFeatureTable": {
        "mlFeatureTableProperties": ("featureTableProperties",),
        "editableMlFeatureTableProperties": _EDITABLE,
    },
    "mlModel": {
        "editableMlModelProperties": _EDITABLE,
        "mlModelCaveatsAndRecommendations": ("caveatsAndRecommendations",),
        "mlModelEthicalConsiderations": ("ethicalConsiderations",),
        "mlModelEvaluationData": ("evaluationData",),
        "mlModelFactorPrompts": ("factorPrompts",),
        "mlModelMetrics": ("metrics",),
        "mlModelQuantitativeAnalyses": ("quantitativeAnalyses",),
        "mlModelTrainingData": ("trainingData",),
    },
    "mlModelGroup": {"editableMlModelGroupProperties": _EDITABLE},
    "mlPrimaryKey": {"mlPrimaryKeyProperties": ("primaryKeyProperties",), "editableMlPrimaryKeyProperties": _EDITABLE},
    "notebook": {
        "editableNotebookProperties": _EDITABLE,
        "notebookContent": ("content",),
    },
    "structuredProperty": {"structuredPropertySettings": ("settings",)},
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


@lru_cache(maxsize=8)
def enum_names(registry: Registry) -> Mapping[str, str]:
    """Every entity type of a model, and its member of `EntityType`."""
    return {name: enum_name(name) for name in registry.entities}


def type_name(entity_type: str) -> str:
    """`dataJob` -> `DataJob`, the GraphQL type of its entities."""
    if entity_type in _TYPE_NAMES:
        return _TYPE_NAMES[entity_type]
    name = entity_type[:1].upper() + entity_type[1:]
    return "ML" + name[2:] if name.startswith("Ml") else name


def query_name(entity_type: str) -> str:
    """`dataJob` -> `dataJob`, the query for entities of a type."""
    return _QUERY_NAMES.get(entity_type) or graphql_name(entity_type)


def graphql_name(name: str) -> str:
    """`OwnedBy` -> `ownedBy`, the field of a name of the model."""
    return to_camel_case(name[:1].lower() + name[1:])


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
