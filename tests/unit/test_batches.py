"""What a consumer takes from its partitions for one transaction."""

from collections import deque
from collections.abc import Iterable

import pytest

from graphsvc.ingest.kafka import BATCH_BYTES, BURST, KEY_RUN, POLL_RECORDS, QUEUED_BYTES, ConsumerJob
from graphsvc.ingest.kafka import _Partition as Partition
from graphsvc.ingest.kafka import _Record as Record
from graphsvc.ingest.kafka import _take as take


def partition(number: int, keys: Iterable[str | None], size: int = 1, *, since: int = 0) -> Partition:
    """A partition in which records with these keys wait, one sent each millisecond from a time on."""
    waiting = deque(Record(at, since + at, key and key.encode(), b"x" * size) for at, key in enumerate(keys))
    return Partition("t", number, 0, len(waiting), waiting)


def taken(partitions: list[Partition], most: int) -> list[tuple[int, int]]:
    """Partition and offset of each record of the next batch; those of a partition stand together, in their order."""
    found = [(found.number, record.offset) for found, record in take(partitions, most)]
    assert found == sorted(found)
    return found


@pytest.fixture
def job() -> ConsumerJob:
    """A consumer with one partition, which has not begun."""
    job = ConsumerJob(None, None, None, None)  # type: ignore[arg-type]
    job._partitions["t", 0] = partition(0, "")
    return job


def test_a_burst_is_taken_when_it_is_over(job: ConsumerJob) -> None:
    fetch(job, POLL_RECORDS)
    fetch(job, BURST)
    assert job._holds_back()
    fetch(job, 1)
    assert not job._holds_back()
    fetch(job, POLL_RECORDS)
    assert not job._holds_back()


@pytest.mark.parametrize("size", [1, QUEUED_BYTES // POLL_RECORDS // 3])
def test_a_burst_that_goes_on_is_taken_before_nothing_fits_in(job: ConsumerJob, size: int) -> None:
    while job._gathering:
        fetch(job, POLL_RECORDS, size)
    assert not job._waits(1)


@pytest.mark.parametrize("records", [POLL_RECORDS, BURST])
def test_nothing_behind_a_burst_ends_it(job: ConsumerJob, records: int) -> None:
    fetch(job, records)
    fetch(job, 0)
    assert not job._holds_back()


def fetch(job: ConsumerJob, records: int, size: int = 1) -> None:
    """What the polling thread does with what it has fetched."""
    job._accept({("t", 0): [*partition(0, "x" * records, size).waiting]}, records)


def test_each_partition_has_its_share() -> None:
    """A short one gives what it has."""
    partitions = [partition(0, "abcdef"), partition(1, "gh"), partition(2, "ijklmn")]

    assert taken(partitions, 8) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert taken(partitions, 9) == [(0, 3), (0, 4), (0, 5), (2, 3), (2, 4), (2, 5)]


def test_who_is_behind_catches_up() -> None:
    """A half of a batch is shared, so that nobody starves; the other half is what was sent first."""
    late, early = partition(0, "abcdefghij" * 10, since=1_000), partition(1, "abcdefghij" * 10)

    found = taken([late, early], 40)

    assert [number for number, _ in found] == [0] * 10 + [1] * 30
    assert len(taken([partition(number, "abc") for number in range(3)], 1)) == 3


def test_an_entitys_records_are_not_parted() -> None:
    """The next batch would write the same entity, and wait for this one."""
    assert taken([partition(0, "aaabbbccc"), partition(1, "xyyyyz")], 6) == [
        *((0, offset) for offset in range(3)),
        *((1, offset) for offset in range(5)),
    ]


def test_records_without_a_key_have_nothing_in_common() -> None:
    """Nobody knows which entity they are about before they are decoded."""
    assert len(taken([partition(0, [None] * 10)], 4)) == 4


def test_a_run_has_a_bound() -> None:
    """A stream about one entity does not become one transaction."""
    assert len(taken([partition(0, "a" * 1_000)], 10)) == 1 + KEY_RUN


def test_a_batch_has_a_bound_in_bytes() -> None:
    """But for a record that alone is longer."""
    long = partition(0, "abc", BATCH_BYTES + 1)

    assert [len(taken([long], 100)) for _ in range(3)] == [1, 1, 1]
    assert len(taken([partition(0, "abcd", BATCH_BYTES // 2)], 100)) == 2
    assert len(taken([partition(0, "aaaa", BATCH_BYTES // 2)], 100)) == 2
    assert len(taken([partition(number, "ab", BATCH_BYTES // 3) for number in range(4)], 100)) == 3
