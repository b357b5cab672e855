"""`datahub lineage`, over tables, columns and paths, as analysts type it."""

import json

import httpx
import pytest


def table(name):
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def column(name, path):
    return f"urn:li:schemaField:({table(name)},{path})"


JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,prod),report)"
QUERY = "urn:li:query:q1"


def proposal_of(urn, aspect, value):
    return {"entityUrn": urn, "aspectName": aspect, "aspect": {"json": value}}


def made_from(down, up):
    """The table and its column `id` come from another's."""
    fine = {
        "upstreamType": "FIELD_SET", "upstreams": [column(up, "id")],
        "downstreamType": "FIELD", "downstreams": [column(down, "id")], "confidenceScore": 1.0, "query": QUERY,
    }  # fmt: skip
    edge = {"dataset": table(up), "type": "TRANSFORMED", "auditStamp": {"time": 0, "actor": "urn:li:corpuser:x"}}
    return proposal_of(table(down), "upstreamLineage", {"upstreams": [edge], "fineGrainedLineages": [fine]})


@pytest.fixture(scope="module")
def chain(emptied, served):
    """raw -> stage -> mart -> a job -> report; gone was made from raw and is soft-deleted."""
    proposals = [
        made_from("stage", "raw"),
        made_from("mart", "stage"),
        made_from("gone", "raw"),
        proposal_of(table("gone"), "status", {"removed": True}),
        proposal_of(JOB, "dataJobInfo", {"name": "report job", "type": {"string": "COMMAND"}}),
        proposal_of(JOB, "dataJobInputOutput", {"inputDatasets": [table("mart")], "outputDatasets": [table("report")]}),
        *(
            proposal_of(table(name), "datasetProperties", {"name": name, "description": "d"})
            for name in ("raw", "stage", "mart", "report")
        ),
    ]
    httpx.post(f"{served.url}/ingest", json=proposals, trust_env=False).raise_for_status()


@pytest.fixture
def lineage(chain, datahub):
    """What `datahub lineage … --format json` prints."""

    def run(*args):
        done = datahub.cli("lineage", *args, "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout[done.stdout.index("{") :])

    return run


def test_downstream_through_a_job(lineage):
    """Every table with its hops, the job between them too; the soft-deleted one is not there."""
    found = lineage("--urn", table("raw"), "--direction", "downstream", "--hops", "3")

    assert [(r["hops"], r["type"], r["name"]) for r in found["results"]] == [
        (1, "DATASET", "stage"),
        (2, "DATASET", "mart"),
        (3, "DATA_JOB", "report job"),
        (4, "DATASET", "report"),
    ]
    assert [r["platform"] for r in found["results"]] == ["hive", "hive", None, "hive"]


@pytest.mark.parametrize(
    ("hops", "names"), [("1", ["mart"]), ("2", ["mart", "stage"]), ("3", ["mart", "stage", "raw"])]
)
def test_hops_bound_the_walk(lineage, hops, names):
    """One, two, or all there are."""
    found = lineage("--urn", JOB, "--hops", hops)

    assert [r["name"] for r in found["results"]] == names


def test_more_than_a_page(lineage):
    """The client scrolls until there is no more."""
    found = lineage("--urn", table("raw"), "--direction", "downstream", "--count", "1")

    assert len(found["results"]) == 4


def test_columns(lineage):
    """Columns from columns; an unknown one has no lineage, which is no error."""
    found = lineage("--urn", table("mart"), "--column", "id")
    none = lineage("--urn", table("mart"), "--column", "nowhere")

    assert [(r["hops"], r["urn"]) for r in found["results"]] == [(1, column("stage", "id")), (2, column("raw", "id"))]
    assert none["results"] == []


def test_table_form_and_path(chain, datahub):
    """As the terminal shows it, and whether one leads to the other."""
    shown = datahub.cli("lineage", "--urn", table("mart"))
    there = datahub.cli("lineage", "path", "--from", table("raw"), "--to", table("report"))
    columns = datahub.cli(
        "lineage", "path", "--from", table("raw"), "--from-column", "id", "--to", table("mart"), "--to-column", "id"
    )
    nowhere = datahub.cli("lineage", "path", "--from", table("report"), "--to", table("nowhere"))

    assert "Upstream lineage: 2 entities, up to 2 hops" in shown.stdout
    assert "Path found (4 hops)" in there.stdout
    assert columns.returncode == 0, columns.stderr
    assert "No path found" in nowhere.stdout
