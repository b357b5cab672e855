"""Documents as DataHub's public documentation, its UI and its SDK write them, over the example metadata."""

import json
from pathlib import Path

import httpx
import orjson
import pytest

from tests.conftest import ROOT

FOLDER = Path(__file__).parent / "documents"
NAMES = sorted(path.stem for path in FOLDER.glob("*.graphql"))
CLI = ("dataset_name", "glossary_roots", "app_config", "search_across_lineage")  # those without variables


@pytest.fixture(scope="module")
def example(emptied, datahub):
    """The example, and `metadata.json` with the aspects that it does not have."""
    for file in (ROOT / "examples" / "retail.json", FOLDER / "metadata.json"):
        sink = {"type": "datahub-rest", "config": {"server": datahub.url}}
        done = datahub.ingest({"source": {"type": "file", "config": {"path": str(file)}}, "sink": sink})
        assert done.returncode == 0, done.stdout + done.stderr


def expected(name: str) -> dict:
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())


def test_there_are_documents():
    """Each with its answer."""
    assert len(NAMES) >= 60
    assert {path.stem for path in FOLDER.glob("*.json")} == {*NAMES, "metadata"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("example")
def test_document_is_answered(served, name):
    """Unchanged, without an error, and with what the example says."""
    wanted = expected(name)
    body = {"query": (FOLDER / f"{name}.graphql").read_text(encoding="utf-8"), "variables": wanted.get("variables", {})}

    answer = httpx.post(f"{served.url}/api/graphql", json=body, timeout=60, trust_env=False).json()

    assert answer == {"data": wanted["data"]}


@pytest.mark.usefixtures("example")
def test_datahubs_client_sends_them(datahub):
    """`DataHubGraph.execute_graphql` gets the same answers, to every one of them."""
    found = datahub.client("documents", FOLDER)

    assert found == {name: expected(name)["data"] for name in NAMES}


@pytest.mark.parametrize("name", CLI)
@pytest.mark.usefixtures("example")
def test_datahubs_command_line_sends_them(datahub, name):
    """`datahub graphql --query FILE --format json`."""
    done = datahub.cli("graphql", "--query", FOLDER / f"{name}.graphql", "--format", "json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == expected(name)["data"]
