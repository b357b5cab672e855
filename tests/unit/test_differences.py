"""What two answers have, and have not, in common."""

from hypothesis import given
from hypothesis import strategies as st

from graphsvc.api.differences import differences, edge_differences
from graphsvc.graph.walking import Edge

answers = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))
edges = st.lists(
    st.builds(
        lambda up, down, via, created: Edge(up, down, "DownstreamOf", via=via, created_on=created),
        st.sampled_from("ab"),
        st.sampled_from("xy"),
        st.sampled_from([None, "q"]),
        st.sampled_from([None, 1, 2]),
    )
)


def identity(edge: Edge) -> tuple[object, ...]:
    return edge.upstream, edge.downstream, edge.via


@given(before=answers, after=answers)
def test_the_differences_lead_from_one_answer_to_the_other(before: dict[str, int], after: dict[str, int]) -> None:
    """Each key is in one list at most, and in none if both say the same of it."""
    keyed_before, keyed_after = ({key: (key, value) for key, value in item.items()} for item in (before, after))

    found = differences(keyed_before, keyed_after)

    assert {key for key, _ in found.added} == after.keys() - before.keys()
    assert {key for key, _ in found.removed} == before.keys() - after.keys()
    assert {old[0]: (old[1], new[1]) for old, new in found.changed} == {
        key: (before[key], after[key]) for key in before.keys() & after.keys() if before[key] != after[key]
    }


@given(before=edges, after=edges)
def test_edges_that_say_otherwise_are_changed_and_none_is_lost(before: list[Edge], after: list[Edge]) -> None:
    """Whatever several entities declare between the same ends: every edge of one answer only stands somewhere, once."""
    found = edge_differences(before, after)

    gone = [*found.removed, *(old for old, _ in found.changed)]
    come = [*found.added, *(new for _, new in found.changed)]
    assert (set(gone), set(come)) == (set(before) - set(after), set(after) - set(before))
    assert (len(gone), len(come)) == (len(set(gone)), len(set(come)))
    assert all(identity(old) == identity(new) for old, new in found.changed)
    assert {*map(identity, found.removed)}.isdisjoint(map(identity, found.added))
