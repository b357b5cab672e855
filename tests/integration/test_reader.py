"""What the reader answers about entities, aspects, points and relationships."""

from collections.abc import Callable
from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.errors import StoreUnavailable
from graphsvc.graph.driver import open_driver
from graphsvc.graph.reader import MAX_HOPS, Page, Reader, ReadTimeout, Walk
from graphsvc.graph.registry import Registry
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

A, B = (f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)" for name in "ab")
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,prod),load)"
TAG = "urn:li:tag:pii"
ADA = "urn:li:corpuser:ada"


def upsert(urn: str, aspect: str, **value: Any) -> Proposal:
    return proposal_of(urn, aspect, value)


def tags(*urns: str) -> dict[str, Any]:
    return {"tags": [{"tag": urn} for urn in urns]}


@pytest.fixture
async def filled(graph: AsyncDriver, service: IngestService) -> None:
    """Two datasets, a job that makes one of them, and three versions of A's properties."""
    for version in (1, 2, 3):
        await service.ingest([upsert(A, "datasetProperties", name="orders", description=f"version {version}")])
    await service.ingest(
        [
            proposal_of(A, "globalTags", tags(TAG)),
            proposal_of(B, "globalTags", tags(TAG)),
            upsert(B, "status", removed=True),
            upsert(A, "upstreamLineage", upstreams=[{"dataset": B, "type": "TRANSFORMED"}]),
            upsert(JOB, "dataJobInputOutput", inputDatasets=[B], outputDatasets=[A]),
            *(
                upsert(A, "operation", timestampMillis=t, lastUpdatedTimestamp=t, operationType="INSERT")
                for t in (1, 2, 3)
            ),
        ]
    )


@pytest.mark.usefixtures("filled")
async def test_entities_say_who_they_are(reader: Reader) -> None:
    """Named, soft-deleted, only referred to; one without a node is left out."""
    found = await reader.entities([A, B, TAG, "urn:li:tag:nobody", "no urn"])

    assert {u: (r.entity_type, r.name, r.removed, r.referenced_only) for u, r in found.items()} == {
        A: ("dataset", "orders", False, False),
        B: ("dataset", "b", True, False),
        TAG: ("tag", "pii", False, True),
    }


@pytest.mark.usefixtures("filled")
async def test_aspects_by_name_and_all(reader: Reader) -> None:
    """Per entity, by name; what is not there is left out."""
    some = await reader.aspects([A, B, "urn:li:tag:nobody"], ["status", "globalTags"])
    everything = await reader.aspects([A])

    assert {urn: set(rows) for urn, rows in some.items()} == {A: {"globalTags"}, B: {"globalTags", "status"}}
    assert set(everything[A]) == {"datasetKey", "datasetProperties", "globalTags", "upstreamLineage"}
    assert everything[A]["datasetProperties"].version == 3
    assert "version 3" in everything[A]["datasetProperties"].value
    assert everything[A]["datasetProperties"].unmodelled is False


@pytest.mark.usefixtures("filled")
async def test_each_version_is_kept(reader: Reader) -> None:
    """By number, and as a list from the newest; the current one is among them."""
    values = [await reader.aspect_version(A, "datasetProperties", version) for version in (0, 1, 2, 3, 4)]

    history = await reader.aspect_versions(A, "datasetProperties", 0, 10)
    page = await reader.aspect_versions(A, "datasetProperties", 1, 1)

    assert [row and row.version for row in values] == [None, 1, 2, 3, None]
    assert values[1] is not None
    assert "version 1" in values[1].value
    assert [row.version for row in history] == [3, 2, 1]
    assert [row.version for row in page] == [2]


@pytest.mark.usefixtures("filled")
async def test_a_deleted_aspect_keeps_its_history(reader: Reader, service: IngestService) -> None:
    """It is no current aspect any more, and its versions are still there."""
    await service.ingest([Proposal(entity_urn=A, aspect_name="datasetProperties", change_type="DELETE")])

    assert "datasetProperties" not in (await reader.aspects([A]))[A]
    assert [row.version for row in await reader.aspect_versions(A, "datasetProperties", 0, 10)] == [3, 2, 1]


@pytest.mark.usefixtures("filled")
async def test_points_are_newest_first_within_their_bounds(reader: Reader) -> None:
    """Both bounds count."""

    async def times(start: int, end: int, limit: int) -> list[int]:
        return [row.timestamp_millis for row in await reader.timeseries(A, "operation", start, end, limit)]

    assert await times(0, 2**63 - 1, 10) == [3, 2, 1]
    assert await times(2, 3, 10) == [3, 2]
    assert await times(0, 2**63 - 1, 1) == [3]
    assert await times(4, 9, 10) == []


