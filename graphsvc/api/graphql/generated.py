"""
What the model says of an entity type, as GraphQL: a field per aspect, and a connection per relationship.

Fields that are written by hand come first; what they show is not repeated under the same name.
"""

from collections.abc import Collection, Iterator
from types import GenericAlias
from typing import Any

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, EntityRelationshipsResult, RelationshipDirection, related
from graphsvc.api.graphql.names import ASPECT_NAMES, graphql_name
from graphsvc.api.graphql.records import record_type
from graphsvc.api.graphql.timeseries import FilterInput, points
from graphsvc.api.graphql.types import SHARED
from graphsvc.api.graphql.views import Long
from graphsvc.graph.registry import AspectSpec, EntitySpec, Registry, load_registry


def generated_fields(spec: EntitySpec, registry: Registry, known: Collection[str]) -> list[StrawberryField]:
    """
    The fields of an entity type that nobody wrote by hand.

    Args:
        spec: The entity type.
        registry: The model.
        known: GraphQL names of the fields that are there already. An aspect of DataHub's with such a name is shown by
            that field; one of a model file gets `Aspect` behind its name.
    """
    taken = set(known)
    found: list[StrawberryField] = []
    for name, field in (*_aspects(spec, registry, taken), *_connections(spec, registry)):
        if name not in taken:
            taken.add(name)
            found.append(field)
    return found


def shared_fields(spec: EntitySpec) -> list[StrawberryField]:
    """Fields of the shared aspects that a model file's entity type carries: `ownership`, `tags` and so on."""
    own = {field.python_name for field in _fields(Entity)}
    classes = [cls for aspect, cls in SHARED.items() if aspect in spec.aspects]
    return [field for cls in classes for field in _fields(cls) if field.python_name not in own]


def _fields(cls: type[Any]) -> list[StrawberryField]:
    fields: list[StrawberryField] = getattr(cls, "__strawberry_definition__").fields  # noqa: B009
    return fields


def _aspects(spec: EntitySpec, registry: Registry, known: Collection[str]) -> Iterator[tuple[str, StrawberryField]]:
    shipped = load_registry().aspects
    for aspect in sorted(spec.aspects):
        own = graphql_name(aspect)
        names = (own, *ASPECT_NAMES.get(spec.name, {}).get(aspect, ()), *_short(spec.name, aspect))
        for name in names if aspect in shipped or own not in known else (f"{own}Aspect",):
            make = _timeseries if registry.aspects[aspect].timeseries else _aspect
            yield name, make(name, registry.aspects[aspect])


def _short(entity_type: str, aspect: str) -> tuple[str, ...]:
    """DataHub's own short names: the `properties` of an application, for one, are its `applicationProperties`."""
    rest = aspect[len(entity_type) :] if aspect.lower().startswith(entity_type.lower()) else ""
    return (rest.lower(),) if rest in {"Info", "Properties"} else ()


def _aspect(name: str, aspect: AspectSpec) -> StrawberryField:
    async def resolve(self: Entity, info: Info) -> Any:
        return await info.context.loaders.value(self.urn, aspect.name)

    of = record_type(aspect.record) or JSON
    return _field(name, resolve, of | None, f"The aspect `{aspect.name}`.")


def _timeseries(name: str, aspect: AspectSpec) -> StrawberryField:
    async def resolve(  # noqa: PLR0913, PLR0917
        self: Entity,
        info: Info,
        start_time_millis: Long | None = None,
        end_time_millis: Long | None = None,
        filter: FilterInput | None = None,  # noqa: A002  DataHub's name
        limit: int | None = 10,
    ) -> Any:
        return await points(info, self.urn, aspect.name, start_time_millis, end_time_millis, limit, filter)

    of = record_type(aspect.record) or JSON
    return _field(name, resolve, GenericAlias(list, (of,)), f"Points of the aspect `{aspect.name}`, newest first.")


def _connections(spec: EntitySpec, registry: Registry) -> Iterator[tuple[str, StrawberryField]]:
    declared: dict[str, list[str]] = {}
    for aspect in sorted(spec.aspects):
        for edge in registry.aspects[aspect].edges:
            names = declared.setdefault(edge.name, [])
            if aspect not in names:
                names.append(aspect)
    for edge_name, aspects in sorted(declared.items()):
        name = graphql_name(edge_name)
        by = ", ".join(f"`{aspect}`" for aspect in aspects)
        yield name, _field(name, _page_of(edge_name), EntityRelationshipsResult, f"`{edge_name}`, declared by {by}.")


def _page_of(edge: str) -> Any:
    async def resolve(self: Entity, info: Info, start: int | None = 0, count: int | None = 10) -> Any:
        return await related(self, info, (edge,), RelationshipDirection.OUTGOING, start, count)

    return resolve


def _field(name: str, resolver: Any, of: Any, description: str) -> StrawberryField:
    field: StrawberryField = strawberry.field(resolver=resolver, graphql_type=of, name=name, description=description)
    field.python_name = name
    return field
