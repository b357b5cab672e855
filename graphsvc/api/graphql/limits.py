"""
What a document may look like, and cost. All of this is decided before anything is read.

The rules run ahead of GraphQL's own, of which some take time that grows with the square of a document, or worse.
"""

import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    NameNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
)
from graphql import OperationType as GraphQLOperationType
from strawberry.extensions import SchemaExtension
from strawberry.http import GraphQLRequestData
from strawberry.types.graphql import OperationType

from graphsvc.api.graphql.cost import HIGHEST, Variables, compiled
from graphsvc.api.graphql.errors import refused
from graphsvc.api.graphql.persisted import Persisted
from graphsvc.config import GraphqlSettings
from graphsvc.graph.budget import Budget, current, spending

MAX_TEXT = 100_000  # characters of a document; its tokens have a limit of their own, but one token may be long
MAX_DIGITS = 1_000  # of a number; Python reads some more
MAX_DIRECTIVES = 50
MAX_COMPARED = 100_000  # pairs of fields of one name, which GraphQL compares one by one: half a second
MAX_INTROSPECTIONS = 4  # `__schema` and `__type` in a document
KNOWN_QUERIES = 256  # texts whose parsing and validation is remembered: programs repeat theirs with other variables
KNOWN_TEXT = 20_000  # characters of a text that is remembered
_LONG_NUMBER = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
LIMIT, COST = "LIMIT_EXCEEDED", "COST_LIMIT"


@dataclass(slots=True)
class Known:
    """
    A document, and what was learned of its operations.

    Attributes:
        document: Parsed.
        costs: By the operation's key: what it costs.
        plans: By the name that was asked for: how it is run directly; None where it cannot be.
        needs: By the operation's key: the aspects that it needed of the entities that it asks about.
        names: Of its operations.
    """

    document: DocumentNode
    costs: dict[str | None, Callable[[Variables], int]] = field(default_factory=dict)
    plans: dict[str | None, Any] = field(default_factory=dict)
    needs: dict[str | None, frozenset[str]] = field(default_factory=dict)
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        nodes = (node for node in self.document.definitions if isinstance(node, OperationDefinitionNode))
        self.names = frozenset(node.name.value for node in nodes if node.name is not None)

    def key(self, name: str | None) -> str | None:
        """The name of an operation; None if the document has none of that name, so that nothing is kept for it."""
        return name if name in self.names else None


class Documents:
    """The documents of a schema: checks them, works out what they cost, and remembers those that were valid."""

    def __init__(self, settings: GraphqlSettings) -> None:
        """
        Start with an empty memory.

        Raises:
            ConfigError: The persisted documents cannot be read.
        """
        self._settings = settings
        self._known: OrderedDict[str, Known] = OrderedDict()
        self.persisted = Persisted(settings)

    def known(self, text: str) -> Known | None:
        """A document that was valid when it was last sent."""
        found = self._known.get(text)
        if found is not None:
            self._known.move_to_end(text)
        return found

    def remember(self, text: str, document: Known) -> None:
        """Note a valid document, unless its text is long."""
        if len(text) <= KNOWN_TEXT:
            self._known[text] = document
            if len(self._known) > KNOWN_QUERIES:
                self._known.popitem(last=False)

    def parsed(self, text: str) -> DocumentNode:
        """
        A document within the limits.

        Raises:
            GraphQLError: It is no GraphQL, or passes a limit, which the error's code tells apart.
        """
        if len(text) > MAX_TEXT:
            raise refused(f"the document has {len(text)} characters; at most {MAX_TEXT} are read", LIMIT)
        if _LONG_NUMBER.search(text):
            raise refused(f"the document has a number of more than {MAX_DIGITS} digits", LIMIT)
        try:
            document = parse(text, max_tokens=self._settings.max_tokens)
            check(document, self._settings)
        except RecursionError:
            raise refused("the document is nested too deeply", LIMIT) from None
        return document

    def cost(self, schema: GraphQLSchema, known: Known, variables: Variables | None, name: str | None) -> int:
        """What an operation costs with its variables; `HIGHEST` if it is nested too deeply to be worked out."""
        try:
            key = known.key(name)
            if key not in known.costs:
                known.costs[key] = compiled(schema, known.document, self._settings, key)
            return known.costs[key](variables or {})
        except RecursionError:
            return HIGHEST

    def check_cost(self, cost: int) -> GraphQLError | None:
        """The error for a request that costs too much."""
        limit = self._settings.max_cost
        if cost <= limit:
            return None
        return refused(
            f"the request may have to answer {cost} fields, by its page sizes and hops; at most {limit} are answered."
            " Ask for smaller pages, fewer hops or nodes, or fewer fields",
            COST,
            cost=cost,
            limit=limit,
        )

    def together(self, schema: GraphQLSchema, requests: Iterable[GraphQLRequestData]) -> GraphQLError | None:
        """The error for operations that cost too much together; one that is refused by itself costs nothing."""
        total = 0
        for request in requests:
            try:
                text = self.persisted.text(request.query, request.extensions) or ""
                known = self.known(text) or Known(self.parsed(text))
            except GraphQLError:
                continue
            total += self.cost(schema, known, request.variables, request.operation_name)
        return self.check_cost(total)


