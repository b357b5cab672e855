"""What watches over entities: assertions with their runs, and incidents."""

import asyncio
from enum import Enum
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, RelationshipDirection, related
from graphsvc.api.graphql.records import record_type
from graphsvc.api.graphql.timeseries import FilterInput, points
from graphsvc.api.graphql.views import AuditStamp, Long, at, described, shown

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import Assertion, Incident

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")
_RUN_EVENT: Any = record_type("com.linkedin.assertion.AssertionRunEvent")


@strawberry.enum(description="Whether a run of an assertion has ended.")
class AssertionRunStatus(Enum):
    """DataHub's names."""

    COMPLETE = "COMPLETE"


@strawberry.enum(description="Whether an incident is still going on.")
class IncidentState(Enum):
    """DataHub's names."""

    ACTIVE = "ACTIVE"
    RESOLVED = "RESOLVED"


@described
class EntityAssertionsResult:
    """A page of the assertions about an entity."""

    start: int
    count: int
    total: int
    assertions: list[Annotated["Assertion", _TYPES]]


@described
class AssertionRunEventsResult:
    """Runs of an assertion, the newest first, and how they ended."""

    total: int
    failed: int
    succeeded: int
    errored: int
    run_events: list[Any] = strawberry.field(graphql_type=GenericAlias(list, (_RUN_EVENT,)))


@described
class IncidentStatus:
    """How an incident stands."""

    state: str | None
    stage: str | None
    message: str | None
    last_updated: AuditStamp | None


@described
class IncidentSource:
    """What raised an incident."""

    type: str | None
    source: Entity | None


@described
class EntityIncidentsResult:
    """A page of the incidents of an entity, in the order of their URNs."""

    start: int
    count: int
    total: int
    incidents: list[Annotated["Incident", _TYPES]]


@strawberry.type
class HasAssertions(Entity):
    """Assertions point to what they are about."""

    @shown("Assertions about the entity; those that are soft-deleted only if asked for.")
    async def assertions(
        self,
        info: Info,
        start: int | None = 0,
        count: int | None = 10,
        include_soft_deleted: bool | None = False,  # noqa: FBT001, FBT002  DataHub's name
    ) -> EntityAssertionsResult:
        """One page."""
        incoming, removed = RelationshipDirection.INCOMING, bool(include_soft_deleted)
        page = await related(self, info, ("Asserts",), incoming, start, count, removed=removed)
        found: list[Any] = [row.entity for row in page.relationships if row.entity.type_text == "assertion"]
        return EntityAssertionsResult(start=page.start, count=page.count, total=page.total, assertions=found)


@strawberry.type
class HasIncidents(Entity):
    """Incidents point to what they concern."""

    @shown("Incidents of the entity; all of them, or those in one state.")
    async def incidents(
        self, info: Info, state: IncidentState | None = None, start: int | None = 0, count: int | None = 10
    ) -> EntityIncidentsResult:
        """One page; a state is looked for among as many incidents as a page may have."""
        first, size = info.context.page(start, count)
        incoming = RelationshipDirection.INCOMING
        whole = info.context.settings.max_page
        page = await related(
            self, info, ("IncidentOn",), incoming, *((first, size) if state is None else (0, whole)), removed=False
        )
        found: list[Any] = [row.entity for row in page.relationships]
        total = page.total
        if state is not None:
            reads = (info.context.loaders.value(entity.urn, "incidentInfo") for entity in found)
            values = await asyncio.gather(*reads)
            found = [e for e, v in zip(found, values, strict=True) if at(v, "status.state") == state.value]
            total, found = len(found), found[first : first + size]
        return EntityIncidentsResult(start=first, count=len(found), total=total, incidents=found)


@strawberry.type
class HasRunEvents(Entity):
    """`assertionRunEvent`."""

    @shown("Runs of the assertion within a range of time, the newest first.")
    async def run_events(  # noqa: PLR0913, PLR0917
        self,
        info: Info,
        status: AssertionRunStatus | None = None,
        start_time_millis: Long | None = None,
        end_time_millis: Long | None = None,
        filter: FilterInput | None = None,  # noqa: A002  DataHub's name
        limit: int | None = 10,
    ) -> AssertionRunEventsResult:
        """Counts are those of the runs that are answered."""
        runs = await points(info, self.urn, "assertionRunEvent", start_time_millis, end_time_millis, limit, filter)
        if status is not None:
            runs = [run for run in runs if run.get("status") == status.value]
        ends = [result.get("type") if isinstance(result := run.get("result"), dict) else None for run in runs]
        return AssertionRunEventsResult(
            total=len(runs),
            failed=ends.count("FAILURE"),
            succeeded=ends.count("SUCCESS"),
            errored=ends.count("ERROR"),
            run_events=runs,
        )
