"""When writers take care because of deadlocks."""

import pytest
from neo4j.exceptions import Neo4jError

from graphsvc.ingest import service
from graphsvc.ingest.service import DEADLOCK, WARY_S, Wariness


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


def test_a_deadlock_makes_wary_for_a_while(clock: Clock) -> None:
    """After a while without another one it is tried again."""
    wariness = Wariness()
    assert not wariness.now

    fail(wariness)

    assert wariness.now
    clock.now += WARY_S
    assert not wariness.now


def test_other_failures_do_not(clock: Clock) -> None:
    wariness = Wariness()

    fail(wariness, "Neo.TransientError.General.DatabaseUnavailable")

    assert not wariness.now
