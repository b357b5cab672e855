"""Filters that mean a container or a domain with what is below it, above it, or both, in searches and over lineage."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.api.filters import Criterion
from graphsvc.api.impact import Asked, impact
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.search import Filter, Search, SearchQuery
from graphsvc.graph.walks import Walks
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.integration.asking import asking

# Child -> parent: a tree of three levels, a lone one, and two that are parts of each other, as nobody should say.
PARENTS = {"b1": "a", "b2": "a", "c1": "b1", "c2": "b1", "c3": "b2", "x": "y", "y": "x"}
NAMES = ("a", "b1", "b2", "c1", "c2", "c3", "lone", "x", "y")


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def proposals() -> Iterator[Proposal]:
    """A table in each container, which is of the same name as its domain; tables are parts of containers, too."""
    for name in NAMES:
        container, domain = f"urn:li:container:{name}", f"urn:li:domain:{name}"
        parent = PARENTS.get(name)
        above = {"parentDomain": f"urn:li:domain:{parent}"} if parent else {}
        yield proposal_of(container, "containerProperties", {"name": name})
        yield proposal_of(domain, "domainProperties", {"name": name, **above})
        if parent:
            yield proposal_of(container, "container", {"container": f"urn:li:container:{parent}"})
        yield proposal_of(table(name), "container", {"container": container})
        yield proposal_of(table(name), "domains", {"domains": [domain]})
    yield proposal_of("urn:li:container:b1", "status", {"removed": True})
    for up, down in pairwise(NAMES):
        edge = {"dataset": table(up), "type": "COPY", "auditStamp": {"time": 0, "actor": "urn:li:corpuser:a"}}
        yield proposal_of(table(down), "upstreamLineage", {"upstreams": [edge]})


def closure(name: str, steps: Mapping[str, set[str]]) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        new = steps.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


UP = {child: {parent} for child, parent in PARENTS.items()}
DOWN = {name: {child for child, parent in PARENTS.items() if parent == name} for name in NAMES}
MEANT = {
    "DESCENDANTS_INCL": lambda name: closure(name, DOWN),
    "ANCESTORS_INCL": lambda name: closure(name, UP),
    "RELATED_INCL": lambda name: closure(name, DOWN) | closure(name, UP),
}


@pytest.fixture
async def search(graph: AsyncDriver, service: IngestService, reader: Reader, registry: Registry) -> Search:
    answers = await service.ingest(list(proposals()))
    assert all(isinstance(answer, Applied) for answer in answers), answers
    return Search(reader, registry)


async def test_it_means_what_a_walk_finds(search: Search) -> None:
    """From every one, by URN or by its bare name, each way; a part that is soft-deleted has parts all the same."""
    for field, kind in (("container", "container"), ("domains.keyword", "domain")):
        for operator, meant in MEANT.items():
            for name in NAMES:
                for value in (name, f"urn:li:{kind}:{name}"):
                    wanted = SearchQuery("*", ("dataset",), ((Filter(field, (value,), operator),),))
                    found = await search.answer(wanted, 0, 100, total=True)

                    assert set(found.hits.urns) == set(map(table, meant(name))), (field, operator, value)
                    assert found.total == len(meant(name))


async def test_it_stands_beside_other_conditions(search: Search) -> None:
    """Negated, in several groups, with several values, and wherever a search is asked for something."""
    below_b1 = Filter("domains", ("b1",), "DESCENDANTS_INCL")
    both = ((below_b1, Filter("container", ("c1", "c2"))), (Filter("container", ("b2", "lone"), "DESCENDANTS_INCL"),))
    wanted = SearchQuery("*", ("dataset",), both)
    urns = sorted(map(table, ("c1", "c2", "b2", "c3", "lone")))
    others = SearchQuery("*", ("dataset",), ((below_b1._replace(negated=True),),))

    assert [hit.urn for hit in await search.page(wanted, 0, 100)] == urns
    assert list((await search.scroll(wanted, None, 100))[0].urns) == urns
    assert (await search.total(wanted)).number == len(urns)
    assert {c.value for c in (await search.facets(wanted, ["domains"], 100))["domains"]} == {
        f"urn:li:domain:{name}" for name in ("c1", "c2", "b2", "c3", "lone")
    }
    assert (await search.level(wanted, [], 0, 10)).below == len(urns)
    assert {hit.urn for hit in await search.page(others, 0, 100)} == {
        table(name) for name in NAMES if name not in {"b1", "c1", "c2"}
    }


async def test_what_is_not_there_has_nothing_below(search: Search) -> None:
    """Nothing is found, and nothing is wrong; a text finds among the tables that are left."""
    nowhere = SearchQuery("*", None, ((Filter("container", ("urn:li:container:never",), "DESCENDANTS_INCL"),),))
    among = SearchQuery("c3", ("dataset",), ((Filter("container", ("a",), "DESCENDANTS_INCL"),),))

    assert await search.page(nowhere, 0, 10) == []
    assert [hit.urn for hit in await search.page(among, 0, 10)] == [table("c3")]


async def test_over_graphql(search: Search, reader: Reader, registry: Registry) -> None:
    """As DataHub's clients send it."""
    assert search
    data = await asking(reader, registry)(
        """query ($f: [AndFilterInput!]) {
            searchAcrossEntities(input: {query: "*", types: [DATASET], count: 10, orFilters: $f}) {
                total facets { field aggregations { value count } } } }""",
        f=[{"and": [{"field": "container", "values": ["urn:li:container:b1"], "condition": "DESCENDANTS_INCL"}]}],
    )
    found = data["searchAcrossEntities"]

    assert found["total"] == 3
    containers = next(facet["aggregations"] for facet in found["facets"] if facet["field"] == "container")
    assert sorted(row["value"] for row in containers) == [f"urn:li:container:{name}" for name in ("b1", "c1", "c2")]


