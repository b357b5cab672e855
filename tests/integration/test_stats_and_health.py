"""`statsSummary` and `health`: what the points of use, the incidents and the runs of assertions add up to."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, LiteralString

import httpx
import pytest
from fastapi import FastAPI
from neo4j import AsyncDriver

from graphsvc.api.graphql.router import build_router
from graphsvc.config import GraphqlSettings
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

Ask = Callable[..., Awaitable[dict[str, Any]]]

SETTINGS = GraphqlSettings.model_validate({"max_page": 50, "max_cost": 5_000})
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TABLE = "urn:li:dataset:(urn:li:dataPlatform:hive,orders,PROD)"
FLOW = "urn:li:dataFlow:(airflow,daily,prod)"
JOB = f"urn:li:dataJob:({FLOW},load)"
CHART, DASHBOARD = "urn:li:chart:(looker,c)", "urn:li:dashboard:(looker,d)"
ONE_DAY, WEEK = {"unit": "DAY", "multiple": 1}, {"unit": "WEEK", "multiple": 1}
NOTHING = {
    "queryCountLast30Days": None, "uniqueUserCountLast30Days": None, "topUsersLast30Days": None,
    "queryCountPercentileLast30Days": None, "uniqueUserPercentileLast30Days": None,
}  # fmt: skip
OF_DATASET = """
    query ($urn: String!) { dataset(urn: $urn) { statsSummary {
      queryCountLast30Days uniqueUserCountLast30Days topUsersLast30Days { urn username }
      queryCountPercentileLast30Days uniqueUserPercentileLast30Days
    } } }
"""
OF_VIEWS = """
    query ($urn: String!) { entity(urn: $urn) {
      ... on Dashboard { statsSummary { ...Views } }
      ... on Chart { summary: statsSummary { ...OfChart } }
    } }
    fragment Views on DashboardStatsSummary {
      viewCount viewCountLast30Days uniqueUserCountLast30Days topUsersLast30Days { urn }
      viewCountPercentileLast30Days uniqueUserPercentileLast30Days
    }
    fragment OfChart on ChartStatsSummary {
      viewCount viewCountLast30Days uniqueUserCountLast30Days topUsersLast30Days { urn }
      viewCountPercentileLast30Days uniqueUserPercentileLast30Days
    }
"""
HEALTH = """
    query ($urns: [String!]!) { entities(urns: $urns) {
      ... on Dataset { health { ...All } } ... on DataJob { health { ...All } } ... on DataFlow { health { ...All } }
      ... on Chart { health { ...All } } ... on Dashboard { health { ...All } }
    } }
    fragment All on Health {
      type status message reportedAt causes
      activeIncidentHealthDetails { count latestIncidentUrn latestIncidentTitle lastActivityAt }
      latestAssertionStatusByType { type status total statusCount lastStatusResultAt }
    }
"""


class CountingReader(Reader):
    """A reader that counts its queries."""

    queries = 0

    async def _read(self, text: LiteralString, **parameters: Any) -> Any:
        self.queries += 1
        return await super()._read(text, **parameters)


@pytest.fixture
def counting(graph: AsyncDriver, database: str, registry: Registry) -> CountingReader:
    return CountingReader(graph, database, 30.0, registry)


@pytest.fixture
async def ask(counting: CountingReader, registry: Registry) -> AsyncIterator[Ask]:
    app = FastAPI()
    app.include_router(build_router(counting, registry, SETTINGS))

    async def ask(query: str, /, **variables: Any) -> dict[str, Any]:
        answer = await client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield ask


def ago(days: float) -> int:
    """Milliseconds."""
    return int(time.time() * 1000 - days * DAY_MS)


def user(name: str) -> str:
    return f"urn:li:corpuser:{name}"


def table(name: object) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def used(urn: str, at: int, queries: int, **counts: int) -> Proposal:
    """A point of a dataset's use."""
    users = [{"user": user(name), "count": count} for name, count in counts.items()]
    value = {"timestampMillis": at, "totalSqlQueries": queries, "uniqueUserCount": len(users), "userCounts": users}
    return proposal_of(urn, "datasetUsageStatistics", value)


