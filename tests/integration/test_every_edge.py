"""
Every relationship annotation of the model becomes exactly its edges.

For each annotated aspect a value is made from the record types, with every annotated path filled, two items a list.
What is expected is read here from the generated `aspects.json`, not through graphsvc's own mapping. All annotated
aspects are allowed on some entity type, so DataHub's own model is enough; the two key aspects among them come with
their entity.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from neo4j import AsyncDriver

from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

FOLDER = Path(__file__).parents[2] / "graphsvc" / "graph" / "registry"
ASPECTS: dict[str, Any] = orjson.loads((FOLDER / "aspects.json").read_bytes())
ENTITIES: dict[str, Any] = orjson.loads((FOLDER / "entities.json").read_bytes())
RECORDS: dict[str, Any] = orjson.loads((FOLDER / "records.json").read_bytes())

MIRRORS = {
    "Produces": "ProducedBy",
    "DataProcessInstanceProduces": "DataProcessInstanceProducedBy",
    "UsedBy": "Uses",
    "MemberOf": "HasMember",
    "ServiceComposesApi": "ApiOfService",
}
DETAILS = ("createdOn", "createdActor", "updatedOn", "updatedActor", "properties")
ANNOTATED = sorted(name for name, raw in ASPECTS.items() if raw["relationships"])
KEYS = [name for name in ANNOTATED if "keyFor" in ASPECTS[name]]
FINE_GRAINED = {
    "fineGrainedLineages/*/upstreams/*": "schemaField",
    "fineGrainedLineages/*/downstreams/*": "schemaField",
    "fineGrainedLineages/*/query": "query",
    "fineGrainedLineages/*/transformOperation": "text",
    "fineGrainedLineages/*/confidenceScore": "score",
}
# What column lineage needs beyond the annotated paths; DataHub's schemas do not annotate it.
COLUMN_PATHS: dict[str, dict[str, str]] = {
    "upstreamLineage": {k: v for k, v in FINE_GRAINED.items() if k != "fineGrainedLineages/*/upstreams/*"},
    "dataJobInputOutput": FINE_GRAINED,
    "inputFields": {"fields/*/schemaField/fieldPath": "text"},
}

Row = tuple[str, str, str, tuple[tuple[str, Any], ...]]


class Maker:
    """Makes values of the model's shape; no URN, time or text comes twice."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def urn(self, entity_type: str) -> str:
        number = next(self._numbers)
        within = {
            "platform": "urn:li:dataPlatform:p",
            "flow": f"urn:li:dataFlow:(airflow,f{number},PROD)",
            "parent": f"urn:li:dataset:(urn:li:dataPlatform:p,t{number},PROD)",
        }
        parts = [within.get(field, f"{field}{number}") for field in ENTITIES[entity_type]["keyFields"]]
        return f"urn:li:{entity_type}:{parts[0] if len(parts) == 1 else '(' + ','.join(parts) + ')'}"

    def value(self, aspect: str) -> dict[str, Any]:
        leaves: dict[tuple[str, ...], Callable[[], Any]] = {}
        for annotation in ASPECTS[aspect]["relationships"]:
            types = iter(annotation["entityTypes"] * 100)
            leaves[tuple(annotation["path"].split("/"))] = lambda types=types: self.urn(next(types))
            for detail in (*DETAILS, "via"):
                if detail in annotation:
                    leaves[tuple(annotation[detail].split("/"))] = lambda detail=detail: self._detail(detail)
        for path, kind in COLUMN_PATHS.get(aspect, {}).items():
            leaves[tuple(path.split("/"))] = lambda kind=kind: self._detail(kind)
        return self._fill("@" + ASPECTS[aspect]["record"], leaves)

    def _detail(self, kind: str) -> Any:
        number = next(self._numbers)
        if kind in ("createdOn", "updatedOn"):
            return 1_700_000_000_000 + number
        if kind in ("createdActor", "updatedActor"):
            return f"urn:li:corpuser:actor{number}"
        if kind == "properties":
            return {f"b{number}": "2", f"a{number}": "1"}
        if kind in ("via", "query"):
            return f"urn:li:query:q{number}"
        if kind == "score":
            return 1 / number
        return self.urn("schemaField") if kind == "schemaField" else f"text{number}"

    def _fill(self, kind: Any, leaves: dict[tuple[str, ...], Callable[[], Any]]) -> Any:
        if () in leaves:
            return leaves[()]()
        if isinstance(kind, list):
            inner = {path[1:]: make for path, make in leaves.items()}
            items = [self._fill(kind[1], inner) for _ in range(2)]
            return items if kind[0] == "array" else {f"k{i}": item for i, item in enumerate(items)}
        fields = kind if isinstance(kind, dict) else RECORDS[kind[1:]]
        return {
            head: self._fill(fields[head], {p[1:]: make for p, make in leaves.items() if p[0] == head})
            for head in dict.fromkeys(path[0] for path in leaves)
        }


