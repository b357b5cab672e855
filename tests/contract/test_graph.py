"""DataHubGraph reads back what was written, for every aspect class of DataHub's package."""

import pytest

URN = "urn:li:dataset:(urn:li:dataPlatform:graph,shop.{},PROD)"
PROPERTIES = {"customProperties": {"größe": "XL"}, "description": "third", "tags": ["a"]}


@pytest.fixture(scope="module")
def found(emptied, datahub):
    """Everything `clients/graph.py` read, by scenario."""
    return datahub.client("graph")


def test_every_aspect_class_comes_back_equal(emptied, datahub):
    """Once with as little in it as its schema allows, once with everything."""
    found = datahub.client("aspects")

    assert found["refused"] == []
    assert found["different"] == []
    assert found["unplaced"] == ["incidentSource", "mlHyperParam", "mlMetric"]  # no entity type has them
    assert (found["aspects"], found["points"]) == (514, 22)


def test_versions_count_from_the_oldest(found):
    """0 is the current one; there is no fourth."""
    assert found["versions"] == ["third", "first", "second", "third", None]


def test_a_whole_entity_comes_back(found):
    names = ["datasetProperties", "status", "upstreamLineage"]

    assert found["whole_entity"] == {
        "raw": [URN.format("orders"), "dataset", ["datasetKey", *names]],
        "equal": dict.fromkeys(names, True),
        "typed": names,
        "key": {"platform": "urn:li:dataPlatform:graph", "name": "shop.orders", "origin": "PROD"},
        "some": ["status"],
        "mcps": ["datasetKey", *names],
    }


def test_only_what_was_described_exists(found):
    """Soft-deleted: yes. Merely pointed to: no."""
    assert found["exists"] == {"described": True, "removed": True, "ghost": False, "nothing": False}


def test_what_is_absent_is_none(found):
    """An entity that nobody has described still has the key that its URN says."""
    assert found["absent"] == [None, None, ["datasetKey"]]


def test_the_typed_getters_work(found):
    assert found["typed_getters"] == ["urn:li:corpuser:ada", "urn:li:tag:pii", "urn:li:domain:sales", None]


def test_points_come_newest_first(found):
    """Whatever the order in which they were sent; a repeated one is one."""
    assert found["timeseries"] == {
        "rows": [30, 20, 10],
        "equal": True,
        "limited": [30, 20],
        "latest": True,
        "none": None,
        "usage": True,
    }


def test_several_entities_come_at_once(found):
    """Those without any of the aspects are left out; no aspect named stands for all."""
    assert found["several_entities"] == {
        "some": {URN.format("orders"): {"datasetProperties": PROPERTIES}},
        "every": {"datasetKey": "1", "status": "1"},
    }


def test_platform_resources_are_found(found):
    """By platform and kind, by key, by second key; with quotes and colons in the key."""
    assert found["platform_resources"] == {
        "before": None,
        "after": {"7": "ada@example.org"},
        "by_key": [["OTHER"], []],
        "by_second_key": 3,
    }


def test_an_entity_with_a_hash_for_an_id_comes_back(found):
    assert found["containers"] == {"platform": "graph", "database": "shop"}


def test_deletions(found):
    """A soft one can be taken back; a hard one leaves nothing."""
    assert found["soft_delete"] == [True, False, True]
    assert found["hard_delete"] == [True, False, None]
