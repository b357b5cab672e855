"""Tables: columns that a GraphQL answer is written from."""

import json
from enum import Enum
from typing import Any

import orjson
import pytest
import strawberry
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.api.graphql.plain import PlainExecutor, Table, decoded


@strawberry.enum
class Colour(Enum):
    """Values are shown nowhere."""

    RED = 1


@strawberry.type
class Item:
    """A row of the table."""

    name: str
    size: int | None
    colour: Colour | None

    @strawberry.field
    def shout(self) -> str:
        """Has to be resolved."""
        return self.name.upper()


Rows = list[tuple[str, int | None, Colour | None]]


def asked(rows: Rows, selection: str) -> Any:
    def items() -> list[Item]:
        names, sizes, colours = zip(*rows, strict=True) if rows else ((), (), ())
        columns = {"name": names, "size": sizes, "colour": colours}
        return Table(columns, [Item] * len(rows), lambda: [Item(name=n, size=s, colour=c) for n, s, c in rows])

    query = type("Query", (), {"items": strawberry.field(resolver=items)})
    schema = strawberry.Schema(strawberry.type(query), execution_context_class=PlainExecutor)
    result = schema.execute_sync(f"{{ items {{ {selection} }} }}")
    assert result.errors is None
    assert result.data is not None
    return result.data["items"]


@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(['",\n  "', "%b%", '\\",']),
            st.none() | st.integers(-(2**31), 2**31 - 1),
            st.none() | st.just(Colour.RED),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_quick_way_and_the_usual_way_write_the_same(rows: Rows) -> None:
    """Whatever the texts hold; the usual way is taken where one field has to be resolved."""
    quick = asked(rows, "__typename n: name size colour")
    usual = asked(rows, "__typename n: name size colour shout")

    assert isinstance(quick, orjson.Fragment)
    assert orjson.loads(orjson.dumps(quick)) == [{k: v for k, v in item.items() if k != "shout"} for item in usual]


@pytest.mark.parametrize(("rows", "answer"), [([], []), ([("a", 1, None)] * 2, [{"__typename": "Item"}] * 2)])
def test_a_selection_without_values_has_an_item_per_row(rows: Rows, answer: list[dict[str, str]]) -> None:
    """Also where there are no rows."""
    assert decoded(asked(rows, "__typename")) == answer


def test_other_encoders_can_read_a_fragment() -> None:
    """Answers with numbers beyond 64 bits do not go by orjson."""
    answer = {"items": asked([("a", 1, Colour.RED)], "name size colour"), "big": 2**70}

    text = json.dumps(answer, default=decoded)

    assert json.loads(text) == {"items": [{"name": "a", "size": 1, "colour": "RED"}], "big": 2**70}
    with pytest.raises(TypeError, match="set"):
        json.dumps({"items": set()}, default=decoded)
