"""The short way to an answer says what the usual way says, or leaves the request to it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from strawberry.http import GraphQLRequestData

from graphsvc.api.graphql.direct import Direct
from graphsvc.api.graphql.router import build_direct
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest
from graphsvc.graph.reader import (
    AspectRow,
    EdgeColumns,
    EntityRow,
    Lineage,
    LineageNode,
    NodeColumns,
    Walk,
)
from graphsvc.graph.registry import load_registry

START = "urn:li:dataset:a"
QUERY = """query ($urn: String!, $hops: Int) {
  up: lineage(urn: $urn, direction: UPSTREAM, maxHops: $hops) { __typename total partial nodes { ...Found distance } }
}
fragment Found on LineageNode { direction removed entity { urn name ... on Dataset { type } ... on Chart { urn } } }"""


class _Reader:
    """Two datasets and a chart upstream of one, or an error."""

    def __init__(self) -> None:
        self.walks: list[Walk] = []

    async def lineage(self, walk: Walk) -> Lineage | None:
        self.walks.append(walk)
        if walk.urn != START:
            raise BadRequest("no such thing")
        urns = ["urn:li:dataset:b", 'urn:li:dataset:"%b', "urn:li:chart:c"]
        nodes = NodeColumns(urns, ["B", "", "C"], [1, 1, 2], [False] * 3, [False] * 3)
        return Lineage(
            LineageNode(START, "A", 0, removed=False, referenced_only=False), nodes, EdgeColumns(), False, None
        )


def request(text: str | None, variables: dict[str, Any] | None = None, name: str | None = None) -> GraphQLRequestData:
    return GraphQLRequestData(text, variables, name, None)


async def both(text: str, variables: dict[str, Any]) -> tuple[Any, Any, Direct, _Reader]:
    """The usual answer, after which the document is known, and the direct one."""
    reader: Any = _Reader()
    direct = build_direct(reader, load_registry(), GraphqlSettings())
    usual = await direct.schema.execute(text, variable_values=variables, context_value=direct.context())
    short = await direct.execute(request(text, variables), direct.context())
    return usual, short, direct, reader


async def test_the_short_way_answers_the_same() -> None:
    """Through aliases, fragments, and types that differ from row to row."""
    usual, short, _, _ = await both(QUERY, {"urn": START})

    assert usual.errors is None
    assert short is not None
    assert short.errors is None
    assert orjson.loads(orjson.dumps(short.data)) == orjson.loads(orjson.dumps(usual.data))


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ("urn: $urn, maxHops: $hops, direction: UPSTREAM", {"urn": START, "hops": 2}),
        ("urn: $urn, maxHops: $hops, direction: UPSTREAM", {"urn": START}),
        ('urn: "urn:li:dataset:a", maxHops: 7, direction: UPSTREAM, types: ["DownstreamOf"]', {}),
        ('urn: $urn, types: ["DownstreamOf", $type], direction: UPSTREAM', {"urn": START, "type": "Consumes"}),
    ],
)
async def test_arguments_are_the_same(arguments: str, variables: dict[str, Any]) -> None:
    """Those with variables, also inside of a list, without, and those that are left out; whatever came before."""
    kinds = {"$urn": "String!", "$hops": "Int", "$type": "String!"}
    defined = ", ".join(f"{name}: {kind}" for name, kind in kinds.items() if name in arguments)
    text = f"query{f'({defined})' if defined else ''} {{ lineage({arguments}) {{ total }} }}"
    _, short, direct, reader = await both(text, variables)
    assert short is not None
    again = await direct.execute(request(text, {**variables, "urn": "urn:li:dataset:other"}), direct.context())
    assert again is not None

    usual_walk, short_walk, other = reader.walks
    assert short_walk == usual_walk
    assert other == (replace(usual_walk, urn="urn:li:dataset:other") if "$urn" in arguments else usual_walk)


async def test_an_error_of_a_resolver_is_told_the_same() -> None:
    """With its path, place and code."""
    usual, short, _, reader = await both(QUERY, {"urn": "urn:li:dataset:other"})

    assert [error.formatted for error in short.errors] == [error.formatted for error in usual.errors]
    assert short.data == usual.data == {"up": None}
    assert len(reader.walks) == 2


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        (QUERY, {"urn": None}),
        (QUERY.replace("total", "total @include(if: true)"), {"urn": START}),
        ('{ entityExists(urn: "urn:li:dataset:a") }', {}),
        ("{ __schema { queryType { name } } }", {}),
    ],
)
async def test_what_cannot_be_compiled_goes_the_usual_way(text: str, variables: dict[str, Any]) -> None:
    """Wrong variables, directives, required fields, and questions about the schema; nothing is read for them."""
    _, short, _, reader = await both(text, variables)

    assert short is None
    assert len(reader.walks) <= 1


async def test_what_turns_out_not_to_be_plain_goes_the_usual_way_from_then_on() -> None:
    """The start's name may have to be read, which shows only in the answer."""
    text = QUERY.replace("total", "start { name }")
    _, short, direct, reader = await both(text, {"urn": START})

    assert short is None
    assert await direct.execute(request(text, {"urn": START}), direct.context()) is None
    assert len(reader.walks) == 2