def incident(name: str, on: str, state: str, at: int) -> Proposal:
    stamp = {"time": at, "actor": user("ada")}
    value = {
        "type": "OPERATIONAL", "title": f"title of {name}", "entities": [on], "created": stamp,
        "status": {"state": state, "lastUpdated": stamp},
    }  # fmt: skip
    return proposal_of(f"urn:li:incident:{name}", "incidentInfo", value)


def assertion(name: str, on: str, kind: str, *ends: str) -> Iterator[Proposal]:
    """An assertion and its runs: the first at 1 ms, the next at 2 ms and so on."""
    urn = f"urn:li:assertion:{name}"
    value = {"type": kind, "customAssertion": {"type": "mine", "entity": on}, "entityUrn": on}
    yield proposal_of(urn, "assertionInfo", value)
    for at, end in enumerate(ends, start=1):
        run = {
            "timestampMillis": at, "runId": f"run{at}", "asserteeUrn": on, "assertionUrn": urn, "status": "COMPLETE",
            "result": {"type": end},
        }  # fmt: skip
        yield proposal_of(urn, "assertionRunEvent", run)


async def health_of(ask: Ask, urn: str) -> list[dict[str, Any]]:
    body = await ask(HEALTH, urns=[urn])
    assert "errors" not in body, body
    found: list[dict[str, Any]] = body["data"]["entities"][0]["health"]
    return found


async def test_summary_of_a_dataset_adds_up_the_points_of_the_last_30_days(ask: Ask, service: IngestService) -> None:
    """To the hour, and no further; the five most frequent users, the first of them first."""
    await service.ingest([
        used(TABLE, ago(0.1), 10, ada=1, bea=6, cy=5),
        used(TABLE, ago(15), 20, ada=9, dan=4, eve=3, fay=2),
        used(TABLE, ago(30) + HOUR_MS, 30),
        used(TABLE, ago(30) - HOUR_MS, 1_000, gus=1_000),
        used(TABLE, ago(45), 1_000, gus=1_000),
    ])  # fmt: skip

    body = await ask(OF_DATASET, urn=TABLE)

    assert "errors" not in body
    top = [{"urn": user(name), "username": name} for name in ("ada", "bea", "cy", "dan", "eve")]
    counts = {"queryCountLast30Days": 60, "uniqueUserCountLast30Days": 6, "topUsersLast30Days": top}
    assert body["data"]["dataset"]["statsSummary"] == NOTHING | counts


async def test_percentiles_are_what_an_aspect_says(ask: Ask, service: IngestService) -> None:
    """Counts come from the points alone, so that they are null here."""
    ranks = {"queryCountPercentileLast30Days": 93, "uniqueUserPercentileLast30Days": 71}
    await service.ingest([proposal_of(TABLE, "usageFeatures", {"queryCountLast30Days": 5, **ranks})])

    body = await ask(OF_DATASET, urn=TABLE)

    assert body == {"data": {"dataset": {"statsSummary": NOTHING | ranks}}}


async def test_what_no_point_says_is_null(ask: Ask, service: IngestService) -> None:
    """Users that a point only counts cannot be told apart from those of other points; an Int has its bounds."""
    most = 2**31 - 1
    await service.ingest([
        proposal_of(TABLE, "datasetUsageStatistics", {"timestampMillis": ago(at), "totalSqlQueries": most} | more)
        for at, more in ((1, {"uniqueUserCount": 3}), (2, {}))
    ])  # fmt: skip

    body = await ask(OF_DATASET, urn=TABLE)

    assert body == {"data": {"dataset": {"statsSummary": NOTHING}}}