def shape(page: Page) -> list[tuple[str, str, bool]]:
    return [(row.type, row.urn, row.outgoing) for row in page.rows]


@pytest.mark.usefixtures("filled")
async def test_relationships_by_direction(reader: Reader) -> None:
    """As declared; neither graphsvc's own nor mirrors are among them."""
    out = (await reader.relationships([A], None, "out", 0, 10))[A]
    into = (await reader.relationships([A], None, "in", 0, 10))[A]
    both = (await reader.relationships([A], None, "both", 0, 10))[A]

    assert shape(out) == [("DownstreamOf", B, True), ("TaggedWith", TAG, True)]
    assert shape(into) == [("Produces", JOB, False)]
    assert shape(both) == [("DownstreamOf", B, True), ("Produces", JOB, False), ("TaggedWith", TAG, True)]
    assert (out.total, into.total, both.total) == (2, 1, 3)
    assert (out.rows[0].aspect, out.rows[0].declared_by) == ("upstreamLineage", A)


@pytest.mark.usefixtures("filled")
async def test_relationships_come_in_stable_pages(reader: Reader) -> None:
    """Pages put together are the whole; one behind the end is empty, and still knows the total."""
    pages = [(await reader.relationships([A], None, "both", start, 1))[A] for start in range(4)]

    assert [shape(p) for p in pages] == [
        [("DownstreamOf", B, True)],
        [("Produces", JOB, False)],
        [("TaggedWith", TAG, True)],
        [],
    ]
    assert {page.total for page in pages} == {3}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "hostile",
    ["ProducedBy", "HAS_ASPECT", "PREVIOUS", "IsMemberOfRole]->(d) WHERE 1=1 WITH 1337 AS x LOAD CSV FROM ''"],
)
async def test_types_that_the_model_does_not_show_match_nothing(reader: Reader, hostile: str) -> None:
    """Mirrors, graphsvc's own, and what is no type at all; none becomes part of a query."""
    assert await reader.relationships([A], [hostile], "both", 0, 10) == {}
    found = await reader.relationships([A], [hostile, "TaggedWith"], "both", 0, 10)
    assert shape(found[A]) == [("TaggedWith", TAG, True)]


@pytest.mark.usefixtures("filled")
async def test_direct_upstreams_and_downstreams(reader: Reader) -> None:
    """Under the model's names, also where lineage runs over a mirror."""
    up = await reader.hops([A, B], "up", 0, 10)
    down = await reader.hops([A, B], "down", 0, 10)

    assert shape(up[A]) == [("DownstreamOf", B, True), ("Produces", JOB, True)]
    assert (up[A].total, up[B].total) == (2, 0)
    assert shape(down[B]) == [("Consumes", JOB, False), ("DownstreamOf", A, False)]


@pytest.mark.parametrize(
    "read",
    [
        lambda r: r.ping(),
        lambda r: r.entities(["urn:li:tag:a"]),
        lambda r: r.aspects(["urn:li:tag:a"]),
        lambda r: r.relationships(["urn:li:tag:a"], None, "out", 0, 1),
        lambda r: r.lineage(Walk("urn:li:tag:a", "up", 1, 1)),
    ],
)
async def test_no_server_is_store_unavailable(registry: Registry, read: Callable[[Reader], Any]) -> None:
    """Never the driver's own exception."""
    async with open_driver("bolt://127.0.0.1:9", "neo4j", "x", connect_timeout_s=1) as away:
        with pytest.raises(StoreUnavailable):
            await read(Reader(away, "neo4j", 1.0, registry))


async def test_too_slow_is_a_timeout(driver: AsyncDriver, database: str, registry: Registry) -> None:
    """Neo4j ends the read; nobody takes half of it for the whole."""
    reader = Reader(driver, database, 0.1, registry)

    with pytest.raises(ReadTimeout, match=r"longer than 0\.1 s"):
        await reader._read("UNWIND range(1, 100000000000) AS i RETURN count(i)")


async def test_hops_have_bounds(reader: Reader) -> None:
    """They become part of the query's text."""
    for hops in (-1, MAX_HOPS + 1):
        with pytest.raises(ValueError, match="hops"):
            await reader.lineage(Walk("urn:li:tag:a", "up", hops, 1))
