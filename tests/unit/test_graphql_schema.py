"""The GraphQL schema as text, and the names in it."""

import re

import pytest

from graphsvc.api.graphql.entity import GenericEntity, class_of, entity_of
from graphsvc.api.graphql.names import enum_name, type_name
from graphsvc.api.graphql.schema import SDL, sdl
from graphsvc.api.graphql.types import SHARED
from graphsvc.graph.registry import load_registry

ENTITIES = load_registry().entities


def fields_of(graphql_type: str) -> set[str]:
    """Names of a type's fields in the checked-in text."""
    body = re.search(
        rf"^type {graphql_type} .*?\{{\n(.*?)^\}}", SDL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert body is not None
    return set(re.findall(r"^  (\w+)[(:]", body[1], re.MULTILINE))


def test_checked_in_schema_is_the_schema() -> None:
    """A change of the API shows in the diff; `python -m graphsvc.api.graphql.schema` writes the file."""
    assert SDL.read_text(encoding="utf-8") == sdl()


@pytest.mark.parametrize("name", ENTITIES)
def test_every_shipped_entity_type_has_a_graphql_type(name: str) -> None:
    """With a name of its own, so that no fragment on it has to be rewritten later."""
    assert class_of(name) is not GenericEntity
    assert re.search(
        rf"^type {type_name(name)} implements (\w+ & )*Entity\b", SDL.read_text(encoding="utf-8"), re.MULTILINE
    )


@pytest.mark.parametrize("name", ENTITIES)
def test_a_type_shows_exactly_the_shared_aspects_it_can_have(name: str) -> None:
    """What the model allows is there, and nothing else. The `status` of users and data contracts is something else."""
    other = {"status"} if name in {"corpuser", "dataContract"} else set()
    allowed = {a for a in SHARED if a in ENTITIES[name].aspects} - other

    shown = {aspect for aspect, cls in SHARED.items() if issubclass(class_of(name), cls)}

    assert shown == allowed


@pytest.mark.parametrize(
    ("entity_type", "enum", "graphql_type"),
    [
        ("dataset", "DATASET", "Dataset"),
        ("dataJob", "DATA_JOB", "DataJob"),
        ("corpuser", "CORP_USER", "CorpUser"),
        ("corpGroup", "CORP_GROUP", "CorpGroup"),
        ("mlModel", "MLMODEL", "MLModel"),
        ("mlModelGroup", "MLMODEL_GROUP", "MLModelGroup"),
        ("mlFeatureTable", "MLFEATURE_TABLE", "MLFeatureTable"),
        ("mlPrimaryKey", "MLPRIMARY_KEY", "MLPrimaryKey"),
        ("dataHubView", "DATAHUB_VIEW", "DataHubView"),
        ("dataHubIngestionSource", "INGESTION_SOURCE", "IngestionSource"),
        ("erModelRelationship", "ER_MODEL_RELATIONSHIP", "ERModelRelationship"),
        ("schemaField", "SCHEMA_FIELD", "SchemaFieldEntity"),
        ("ownershipType", "CUSTOM_OWNERSHIP_TYPE", "OwnershipTypeEntity"),
        ("query", "QUERY", "QueryEntity"),
    ],
)
def test_names_are_datahubs(entity_type: str, enum: str, graphql_type: str) -> None:
    """Also where they do not follow from the entity type."""
    assert enum_name(entity_type) == enum
    assert type_name(entity_type) == graphql_type


def test_enum_names_are_distinct() -> None:
    """Or one type would hide another."""
    assert len({enum_name(name) for name in ENTITIES}) == len(ENTITIES)
    assert len({type_name(name) for name in ENTITIES}) == len(ENTITIES)


def test_a_type_that_no_model_knows_is_generic() -> None:
    """It says which type it is in `typeName`; the enum cannot know it."""
    found = entity_of("urn:li:unheardOf:a")

    assert type(found) is GenericEntity
    assert found.type.name == "OTHER"
    assert found.type_text == "unheardOf"


def test_dataset_answers_what_datahubs_does() -> None:
    """The main fields, by DataHub's names."""
    wanted = """
        urn type name exists properties editableProperties ownership tags glossaryTerms domain container platform
        dataPlatformInstance schemaMetadata status deprecation institutionalMemory subTypes viewProperties relationships
        lineage aspects
    """

    assert fields_of("Dataset") >= set(wanted.split())
