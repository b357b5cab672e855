"""What watches over entities: assertions with their runs, incidents, and the health that these add up to."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, RelationshipDirection, related
from graphsvc.api.graphql.records import record_type
from graphsvc.api.graphql.timeseries import FilterInput, points
from graphsvc.api.graphql.views import AuditStamp, Long, at, described, number, shown, text

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


@strawberry.enum(description="What a health is about.")
class HealthStatusType(Enum):
    """DataHub's names."""

    ASSERTIONS = "ASSERTIONS"
    INCIDENTS = "INCIDENTS"


@strawberry.enum(description="How an entity fares.")
class HealthStatus(Enum):
    """DataHub's names, the best first."""

    PASS = "PASS"  # noqa: S105  no password
    WARN = "WARN"
    FAIL = "FAIL"


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


@described
class ActiveIncidentHealthDetails:
    """The active incidents of an entity: how many there are, and the one that changed last."""

    latest_incident_urn: str | None
    latest_incident_title: str | None
    last_activity_at: Long | None
    count: int


@described
class AssertionHealthStatusByType:
    """
    How the assertions of one type ended when they last ran: the worst status among them, and how many have it.

    `total` counts those that have run; `lastStatusResultAt` is when the last of those with the status did.
    """

    type: str
    status: HealthStatus
    total: int
    status_count: int
    last_status_result_at: Long | None


@described
class Health:
    """
    How an entity fares, by its incidents or by its assertions.

    INCIDENTS: FAIL while any is active, with the cause `ACTIVE_INCIDENTS`; PASS once all are resolved.
    ASSERTIONS: by the last run of each; FAIL if any failed, else WARN if any ended in an error, else PASS. The causes
    are the URNs of those that have the status, none for PASS. Assertions that have not run, or not to the end, do not
    count.
    """

    type: HealthStatusType
    reported_at: Long | None
    status: HealthStatus
    message: str | None
    active_incident_health_details: ActiveIncidentHealthDetails | None = None
    latest_assertion_status_by_type: list[AssertionHealthStatusByType] | None = None
    causes: list[str] | None = None


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
        found: list[Any]
        if state is None:
            incoming = RelationshipDirection.INCOMING
            page = await related(self, info, ("IncidentOn",), incoming, first, size, removed=False)
            total, found = page.total, [row.entity for row in page.relationships]
        else:
            known = await _incidents(self, info)
            found = [entity for entity, value in known if at(value, "status.state") == state.value]
            total, found = len(found), found[first : first + size]
        return EntityIncidentsResult(start=first, count=len(found), total=total, incidents=found)


@strawberry.type
class HasHealth(Entity):
    """Incidents and assertions, in short."""

    @shown(
        "How the entity fares: by its incidents, and by its assertions, as far as it has some; by as many of each as a "
        "page may have. Runs of assertions are those of now, whatever time is asked about."
    )
    async def health(self, info: Info) -> list[Health] | None:
        """Empty if it has neither; soft-deleted ones do not count."""
        known, runs = await asyncio.gather(_incidents(self, info), _latest_runs(self, info))
        found = (_health_of_incidents(known), _health_of_assertions(runs))
        return [health for health in found if health is not None]


async def _incidents(entity: Entity, info: Info) -> list[tuple[Entity, dict[str, Any] | None]]:
    """Incidents of an entity, and what is said of each."""
    incoming, whole = RelationshipDirection.INCOMING, info.context.settings.max_page
    page = await related(entity, info, ("IncidentOn",), incoming, 0, whole, removed=False)
    found = [row.entity for row in page.relationships]
    values = await asyncio.gather(*(info.context.loaders.value(one.urn, "incidentInfo") for one in found))
    return list(zip(found, values, strict=True))


class _Run(NamedTuple):
    """How an assertion last ended; the type is null if nobody said."""

    urn: str
    type: str | None
    status: HealthStatus
    time: Long


_STATUS = {"SUCCESS": HealthStatus.PASS, "ERROR": HealthStatus.WARN, "FAILURE": HealthStatus.FAIL}
_WORDS = {HealthStatus.FAIL: "are failing", HealthStatus.WARN: "ended in an error", HealthStatus.PASS: "are passing"}


async def _latest_runs(entity: Entity, info: Info) -> list[_Run]:
    """Those that came to an end."""
    incoming, whole = RelationshipDirection.INCOMING, info.context.settings.max_page
    page = await related(entity, info, ("Asserts",), incoming, 0, whole, removed=False)
    urns = [row.entity.urn for row in page.relationships if row.entity.type_text == "assertion"]
    newest, values = await asyncio.gather(
        asyncio.gather(*(points(info, urn, "assertionRunEvent", None, None, 1) for urn in urns)),
        asyncio.gather(*(info.context.loaders.value(urn, "assertionInfo") for urn in urns)),
    )
    return [
        _Run(urn, text(at(value, "type")), status, Long(run["timestampMillis"]))
        for urn, runs, value in zip(urns, newest, values, strict=True)
        for run in runs
        if (status := _STATUS.get(text(at(run, "result.type")) or "")) is not None
    ]


def _health_of_incidents(known: Sequence[tuple[Entity, dict[str, Any] | None]]) -> Health | None:
    if not known:
        return None
    changes = [(number(at(value, "status.lastUpdated.time")) or Long(0), entity.urn, value) for entity, value in known]
    active = [change for change in changes if at(change[2], "status.state") == IncidentState.ACTIVE.value]
    time, urn, value = max(active or changes, key=lambda change: change[:2])
    if not active:
        return Health(
            type=HealthStatusType.INCIDENTS,
            reported_at=time or None,
            status=HealthStatus.PASS,
            message="No active incidents",
        )
    return Health(
        type=HealthStatusType.INCIDENTS,
        reported_at=time or None,
        status=HealthStatus.FAIL,
        message=f"{len(active)} active incident{'s' if len(active) > 1 else ''}",
        active_incident_health_details=ActiveIncidentHealthDetails(
            latest_incident_urn=urn,
            latest_incident_title=text(at(value, "title")),
            last_activity_at=time or None,
            count=len(active),
        ),
        causes=["ACTIVE_INCIDENTS"],
    )


def _worst(runs: Sequence[_Run]) -> list[_Run]:
    """Runs that have the worst status among them; at least one."""
    order = list(HealthStatus)
    worst = max((run.status for run in runs), key=order.index)
    return [run for run in runs if run.status is worst]


def _health_of_assertions(runs: Sequence[_Run]) -> Health | None:
    if not runs:
        return None
    worst = _worst(runs)
    status = worst[0].status
    return Health(
        type=HealthStatusType.ASSERTIONS,
        reported_at=max(run.time for run in worst),
        status=status,
        message=f"{len(worst)} of {len(runs)} assertions {_WORDS[status]}",
        latest_assertion_status_by_type=_by_type(runs),
        causes=None if status is HealthStatus.PASS else [run.urn for run in worst],
    )


def _by_type(runs: Sequence[_Run]) -> list[AssertionHealthStatusByType]:
    """Sorted by type; runs of no known type are left out."""
    groups: defaultdict[str, list[_Run]] = defaultdict(list)
    for run in runs:
        if run.type is not None:
            groups[run.type].append(run)
    return [
        AssertionHealthStatusByType(
            type=kind,
            status=(worst := _worst(group))[0].status,
            total=len(group),
            status_count=len(worst),
            last_status_result_at=max(run.time for run in worst),
        )
        for kind, group in sorted(groups.items())
    ]


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
