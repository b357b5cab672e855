"""What a document costs, worked out by hand beside it."""

from typing import Any

import pytest
from graphql import build_schema, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsvc.api.graphql.cost import HIGHEST, compiled
from graphsvc.config import GraphqlSettings

SCHEMA = build_schema("""
    type Query {
      entity(urn: String!): Entity
      entities(urns: [String!]!): [Entity]!
      search(input: SearchInput!): Results
      lineage(urn: String!, maxHops: Int = 3, maxNodes: Int): Walk
      paths(k: Int, maxHops: Int = 10): Paths
      searchAcrossLineage(input: SearchInput!): Results
    }
    input SearchInput { query: String count: Int = 10 }
    type Results { total: Int results: [Result!]! facets: [Facet!] }
    type Result { entity: Entity score: Float }
    type Facet { field: String values: [Value!] }
    type Value { name: String }
    interface Entity { urn: String name: String tags: [Tag!] related(start: Int, count: Int): Results
      points(limit: Int): [Value] }
    type Table implements Entity { urn: String name: String tags: [Tag!] related(start: Int, count: Int): Results
      points(limit: Int): [Value] columns: [Value] }
    type Chart implements Entity { urn: String name: String tags: [Tag!] related(start: Int, count: Int): Results
      points(limit: Int): [Value] title: String }
    type Tag { name: String }
    type Walk { total: Int nodes: [Node!]! }
    type Node { distance: Int entity: Entity }
    type Paths { paths: [Results!] }
""")
assert SCHEMA.query_type is not None
SCHEMA.query_type.fields["lineage"].args["maxHops"].default_value = 3  # as Strawberry sets it
SETTINGS = GraphqlSettings(max_lineage_nodes=5_000)


def cost(text: str, variables: dict[str, Any] | None = None, name: str | None = None) -> int:
    return compiled(SCHEMA, parse(text), SETTINGS, name)(variables or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 1),
        ('{ entity(urn: "a") { urn name } }', 1 + 2),
        # a list without a size counts 10
        ('{ entity(urn: "a") { tags { name } } }', 1 + 1 + 10 * 1),
        # a list with a page of its own
        ('{ entity(urn: "a") { points(limit: 7) { name } } }', 1 + 1 + 7 * 1),
        ('{ entities(urns: ["a", "b", "c"]) { urn name } }', 1 + 3 * 2),
        # a page: the list in it has the size, and what stands beside it once
        ("{ search(input: {count: 100}) { total results { score entity { urn } } } }", 1 + 1 + 1 + 100 * 3),
        ("{ search(input: {}) { results { score } } }", 1 + 1 + 10),
        ("{ search(input: {count: null}) { results { score } } }", 1 + 1 + 10),
        ("{ search(input: {count: -5}) { results { score } } }", 1 + 1),
        ("{ search(input: {count: 100}) { facets { field values { name } } } }", 1 + 1 + 10 * (1 + 1 + 10)),
        ('{ entity(urn: "a") { related(count: 3) { results { entity { related(count: 4) { total } } } } } }',
         1 + (1 + 1 + 3 * (1 + (1 + 1)))),
        # aliases and repetitions count each time
        ("{ a: __typename b: __typename __typename __typename }", 4),
        # of alternatives the dearest
        ('{ entity(urn: "a") { urn ... on Table { columns { name } } ... on Chart { title } } }', 1 + 1 + 11),
        ('{ entity(urn: "a") { ... on Table { name } ... on Table { urn } ... on Chart { title } } }', 1 + 2),
        ('{ entity(urn: "a") { ... on Entity { urn } ... { name } ... on Chart { title } } }', 1 + 3),
        # fragments, once in one place, again in another
        ('{ entity(urn: "a") { ...F ...F } } fragment F on Entity { urn name }', 1 + 2),
        ('{ a: entity(urn: "a") { ...F } b: entity(urn: "b") { ...F } } fragment F on Entity { urn name }', 2 * 3),
        ("{ search(input: {count: 50}) { ...F } } fragment F on Results { total results { score } }", 1 + 1 + 1 + 50),
        # walks: a thousand nodes a hop, up to the node limit
        ('{ lineage(urn: "a") { total } }', 1 + 3_000 + 1),
        ('{ lineage(urn: "a", maxHops: 20) { nodes { distance } } }', 1 + 5_000 + 1 + 5_000),
        ('{ lineage(urn: "a", maxHops: 20, maxNodes: 70) { nodes { distance entity { urn } } } }', 1 + 70 + 1 + 70 * 3),
        ("{ paths(k: 2, maxHops: 1) { paths { total } } }", 1 + 1_000 + 1 + 2 * 1),
        ("{ searchAcrossLineage(input: {count: 5}) { results { score } } }", 1 + 5_000 + 1 + 5),
        # what is not valid has a cost too
        ("{ nothing { at { all } } }", 1),
        ('{ entity(urn: "a") { ...Nobody ... on Nothing { urn { urn } } } }', 1 + 1),
        ('{ entity(urn: "a") { ...A } } fragment A on Entity { urn ...B } fragment B on Entity { name ...A }', 1 + 2),
        ("{ search(input: 3) { results { score } } }", 1 + 1 + 10),
        ("mutation { a }", 0),
        ("fragment F on Query { __typename }", 0),
    ],
)  # fmt: skip
def test_cost_of_a_document(text: str, expected: int) -> None:
    """By the rules in docs/limits.md."""
    assert cost(text) == expected


