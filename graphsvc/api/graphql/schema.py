"""
The schema: the query type, its limits, and its text.

`python -m graphsvc.api.graphql.schema` writes the text to `schema.graphql`.
"""

from copy import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

import graphsvc.api.graphql.types  # noqa: F401  registers the entity types
from graphsvc.api.graphql.across_lineage import scroll_across_lineage, search_across_lineage
from graphsvc.api.graphql.analysis import impact_analysis, paths_between
from graphsvc.api.graphql.app_info import app_config, me
from graphsvc.api.graphql.browse import browse, browse_paths, browse_v2
from graphsvc.api.graphql.context import AsOf, Info, TimedInfo, context_of
from graphsvc.api.graphql.documents import search_documents
from graphsvc.api.graphql.entity import Entity, GenericEntity, class_of, entity_of, register_own, type_of
from graphsvc.api.graphql.errors import ErrorCodes
from graphsvc.api.graphql.generated import generated_fields, shared_fields
from graphsvc.api.graphql.limits import Documents, Limits
from graphsvc.api.graphql.lineage import lineage
from graphsvc.api.graphql.lineage_diff import lineage_diff
from graphsvc.api.graphql.listing import get_entity_counts, list_queries
from graphsvc.api.graphql.members import list_data_product_assets
from graphsvc.api.graphql.names import SHIPPED_TYPES, query_name, type_name
from graphsvc.api.graphql.plain import PlainExecutor
from graphsvc.api.graphql.search import (
    aggregate_across_entities,
    auto_complete,
    auto_complete_for_multiple,
    scroll_across_entities,
    search,
    search_across_entities,
)
from graphsvc.api.graphql.subscriptions import changes_cursor, subscription_type
from graphsvc.api.graphql.views import LONG, Long
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest
from graphsvc.graph.reader import EntityRow
from graphsvc.graph.registry import Registry, load_registry
from graphsvc.urn import parse_urn

SDL = Path(__file__).with_name("schema.graphql")


async def entity(info: Info, urn: str, as_of: AsOf = None) -> Entity | None:
    """Null if the graph has no such node."""
    parse_urn(urn)
    return _known(await context_of(info, as_of).loaders.asked(urn))


async def entities(info: Info, urns: list[str], as_of: AsOf = None) -> list[Entity | None]:
    """In the order of the URNs, null where the graph has no such node."""
    info.context.check_size("the number of urns", len(urns))
    for urn in urns:
        parse_urn(urn)
    return [_known(row) for row in await context_of(info, as_of).loaders.entities.load_many(urns)]


async def entity_exists(info: Info, urn: str) -> bool:
    """Whether anyone has described it."""
    parse_urn(urn)
    row = await info.context.loaders.entities.load(urn)
    return row is not None and not row.referenced_only


def _known(row: EntityRow | None) -> Entity | None:
    return None if row is None else entity_of(row.urn, row.name, exists=not row.referenced_only)


def _typed(entity_type: str) -> Any:
    """The query for entities of one type: `dataset(urn)`."""

    async def resolve(info: Info, urn: str, as_of: AsOf = None) -> Any:
        if parse_urn(urn).entity_type != entity_type:
            raise BadRequest(f"{urn} is no {entity_type}")
        return _known(await context_of(info, as_of).loaders.asked(urn))

    cls = class_of(entity_type)
    return strawberry.field(
        resolver=resolve,
        graphql_type=cls | None,
        description=f"An entity of type `{entity_type}`; null if the graph has no such node.",
    )


