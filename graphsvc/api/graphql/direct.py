"""
The short way to an answer: a document that is known is compiled, once, and run without an executor.

GraphQL's executor and what Strawberry puts around it cost a millisecond, however little there is to execute. A compiled
operation coerces its variables, calls the resolvers of its root fields, and writes what they answer as JSON. It can
be compiled if no directive stands in it and every field below the root is a plain value; where that shows only from the
answer, the operation goes the usual way, then and from then on. Errors are those of the usual way.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType as AllowedType

from graphsvc.api.graphql.arguments import UnknownKindError, Values, WrongValueError, arguments_of, variables_of
from graphsvc.api.graphql.context import Context, TimedInfo
from graphsvc.api.graphql.errors import coded, refused
from graphsvc.api.graphql.limits import Documents, Known
from graphsvc.api.graphql.plain import Field, Group, NotPlainError, Writer
from graphsvc.config import GraphqlSettings

_OVER_HTTP = frozenset({AllowedType.QUERY, AllowedType.MUTATION})
_NOT_OVER_HTTP = "subscriptions are answered over a WebSocket (graphql-transport-ws), not over HTTP"


class _Root(NamedTuple):
    """A field of the query type, its nodes, its resolver, and what makes its arguments of the variables."""

    key: str
    field: GraphQLField
    nodes: list[FieldNode]
    group: Group
    own: Any
    arguments: Callable[[Values], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled operation."""

    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variables: Callable[[Values], dict[str, Any]]
    roots: Sequence[_Root]
    writer: Writer


class Direct:
    """Runs the operations of one schema, those that can be compiled without an executor."""

    def __init__(
        self,
        schema: strawberry.Schema,
        documents: Documents,
        settings: GraphqlSettings,
        context: Callable[[], Context],
    ) -> None:
        """
        Share the memory of documents with the usual way, which fills it.

        Args:
            schema: What is asked.
            documents: Those of the schema.
            settings: The schema's.
            context: Makes the context of a request.
        """
        self.schema = schema
        self.documents = documents
        self.context = context
        self._schema: GraphQLSchema = schema._schema  # noqa: SLF001  Strawberry has no other way to it
        self._suggestions = settings.introspection

    async def answer(self, asked: GraphQLRequestData) -> ExecutionResult | None:
        """
        Answer a request of one operation, as `run` does.

        What it needs of the entities that it asks about is remembered, and read at once when it comes again.
        """
        context = self.context()
        result = await self.execute(asked, context)
        if result is not None:
            return result
        known = self._known(asked)
        if known is None:
            return await self._by_executor(asked, context)
        key = known.key(asked.operation_name)
        context.needs = known.needs.get(key, frozenset())
        result = await self._by_executor(asked, context)
        if context.needed:
            known.needs[key] = context.needed
        return result

    async def run(self, asked: GraphQLRequestData, context: Context) -> ExecutionResult | None:
        """Run an operation, by an executor if `execute` cannot; None if there is none, which HTTP's router tells."""
        return await self.execute(asked, context) or await self._by_executor(asked, context)

    async def execute(self, asked: GraphQLRequestData, context: Context) -> ExecutionResult | None:
        """
        Answer an operation, as `Schema.execute` does.

        Args:
            asked: The operation as it was sent; without a document where its extensions name a persisted one.
            context: For the resolvers.

        Returns:
            The answer; None if it has to be got in the usual way, which then has nothing left to undo.
        """
        known = self._known(asked)
        name = asked.operation_name
        plan = None if known is None else self._plan(known, name)
        if known is None or plan is None:
            return None
        if self.documents.check_cost(self.documents.cost(self._schema, known, asked.variables, name)):
            return None
        calls = self._calls(plan, asked.variables or {}, context)
        if calls is None:
            return None
        try:
            return await self._answer(plan, calls)
        except NotPlainError:
            known.plans[name] = None
            return None

    async def _by_executor(self, asked: GraphQLRequestData, context: Context) -> ExecutionResult | None:
        try:
            return await self.schema.execute(
                asked.query,
                asked.variables,
                context,
                operation_name=asked.operation_name,
                allowed_operation_types=_OVER_HTTP,
                operation_extensions=asked.extensions,
            )
        except (MissingQueryError, CannotGetOperationTypeError):
            return None
        except InvalidOperationTypeError:
            return ExecutionResult(data=None, errors=[refused(_NOT_OVER_HTTP, "BAD_INPUT")])

    def _known(self, asked: GraphQLRequestData) -> Known | None:
        try:
            return self.documents.known(self.documents.persisted.text(asked.query, asked.extensions) or "")
        except GraphQLError:
            return None

    def _plan(self, known: Known, operation_name: str | None) -> Plan | None:
        if operation_name not in known.plans:
            operation = _operation(known.document, operation_name)
            if operation is None:
                return None
            try:
                known.plans[operation_name] = self._compiled(known.document, operation)
            except (NotPlainError, UnknownKindError, WrongValueError, RecursionError):
                known.plans[operation_name] = None
        plan: Plan | None = known.plans[operation_name]
        return plan

    def _compiled(self, document: DocumentNode, operation: OperationDefinitionNode) -> Plan:
        query_type = self._schema.query_type
        if operation.operation is not OperationType.QUERY or operation.directives or query_type is None:
            raise NotPlainError
        nodes = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
        fragments = {node.name.value: node for node in nodes}
        subfields = _Subfields(self._schema, fragments)
        writer = Writer(self._schema, subfields)
        roots = [
            self._root(query_type, key, group, writer)
            for key, group in subfields.of(query_type, [operation.selection_set]).items()
        ]
        variables = variables_of(self._schema, operation.variable_definitions or ())
        return Plan(operation, fragments, variables, roots, writer)

    def _root(self, parent: GraphQLObjectType, key: str, group: Group, writer: Writer) -> _Root:
        field = parent.fields.get(group[0].node.name.value)
        own = None if field is None else field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if field is None or own is None or not own.is_async or own.extensions or is_non_null_type(field.type):
            raise NotPlainError
        _check(writer, field.type, group)
        nodes = [details.node for details in group]
        return _Root(key, field, nodes, group, own, arguments_of(field, nodes[0]))

    def _calls(self, plan: Plan, variables: dict[str, Any], context: Any) -> list[Callable[[], Any]] | None:
        """The resolvers, ready to be called; None if the variables or arguments are wrong."""
        try:
            values = plan.variables(variables)
            return [self._call(plan, root, values, context) for root in plan.roots]
        except (WrongValueError, RecursionError):
            return None

    def _call(self, plan: Plan, root: _Root, values: dict[str, Any], context: Any) -> Callable[[], Any]:
        given = root.arguments(values)
        query_type = self._schema.query_type
        assert query_type is not None  # noqa: S101  the plan has been compiled
        raw = GraphQLResolveInfo(
            root.nodes[0].name.value,
            root.nodes,
            root.field.type,
            query_type,
            Path(None, root.key, query_type.name),
            self._schema,
            plan.fragments,
            None,
            plan.operation,
            VariableValues({}, values),
            context,
            is_awaitable,
            None,
            _HELPERS,
        )
        given["info"] = TimedInfo(_raw_info=raw, _field=root.own)
        return lambda: root.own.base_resolver(**given)

    async def _answer(self, plan: Plan, calls: Sequence[Callable[[], Any]]) -> ExecutionResult:
        found = [await _resolved(calls[0])] if len(calls) == 1 else await asyncio.gather(*map(_resolved, calls))
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        for root, value in zip(plan.roots, found, strict=True):
            if isinstance(value, Exception):
                errors.append(coded(located_error(value, root.nodes, [root.key]), suggestions=self._suggestions))
                data[root.key] = None
            else:
                data[root.key] = orjson.Fragment(plan.writer.value(root.field.type, root.group, value))
        return ExecutionResult(data=data, errors=errors or None)


