"""The metadata model as data: entity types, aspects, relationships and searchable fields."""

from graphsvc.graph.registry.load import label_of, load_registry
from graphsvc.graph.registry.spec import AspectSpec, EdgeSpec, EntitySpec, FieldSpec, Path, Registry

__all__ = [
    "AspectSpec",
    "EdgeSpec",
    "EntitySpec",
    "FieldSpec",
    "Path",
    "Registry",
    "label_of",
    "load_registry",
]
