"""Arguments that are worked out once per document are those of graphql-core and Strawberry, for whatever is sent."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    OperationDefinitionNode,
    get_nullable_type,
    get_variable_values,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
)
from graphql.execution.values import get_argument_values
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments

from graphsvc.api.graphql.arguments import UnknownKindError, WrongValueError, arguments_of, variables_of
from graphsvc.api.graphql.schema import build_schema
from graphsvc.config import GraphqlSettings
from graphsvc.graph.registry import load_registry

STRAWBERRY = build_schema(GraphqlSettings(), load_registry())
SCHEMA = STRAWBERRY._schema
QUERIES = SCHEMA.query_type.fields
# One of those that take the same arguments, as `dataset`, `chart` and the like do.
DIFFERENT = {
    str([(argument, kind.type) for argument, kind in field.args.items()]): name
    for name, field in QUERIES.items()
    if field.args
}
RIGHT = {
    "Int": st.integers(-(2**31), 2**31 - 1) | st.just(3.0),
    "Long": st.integers(-(2**63), 2**63 - 1),
    "Float": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


def sent(kind: Any, *, wrong: bool) -> st.SearchStrategy[Any]:
    """Values of an input type as clients send them; with `wrong` also others."""
    inner = get_nullable_type(kind)
    if is_list_type(inner):
        item = sent(inner.of_type, wrong=wrong)
        found: st.SearchStrategy[Any] = st.lists(item, max_size=2) | item.filter(lambda value: value is not None)
    elif isinstance(inner, GraphQLInputObjectType):
        fields = {name: sent(field.type, wrong=wrong) for name, field in inner.fields.items()}
        needed = {} if wrong else {name for name, field in inner.fields.items() if is_non_null_type(field.type)}
        optional = {name: value for name, value in fields.items() if name not in needed}
        found = st.fixed_dictionaries({name: fields[name] for name in needed}, optional=optional)
        if wrong:
            found |= st.builds(dict.__or__, found, st.dictionaries(st.text(max_size=5), ANYTHING, max_size=1))
    elif isinstance(inner, GraphQLEnumType):
        found = st.sampled_from(sorted(inner.values))
    else:
        found = RIGHT.get(inner.name, st.text(max_size=5))
    if wrong:
        return found | ANYTHING
    return found if is_non_null_type(kind) else found | st.none()


def usual(name: str, text: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the libraries make of a request; None if they refuse it."""
    field, operation, node = QUERIES[name], *nodes(text)
    values = get_variable_values(SCHEMA, operation.variable_definitions or (), dict(variables))
    if isinstance(values, list):
        return None
    own = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    try:
        found = get_argument_values(field, node, values)
    except GraphQLError:
        return None
    return convert_arguments(found, own.arguments, STRAWBERRY.schema_converter.scalar_registry, STRAWBERRY.config)


def short(name: str, text: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same by the short way, with the resolver's own defaults where an argument is left out."""
    field, operation, node = QUERIES[name], *nodes(text)
    read_variables = variables_of(SCHEMA, operation.variable_definitions or ())
    read_arguments = arguments_of(field, node)
    try:
        found = read_arguments(read_variables(variables))
    except WrongValueError:
        return None
    own = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    defaults = inspect.signature(own.base_resolver.wrapped_func).parameters.values()
    return {p.name: p.default for p in defaults if p.default is not inspect.Parameter.empty} | found


def nodes(text: str) -> tuple[OperationDefinitionNode, FieldNode]:
    """A document's operation, and its one field."""
    operation: Any = parse(text).definitions[0]
    return operation, operation.selection_set.selections[0]


def with_variables(name: str) -> str:
    """A document that has a variable for each argument."""
    arguments = QUERIES[name].args.items()
    defined = ", ".join(f"${argument}: {kind.type}" for argument, kind in arguments)
    return f"query ({defined}) {{ {name}({', '.join(f'{a}: ${a}' for a, _ in arguments)}) {{ __typename }} }}"


def searching(variables: str, fields: str) -> str:
    """A document that asks for a page with some fields of the input."""
    return f'query ({variables}) {{ search(input: {{type: DATASET, query: "", {fields}}}) {{ __typename }} }}'


@settings(max_examples=25)  # of each kind of argument
@given(data=st.data())
@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("name", sorted(DIFFERENT.values()))
def test_variables_of_any_query(name: str, wrong: bool, data: st.DataObject) -> None:
    """Right ones, left-out ones, wrong ones."""
    kinds = {argument: kind.type for argument, kind in QUERIES[name].args.items()}
    needed = {} if wrong else {argument for argument, kind in kinds.items() if is_non_null_type(kind)}
    fields = {argument: sent(kind, wrong=wrong) for argument, kind in kinds.items()}
    optional = {argument: value for argument, value in fields.items() if argument not in needed}
    variables = data.draw(st.fixed_dictionaries({name: fields[name] for name in needed}, optional=optional))
    text = with_variables(name)

    found = short(name, text, variables)

    assert found == usual(name, text, variables)
    assert wrong or found is not None


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('{ lineage(urn: "a", types: null, maxHops: null) { __typename } }', {}),
        ('{ lineage(urn: "a", types: "b", direction: UPSTREAM, asOf: 7) { __typename } }', {}),
        ('query ($t: String) { lineage(urn: "a", types: ["b", $t]) { __typename } }', {"t": "c"}),
        ('query ($t: String = "d") { lineage(urn: "a", types: ["b", $t]) { __typename } }', {}),
        ('query ($h: Int = 7) { lineage(urn: "a", maxHops: $h) { __typename } }', {}),
        ('query ($h: Int = 7) { lineage(urn: "a", maxHops: $h) { __typename } }', {"h": None}),
        ('query ($h: Int) { lineage(urn: "a", maxHops: $h) { __typename } }', {}),
        (searching("$v: [String!], $n: Int", 'count: $n, filters: {field: "a", values: $v}'), {"v": ["b"]}),
        (
            searching(
                "$f: [FacetFilterInput!], $c: FilterOperator",
                'orFilters: [{and: $f}, {and: {field: "a", condition: $c}}]',
            ),
            {"f": {"field": "a", "condition": "IN"}, "c": "EXISTS"},
        ),
        (searching("$f: [AndFilterInput!] = [{and: []}]", "orFilters: $f"), {}),
    ],
)
def test_literals_with_and_without_variables(text: str, variables: dict[str, Any]) -> None:
    """Also within lists and objects, where they may be left out."""
    name = nodes(text)[1].name.value

    found = short(name, text, variables)

    assert found is not None
    assert found == usual(name, text, variables)


def test_what_is_missing_from_an_object_is_refused() -> None:
    """A variable that was not sent, where a value is needed."""
    text = "query ($q: String!) { search(input: {type: DATASET, query: $q}) { __typename } }"

    assert not validate(SCHEMA, parse(text))
    assert short("search", text, {}) is usual("search", text, {}) is None


@pytest.mark.parametrize("argument", ["urn: null", "urn: 7", "urn: [], maxHops: 1", 'urn: "a", orFilters: [{or: []}]'])
def test_wrong_literals_are_refused_with_the_document(argument: str) -> None:
    """Validation would have refused them before."""
    with pytest.raises(UnknownKindError):
        short("lineage", f"{{ lineage({argument}) {{ __typename }} }}", {})