def places(value: Any, path: list[str], star: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each place to which a path leads: which item each `*` stands for, and what is there."""
    if not path:
        yield star, value
    elif path[0] == "*":
        for key, item in enumerate(value) if isinstance(value, list) else value.items():
            yield from places(item, path[1:], (*star, key))
    else:
        yield from places(value[path[0]], path[1:], star)


def at(value: Any, path: str, star: tuple[Any, ...]) -> Any:
    """What stands at a path whose `*`s are known."""
    keys = iter(star)
    for part in path.split("/"):
        value = value[next(keys) if part == "*" else part]
    return value


def row(edge: str, source: str, target: str, **properties: Any) -> Row:
    properties = {k: tuple(v) if isinstance(v, list) else v for k, v in properties.items()}
    return edge, source, target, tuple(sorted(properties.items()))


def declared(owner: str, aspect: str, value: dict[str, Any], seen: int) -> Iterator[Row]:
    """The edges that the annotations say, and their mirrors."""
    always = {"aspect": aspect, "declaredBy": owner, "createdOn": seen, "updatedOn": seen}
    for annotation in ASPECTS[aspect]["relationships"]:
        lineage, upstream = annotation.get("isLineage", False), annotation.get("isUpstream", True)
        for star, target in places(value, annotation["path"].split("/")):
            said = {d: at(value, annotation[d], star) for d in (*DETAILS, "via") if d in annotation}
            if "properties" in said:
                said["properties"] = sorted(f"{k}={v}" for k, v in said["properties"].items())
            flag = {"lineage": True} if lineage and upstream else {}
            yield row(annotation["name"], owner, target, **{**always, **said, **flag})
            if lineage and not upstream:
                mirror = {"lineage": True, "mirrorOf": annotation["name"]}
                yield row(MIRRORS[annotation["name"]], target, owner, **{**always, **said, **mirror})


def between_columns(owner: str, aspect: str, value: dict[str, Any], seen: int) -> Iterator[Row]:
    """The edges between columns, which no annotation says."""
    always = {"aspect": aspect, "declaredBy": owner, "createdOn": seen, "updatedOn": seen, "lineage": True}
    if aspect == "inputFields":
        for field in value["fields"]:
            own = f"urn:li:schemaField:({owner},{field['schemaField']['fieldPath']})"
            yield row("DownstreamOf", own, field["schemaFieldUrn"], **always)
    elif aspect in COLUMN_PATHS:
        for entry in value["fineGrainedLineages"]:
            said = {k: entry[k] for k in ("transformOperation", "confidenceScore")} | {"via": entry["query"]}
            for down in entry["downstreams"]:
                for up in entry["upstreams"]:
                    if up.startswith("urn:li:schemaField:"):
                        yield row("DownstreamOf", down, up, **{**always, **said})


def expected(owner: str, aspect: str, value: dict[str, Any], seen: int) -> list[Row]:
    return sorted((*declared(owner, aspect, value, seen), *between_columns(owner, aspect, value, seen)), key=repr)


async def edges_in(driver: AsyncDriver, database: str) -> list[Row]:
    """Every edge between entities, but for those of key aspects."""
    text = (
        "MATCH (s:Entity)-[e]->(t:Entity) RETURN type(e) AS type, s.urn AS source, t.urn AS target, properties(e) AS p"
    )
    records, _, _ = await driver.execute_query(text, database_=database)
    assert all(r["p"].pop("since") > 1_700_000_000_000 for r in records)  # the clock of the write
    found = [row(r["type"], r["source"], r["target"], **r["p"]) for r in records]
    keys = {raw["keyAspect"] for raw in ENTITIES.values()}
    return sorted((r for r in found if dict(r[3])["aspect"] not in keys), key=repr)


async def entities_in(driver: AsyncDriver, database: str) -> dict[str, bool]:
    """URN -> whether the entity is only referred to."""
    text = "MATCH (e:Entity) RETURN e.urn AS urn, coalesce(e.referencedOnly, false) AS only"
    records, _, _ = await driver.execute_query(text, database_=database)
    return {record["urn"]: record["only"] for record in records}


def ends(rows: list[Row]) -> set[str]:
    return {end for _, source, target, _ in rows for end in (source, target)}


def owner_of(aspect: str) -> str:
    allowed = [n for n, raw in ENTITIES.items() if aspect in raw["aspects"] or raw["keyAspect"] == aspect]
    assert allowed, f"{aspect} is allowed on no entity type"
    return Maker().urn(min(allowed))


async def ingested(service: IngestService, proposal: Proposal) -> Applied:
    (answer,) = await service.ingest([proposal])
    assert isinstance(answer, Applied), answer
    return answer


def test_every_annotation_is_put_to_the_test() -> None:
    """The values hold at least one target for each of the 149 annotations, two where the path passes a list."""
    annotations = [(name, a) for name in ANNOTATED for a in ASPECTS[name]["relationships"]]
    values = {name: Maker().value(name) for name in ANNOTATED}

    assert (len(ANNOTATED), len(annotations), KEYS) == (75, 149, ["dataJobKey", "mlFeatureTableKey"])
    for name, annotation in annotations:
        found = [target for _, target in places(values[name], annotation["path"].split("/"))]
        assert len(set(found)) == 2 ** annotation["path"].split("/").count("*")
        assert all(target.startswith("urn:li:") for target in found)


@pytest.mark.parametrize("aspect", [name for name in ANNOTATED if name not in KEYS])
async def test_an_aspect_declares_exactly_its_edges(
    graph: AsyncDriver, database: str, service: IngestService, aspect: str
) -> None:
    """Written: all edges with all properties, no other. Replaced: the new ones only. Deleted: none, nor their ends."""
    owner, maker = owner_of(aspect), Maker()
    first, second = maker.value(aspect), maker.value(aspect)

    await ingested(service, proposal_of(owner, aspect, first, system_metadata={"lastObserved": 111}))
    wanted = expected(owner, aspect, first, 111)
    assert await edges_in(graph, database) == wanted
    there = await entities_in(graph, database)
    assert all(there[end] for end in ends(wanted) - {owner})
    assert not there[owner]

    await ingested(service, proposal_of(owner, aspect, second, system_metadata={"lastObserved": 222}))
    wanted_now = expected(owner, aspect, second, 222)
    assert await edges_in(graph, database) == wanted_now
    there = await entities_in(graph, database)
    assert there.keys() >= ends(wanted_now)
    assert there.keys().isdisjoint(ends(wanted) - {owner})

    await ingested(service, Proposal(entity_urn=owner, aspect_name=aspect, change_type="DELETE"))
    assert await edges_in(graph, database) == []
    there = await entities_in(graph, database)
    assert there.keys().isdisjoint(ends(wanted_now) - {owner})
    assert not there[owner]


@pytest.mark.parametrize("aspect", KEYS)
async def test_a_key_declares_its_edge_as_long_as_the_entity_is_there(
    graph: AsyncDriver, database: str, service: IngestService, aspect: str
) -> None:
    """The key comes with any first aspect and goes with the entity, and so does what it points to."""
    owner = owner_of(aspect)
    (annotation,) = ASPECTS[aspect]["relationships"]
    target = "urn:li:dataFlow:(airflow,f1,PROD)" if aspect == "dataJobKey" else "urn:li:dataPlatform:p"
    text = "MATCH (:Entity {urn: $urn})-[e {aspect: $aspect}]->(t) RETURN type(e) AS type, t.urn AS urn, e{.*} AS p"

    await ingested(service, proposal_of(owner, "status", {"removed": False}, system_metadata={"lastObserved": 111}))
    records, _, _ = await graph.execute_query(text, urn=owner, aspect=aspect, database_=database)
    assert [(r["type"], r["urn"]) for r in records] == [(annotation["name"], target)]
    since = records[0]["p"]["since"]
    assert records[0]["p"] == {
        "aspect": aspect,
        "declaredBy": owner,
        "createdOn": 111,
        "updatedOn": 111,
        "since": since,
    }

    await ingested(service, Proposal(entity_urn=owner, aspect_name=aspect, change_type="DELETE"))
    assert await entities_in(graph, database) == {}


async def test_details_that_change_are_changed_on_the_edge(
    graph: AsyncDriver, database: str, service: IngestService
) -> None:
    """The same targets with other times, actors and properties: the same edges, saying the new."""
    aspect, owner, maker = "dataJobInputOutput", owner_of("dataJobInputOutput"), Maker()
    first, other = maker.value(aspect), maker.value(aspect)
    second = orjson.loads(orjson.dumps(first))
    for field in ("inputDatasetEdges", "outputDatasetEdges", "inputDatajobEdges"):
        for edge, details in zip(second[field], other[field], strict=True):
            edge |= {key: text for key, text in details.items() if key != "destinationUrn"}
    text = "MATCH ()-[e {aspect: $aspect}]->() RETURN collect(elementId(e)) AS ids"

    await ingested(service, proposal_of(owner, aspect, first, system_metadata={"lastObserved": 111}))
    before, _, _ = await graph.execute_query(text, aspect=aspect, database_=database)
    await ingested(service, proposal_of(owner, aspect, second, system_metadata={"lastObserved": 222}))
    after, _, _ = await graph.execute_query(text, aspect=aspect, database_=database)

    assert await edges_in(graph, database) == expected(owner, aspect, second, 111)
    assert set(before[0]["ids"]) == set(after[0]["ids"])
