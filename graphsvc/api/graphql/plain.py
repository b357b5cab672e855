"""
Answer long lists of ready values without a resolver call per field.

GraphQL's executor spends some microseconds on each field, most of it on things that a plain attribute does not need. A
lineage answer has tens of thousands of those. A resolver may therefore return a `Plain` list: its items are final, and
where a selection asks only for their attributes, each item is turned into the answer's dict by one small function, made
once per selection. Any other selection goes the usual way, with the same answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter

Build = Callable[[Any], Any]
Make = Callable[[], Iterable[Any]]


class Plain(list[Any]):
    """A list whose items hold their values already; what a class's `plain` maps stands under another attribute."""


class Table(list[Any]):
    """
    A list of objects which also stand in columns, so that a plain selection makes none of them.

    As a list it is empty until `fill` is called.
    """

    def __init__(self, columns: Mapping[str, "Sequence[Any] | Table"], classes: Sequence[type], make: Make) -> None:
        """
        Keep the columns.

        Args:
            columns: Attribute as Strawberry names it -> its value per item; a table for objects that have fields.
            classes: The GraphQL class of each item.
            make: Makes the objects.
        """
        super().__init__()
        self.columns = columns
        self.classes = classes
        self._make = make

    def fill(self) -> None:
        """Make the objects."""
        self.extend(self._make())

    def of(self, indexes: Sequence[int]) -> "Table":
        """The same for some of the items."""
        columns = {
            name: column.of(indexes) if isinstance(column, Table) else [column[i] for i in indexes]
            for name, column in self.columns.items()
        }
        return Table(columns, [self.classes[i] for i in indexes], list)


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """The executor that knows `Plain` lists."""

    def complete_iterable_value(  # noqa: PLR0913, PLR0917  the signature of graphql-core
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: Any,
        path: Any,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """Build the items of a Plain list at once if the selection allows."""
        if isinstance(items, Table):
            try:
                return _Builders(self).of_table(item_type, field_details_list, items)
            except _NotPlainError:
                items.fill()
        elif isinstance(items, Plain):
            try:
                build = _Builders(self).of_type(item_type, field_details_list)
                return [build(item) for item in items]
            except _NotPlainError:
                pass
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)


class _NotPlainError(Exception):
    """The selection asks for something that has to be resolved."""


class _Builders:
    """Functions from an item to its part of the answer, for the selections of one request."""

    def __init__(self, executor: PlainExecutor) -> None:
        self._executor = executor

    def of_type(self, return_type: GraphQLOutputType, details: Any) -> Build:
        """A function for values of a type, under the selection that `details` stands for."""
        nullable = get_nullable_type(return_type)
        if is_list_type(nullable) or not (is_object_type(nullable) or is_abstract_type(nullable)):
            raise _NotPlainError
        if isinstance(nullable, GraphQLObjectType):
            return self._of_object(nullable, details)
        made: dict[type, Build] = {}

        def build(item: Any) -> Any:
            cls = type(item)
            if cls not in made:
                made[cls] = self._of_object(self._concrete(cls), details)
            return made[cls](item)

        return build

    def of_table(self, return_type: GraphQLOutputType, details: Any, table: Table) -> list[Any]:
        """The items' parts of the answer, column by column."""
        nullable = get_nullable_type(return_type)
        if is_list_type(nullable):
            raise _NotPlainError
        classes = set(table.classes)
        if len(classes) <= 1:
            return [] if not classes else self._of_columns(self._concrete(classes.pop()), details, table)
        answer: list[Any] = [None] * len(table.classes)
        for cls in classes:
            indexes = [index for index, other in enumerate(table.classes) if other is cls]
            for index, item in zip(
                indexes, self._of_columns(self._concrete(cls), details, table.of(indexes)), strict=True
            ):
                answer[index] = item
        return answer

    def _of_columns(self, parent: GraphQLObjectType, details: Any, table: Table) -> list[Any]:
        grouped, defers, _ = self._executor.collect_subfields(parent, details)
        if defers:
            raise _NotPlainError
        names = tuple(grouped)
        columns = [self._column(parent, group, table) for group in grouped.values()]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _column(self, parent: GraphQLObjectType, group: Any, table: Table) -> Sequence[Any]:
        name = group[0].node.name.value
        if name == "__typename":
            return [parent.name] * len(table.classes)
        attribute = self._attribute(parent, group)
        column = table.columns.get(attribute)
        field = self._executor.schema.get_field(parent, name)
        if column is None or field is None or is_list_type(get_nullable_type(field.type)):
            raise _NotPlainError
        if isinstance(column, Table):
            return self.of_table(field.type, group, column)
        return [value.name for value in column] if isinstance(get_named_type(field.type), GraphQLEnumType) else column

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
        if attribute is None:
            if not strawberry_field.is_basic_field:
                raise _NotPlainError
            attribute = strawberry_field.python_name
        return str(attribute)

    def _of_object(self, parent: GraphQLObjectType, details: Any) -> Build:
        grouped, defers, _ = self._executor.collect_subfields(parent, details)
        if defers:
            raise _NotPlainError
        fields = {name: self._of_field(parent, group) for name, group in grouped.items()}
        if all(isinstance(field, str) for field in fields.values()):
            return _attributes({name: str(field) for name, field in fields.items()})
        builds = [(name, attrgetter(field) if isinstance(field, str) else field) for name, field in fields.items()]
        return lambda item: {name: build(item) for name, build in builds}

    def _of_field(self, parent: GraphQLObjectType, group: Any) -> str | Build:
        """The attribute that holds the field's value, or a function that makes it."""
        name = group[0].node.name.value
        if name == "__typename":
            return lambda _item: parent.name
        attribute = self._attribute(parent, group)
        field = self._executor.schema.get_field(parent, name)
        if field is None:
            raise _NotPlainError
        named = get_named_type(field.type)
        if isinstance(named, GraphQLEnumType):
            if is_list_type(get_nullable_type(field.type)) or not is_non_null_type(field.type):
                raise _NotPlainError
            return f"{attribute}._name_"
        if is_object_type(named) or is_abstract_type(named):
            build = self.of_type(field.type, group)
            read = attrgetter(attribute)
            return lambda item: build(read(item))
        return str(attribute)


def _attributes(fields: dict[str, str]) -> Build:
    names = tuple(fields)
    read = attrgetter(*fields.values())
    if len(names) == 1:
        return lambda item: {names[0]: read(item)}
    return lambda item: dict(zip(names, read(item), strict=True))
