"""The unmodified `datahub ingest` into the `datahub-rest` sink, as its documentation says to run it."""

import ast
import re
import shutil
import sqlite3
from pathlib import Path
from subprocess import CompletedProcess

import pytest

ROOT = Path(__file__).parents[2]
# Warnings that DataHub's client gives about itself, whatever the server: its sink has two settings for one thing, and
# its SQL source expects three parts in the name of a view, where SQLite's has two.
OF_THE_SINK = "but DATAHUB_EMIT_MODE is SYNC_PRIMARY"
OF_THE_SOURCE = "Failed to get default db and schema names for view"
LEVEL = re.compile(r"^\[?[\d: ,-]+\]? (?:WARNING|ERROR|CRITICAL) .*$", re.MULTILINE)
SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, größe VARCHAR(12));
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, total NUMERIC(10, 2),
  CONSTRAINT fk_orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);
CREATE VIEW open_orders AS
  SELECT orders.id, customers.name, orders.total FROM orders JOIN customers ON customers.id = orders.customer_id;
"""
REPLACED = "MATCH (v:AspectVersion) WHERE NOT v.urn STARTS WITH 'urn:li:dataHub' RETURN count(v)"
FOREIGN_KEYS = """
MATCH (from:Dataset)-[:ForeignKeyToDataset]->(to:Dataset)
RETURN collect([from.name, to.name])
"""
COLUMN_LINEAGE = """
MATCH (from:SchemaField)-[:DownstreamOf {aspect: "upstreamLineage"}]->(to:SchemaField)
WITH from.name AS down, to.name AS up ORDER BY down
RETURN collect([down, up])
"""


def report_of(done: CompletedProcess[str], of: str) -> dict:
    """One of the reports that `datahub ingest` prints, which are Python literals."""
    text = done.stdout.split(f"{of} report:\n", 1)[1]
    return ast.literal_eval(text[: text.index("}\n\n") + 1] if "}\n\n" in text else text[: text.rindex("}") + 1])


def assert_clean(done: CompletedProcess[str], source: str, *, known: tuple[str, ...] = ()) -> None:
    """Exit code 0, no failure, and no warning but the known ones of the client itself."""
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    of_source, of_sink = report_of(done, f"Source ({source})"), report_of(done, "Sink (datahub-rest)")
    assert (of_source["failures"], of_sink["failures"], of_sink["warnings"]) == ([], [], []), output
    assert [w["message"] for w in of_source["warnings"] if w["message"] not in known] == []
    lines = [line for line in LEVEL.findall(output) if not any(text in line for text in (OF_THE_SINK, *known))]
    assert lines == []
    assert "Traceback" not in output
    assert "Pipeline finished" in done.stdout
    assert known or "Pipeline finished successfully" in done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A SQLite database with a named foreign key and a view; gives the source's part of a recipe."""
    file = tmp_path_factory.mktemp("shop") / "shop.db"
    with sqlite3.connect(file) as database:
        database.executescript(SHOP)
    database.close()
    return {"type": "sqlalchemy", "config": {"platform": "sqlite", "connect_uri": f"sqlite:///{file}"}}


@pytest.fixture(scope="module")
def files(datahub, shop, tmp_path_factory):
    """A folder of MCPs by hand, MCPs by the SQLite source, and MCE snapshots by DataHub's classes."""
    folder = tmp_path_factory.mktemp("metadata")
    shutil.copy(ROOT / "examples" / "retail.json", folder)
    done = datahub.ingest(
        {"source": shop, "sink": {"type": "file", "config": {"filename": str(folder / "sqlite.json")}}}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert datahub.client("write_mce", folder / "legacy.json") == {"snapshots": 11, "aspects": 18}
    return folder


def assert_read_back(datahub, *paths):
    found = datahub.client("read_back", *sorted(paths))
    assert found["different"] == []
    return found["compared"] + found["points"]


@pytest.mark.parametrize("mode", [None, "SYNC", "ASYNC"])
def test_a_file_source_lands_whole(datahub, files, empty_graph, mode):
    """Every aspect of every kind of file is there with an equal value, whichever way the sink sends it."""
    sink = {"server": datahub.url} | ({"mode": mode} if mode else {})

    done = datahub.ingest(
        {
            "source": {"type": "file", "config": {"path": str(files)}},
            "sink": {"type": "datahub-rest", "config": sink},
        }
    )

    assert_clean(done, "file")
    assert report_of(done, "Sink (datahub-rest)")["mode"] == (mode or "ASYNC_BATCH")
    assert assert_read_back(datahub, *files.glob("*.json")) > 300


def test_a_database_lands_whole(datahub, shop, files, empty_graph, cypher):
    """The SQLite source writes straight into the service, and reads from it to resolve the tables of a view."""

    done = datahub.ingest({"source": shop, "sink": {"type": "datahub-rest", "config": {"server": datahub.url}}})

    assert_clean(done, "sqlalchemy", known=(OF_THE_SOURCE,))
    assert report_of(done, "Source (sqlalchemy)")["sql_aggregator"]["tool_meta_report"]["failures"] == []
    found = datahub.client("read_back", files / "sqlite.json")
    assert found["compared"] > 20
    for urn, aspect, earlier, now in found["different"]:  # the two runs of the source differ in their time
        assert timeless(now) == timeless(earlier), (urn, aspect)
    assert cypher(FOREIGN_KEYS) == [["orders", "customers"]]
    assert cypher(COLUMN_LINEAGE) == [["id", "id"], ["name", "name"], ["total", "total"]]


def timeless(value):
    """The value without the times at which the client's parser ran."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in ("auditStamp", "lastModified")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_a_second_run_changes_nothing(datahub, files, empty_graph, cypher):
    """`datahub ingest mcps` sends what is there already; no version is added by it."""
    first = datahub.cli("ingest", "mcps", files / "retail.json")
    assert first.returncode == 0, first.stdout + first.stderr

    second = datahub.cli("ingest", "mcps", files / "retail.json")

    assert_clean(second, "file")
    assert cypher(REPLACED) == 0
