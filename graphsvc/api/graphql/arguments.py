"""Arguments of a resolver from GraphQL's values: what Strawberry does per request, worked out once per field."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from strawberry.relay.types import GlobalID
from strawberry.scalars import is_scalar
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

Convert = Callable[[dict[str, Any]], dict[str, Any]]
_Value = Callable[[Any], Any]


class UnknownKindError(Exception):
    """An argument or a resolver is of a kind that only Strawberry knows to serve."""


def converter(field: StrawberryField, scalars: Mapping[object, Any], config: StrawberryConfig) -> Convert:
    """
    What makes a resolver's keyword arguments, without `info`, of GraphQL's values.

    Args:
        field: One with a resolver that takes `info`.
        scalars: Those of the schema.
        config: The schema's, for names.

    Raises:
        UnknownKindError: The field needs more than that.
    """
    resolver = field.base_resolver
    if resolver is None or resolver.self_parameter or resolver.parent_parameter or resolver.root_parameter:
        raise UnknownKindError
    if resolver.info_parameter is None or resolver.info_parameter.name != "info":
        raise UnknownKindError
    values = [
        (config.name_converter.from_argument(argument), argument.python_name, _value(argument.type, scalars, config))
        for argument in field.arguments
    ]

    def convert(given: dict[str, Any]) -> dict[str, Any]:
        return {python: value(given[name]) for name, python, value in values if name in given}

    return convert


def _value(kind: Any, scalars: Mapping[object, Any], config: StrawberryConfig) -> _Value:
    if isinstance(kind, StrawberryMaybe) or kind is GlobalID:
        raise UnknownKindError
    if isinstance(kind, StrawberryOptional):
        return _value(kind.of_type, scalars, config)
    if isinstance(kind, StrawberryList):
        return _list(_value(kind.of_type, scalars, config))
    if is_scalar(kind, scalars) or isinstance(kind, StrawberryEnumDefinition):
        return _same
    definition = getattr(kind, "__strawberry_definition__", None)
    if isinstance(definition, StrawberryEnumDefinition):
        return _same
    if isinstance(definition, StrawberryObjectDefinition) and definition.is_input and definition.from_input is None:
        return _object(kind, definition, scalars, config)
    raise UnknownKindError


def _same(value: Any) -> Any:
    return value


def _list(item: _Value) -> _Value:
    def convert(values: Any) -> Any:
        return None if values is None else [item(value) for value in values]

    return convert


def _object(
    cls: type, definition: StrawberryObjectDefinition, scalars: Mapping[object, Any], config: StrawberryConfig
) -> _Value:
    """An input type; what is optional and has no default is None."""
    empty: dict[str, Any] = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }
    values = [
        (config.name_converter.from_field(field), field.python_name, _value(_kind(field, definition), scalars, config))
        for field in definition.fields
    ]

    def convert(given: Any) -> Any:
        if given is None:
            return None
        return cls(**empty | {python: value(given[name]) for name, python, value in values if name in given})

    return convert


def _kind(field: StrawberryField, definition: StrawberryObjectDefinition) -> Any:
    return field.resolve_type(type_definition=definition)
