"""No query walks the whole graph: each starts from an index, so that its cost does not grow with the graph."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.graph.queries import ROOT, query
from graphsvc.graph.registry import Registry

NAMES = sorted(
    f"{path.parent.name}/{path.stem}" for kind in ("read", "write") for path in (ROOT / kind).glob("*.cypher")
)
FORBIDDEN = re.compile(
    r"(Partitioned)?(AllNodesScan|NodeByLabelScan|IntersectionNodeByLabelsScan|UnionNodeByLabelsScan|SubtractionNodeByLabelsScan"
    r"|\w*RelationshipsScan|\w*RelationshipTypeScan|\w*RelationshipTypesScan|NodeIndexScan)"
)
# One row times one row, which is how the planner puts two look-ups of a row's ends side by side.
SEEK = re.compile(r"NodeUniqueIndexSeek(\(Locking\))?")
ALLOWED = {
    "read/platform_resources": {"NodeByLabelScan"},  # few by nature; the header says so
    "write/create_edges": {"CartesianProduct"},  # of one node and one node, each found by its element id
}
PARAM = re.compile(r"^// :param (\w+) => (.+)$", re.MULTILINE)


def text_of(name: str) -> str:
    return (ROOT / f"{name}.cypher").read_text(encoding="utf-8")


def filled(name: str, registry: Registry) -> str:
    """The query with its placeholders filled as the code fills them."""
    given = {"types": "|".join(registry.lineage_types), "edge_type": "DownstreamOf"}
    given |= dict.fromkeys(("first", "second", "third"), "ASC")
    return query(name, **{key: value for key, value in given.items() if f"__{key.upper()}__" in text_of(name)})


async def plan_of(driver: AsyncDriver, database: str, name: str, text: str) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for key, literal in PARAM.findall(text_of(name)):
        records, _, _ = await driver.execute_query(f"RETURN {literal} AS value", database_=database)
        params[key] = records[0]["value"]
    _, summary, _ = await driver.execute_query("EXPLAIN " + text, params, database_=database)
    assert summary.plan is not None
    return dict(summary.plan)


def operator(plan: dict[str, Any]) -> str:
    return str(plan["operatorType"]).partition("@")[0]


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from operators(child)


def faults(plan: dict[str, Any]) -> set[str]:
    """Operators that read without an index, or multiply rows."""
    found = {operator(part) for part in operators(plan) if FORBIDDEN.fullmatch(operator(part))}
    for part in operators(plan):
        if operator(part) == "CartesianProduct":
            leaves = [operator(child) for child in part["children"]]
            found |= set() if all(SEEK.fullmatch(leaf) for leaf in leaves) else {"CartesianProduct"}
    return found


def test_there_are_queries() -> None:
    """The parametrised tests below would pass on an empty folder."""
    assert len(NAMES) >= 25


@pytest.mark.parametrize("name", NAMES)
def test_header_says_what_one_has_to_know(name: str) -> None:
    """What it does, what it returns, which index it uses, and an example of each parameter."""
    header, text = re.split(r"\n(?!//)", text_of(name), maxsplit=1)

    assert re.match(r"// [A-Z].{10,}", header)
    assert re.search(r"^// returns ", header, re.MULTILINE)
    assert re.search(r"^// index ", header, re.MULTILINE)
    assert set(re.findall(r"\$(\w+)", text)) - {"label"} == {key for key, _ in PARAM.findall(header)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("graph")
async def test_no_query_walks_the_whole_graph(
    driver: AsyncDriver, database: str, registry: Registry, name: str
) -> None:
    """Whatever is not in `ALLOWED`, with its reason, starts from an index."""
    plan = await plan_of(driver, database, name, filled(name, registry))

    assert faults(plan) <= ALLOWED.get(name, set())


@pytest.mark.parametrize("name", [name for name in NAMES if "lineage" in name])
@pytest.mark.usefixtures("graph")
async def test_lineage_prunes_breadth_first(driver: AsyncDriver, database: str, registry: Registry, name: str) -> None:
    """Else a diamond of n levels would cost 2^n paths; planners have lost this between versions."""
    plan = await plan_of(driver, database, name, filled(name, registry))

    assert "VarLengthExpand(Pruning,BFS,All)" in {operator(part) for part in operators(plan)}


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("MATCH (n) WHERE n.urn = 'a' RETURN n", "AllNodesScan"),
        ("MATCH (n:Entity) WHERE n.name = 'a' RETURN n", "NodeByLabelScan"),
        ("MATCH ()-[r]->() RETURN r", "DirectedAllRelationshipsScan"),
        ("MATCH ()-[r:OwnedBy]->() RETURN r", "DirectedRelationshipTypeScan"),
        ("MATCH (a:Entity), (b:Entity {urn: 'b'}) RETURN a, b", "CartesianProduct"),
    ],
)
@pytest.mark.usefixtures("graph")
async def test_a_planted_scan_is_found(driver: AsyncDriver, database: str, planted: str, fault: str) -> None:
    """The test above can fail."""
    _, summary, _ = await driver.execute_query("EXPLAIN " + planted, database_=database)  # type: ignore[arg-type]

    assert summary.plan is not None
    assert fault in faults(dict(summary.plan))
