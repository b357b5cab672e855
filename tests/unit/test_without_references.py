"""What is left of an aspect when an entity is taken out of it."""

from copy import deepcopy
from typing import Any

import pytest

from graphsvc.graph.registry import load_registry
from graphsvc.ingest.mapping import edges_of
from graphsvc.ingest.references import without
from graphsvc.urn import parse_urn

REGISTRY = load_registry()
TAG, KIND, ADA, BOB = "urn:li:tag:pii", "urn:li:ownershipType:mine", "urn:li:corpuser:ada", "urn:li:corpuser:bob"
T = "urn:li:dataset:(urn:li:dataPlatform:hive,t,PROD)"
COLUMN = f"urn:li:schemaField:({T},a)"
OTHER = f"urn:li:schemaField:({T},b)"
OWNERS = {"owners": [{"owner": ADA, "type": "CUSTOM", "typeUrn": KIND}, {"owner": BOB, "type": "NONE"}]}


@pytest.mark.parametrize(
    ("aspect", "value", "urn", "left"),
    [
        ("globalTags", {"tags": [{"tag": TAG}, {"tag": "urn:li:tag:b"}]}, TAG, {"tags": [{"tag": "urn:li:tag:b"}]}),
        ("globalTags", {"tags": [{"tag": TAG}]}, TAG, {"tags": []}),
        (
            "domains",
            {"domains": ["urn:li:domain:a", "urn:li:domain:b"]},
            "urn:li:domain:a",
            {"domains": ["urn:li:domain:b"]},
        ),
        ("ownership", OWNERS, ADA, {"owners": OWNERS["owners"][1:]}),
        ("ownership", OWNERS, KIND, {"owners": [{"owner": ADA, "type": "CUSTOM"}, OWNERS["owners"][1]]}),
        ("container", {"container": "urn:li:container:a"}, "urn:li:container:a", {}),
        (
            "glossaryTermInfo",
            {"definition": "A word.", "termSource": "INTERNAL", "parentNode": "urn:li:glossaryNode:a"},
            "urn:li:glossaryNode:a",
            {"definition": "A word.", "termSource": "INTERNAL"},
        ),
        (
            "editableSchemaMetadata",
            {"editableSchemaFieldInfo": [{"fieldPath": "a", "globalTags": {"tags": [{"tag": TAG}]}}]},
            TAG,
            {"editableSchemaFieldInfo": [{"fieldPath": "a", "globalTags": {"tags": []}}]},
        ),
        (
            "upstreamLineage",
            {"upstreams": [], "fineGrainedLineages": [{"upstreams": [COLUMN, OTHER], "downstreams": [OTHER]}]},
            COLUMN,
            {"upstreams": [], "fineGrainedLineages": [{"upstreams": [OTHER], "downstreams": [OTHER]}]},
        ),
        (
            "assertionInfo",
            {"type": "DATASET", "datasetAssertion": {"dataset": T, "scope": "DATASET_ROWS"}},
            T,
            {"type": "DATASET"},
        ),
    ],
)
def test_only_what_needs_the_entity_goes(aspect: str, value: dict[str, Any], urn: str, left: dict[str, Any]) -> None:
    """An optional field alone, else the item of a list, else the field, and an aspect that is nothing else."""
    spec = REGISTRY.aspects[aspect]
    before = deepcopy(value)

    found = without(value, spec, urn)

    assert found == left
    assert value == before
    assert urn not in {edge.target for edge in edges_of(parse_urn(T), spec, found, 1000)}


@pytest.mark.parametrize("value", [{}, {"tags": None}, {"tags": []}, {"tags": [{}, {"tag": None}]}])
def test_what_is_absent_is_no_reference(value: dict[str, Any]) -> None:
    """Nothing is taken where nothing is."""
    assert without(value, REGISTRY.aspects["globalTags"], TAG) == value