class _Subfields:
    """Finds what is selected for a concrete type, through fragments, where no directive decides."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def __call__(self, parent: GraphQLObjectType, group: Group) -> dict[str, Group]:
        return self.of(parent, [details.node.selection_set for details in group if details.node.selection_set])

    def of(self, parent: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> dict[str, Group]:
        found: dict[str, Group] = {}
        seen: set[str] = set()
        for selection_set in selections:
            self._gather(parent, selection_set, found, seen)
        return found

    def _gather(
        self, parent: GraphQLObjectType, selection_set: SelectionSetNode, found: dict[str, Group], seen: set[str]
    ) -> None:
        for node in selection_set.selections:
            if node.directives:
                raise NotPlainError
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, []).append(FieldDetails(node, None))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition.name.value if node.type_condition else parent.name
                if self._fits(parent, condition):
                    self._gather(parent, node.selection_set, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self._fragments.get(node.name.value)
                if fragment is None or fragment.variable_definitions:
                    raise NotPlainError
                if self._fits(parent, fragment.type_condition.name.value):
                    self._gather(parent, fragment.selection_set, found, seen)

    def _fits(self, parent: GraphQLObjectType, condition: str) -> bool:
        if condition == parent.name:
            return True
        kind = self._schema.get_type(condition)
        return kind is not None and is_abstract_type(kind) and self._schema.is_sub_type(kind, parent)


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The operation of a name, or the only one; None where the usual way has an error to tell."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        operations = [node for node in operations if node.name is not None and node.name.value == name]
    return operations[0] if len(operations) == 1 else None


def _check(writer: Writer, kind: GraphQLOutputType, group: Group) -> None:
    """Raise NotPlainError if a field has to be resolved, as far as that shows before there is an answer."""
    named = get_named_type(kind)
    if is_list_type(kind) or not isinstance(named, GraphQLObjectType):
        raise NotPlainError
    for field in writer.fields(named, group):
        if not (field.basic or field.constant):
            raise NotPlainError
        _check_inner(writer, field)


def _check_inner(writer: Writer, field: Field) -> None:
    named = get_named_type(field.type)
    if isinstance(named, GraphQLObjectType):
        for inner in writer.fields(named, field.group):
            _check_inner(writer, inner)


async def _resolved(call: Callable[[], Any]) -> Any:
    """What a resolver answers, or the error that it raises."""
    try:
        return await call()
    except Exception as exc:  # noqa: BLE001  as GraphQL's executor does; it is told, and logged, as one of its own
        return exc


async def _gathered(awaitables: Sequence[Any]) -> list[Any]:
    return list(await asyncio.gather(*awaitables))


_HELPERS = GraphQLResolveInfoHelpers(_gathered, lambda _: None)
