"""`browse`: what stands at a path of the older kind."""

from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import IngestService
from tests.integration.asking import Ask, asking

PATHS = {
    "a": ["/prod/hive/shop"],
    "b": ["/prod/hive/shop", "/prod/hive/web", "prod/hive/web/"],
    "c": ["/prod/hive"],
    "gone": ["/prod/hive/shop"],
}
BROWSE = """query ($path: [String!]!, $start: Int, $count: Int, $filters: [FacetFilterInput!]) {
  browse(input: {type: DATASET, path: $path, start: $start, count: $count, filters: $filters}) {
    groups { name count } entities { urn type ... on Dataset { name } } start count total
    metadata { path totalNumEntities }
  } }"""


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


@pytest.fixture
async def ask(graph: AsyncDriver, reader: Reader, registry: Registry, service: IngestService) -> Ask:
    """Over five tables, of which one goes by its newer path, and one is deleted; and one that stands nowhere."""
    steps = [{"id": "newer"}, {"id": "way"}]
    answers = await service.ingest(
        [
            *(proposal_of(table(name), "browsePaths", {"paths": paths}) for name, paths in PATHS.items()),
            proposal_of(table("d"), "browsePathsV2", {"path": steps}),
            proposal_of(table("a"), "browsePathsV2", {"path": steps}),
            proposal_of(table("nowhere"), "status", {"removed": False}),
            proposal_of(table("gone"), "status", {"removed": True}),
            proposal_of(table("c"), "globalTags", {"tags": [{"tag": "urn:li:tag:t"}]}),
        ]
    )
    assert all(isinstance(answer, Applied) for answer in answers)
    return asking(reader, registry)


async def browse(ask: Ask, path: list[str] | str, **more: Any) -> Any:
    """Groups as pairs, entities by name, and the rest."""
    found = (await ask(BROWSE, path=path, **more))["browse"]
    assert all(entity["urn"] == table(entity["name"]) for entity in found["entities"])
    groups = [(group["name"], group["count"]) for group in found["groups"]]
    return groups, [entity["name"] for entity in found["entities"]], found


async def test_the_way_down(ask: Ask) -> None:
    """Steps that lead on with what is below them, then who stands there; a path that is said twice counts once."""
    top, none, found = await browse(ask, [])
    assert (top, none) == ([("prod", 4), ("newer", 1)], [])
    assert found["metadata"] == {"path": [], "totalNumEntities": 4}

    groups, here, found = await browse(ask, ["prod", "hive"])
    assert (groups, here) == ([("shop", 2), ("web", 1)], ["c"])
    assert (found["start"], found["count"], found["total"]) == (0, 3, 3)
    assert found["metadata"] == {"path": ["prod", "hive"], "totalNumEntities": 3}

    assert (await browse(ask, ["prod", "hive", "shop"]))[:2] == ([], ["a", "b"])
    assert (await browse(ask, ["newer", "way"]))[:2] == ([], ["d"])
    assert (await browse(ask, ["no", "such"]))[:2] == ([], [])


async def test_the_top_may_be_written_as_nothing(ask: Ask) -> None:
    """As in documents that have one text for the list, or the whole path in one."""
    assert await browse(ask, "") == await browse(ask, [""]) == await browse(ask, [])
    assert await browse(ask, "/prod/hive") == await browse(ask, ["prod", "hive"])


@pytest.mark.parametrize(
    ("start", "count", "groups", "here"),
    [
        (0, 1, ["shop"], []),
        (1, 2, ["web"], ["c"]),
        (2, 5, [], ["c"]),
        (3, 5, [], []),
        (0, 0, [], []),
        (2**31 - 1, 5, [], []),
    ],
)
async def test_pages(ask: Ask, start: int, count: int, groups: list[str], here: list[str]) -> None:
    """Groups before entities."""
    found = await browse(ask, ["prod", "hive"], start=start, count=count)
    assert ([name for name, _ in found[0]], found[1]) == (groups, here)
    assert found[2]["total"] == 3


async def test_filters(ask: Ask) -> None:
    found = await browse(ask, ["prod"], filters=[{"field": "tags", "values": ["urn:li:tag:t"]}])
    assert found[:2] == ([("hive", 1)], [])
