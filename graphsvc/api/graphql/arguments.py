"""
Arguments of resolvers from what a client sent: the rules of graphql-core and Strawberry, followed once per document.

Both look at every type again for every request, which takes a sixth of a small answer's time in Python. What does not
fit raises WrongValueError; the usual way then says what is wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_nullable_type,
    is_input_object_type,
    is_input_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    type_from_ast,
)
from graphql.pyutils import Undefined
from graphql.utilities import coerce_input_literal
from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryContainer, StrawberryMaybe

# What a resolver gets for what a client sent, `Undefined` for nothing.
Values = Mapping[str, Any]
_FromJson = Callable[[Any], Any]
_FromVariables = Callable[[Values], Any]


class UnknownKindError(Exception):
    """An argument or a resolver is of a kind that only Strawberry knows to serve, or a document is not valid."""


class WrongValueError(Exception):
    """A variable is not of its type, or is missing."""


def variables_of(schema: GraphQLSchema, nodes: Iterable[VariableDefinitionNode]) -> Callable[[Values], dict[str, Any]]:
    """
    What makes an operation's variables, as resolvers get them, of those that were sent.

    Those that were not sent and have no default are left out. It raises WrongValueError, or RecursionError for what is
    nested too deeply.

    Raises:
        UnknownKindError: One of them is of a kind that only Strawberry knows.
    """
    known = []
    for node in nodes:
        kind = type_from_ast(schema, node.type)
        if kind is None or not is_input_type(kind):
            raise UnknownKindError
        default = _from_literal(node.default_value, kind)({}) if node.default_value else Undefined
        known.append((node.variable.name.value, default, is_non_null_type(kind), _from_json(kind)))

    def read(sent: Values) -> dict[str, Any]:
        found = {}
        for name, default, required, value in known:
            if name in sent:
                found[name] = value(sent[name])
            elif default is not Undefined:
                found[name] = default
            elif required:
                raise WrongValueError
        return found

    return read


def arguments_of(field: GraphQLField, node: FieldNode) -> Callable[[Values], dict[str, Any]]:
    """
    What makes a resolver's keyword arguments, without `info`, of an operation's variables.

    What is not given is left out: the resolver's own defaults are those of the schema. It raises WrongValueError.

    Args:
        field: One with a resolver that takes `info`.
        node: Where it is asked for.

    Raises:
        UnknownKindError: The field needs more than that, or the arguments are not right.
    """
    resolver = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].base_resolver
    if resolver is None or resolver.self_parameter or resolver.parent_parameter or resolver.root_parameter:
        raise UnknownKindError
    if resolver.info_parameter is None or resolver.info_parameter.name != "info":
        raise UnknownKindError
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    fixed: dict[str, Any] = {}
    varying = []
    for name, argument in field.args.items():
        own = argument.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        _check_known(own.type)
        if name in given:
            value = _from_literal(given[name], argument.type)
            if _varies(given[name]):
                varying.append((own.python_name, value))
            else:
                fixed[own.python_name] = value({})

    def read(variables: Values) -> dict[str, Any]:
        found = dict(fixed)
        for name, value in varying:
            if (one := value(variables)) is not Undefined:
                found[name] = one
        return found

    return read


class _Input:
    """An input type: its fields, and how an object of its class is made of their values."""

    def __init__(self, kind: GraphQLInputObjectType) -> None:
        definition = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        if definition.from_input is not None or kind.is_one_of:
            raise UnknownKindError
        own = {name: field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF] for name, field in kind.fields.items()}
        for field in own.values():
            _check_known(field.resolve_type(type_definition=definition))
        self.fields = kind.fields
        self.from_json = {name: _from_json(field.type) for name, field in kind.fields.items()}
        self._class = definition.origin
        self._names = {name: field.python_name for name, field in own.items()}
        self._required = [
            own[name].python_name for name, field in kind.fields.items() if is_required_input_field(field)
        ]
        # What may be left out and has no default is None, as Strawberry has it.
        self._empty = {
            own[name].python_name: None
            for name, field in kind.fields.items()
            if field.default_value is Undefined and not is_non_null_type(field.type)
        }

    def made(self, given: Values) -> Any:
        """An object of the fields' values."""
        names = self._names
        values = self._empty | {names[name]: value for name, value in given.items() if value is not Undefined}
        if not all(map(values.__contains__, self._required)):
            raise WrongValueError
        return self._class(**values)