async def test_a_document_that_was_not_validated_goes_the_usual_way() -> None:
    """The short way has no validation of its own."""
    reader: Any = _Reader()
    direct = build_direct(reader, load_registry(), GraphqlSettings())

    assert await direct.execute(request(QUERY, {"urn": START}), direct.context()) is None


class _Waiting(_Reader):
    """A tag whose node is read only when its aspects are asked for, or after a while."""

    aspects_at = None

    def __init__(self) -> None:
        super().__init__()
        self.foreseen = asyncio.Event()
        self.read_at_once: list[bool] = []
        self.names: list[set[str]] = []

    async def entities(self, urns: list[str]) -> dict[str, EntityRow]:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.foreseen.wait(), 0.1)
        self.read_at_once.append(self.foreseen.is_set())
        return {urn: EntityRow(urn, "tag", "A", referenced_only=False, removed=False) for urn in urns}

    async def aspects(self, urns: set[str], names: set[str]) -> dict[str, dict[str, AspectRow]]:
        self.foreseen.set()
        self.names.append(names)
        value = AspectRow("tagProperties", 1, '{"name": "A"}', None, None, None, None, unmodelled=False)
        return {urn: {"tagProperties": value} for urn in urns}


async def test_what_cannot_be_compiled_is_executed() -> None:
    """An operation is answered in any case, and told what is wrong with its document."""
    reader: Any = _Reader()
    direct = build_direct(reader, load_registry(), GraphqlSettings())
    text = QUERY.replace("total", "total @include(if: true)")

    for _ in range(2):
        found = await direct.answer(request(text, {"urn": START}))
        assert found is not None
        assert found.data["up"]["total"] == 3
    wrong = await direct.answer(request("{ never }", None))

    assert wrong is not None
    assert wrong.errors[0].message.startswith("Cannot query field 'never'")


@pytest.mark.parametrize(("text", "name"), [(None, None), ("query A { __typename }", "B")])
async def test_a_request_without_an_operation_is_left_to_the_router(text: str | None, name: str | None) -> None:
    """Which refuses it as a whole, by its status."""
    reader: Any = _Reader()
    direct = build_direct(reader, load_registry(), GraphqlSettings())

    assert await direct.answer(request(text, name=name)) is None


async def test_a_subscription_is_no_request() -> None:
    """It is said where to ask for it."""
    reader: Any = _Reader()
    direct = build_direct(reader, load_registry(), GraphqlSettings())
    text = 'subscription A { entityChanges(urns: []) { cursor } } query B { entityExists(urn: "urn:li:tag:a") }'

    for name in ("A", "A"):
        found = await direct.answer(request(text, name=name))

        assert found is not None
        assert found.data is None
        assert [error.extensions for error in found.errors] == [{"code": "BAD_INPUT"}]
        assert "over a WebSocket" in found.errors[0].message


async def test_aspects_that_an_operation_needed_are_read_beside_its_entity() -> None:
    """Once they are known, and only those that it still asks for."""
    reader: Any = _Waiting()
    direct = build_direct(reader, load_registry(), GraphqlSettings())
    text = """query ($with: Boolean!) { tag(urn: "urn:li:tag:a") {
        properties { name } deprecation @include(if: $with) { deprecated } } }"""

    for included in (True, True, True, False, False):
        reader.foreseen.clear()
        found = await direct.answer(request(text, {"with": included}))
        assert found is not None
        assert found.data["tag"]["properties"] == {"name": "A"}

    assert reader.read_at_once == [False, False, True, True, True]
    both = {"tagProperties", "deprecation"}
    assert reader.names == [both, both, both, both, {"tagProperties"}]


async def test_nothing_is_kept_for_names_that_no_operation_has() -> None:
    """Whoever sends them would fill the memory."""
    reader: Any = _Reader()
    direct = build_direct(reader, load_registry(), GraphqlSettings())
    text = 'query A { entityExists(urn: "urn:li:tag:a") }'
    await direct.answer(request(text, name="A"))

    for number in range(5):
        await direct.answer(request(text, name=f"other{number}"))

    known = direct.documents.known(text)
    assert known is not None
    assert known.costs.keys() <= {None, "A"}
    assert known.plans.keys() <= {None, "A"}
    assert known.needs.keys() <= {None, "A"}
