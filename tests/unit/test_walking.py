"""The pure side of walks: paths in order, and edges that stand for what is hidden."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from graphsvc.graph.walking import FOLDED, Edge, Paths, hops_from, shortest_paths, shown, turned
from graphsvc.graph.walks import Question

NODES = "abcdef"
graphs = st.dictionaries(st.sampled_from(NODES), st.sets(st.sampled_from(NODES)), max_size=6)


def exhaustive(
    graph: dict[str, set[str]], path: tuple[str, ...], ends: set[str], hops: int
) -> Iterator[tuple[str, ...]]:
    last = path[-1]
    if last in ends and len(path) > 1:
        yield path
    elif len(path) <= hops:
        for far in graph.get(last, ()):
            if far not in path:
                yield from exhaustive(graph, (*path, far), ends, hops)


@given(graph=graphs, ends=st.sets(st.sampled_from(NODES)), hops=st.integers(1, 6), wanted=st.integers(1, 8))
def test_paths_are_those_of_an_exhaustive_search(
    graph: dict[str, set[str]], ends: set[str], hops: int, wanted: int
) -> None:
    """In order of length and then of nodes, with an honest word on whether there are more."""
    every = sorted(exhaustive(graph, ("a",), ends - {"a"}, hops), key=lambda path: (len(path), path))
    least = [path for path in every if len(path) == len(every[0])]

    few = shortest_paths(graph, "a", ends, wanted=wanted, max_hops=hops, only_least=False)
    short = shortest_paths(graph, "a", ends, wanted=wanted, max_hops=hops, only_least=True)

    assert few == Paths(tuple(every[:wanted]), more=len(every) > wanted)
    assert short == Paths(tuple(least[:wanted]), more=len(least) > wanted)


def test_a_search_that_is_too_long_is_given_up() -> None:
    """Without an end in sight it says so, with what it has."""
    graph = {str(level): {str(level + 1), f"{level}x"} for level in range(30)}
    graph |= {f"{level}x": {str(level + 1)} for level in range(30)}

    found = shortest_paths(graph, "0", ["30"], wanted=1_000_000, max_hops=60, only_least=False, tries=1_000)

    assert found.given_up
    assert found.paths[0] == tuple(str(level) for level in range(31))


@given(graph=graphs)
def test_turning_twice_and_counting_hops(graph: dict[str, set[str]]) -> None:
    """Turned twice it is the same graph; the hops there are the hops back."""
    plain = {near: fars for near, fars in graph.items() if fars}

    assert turned(turned(plain)) == plain
    for urn, hops in hops_from("a", plain).items():
        assert hops_from([urn], turned(plain))["a"] == hops


def test_a_hub_that_is_hidden_stays_within_the_limit() -> None:
    """A job of many inputs and outputs would make their product of edges."""
    edges = [Edge(f"in{i}", "job", "Consumes") for i in range(10)] + [
        Edge("job", f"out{i}", "Produces") for i in range(10)
    ]
    nodes = sorted({end for edge in edges for end in edge[:2]})

    whole, cut = shown(nodes, edges, {"job"})
    some, some_cut = shown(nodes, edges, {"job"}, limit=7)

    assert (len(whole), cut, {e.type for e in whole}, {e.via for e in whole}) == (100, False, {FOLDED}, {"job"})
    assert (len(some), some_cut) == (7, True)


def test_a_window_of_time() -> None:
    """An edge without times is always there; else one of its times has to be within, both ends included."""
    question = Question("a", "up", 1, 1, 1.0, since=10, until=20)
    edges = [
        Edge("a", "b", "x", created_on=c, updated_on=u)
        for c, u in [(None, None), (10, None), (5, 20), (5, 21), (9, None)]
    ]

    assert [question.follows(edge) for edge in edges] == [True, True, True, False, False]