OVER_LINEAGE = """query ($urn: String!, $f: [AndFilterInput!], $enter: [AndFilterInput!]) {
    lineage(urn: $urn, direction: DOWNSTREAM, maxHops: 20, orFilters: $f, walkFilters: $enter) {
        nodes { entity { urn } } }
    impactAnalysis(urn: $urn, maxHops: 20, orFilters: $f, walkFilters: $enter) { entities { entity { urn } } }
    searchAcrossLineage(input: {urn: $urn, direction: DOWNSTREAM, count: 20, orFilters: $f}) {
        searchResults { entity { urn } } }
}"""


def filters(field: str, operator: str, *values: str, **more: Any) -> list[dict[str, Any]]:
    return [{"and": [{"field": field, "values": list(values), "condition": operator, **more}]}]


async def test_over_lineage(search: Search, reader: Reader, registry: Registry) -> None:
    """Of what is shown: the tables stand in one long lineage, the first of them in no answer."""
    assert search
    ask = asking(reader, registry)
    for operator, meant in MEANT.items():
        for name in NAMES:
            for field, negated in (("container", False), ("domains.keyword", True)):
                kind = field.partition(".")[0].removesuffix("s")
                wanted = set(NAMES[1:]) & meant(name) if not negated else set(NAMES[1:]) - meant(name)
                found = await ask(
                    OVER_LINEAGE, urn=table("a"), f=filters(field, operator, f"urn:li:{kind}:{name}", negated=negated)
                )

                urns = [
                    [row["entity"]["urn"] for row in answer[rows]]
                    for answer, rows in zip(found.values(), ("nodes", "entities", "searchResults"), strict=True)
                ]
                assert [set(some) for some in urns] == [set(map(table, wanted))] * 3, (operator, name)


async def test_what_a_walk_enters(search: Search, reader: Reader, registry: Registry) -> None:
    """Nothing is found behind the first table that is no part of the container."""
    assert search
    found = await asking(reader, registry)(
        OVER_LINEAGE, urn=table("b1"), enter=filters("container", "DESCENDANTS_INCL", "a")
    )

    tables = list(map(table, ("b2", "c1", "c2", "c3")))
    assert [row["entity"]["urn"] for row in found["lineage"]["nodes"]] == tables
    assert [row["entity"]["urn"] for row in found["impactAnalysis"]["entities"]] == tables


async def test_pages_go_on_when_the_tree_has_changed(
    search: Search, service: IngestService, reader: Reader, registry: Registry
) -> None:
    """What is asked is the same: whatever is below a domain."""
    assert search
    text = """query ($urn: String!, $f: [AndFilterInput!], $cursor: String) {
        lineage(urn: $urn, direction: DOWNSTREAM, maxHops: 20, maxNodes: 4, orFilters: $f, cursor: $cursor) {
            nodes { entity { urn } } cursor } }"""
    ask, below = asking(reader, registry), filters("domains", "DESCENDANTS_INCL", "a")

    first = (await ask(text, urn=table("a"), f=below))["lineage"]
    moved = proposal_of("urn:li:domain:lone", "domainProperties", {"name": "lone", "parentDomain": "urn:li:domain:a"})
    await service.ingest([moved])
    second = (await ask(text, urn=table("a"), f=below, cursor=first["cursor"]))["lineage"]

    assert [row["entity"]["urn"] for row in first["nodes"]] == list(map(table, ("b1", "b2", "c1", "c2")))
    assert [row["entity"]["urn"] for row in second["nodes"]] == list(map(table, ("c3", "lone")))


async def test_what_is_not_answered_over_lineage(search: Search, reader: Reader, registry: Registry) -> None:
    """Other fields, and other times, whose tree is not known; the error says what to do."""
    assert search
    walks = Walks(reader, registry)
    of_tags = Asked(table("a"), where=[[Criterion("tags", ("x",), "ANCESTORS_INCL")]])
    before = Asked(table("a"), where=[[Criterion("container", ("x",), "ANCESTORS_INCL")]], as_of=1)

    with pytest.raises(BadRequest, match="answered for container and domains, not for tags"):
        await impact(walks, reader, GraphqlSettings(), of_tags, {})
    with pytest.raises(BadRequest, match="as of now; leave out asOf, or list the values"):
        await impact(walks, reader, GraphqlSettings(), before, {})
