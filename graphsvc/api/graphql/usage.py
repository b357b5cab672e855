"""How datasets are used: the points of `datasetUsageStatistics`, and what they add up to."""

import time
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.timeseries import points
from graphsvc.api.graphql.views import Long, at, described, number, records, shown, text, texts

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import CorpUser

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")
_DAY_MS = 86_400_000


@strawberry.enum(description="A range of time that ends now.")
class TimeRange(Enum):
    """Days."""

    DAY = 1
    WEEK = 7
    MONTH = 31
    QUARTER = 92
    YEAR = 366
    ALL = None


@described
class UserUsageCounts:
    """How often a user asked for a dataset."""

    user: Annotated["CorpUser", _TYPES] | None
    count: Long | None
    user_email: str | None


@described
class FieldUsageCounts:
    """How often a column was asked for."""

    field_name: str | None
    count: Long | None


@described
class UsageAggregationMetrics:
    """Use within one span of time."""

    unique_user_count: Long | None
    users: list[UserUsageCounts]
    total_sql_queries: Long | None
    top_sql_queries: list[str] | None
    fields: list[FieldUsageCounts]


@described
class UsageAggregation:
    """One span of time: where it begins (milliseconds), and its length (DAY, HOUR …)."""

    bucket: Long
    duration: str | None
    resource: str
    metrics: UsageAggregationMetrics


@described
class UsageQueryResultAggregations:
    """Use within the whole range, the most frequent users and columns first."""

    unique_user_count: Long
    users: list[UserUsageCounts]
    fields: list[FieldUsageCounts]
    total_sql_queries: Long


@described
class UsageQueryResult:
    """Use of a dataset, the newest span first."""

    buckets: list[UsageAggregation]
    aggregations: UsageQueryResultAggregations


@strawberry.type
class HasUsage(Entity):
    """`datasetUsageStatistics`."""

    @shown("How the dataset is used: over a range that ends now, or over all of the time, a page of points at most.")
    async def usage_stats(
        self,
        info: Info,
        resource: str | None = None,  # noqa: ARG002  DataHub's older clients send it
        range: TimeRange | None = None,  # noqa: A002  DataHub's name
    ) -> UsageQueryResult:
        """Points of one day or more are spans as they are."""
        days = None if range is None else range.value
        start = None if days is None else Long(int(time.time() * 1000) - days * _DAY_MS)
        found = await points(info, self.urn, "datasetUsageStatistics", start, None, info.context.settings.max_page)
        return UsageQueryResult(buckets=[_bucket(self.urn, point) for point in found], aggregations=_sums(found))


def _bucket(urn: str, point: dict[str, Any]) -> UsageAggregation:
    return UsageAggregation(
        bucket=Long(point["timestampMillis"]),
        duration=text(at(point, "eventGranularity.unit")),
        resource=urn,
        metrics=UsageAggregationMetrics(
            unique_user_count=number(point.get("uniqueUserCount")),
            users=[
                UserUsageCounts(
                    user=referred(item.get("user"), "corpuser"),
                    count=number(item.get("count")),
                    user_email=text(item.get("userEmail")),
                )
                for item in records(point.get("userCounts"))
            ],
            total_sql_queries=number(point.get("totalSqlQueries")),
            top_sql_queries=texts(point.get("topSqlQueries")),
            fields=[
                FieldUsageCounts(field_name=text(item.get("fieldPath")), count=number(item.get("count")))
                for item in records(point.get("fieldCounts"))
            ],
        ),
    )


def _sums(found: Sequence[dict[str, Any]]) -> UsageQueryResultAggregations:
    users: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    for point in found:
        for counted, item, key in (
            *((users, item, "user") for item in records(point.get("userCounts"))),
            *((fields, item, "fieldPath") for item in records(point.get("fieldCounts"))),
        ):
            if (name := text(item.get(key))) is not None:
                counted[name] += number(item.get("count")) or 0
    return UsageQueryResultAggregations(
        unique_user_count=Long(len(users)),
        users=[
            UserUsageCounts(user=referred(urn, "corpuser"), count=Long(count), user_email=None)
            for urn, count in users.most_common()
        ],
        fields=[FieldUsageCounts(field_name=name, count=Long(count)) for name, count in fields.most_common()],
        total_sql_queries=Long(sum(number(point.get("totalSqlQueries")) or 0 for point in found)),
    )
