"""Runs of jobs and flows, and the runs that read or wrote a dataset."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, RelationshipDirection, related
from graphsvc.api.graphql.timeseries import points
from graphsvc.api.graphql.views import Long, described, number, shown, text

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import DataProcessInstance

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")


@described
class DataProcessInstanceResult:
    """A page of runs."""

    start: int
    count: int
    total: int
    runs: list[Annotated["DataProcessInstance", _TYPES]]


@described
class DataProcessInstanceRunResult:
    """How a run ended."""

    result_type: str | None
    native_result_type: str | None


@described
class DataProcessRunEvent:
    """A change of a run's state."""

    timestamp_millis: Long
    status: str | None
    attempt: Long | None
    duration_millis: Long | None
    result: DataProcessInstanceRunResult | None


async def runs_of(
    entity: Entity, info: Info, types: tuple[str, ...], start: int | None, count: int | None
) -> DataProcessInstanceResult:
    """Runs that point to an entity by relationships of these types, among as many as a page may have: jobs do too."""
    first, size = info.context.page(start, count)
    whole = info.context.settings.max_page
    page = await related(entity, info, types, RelationshipDirection.INCOMING, 0, whole, removed=False)
    found: list[Any] = [row.entity for row in page.relationships if row.entity.type_text == "dataProcessInstance"]
    some = found[first : first + size]
    return DataProcessInstanceResult(start=first, count=len(some), total=len(found), runs=some)


@strawberry.type
class HasRuns(Entity):
    """Runs point to their template."""

    @shown("Runs of the job or flow.")
    async def runs(self, info: Info, start: int | None = 0, count: int | None = 10) -> DataProcessInstanceResult:
        """One page."""
        page = await related(self, info, ("InstanceOf",), RelationshipDirection.INCOMING, start, count, removed=False)
        found: list[Any] = [row.entity for row in page.relationships]
        return DataProcessInstanceResult(start=page.start, count=page.count, total=page.total, runs=found)


@strawberry.type
class HasState(Entity):
    """`dataProcessInstanceRunEvent`."""

    @shown("Changes of the run's state within a range of time, the newest first.")
    async def state(
        self,
        info: Info,
        start_time_millis: Long | None = None,
        end_time_millis: Long | None = None,
        limit: int | None = 10,
    ) -> list[DataProcessRunEvent]:
        """One page."""
        name = "dataProcessInstanceRunEvent"
        found = await points(info, self.urn, name, start_time_millis, end_time_millis, limit)
        return [_event(point) for point in found]


def _event(point: dict[str, Any]) -> DataProcessRunEvent:
    result = point.get("result")
    return DataProcessRunEvent(
        timestamp_millis=Long(point["timestampMillis"]),
        status=text(point.get("status")),
        attempt=number(point.get("attempt")),
        duration_millis=number(point.get("durationMillis")),
        result=DataProcessInstanceRunResult(
            result_type=text(result.get("type")), native_result_type=text(result.get("nativeResultType"))
        )
        if isinstance(result, dict)
        else None,
    )
