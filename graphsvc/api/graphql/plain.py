"""
Answer long lists of ready values without a resolver call per field, or an object per item.

GraphQL's executor spends some microseconds on each field, most of it on things that a plain attribute does not need. A
lineage answer has tens of thousands of those, a page of search some hundreds. A resolver may therefore return a
`Table`: its items are final, and where a selection asks only for values that stand in its columns, the answer's JSON is
made of the columns as they are. Any other selection goes the usual way, with the same answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter

Make = Callable[[], Iterable[Any]]
# An item's JSON with `%b` for values, and a column of encoded values for each of these.
Row = tuple[bytes, list[Sequence[bytes]]]


class Table(list[Any]):
    """
    A list of objects which also stand in columns, so that a plain selection makes none of them.

    As a list it is empty until `fill` is called.
    """

    def __init__(
        self, columns: Mapping[str, "Sequence[Any] | Table | Lists"], classes: Sequence[type], make: Make
    ) -> None:
        """
        Keep the columns.

        Args:
            columns: Attribute as Strawberry names it -> its value per item: text, a number, a boolean, a member of an
                enum, or None; a table for objects that have fields, lists for a list of them per item.
            classes: The GraphQL class of each item.
            make: Makes the objects; it may be called again.
        """
        super().__init__()
        self.columns = columns
        self.classes = classes
        self._make = make

    def fill(self) -> None:
        """Make the objects; those of an earlier call go, as a table may be asked for under several aliases."""
        self[:] = self._make()

    def of(self, indexes: Sequence[int]) -> "Table":
        """The same for some of the items."""
        columns = {
            name: column.of(indexes) if isinstance(column, Table | Lists) else [column[i] for i in indexes]
            for name, column in self.columns.items()
        }
        return Table(columns, [self.classes[i] for i in indexes], list)


@dataclass(frozen=True, slots=True)
class Lists:
    """
    A column of lists.

    Attributes:
        items: What all of the lists hold, one list after another.
        sizes: How many of them each list has.
    """

    items: Table
    sizes: Sequence[int]

    def of(self, indexes: Sequence[int]) -> "Lists":
        """Some of the lists."""
        ends = list(accumulate(self.sizes))
        places = [place for i in indexes for place in range(ends[i] - self.sizes[i], ends[i])]
        return Lists(self.items.of(places), [self.sizes[i] for i in indexes])


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """The executor that knows tables; where it can, it answers one as JSON, in an `orjson.Fragment`."""

    def complete_iterable_value(  # noqa: PLR0913, PLR0917  the signature of graphql-core
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: Any,
        path: Any,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """Write a table's items at once if the selection allows."""
        if isinstance(items, Table):
            try:
                return _Writer(self).fragment(item_type, field_details_list, items)
            except _NotPlainError:
                items.fill()
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)


def decoded(fragment: orjson.Fragment) -> Any:
    """What a fragment of an answer says, for encoders other than orjson; raises TypeError for what has no JSON."""
    return orjson.loads(orjson.dumps(fragment))


class _NotPlainError(Exception):
    """The selection asks for something that has to be resolved."""


class _Writer:
    """Writes the items of tables, for the selections of one request."""

    def __init__(self, executor: PlainExecutor) -> None:
        self._executor = executor

    def fragment(self, item_type: GraphQLOutputType, details: Any, table: Table) -> orjson.Fragment:
        """The list, as JSON, under the selection that `details` stands for."""
        return orjson.Fragment(self._lists(item_type, details, Lists(table, [len(table.classes)]))[0])

    def _lists(self, item_type: GraphQLOutputType, details: Any, lists: Lists) -> list[bytes]:
        items = iter(_written(self._items(item_type, details, lists.items), len(lists.items.classes)))
        return [b"[%b]" % b",".join(islice(items, size)) for size in lists.sizes]

    def _items(self, return_type: GraphQLOutputType, details: Any, table: Table) -> Row:
        if is_list_type(get_nullable_type(return_type)):
            raise _NotPlainError
        classes = set(table.classes)
        if len(classes) == 1:
            return self._row(self._concrete(classes.pop()), details, table)
        answer = [b""] * len(table.classes)
        for cls in classes:
            indexes = [index for index, other in enumerate(table.classes) if other is cls]
            row = self._row(self._concrete(cls), details, table.of(indexes))
            for index, item in zip(indexes, _written(row, len(indexes)), strict=True):
                answer[index] = item
        return b"%b", [answer]

    def _row(self, parent: GraphQLObjectType, details: Any, table: Table) -> Row:
        grouped, defers, _ = self._executor.collect_subfields(parent, details)
        if defers:
            raise _NotPlainError
        parts: list[bytes] = []
        columns: list[Sequence[bytes]] = []
        for name, group in grouped.items():
            value, more = self._value(parent, group, table)
            parts.append(b'"%b":%b' % (name.encode(), value))
            columns += more
        return b"{%b}" % b",".join(parts), columns

    def _value(self, parent: GraphQLObjectType, group: Any, table: Table) -> Row:
        name = group[0].node.name.value
        if name == "__typename":
            return b'"%b"' % parent.name.encode(), []
        column = table.columns.get(self._attribute(parent, group))
        field = self._executor.schema.get_field(parent, name)
        if column is None or field is None:
            raise _NotPlainError
        if isinstance(column, Lists):
            item_type: Any = get_nullable_type(field.type)
            return b"%b", [self._lists(item_type.of_type, group, column)]
        if is_list_type(get_nullable_type(field.type)):
            raise _NotPlainError
        if isinstance(column, Table):
            return self._items(field.type, group, column)
        if isinstance(get_named_type(field.type), GraphQLEnumType):
            column = [value and value.name for value in column]
        return b"%b", [_encoded(column)]

    def _concrete(self, cls: type) -> GraphQLObjectType:
        concrete = self._executor.schema.get_type(getattr(cls, "__strawberry_definition__").name)  # noqa: B009
        if not isinstance(concrete, GraphQLObjectType):
            raise _NotPlainError
        return concrete

    def _attribute(self, parent: GraphQLObjectType, group: Any) -> str:
        """The attribute that holds a field's value; a field that has to be resolved has none."""
        name = group[0].node.name.value
        field = self._executor.schema.get_field(parent, name)
        if field is None or group[0].node.directives:
            raise _NotPlainError
        strawberry_field = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        origin = parent.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].origin
        attribute = getattr(origin, "plain", {}).get(name)
        if attribute is None and not strawberry_field.is_basic_field:
            raise _NotPlainError
        return str(attribute or strawberry_field.python_name)


def _written(row: Row, size: int) -> list[bytes]:
    text, columns = row
    return list(map(text.__mod__, zip(*columns, strict=True))) if columns else [text] * size


def _encoded(values: Sequence[Any]) -> list[bytes]:
    """The JSON of each value. With indentation each stands on a line of its own, and no JSON text has a line's end."""
    return orjson.dumps(values, option=orjson.OPT_INDENT_2)[len(b"[\n  ") : -len(b"\n]")].split(b",\n  ")
