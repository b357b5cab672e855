"""Batches of one consumer begin and end in the order in which they were taken."""

import asyncio

from graphsvc.ingest.line import Line


async def test_batches_begin_and_go_ahead_in_order() -> None:
    """Whichever is ready first; a batch that failed lets the next one go."""
    seen: list[str] = []
    first = Line(None)
    second = Line(first)
    third = Line(second)

    async def work(line: Line, name: str) -> None:
        await line.begin()
        seen.append(f"{name} begins")
        await line.reach()
        seen.append(f"{name} goes ahead")
        line.end()

    tasks = [asyncio.create_task(work(third, "third")), asyncio.create_task(work(second, "second"))]
    await asyncio.sleep(0.01)
    assert seen == []
    await first.begin()
    await asyncio.sleep(0.01)
    assert seen == ["second begins", "third begins"]
    first.end()
    await asyncio.wait_for(asyncio.gather(*tasks), 1)

    assert seen[2:] == ["second goes ahead", "third goes ahead"]


async def test_a_batch_with_all_its_locks_lets_the_next_one_have_its_own() -> None:
    """But it is not over before its commit."""
    first = Line(None)
    second = Line(first)
    led = asyncio.create_task(second.lead())
    first.seal()

    await asyncio.wait_for(second.reach(), 1)

    assert not second.first
    assert not led.done()
    first.end()
    await asyncio.wait_for(led, 1)
    assert second.first


async def test_the_first_need_not_wait() -> None:
    """Nor one whose predecessor is over."""
    before = Line(None)
    before.end()
    line = Line(before)

    for step in (line.begin, line.reach, line.lead):
        await asyncio.wait_for(step(), 1)

    assert line.first
