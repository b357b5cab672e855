"""
What a document costs: how many fields its answer may have, by its page sizes and hops, before anything is read.

- A field costs 1, and each of its items what is selected on it. Alternatives (`... on Dataset`, `... on Chart`) cost as
  much as the dearest of them.
- A page has as many items as `count`, `limit`, `first` or `k` says, `entities` as many as it names URNs. A list without
  a page size counts as 10 items.
- A walk over lineage costs its nodes besides: `maxNodes`, and at most 1,000 per hop.

A document is compiled once; what depends on variables is worked out per request.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from graphsvc.config import GraphqlSettings

ITEMS = 10  # of a list, or of a page, that does not say how many it has
NODES_PER_HOP = 1_000
HIGHEST = 10**12  # no cost is said to be higher
_PAGES = ("count", "limit", "first", "k")
_SEARCHES_OF_LINEAGE = frozenset({"searchAcrossLineage", "scrollAcrossLineage"})
# Lists beside a page, which have a size of their own.
_BESIDE = frozenset({"facets", "suggestions", "hops"})

Variables = Mapping[str, Any]


class _Request:
    """The variables of one request, and what was worked out for them."""

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.known: dict[int, int] = {}


Amount = int | Callable[[_Request], int]


class Shape(NamedTuple):
    """A selection's cost: once, and for each item of the page that it belongs to."""

    once: Amount
    item: Amount


def compiled(
    schema: GraphQLSchema, document: DocumentNode, settings: GraphqlSettings, operation_name: str | None = None
) -> Callable[[Variables], int]:
    """
    The cost of one operation of a document, as a function of its variables as they are sent.

    Args:
        schema: What the document asks.
        document: Parsed; it need not be valid. What the schema does not know costs nothing more than itself.
        settings: Bounds that hold where the document says none.
        operation_name: Which operation; None for the first.
    """
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = [node for node in operations if node.name is not None and node.name.value == operation_name]
    operation = next(iter(named or operations), None)
    root = None if operation is None else schema.get_root_type(operation.operation)
    if operation is None or root is None:
        return lambda _: 0
    compiler = _Compiler(schema, document, operation, settings)
    once, item = compiler.selection(root, operation.selection_set)
    amount = _sum([once, _product(ITEMS, item)])
    return lambda variables: min(_value(amount, _Request(variables)), HIGHEST)


class _Compiler:
    """Compiles one operation; each fragment once, however often it is spread."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        settings: GraphqlSettings,
    ) -> None:
        self._schema = schema
        self._settings = settings
        definitions = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
        self._fragments = {node.name.value: node for node in definitions}
        self._shapes: dict[str, Shape] = {}
        self._defaults = {
            node.variable.name.value: _constant(node.default_value) for node in operation.variable_definitions or ()
        }
        self._introspection = _introspection_sizes(schema)

    def selection(self, parent: GraphQLNamedType | None, selection_set: SelectionSetNode) -> Shape:
        """The cost of what is selected on an object of a type; None for a type that nobody knows."""
        always: list[Shape] = []
        alternatives: defaultdict[str, list[Shape]] = defaultdict(list)
        spread: set[str] = set()
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                always.append(self._field(parent, node))
                continue
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in spread or name not in self._fragments:
                    continue
                spread.add(name)
                condition: str | None = self._fragments[name].type_condition.name.value
                shape = self._fragment(name)
            else:
                assert isinstance(node, InlineFragmentNode)  # noqa: S101  there are three kinds of selections
                condition = node.type_condition.name.value if node.type_condition else None
                shape = self.selection(self._schema.get_type(condition) if condition else parent, node.selection_set)
            is_alternative = condition and isinstance(self._schema.get_type(condition), GraphQLObjectType)
            (alternatives[condition] if condition and is_alternative else always).append(shape)
        shapes = [_shape_of(shapes) for shapes in alternatives.values()]
        always.append(Shape(_most([shape.once for shape in shapes]), _most([shape.item for shape in shapes])))
        return _shape_of(always)

    def _fragment(self, name: str) -> Shape:
        if name not in self._shapes:
            self._shapes[name] = Shape(0, 0)  # what it costs within itself: validation refuses that
            node = self._fragments[name]
            once, item = self.selection(self._schema.get_type(node.type_condition.name.value), node.selection_set)
            self._shapes[name] = Shape(_remembered(once), _remembered(item))
        return self._shapes[name]

    def _field(self, parent: GraphQLNamedType | None, node: FieldNode) -> Shape:
        name = node.name.value
        field = self._schema.get_field(parent, name) if _is_composite(parent) else None  # type: ignore[arg-type]
        if field is None or node.selection_set is None:
            return Shape(1, 0)
        inner = self.selection(get_named_type(field.type), node.selection_set)
        assert parent is not None  # noqa: S101  it has the field
        is_list = is_list_type(get_nullable_type(field.type))
        if parent.name.startswith("__"):
            items = self._introspection.get(name, ITEMS) if is_list else 1
            return Shape(_sum([1, _product(items, _sum([inner.once, inner.item]))]), 0)
        page = self._page(field, node)
        walk = self._walk(field, node)
        size: Amount = ITEMS if page is None else page
        if walk is not None and page is None:
            size = walk
        if not is_list:
            return Shape(_sum([1, walk or 0, inner.once, _product(size, inner.item)]), 0)
        each = _sum([inner.once, _product(ITEMS, inner.item)])
        if page is not None or name in _BESIDE:
            return Shape(_sum([1, _product(size, each)]), 0)
        return Shape(1, each)

    def _page(self, field: GraphQLField, node: FieldNode) -> Amount | None:
        """How many items are asked for; None if the field has no such argument."""
        for name in _PAGES:
            if name in field.args:
                return self._number(node, (name,), ITEMS)
        for name, argument in field.args.items():
            kind = get_named_type(argument.type)
            if isinstance(kind, GraphQLInputObjectType):
                for page in _PAGES:
                    if page in kind.fields:
                        return self._number(node, (name, page), ITEMS)
        return self._number(node, ("urns",), ITEMS) if "urns" in field.args else None

    def _walk(self, field: GraphQLField, node: FieldNode) -> Amount | None:
        """How many nodes it may reach; None if it walks no lineage."""
        most = self._settings.max_lineage_nodes
        if node.name.value in _SEARCHES_OF_LINEAGE:
            return most
        if "maxHops" not in field.args:
            return None
        hops = self._number(node, ("maxHops",), _default_of(field, "maxHops"))
        nodes = self._number(node, ("maxNodes",), most)
        return _least(nodes, _product(NODES_PER_HOP, hops))

    def _number(self, node: FieldNode, path: tuple[str, ...], default: int) -> Amount:
        """A number among a field's arguments, or the length of a list; `default` where nothing sensible is said."""
        argument = next((item for item in node.arguments or () if item.name.value == path[0]), None)
        said = None if argument is None else self._said(argument.value, path[1:])
        if callable(said):
            return lambda request: _size(said(request.variables), default)
        return _size(said, default)

    def _said(self, node: ValueNode, path: tuple[str, ...]) -> Any:
        """A value as it stands, or a function of the variables."""
        if isinstance(node, VariableNode):
            name, default = node.name.value, self._defaults.get(node.name.value)
            return lambda variables: _within(variables.get(name, default), path)
        if path and isinstance(node, ObjectValueNode):
            field = next((item for item in node.fields if item.name.value == path[0]), None)
            return None if field is None else self._said(field.value, path[1:])
        return None if path else _constant(node)


