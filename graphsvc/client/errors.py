"""
What the emitters raise.

EmitError
+ Refused       the server will not have these proposals as they are; sending them again is of no use
  + Denied      it will not have anything from us: the token is missing, wrong, or not enough
+ Unavailable   no answer, too busy, or not reachable through all retries; the same may work later
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphsvc.client.proposal import Proposal

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """One proposal that was not taken, and why."""

    index: int
    """Its place, from 0, among the proposals given to the emitter since its last `flush`."""
    urn: str
    aspect: str
    reason: str
    retryable: bool
    """True when the same proposal may be taken later."""
    proposal: Proposal = field(repr=False)
    """The proposal itself, to be corrected or sent again."""


class EmitError(Exception):
    """Some proposals were not taken: `failures` names each. All others given so far were taken, or are still queued."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = tuple(failures)
        lines = [f"[{f.index}] {f.urn} {f.aspect}: {f.reason}" for f in self.failures[:SHOWN]]
        more = len(self.failures) - len(lines)
        super().__init__(f"{len(self.failures)} not taken: {'; '.join(lines)}" + (f"; and {more} more" if more else ""))

    def __reduce__(self) -> tuple[type["EmitError"], tuple[tuple[Failure, ...]]]:
        return type(self), (self.failures,)


class Refused(EmitError):
    """The server will not have these proposals as they are."""


class Denied(Refused):
    """The server wants a token, or another one, or the token does not allow this (401, 403)."""


class Unavailable(EmitError):
    """Some were not delivered through all retries (`retryable` is true for those); send them again later."""


def error_of(failures: Sequence[Failure]) -> EmitError:
    """`Unavailable` if one of them is worth another try, else `Refused`."""
    return (Unavailable if any(failure.retryable for failure in failures) else Refused)(failures)