@pytest.mark.parametrize(
    ("urn", "aspect", "count", "field"),
    [
        (DASHBOARD, "dashboardUsageStatistics", "usageCount", "statsSummary"),
        (CHART, "chartUsageStatistics", "viewsCount", "summary"),
    ],
)
@pytest.mark.parametrize("days", [3, 300])
async def test_summary_of_views(
    ask: Ask, service: IngestService, urn: str, aspect: str, count: str, field: str, days: int
) -> None:
    """All views by the newest point that is of no span, however old; those of 30 days by the points of one day."""

    def point(at: int, views: int, span: dict[str, Any] | None, **counts: int) -> Proposal:
        users = [{"user": user(name), count: number} for name, number in counts.items()]
        value = {"timestampMillis": at, "viewsCount": views, "userCounts": users}
        return proposal_of(urn, aspect, value | ({"eventGranularity": span} if span else {}))

    await service.ingest([
        point(ago(days), 900, None),
        point(ago(days + 1), 800, None),
        point(ago(1), 4, ONE_DAY, ada=1, bea=2),
        point(ago(2), 5, ONE_DAY, ada=3),
        point(ago(4), 70, WEEK, cy=70),
        point(ago(40), 600, ONE_DAY, dan=600),
    ])  # fmt: skip

    body = await ask(OF_VIEWS, urn=urn)

    assert "errors" not in body
    assert body["data"]["entity"][field] == {
        "viewCount": 900, "viewCountLast30Days": 9, "uniqueUserCountLast30Days": 2,
        "topUsersLast30Days": [{"urn": user("ada")}, {"urn": user("bea")}],
        "viewCountPercentileLast30Days": None, "uniqueUserPercentileLast30Days": None,
    }  # fmt: skip


async def test_an_entity_without_incidents_and_assertions_has_no_health(ask: Ask, service: IngestService) -> None:
    """Nobody watches it; an assertion that has not run, or not to the end, says nothing either."""
    await service.ingest([
        proposal_of(TABLE, "status", {"removed": False}),
        *assertion("new", TABLE, "FIELD"),
        *assertion("begun", TABLE, "FIELD", "INIT"),
    ])  # fmt: skip

    assert await health_of(ask, TABLE) == []


@pytest.mark.parametrize("urn", [TABLE, JOB, FLOW, CHART, DASHBOARD])
async def test_an_active_incident_is_a_failure_until_it_is_resolved(ask: Ask, service: IngestService, urn: str) -> None:
    """On all types that have health; the incident that changed last is told."""
    await service.ingest([
        incident("a", urn, "ACTIVE", 8), incident("b", urn, "ACTIVE", 7), incident("c", urn, "RESOLVED", 9),
        incident("d", table("other"), "ACTIVE", 10),
    ])  # fmt: skip

    before = await health_of(ask, urn)
    await service.ingest([incident("a", urn, "RESOLVED", 11), incident("b", urn, "RESOLVED", 12)])
    after = await health_of(ask, urn)

    assert before == [
        {
            "type": "INCIDENTS", "status": "FAIL", "message": "2 active incidents", "reportedAt": 8,
            "causes": ["ACTIVE_INCIDENTS"], "latestAssertionStatusByType": None,
            "activeIncidentHealthDetails": {
                "count": 2, "latestIncidentUrn": "urn:li:incident:a", "latestIncidentTitle": "title of a",
                "lastActivityAt": 8,
            },
        }
    ]  # fmt: skip
    assert after == [
        {
            "type": "INCIDENTS", "status": "PASS", "message": "No active incidents", "reportedAt": 12, "causes": None,
            "latestAssertionStatusByType": None, "activeIncidentHealthDetails": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "status", "message", "causes"),
    [
        ([["FAILURE", "SUCCESS"], ["SUCCESS"]], "PASS", "2 of 2 assertions are passing", None),
        ([["SUCCESS", "FAILURE"], ["SUCCESS"], ["ERROR"]], "FAIL", "1 of 3 assertions are failing", ["a0"]),
        ([["SUCCESS"], ["FAILURE", "ERROR"], []], "WARN", "1 of 2 assertions ended in an error", ["a1"]),
        ([["FAILURE"], ["FAILURE"], ["INIT"]], "FAIL", "2 of 2 assertions are failing", ["a0", "a1"]),
    ],
)
async def test_the_last_run_of_each_assertion_counts(
    ask: Ask, service: IngestService, ends: list[list[str]], status: str, message: str, causes: list[str] | None
) -> None:
    """A failure outweighs an error, and that a success; earlier runs are forgotten."""
    await service.ingest([p for i, runs in enumerate(ends) for p in assertion(f"a{i}", TABLE, "FIELD", *runs)])

    (health,) = await health_of(ask, TABLE)

    assert (health["type"], health["status"], health["message"]) == ("ASSERTIONS", status, message)
    assert health["causes"] == (None if causes is None else [f"urn:li:assertion:{name}" for name in causes])
    assert health["activeIncidentHealthDetails"] is None


