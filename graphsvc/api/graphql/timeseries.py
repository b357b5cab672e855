"""Points of timeseries aspects, as the records that they are."""

from typing import Any

import orjson
import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import FOREVER
from graphsvc.api.graphql.loaders import PointsKey
from graphsvc.api.graphql.search_types import FacetFilterInput
from graphsvc.api.graphql.views import Long, at
from graphsvc.errors import BadRequest

_EQUAL = {"EQUAL", "IN"}


@strawberry.input(description="Conditions on the fields of points, which must all hold; EQUAL and IN are answered.")
class FilterInput:
    """As DataHub's."""

    and_: list[FacetFilterInput] = strawberry.field(name="and")


async def points(  # noqa: PLR0913, PLR0917
    info: Info,
    urn: str,
    aspect: str,
    start: Long | None,
    end: Long | None,
    limit: int | None,
    filter_: FilterInput | None = None,
) -> list[dict[str, Any]]:
    """
    Points within a range of time (milliseconds, inclusive), newest first.

    Args:
        info: The request.
        urn: The entity.
        aspect: A timeseries aspect.
        start: None for the oldest.
        end: None for the newest.
        limit: Points at most; 10 if the caller says nothing.
        filter_: Looks among the newest points of the range, as many as a page may have.

    Raises:
        BadRequest: The limit is negative, or the filter compares in another way than by EQUAL.
        TooLarge: The limit passes the settings' page.
    """
    _, size = info.context.page(0, limit)
    wanted = [_condition(given) for given in filter_.and_] if filter_ else []
    first = 0 if start is None else int(start)
    last = FOREVER if end is None else int(end)
    read = info.context.settings.max_page if wanted else size
    rows = await info.context.loaders.points.load(PointsKey(urn, aspect, first, last, read))
    found = [{**orjson.loads(row.value), "timestampMillis": row.timestamp_millis} for row in rows]
    return [p for p in found if all((str(at(p, f)) in values) != negated for f, values, negated in wanted)][:size]


def _condition(given: FacetFilterInput) -> tuple[str, frozenset[str], bool]:
    if given.condition is not None and given.condition.value not in _EQUAL:
        raise BadRequest(f"filter on {given.field}: points are only compared by EQUAL and IN")
    values = given.values if given.values is not None else [given.value] if given.value is not None else []
    return given.field, frozenset(values), bool(given.negated)
