"""GraphQL types of the entity types that DataHub ships: their own aspects here, the shared ones from `aspects`."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

import strawberry

from graphsvc.api.graphql import properties as p
from graphsvc.api.graphql.aspects import (
    HasContainer,
    HasDeprecation,
    HasDomain,
    HasMemory,
    HasOwnership,
    HasPlatform,
    HasStatus,
    HasSubTypes,
    HasTags,
    HasTerms,
)
from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, class_of, referred, register
from graphsvc.api.graphql.names import SHIPPED_TYPES, type_name
from graphsvc.api.graphql.schema_metadata import SchemaMetadata, schema_metadata
from graphsvc.api.graphql.views import text, view
from graphsvc.graph.registry import load_registry
from graphsvc.urn import parse_urn

Class = TypeVar("Class", bound=type[Entity])
_HERE = strawberry.lazy("graphsvc.api.graphql.types")

# Aspect -> the class that shows it. A type carries those whose aspect the model allows on it.
_SHARED: dict[str, type[Entity]] = {
    "ownership": HasOwnership,
    "globalTags": HasTags,
    "glossaryTerms": HasTerms,
    "domains": HasDomain,
    "container": HasContainer,
    "status": HasStatus,
    "deprecation": HasDeprecation,
    "institutionalMemory": HasMemory,
    "subTypes": HasSubTypes,
    "dataPlatformInstance": HasPlatform,
}