@pytest.mark.parametrize(
    ("variables", "items"),
    [
        ({"n": 20}, 20),
        ({}, 5),
        ({"n": None}, 10),
        ({"n": "7"}, 10),
        ({"n": True}, 10),
        ({"n": -1}, 0),
        ({"n": 2.0}, 10),
        ({"n": [1, 2]}, 2),
    ],
)
def test_pages_come_from_variables(variables: dict[str, Any], items: int) -> None:
    """As they are sent, with the document's defaults; nonsense, which is refused later, is a page of the usual size."""
    text = "query ($n: Int = 5) { search(input: {count: $n}) { results { score } } }"

    assert cost(text, variables) == 2 + items


def test_pages_come_from_inputs_in_variables() -> None:
    """However deep the number stands."""
    text = "query ($in: SearchInput! = {count: 4}) { search(input: $in) { results { score } } }"

    assert cost(text, {"in": {"count": 30}}) == 2 + 30
    assert cost(text, {"in": {}}) == 2 + 10
    assert cost(text, {"in": "x"}) == 2 + 10
    assert cost(text) == 2 + 4


def test_urns_come_from_variables() -> None:
    """A list's length is its page size."""
    assert cost("query ($u: [String!]!) { entities(urns: $u) { urn } }", {"u": ["a"] * 77}) == 1 + 77


def test_the_operation_that_is_asked_for_counts() -> None:
    """The others do not run."""
    text = 'query One { __typename } query Two { entity(urn: "a") { urn } }'

    assert (cost(text, name="One"), cost(text, name="Two"), cost(text)) == (1, 2, 1)


def test_introspection_costs_what_the_schema_has() -> None:
    """Every type once."""
    assert cost("{ __schema { types { name } } }") == 1 + 1 + len(SCHEMA.type_map)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 9))
def test_fragments_in_fragments_are_worked_out_once(levels: int, count: int) -> None:
    """Each spreads the next one twice: the cost doubles with every level, the work does not."""
    spread = "related(count: $n) {{ results {{ entity {{ ...F{0} }} }} }}"
    body = f"a: {spread} b: {spread}"
    fragments = [f"fragment F{i} on Entity {{ {body.format(i + 1)} }}" for i in range(levels)]
    last = f"fragment F{levels} on Entity {{ urn }}"
    text = " ".join(['query ($n: Int) { entity(urn: "a") { ...F0 } }', *fragments, last])

    expected = 1
    for _ in range(levels):
        expected = 2 * (2 + count * (1 + expected))
    assert cost(text, {"n": count}) == min(1 + expected, HIGHEST)
