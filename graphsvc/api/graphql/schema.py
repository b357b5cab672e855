"""
The schema: the query type, its limits, and its text.

`python -m graphsvc.api.graphql.schema` writes the text to `schema.graphql`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError
from strawberry.extensions import (
    DisableIntrospection,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    QueryDepthLimiter,
    SchemaExtension,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

import graphsvc.api.graphql.types  # noqa: F401  registers the entity types
from graphsvc.api.graphql.across_lineage import scroll_across_lineage, search_across_lineage
from graphsvc.api.graphql.analysis import impact_analysis, paths_between
from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, class_of, classes, entity_of
from graphsvc.api.graphql.errors import ErrorCodes
from graphsvc.api.graphql.lineage import lineage
from graphsvc.api.graphql.plain import PlainExecutor
from graphsvc.api.graphql.search import (
    aggregate_across_entities,
    auto_complete,
    auto_complete_for_multiple,
    scroll_across_entities,
    search,
    search_across_entities,
)
from graphsvc.api.graphql.views import LONG, Long
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest
from graphsvc.graph.reader import EntityRow
from graphsvc.urn import parse_urn

# Queries by type: those that DataHub has, and `schemaField`. Every other type is found by `entity`.
QUERIES = {
    "assertion": "assertion",
    "businessAttribute": "businessAttribute",
    "chart": "chart",
    "container": "container",
    "corpGroup": "corpGroup",
    "corpUser": "corpuser",
    "dashboard": "dashboard",
    "dataFlow": "dataFlow",
    "dataJob": "dataJob",
    "dataPlatform": "dataPlatform",
    "dataPlatformInstance": "dataPlatformInstance",
    "dataProcessInstance": "dataProcessInstance",
    "dataProduct": "dataProduct",
    "dataset": "dataset",
    "domain": "domain",
    "erModelRelationship": "erModelRelationship",
    "form": "form",
    "glossaryNode": "glossaryNode",
    "glossaryTerm": "glossaryTerm",
    "mlFeature": "mlFeature",
    "mlFeatureTable": "mlFeatureTable",
    "mlModel": "mlModel",
    "mlModelGroup": "mlModelGroup",
    "mlPrimaryKey": "mlPrimaryKey",
    "notebook": "notebook",
    "role": "role",
    "schemaField": "schemaField",
    "structuredProperty": "structuredProperty",
    "tag": "tag",
    "view": "dataHubView",
}
KNOWN_QUERIES = 256  # texts whose parsing and validation is remembered: programs repeat theirs with other variables
KNOWN_TEXT = 20_000  # characters of a text that is remembered
SDL = Path(__file__).with_name("schema.graphql")


async def entity(info: Info, urn: str) -> Entity | None:
    """Null if the graph has no such node."""
    parse_urn(urn)
    return _known(await info.context.loaders.entities.load(urn))


async def entities(info: Info, urns: list[str]) -> list[Entity | None]:
    """In the order of the URNs, null where the graph has no such node."""
    info.context.check_size("the number of urns", len(urns))
    for urn in urns:
        parse_urn(urn)
    return [_known(row) for row in await info.context.loaders.entities.load_many(urns)]


async def entity_exists(info: Info, urn: str) -> bool:
    """Whether anyone has described it."""
    parse_urn(urn)
    row = await info.context.loaders.entities.load(urn)
    return row is not None and not row.referenced_only


def _known(row: EntityRow | None) -> Entity | None:
    return None if row is None else entity_of(row.urn, row.name, exists=not row.referenced_only)


def _typed(entity_type: str) -> Any:
    """The query for entities of one type: `dataset(urn)`."""

    async def resolve(info: Info, urn: str) -> Any:
        if parse_urn(urn).entity_type != entity_type:
            raise BadRequest(f"{urn} is no {entity_type}")
        return _known(await info.context.loaders.entities.load(urn))

    cls = class_of(entity_type)
    return strawberry.field(
        resolver=resolve,
        graphql_type=cls | None,
        description=f"An entity of type `{entity_type}`; null if the graph has no such node.",
    )


def _query_type() -> type:
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
    fields |= {name: _typed(entity_type) for name, entity_type in QUERIES.items()}
    return strawberry.type(type("Query", (), fields), description="What can be asked.")


class _Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: `ErrorCodes` logs what nobody foresaw, and a caller's mistakes are no matter for the log."""


class KnownQueries(SchemaExtension):
    """
    Remembers documents that passed parsing and validation, so that a program's repeated query costs neither again.

    Strawberry's own caches do not help here: its limiters make their rules anew per request, so that no validation is
    ever found, and looking one up hashes the whole document.
    """

    def __init__(self, known: OrderedDict[str, DocumentNode]) -> None:
        """Share one memory among the requests of a schema."""
        self._known = known

    def on_parse(self) -> Iterator[None]:
        """Take the document from the memory if its text is there."""
        context = self.execution_context
        context.graphql_document = self._known.get(context.query or "")
        yield

    def on_validate(self) -> Iterator[None]:
        """Skip the rules for a document that passed them; note one that passes them now."""
        context = self.execution_context
        text = context.query or ""
        if text in self._known:
            self._known.move_to_end(text)
            context.pre_execution_errors = []
            yield
            return
        yield
        if context.graphql_document is not None and not context.pre_execution_errors and len(text) <= KNOWN_TEXT:
            self._known[text] = context.graphql_document
            if len(self._known) > KNOWN_QUERIES:
                self._known.popitem(last=False)


def build_schema(settings: GraphqlSettings) -> strawberry.Schema:
    """The schema, with the settings' limits."""
    known: OrderedDict[str, DocumentNode] = OrderedDict()
    extensions: list[Callable[[], Any]] = [
        ErrorCodes,
        lambda: MaxTokensLimiter(max_token_count=settings.max_tokens),
        lambda: QueryDepthLimiter(max_depth=settings.max_depth),
        lambda: MaxAliasesLimiter(max_alias_count=settings.max_aliases),
        lambda: KnownQueries(known),
    ]
    if not settings.introspection:
        extensions.append(DisableIntrospection)
    return _Schema(
        query=_query_type(),
        types=list(classes()),
        extensions=extensions,
        execution_context_class=PlainExecutor,
        config=StrawberryConfig(scalar_map={Long: LONG}),
    )


def sdl() -> str:
    """The schema as text."""
    return build_schema(GraphqlSettings.model_validate({})).as_str() + "\n"


if __name__ == "__main__":
    SDL.write_text(sdl(), encoding="utf-8")