def _constant(node: ValueNode | None) -> Any:
    """A literal, as far as it says a size: numbers, and lists and objects that hold them."""
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) < len(str(HIGHEST)) else HIGHEST
    if isinstance(node, ListValueNode):
        return [None] * len(node.values)
    if isinstance(node, ObjectValueNode):
        return {item.name.value: _constant(item.value) for item in node.fields}
    return None


def _within(value: Any, path: Iterable[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _size(said: Any, default: int) -> int:
    if isinstance(said, list):
        return len(said)
    return max(said, 0) if isinstance(said, int) and not isinstance(said, bool) else default


def _default_of(field: GraphQLField, name: str) -> int:
    return _size(field.args[name].default_value, 1)


def _is_composite(kind: GraphQLNamedType | None) -> bool:
    return kind is not None and hasattr(kind, "fields") and not isinstance(kind, GraphQLInputObjectType)


@lru_cache(maxsize=4)
def _introspection_sizes(schema: GraphQLSchema) -> dict[str, int]:
    """How long the lists of introspection are: all types, and what each of them has on average, rounded up."""
    kinds = list(schema.type_map.values())
    inputs = [len(kind.fields) for kind in kinds if isinstance(kind, GraphQLInputObjectType)]
    fields = [f for kind in kinds if _is_composite(kind) for f in kind.fields.values()]  # type: ignore[attr-defined]
    values = [len(kind.values) for kind in kinds if isinstance(kind, GraphQLEnumType)]
    return {
        "types": len(kinds),
        "fields": ceil(len(fields) / len(kinds)),
        "inputFields": ceil(sum(inputs) / len(kinds)),
        "args": ceil(sum(len(field.args) for field in fields) / len(fields)),
        "enumValues": ceil(sum(values) / len(kinds)),
        "interfaces": 1,
        "possibleTypes": 1,
    }


def _value(amount: Amount, request: _Request) -> int:
    return amount(request) if callable(amount) else amount


def _sum(amounts: Iterable[Amount]) -> Amount:
    given = list(amounts)
    fixed = sum(amount for amount in given if not callable(amount))
    others = [amount for amount in given if callable(amount)]
    if len(others) == 1:  # a page, or a walk
        only = others[0]
        return lambda request: fixed + only(request)
    return (lambda request: fixed + sum(other(request) for other in others)) if others else fixed


def _product(size: Amount, each: Amount) -> Amount:
    if callable(size):
        of = size
        if callable(each):
            inner = each
            return lambda request: of(request) * inner(request)
        return _times(of, each)
    return _times(each, size) if callable(each) else size * each


def _times(of: Callable[[_Request], int], number: int) -> Amount:
    return (lambda request: of(request) * number) if number else 0


def _most(amounts: list[Amount]) -> Amount:
    if any(callable(amount) for amount in amounts):
        return lambda request: max(_value(amount, request) for amount in amounts)
    return max((amount for amount in amounts if not callable(amount)), default=0)


def _least(one: Amount, other: Amount) -> Amount:
    if callable(one) or callable(other):
        return lambda request: min(_value(one, request), _value(other, request))
    return min(one, other)


def _remembered(amount: Amount) -> Amount:
    """The same, worked out once per request, so that fragments within fragments do not multiply the work."""
    if not callable(amount):
        return amount
    key = id(amount)

    def once(request: _Request) -> int:
        if key not in request.known:
            request.known[key] = amount(request)
        return request.known[key]

    return once


def _shape_of(shapes: list[Shape]) -> Shape:
    return Shape(_sum([shape.once for shape in shapes]), _sum([shape.item for shape in shapes]))
