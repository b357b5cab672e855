"""The query of each entity type, over an entity with every aspect that the model allows on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import strawberry
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument
from neo4j import AsyncDriver

from graphsvc.api.graphql.names import graphql_name, query_name, type_name
from graphsvc.api.graphql.schema import build_schema
from graphsvc.config import GraphqlSettings, IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry, load_registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.conftest import Neo4jServer, empty
from tests.integration.asking import Ask, asking

REGISTRY = load_registry()
SETTINGS = GraphqlSettings.model_validate({
    "max_tokens": 100_000, "max_aliases": 10_000, "max_depth": 50, "max_cost": 10**9
})  # fmt: skip
SOMEONE = "urn:li:corpuser:someone"
DEPTH = 3
PLAIN: dict[str, Any] = {
    "string": SOMEONE, "enum": "X", "bytes": "b", "fixed": "f", "int": 3, "long": 2**40, "float": 0.5, "double": 0.25,
    "boolean": True,
}  # fmt: skip
MODEL = """
entities:
  sensor:
    keyFields: [site, id]
    aspects: [sensorInfo, sensorReading, ownership, status]
  owner:
    aspects: [status]
  dataset:
    aspects: [sensorFeed, name]
aspects:
  sensorInfo:
    searchable: [{path: label, fieldType: WORD_GRAM, isName: true}]
    relationships: [{path: hall, name: StandsIn}]
  sensorReading: {timeseries: true}
  sensorFeed:
    relationships: [{path: sensors/*/urn, name: FedBy, entityTypes: [sensor], isLineage: true}]
  name: {}
"""
SENSOR, HALL = "urn:li:sensor:(hall-3,42)", "urn:li:container:hall-3"
TABLE = "urn:li:dataset:(urn:li:dataPlatform:hive,readings,PROD)"


def urn_of(entity_type: str) -> str:
    """A URN with as many parts as the key has."""
    urns = {"platform": "urn:li:dataPlatform:p", "flow": "urn:li:dataFlow:(airflow,f,prod)", "parent": TABLE}
    parts = [urns.get(field, f"k{index}") for index, field in enumerate(key_fields(entity_type))]
    return f"urn:li:{entity_type}:{parts[0] if len(parts) == 1 else '(' + ','.join(parts) + ')'}"


def key_fields(entity_type: str) -> tuple[str, ...]:
    return REGISTRY.entities[entity_type].key_fields


def sample(kind: Any, depth: int) -> Any:
    """A value of one of the model's types; records within records end at some depth."""
    if isinstance(kind, dict):
        name, member = next(iter(kind.items()))
        return {name: sample(member, depth)}
    if isinstance(kind, list):
        inner = sample(kind[1], depth)
        return {"k": inner} if kind[0] == "map" else [inner]
    if not kind.startswith("@"):
        return PLAIN[kind]
    fields = REGISTRY.records[kind[1:]]
    return {name: sample(inner, depth - 1) for name, inner in fields.items()} if depth else {}


def value_of(aspect: str) -> dict[str, Any]:
    value: dict[str, Any] = sample("@" + REGISTRY.aspects[aspect].record, DEPTH)
    return value


def proposals() -> Iterator[Proposal]:
    for name, spec in REGISTRY.entities.items():
        if spec.aspects == {spec.key_aspect}:
            yield proposal_of(urn_of(name), spec.key_aspect, {"id": "k0"})
        for aspect in sorted(spec.aspects - {spec.key_aspect}):
            if REGISTRY.aspects[aspect].record in REGISTRY.records:
                value = value_of(aspect) | ({"removed": False} if aspect == "status" else {})
                yield proposal_of(urn_of(name), aspect, value)


@pytest.fixture(scope="module")
async def everything(driver: AsyncDriver, database: str, service: IngestService) -> None:
    await empty(driver, database)
    answers = await service.ingest(list(proposals()))
    assert [answer for answer in answers if not isinstance(answer, Applied)] == []


@pytest.fixture(scope="module")
def ask(reader: Reader, registry: Registry) -> Ask:
    return asking(reader, registry, SETTINGS)


@pytest.fixture(scope="module")
def schema() -> strawberry.Schema:
    return build_schema(SETTINGS)


def selection(cls: Any, depth: int) -> str:
    """Everything that can be selected without arguments, as deep as that."""
    found = ["__typename"]
    for name, field in cls.fields.items():
        inner = get_named_type(field.type)
        if not selectable(field):
            continue
        if is_leaf_type(inner):
            found.append(name)
        elif depth and isinstance(inner, GraphQLObjectType):
            found.append(f"{name} {{ {selection(inner, depth - 1)} }}")
        elif depth:
            found.append(f"{name} {{ __typename }}")
    return " ".join(found)


def selectable(field: GraphQLField) -> bool:
    return not any(is_required_argument(argument) for argument in field.args.values())


@pytest.mark.parametrize("name", REGISTRY.entities)
@pytest.mark.usefixtures("everything")
async def test_typed_query_answers_everything(ask: Ask, schema: strawberry.Schema, name: str) -> None:
    """No field of the type fails, and each aspect that has a type made from its record shows what was sent."""
    cls = schema._schema.type_map[type_name(name)]
    assert isinstance(cls, GraphQLObjectType)
    urn = urn_of(name)

    text = f"query ($urn: String!) {{ it: {query_name(name)}(urn: $urn) {{ {selection(cls, 2)} }} }}"

    found = (await ask(text, urn=urn))["it"]

    assert (found["__typename"], found["urn"], found["typeName"], found["exists"]) == (type_name(name), urn, name, True)
    for aspect in REGISTRY.entities[name].aspects - {REGISTRY.entities[name].key_aspect}:
        field = graphql_name(aspect)
        assert field in cls.fields, f"{name}.{aspect} has no field"
        made = (f"The aspect `{aspect}`.", f"Points of the aspect `{aspect}`, newest first.")
        if cls.fields[field].description in made:
            shown = found[field][0] if REGISTRY.aspects[aspect].timeseries else found[field]
            sent = {key: value for key, value in value_of(aspect).items() if _is_plain(cls.fields[field], key, value)}
            assert {key: shown[key] for key in sent} == sent


def _is_plain(field: GraphQLField, key: str, value: Any) -> bool:
    """Whether a value of a record is shown as it was sent; DataHub shows some URNs as entities."""
    of = get_named_type(field.type)
    leaf = not isinstance(of, GraphQLObjectType) or is_leaf_type(get_named_type(of.fields[key].type))
    return leaf and not isinstance(value, dict | list)


@pytest.mark.usefixtures("everything")
async def test_whoever_asks_may_do_everything(ask: Ask) -> None:
    """As DataHub's documents ask for it, of what can be owned."""
    kinds = ["dataset", "chart", "dashboard", "dataJob", "dataFlow", "container", "domain", "glossaryTerm", "mlModel"]
    asked = "privileges { canEditLineage canEditQueries canManageEntity canViewDatasetUsage }"
    parts = [f"... on {type_name(kind)} {{ {asked} }}" for kind in kinds]

    text = f"query ($urns: [String!]!) {{ entities(urns: $urns) {{ {' '.join(parts)} }} }}"

    found = (await ask(text, urns=[urn_of(kind) for kind in kinds]))["entities"]
    assert [set(entity["privileges"].values()) for entity in found] == [{True}] * len(kinds)


async def test_whoever_asks_may_manage_what_there_is(ask: Ask) -> None:
    """Metadata they may write; tokens, secrets and runs there are none."""
    text = "{ me { corpUser { urn } platformPrivileges { manageTags manageGlossaries manageTokens manageIngestion } } }"

    me = (await ask(text))["me"]

    assert me["platformPrivileges"] == {
        "manageTags": True,
        "manageGlossaries": True,
        "manageTokens": False,
        "manageIngestion": False,
    }


@pytest.mark.usefixtures("everything")
async def test_connections_come_from_the_model(ask: Ask) -> None:
    """One per relationship that the type may declare, with a total and pages."""
    data = await ask(
        """query ($urn: String!) { dataset(urn: $urn) {
             ownedBy(count: 0) { total relationships { type } }
             all: relationships(input: {direction: OUTGOING, types: ["OwnedBy"]}) {
               total relationships { entity { urn } }
             }
           } }""",
        urn=urn_of("dataset"),
    )

    assert data["dataset"]["ownedBy"] == {"total": data["dataset"]["all"]["total"], "relationships": []}
    assert data["dataset"]["all"]["relationships"][0]["entity"]["urn"] == SOMEONE


@pytest.fixture
async def own(
    driver: AsyncDriver, database: str, neo4j_server: Neo4jServer, tmp_path: Path
) -> AsyncIterator[tuple[Ask, Registry]]:
    """A model with types and aspects of its own, and a graph with some of them."""
    file = tmp_path / "model.yaml"
    file.write_text(MODEL, encoding="utf-8")
    registry = load_registry(file)
    await empty(driver, database)
    neo4j = Neo4jSettings(uri=neo4j_server.uri, database=database)
    service = IngestService(driver, registry, neo4j, IngestSettings(), LimitSettings())
    answers = await service.ingest([
        proposal_of(SENSOR, "sensorInfo", {"label": "Oven", "hall": HALL}),
        proposal_of(SENSOR, "sensorReading", {"timestampMillis": 5, "celsius": 180}),
        proposal_of(SENSOR, "ownership", {"owners": [{"owner": SOMEONE, "type": "DATAOWNER"}]}),
        proposal_of("urn:li:owner:x", "status", {"removed": False}),
        proposal_of(TABLE, "sensorFeed", {"sensors": [{"urn": SENSOR}]}),
        proposal_of(TABLE, "name", {"short": "r"}),
    ])  # fmt: skip
    assert all(isinstance(answer, Applied) for answer in answers)
    yield asking(Reader(driver, database, 30.0, registry), registry, SETTINGS), registry
    await empty(driver, database)


async def test_a_model_file_has_types_of_its_own(own: tuple[Ask, Registry]) -> None:
    """Queries, fields and connections for its entity types and aspects; names that are taken get another."""
    ask, _ = own
    data = await ask(
        """query ($sensor: String!, $table: String!, $owner: String!) {
          sensor(urn: $sensor) {
            __typename urn type typeName name sensorInfo sensorReading(startTimeMillis: 1) sensorKey
            ownership { owners { owner { urn } } } status { removed }
            standsIn { total relationships { type entity { urn } } }
          }
          dataset(urn: $table) {
            name nameAspect sensorFeed fedBy { relationships { entity { __typename ... on Sensor { sensorInfo } } } }
          }
          owner(urn: $owner) { __typename status { removed } }
          lineage(urn: $table, direction: UPSTREAM) { nodes { entity { __typename name } } }
          entity(urn: $sensor) { ... on Sensor { name } }
        }""",
        sensor=SENSOR,
        table=TABLE,
        owner="urn:li:owner:x",
    )

    info = {"label": "Oven", "hall": HALL}
    assert data["sensor"] == {
        "__typename": "Sensor", "urn": SENSOR, "type": "OTHER", "typeName": "sensor", "name": "Oven",
        "sensorInfo": info,
        "sensorReading": [{"timestampMillis": 5, "celsius": 180}], "sensorKey": {"site": "hall-3", "id": "42"},
        "ownership": {"owners": [{"owner": {"urn": SOMEONE}}]}, "status": None,
        "standsIn": {"total": 1, "relationships": [{"type": "StandsIn", "entity": {"urn": HALL}}]},
    }  # fmt: skip
    assert data["dataset"] == {
        "name": "readings", "nameAspect": {"short": "r"}, "sensorFeed": {"sensors": [{"urn": SENSOR}]},
        "fedBy": {"relationships": [{"entity": {"__typename": "Sensor", "sensorInfo": info}}]},
    }  # fmt: skip
    assert data["owner"] == {"__typename": "OwnerEntity", "status": {"removed": False}}
    assert data["lineage"] == {"nodes": [{"entity": {"__typename": "Sensor", "name": "Oven"}}]}
    assert data["entity"] == {"name": "Oven"}


@pytest.mark.usefixtures("own")
async def test_without_its_model_a_type_is_generic(reader: Reader, registry: Registry) -> None:
    """A graph may hold entities of a model that this service was not started with."""
    data = await asking(reader, registry, SETTINGS)(
        "query ($urn: String!) { entity(urn: $urn) { __typename typeName name } }", urn=SENSOR
    )

    assert data["entity"] == {"__typename": "GenericEntity", "typeName": "sensor", "name": "Oven"}


def test_samples_are_records() -> None:
    """The generator above reaches the records within records."""
    assert orjson.dumps(value_of("ownership")).count(b"urn:li:corpuser:someone") > 3
