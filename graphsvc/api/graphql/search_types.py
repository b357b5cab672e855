"""Inputs and answers that DataHub's search and its search across lineage share, under DataHub's names."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import strawberry

from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.names import EntityType
from graphsvc.api.graphql.plain import Lists, Table
from graphsvc.api.graphql.views import Long, described


@strawberry.enum(description="How a filter compares a field with its values.")
class FilterOperator(Enum):
    """DataHub's names."""

    CONTAIN = "CONTAIN"
    EQUAL = "EQUAL"
    IEQUAL = "IEQUAL"
    IN = "IN"
    EXISTS = "EXISTS"
    GREATER_THAN = "GREATER_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN = "LESS_THAN"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"
    START_WITH = "START_WITH"
    END_WITH = "END_WITH"
    DESCENDANTS_INCL = "DESCENDANTS_INCL"
    ANCESTORS_INCL = "ANCESTORS_INCL"
    RELATED_INCL = "RELATED_INCL"


@strawberry.input(description="One condition: a field, the values of which one should match, and how.")
class FacetFilterInput:
    """As DataHub's; `value` is the older form of one value."""

    field: str
    values: list[str] | None = None
    value: str | None = None
    negated: bool | None = False
    condition: FilterOperator | None = FilterOperator.EQUAL


@strawberry.input(description="Conditions that must all hold.")
class AndFilterInput:
    """As DataHub's."""

    and_: list[FacetFilterInput] | None = strawberry.field(name="and", default=None)


@strawberry.input(description="Which entities stand under which other ones in the answer.")
class GroupingCriterion:
    """As DataHub's; it knows columns, which may stand for themselves or under their datasets."""

    grouping_entity_type: EntityType
    base_entity_type: EntityType | None = None


@strawberry.input(description="How results are grouped.")
class GroupingSpec:
    """As DataHub's. Its client sends one criterion where a list belongs, which GraphQL takes for a list of one."""

    grouping_criteria: list[GroupingCriterion] | None = None


@strawberry.input(description="Flags of a search; those that mean nothing here are accepted and ignored.")
class SearchFlags:
    """As DataHub's."""

    skip_cache: bool | None = None
    max_agg_values: int | None = None
    fulltext: bool | None = None
    skip_highlighting: bool | None = None
    skip_aggregates: bool | None = None
    get_suggestions: bool | None = None
    grouping_spec: GroupingSpec | None = None
    include_soft_deleted: bool | None = None
    include_restricted: bool | None = None
    custom_highlighting_fields: list[str] | None = None
    fetch_extra_fields: list[str] | None = None
    include_structured_property_facets: bool | None = None
    filter_non_latest_versions: bool | None = None
    rewrite_query: bool | None = None


@strawberry.enum(description="Which way to sort.")
class SortOrder(Enum):
    """DataHub's names."""

    ASCENDING = "ASCENDING"
    DESCENDING = "DESCENDING"


@strawberry.input(description="A field to sort by.")
class SortCriterion:
    """As DataHub's."""

    field: str
    sort_order: SortOrder


@strawberry.input(description="What to sort by; the first criterion counts most.")
class SearchSortInput:
    """As DataHub's; `sortCriterion` is the older form of one criterion."""

    sort_criterion: SortCriterion | None = None
    sort_criteria: list[SortCriterion] | None = None


@described
class MatchedField:
    """A field that the query's text was found in."""

    name: str
    value: str
    entity: Entity | None = None


@described
class SearchInsight:
    """Why a result is shown; there are none yet."""

    text: str
    icon: str | None = None


@described
class AggregationMetadata:
    """How many results have one value of a facet."""

    value: str
    count: Long
    entity: Entity | None = None
    display_name: str | None = None


@described
class FacetMetadata:
    """A field that one can filter by, and how often each of its values occurs among the results."""

    field: str
    display_name: str | None
    aggregations: list[AggregationMetadata]
    entity: Entity | None = None


class Facet(NamedTuple):
    """
    A facet before it is an answer.

    Attributes:
        field: Name in filters.
        title: Name to show.
        counts: Values, and how many results have each, in the order of the answer.
    """

    field: str
    title: str
    counts: Sequence[tuple[str, int]]


def facet_table(facets: Sequence[Facet], labels: Mapping[str, str]) -> Table:
    """Facets as `FacetMetadata`; `labels` are the names of values that are URNs, as far as they are to be shown."""
    counts = [count for facet in facets for count in facet.counts]
    aggregations: dict[str, Sequence[Any]] = {
        "value": [value for value, _ in counts],
        "count": [number for _, number in counts],
        "display_name": [labels.get(value) for value, _ in counts],
    }
    columns: dict[str, Sequence[Any] | Lists] = {
        "field": [facet.field for facet in facets],
        "display_name": [facet.title for facet in facets],
        "aggregations": Lists(
            Table(aggregations, [AggregationMetadata] * len(counts), list), [len(facet.counts) for facet in facets]
        ),
    }

    def rows() -> Iterator[FacetMetadata]:
        for facet in facets:
            found = [
                AggregationMetadata(
                    value=value, count=Long(number), entity=referred(value), display_name=labels.get(value)
                )
                for value, number in facet.counts
            ]
            yield FacetMetadata(field=facet.field, display_name=facet.title, aggregations=found)

    return Table(columns, [FacetMetadata] * len(facets), rows)
