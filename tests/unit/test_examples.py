"""The example metadata: generated, complete, and small enough to read."""

import json
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMESERIES = {"datasetProfile", "operation"}
LINEAGE = {
    "upstreamLineage",
    "dataJobInputOutput",
    "chartInfo",
    "dashboardInfo",
    "mlFeatureProperties",
    "mlModelProperties",
    "inputFields",
}


@pytest.fixture(scope="module")
def proposals() -> list[dict[str, Any]]:
    return json.loads((EXAMPLES / "retail.json").read_text(encoding="utf-8"))


def urns_in(value: Any) -> Iterator[str]:
    """Every string in a JSON value which is a URN."""
    if isinstance(value, str) and value.startswith("urn:li:"):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from urns_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from urns_in(item)


def columns(proposals: list[dict[str, Any]]) -> set[str]:
    """URNs of all columns which some aspect describes: of a table, or shown by a chart."""
    fields = set()
    for item in proposals:
        value = item["aspect"]["json"]
        if item["aspectName"] == "schemaMetadata":
            found = value["fields"]
        elif item["aspectName"] == "inputFields":
            found = [field["schemaField"] for field in value["fields"]]
        else:
            continue
        fields |= {f"urn:li:schemaField:({item['entityUrn']},{field['fieldPath']})" for field in found}
    return fields


def test_the_file_is_what_the_script_writes() -> None:
    """Nobody edits retail.json by hand: `python examples/build_retail.py` makes it, always the same."""
    script = runpy.run_path(str(EXAMPLES / "build_retail.py"))

    written = script["render"](script["build"]())

    assert (EXAMPLES / "retail.json").read_text(encoding="utf-8") == written


def test_each_versioned_aspect_is_there_once(proposals: list[dict[str, Any]]) -> None:
    """Loading the file makes version 1 of everything, whatever the order."""
    keys = Counter((p["entityUrn"], p["aspectName"]) for p in proposals if p["aspectName"] not in TIMESERIES)

    assert [key for key, times in keys.items() if times > 1] == []


def test_it_is_worth_looking_at_but_not_big(proposals: list[dict[str, Any]]) -> None:
    """Some 75 entities of many types, less than 400 kB."""
    entities = {p["entityUrn"] for p in proposals}

    assert 60 <= len(entities) <= 80
    assert len({urn.split(":")[2] for urn in entities}) >= 15
    assert (EXAMPLES / "retail.json").stat().st_size < 400_000


def test_lineage_leads_to_described_entities_and_columns(proposals: list[dict[str, Any]]) -> None:
    """No end of a lineage edge is left hanging: its entity is in the file, its column in a schema."""
    described = {p["entityUrn"] for p in proposals} | columns(proposals)

    hanging = {
        urn
        for p in proposals
        if p["aspectName"] in LINEAGE
        for urn in urns_in(p["aspect"]["json"])
        if urn not in described
    }

    assert hanging == set()


def test_only_the_owner_who_left_is_unknown(proposals: list[dict[str, Any]]) -> None:
    """One dangling reference, on purpose: the favourites have something to find."""
    described = {p["entityUrn"] for p in proposals} | columns(proposals)

    unknown = {urn for p in proposals for urn in urns_in(p["aspect"]["json"])} - described

    assert unknown == {"urn:li:corpuser:jonas.weber"}
