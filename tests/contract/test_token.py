"""A service with a token, as DataHub's clients meet it."""

import dataclasses

import pytest

TOKEN = "sesame"


@pytest.fixture(scope="module")
def guarded(serve, tmp_path_factory):
    """DataHub's clients without a token, pointed to a service that has one."""
    with serve(tmp_path_factory.mktemp("guarded") / "stderr.log", GRAPHSVC_HTTP__TOKEN=TOKEN) as running:
        yield running


def test_only_the_token_opens(guarded, datahub):
    """Who has it reads and writes; who has not is told what is missing, and that it is about the token."""
    clients = dataclasses.replace(datahub, url=guarded.url)

    found = clients.client("with_token", TOKEN)

    assert found["right"] is True
    for case in ("none", "wrong"):
        assert (found[case]["exceptionClass"], found[case]["status"]) == ("Unauthorized", 401)
        assert "GRAPHSVC_HTTP__TOKEN" in found[case]["message"]
    assert "401" in found["config"] or "authentic" in found["config"].lower()


def test_the_command_line_takes_it_from_the_environment(guarded, datahub):
    """DATAHUB_GMS_TOKEN, as its documentation says."""
    clients = dataclasses.replace(datahub, url=guarded.url, token=TOKEN)

    done = clients.cli("exists", "--urn", "urn:li:tag:nothing")

    assert done.stdout.strip() == "false", done.stderr
