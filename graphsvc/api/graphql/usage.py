"""How datasets, dashboards and charts are used: the points of their usage statistics, and what they add up to."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.timeseries import points
from graphsvc.api.graphql.views import Long, at, described, number, records, shown, text, texts

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import CorpUser

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")
_DAY_MS = 86_400_000
_SUMMARY_DAYS = 30
_TOP_USERS = 5
_MAX_INT = 2**31 - 1  # of GraphQL's Int, which DataHub has for these counts
_COUNTS = ("count", "usageCount", "viewsCount")  # of a user or a column; the first that a record has
_RANK = "From 0 to 100 among all datasets. Not worked out here: null unless `usageFeatures` says it."
_NO_RANK = (
    "From 0 to 100 among all entities of the type. Always null: no aspect says it, and it is not worked out here."
)


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


@described
class DatasetStatsSummary:
    """
    Use of a dataset within the last 30 days. Null: no point of these days says it, or it is more than an Int can hold.

    At most five users, the most frequent first.
    """

    query_count_last30_days: int | None
    unique_user_count_last30_days: int | None
    top_users_last30_days: list[Annotated["CorpUser", _TYPES]] | None
    query_count_percentile_last30_days: int | None = strawberry.field(description=_RANK)
    unique_user_percentile_last30_days: int | None = strawberry.field(description=_RANK)


@strawberry.type
class _ViewStats:
    """What is known of dashboards and charts alike."""

    view_count: int | None = strawberry.field(
        description="Of all time, by the newest point that is not of a span; looked for among a page of points at most."
    )
    view_count_last30_days: int | None
    unique_user_count_last30_days: int | None
    top_users_last30_days: list[Annotated["CorpUser", _TYPES]] | None
    view_count_percentile_last30_days: int | None = strawberry.field(default=None, description=_NO_RANK)
    unique_user_percentile_last30_days: int | None = strawberry.field(default=None, description=_NO_RANK)


@described
class DashboardStatsSummary(_ViewStats):
    """
    Use of a dashboard within the last 30 days, by its points of one day each. Null: no such point says it.

    At most five users, the most frequent first.
    """


@described
class ChartStatsSummary(_ViewStats):
    """
    Use of a chart within the last 30 days, by its points of one day each. Null: no such point says it.

    At most five users, the most frequent first.
    """


ViewStats = TypeVar("ViewStats", bound=_ViewStats)


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
        found = await _points(info, self.urn, "datasetUsageStatistics", None if range is None else range.value)
        return UsageQueryResult(buckets=[_bucket(self.urn, point) for point in found], aggregations=_sums(found))

    @shown("How the dataset was used within the last 30 days, in short: a page of points at most.")
    async def stats_summary(self, info: Info) -> DatasetStatsSummary | None:
        """What `usageStats` adds up to; a dataset that nobody has reported on has a summary of nulls."""
        found, features = await asyncio.gather(
            _points(info, self.urn, "datasetUsageStatistics", _SUMMARY_DAYS),
            info.context.loaders.value(self.urn, "usageFeatures"),
        )
        users, ranks = _users(found), features or {}
        return DatasetStatsSummary(
            query_count_last30_days=_total(found, "totalSqlQueries"),
            unique_user_count_last30_days=None if users is None else len(users),
            top_users_last30_days=_top(users),
            query_count_percentile_last30_days=_int(ranks.get("queryCountPercentileLast30Days")),
            unique_user_percentile_last30_days=_int(ranks.get("uniqueUserPercentileLast30Days")),
        )


@strawberry.type
class HasDashboardUsage(Entity):
    """`dashboardUsageStatistics`."""

    @shown("How the dashboard is used, in short.")
    async def stats_summary(self, info: Info) -> DashboardStatsSummary | None:
        """Of nulls if nobody has reported on it."""
        return await _views(DashboardStatsSummary, info, self.urn, "dashboardUsageStatistics")


@strawberry.type
class HasChartUsage(Entity):
    """`chartUsageStatistics`."""

    @shown("How the chart is used, in short.")
    async def stats_summary(self, info: Info) -> ChartStatsSummary | None:
        """Of nulls if nobody has reported on it."""
        return await _views(ChartStatsSummary, info, self.urn, "chartUsageStatistics")


async def _points(info: Info, urn: str, aspect: str, days: int | None) -> list[dict[str, Any]]:
    """
    Points of the days that end now, newest first, a page at most; of all time without days.

    They are read from the start of a day on, since entities share a query only if their ranges are the same.
    """
    whole = info.context.settings.max_page
    if days is None:
        return await points(info, urn, aspect, None, None, whole)
    since = int(time.time() * 1000) - days * _DAY_MS
    found = await points(info, urn, aspect, Long(since - since % _DAY_MS), None, whole)
    return [point for point in found if point["timestampMillis"] >= since]


async def _views(cls: type[ViewStats], info: Info, urn: str, aspect: str) -> ViewStats:
    """Totals are looked for further back only if the last 30 days have none."""
    recent = await _points(info, urn, aspect, _SUMMARY_DAYS)
    totals = _totals(recent) or _totals(await _points(info, urn, aspect, None))
    spans = [point for point in recent if _is_one_day(point)]
    users = _users(spans)
    return cls(
        view_count=next(iter(totals), None),
        view_count_last30_days=_total(spans, "viewsCount"),
        unique_user_count_last30_days=None if users is None else len(users),
        top_users_last30_days=_top(users),
    )


def _totals(found: Sequence[dict[str, Any]]) -> list[int]:
    """Views of all time, by the points that are of no span."""
    views = (_int(point.get("viewsCount")) for point in found if point.get("eventGranularity") is None)
    return [count for count in views if count is not None]


def _is_one_day(point: dict[str, Any]) -> bool:
    """Spans of other lengths may overlap with these; DataHub counts the same ones."""
    size = point.get("eventGranularity")
    return at(size, "unit") == "DAY" and number(at(size, "multiple")) in {None, 1}


def _int(value: Any) -> int | None:
    found = number(value)
    return found if found is not None and found <= _MAX_INT else None


def _total(found: Sequence[dict[str, Any]], key: str) -> int | None:
    counts = [count for point in found if (count := number(point.get(key))) is not None]
    return _int(sum(counts)) if counts else None


def _users(found: Sequence[dict[str, Any]]) -> list[str] | None:
    """URNs of the users, the most frequent first; None if no point says who they were."""
    said = any(isinstance(point.get("userCounts"), list) for point in found)
    return [urn for urn, _ in _counted(found, "userCounts", "user").most_common()] if said else None


def _top(users: Sequence[str] | None) -> list[Any] | None:
    if users is None:
        return None
    return [user for urn in users if (user := referred(urn, "corpuser")) is not None][:_TOP_USERS]


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


def _counted(found: Sequence[dict[str, Any]], key: str, name: str) -> Counter[str]:
    """How often each name stands in a list of the points, by the records' own counts."""
    counted: Counter[str] = Counter()
    for point in found:
        for item in records(point.get(key)):
            if (what := text(item.get(name))) is not None:
                counts = (number(item.get(count)) for count in _COUNTS)
                counted[what] += next((count for count in counts if count is not None), 0)
    return counted


def _sums(found: Sequence[dict[str, Any]]) -> UsageQueryResultAggregations:
    users = _counted(found, "userCounts", "user")
    fields = _counted(found, "fieldCounts", "fieldPath")
    return UsageQueryResultAggregations(
        unique_user_count=Long(len(users)),
        users=[
            UserUsageCounts(user=referred(urn, "corpuser"), count=Long(count), user_email=None)
            for urn, count in users.most_common()
        ],
        fields=[FieldUsageCounts(field_name=name, count=Long(count)) for name, count in fields.most_common()],
        total_sql_queries=Long(sum(number(point.get("totalSqlQueries")) or 0 for point in found)),
    )
