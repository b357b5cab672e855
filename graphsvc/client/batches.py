"""What waits to be sent, and what became of it; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphsvc.client.errors import Failure
from graphsvc.client.proposal import Proposal

# The same as DataHub's clients, whose server is built for them.
MAX_ITEMS = 200
MAX_BYTES = 15 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal in its place, encoded."""

    index: int
    proposal: Proposal
    body: bytes

    def failed(self, reason: str, *, retryable: bool) -> Failure:
        """The failure of this one."""
        return Failure(self.index, self.proposal.urn, self.proposal.aspect, reason, retryable, self.proposal)


class Buffer:
    """Proposals in the order in which they were given, and the failures since these were last asked for."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._bytes = 0
        self._given = 0
        self._failures: list[Failure] = []

    def add(self, proposal: Proposal) -> None:
        """Put it last; one that JSON cannot say is a failure at once."""
        try:
            item = Waiting(self._given, proposal, proposal.wire())
        except TypeError as exc:
            self.fail([Waiting(self._given, proposal, b"").failed(f"not JSON: {exc}", retryable=False)])
        else:
            self._waiting.append(item)
            self._bytes += len(item.body)
        self._given += 1

    @property
    def is_full(self) -> bool:
        """True when a batch should go out: it would hold no further item of the same size."""
        return len(self._waiting) >= MAX_ITEMS or self._bytes >= MAX_BYTES

    def batch(self) -> list[Waiting]:
        """The first items, at most `MAX_ITEMS` and `MAX_BYTES`, but at least one where any waits. They stay in."""
        size = 0
        for count, item in enumerate(self._waiting[:MAX_ITEMS]):
            size += len(item.body) + 1
            if size > MAX_BYTES and count:
                return self._waiting[:count]
        return self._waiting[:MAX_ITEMS]

    def drop(self, batch: Sequence[Waiting]) -> None:
        """Forget a batch whose fate is known."""
        del self._waiting[: len(batch)]
        self._bytes -= sum(len(item.body) for item in batch)

    def fail(self, failures: Sequence[Failure]) -> None:
        """Note failures until they are taken."""
        self._failures += failures

    def take_failures(self) -> list[Failure]:
        """All failures since this was last called."""
        failures, self._failures = self._failures, []
        return failures

    def restart(self) -> None:
        """Count places from 0 again."""
        self._given = 0