def _from_json(kind: GraphQLInputType) -> _FromJson:
    inner: Any = get_nullable_type(kind)
    if is_list_type(inner):
        value = _list_from_json(inner.of_type)
    elif is_input_object_type(inner):
        value = _object_from_json(inner)
    else:
        value = _leaf_from_json(inner)
    required = is_non_null_type(kind)

    def read(sent: Any) -> Any:
        if sent is not None:
            return value(sent)
        if required:
            raise WrongValueError
        return None

    return read


def _list_from_json(of: GraphQLInputType) -> _FromJson:
    """A value that is no list stands for a list of one."""
    item = _from_json(of)
    return lambda sent: [item(value) for value in sent] if isinstance(sent, list) else [item(sent)]


def _object_from_json(kind: GraphQLInputObjectType) -> _FromJson:
    shape = _Input(kind)

    def read(sent: Any) -> Any:
        if not isinstance(sent, dict) or not sent.keys() <= shape.from_json.keys():
            raise WrongValueError
        return shape.made({name: shape.from_json[name](value) for name, value in sent.items()})

    return read


def _leaf_from_json(kind: Any) -> _FromJson:
    coerced = kind.coerce_input_value

    def read(sent: Any) -> Any:
        try:
            value = coerced(sent)
        except Exception as exc:
            raise WrongValueError from exc
        if value is Undefined:
            raise WrongValueError
        return value

    return read


def _from_literal(node: ValueNode, kind: GraphQLInputType) -> _FromVariables:
    inner: Any = get_nullable_type(kind)
    required = is_non_null_type(kind)
    if isinstance(node, VariableNode):
        return _variable(node.name.value, required=required)
    if isinstance(node, NullValueNode):
        if required:
            raise UnknownKindError
        return lambda _: None
    if is_list_type(inner):
        nodes = node.values if isinstance(node, ListValueNode) else (node,)
        items = [_from_literal(item, inner.of_type) for item in nodes]
        return lambda variables: [None if (one := item(variables)) is Undefined else one for item in items]
    if is_input_object_type(inner):
        return _object_from_literal(node, inner)
    value = coerce_input_literal(node, inner)
    if value is Undefined:
        raise UnknownKindError
    return lambda _: value


def _object_from_literal(node: ValueNode, kind: GraphQLInputObjectType) -> _FromVariables:
    shape = _Input(kind)
    if not isinstance(node, ObjectValueNode) or any(field.name.value not in shape.fields for field in node.fields):
        raise UnknownKindError
    values = {
        field.name.value: _from_literal(field.value, shape.fields[field.name.value].type) for field in node.fields
    }
    return lambda variables: shape.made({name: value(variables) for name, value in values.items()})


def _variable(name: str, *, required: bool) -> _FromVariables:
    def read(variables: Values) -> Any:
        value = variables.get(name, Undefined)
        if required and (value is None or value is Undefined):
            raise WrongValueError
        return value

    return read


def _varies(node: ValueNode) -> bool:
    inner = [*getattr(node, "values", ()), *(field.value for field in getattr(node, "fields", ()))]
    return isinstance(node, VariableNode) or any(map(_varies, inner))


def _check_known(kind: Any) -> None:
    while isinstance(kind, StrawberryContainer):
        if isinstance(kind, StrawberryMaybe):
            raise UnknownKindError
        kind = kind.of_type
    if kind is GlobalID:
        raise UnknownKindError
