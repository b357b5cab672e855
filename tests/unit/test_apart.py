"""Batches of one process that would run into a deadlock in Neo4j go one after the other."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from neo4j.exceptions import ServiceUnavailable

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.errors import StoreUnavailable
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.apart import Apart
from graphsvc.ingest.changes import Answer, Applied
from graphsvc.ingest.line import Line
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import Delivery, IngestService
from graphsvc.ingest.validate import Change, Validator

NO_DRIVER: Any = None
VALIDATOR = Validator(load_registry(), IngestSettings(), LimitSettings())
A, B, C, D = (f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)" for name in "abcd")


def downstream(urn: str, *upstreams: str) -> Change:
    """A change to one dataset that points at others."""
    value = {"upstreams": [{"dataset": upstream, "type": "TRANSFORMED"} for upstream in upstreams]}
    return VALIDATOR.validate(proposal_of(urn, "upstreamLineage", value))


async def order(*batches: Sequence[Change], part: bool = False) -> list[str]:
    """
    What happens when the batches come in this order, each takes its turn, and the earlier is over the later.

    With `part`, each has its locks at once, and does not wait for others with what is late.
    """
    apart = Apart()
    async with apart.turn([downstream(B, C)]):  # these two are known to be there
        pass
    seen: list[str] = []
    ends = [asyncio.Event() for _ in batches]

    async def write(number: int, changes: Sequence[Change]) -> None:
        async with apart.turn(changes, part=part) as turn:
            seen.append(f"{number} begins")
            turn.has_locks()
            await ends[number].wait()
            seen.append(f"{number} ends")

    tasks = [asyncio.create_task(write(number, changes)) for number, changes in enumerate(batches)]
    for end in reversed(ends):
        await asyncio.sleep(0.01)
        end.set()
    await asyncio.gather(*tasks)
    return seen


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([downstream(A, B)], [downstream(A, C)]),  # both write A
        ([downstream(A, B)], [downstream(B, C)]),  # the second writes what the first points at
        ([downstream(A, B)], [downstream(C, A)]),  # and the other way round
        ([downstream(A, B)], [downstream(B, A)]),
    ],
)
async def test_a_batch_waits_for_one_that_writes_what_it_touches(first: list[Change], second: list[Change]) -> None:
    assert await order(first, second) == ["0 begins", "0 ends", "1 begins", "1 ends"]


async def test_batches_that_only_point_at_the_same_go_side_by_side() -> None:
    """If that is there; one that the first brings into being would hold up the second from its first lock on."""
    assert await order([downstream(A, D)], [downstream(B, D)]) == ["0 begins", "0 ends", "1 begins", "1 ends"]
    assert await order([downstream(A, C)], [downstream(B, C)]) == ["0 begins", "1 begins", "1 ends", "0 ends"]


async def test_one_that_meets_nobody_passes_those_who_wait() -> None:
    other = "urn:li:dataset:(urn:li:dataPlatform:hive,other,PROD)"
    seen = await order([downstream(A, B)], [downstream(B, C)], [downstream(other, C)])
    assert seen == ["0 begins", "2 begins", "2 ends", "0 ends", "1 begins", "1 ends"]


async def test_a_batch_that_failed_or_was_cancelled_holds_nobody_up() -> None:
    apart = Apart()
    with pytest.raises(ZeroDivisionError):
        async with apart.turn([downstream(A, B)]):
            raise ZeroDivisionError
    async with apart.turn([downstream(A, B)]):
        waiting = asyncio.create_task(_pass(apart, [downstream(A, C)]))
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.wait_for(_pass(apart, [downstream(A, B)]), 1)


async def _pass(apart: Apart, changes: Sequence[Change]) -> None:
    async with apart.turn(changes):
        pass


async def test_a_part_that_meets_nobody_need_not_wait() -> None:
    """What others write, or point at, is late; the rest of the batch begins, but for its edges to what they write."""
    apart = Apart()
    async with apart.turn([downstream(A, B)], part=True) as first:
        first.has_locks()
        async with apart.turn([downstream(A, C), downstream(C), downstream(B), downstream(D, A)], part=True) as second:
            assert second.late == {A, B}
            assert second.awaited == {A, B}
            assert first.late == frozenset()
            led = asyncio.create_task(second.lead())
            await asyncio.sleep(0.01)
            assert not led.done()
            first.end()
            await asyncio.wait_for(led, 1)
            assert second.late == frozenset()


async def test_only_the_edges_wait_where_no_entity_is_met() -> None:
    """The ends that an earlier batch brings into being, or writes; not those that are there already."""
    apart = Apart()
    async with apart.turn([downstream(B, C)]):
        pass
    async with apart.turn([downstream(A, D, C)], part=True) as first:
        first.has_locks()
        async with apart.turn([downstream(B, A, D, C)], part=True) as second:
            assert second.late == frozenset()
            assert second.awaited == {A, D}


async def test_a_batch_begins_only_behind_the_locks_of_those_it_meets() -> None:
    """Until then the earlier one may want an entity that the later one would bring into being."""
    apart = Apart()

    async def second() -> None:
        async with apart.turn([downstream(A, C), downstream(C)], part=True) as turn:
            assert turn.late == {A}

    async with apart.turn([downstream(A, B)], part=True) as first:
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        first.has_locks()
        await asyncio.wait_for(waiting, 1)


async def test_a_batch_that_meets_others_with_all_it_has_waits_for_their_end() -> None:
    """There is no part of it that could begin."""
    assert await order([downstream(A, B)], [downstream(A, C)], part=True) == [
        "0 begins",
        "0 ends",
        "1 begins",
        "1 ends",
    ]


@pytest.mark.parametrize("alone", [False, True])
async def test_a_batch_that_begins_again_is_before_those_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, *, alone: bool
) -> None:
    """It lost its turn as Neo4j went away; the next one of the line, which took its turn meanwhile, waits for it."""
    service = IngestService(NO_DRIVER, load_registry(), Neo4jSettings(), IngestSettings(), LimitSettings())
    lines = [first := Line(None), Line(first)]
    items = [proposal_of(A, "status", {"removed": removed}) for removed in (False, True)]
    away = asyncio.Event()
    written: list[int] = []
    failed: list[StoreUnavailable] = []

    async def attempt(changes: object, actor: str, delivery: Delivery, order: object, turn: object) -> list[Answer]:
        await away.wait()
        if delivery.line is first and not failed:
            raise ServiceUnavailable("gone")
        await delivery.line.lead()
        written.append(lines.index(delivery.line))
        return [Applied(A, "status", 1, changed=True)]

    async def consume(number: int) -> None:
        delivery = Delivery("group", [], lambda _: [], lambda _: [], lines[number], alone)
        while True:
            try:
                await service.consume([items[number]], delivery)
                break
            except StoreUnavailable as error:
                failed.append(error)
                await asyncio.sleep(0.01)
        lines[number].end()

    monkeypatch.setattr(service, "_attempt", attempt)
    tasks = [asyncio.create_task(consume(number)) for number in range(2)]
    await asyncio.sleep(0.05)
    away.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks)

    assert written == [0, 1]
    assert len(failed) == 1
