"""Callers share transactions, and never each other's trouble."""

import asyncio
from collections.abc import Sequence
from typing import Any

from graphsvc.errors import StoreRefused, StoreUnavailable
from graphsvc.ingest.together import SHARED, WRITERS, Together


class Store:
    """Records each transaction; refuses those that hold "bad", fails on all while it is away."""

    def __init__(self) -> None:
        self.transactions: list[list[Any]] = []
        self.running = self.most = 0
        self.away = False

    async def write(self, changes: Sequence[Any], actor: str) -> list[Any]:
        self.transactions.append(list(changes))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.01)
        self.running -= 1
        if self.away:
            raise StoreUnavailable("away")
        if "bad" in changes:
            raise StoreRefused("refused")
        return [(actor, change) for change in changes]


async def test_a_caller_alone_is_written_at_once() -> None:
    """One caller, one transaction, its answers in order."""
    store = Store()

    answers = await Together(store.write).write([1, 2], "me")

    assert answers == [("me", 1), ("me", 2)]
    assert store.transactions == [[1, 2]]


async def test_callers_that_wait_share_the_next_transaction() -> None:
    """While the writers are busy, callers gather; each gets the answers to its own changes."""
    store = Store()
    together = Together(store.write)

    answers = await asyncio.gather(*(together.write([n, -n], "me") for n in range(1, 41)))

    assert answers == [[("me", n), ("me", -n)] for n in range(1, 41)]
    assert len(store.transactions) <= WRITERS


async def test_a_transaction_has_a_bound_and_one_actor() -> None:
    """Callers are not put together past the bound, nor with those of another actor; a large one goes alone."""
    store = Store()
    together = Together(store.write)
    many = list(range(SHARED - 10))

    await asyncio.gather(*(together.write(many, actor) for actor in ("a", "a", "a", "a", "b", "a")))

    assert all(len(changes) == len(many) for changes in store.transactions)
    assert len(store.transactions) == 6
    assert store.most == WRITERS


async def test_nobody_suffers_for_anothers_changes() -> None:
    """When Neo4j refuses a shared transaction, its callers are tried one by one."""
    store = Store()
    together = Together(store.write)

    answers = await asyncio.gather(
        *(together.write(["bad" if n == 20 else n], "me") for n in range(40)), return_exceptions=True
    )

    assert isinstance(answers[20], StoreUnavailable)
    assert [answer for n, answer in enumerate(answers) if n != 20] == [[("me", n)] for n in range(40) if n != 20]


async def test_a_store_that_is_away_is_told_to_all_at_once() -> None:
    """A lost connection is not tried again for each caller."""
    store = Store()
    store.away = True
    together = Together(store.write)

    answers = await asyncio.gather(*(together.write([n], "me") for n in range(40)), return_exceptions=True)

    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert len(store.transactions) <= WRITERS + 2


async def test_a_caller_that_goes_away_leaves_the_others_alone() -> None:
    """A cancelled caller does not stop the transaction that it shares."""
    store = Store()
    together = Together(store.write)
    callers = [asyncio.create_task(together.write([n], "me")) for n in range(10)]
    await asyncio.sleep(0)

    callers[7].cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(answers[7], asyncio.CancelledError)
    assert [answer for n, answer in enumerate(answers) if n != 7] == [[("me", n)] for n in range(10) if n != 7]


async def test_it_goes_on_after_being_idle() -> None:
    """Writers end when nobody waits, and begin anew."""
    store = Store()
    together = Together(store.write)

    for n in range(3):
        assert await together.write([n], "me") == [("me", n)]

    assert len(store.transactions) == 3
