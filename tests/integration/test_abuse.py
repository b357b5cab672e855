"""
Documents that are made to do harm, of the kinds that OWASP's cheat sheet on GraphQL names, and of our own graph.

Each is refused with a code, soon, and before anything is asked of Neo4j.
"""

import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from graphql import get_introspection_query
from neo4j import AsyncDriver, AsyncSession

from graphsvc.api.graphql.router import build_router
from graphsvc.config import GraphqlSettings
from graphsvc.errors import ConfigError
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry

URN = "urn:li:tag:a"
ENTITY = f'{{ entity(urn: "{URN}") {{ %s }} }}'
RELATED = "relationships(input: {direction: OUTGOING, count: %d}) { relationships { entity { %s } } }"
WALK = (
    f'lineage(urn: "{URN}", direction: UPSTREAM, maxHops: 20) {{ nodes {{ distance entity {{ urn name exists }} }} }}'
)
SCROLL = """
    query ($n: Int = 5) { scrollAcrossEntities(input: {query: "*", count: $n}) {
      nextScrollId searchResults { entity { urn type ... on Dataset { name platform { name } } } } } }
"""
SOON_S = 20.0  # much more than it takes on an idle machine, much less than what is prevented


class CountingDriver:
    """A driver that counts the sessions which are opened with it."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver
        self.sessions = 0

    def session(self, **options: Any) -> AsyncSession:
        self.sessions += 1
        return self._driver.session(**options)


@pytest.fixture
def counting(graph: AsyncDriver) -> CountingDriver:
    return CountingDriver(graph)


def client_of(driver: Any, database: str, registry: Registry, **settings: Any) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(build_router(Reader(driver, database, 30.0, registry), registry, GraphqlSettings(**settings)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture
async def client(counting: CountingDriver, database: str, registry: Registry) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(counting, database, registry) as opened:
        yield opened


def nested(levels: int, count: int) -> str:
    text = "urn"
    for _ in range(levels):
        text = RELATED % (count, text)
    return ENTITY % text


def doubling(levels: int) -> str:
    """Fragments of which each spreads the next one twice: 2 to the power of the levels."""
    spread = RELATED % (3, "...F{0}") + " more: " + RELATED % (3, "...F{0}")
    fragments = [f"fragment F{i} on Entity {{ {spread.replace('{0}', str(i + 1))} }}" for i in range(levels)]
    return " ".join([ENTITY % "...F0", *fragments, f"fragment F{levels} on Entity {{ urn }}"])


def flat_doubling(levels: int) -> str:
    """The same without fields in between."""
    fragments = [f"fragment F{i} on Entity {{ ...F{i + 1} ... on Entity {{ ...F{i + 1} }} }}" for i in range(levels)]
    return " ".join([ENTITY % "...F0", *fragments, f"fragment F{levels} on Entity {{ {RELATED % (9**6, 'urn')} }}"])


ABUSES: dict[str, tuple[Any, str]] = {
    "a circle, deep": ({"query": nested(11, 1)}, "LIMIT_EXCEEDED"),
    "a circle, wide": ({"query": nested(3, 1000)}, "COST_LIMIT"),
    "a circle with pages as they are": ({"query": nested(7, 10)}, "COST_LIMIT"),
    "a huge page": (
        {"query": '{ search(input: {type: TAG, query: "*", count: 9999999}) { searchResults { entity { urn } } } }'},
        "COST_LIMIT"),
    "a huge page in a variable": (
        {"query": SCROLL, "variables": {"n": 2**31 - 1}}, "COST_LIMIT"),
    "a huge page in an input": (
        {"query": "query ($in: SearchInput!) { search(input: $in) { searchResults { entity { urn } } } }",
         "variables": {"in": {"type": "TAG", "query": "*", "count": 2**31 - 1}}}, "COST_LIMIT"),
    "many URNs": (
        {"query": "query ($u: [String!]!) { entities(urns: $u) { " + RELATED % (100, "urn name exists") + " } }",
         "variables": {"u": [URN] * 9_999}}, "COST_LIMIT"),
    "aliases": ({"query": "{ " + " ".join(f"a{i}: __typename" for i in range(51)) + " }"}, "LIMIT_EXCEEDED"),
    "a walk under every alias": ({"query": "{ " + " ".join(f"a{i}: {WALK}" for i in range(50)) + " }"}, "COST_LIMIT"),
    "a batch of many": ([{"query": "{ __typename }"}] * 11, "LIMIT_EXCEEDED"),
    "a batch of dear ones": ([{"query": nested(5, 10)}] * 10, "COST_LIMIT"),
    "a field again and again": ({"query": ENTITY % ("urn " * 4_000)}, "LIMIT_EXCEEDED"),
    "fields again and again, within each other": (
        {"query": "{ " + f'entity(urn: "{URN}") {{ {"urn name " * 15} }} ' * 60 + "}"}, "LIMIT_EXCEEDED"),
    "directives": ({"query": ENTITY % ("urn " + "@skip(if: false) " * 500)}, "LIMIT_EXCEEDED"),
    "fragments in a circle": (
        {"query": ENTITY % "...A" + " fragment A on Entity { ...B } fragment B on Entity { ...A }"}, "BAD_INPUT"),
    "fragments that double": ({"query": doubling(9)}, "COST_LIMIT"),
    "fragments that double, deep": ({"query": doubling(40)}, "LIMIT_EXCEEDED"),
    "fragments that double without fields": ({"query": flat_doubling(60)}, "COST_LIMIT"),
    "fragments in a long row": ({"query": flat_doubling(400)}, "LIMIT_EXCEEDED"),
    "introspection, deep": (
        {"query": "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"}, "COST_LIMIT"),
    "introspection under every alias": (
        {"query": "{ " + " ".join(f"a{i}: __schema {{ types {{ name }} }}" for i in range(50)) + " }"},
        "LIMIT_EXCEEDED"),
    "introspection in a batch": ([{"query": get_introspection_query()}] * 10, "COST_LIMIT"),
    "a long document": ({"query": "{ __typename }" + " " * 100_000}, "LIMIT_EXCEEDED"),
    "a long text": ({"query": ENTITY.replace(URN, URN + "a" * 100_000) % "urn"}, "LIMIT_EXCEEDED"),
    "a long number": (
        {"query": nested(1, 1).replace("count: 1", "count: 1, start: " + "9" * 5_000)}, "LIMIT_EXCEEDED"),
    "a number that is no Int": (
        {"query": nested(1, 1).replace("count: 1", "count: 1, start: " + "9" * 999)}, "BAD_INPUT"),
    "tokens": ({"query": ENTITY % ("urn " * 6_000)}, "LIMIT_EXCEEDED"),
    "brackets": ({"query": "{ entity(urn: " + "[" * 2_000 + "]" * 2_000 + ") { urn } }"}, "BAD_INPUT"),
    "large variables": (
        {"query": "query ($u: String!) { entity(urn: $u) { urn } }", "variables": {"u": "a" * 2**20}},
        "LIMIT_EXCEEDED"),
    "deep variables": (
        {"query": "query ($u: String!) { entity(urn: $u) { urn } }",
         "variables": {"u": orjson.Fragment("[" * 900 + "]" * 900)}}, "BAD_INPUT"),
    "a long chain of hops": (
        {"query": f'{{ lineage(urn: "{URN}", direction: UPSTREAM, maxHops: 1000, maxNodes: 1000000) '
         "{ nodes { entity { urn name exists } } } }"}, "COST_LIMIT"),
}  # fmt: skip


@pytest.mark.parametrize("name", ABUSES)
async def test_abuse_is_refused_before_it_reaches_neo4j(
    client: httpx.AsyncClient, counting: CountingDriver, name: str
) -> None:
    """Soon, with a code, and without a query."""
    body, code = ABUSES[name]
    start = time.monotonic()

    answer = await client.post(
        "/graphql", content=orjson.dumps(body), headers={"Content-Type": "application/json"}, timeout=60
    )

    took = time.monotonic() - start
    said = answer.json()
    errors = [error for one in (said if isinstance(said, list) else [said]) for error in one["errors"]]
    assert {error["extensions"]["code"] for error in errors} == {code}, errors[0]["message"][:500]
    assert counting.sessions == 0
    assert took < SOON_S


async def test_what_is_within_the_limits_reaches_neo4j(client: httpx.AsyncClient, counting: CountingDriver) -> None:
    """Or the tests above would show nothing."""
    answer = await client.post("/graphql", json={"query": nested(2, 10)})

    assert answer.json() == {"data": {"entity": None}}
    assert counting.sessions == 1


async def test_the_error_says_the_cost_and_the_bound(client: httpx.AsyncClient) -> None:
    """For programs as numbers, for people in words."""
    (error,) = (await client.post("/graphql", json={"query": nested(1, 1_000_000)})).json()["errors"]

    # relationships: a field and the list; each item an entity with its URN
    assert error["extensions"] == {"code": "COST_LIMIT", "cost": 2_000_003, "limit": 1_000_000}
    assert "2000003" in error["message"]
    assert "1000000" in error["message"]


async def test_a_known_document_is_weighed_again_with_its_variables(client: httpx.AsyncClient) -> None:
    """It is not parsed and validated again, but its pages may have grown."""
    answers = [
        (await client.post("/graphql", json={"query": SCROLL, "variables": variables})).json()
        for variables in ({}, {"n": 10}, {"n": 900_000}, {"n": 10})
    ]

    assert ["errors" in answer for answer in answers] == [False, False, True, False]
    assert answers[2]["errors"][0]["extensions"]["code"] == "COST_LIMIT"


async def test_what_programs_and_graphiql_ask_is_within_the_limits(client: httpx.AsyncClient) -> None:
    """Introspection as GraphiQL and DataHub's clients send it, their largest pages, and a whole lineage answer."""
    across = (
        f'{{ scrollAcrossLineage(input: {{urn: "{URN}", direction: UPSTREAM, count: 500}}) {{ searchResults {{ degree'
        " entity { urn type ... on Dataset { name platform { name } properties { description } } } paths { path { urn"
        " type } } } } }"
    )
    whole = (
        f'{{ lineage(urn: "{URN}", direction: UPSTREAM, maxHops: 20) {{ nodes {{ distance entity {{ urn type name }} }}'
    )
    whole += " edges { source type target aspect via createdOn updatedOn } } }"
    for query in (get_introspection_query(), SCROLL, across, whole):
        answer = await client.post("/graphql", json={"query": query, "variables": {"n": 5_000}}, timeout=60)
        assert "errors" not in answer.json()


