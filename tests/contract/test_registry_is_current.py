"""The shipped model is the one of the pinned DataHub package."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-datahub" / "bin" / "python"
REGISTRY = ROOT / "graphsvc" / "graph" / "registry"
SCHEMAS = ROOT / "graphsvc" / "ingest" / "schemas"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry's files, made again from the installed package."""
    if not PYTHON.exists():
        pytest.fail("DataHub's package is not installed in .venv-datahub: run `make test`")
    target = tmp_path_factory.mktemp("registry")
    script = ROOT / "scripts" / "build_registry.py"
    done = subprocess.run([PYTHON, script, target, target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.parametrize("name", ["entities.json", "aspects.json", "records.json"])
def test_the_shipped_file_is_what_the_script_writes(rebuilt: Path, name: str) -> None:
    """Nobody edits the generated model by hand, and it belongs to the version of the package that is pinned."""
    shipped, made = (REGISTRY / name).read_bytes(), (rebuilt / name).read_bytes()

    assert made == shipped, f"{name} is not current: run `make registry`"


def test_the_schemas_of_kafka_records_are_what_the_script_writes(rebuilt: Path) -> None:
    """Without more or fewer of them."""
    shipped = {file.name: file.read_bytes() for file in SCHEMAS.glob("*.avsc")}

    assert shipped == {file.name: file.read_bytes() for file in rebuilt.glob("*.avsc")}
    assert len(shipped) == 4
