"""Reads over the driver's connections, without its sessions."""

from neo4j import AsyncDriver

from graphsvc.graph.bolt import NOTHING, Lane, lane_of
from graphsvc.graph.driver import open_driver


def _lane(driver: AsyncDriver, database: str) -> Lane:
    found = lane_of(driver, database)
    assert found is not None
    return found


async def test_a_value_comes_as_by_a_session(driver: AsyncDriver, database: str) -> None:
    """Of every kind that the reading queries return, and over several chunks."""
    text = "RETURN [$big, 1, 1.5, true, null, {a: [$text]}] AS value"
    parameters = {"big": "x" * 200_000, "text": "ü"}

    found = await _lane(driver, database).read(text, parameters, 10.0, ())

    assert found == ["x" * 200_000, 1, 1.5, True, None, {"a": ["ü"]}]


async def test_what_the_server_refuses_is_left_to_the_session(driver: AsyncDriver, database: str) -> None:
    """The connection serves the next read; so it does after an answer of two rows, and after one that failed midway."""
    lane = _lane(driver, database)

    for text in ("RETURN", "UNWIND [1, 2] AS x RETURN x", "UNWIND [1, 0] AS x RETURN 1 / x", "CREATE (n) RETURN 1"):
        assert await lane.read(text, {}, 10.0, ()) is NOTHING

    assert await lane.read("RETURN 7", {}, 10.0, ()) == 7


async def test_a_cluster_has_no_short_way() -> None:
    """Where a read goes to is the driver's to find out there."""
    async with open_driver("neo4j://127.0.0.1:1", "neo4j", "x") as driver:
        assert lane_of(driver, "neo4j") is None
