"""What a consumer takes from its partitions for one transaction."""

from collections import deque
from collections.abc import Iterable

from graphsvc.ingest.kafka import BATCH_BYTES, KEY_RUN
from graphsvc.ingest.kafka import _Partition as Partition
from graphsvc.ingest.kafka import _Record as Record
from graphsvc.ingest.kafka import _take as take


def partition(number: int, keys: Iterable[str | None], size: int = 1) -> Partition:
    """A partition in which records with these keys wait."""
    waiting = deque(Record(at, 0, key and key.encode(), b"x" * size) for at, key in enumerate(keys))
    return Partition("t", number, 0, len(waiting), waiting)


def taken(partitions: list[Partition], most: int) -> list[tuple[int, int]]:
    """Partition and offset of each record of the next batch."""
    return [(found.number, record.offset) for found, record in take(partitions, most)]


def test_each_partition_has_its_share() -> None:
    """A short one gives what it has; records of a partition stand together, in their order."""
    partitions = [partition(0, "abcdef"), partition(1, "gh"), partition(2, "ijklmn")]

    assert taken(partitions, 9) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert taken(partitions, 9) == [(0, 3), (0, 4), (0, 5), (2, 3), (2, 4), (2, 5)]


def test_an_entitys_records_are_not_parted() -> None:
    """The next batch would write the same entity, and wait for this one."""
    assert taken([partition(0, "aaabbbccc"), partition(1, "xyyyyz")], 8) == [
        *((0, offset) for offset in range(6)),
        *((1, offset) for offset in range(5)),
    ]


def test_records_without_a_key_have_nothing_in_common() -> None:
    """Nobody knows which entity they are about before they are decoded."""
    assert len(taken([partition(0, [None] * 10)], 4)) == 4


def test_a_run_has_a_bound() -> None:
    """A stream about one entity does not become one transaction."""
    assert len(taken([partition(0, "a" * 1_000)], 100)) == 100 + KEY_RUN


def test_a_batch_has_a_bound_in_bytes() -> None:
    """But for a record that alone is longer."""
    long = partition(0, "abc", BATCH_BYTES + 1)

    assert len(taken([long], 100)) == 1
    assert len(taken([partition(0, "abcd", BATCH_BYTES // 2)], 100)) == 2
