"""Documents that people wrote: searches for them, and those that are about an entity."""

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, entity_of
from graphsvc.api.graphql.search import selected_page
from graphsvc.api.graphql.search_types import FacetMetadata
from graphsvc.api.graphql.views import described, shown
from graphsvc.graph.search import Filter, SearchQuery

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import Document

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")


@strawberry.enum(description="Where a document is kept.")
class DocumentSourceType(Enum):
    """DataHub's names."""

    NATIVE = "NATIVE"
    EXTERNAL = "EXTERNAL"


@strawberry.input(description="A page of the documents about an entity; all conditions hold.")
class RelatedDocumentsInput:
    """As DataHub's; `types` are sub-types."""

    start: int | None = None
    count: int | None = None
    parent_documents: list[str] | None = None
    root_only: bool | None = None
    types: list[str] | None = None
    domains: list[str] | None = None
    source_type: DocumentSourceType | None = None


@strawberry.input(description="A search for documents; without a query, all that the conditions leave.")
class SearchDocumentsInput(RelatedDocumentsInput):
    """As DataHub's."""

    query: str | None = None
    related_assets: list[str] | None = None


@described
class RelatedDocumentsResult:
    """A page of the documents about an entity, by URN."""

    start: int
    count: int
    total: int
    documents: list[Annotated["Document", _TYPES]]


@described
class SearchDocumentsResult:
    """A page of documents that were found, the best first."""

    start: int
    count: int
    total: int
    documents: list[Annotated["Document", _TYPES]]
    facets: list[FacetMetadata] | None


@described
class ParentDocumentsResult:
    """The documents above a document, the nearest first."""

    count: int
    documents: list[Annotated["Document", _TYPES]]


async def search_documents(info: Info, input: SearchDocumentsInput) -> SearchDocumentsResult | None:  # noqa: A002  DataHub's name
    """One page."""
    wanted = _query(input, input.query or "*", input.related_assets or ())
    start, found, facets = await selected_page(info, wanted, input.start, input.count)
    documents: list[Any] = [entity_of(hit.urn, hit.name) for hit in found.hits.rows()]
    return SearchDocumentsResult(
        start=start,
        count=len(documents),
        total=found.total,
        documents=documents,
        facets=facets,
    )


@strawberry.type
class HasRelatedDocuments(Entity):
    """Documents name the assets that they are about."""

    @shown("Documents about the entity.")
    async def related_documents(
        self,
        info: Info,
        input: RelatedDocumentsInput | None = None,  # noqa: A002  DataHub's name
    ) -> RelatedDocumentsResult | None:
        """One page."""
        asked = input or RelatedDocumentsInput()
        start, found, _ = await selected_page(info, _query(asked, "*", (self.urn,)), asked.start, asked.count)
        documents: list[Any] = [entity_of(hit.urn, hit.name) for hit in found.hits.rows()]
        return RelatedDocumentsResult(start=start, count=len(documents), total=found.total, documents=documents)


def _query(asked: RelatedDocumentsInput, text: str, assets: Sequence[str]) -> SearchQuery:
    source = [asked.source_type.value] if asked.source_type else ()
    fields = {
        "parentDocument": asked.parent_documents,
        "typeNames": asked.types,
        "domains": asked.domains,
        "relatedAssets": assets,
        "sourceType": source,
    }
    conditions = [Filter(field, tuple(values)) for field, values in fields.items() if values]
    if asked.root_only:
        conditions.append(Filter("parentDocument", (), "EXISTS", negated=True))
    return SearchQuery(text=text, types=("document",), filters=(tuple(conditions),) if conditions else ())
