"""When writers take care because of deadlocks."""

import pytest
from neo4j.exceptions import Neo4jError

from graphsvc.ingest import service
from graphsvc.ingest.service import DEADLOCK, DEADLOCKS, DEADLOCKS_S, WARY_S, Wariness


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(service, "time", clock)
    return clock


def fail(wariness: Wariness, code: str = DEADLOCK) -> None:
    error = Neo4jError._hydrate_neo4j(code=code, message="no")
    with pytest.raises(Neo4jError), wariness.noting():
        raise error


def test_many_deadlocks_in_a_short_time_make_wary_for_a_while(clock: Clock) -> None:
    """One alone does not; after a while without care it is tried again."""
    wariness = Wariness()
    for _ in range(DEADLOCKS - 1):
        fail(wariness)
        assert not wariness.now

    fail(wariness)

    assert wariness.now
    clock.now += WARY_S
    assert not wariness.now


def test_few_deadlocks_over_a_long_time_are_borne(clock: Clock) -> None:
    """So are other failures."""
    wariness = Wariness()
    for _ in range(3 * DEADLOCKS):
        fail(wariness)
        clock.now += 2 * DEADLOCKS_S / DEADLOCKS
    for _ in range(3 * DEADLOCKS):
        fail(wariness, "Neo.TransientError.General.DatabaseUnavailable")

    assert not wariness.now
