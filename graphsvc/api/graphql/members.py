"""What stands in containers, belongs to domains, and is offered by data products: searches among them."""

from dataclasses import replace

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity
from graphsvc.api.graphql.search import SearchAcrossEntitiesInput, SearchResults, listed, search_across_entities
from graphsvc.api.graphql.search_types import FacetFilterInput
from graphsvc.api.graphql.siblings import is_all, narrowed
from graphsvc.api.graphql.views import records, shown, text
from graphsvc.errors import BadRequest
from graphsvc.graph.search import Among
from graphsvc.graph.search_text import is_everything
from graphsvc.urn import parse_urn


@strawberry.input(description="A search among the entities of a container.")
class ContainerEntitiesInput:
    """As DataHub's."""

    query: str | None = None
    start: int | None = None
    count: int | None = None
    filters: list[FacetFilterInput] | None = None


@strawberry.input(description="A search among the entities of a domain.")
class DomainEntitiesInput:
    """As DataHub's."""

    query: str | None = None
    start: int | None = None
    count: int | None = None
    filters: list[FacetFilterInput] | None = None


async def members(
    info: Info, field: str, urn: str, asked: ContainerEntitiesInput | DomainEntitiesInput | None
) -> SearchResults | None:
    """What a search finds among the entities of which a field holds a URN; everything, if no text is given."""
    given = asked or ContainerEntitiesInput()
    if is_everything(given.query or "*") and not given.filters:
        found = await listed(info, Among(field, (urn,)), given.start, given.count)
        if found is not None:
            return found
    filters = [FacetFilterInput(field=field, values=[urn]), *(given.filters or ())]
    wanted = SearchAcrossEntitiesInput(query=given.query or "*", start=given.start, count=given.count, filters=filters)
    return await search_across_entities(info, wanted)


async def assets(info: Info, urn: str, asked: SearchAcrossEntitiesInput | None) -> SearchResults | None:
    """What a search finds among the assets that a data product names."""
    value = await info.context.loaders.value(urn, "dataProductProperties") or {}
    urns = [named for item in records(value.get("assets")) if (named := text(item.get("destinationUrn")))]
    return await among(info, urns, asked or SearchAcrossEntitiesInput(query="*"))


async def among(info: Info, urns: list[str], given: SearchAcrossEntitiesInput) -> SearchResults | None:
    """What a search finds among some entities."""
    if not urns:
        return SearchResults(start=given.start or 0, count=0, total=0, search_results=[], facets=[])
    if is_all(given) and not given.filters and not given.sort_input:
        found = await listed(info, Among("urn", tuple(urns)), given.start, given.count, given.search_flags)
        if found is not None:
            return found
    return await search_across_entities(info, replace(given, or_filters=narrowed(given.or_filters, "urn", urns)))


async def list_data_product_assets(
    info: Info,
    urn: str,
    input: SearchAcrossEntitiesInput,  # noqa: A002  DataHub's name
) -> SearchResults | None:
    """One page."""
    if parse_urn(urn).entity_type != "dataProduct":
        raise BadRequest(f"{urn} is no dataProduct")
    return await assets(info, urn, input)


@strawberry.type
class HasAssets(Entity):
    """`dataProductProperties`."""

    @shown("What the data product offers.")
    async def entities(
        self,
        info: Info,
        input: SearchAcrossEntitiesInput | None = None,  # noqa: A002  DataHub's name
    ) -> SearchResults | None:
        """One page."""
        return await assets(info, self.urn, input)
