"""Siblings: one thing that several platforms hold, as a dbt model and the table that it makes."""

from dataclasses import replace

import strawberry

from graphsvc.api.graphql.context import DEFAULT_COUNT, Info
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.search import (
    ScrollAcrossEntitiesInput,
    ScrollResults,
    SearchAcrossEntitiesInput,
    listed,
    scroll_across_entities,
)
from graphsvc.api.graphql.search_types import AndFilterInput, FacetFilterInput
from graphsvc.api.graphql.views import described, flag, shown, texts
from graphsvc.graph.search import Among
from graphsvc.graph.search_text import is_everything

MAX_LISTED = 100  # siblings that are read at once with those of other entities


@described
class SiblingProperties:
    """The siblings of an entity."""

    is_primary: bool | None
    siblings: list[Entity]


@strawberry.type
class HasSiblings(Entity):
    """`siblings`."""

    @shown("Siblings of the entity.")
    async def siblings(self, info: Info) -> SiblingProperties | None:
        """Null if it has none."""
        value = await info.context.loaders.value(self.urn, "siblings")
        if value is None:
            return None
        found = [entity for urn in texts(value.get("siblings")) or () if (entity := referred(urn)) is not None]
        return SiblingProperties(is_primary=flag(value.get("primary")), siblings=found)

    @shown("A search among the siblings of the entity.")
    async def siblings_search(
        self,
        info: Info,
        input: ScrollAcrossEntitiesInput,  # noqa: A002  DataHub's name
    ) -> ScrollResults | None:
        """Empty if it has none."""
        value = await info.context.loaders.value(self.urn, "siblings") or {}
        return await scroll_among(info, texts(value.get("siblings")) or [], input)


async def scroll_among(info: Info, urns: list[str], asked: ScrollAcrossEntitiesInput) -> ScrollResults | None:
    """What a search finds among some entities."""
    if not urns:
        return ScrollResults(next_scroll_id=None, count=0, total=0, search_results=[], facets=[])
    count = DEFAULT_COUNT if asked.count is None else asked.count
    most = min(MAX_LISTED, info.context.settings.max_page)
    if is_all(asked) and not asked.scroll_id and not asked.sort_input and len(urns) <= min(count, most):
        found = await listed(info, Among("urn", tuple(urns)), 0, most, asked.search_flags)
        if found is not None:
            return ScrollResults(
                next_scroll_id=None,
                count=found.count,
                total=found.total,
                search_results=found.search_results,
                facets=found.facets,
            )
    return await scroll_across_entities(info, replace(asked, or_filters=narrowed(asked.or_filters, "urn", urns)))


def is_all(asked: SearchAcrossEntitiesInput | ScrollAcrossEntitiesInput) -> bool:
    """Whether a search leaves nothing out."""
    flags = asked.search_flags
    narrowed_by = asked.types or asked.or_filters or asked.view_urn or (flags and flags.include_soft_deleted)
    return is_everything(asked.query) and not narrowed_by


def narrowed(groups: list[AndFilterInput] | None, field: str, values: list[str]) -> list[AndFilterInput]:
    """Filters with one more condition in each group."""
    condition = FacetFilterInput(field=field, values=values)
    return [AndFilterInput(and_=[condition, *(group.and_ or ())]) for group in groups or [AndFilterInput()]]