async def test_assertions_are_told_by_type_and_deleted_ones_are_not(ask: Ask, service: IngestService) -> None:
    """Each type by its own worst; incidents come first."""
    await service.ingest([
        *assertion("v", TABLE, "VOLUME", "SUCCESS"),
        *assertion("f1", TABLE, "FIELD", "SUCCESS", "SUCCESS", "FAILURE"),
        *assertion("f2", TABLE, "FIELD", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"),
        *assertion("gone", TABLE, "SQL", "FAILURE"),
        proposal_of("urn:li:assertion:gone", "status", {"removed": True}),
        incident("a", TABLE, "ACTIVE", 5),
    ])  # fmt: skip

    incidents, assertions = await health_of(ask, TABLE)

    assert (incidents["type"], incidents["message"]) == ("INCIDENTS", "1 active incident")
    assert (assertions["reportedAt"], assertions["causes"]) == (3, ["urn:li:assertion:f1"])
    assert assertions["latestAssertionStatusByType"] == [
        {"type": "FIELD", "status": "FAIL", "total": 2, "statusCount": 1, "lastStatusResultAt": 3},
        {"type": "VOLUME", "status": "PASS", "total": 1, "statusCount": 1, "lastStatusResultAt": 1},
    ]


async def test_a_page_of_summaries_costs_as_many_queries_as_one(
    ask: Ask, service: IngestService, counting: CountingReader
) -> None:
    """However many entities, incidents and runs there are."""
    query = """query ($urns: [String!]!) { entities(urns: $urns) { ... on Dataset {
      health { message } usageStats(range: MONTH) { aggregations { totalSqlQueries } }
      statsSummary { queryCountLast30Days topUsersLast30Days { username } }
    } } }"""
    urns = [table(name) for name in range(8)]
    proposals = [
        [used(urn, ago(1), 2, ada=2), incident(f"i{n}", urn, "ACTIVE", 1), *assertion(f"a{n}", urn, "FIELD", "SUCCESS")]
        for n, urn in enumerate(urns)
    ]
    await service.ingest([proposal for some in proposals for proposal in some])

    counting.queries = 0
    await ask(query, urns=urns[:1])
    of_one, counting.queries = counting.queries, 0
    body = await ask(query, urns=urns)

    assert counting.queries == of_one
    assert [found["health"][0]["message"] for found in body["data"]["entities"]] == ["1 active incident"] * 8
    assert [found["statsSummary"]["queryCountLast30Days"] for found in body["data"]["entities"]] == [2] * 8


async def test_health_is_charged_as_the_list_it_is(ask: Ask, counting: CountingReader) -> None:
    """A page that is too dear is refused before anything is read."""
    query = """{ searchAcrossEntities(input: {query: "*", count: 50}) { searchResults { entity {
      ... on Dataset { health { type status message causes latestAssertionStatusByType { type status total } } }
    } } } }"""

    body = await ask(query)

    (error,) = body["errors"]
    assert error["extensions"]["code"] == "COST_LIMIT"
    assert error["extensions"]["cost"] > SETTINGS.max_cost
    assert counting.queries == 0


async def test_health_as_of_a_time_is_that_of_the_incidents_then(ask: Ask, service: IngestService) -> None:
    """An incident that was raised since is not there yet, and one resolved since is active."""
    await service.ingest([incident("a", TABLE, "ACTIVE", 1)])
    then = int(time.time() * 1000)
    await asyncio.sleep(0.005)
    await service.ingest([incident("a", TABLE, "RESOLVED", 2), incident("b", TABLE, "ACTIVE", 3)])
    query = """query ($urn: String!, $then: Long) {
      then: dataset(urn: $urn, asOf: $then) { health { ...Details } } now: dataset(urn: $urn) { health { ...Details } }
    } fragment Details on Health { activeIncidentHealthDetails { count latestIncidentUrn } }"""

    body = await ask(query, urn=TABLE, then=then)

    assert "errors" not in body
    assert [body["data"][field]["health"][0]["activeIncidentHealthDetails"] for field in ("then", "now")] == [
        {"count": 1, "latestIncidentUrn": f"urn:li:incident:{name}"} for name in ("a", "b")
    ]
