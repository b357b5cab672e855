"""The words of the `datahub` command line that read, write and delete single entities."""

import json

import pytest

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:cli,shop.orders,PROD)"
PROPERTIES = {"name": "orders", "description": "Eine Zeile je Bestellung, größer", "customProperties": {"a": "1"}}
PROFILE = {"timestampMillis": 1_700_000_000_000, "rowCount": 7}


@pytest.fixture
def put(emptied, datahub, tmp_path):
    """`datahub put` for one aspect of the orders table."""

    def run(aspect, value, *more):
        file = tmp_path / f"{aspect}.json"
        file.write_text(json.dumps(value), encoding="utf-8")
        done = datahub.cli("put", "--urn", ORDERS, "--aspect", aspect, "-d", file, *more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Update succeeded with status 200" in done.stdout

    return run


def answer(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_what_was_put_can_be_got(put, datahub):
    """All aspects, or the named ones, of both kinds; with the run that wrote them where one asks for details."""
    put("datasetProperties", PROPERTIES, "--run-id", "my-run")
    put("datasetProfile", PROFILE)

    whole = answer(datahub.cli("get", "--urn", ORDERS))
    named = answer(datahub.cli("get", "--urn", ORDERS, "-a", "datasetProperties", "-a", "datasetProfile"))
    details = answer(datahub.cli("get", "--urn", ORDERS, "--details"))

    key = {"platform": "urn:li:dataPlatform:cli", "name": "shop.orders", "origin": "PROD"}
    assert whole == {"datasetKey": key, "datasetProperties": PROPERTIES}
    assert named == {"datasetProperties": PROPERTIES, "datasetProfile": PROFILE}
    assert details["datasetProperties"]["systemMetadata"]["runId"] == "my-run"


def test_deletions_soft_and_hard(put, datahub, cypher):
    """A soft-deleted entity still exists, and says that it is removed; a hard-deleted one does not."""
    put("datasetProperties", PROPERTIES)

    soft = datahub.cli("delete", "--urn", ORDERS, "--soft", "--force")
    removed = cypher(f"MATCH (d:Dataset {{urn: '{ORDERS}'}}) RETURN d.removed")
    before = answer(datahub.cli("exists", "--urn", ORDERS))
    hard = datahub.cli("delete", "--urn", ORDERS, "--hard", "--force")
    after = answer(datahub.cli("exists", "--urn", ORDERS))
    got = datahub.cli("get", "--urn", ORDERS)

    assert (soft.returncode, hard.returncode) == (0, 0), soft.stderr + hard.stderr
    assert "Soft deleted 1 entities" in soft.stdout
    assert "Hard deleted 1 entities" in hard.stdout
    assert (removed, before, after) == (True, True, False)
    assert got.returncode == 1
    assert f"urn {ORDERS} not found" in got.stderr


def test_a_tag_that_is_deleted_for_good_leaves_nothing_behind(put, datahub, cypher):
    """`delete --hard` of a tag takes it off the tables; `delete references` does that alone, and lists them before."""
    tags = [f"urn:li:tag:{name}" for name in ("pii", "old")]
    put("globalTags", {"tags": [{"tag": tag} for tag in tags]})

    hard = datahub.cli("delete", "--urn", tags[0], "--hard", "--force")
    left = cypher(f"MATCH (d:Dataset {{urn: '{ORDERS}'}}) RETURN d.tags")
    dry = datahub.cli("delete", "references", "--urn", tags[1], "--dry-run")
    still = cypher(f"MATCH (d:Dataset {{urn: '{ORDERS}'}})-[:TaggedWith]->(t) RETURN collect(t.urn)")
    alone = datahub.cli("delete", "references", "--urn", tags[1], "--force")

    assert (hard.returncode, dry.returncode, alone.returncode) == (0, 0, 0), hard.stderr + dry.stderr + alone.stderr
    assert left == still == [tags[1]]
    assert "Found 1 references" in dry.stdout
    assert ORDERS in dry.stdout
    assert cypher("MATCH (t:Tag) RETURN count(t)") == 0