def _query_type(registry: Registry) -> type:
    fields: dict[str, Any] = {
        "entity": strawberry.field(resolver=entity, description="An entity; null if the graph has no such node."),
        "entities": strawberry.field(
            resolver=entities, description="Entities in the order of the URNs, null where the graph has no such node."
        ),
        "entity_exists": strawberry.field(
            resolver=entity_exists, description="Whether anyone has described the entity."
        ),
        "lineage": strawberry.field(
            resolver=lineage,
            description="Everything upstream or downstream of an entity or a column; null if it has no node.",
        ),
        "lineage_diff": strawberry.field(
            resolver=lineage_diff,
            description="How the lineage of an entity or a column changed from one time to another; null if it had no "
            "node at either.",
        ),
        "impact_analysis": strawberry.field(
            resolver=impact_analysis,
            description="What hangs on an entity, and who owns it: what a change would break. Null if it has no node.",
        ),
        "paths_between": strawberry.field(
            resolver=paths_between,
            description="Paths over lineage between entities or columns: all of the shortest, or the k shortest.",
        ),
        "search": strawberry.field(resolver=search, description="Search entities of one type."),
        "search_across_entities": strawberry.field(
            resolver=search_across_entities, description="Search entities of some types, or of all."
        ),
        "scroll_across_entities": strawberry.field(
            resolver=scroll_across_entities, description="The same, page after page, without a limit on their number."
        ),
        "aggregate_across_entities": strawberry.field(
            resolver=aggregate_across_entities, description="Facets of a search, without its results."
        ),
        "auto_complete": strawberry.field(
            resolver=auto_complete, description="Names that begin with a text, of entities of one type or of all."
        ),
        "auto_complete_for_multiple": strawberry.field(
            resolver=auto_complete_for_multiple, description="The same for several types, by type."
        ),
        "search_across_lineage": strawberry.field(
            resolver=search_across_lineage, description="Search what is upstream or downstream of an entity."
        ),
        "scroll_across_lineage": strawberry.field(
            resolver=scroll_across_lineage, description="The same, page after page, without a limit on their number."
        ),
    }
    fields["changes_cursor"] = strawberry.field(
        resolver=changes_cursor, description="Where the change log ends now: `after` of a later subscription."
    )
    fields["browse"] = strawberry.field(resolver=browse, description="What stands at a browse path of the older kind.")
    fields["browse_v2"] = strawberry.field(resolver=browse_v2, description="The steps that lead on from a browse path.")
    fields["browse_paths"] = strawberry.field(resolver=browse_paths, description="Browse paths of the older kind.")
    fields["search_documents"] = strawberry.field(resolver=search_documents, description="Search documents.")
    fields["list_data_product_assets"] = strawberry.field(
        resolver=list_data_product_assets, description="A search among what a data product offers."
    )
    fields["get_entity_counts"] = strawberry.field(
        resolver=get_entity_counts, description="How many entities there are, by type."
    )
    fields["me"] = strawberry.field(resolver=me, description="Who asks.")
    fields["app_config"] = strawberry.field(resolver=app_config, description="What the service is and can do.")
    fields |= list_queries()
    taken = {to_camel_case(name) for name in fields}
    for entity_type in registry.entities:
        name = query_name(entity_type)
        fields[name if name not in taken else f"{name}Entity"] = _typed(entity_type)
    return strawberry.type(type("Query", (), fields), description="What can be asked.")


class _Schema(strawberry.Schema):
    """Completes the types of entities with what the model says of them."""

    def __init__(self, registry: Registry, **options: Any) -> None:
        self._registry = registry
        self._completed: dict[str, list[StrawberryField]] = {}
        super().__init__(**options)

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """The fields written by hand, then those that are made from the model."""
        entity_type = type_of(type_definition.origin)
        if entity_type is None:
            return super().get_fields(type_definition)
        if entity_type not in self._completed:
            spec = self._registry.entities[entity_type]
            fields = [*super().get_fields(type_definition)]
            if entity_type not in SHIPPED_TYPES:
                fields += shared_fields(spec)
            known = {field.graphql_name or to_camel_case(field.python_name) for field in fields}
            self._completed[entity_type] = fields + generated_fields(spec, self._registry, known)
        return self._completed[entity_type]

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: `ErrorCodes` logs what nobody foresaw, and a caller's mistakes are no matter for the log."""


def build_schema(
    settings: GraphqlSettings, registry: Registry | None = None, documents: Documents | None = None
) -> strawberry.Schema:
    """The schema of a model (without one, of what DataHub ships), with the settings' limits."""
    schema = copy(_built(registry or load_registry()))
    shared = documents or Documents(settings)
    schema.extensions = (lambda: ErrorCodes(suggestions=settings.introspection), lambda: Limits(shared, settings))
    schema.config = replace(schema.config, batching_config={"max_operations": settings.max_batch})
    return schema


@lru_cache(maxsize=4)
def _built(registry: Registry) -> strawberry.Schema:
    """The types and fields, which take over a second; all that settings decide is added to a copy."""
    _register_own(registry)
    return _Schema(
        registry=registry,
        query=_query_type(registry),
        subscription=subscription_type(),
        types=[*map(class_of, registry.entities), GenericEntity],
        execution_context_class=PlainExecutor,
        config=StrawberryConfig(scalar_map={Long: LONG}, info_class=TimedInfo),
    )


def _register_own(registry: Registry) -> None:
    """Classes for the entity types of a model file, under names that no other type has."""
    own = [name for name in registry.entities if name not in SHIPPED_TYPES]
    taken = set(_built(load_registry())._schema.type_map) if own else set()  # noqa: SLF001
    for entity_type in own:
        name = type_name(entity_type)
        register_own(entity_type, f"{name}Entity" if name in taken else name)


def sdl() -> str:
    """The schema as text."""
    return build_schema(GraphqlSettings.model_validate({})).as_str() + "\n"


if __name__ == "__main__":
    SDL.write_text(sdl(), encoding="utf-8")
