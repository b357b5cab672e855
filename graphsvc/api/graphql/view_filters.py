"""
A view, which is DataHub's saved filter, as plain filters: pure.

The record is `com.linkedin.view.DataHubViewDefinition`. DataHub stores a criterion's field as its index calls it
(`platform.keyword`) and an entity type as URNs spell it; a client that ingests a view may write GraphQL's names.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from graphsvc.api.filters import Criterion
from graphsvc.api.graphql.names import EntityType
from graphsvc.api.graphql.views import at, records, text, texts
from graphsvc.errors import BadRequest
from graphsvc.graph.kin import MAX_VALUES
from graphsvc.graph.search import Filter

# Conditions and values of a view combined with a request; ten times what a single condition may have.
MAX_COMBINED = 10 * MAX_VALUES
Condition = TypeVar("Condition", bound=Filter | Criterion)


class ViewFilters(NamedTuple):
    """
    What a view lets through.

    Attributes:
        types: Entity types as URNs spell them; None for all.
        groups: In one of them all conditions must hold; none of them means no condition.
    """

    types: tuple[str, ...] | None = None
    groups: tuple[tuple[Filter, ...], ...] = ()


def view_filters(definition: Any) -> ViewFilters:
    """
    The filters of a view.

    Args:
        definition: `definition` of the aspect `dataHubViewInfo`. The older `criteria` of its filter count where there
            is no `or`, and a criterion's older `value` where it has no `values`.

    Raises:
        BadRequest: A criterion names no field; to leave it out would show more than the view does.
    """
    groups = at(definition, "filter.or")
    if groups is None:
        criteria = records(at(definition, "filter.criteria"))
        found = [criteria] if criteria else []
    else:
        found = [records(group.get("and")) for group in records(groups)]
    types = tuple(dict.fromkeys(map(_entity_type, texts(at(definition, "entityTypes")) or ())))
    return ViewFilters(types or None, tuple(tuple(map(_filter, group)) for group in found))


def both_types(asked: tuple[str, ...] | None, of_view: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The types that both name; None stands for all. Empty, which nothing is, where they have none in common."""
    if asked is None or of_view is None:
        return of_view if asked is None else asked
    return tuple(name for name in asked if name in of_view)


def both_groups(
    asked: Sequence[Sequence[Condition]], of_view: Sequence[Sequence[Condition]]
) -> list[tuple[Condition, ...]]:
    """
    Groups that let through what both sides do: each of the one side with each of the other.

    Raises:
        BadRequest: They would have more than `MAX_COMBINED` conditions and values.
    """
    if not asked or not of_view:
        return [tuple(group) for group in asked or of_view]
    size = _size(asked) * len(of_view) + _size(of_view) * len(asked)
    if size > MAX_COMBINED:
        raise BadRequest(
            f"the request's filters with those of the view are {size:,} conditions and values, over {MAX_COMBINED:,}"
        )
    return [(*own, *of_its) for own in asked for of_its in of_view]


def _size(groups: Sequence[Sequence[Condition]]) -> int:
    return sum(1 + len(condition.values) for group in groups for condition in group)


def _entity_type(name: str) -> str:
    member = EntityType.__members__.get(name)
    return name if member is None else str(member.value)


def _filter(criterion: dict[str, Any]) -> Filter:
    field = text(criterion.get("field"))
    if not field:
        raise BadRequest("the view has a condition that names no field")
    value = text(criterion.get("value"))
    values = texts(criterion.get("values")) or ([value] if value else [])
    operator = text(criterion.get("condition")) or "EQUAL"
    negated = criterion.get("negated") is True
    if operator == "IS_NULL":  # which GraphQL's filters have no word for
        operator, negated = "EXISTS", not negated
    return Filter(field.removesuffix(".keyword"), tuple(values), operator, negated)
