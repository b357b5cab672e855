"""Callers share transactions, and never each other's trouble."""

import asyncio
from collections.abc import Sequence
from typing import Any

from graphsvc.config import IngestSettings, LimitSettings
from graphsvc.errors import StoreRefused, StoreUnavailable
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.apart import Apart
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.together import LONG, MANY, SHARED, WRITERS, Together
from graphsvc.ingest.validate import Change, Validator

VALIDATOR = Validator(load_registry(), IngestSettings(), LimitSettings())


def change(name: Any) -> Change:
    """A change to the tag of that name."""
    return VALIDATOR.validate(proposal_of(f"urn:li:tag:{name}", "status", {"removed": False}))


def name(of: Change) -> str:
    """The name in its URN."""
    return of.urn.text.rpartition(":")[2]


class Store:
    """Records each transaction; refuses those that hold "bad", fails on all while it is away."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.running = self.most = 0
        self.away = False
        self.apart = Apart()
        self.together = Together(self._write)

    async def write(self, names: Sequence[Any], actor: str) -> list[Any]:
        """Write changes to the tags of these names, and give the answers."""
        return await self.together.write([change(n) for n in names], actor)

    async def _write(self, changes: Sequence[Change], actor: str) -> list[Any]:
        async with self.apart.turn(changes):
            names = [name(c) for c in changes]
            self.transactions.append(names)
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0.01)
            self.running -= 1
            if self.away:
                raise StoreUnavailable("away")
            if "bad" in names:
                raise StoreRefused("refused")
            return [(actor, n) for n in names]


async def test_a_caller_alone_is_written_at_once() -> None:
    """One caller, one transaction, its answers in order."""
    store = Store()

    answers = await store.write(["a", "b"], "me")

    assert answers == [("me", "a"), ("me", "b")]
    assert store.transactions == [["a", "b"]]


async def test_callers_that_wait_share_the_next_transaction() -> None:
    """While the writers are busy, callers gather; each gets the answers to its own changes."""
    store = Store()

    answers = await asyncio.gather(*(store.write([f"a{n}", f"b{n}"], "me") for n in range(40)))

    assert answers == [[("me", f"a{n}"), ("me", f"b{n}")] for n in range(40)]
    assert len(store.transactions) <= WRITERS


async def test_a_transaction_has_a_bound_and_one_actor() -> None:
    """Callers are not put together past the bound, nor with those of another actor; a large one goes alone."""
    store = Store()
    many = range(SHARED - 10)

    await asyncio.gather(
        *(store.write([f"{at}_{n}" for n in many], actor) for at, actor in enumerate(("a", "a", "a", "a", "b", "a")))
    )

    assert all(len(names) == len(many) for names in store.transactions)
    assert len(store.transactions) == 6
    assert store.most == WRITERS


async def test_a_few_changes_wait_for_company_many_do_not() -> None:
    """A second transaction is for those whose changes are worth one of their own."""
    store = Store()
    busy = asyncio.create_task(store.write(["busy"], "me"))
    await asyncio.sleep(0.001)

    few = [asyncio.create_task(store.write([f"few{n}"], "me")) for n in range(3)]
    await asyncio.sleep(0.001)
    assert store.running == 1
    many = asyncio.create_task(store.write([f"many{n}" for n in range(MANY)], "me"))
    await asyncio.sleep(0.001)
    assert store.running == 2
    await asyncio.gather(busy, *few, many)

    assert ["few0", "few1", "few2", *(f"many{n}" for n in range(MANY))] in store.transactions


async def test_a_long_transaction_holds_nobody_up() -> None:
    """A caller with one change goes beside it at once."""
    store = Store()
    long = asyncio.create_task(store.write([f"long{n}" for n in range(LONG + 1)], "me"))
    await asyncio.sleep(0.001)

    small = asyncio.create_task(store.write(["small"], "me"))
    await asyncio.sleep(0.001)

    assert store.running == 2
    await asyncio.gather(long, small)


async def test_nobody_waits_forever() -> None:
    """There is always somebody who holds one of the two tags that a caller wants; after a while it has its turn."""
    store = Store()
    done = asyncio.Event()

    async def busy(tag: str, late: float) -> None:
        await asyncio.sleep(late)
        while not done.is_set():
            await store.write([tag], "me")

    others = [
        asyncio.create_task(busy(tag, late)) for tag, late in (("a", 0), ("b", 0.005), ("a", 0.001), ("b", 0.006))
    ]
    await asyncio.sleep(0.008)
    await asyncio.wait_for(store.write(["a", "b"], "another"), 5)
    done.set()
    await asyncio.gather(*others)


async def test_nobody_suffers_for_anothers_changes() -> None:
    """When Neo4j refuses a shared transaction, its callers are tried one by one."""
    store = Store()

    answers = await asyncio.gather(
        *(store.write(["bad" if n == 20 else n], "me") for n in range(40)), return_exceptions=True
    )

    assert isinstance(answers[20], StoreUnavailable)
    assert [answer for n, answer in enumerate(answers) if n != 20] == [[("me", str(n))] for n in range(40) if n != 20]


async def test_a_store_that_is_away_is_told_to_all_at_once() -> None:
    """A lost connection is not tried again for each caller."""
    store = Store()
    store.away = True

    answers = await asyncio.gather(*(store.write([n], "me") for n in range(40)), return_exceptions=True)

    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert len(store.transactions) <= WRITERS + 2


async def test_a_caller_that_goes_away_leaves_the_others_alone() -> None:
    """A cancelled caller does not stop the transaction that it shares."""
    store = Store()
    callers = [asyncio.create_task(store.write([n], "me")) for n in range(10)]
    await asyncio.sleep(0)

    callers[7].cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(answers[7], asyncio.CancelledError)
    assert [answer for n, answer in enumerate(answers) if n != 7] == [[("me", str(n))] for n in range(10) if n != 7]


async def test_it_goes_on_after_being_idle() -> None:
    """Writers end when nobody waits, and begin anew."""
    store = Store()

    for n in range(3):
        assert await store.write([n], "me") == [("me", str(n))]

    assert len(store.transactions) == 3
