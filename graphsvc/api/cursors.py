"""
Cursors of lineage answers: where each direction goes on, and which question they belong to. Pure.

A cursor holds no state of the walk, which is made anew, so it is good on any replica, after any restart, and for ever.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from graphsvc.errors import BadRequest
from graphsvc.graph.walking import Flow, Place

_DIGEST = 12  # letters that tell questions apart


def cursor_of(places: Mapping[Flow, Place], question: Any) -> str | None:
    """
    A text of two URNs' length at most.

    Args:
        places: Direction -> where to go on; a direction that has come to its end is left out.
        question: Everything that has to be the same on every page, as plain values, tuples, sets and dataclasses.

    Returns:
        None if there is nothing to go on with.
    """
    if not places:
        return None
    return base64.urlsafe_b64encode(
        orjson.dumps([_digest(question), {flow: list(place) for flow, place in places.items()}])
    ).decode()


def places_of(cursor: str, question: Any) -> dict[Flow, Place]:
    """
    Direction -> where to go on; the reverse of `cursor_of`.

    Raises:
        BadRequest: It is no cursor, or one of another question.
    """
    try:
        digest, places = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        found = [(flow, Place(distance, urn)) for flow, (distance, urn) in places.items()]
    except (ValueError, TypeError, AttributeError):
        raise BadRequest("cursor is not one that an earlier answer gave") from None
    if digest != _digest(question):
        raise BadRequest("cursor belongs to another question; only the number of nodes may change between pages")
    if not found or not all(_sound(flow, place) for flow, place in found):
        raise BadRequest("cursor is not one that an earlier answer gave")
    return dict(found)


def _sound(flow: Any, place: Place) -> bool:
    return flow in {"up", "down"} and type(place.distance) is int and place.distance > 0 and type(place.urn) is str


def _digest(question: Any) -> str:
    return hashlib.sha256(orjson.dumps(question, default=sorted)).hexdigest()[:_DIGEST]
