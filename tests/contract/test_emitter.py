"""DatahubRestEmitter: all its modes, what it does with refusals, and that its two spellings of a URN meet."""

import pytest

AT_ONCE_S = 2.0
URN = "urn:li:dataset:(urn:li:dataPlatform:contract,{},PROD)"


@pytest.fixture(scope="module")
def outcome(emptied, datahub):
    """Everything `clients/emitter.py` did, by scenario; one process, since starting one takes seconds."""
    return datahub.client("emitter")


@pytest.mark.parametrize("mode", ["SYNC_PRIMARY", "SYNC_WAIT", "ASYNC", "ASYNC_WAIT"])
def test_every_mode_has_written_when_it_returns(outcome, mode):
    """Also the asynchronous ones: by emit_mcp, emit_mcps, emit, and with an MCE."""
    name = mode.lower()

    assert outcome["modes"][mode] == [name, f"{name} 0", f"{name} 1", f"{name} 2", name, name]


def test_modes_are_all_there_are(outcome):
    """A mode that a newer client adds must not go untested."""
    assert outcome["modes"].keys() == {"SYNC_PRIMARY", "SYNC_WAIT", "ASYNC", "ASYNC_WAIT"}


def test_a_batch_of_several_requests_lands(outcome):
    assert outcome["large_batch"] == ["0", "199", "200", "449"]


def test_an_sdk_client_stays_with_restli(outcome):
    """It has asked /config, and would turn to endpoints for writing that are not here if that promised them."""
    assert outcome["sdk"] == {
        "paths": ["/config", "/aspects?action=ingestProposal", "/aspects?action=ingestProposalBatch"],
        "text": "sdk, again",
    }


def test_a_urn_beyond_ascii_is_one_entity(outcome, cypher):
    """emit_mcp escapes it twice, emit_mcps once."""
    found = outcome["unicode"]

    assert found["texts"] == ["single", "batch"]
    assert found["aspects"] == ["datasetKey", "datasetProperties", "status"]
    assert cypher("MATCH (d:Dataset) WHERE d.urn CONTAINS 'stra' RETURN collect(d.urn)") == [found["urn"]]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ("CREATE", None, "1"),
        ("CREATE, sent again", None, "1"),
        ("CREATE of what exists", ("Conflict", 409), "1"),
        ("CREATE_ENTITY", None, "1"),
        ("CREATE_ENTITY of what exists", ("Conflict", 409), "1"),
        ("UPDATE", None, "4"),
        ("UPDATE of what does not exist", ("Conflict", 409), None),
        ("RESTATE", ("Unsupported", 422), "4"),
        ("PATCH", ("Unsupported", 422), "4"),
    ],
)
def test_change_types_hold_or_say_why_not(outcome, change, error, text):
    found = outcome["change_types"][change]

    assert found["text"] == text
    assert (found["error"] and (found["error"]["exceptionClass"], found["error"]["status"])) == error
    assert found["seconds"] < AT_ONCE_S


def test_an_expected_version_is_compared(outcome):
    found = outcome["preconditions"]

    assert [found[name]["text"] for name in ("first", "stale", "right")] == ["1", "1", "3"]
    assert found["stale"]["error"]["status"] == 412


def test_deleting_the_key_aspect_deletes_the_entity(outcome):
    """Any other aspect goes alone."""
    assert outcome["deletes"] == {
        "before": True,
        "after": False,
        "text": None,
        "half": ["datasetKey", "datasetProperties"],
    }


@pytest.mark.parametrize(
    ("case", "urn", "aspect", "reason"),
    [
        ("not JSON", URN.format("bad"), "datasetProperties", "not well-formed JSON"),
        ("wrong type", URN.format("bad"), "datasetProperties", "description"),
        (
            "not a URN",
            URN.format("bad"),
            "upstreamLineage",
            "not a URN at upstreamLineage/upstreams/*/dataset: 'orders'",
        ),
        ("aspect of another type", URN.format("bad"), "chartInfo", "not allowed on entity type dataset"),
        ("unknown type", "urn:li:datasett:x", "status", "near names: dataset"),
        ("too few parts", "urn:li:dataset:x", "status", "the form is urn:li:dataset:(platform,name,origin)"),
    ],
)
def test_a_refusal_comes_at_once_and_says_why(outcome, case, urn, aspect, reason):
    """A 4xx: the client would repeat what a 5xx answers, for half a minute."""
    found = outcome["refused"]["attempts"][case]

    assert found["error"]["status"] == 422
    assert urn in found["error"]["message"]
    assert aspect in found["error"]["message"]
    assert reason in found["error"]["message"]
    assert found["seconds"] < AT_ONCE_S


def test_what_was_refused_left_nothing_behind(outcome):
    assert not outcome["refused"]["exists"]


def test_the_good_ones_of_a_batch_land(outcome):
    """The error names the bad one: where it stood, its URN, its aspect, and what is wrong with it."""
    found = outcome["mixed_batch"]

    assert found["texts"] == ["0", "1", "2", "3"]
    assert found["bad"] is None
    assert found["seconds"] < AT_ONCE_S
    (failure,) = found["error"]["failures"]
    assert (failure["index"], failure["urn"], failure["aspect"]) == (2, found["urn"], "datasetProperties")
    assert found["error"]["message"].startswith(
        f"1 of 5 proposals refused, 4 landed: [2] {found['urn']} datasetProperties: "
    )


def test_the_good_aspects_of_a_snapshot_land(outcome):
    found = outcome["mixed_snapshot"]

    assert found["removed"] is True
    assert f"[1] {found['urn']} ownership: not a URN at ownership/owners/*/owner: 'ada'" in found["error"]["message"]


def test_system_metadata_comes_back(outcome):
    """With the version that If-Version-Match compares."""
    assert outcome["system_metadata"] == {"lastObserved": 1_700_000_000_000, "runId": "contract", "version": "1"}
