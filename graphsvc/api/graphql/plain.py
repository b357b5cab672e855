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
from typing import Any, NamedTuple

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.pyutils import Undefined
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter

Make = Callable[[], Iterable[Any]]
# An item's JSON with `%b` for values, and a column of encoded values for each of these.
Row = tuple[bytes, list[Sequence[bytes]]]
# The nodes of one field of an answer, and what finds the fields that are selected on it for a concrete type.
Group = list[FieldDetails]
Subfields = Callable[[GraphQLObjectType, Group], Mapping[str, Group]]


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
                return orjson.Fragment(Writer(self.schema, self._plainly).table(item_type, field_details_list, items))
            except NotPlainError:
                items.fill()
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    def _plainly(self, parent: GraphQLObjectType, group: Group) -> Mapping[str, Group]:
        grouped, defers, _ = self.collect_subfields(parent, group)
        if defers:
            raise NotPlainError
        return grouped


def decoded(fragment: orjson.Fragment) -> Any:
    """What a fragment of an answer says, for encoders other than orjson; raises TypeError for what has no JSON."""
    return orjson.loads(orjson.dumps(fragment))


class NotPlainError(Exception):
    """The selection asks for something that has to be resolved."""


class Field(NamedTuple):
    """
    One field that is selected on a concrete type.

    Attributes:
        begin: Its name in the answer as JSON, and a colon.
        constant: Its value as JSON where it is the same for all items, `__typename`; else empty.
        attribute: Holds the value.
        basic: The attribute is the field's own; else it holds the value in tables only.
        type: GraphQL's type of the value.
        items: The type of its items if it is a list; else None.
        member: The value is a member of an enum.
        group: Nodes of the field, for what is selected on it.
    """

    begin: bytes
    constant: bytes
    attribute: str
    basic: bool
    type: GraphQLOutputType
    items: GraphQLOutputType | None
    member: bool
    group: Group


