"""Filters that mean a container or a domain with what is below it, above it, or both: which ones these are."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from graphsvc.errors import BadRequest
from graphsvc.graph.queries import query
from graphsvc.graph.reader import Reader

# Fields whose values are parts of each other -> their entity type; and which ways an operator goes there: down, up.
NESTED = {"container": "container", "domains": "domain"}
KIN = {"DESCENDANTS_INCL": (True, False), "ANCESTORS_INCL": (False, True), "RELATED_INCL": (True, True)}
MAX_KIN = 100  # conditions of one request with an operator of `KIN`
MAX_VALUES = 20_000  # of one condition


class _Condition(Protocol):
    """What a filter consists of; it can be hashed."""

    @property
    def field(self) -> str: ...
    @property
    def values(self) -> tuple[str, ...]: ...
    @property
    def operator(self) -> str: ...


_Some = TypeVar("_Some", bound=_Condition)


def has_kin(groups: Iterable[Iterable[_Condition]]) -> bool:
    """Whether one of the conditions has an operator of `KIN`."""
    return any(condition.operator in KIN for group in groups for condition in group)


async def spelled_out(
    reader: Reader,
    groups: Sequence[Sequence[_Some]],
    equal: Callable[[_Some, tuple[str, ...]], _Some],
) -> tuple[tuple[_Some, ...], ...]:
    """
    The same conditions with EQUAL, and all the values that are meant, in the place of the operators of `KIN`.

    Args:
        reader: Where the tree is read, as it stands now.
        groups: Of conditions.
        equal: Makes the condition of EQUAL on some values of one.

    Raises:
        BadRequest: A field is none of `NESTED`, there are more than MAX_KIN conditions, or one of them means more than
            MAX_VALUES.
    """
    asked = list(dict.fromkeys(c for group in groups for c in group if c.operator in KIN))
    if not asked:
        return tuple(map(tuple, groups))
    if len(asked) > MAX_KIN:
        raise BadRequest(f"{len(asked)} conditions such as {asked[0].operator}; up to {MAX_KIN} are answered at once")
    rows = [_row(at, condition) for at, condition in enumerate(asked)]
    found = dict(await reader.value_of(query("read/search_kin"), rows=rows, limit=MAX_VALUES + 1))
    meant = {}
    for at, condition in enumerate(asked):
        values = tuple(dict.fromkeys((*rows[at]["urns"], *found[at])))
        if len(values) > MAX_VALUES:
            raise BadRequest(
                f"{condition.operator} of {condition.field} means more than {MAX_VALUES}, which is the limit"
            )
        meant[condition] = equal(condition, values)
    return tuple(tuple(meant.get(c, c) for c in group) for group in groups)


def _row(at: int, condition: _Condition) -> dict[str, Any]:
    name = condition.field.removesuffix(".keyword")
    if name not in NESTED:
        known = " and ".join(NESTED)
        raise BadRequest(f"condition {condition.operator} is answered for {known}, not for {condition.field}")
    prefix, (down, up) = f"urn:li:{NESTED[name]}:", KIN[condition.operator]
    urns = [value if value.startswith("urn:") else prefix + value for value in condition.values]
    return {"at": at, "urns": urns, "prefix": prefix, "down": down, "up": up}
