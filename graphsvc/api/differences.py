"""Pure: what two answers have, and have not, in common."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from graphsvc.graph.walking import Edge

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class Differences(NamedTuple, Generic[Item]):
    """
    Between an earlier and a later answer, each in the answer's own order.

    Attributes:
        added: What only the later one has.
        removed: What only the earlier one has.
        changed: What both have and say otherwise: how it was, and how it became.
    """

    added: list[Item]
    removed: list[Item]
    changed: list[tuple[Item, Item]]


def differences(before: Mapping[Key, Item], after: Mapping[Key, Item]) -> Differences[Item]:
    """What came, what went, and what is another under the same key."""
    return Differences(
        [item for key, item in after.items() if key not in before],
        [item for key, item in before.items() if key not in after],
        [(item, after[key]) for key, item in before.items() if key in after and after[key] != item],
    )


def edge_differences(before: Iterable[Edge], after: Iterable[Edge]) -> Differences[Edge]:
    """
    The same for edges, where one that only says something else is changed.

    An edge is the same if its ends, type, aspect and `via` are. Between two columns there may be several that are: one
    for each entity that declares it.
    """
    earlier, later = dict.fromkeys(before), dict.fromkeys(after)
    return differences(
        _numbered(edge for edge in earlier if edge not in later),
        _numbered(edge for edge in later if edge not in earlier),
    )


def _numbered(edges: Iterable[Edge]) -> dict[tuple[object, ...], Edge]:
    found: defaultdict[tuple[object, ...], list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge.upstream, edge.downstream, edge.type, edge.points_down, edge.aspect, edge.via].append(edge)
    return {(*key, number): edge for key, same in found.items() for number, edge in enumerate(sorted(same, key=str))}