class Writer:
    """Writes plain values as JSON. What it learns about selections it keeps, so that one may serve many answers."""

    def __init__(self, schema: GraphQLSchema, subfields: Subfields) -> None:
        """
        Begin without knowledge.

        Args:
            schema: What the selections are valid for.
            subfields: Finds what is selected on a field for a concrete type; it raises NotPlainError where that depends
                on more than the document.
        """
        self._schema = schema
        self._subfields = subfields
        self._known: dict[tuple[str, int], tuple[Group, list[Field]]] = {}
        self._types: dict[type, GraphQLObjectType] = {}

    def fields(self, parent: GraphQLObjectType, group: Group) -> list[Field]:
        """
        What is selected on a field for a concrete type.

        Raises:
            NotPlainError: One of the fields has to be resolved.
        """
        key = parent.name, id(group)
        if key not in self._known:
            found = self._subfields(parent, group)
            self._known[key] = group, [self._field(parent, name, nodes) for name, nodes in found.items()]
        return self._known[key][1]

    def table(self, item_type: GraphQLOutputType, group: Group, table: Table) -> bytes:
        """The list of a table's items under the selection that `group` stands for; raises NotPlainError."""
        if not table.classes:
            return b"[]"
        if is_list_type(get_nullable_type(item_type)):
            raise NotPlainError
        return b"[%b]" % _joined(self._items(group, table), len(table.classes))

    def value(self, kind: GraphQLOutputType, group: Group, value: Any) -> bytes:
        """
        A value of any type.

        Raises:
            NotPlainError: Something has to be resolved, or it is not what the schema says, which is an error to tell.
        """
        if value is None:
            if is_non_null_type(kind):
                raise NotPlainError
            return b"null"
        inner: Any = get_nullable_type(kind)
        if is_list_type(inner):
            if isinstance(value, Table):
                return self.table(inner.of_type, group, value)
            if not isinstance(value, list | tuple):
                raise NotPlainError
            return b"[%b]" % b",".join([self.value(inner.of_type, group, item) for item in value])
        if is_leaf_type(inner):
            return _leaf(inner, value)
        return self.item(self._concrete(type(value)), group, value)

    def item(self, parent: GraphQLObjectType, group: Group, item: Any) -> bytes:
        """An object; raises NotPlainError as `value` does."""
        return b"{%b}" % b",".join(
            [field.begin + (field.constant or self._attribute(field, item)) for field in self.fields(parent, group)]
        )

    def _attribute(self, field: Field, item: Any) -> bytes:
        if not field.basic:
            raise NotPlainError
        return self.value(field.type, field.group, getattr(item, field.attribute))

    def _lists(self, field: Field, lists: Lists) -> list[bytes]:
        if is_list_type(get_nullable_type(field.items)):
            raise NotPlainError
        items = iter(_written(self._items(field.group, lists.items), len(lists.items.classes)))
        return [b"[%b]" % b",".join(islice(items, size)) for size in lists.sizes]

    def _items(self, group: Group, table: Table) -> Row:
        classes = set(table.classes)
        if len(classes) == 1:
            return self._row(self._concrete(classes.pop()), group, table)
        answer = [b""] * len(table.classes)
        for cls in classes:
            indexes = [index for index, other in enumerate(table.classes) if other is cls]
            row = self._row(self._concrete(cls), group, table.of(indexes))
            for index, item in zip(indexes, _written(row, len(indexes)), strict=True):
                answer[index] = item
        return b"%b", [answer]

    def _row(self, parent: GraphQLObjectType, group: Group, table: Table) -> Row:
        parts: list[bytes] = []
        columns: list[Sequence[bytes]] = []
        for field in self.fields(parent, group):
            value, more = (field.constant, []) if field.constant else self._column(field, table)
            parts.append(field.begin + value)
            columns += more
        return b"{%b}" % b",".join(parts), columns

    def _column(self, field: Field, table: Table) -> Row:
        column = table.columns.get(field.attribute)
        if column is None:
            raise NotPlainError
        if isinstance(column, Lists):
            return b"%b", [self._lists(field, column)]
        if field.items is not None:
            raise NotPlainError
        if isinstance(column, Table):
            return self._items(field.group, column)
        if field.member:
            column = [value and value.name for value in column]
        return b"%b", [_encoded(column)]

    def _concrete(self, cls: type) -> GraphQLObjectType:
        known = self._types.get(cls)
        if known is not None:
            return known
        definition = getattr(cls, "__strawberry_definition__", None)
        concrete = None if definition is None else self._schema.get_type(definition.name)
        if not isinstance(concrete, GraphQLObjectType):
            raise NotPlainError
        self._types[cls] = concrete
        return concrete

    def _field(self, parent: GraphQLObjectType, key: str, group: Group) -> Field:
        """What there is to know about a field; one that has to be resolved raises NotPlainError."""
        name, begin = group[0].node.name.value, b'"%b":' % key.encode()
        field = self._schema.get_field(parent, name)
        if field is None or group[0].node.directives:
            raise NotPlainError
        if name == "__typename":
            value = b'"%b"' % parent.name.encode()
            return Field(begin, value, "", basic=True, type=field.type, items=None, member=False, group=group)
        if GraphQLCoreConverter.DEFINITION_BACKREF not in field.extensions:
            raise NotPlainError
        strawberry_field = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        origin = parent.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].origin
        attribute = getattr(origin, "plain", {}).get(name)
        basic = bool(strawberry_field.is_basic_field)
        if attribute is None and not basic:
            raise NotPlainError
        inner: Any = get_nullable_type(field.type)
        items = inner.of_type if is_list_type(inner) else None
        member = isinstance(get_named_type(inner), GraphQLEnumType)
        return Field(
            begin, b"", str(attribute or strawberry_field.python_name), basic, field.type, items, member, group
        )


def _leaf(kind: Any, value: Any) -> bytes:
    try:
        coerced = kind.coerce_output_value(value)
        encoded = orjson.dumps(coerced)
    except (GraphQLError, TypeError, ValueError) as exc:
        raise NotPlainError from exc
    if coerced is None or coerced is Undefined:
        raise NotPlainError
    return encoded


def _written(row: Row, size: int) -> list[bytes]:
    text, columns = row
    return list(map(text.__mod__, zip(*columns, strict=True))) if columns else [text] * size


def _joined(row: Row, size: int) -> bytes:
    """The items of at least one, with commas between them: as `_written`, in one piece and half of the time."""
    text, columns = row
    first, *rest = text.split(b"%b")
    if not rest:
        return b",".join([text] * size)
    step = 2 * len(rest)
    parts = [b"%b,%b" % (rest[-1], first)] * (step * size)
    parts[0] = first
    for at, column in enumerate(columns):
        parts[2 * at + 1 :: step] = column
    for at, between in enumerate(rest[:-1], 1):
        parts[2 * at :: step] = [between] * size
    return b"%b%b" % (b"".join(parts), rest[-1])


def _encoded(values: Sequence[Any]) -> list[bytes]:
    """The JSON of each value. With indentation each stands on a line of its own, and no JSON text has a line's end."""
    try:
        text = orjson.dumps(values, option=orjson.OPT_INDENT_2)
    except TypeError as exc:  # numbers and texts that only the standard library writes
        raise NotPlainError from exc
    return text[len(b"[\n  ") : -len(b"\n]")].split(b",\n  ")
