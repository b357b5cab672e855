from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from graphsvc.graph.records import CHUNK_BYTES, CHUNK_RECORDS, chunks, records_of

ORDERS = st.lists(st.integers(min_value=0, max_value=2**50), unique=True, max_size=1_200)


def change(order: int, size: int = 1) -> dict[str, Any]:
    return {
        "id": f"{order:x}-a",
        "order": order,
        "bytes": size,
        "at": order // 1_000,
        "value": '\x00{"ö": "\U0001f600"}',
    }


@given(ORDERS, st.sampled_from((1, 1_000, CHUNK_BYTES // 3, 2 * CHUNK_BYTES)))
def test_chunks_hold_every_record_once_and_in_order(orders: list[int], size: int) -> None:
    """None lost, none twice, however they came; and no chunk beyond its limits but that of one record."""
    records = [change(order, size) for order in orders]

    made = chunks(records, "changes")

    assert [record for chunk in made for record in records_of(chunk)] == sorted(records, key=lambda r: r["order"])
    assert [chunk["order"] for chunk in made] == sorted(chunk["order"] for chunk in made)
    for chunk in made:
        held = records_of(chunk)
        assert chunk["count"] == len(held) <= CHUNK_RECORDS
        assert len(held) == 1 or chunk["bytes"] <= CHUNK_BYTES
        assert (chunk["id"], chunk["order"], chunk["at"]) == (held[0]["id"], held[0]["order"], held[-1]["at"])


@given(st.none() | st.binary(), st.binary())
def test_a_dead_letter_keeps_its_bytes(key: bytes | None, original: bytes) -> None:
    """Whatever they are: they are the reason why it is one."""
    letter = {"id": "failed-t-0-1", "order": 1, "bytes": len(original), "at": 1, "key": key, "original": original}

    (chunk,) = chunks([letter], "letters")

    assert records_of(chunk) == [letter]
