"""Documents say what is true of the program."""

import re
import subprocess
import sys
from pathlib import Path

from graphsvc.graph.registry import load_registry

ROOT = Path(__file__).parents[2]


def test_the_settings_page_is_current() -> None:
    """docs/settings.md is what scripts/settings_doc.py prints."""
    printed = subprocess.run(
        [sys.executable, "scripts/settings_doc.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert (ROOT / "docs" / "settings.md").read_text() == printed


def test_the_model_page_shows_a_model_that_loads(tmp_path: Path) -> None:
    """The YAML in docs/model.md is accepted, and gives what the page says it does."""
    page = (ROOT / "docs" / "model.md").read_text()
    shown = re.search(r"^    entities:\n(?:    .*\n)+", page, re.MULTILINE)
    assert shown is not None
    file = tmp_path / "factory.yaml"
    file.write_text("\n".join(line[4:] for line in shown.group().splitlines()))

    registry = load_registry(file)

    assert registry.entities["sensor"].key_fields == ("site", "id")
    assert registry.entities["sensor"].naming == ("sensorInfo", (("label",),))
    assert "sensorFeed" in registry.entities["dataset"].aspects
    assert "FedBy" in registry.lineage_types


def test_every_decision_is_listed() -> None:
    """docs/adr/README.md links to each decision, and each link leads somewhere."""
    folder = ROOT / "docs" / "adr"
    linked = set(re.findall(r"\((\d{4}-[a-z-]+\.md)\)", (folder / "README.md").read_text()))

    assert linked == {file.name for file in folder.glob("0*.md")}