async def test_nothing_suggests_names_when_introspection_is_off(
    counting: CountingDriver, database: str, registry: Registry
) -> None:
    """Or the schema could be guessed letter by letter."""
    queries = ["{ datase }", "{ entity(ur: 1) { urn } }", "{ entities(urns: []) { ... on Datase { urn } } }",
               'query ($d: LineageDirectio) { lineage(urn: "a", direction: UPSTREA) { total } }']  # fmt: skip
    async with (
        client_of(counting, database, registry) as open_one,
        client_of(counting, database, registry, introspection=False) as shut,
    ):
        for query in queries:
            told, hidden = [(await c.post("/graphql", json={"query": query})).text for c in (open_one, shut)]
            assert "Did you mean" in told
            assert "Did you mean" not in hidden
            assert "errors" in hidden


async def test_a_batch_is_answered_in_order(client: httpx.AsyncClient) -> None:
    """Each operation as if it had come alone."""
    batch = [{"query": "{ __typename }"}, {"query": "{ nothing }"}, {"query": ENTITY % "urn"}]

    answers = (await client.post("/graphql", json=batch)).json()

    assert answers[0] == {"data": {"__typename": "Query"}}
    assert answers[1]["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    assert answers[2] == {"data": {"entity": None}}


def named(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}


async def test_persisted_documents(counting: CountingDriver, database: str, registry: Registry, tmp_path: Path) -> None:
    """By their hash, from a folder or a file; others only as long as they are not the only ones."""
    known, other = "{ __typename }", "{ other: __typename }"
    (tmp_path / "known.graphql").write_text(known)
    file = tmp_path / "known.json"
    file.write_bytes(orjson.dumps({sha256(known.encode()).hexdigest(): known}))
    found: dict[str, list[Any]] = {}
    ways: dict[str, dict[str, Any]] = {
        "none": {},
        "folder": {"persisted": tmp_path},
        "only": {"persisted": file, "persisted_only": True},
    }
    for name, settings in ways.items():
        async with client_of(counting, database, registry, **settings) as client:
            bodies = [
                {"extensions": named(known)}, {"query": known, "extensions": named(known)}, {"query": known},
                {"extensions": named(other)}, {"query": other}, {"query": other, "extensions": named(known)},
            ]  # fmt: skip
            said = [(await client.post("/graphql", json=body)).json() for body in bodies]
            found[name] = [
                one["errors"][0]["extensions"]["code"] if "errors" in one else list(one["data"]) for one in said
            ]

    answered = ["__typename"]
    not_supported, not_found = "PERSISTED_QUERY_NOT_SUPPORTED", "PERSISTED_QUERY_NOT_FOUND"
    assert found == {
        "none": [not_supported, answered, answered, not_supported, ["other"], "BAD_INPUT"],
        "folder": [answered, answered, answered, not_found, ["other"], "BAD_INPUT"],
        "only": [answered, answered, answered, not_found, "NOT_PERSISTED", "BAD_INPUT"],
    }


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"a": 1}', b'{"a": "{ __typename }"}', None])
async def test_persisted_documents_are_checked_at_the_start(
    reader: Reader, registry: Registry, tmp_path: Path, content: bytes | None
) -> None:
    """A hash that is not that of its text, or a file that is none, is found before anybody asks."""
    file = tmp_path / "known.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=r"graphql\.persisted"):
        build_router(reader, registry, GraphqlSettings(persisted=file))
    with pytest.raises(ConfigError, match="names none"):
        build_router(reader, registry, GraphqlSettings(persisted_only=True))