class Limits(SchemaExtension):
    """Applies the rules to one operation; a document that is known costs neither parsing nor validation."""

    def __init__(self, documents: Documents, settings: GraphqlSettings) -> None:
        """Share one memory among the requests of a schema."""
        self._documents = documents
        self._settings = settings
        self._known: Known | None = None

    def on_operation(self) -> Iterator[None]:
        """Find the document: known, persisted, or parsed within the limits."""
        context = self.execution_context
        try:
            context.query = self._documents.persisted.text(context.query, context.operation_extensions)
            if context.query:
                self._known = self._documents.known(context.query)
                context.graphql_document = (
                    self._documents.parsed(context.query) if self._known is None else self._known.document
                )
        except GraphQLError as error:
            context.graphql_document = _stand_in(context.operation_name)
            context.pre_execution_errors = [error]
        yield

    def on_validate(self) -> Iterator[None]:
        """Weigh the document; then validate it, if it is not known."""
        context = self.execution_context
        if context.pre_execution_errors or context.graphql_document is None:
            yield
            return
        known = self._known or Known(context.graphql_document)
        schema = context.schema._schema  # noqa: SLF001  Strawberry has no other way to it
        cost = self._documents.cost(schema, known, context.variables, context.operation_name)
        if (error := self._documents.check_cost(cost)) is not None:
            context.pre_execution_errors = [error]
        elif self._known is not None:
            context.pre_execution_errors = []
        elif not self._settings.introspection:
            context.validation_rules += (NoSchemaIntrospectionCustomRule,)
        yield
        if self._known is None and not context.pre_execution_errors:
            self._documents.remember(context.query or "", known)

    def on_execute(self) -> Iterator[None]:
        """Give a query that came by a WebSocket the time of a request; those over HTTP have it already."""
        if current() is not None or self.execution_context.operation_type is not OperationType.QUERY:
            yield
            return
        with spending(Budget(self._settings.request_timeout_s)):
            yield


def _stand_in(operation_name: str | None) -> DocumentNode:
    """What stands for a document that was refused while it was parsed, so that its error is told as others are."""
    name = None if operation_name is None else NameNode(value=operation_name)
    nothing = SelectionSetNode(selections=())
    return DocumentNode(
        definitions=(OperationDefinitionNode(operation=GraphQLOperationType.QUERY, name=name, selection_set=nothing),)
    )


def check(document: DocumentNode, settings: GraphqlSettings) -> None:
    """
    Check a document's form, in time that grows with its length.

    Args:
        document: Parsed; it need not be valid.
        settings: Its limits of depth and aliases hold.

    Raises:
        GraphQLError: A limit is passed.
        RecursionError: Fragments within fragments go deeper than Python's stack.
    """
    form = _Form({node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)})
    depth = 0
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            form.directives += len(node.directives or ())
            depth = max(depth, form.depth(node.selection_set))
            form.compare([node.selection_set])
    for what, found, limit in (
        ("levels of nesting", depth, settings.max_depth),
        ("aliases", form.aliases, settings.max_aliases),
        ("directives", form.directives, MAX_DIRECTIVES),
        ("questions about the schema", form.introspections, MAX_INTROSPECTIONS),
    ):
        if found > limit:
            raise refused(f"the document has {found} {what}; at most {limit} are read", LIMIT)
    if form.compared > MAX_COMPARED:
        raise refused("the document names the same fields too often", LIMIT)


class _Form:
    """Counts what a document is made of; each fragment once, however often it is spread."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._depths: dict[int, int] = {}
        self.aliases = self.directives = self.introspections = self.compared = 0

    def depth(self, selection_set: SelectionSetNode) -> int:
        """How many levels of fields with selections there are."""
        key = id(selection_set)
        if key not in self._depths:
            self._depths[key] = 0  # a fragment within itself: validation refuses that
            self._depths[key] = max((self._level(node) for node in selection_set.selections), default=0)
        return self._depths[key]

    def _level(self, node: SelectionNode) -> int:
        self.directives += len(node.directives or ())
        if isinstance(node, FieldNode):
            self.aliases += node.alias is not None
            self.introspections += node.name.value in {"__schema", "__type"}
            return 1 + self.depth(node.selection_set) if node.selection_set else 0
        inner = self._inner(node)
        return self.depth(inner) if inner else 0

    def compare(self, selections: Iterable[SelectionSetNode]) -> None:
        """Count the pairs of fields that share a place in the answer, up to the limit."""
        names: defaultdict[str, list[FieldNode]] = defaultdict(list)
        seen: set[int] = set()
        for selection_set in selections:
            self._gather(selection_set, names, seen)
        for nodes in names.values():
            self.compared += len(nodes) ** 2
            inner = [node.selection_set for node in nodes if node.selection_set]
            if inner and self.compared <= MAX_COMPARED:
                self.compare(inner)

    def _gather(self, selection_set: SelectionSetNode, names: dict[str, list[FieldNode]], seen: set[int]) -> None:
        if id(selection_set) in seen:
            return
        seen.add(id(selection_set))
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                names[node.alias.value if node.alias else node.name.value].append(node)
            elif inner := self._inner(node):
                self._gather(inner, names, seen)

    def _inner(self, node: SelectionNode) -> SelectionSetNode | None:
        """What a fragment selects; None if there is no such fragment."""
        if isinstance(node, FragmentSpreadNode):
            fragment = self._fragments.get(node.name.value)
            return fragment.selection_set if fragment else None
        return node.selection_set if isinstance(node, InlineFragmentNode) else None
