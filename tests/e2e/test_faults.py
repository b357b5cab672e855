"""The short form of `make faults`."""

from pathlib import Path

from faults import Plan, run


def test_nothing_is_lost_or_doubled_when_everything_is_killed(tmp_path: Path) -> None:
    """Consumers, the service, Kafka and Neo4j are killed and started again; the oracle decides."""
    run(Plan(proposals=2_000, urns=80, kills=6, consumers=2, seconds=20, seed=4), tmp_path)
