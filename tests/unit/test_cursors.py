"""Cursors of lineage answers: what goes in comes out, and nothing else gets in."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.api.cursors import cursor_of, places_of
from graphsvc.api.impact import Asked
from graphsvc.errors import BadRequest
from graphsvc.graph.walking import Flow, Place

URN = "urn:li:tag:a"
places = st.builds(Place, st.integers(1, 50), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
flows: st.SearchStrategy[Flow] = st.sampled_from(["up", "down"])


@given(given=st.dictionaries(flows, places, min_size=1))
def test_places_come_back(given: dict[Flow, Place]) -> None:
    """Whatever the URN holds; the order of a set of types is none of the question."""
    cursor = cursor_of(given, Asked(URN, types=frozenset({"a", "b", "c"})).unpaged)

    assert cursor is not None
    assert places_of(cursor, Asked(URN, types=frozenset({"c", "b", "a"}), max_nodes=7, cursor=cursor).unpaged) == given
    with pytest.raises(BadRequest, match="another question"):
        places_of(cursor, Asked(URN, types=frozenset({"a", "b"})).unpaged)


def test_nowhere_to_go_on_is_no_cursor() -> None:
    """Not an empty one."""
    assert cursor_of({}, Asked(URN)) is None


@given(text=st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_refused(text: str) -> None:
    """With the one error that says so."""
    with pytest.raises(BadRequest):
        places_of(text, Asked(URN))


json = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["up", "down", URN]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["up", "down", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(value=json)
def test_a_forged_cursor_is_refused_or_has_sound_places(value: object) -> None:
    """Under the right question too: no other type gets into a walk."""
    genuine = cursor_of({"up": Place(1, URN)}, Asked(URN))
    assert genuine is not None
    digest = orjson.loads(base64.urlsafe_b64decode(genuine))[0]
    forged = base64.urlsafe_b64encode(orjson.dumps([digest, value])).decode()

    try:
        found = places_of(forged, Asked(URN))
    except BadRequest:
        return

    assert found.keys() <= {"up", "down"}
    assert all(isinstance(place.urn, str) and place.distance > 0 for place in found.values())
