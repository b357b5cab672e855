"""DataHub's client follows its asynchronous writes to their end."""


def test_the_client_sees_its_writes_done(emptied, datahub):
    """By its own polling, which takes what it has seen done from what it waits for."""
    found = datahub.client("trace")

    assert found["sync"] is False
    assert 0 <= found["age"] < 60
    assert found["open"] == {}
    assert found["batch"] == [{}]
    (aspects,) = found["status"].values()
    written = {"writeStatus": "ACTIVE_STATE"}
    assert aspects == {"status": {"success": True, "primaryStorage": written, "searchStorage": written}}
