"""Every REST door through a real socket: what it takes, what it refuses, and in which shape it says so."""

import gzip
import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import orjson
import pytest
from neo4j import Driver, GraphDatabase
from pydantic import SecretStr
from served import neo4j_settings, no_fault, served

from graphsvc.config import HttpSettings, LimitSettings, Neo4jSettings, Settings
from graphsvc.graph.registry import Registry

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,rest.orders,PROD)"
UNTOUCHED = "urn:li:dataset:(urn:li:dataPlatform:hive,rest.untouched,PROD)"
CUSTOMERS = "urn:li:dataset:(urn:li:dataPlatform:hive,rest.customers,PROD)"
TOKEN = "a-token-for-tests"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def neo4j(neo4j_server: Any) -> Neo4jSettings:
    return neo4j_settings(neo4j_server)


@pytest.fixture(scope="module")
def store(neo4j_server: Any) -> Iterator[Driver]:
    server = neo4j_server
    with GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
        yield driver


@pytest.fixture(scope="module")
def url(neo4j: Neo4jSettings) -> Iterator[str]:
    with served(Settings(neo4j=neo4j)) as at:
        yield at


@pytest.fixture(scope="module")
def guarded(neo4j: Neo4jSettings) -> Iterator[str]:
    """A service that wants a token."""
    with served(Settings(neo4j=neo4j, http=HttpSettings(token=SecretStr(TOKEN)))) as at:
        yield at


@pytest.fixture(scope="module")
def narrow(neo4j: Neo4jSettings) -> Iterator[httpx.Client]:
    """A service with small limits."""
    limits = LimitSettings(body_bytes=20_000, batch_items=5, aspect_bytes=5_000, aspect_edges=3)
    with (
        served(Settings(neo4j=neo4j, limits=limits)) as at,
        httpx.Client(base_url=at, event_hooks={"response": [no_fault]}, timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def door(url: str) -> Iterator[httpx.Client]:
    """A client of a service; no answer may be a 5xx."""
    with httpx.Client(base_url=url, event_hooks={"response": [no_fault]}, timeout=60) as client:
        yield client


@pytest.fixture
def web(door: httpx.Client, store: Driver, neo4j_server: Any) -> httpx.Client:
    """The same, with an empty graph."""
    empty = "CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
    with store.session(database=neo4j_server.database) as session:
        session.run(f"MATCH (n) WHERE NOT n:Migration AND NOT n:MigrationLock {empty}").consume()
    return door


def proposal(urn: str = ORDERS, aspect: str = "datasetProperties", value: Any = None, **more: Any) -> Json:
    """A proposal as DataHub's clients send it: the value is JSON text."""
    body = {"description": "one row per order"} if value is None else value
    text = {"value": json.dumps(body), "contentType": "application/json"}
    return {"entityUrn": urn, "aspectName": aspect, "changeType": "UPSERT", "aspect": text, **more}


def refused(answer: httpx.Response, status: int, name: str | None = None) -> Json:
    """The body of an error, in the keys that DataHub's clients read."""
    body = answer.json()
    assert answer.status_code == status, answer.text[:500]
    assert body["status"] == status
    assert isinstance(body["message"], str)
    assert body["message"]
    assert name in (None, body["exceptionClass"])
    assert "stackTrace" not in body
    return dict(body)


def aspect_of(web: httpx.Client, urn: str, aspect: str, version: int = 0) -> Json | None:
    answer = web.get(f"/aspects/{quote(urn, safe='')}", params={"aspect": aspect, "version": version})
    if answer.status_code == 404:
        return None
    assert answer.status_code == 200, answer.text
    (value,) = answer.json()["aspect"].values()
    return dict(value)


# --- rest.li doors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/aspects", "/aspects/"])
@pytest.mark.parametrize("mode", [{}, {"async": "false"}, {"async": "true"}])
def test_one_proposal_is_committed_when_it_is_answered(web: httpx.Client, path: str, mode: Json) -> None:
    """200 says which entity it was, and the next read sees it, whatever `async` says."""
    answer = web.post(path, params={"action": "ingestProposal"}, json={"proposal": proposal(), **mode})

    assert answer.status_code == 200
    assert answer.json() == {"value": ORDERS}
    assert aspect_of(web, ORDERS, "datasetProperties") == {"description": "one row per order"}


@pytest.mark.parametrize(
    ("bad", "status", "name"),
    [
        (proposal("not a urn"), 422, "BadUrn"),
        (proposal("urn:li:datasett:x"), 422, "UnknownEntityType"),
        (proposal("urn:li:dataset:x"), 422, "BadUrn"),
        (proposal(aspect="chartInfo"), 422, "AspectNotAllowed"),
        (proposal(aspect="no aspect's name"), 422, "UnknownAspect"),
        (proposal(value={"description": 5}), 422, "BadValue"),
        (proposal(value={"customProperties": {"a": 1}}), 422, "BadValue"),
        (proposal(value=[]), 422, "BadValue"),
        (proposal(aspect=None), 422, None),
        (proposal(systemMetadata={"lastObserved": "now"}), 422, None),
        (proposal(systemMetadata="{"), 422, None),
        (proposal(headers={"If-Version-Match": "one"}), 422, None),
        (proposal(headers={"If-Modified-Since": "2026-01-01"}), 422, "Unsupported"),
        (proposal(entityType="chart"), 422, "BadUrn"),
        ({"aspectName": "status"}, 422, "BadProposal"),
        ("a string", 422, "BadProposal"),
        (None, 422, "BadProposal"),
        ({"entityUrn": 5}, 422, "BadProposal"),
    ],
)
def test_a_bad_proposal_says_what_is_wrong(web: httpx.Client, bad: Any, status: int, name: str | None) -> None:
    """The error has DataHub's keys, and nothing was written."""
    answer = web.post("/aspects", params={"action": "ingestProposal"}, json={"proposal": bad})

    refused(answer, status, name)
    assert aspect_of(web, ORDERS, "datasetProperties") is None


def test_a_batch_lands_whole(web: httpx.Client) -> None:
    """All proposals of a good batch are there afterwards, whatever aspects and entities they are about."""
    items = [proposal(), proposal(CUSTOMERS), proposal(ORDERS, "status", {"removed": False})]

    answer = web.post("/aspects", params={"action": "ingestProposalBatch"}, json={"proposals": items, "async": "true"})

    assert answer.status_code == 200
    assert answer.json() == {"value": "SUCCESS", "landed": 3, "unmodelled": 0}
    assert aspect_of(web, CUSTOMERS, "datasetProperties")
    assert aspect_of(web, ORDERS, "status") == {"removed": False}


def test_a_batch_names_its_bad_proposals(web: httpx.Client) -> None:
    """The good ones land; the 4xx says of each bad one where it stood, what it was about, and why it did not land."""
    items = [
        proposal(),
        proposal("urn:li:nonsense:x"),
        proposal(CUSTOMERS, value={"name": 5}),
        "nothing",
        proposal(CUSTOMERS),
    ]

    answer = web.post("/aspects", params={"action": "ingestProposalBatch"}, json={"proposals": items})

    body = refused(answer, 422)
    assert body["landed"] == 2
    assert [(f["index"], f["urn"], f["aspect"], f["error"]) for f in body["failures"]] == [
        (1, "urn:li:nonsense:x", "datasetProperties", "UnknownEntityType"),
        (2, CUSTOMERS, "datasetProperties", "BadValue"),
        (3, None, None, "BadProposal"),
    ]
    for failure in body["failures"]:
        assert failure["reason"] in body["message"]
        assert f"[{failure['index']}]" in body["message"]
    assert "3 of 5" in body["message"]
    assert "2 landed" in body["message"]
    assert aspect_of(web, CUSTOMERS, "datasetProperties") == {"description": "one row per order"}


def test_a_batch_of_one_kind_of_error_is_that_error(web: httpx.Client) -> None:
    """Where all failures are preconditions the answer is 412, which clients treat otherwise than a bad proposal."""
    web.post("/ingest", json=proposal())
    stale = proposal(value={"description": "other"}, headers={"If-Version-Match": "7"})

    answer = web.post("/aspects", params={"action": "ingestProposalBatch"}, json={"proposals": [stale]})

    assert refused(answer, 412, "PreconditionFailed")["landed"] == 0


def test_many_failures_are_cut_short_in_words_only(door: httpx.Client) -> None:
    """The message stays readable; the list of failures is complete."""
    answer = door.post("/aspects", params={"action": "ingestProposalBatch"}, json={"proposals": [{}] * 50})

    body = refused(answer, 422)
    assert "and 30 more" in body["message"]
    assert len(body["failures"]) == 50


def snapshot(urn: str, *aspects: Json) -> Json:
    return {"value": {"com.linkedin.metadata.snapshot.DatasetSnapshot": {"urn": urn, "aspects": list(aspects)}}}


def test_an_mce_is_its_aspects(web: httpx.Client) -> None:
    """A snapshot is a proposal per aspect, each known by its record's name; system metadata goes to all."""
    entity = snapshot(
        ORDERS,
        {"com.linkedin.common.Status": {"removed": True}},
        {"com.linkedin.dataset.DatasetProperties": {"description": "by MCE"}},
    )

    answer = web.post(
        "/entities", params={"action": "ingest"}, json={"entity": entity, "systemMetadata": {"runId": "mce-run"}}
    )

    assert answer.status_code == 200
    assert answer.json()["landed"] == 2
    assert aspect_of(web, ORDERS, "status") == {"removed": True}
    envelope = web.get(f"/entitiesV2/{quote(ORDERS, safe='')}").json()["aspects"]["datasetProperties"]
    assert envelope["systemMetadata"]["runId"] == "mce-run"


def test_a_batch_of_mces_lands(web: httpx.Client) -> None:
    """`ingestBatch` takes several, with system metadata for each or none."""
    entities = [snapshot(urn, {"com.linkedin.common.Status": {"removed": False}}) for urn in (ORDERS, CUSTOMERS)]

    answer = web.post(
        "/entities/",
        params={"action": "ingestBatch"},
        json={"entities": entities, "systemMetadata": [{"runId": "one"}, {"runId": "two"}]},
    )

    assert answer.status_code == 200
    assert answer.json()["landed"] == 2
    runs = [
        web.get(f"/entitiesV2/{quote(urn, safe='')}").json()["aspects"]["status"]["systemMetadata"]["runId"]
        for urn in (ORDERS, CUSTOMERS)
    ]
    assert runs == ["one", "two"]


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("ingest", {}, 422),
        ("ingest", {"entity": 5}, 422),
        ("ingest", {"entity": {"value": {}}}, 422),
        ("ingest", {"entity": {"value": {"a": {}, "b": {}}}}, 422),
        ("ingest", {"entity": {"value": {"a": {"urn": ORDERS, "aspects": [5]}}}}, 422),
        ("ingest", {"entity": {"value": {"a": {"urn": ORDERS, "aspects": [{"no.such.Record": {}}]}}}}, 422),
        ("ingest", {"entity": {"value": {"a": {"urn": 5, "aspects": []}}}}, 422),
        ("ingest", {"entity": snapshot("no urn", {"com.linkedin.common.Status": {}})}, 422),
        ("ingest", {"entity": snapshot(ORDERS, {"com.linkedin.common.Status": 5})}, 422),
        ("ingest", {"entity": snapshot(ORDERS, {"com.linkedin.common.Status": {}}), "systemMetadata": [5]}, 422),
        ("ingest", [], 400),
        ("ingestBatch", {}, 400),
        ("ingestBatch", {"entities": {}}, 400),
        ("ingestBatch", {"entities": [5]}, 422),
        ("delete", {}, 422),
        ("delete", {"urn": 5}, 422),
        ("delete", {"urn": "no urn"}, 422),
        ("delete", {"urn": ORDERS, "aspectName": "datasetProfile"}, 400),
        ("ingestProposal", [], 400),
        ("ingestProposalBatch", {}, 400),
        ("ingestProposalBatch", {"proposals": 5}, 400),
        ("getTimeseriesAspectValues", {}, 400),
        ("getTimeseriesAspectValues", {"urn": ORDERS, "aspect": 5}, 400),
        ("getTimeseriesAspectValues", {"urn": "x", "aspect": "operation"}, 422),
        ("getTimeseriesAspectValues", {"urn": ORDERS, "aspect": "operation", "limit": -1}, 400),
        ("getTimeseriesAspectValues", {"urn": ORDERS, "aspect": "operation", "limit": 2**63}, 400),
        ("getTimeseriesAspectValues", {"urn": ORDERS, "aspect": "operation", "startTimeMillis": "x"}, 400),
        ("getTimeseriesAspectValues", {"urn": ORDERS, "aspect": "operation", "filter": {"or": [{"and": [{}]}]}}, 400),
        ("getTimeseriesAspectValues", {"urn": ORDERS, "aspect": "operation", "filter": 5}, 400),
    ],
)
def test_a_malformed_body_is_a_4xx(door: httpx.Client, action: str, body: Any, status: int) -> None:
    """Each door says in our shape what its body lacks."""
    path = "/entities" if action in ("ingest", "ingestBatch", "delete") else "/aspects"

    answer = door.post(path, params={"action": action}, json=body)

    refused(answer, status)


def test_a_deleted_entity_is_gone(web: httpx.Client) -> None:
    """Deletion answers how much it did, takes the entity away, and changes nothing the second time."""
    web.post("/ingest", json=[proposal(), proposal(ORDERS, "status", {"removed": False})])

    first = web.post("/entities", params={"action": "delete"}, json={"urn": ORDERS})
    second = web.post("/entities", params={"action": "delete"}, json={"urn": ORDERS})

    assert first.status_code == second.status_code == 200
    assert first.json() == {"value": {"urn": ORDERS, "rows": 1, "timeseriesRows": 0}}
    assert second.json()["value"]["rows"] == 0
    assert aspect_of(web, ORDERS, "datasetKey") is None


# --- /ingest -------------------------------------------------------------------------------------------------------


def test_ingest_takes_plain_json(web: httpx.Client) -> None:
    """One proposal with its value as an object; the answer counts, and tells version and change of each."""
    item = {"entityUrn": ORDERS, "aspectName": "status", "aspect": {"json": {"removed": False}}}

    first = web.post("/ingest", json=item).json()
    second = web.post("/ingest", json=item).json()

    result = {"index": 0, "urn": ORDERS, "aspect": "status", "version": 1}
    assert first == {"landed": 1, "refused": 0, "unmodelled": 0, "items": [{**result, "changed": True}]}
    assert second == {"landed": 1, "refused": 0, "unmodelled": 0, "items": [{**result, "changed": False}]}


def test_ingest_answers_item_by_item(web: httpx.Client) -> None:
    """A list with a bad one: 422, the others have landed, and each result stands at its place."""
    items = [proposal(), proposal("x"), proposal(CUSTOMERS, "homeMade", {"a": 1}), 5]

    answer = web.post("/ingest", json=items)

    body = answer.json()
    assert answer.status_code == 422
    assert (body["landed"], body["refused"], body["unmodelled"]) == (2, 2, 1)
    assert [item["index"] for item in body["items"]] == [0, 1, 2, 3]
    assert [item.get("error") for item in body["items"]] == [None, "BadUrn", None, "BadProposal"]
    assert all(item["reason"] for item in body["items"] if "error" in item)
    assert aspect_of(web, CUSTOMERS, "homeMade") == {"a": 1}


def test_an_empty_list_is_no_error(door: httpx.Client) -> None:
    """Nothing to do is done."""
    answer = door.post("/ingest", json=[])

    assert answer.status_code == 200
    assert answer.json() == {"landed": 0, "refused": 0, "unmodelled": 0, "items": []}


@pytest.mark.parametrize(
    ("before", "change", "status", "name"),
    [
        (False, {"changeType": "CREATE"}, 200, None),
        (True, {"changeType": "CREATE"}, 409, "Conflict"),
        (False, {"changeType": "CREATE_ENTITY"}, 200, None),
        (True, {"changeType": "CREATE_ENTITY"}, 409, "Conflict"),
        (True, {"changeType": "UPDATE"}, 200, None),
        (False, {"changeType": "UPDATE"}, 409, "Conflict"),
        (True, {"changeType": "DELETE"}, 200, None),
        (False, {"changeType": "DELETE"}, 200, None),
        (True, {"headers": {"If-Version-Match": "1"}}, 200, None),
        (True, {"headers": {"if-version-match": "2"}}, 412, "PreconditionFailed"),
        (False, {"headers": {"If-Version-Match": "-1"}}, 200, None),
        (True, {"headers": {"If-None-Match": "*"}}, 412, "PreconditionFailed"),
        (False, {"headers": {"If-None-Match": "*"}}, 200, None),
        (True, {"changeType": "PATCH"}, 422, "Unsupported"),
        (True, {"changeType": "upsert"}, 422, "Unsupported"),
        (True, {"changeType": ""}, 422, "Unsupported"),
        (True, {"changeType": None}, 422, "BadProposal"),
        (True, {"changeType": 1}, 422, "BadProposal"),
    ],
)
def test_change_types_and_preconditions(
    web: httpx.Client, before: bool, change: Json, status: int, name: str | None
) -> None:
    """Each holds against what is there, and a refused one leaves it as it was."""
    if before:
        web.post("/ingest", json=proposal())

    answer = web.post(
        "/aspects",
        params={"action": "ingestProposal"},
        json={"proposal": proposal(value={"description": "new"}, **change)},
    )

    value = aspect_of(web, ORDERS, "datasetProperties")
    if status == 200:
        assert answer.json() == {"value": ORDERS}
        assert value == (None if change.get("changeType") == "DELETE" else {"description": "new"})
    else:
        refused(answer, status, name)
        assert value == ({"description": "one row per order"} if before else None)


# --- reading -------------------------------------------------------------------------------------------------------


def test_an_entity_reads_back(web: httpx.Client) -> None:
    """`datahub get`: aspects in envelopes, all or those asked for; one that nobody described has its key only."""
    web.post("/ingest", json=[proposal(), proposal(ORDERS, "status", {"removed": False})])
    path = f"/entitiesV2/{quote(ORDERS, safe='')}"

    everything = web.get(path).json()
    one = web.get(path, params={"aspects": "List(status)"}).json()
    unknown = web.get(f"/entitiesV2/{quote(CUSTOMERS, safe='')}").json()

    assert everything["entityName"] == "dataset"
    assert everything["urn"] == ORDERS
    assert everything["aspects"].keys() == {"datasetKey", "datasetProperties", "status"}
    envelope = everything["aspects"]["status"]
    assert (envelope["name"], envelope["type"], envelope["version"]) == ("status", "VERSIONED", 0)
    assert envelope["value"] == {"removed": False}
    assert envelope["created"].keys() == {"actor", "time"}
    assert one["aspects"].keys() == {"status"}
    assert unknown["aspects"]["datasetKey"]["value"]["name"] == "rest.customers"


def test_one_aspect_reads_back_in_each_version(web: httpx.Client) -> None:
    """Version 0 is the current one, 1, 2 … the first, the second …; what is not there is 404."""
    for text in ("first", "second"):
        web.post("/ingest", json=proposal(value={"description": text}))

    found = [aspect_of(web, ORDERS, "datasetProperties", version) for version in (0, 1, 2, 3, 2**63 - 1)]
    wrapped = web.get(f"/aspects/{quote(ORDERS, safe='')}", params={"aspect": "datasetProperties"}).json()

    assert found == [{"description": "second"}, {"description": "first"}, {"description": "second"}, None, None]
    assert wrapped["aspect"].keys() == {"com.linkedin.dataset.DatasetProperties"}
    assert wrapped["version"] == 0


def test_points_read_back_newest_first(web: httpx.Client) -> None:
    """Timeseries values come as JSON text, bounded by time and number."""
    points = [proposal(ORDERS, "datasetProfile", {"timestampMillis": t, "rowCount": t}) for t in (1, 2, 3)]
    web.post("/ingest", json=points)
    wanted = {"urn": ORDERS, "entity": "dataset", "aspect": "datasetProfile"}

    def rows(**more: Any) -> list[int]:
        body = web.post("/aspects", params={"action": "getTimeseriesAspectValues"}, json=wanted | more).json()["value"]
        assert body["entityName"] == "dataset"
        return [json.loads(v["aspect"]["value"])["rowCount"] for v in body["values"]]

    assert rows() == [3, 2, 1]
    assert rows(limit=2) == [3, 2]
    assert rows(latestValue=True) == [3]
    assert rows(startTimeMillis=2, endTimeMillis=2) == [2]
    assert rows(filter={"or": [{"and": []}]}) == [3, 2, 1]


def test_entities_read_back_in_one_call(web: httpx.Client) -> None:
    """`batchGet` brings the wanted aspects and leaves out entities without any."""
    web.post("/ingest", json=proposal())

    answer = web.post(
        "/openapi/v3/entity/dataset/batchGet",
        json=[{"urn": ORDERS, "datasetProperties": {}}, {"urn": CUSTOMERS, "datasetProperties": {}}],
    )

    assert answer.status_code == 200
    assert answer.json() == [{"urn": ORDERS, "datasetProperties": {"value": {"description": "one row per order"}}}]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/aspects/urn:li:tag:none?aspect=tagKey", 404),
        ("/aspects/urn:li:tag:none", 400),
        ("/aspects/nothing?aspect=status", 422),
        ("/aspects/urn:li:none:x?aspect=status", 404),
        ("/aspects/urn:li:tag:a?aspect=status&version=-1", 400),
        ("/aspects/urn:li:tag:a?aspect=status&version=x", 400),
        (f"/aspects/urn:li:tag:a?aspect=status&version={2**63}", 400),
        (f"/aspects/urn:li:tag:a?aspect=status&version={'9' * 5000}", 400),
        ("/aspects/urn:li:tag:a%00?aspect=status", 422),
        ("/aspects/urn:li:tag:a%ff?aspect=%ff%00", 404),
        ("/aspects/urn:li:tag:a%ED%A0%80?aspect=%ED%A0%80", 404),
        ("/entitiesV2/nothing", 422),
        ("/entitiesV2/urn:li:none:x", 404),
        ("/entitiesV2/urn:li:tag:a?aspects=status", 400),
        ("/entitiesV2/" + "x" * 20_000, 422),
        ("/openapi/v3/entity/dataset?query=x", 404),
        ("/openapi/v3/entity/platformresource", 400),
        ("/openapi/v3/entity/platformresource?query=MATCH", 400),
        ("/openapi/v3/entity/platformresource?query=x&count=0", 400),
        ("/nothing/here", 404),
        ("/aspects//?aspect=status", 422),
        ("/entitiesV2/urn:li:dataset:x", 422),
        ("/entitiesV2/urn:li:dataset:(a,b)", 422),
        ("/docs/nothing", 404),
        ("/static/graphiql/nothing", 404),
    ],
)
def test_a_read_that_cannot_be_answered_is_a_4xx(door: httpx.Client, path: str, status: int) -> None:
    """Whatever stands in a URL, the answer is ours; nothing of it comes from a failure inside."""
    answer = door.get(path)

    assert answer.status_code == status, answer.text[:300]
    if not path.startswith("/static"):
        refused(answer, status)


# --- requests that are none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["?action=nothing", "?action=", "", "?action=ingest&action=ingestProposal", "?Action=ingestProposal"]
)
@pytest.mark.parametrize("path", ["/aspects", "/aspects/"])
def test_an_unknown_action_is_404(web: httpx.Client, path: str, query: str) -> None:
    """The action is taken as a word, once; there is no default."""
    answer = web.post(path + query, json={"proposal": proposal()})

    if answer.status_code != 200:  # of two actions the last one counts
        refused(answer, 404, "NotFound")
    assert (answer.status_code == 200) == query.endswith("&action=ingestProposal")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/ingest", "POST"),
        ("PUT", "/ingest", "POST"),
        ("DELETE", "/entities", "POST"),
        ("POST", "/config", "GET"),
        ("POST", "/health/live", "GET"),
        ("PATCH", "/aspects", "POST"),
    ],
)
def test_a_wrong_method_is_405(door: httpx.Client, method: str, path: str, allowed: str) -> None:
    """In our shape, with the methods that would do."""
    answer = door.request(method, path)

    refused(answer, 405)
    assert allowed in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/ingest", "/aspects?action=ingestProposal", "/aspects?action=ingestProposalBatch",
                                  "/entities?action=ingest", "/entities?action=ingestBatch", "/entities?action=delete",
                                  "/entities?action=deleteReferences",
                                  "/aspects?action=getTimeseriesAspectValues",
                                  "/openapi/v3/entity/dataset/batchGet"])  # fmt: skip
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_body_says_that_it_is_json(door: httpx.Client, path: str, kind: str | None) -> None:
    """What a web page can send to another origin without asking is refused at every door."""
    headers = {} if kind is None else {"Content-Type": kind}

    answer = door.post(path, content=json.dumps({"proposal": proposal(UNTOUCHED)}).encode(), headers=headers)

    refused(answer, 415, "UnsupportedMediaType")
    assert aspect_of(door, UNTOUCHED, "datasetProperties") is None


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_may_say_more(web: httpx.Client, kind: str) -> None:
    """Parameters and case of the media type do not matter."""
    answer = web.post("/ingest", content=json.dumps(proposal()).encode(), headers={"Content-Type": kind})

    assert answer.status_code == 200


NOT_JSON = {
    "nothing": b"",
    "cut": b'{"entityUrn": "urn',
    "single quotes": b"{'a': 1}",
    "NaN": b'{"aspect": {"json": {"a": NaN}}}',
    "infinity": b'{"aspect": {"json": {"a": -Infinity}}}',
    "brackets": b"[" * 100_000,
    "closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"a":' * 100_000,
    "lone surrogate": b'{"entityUrn": "urn:li:tag:\\ud800"}',
    "half a pair": b'{"entityUrn": "urn:li:tag:\\udc00\\ud800"}',
    "bad utf-8": b'{"entityUrn": "urn:li:tag:\xff"}',
    "utf-16": '{"entityUrn": "urn:li:tag:a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"entityUrn": "urn:li:tag:a"}',
    "two documents": b"{} {}",
    "raw NUL": b'{"entityUrn": "urn:li:tag:\x00"}',
    "comment": b'{"a": 1} // b',
}


@pytest.mark.parametrize("path", ["/ingest", "/aspects?action=ingestProposalBatch", "/entities?action=ingest",
                                  "/openapi/v3/entity/dataset/batchGet"])  # fmt: skip
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_400(door: httpx.Client, path: str, body: bytes) -> None:
    """However it is malformed, and however deep."""
    answer = door.post(path, content=body, headers={"Content-Type": "application/json"})

    refused(answer, 400, "BadRequest")


@pytest.mark.parametrize("body", [b"5", b"null", b'"text"', b"true", b"[[]]", b"[null]", b"1" + b"0" * 400, b"{}"])
def test_json_of_another_type_is_a_4xx(door: httpx.Client, body: bytes) -> None:
    """Top-level values that are no proposal are refused like one, at every door."""
    for path in ("/ingest", "/aspects?action=ingestProposal", "/entities?action=ingestBatch"):
        answer = door.post(path, content=body, headers={"Content-Type": "application/json"})

        assert 400 <= answer.status_code < 500, (path, answer.text)


# --- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ingest", "/graphql"])
def test_a_body_that_says_it_is_too_long_is_not_read(narrow: httpx.Client, path: str) -> None:
    """413 by Content-Length alone: the answer comes although the body never does."""
    at = urlsplit(str(narrow.base_url))
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=10)
    connection.putrequest("POST", path)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "20001")
    connection.endheaders()

    answer = connection.getresponse()

    body = json.loads(answer.read())
    assert (answer.status, body["status"], body["exceptionClass"]) == (413, 413, "TooLarge")
    assert "20000" in body["message"]
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/ingest", "/aspects?action=ingestProposal", "/entities?action=ingest", "/openapi/v3/entity/dataset/batchGet",
        "/graphql",
    ],
)  # fmt: skip
def test_a_chunked_body_is_counted(narrow: httpx.Client, path: str) -> None:
    """A body that does not say how long it is ends at the limit, with the same answer."""

    def chunks() -> Iterator[bytes]:
        yield b'{"a": "'
        for _ in range(30):
            yield b"x" * 1000
        yield b'"}'

    answer = narrow.post(path, content=chunks(), headers={"Content-Type": "application/json"})

    assert "20000" in refused(answer, 413, "TooLarge")["message"]


def test_graphql_takes_gzip_whatever_it_knows_of_the_document(door: httpx.Client) -> None:
    """The short way to an answer reads bodies as they are; what is packed goes the usual way, to the same answer."""
    body = json.dumps(
        {"query": "query ($urn: String!) { tag(urn: $urn) { urn } }", "variables": {"urn": "urn:li:tag:x"}}
    )
    head = {"Content-Type": "application/json"}

    plain = [door.post("/graphql", content=body, headers=head) for _ in range(2)]
    packed = door.post("/graphql", content=gzip.compress(body.encode()), headers={**head, "Content-Encoding": "gzip"})

    answers = [*plain, packed]
    assert [answer.json() for answer in answers] == [{"data": {"tag": None}}] * 3
    assert {answer.headers["accept-encoding"] for answer in answers} == {"gzip"}


def test_too_many_proposals_are_refused_together(narrow: httpx.Client) -> None:
    """Past the limit on proposals none lands; up to it all do."""
    tags = [proposal(f"urn:li:tag:many{i}", "tagProperties", {"name": "x"}) for i in range(6)]

    many = narrow.post("/ingest", json=tags)
    batch = narrow.post("/aspects", params={"action": "ingestProposalBatch"}, json={"proposals": tags})
    some = narrow.post("/ingest", json=tags[1:])

    assert "limit is 5" in refused(many, 413, "TooLarge")["message"]
    refused(batch, 413, "TooLarge")
    assert some.json()["landed"] == 5
    assert aspect_of(narrow, "urn:li:tag:many0", "tagProperties") is None


@pytest.mark.parametrize("form", ["value", "json"])
def test_a_long_aspect_is_refused_alone(narrow: httpx.Client, form: str) -> None:
    """An aspect over its limit is 413 as a single proposal; in a batch the others land."""
    value = {"name": "x", "description": "x" * 5_000}
    aspect = {"value": json.dumps(value)} if form == "value" else {"json": value}
    long = {"entityUrn": "urn:li:tag:long", "aspectName": "tagProperties", "aspect": aspect}

    single = narrow.post("/aspects", params={"action": "ingestProposal"}, json={"proposal": long})
    batch = narrow.post("/ingest", json=[long, proposal("urn:li:tag:short", "tagProperties", {"name": "x"})])

    refused(single, 413, "TooLarge")
    assert batch.status_code == 422
    assert [item.get("error") for item in batch.json()["items"]] == ["TooLarge", None]


def test_an_aspect_with_too_many_edges_is_refused(narrow: httpx.Client) -> None:
    """The number of relationships in one aspect is bounded too, and the message names the bound."""
    tags = {"tags": [{"tag": f"urn:li:tag:edge{i}"} for i in range(4)]}

    answer = narrow.post(
        "/aspects", params={"action": "ingestProposal"}, json={"proposal": proposal(ORDERS, "globalTags", tags)}
    )

    assert answer.status_code == 413
    assert " 3 " in refused(answer, answer.status_code)["message"]


# --- values at the edge --------------------------------------------------------------------------------------------

NAMES = {
    "unicode": "urn:li:tag:täg-標籤-🏷️",
    "combining": "urn:li:tag:e\u0301",
    "right to left": "urn:li:tag:\u202eabc",
    "quotes": "urn:li:tag:\"'`\\",
    "markup": "urn:li:tag:<script>alert(1)</script>",
    "percent": "urn:li:tag:a%2Fb%00",
    "slash": "urn:li:tag:a/../b?c#d",
    "spaces": "urn:li:tag:a b",
    "long": "urn:li:tag:" + "x" * 6_900,
}


@pytest.mark.parametrize("urn", NAMES.values(), ids=NAMES)
def test_a_urn_is_data(web: httpx.Client, urn: str) -> None:
    """Any text that may stand in a URN comes back as it went in, by body and by path."""
    answer = web.post("/ingest", json=proposal(urn, "tagProperties", {"name": urn}))

    assert answer.status_code == 200, answer.text
    assert answer.json()["items"][0]["urn"] == urn
    assert aspect_of(web, urn, "tagProperties") == {"name": urn}


@pytest.mark.parametrize(
    "urn",
    ["", " ", "urn:li:tag:", "urn:li:tag:a\0b", "urn:li:tag:a\nb", " urn:li:tag:a", "urn:li:tag:" + "x" * 9_000,
     "urn:li:dataset:(a,b", "urn:li:dataset:(a,,b)", "urn:li:tag:\\u0000"],
)  # fmt: skip
def test_a_text_that_is_no_urn_is_refused(door: httpx.Client, urn: str) -> None:
    """As an entity, as a relationship's far end, and as a path."""
    own = door.post("/ingest", json=proposal(urn, "status", {"removed": False}))
    far = door.post("/ingest", json=proposal(ORDERS, "globalTags", {"tags": [{"tag": urn}]}))
    read = door.get(f"/entitiesV2/{quote(urn, safe='')}")

    assert own.status_code == 422, own.text
    assert far.status_code == 422 or "\\u" in urn, far.text
    assert 400 <= read.status_code < 500 or "\\u" in urn


VALUES: dict[str, Any] = {
    "NUL": "a\0b",
    "empty": "",
    "blank": "   ",
    "unicode": "täg 標籤 🏷️ \u202e",
    "quotes": "\"'`\\ \\u0060 ${x} {{x}} %s",
    "long": "x" * 300_000,
}


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_a_text_value_is_data(web: httpx.Client, text: str) -> None:
    """Values and keys come back to the letter, where they are indexed for search, too."""
    value = {"description": text, "name": text[:200], "customProperties": {text[:50]: text, "plain": "x"}}

    answer = web.post("/ingest", json=proposal(value=value, systemMetadata={"runId": text[:50], text[:50]: text}))

    assert answer.status_code == 200, answer.text
    assert aspect_of(web, ORDERS, "datasetProperties") == value


@pytest.mark.parametrize(
    ("aspect", "text", "stored"),
    [
        ("homeMade", '{"a": 18446744073709551615}', {"a": 18446744073709551615}),
        ("homeMade", '{"a": 1e308}', {"a": 1e308}),
        ("homeMade", '{"a": 1, "a": 2}', {"a": 2}),
        ("homeMade", '{"": {"": null}}', {"": {"": None}}),
        ("homeMade", '{"a": 123456789012345678901234567890}', None),
        ("homeMade", '{"a": 1e400}', None),
        ("homeMade", '{"a": NaN}', None),
        ("homeMade", '{"a": "\\ud800"}', None),
        ("homeMade", "", None),
        ("homeMade", "[" * 100_000, None),
        ("homeMade", '{"a":' * 1_000 + "1" + "}" * 1_000, None),
        ("datasetProfile", '{"timestampMillis": 9223372036854775808}', None),
        ("datasetProfile", '{"timestampMillis": 1, "rowCount": 123456789012345678901234567890}', None),
        ("datasetProfile", '{"timestampMillis": -1}', None),
        ("datasetProperties", '{"created": {"time": 18446744073709551615}}', None),
    ],
)
def test_a_value_at_the_edge_is_kept_or_refused(web: httpx.Client, aspect: str, text: str, stored: Json | None) -> None:
    """Numbers, nesting and texts that JSON or the graph cannot hold are a 4xx or come back; nothing else happens."""
    item = {"entityUrn": ORDERS, "aspectName": aspect, "aspect": {"value": text}}

    answer = web.post("/aspects", params={"action": "ingestProposal"}, json={"proposal": item})

    if stored is not None:
        assert answer.status_code == 200, answer.text
        assert aspect_of(web, ORDERS, aspect) == stored
    elif answer.status_code == 200:
        assert aspect_of(web, ORDERS, aspect) is not None
    else:
        refused(answer, 422)


@pytest.mark.parametrize("depth", [10, 250, 254, 255, 900])
def test_what_is_nested_deep_is_read_back_or_refused(web: httpx.Client, depth: int) -> None:
    """What was taken can be read, at every door; what cannot be stored is refused."""
    value: Json = {}
    for _ in range(depth - 1):
        value = {"a": value}
    item = {"entityUrn": ORDERS, "aspectName": "homeMade", "aspect": {"json": value}}

    answer = web.post("/ingest", json=item)
    system = web.post("/ingest", json=proposal(aspect="status", value={}, systemMetadata=value))

    assert (answer.status_code, system.status_code) in ((200, 200), (422, 422))
    if answer.status_code == 200:
        assert aspect_of(web, ORDERS, "homeMade") == value
        assert web.get(f"/entitiesV2/{quote(ORDERS, safe='')}").json()["aspects"]["homeMade"]["value"] == value
    assert (depth <= 250) <= (answer.status_code == 200)


def test_a_duplicate_key_in_a_body_is_its_last(web: httpx.Client) -> None:
    """As every JSON parser that clients use reads it."""
    body = b'{"entityUrn": "urn:li:tag:a", "entityUrn": "urn:li:tag:b", "aspectName": "status", "aspect": {"json": {}}}'

    answer = web.post("/ingest", content=body, headers={"Content-Type": "application/json"})

    assert answer.json()["items"][0]["urn"] == "urn:li:tag:b"


def test_a_table_of_3000_columns_lands(web: httpx.Client) -> None:
    """Wide tables are one aspect like any other."""
    fields = [
        {"fieldPath": f"column_{i}", "nativeDataType": "int", "type": {"type": {"com.linkedin.schema.NumberType": {}}}}
        for i in range(3_000)
    ]
    value = {
        "schemaName": "wide",
        "platform": "urn:li:dataPlatform:hive",
        "version": 0,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "fields": fields,
    }

    answer = web.post("/ingest", json=proposal(ORDERS, "schemaMetadata", value))

    assert answer.status_code == 200, answer.text
    assert len((aspect_of(web, ORDERS, "schemaMetadata") or {})["fields"]) == 3_000


def test_5000_column_lineages_in_one_aspect_land(web: httpx.Client, store: Driver, neo4j_server: Any) -> None:
    """Every one of them is an edge, and sending the aspect again adds none."""
    finer = [
        {
            "upstreamType": "FIELD_SET",
            "upstreams": [f"urn:li:schemaField:({CUSTOMERS},c{i})"],
            "downstreamType": "FIELD",
            "downstreams": [f"urn:li:schemaField:({ORDERS},c{i})"],
        }
        for i in range(5_000)
    ]
    value = {"upstreams": [{"dataset": CUSTOMERS, "type": "TRANSFORMED"}], "fineGrainedLineages": finer}
    count = "MATCH (:SchemaField)-[r:DownstreamOf]->(:SchemaField) RETURN count(r) AS n"

    answers = [web.post("/ingest", json=proposal(ORDERS, "upstreamLineage", value)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["items"][0]["changed"] for answer in answers] == [True, False]
    with store.session(database=neo4j_server.database) as session:
        assert session.run(count).single(strict=True)["n"] == 5_000


# --- Cypher in every place -----------------------------------------------------------------------------------------


def test_cypher_in_a_proposal_is_text(web: httpx.Client, store: Driver, neo4j_server: Any, registry: Registry) -> None:
    """Injected into every string of a proposal, it changes nothing but what it is stored as, and calls nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        call = f"LOAD CSV FROM 'http://127.0.0.1:{listener.getsockname()[1]}/' AS l RETURN l //"
        payloads = [
            f"IsMemberOfRole]->(dest) WHERE 1=1 WITH 1337 AS x {call}",
            f"x`}}) DETACH DELETE n WITH 1 AS x {call}",
            f"x\\u0060}}) DETACH DELETE n WITH 1 AS x {call}",
            f"x'}}) WITH 1 AS x MATCH (n) DETACH DELETE n WITH 1 AS x {call}",
            f'x"}}) SET n:Owned WITH 1 AS x {call}',
        ]
        web.post("/ingest", json=proposal(CUSTOMERS))
        answers = [web.post("/ingest", json=list(injected(payload))) for payload in payloads]
        for payload in payloads:
            web.get(f"/aspects/{quote('urn:li:tag:' + payload, safe='')}", params={"aspect": payload})
            web.get(f"/entitiesV2/{quote(ORDERS, safe='')}", params={"aspects": f"List({payload})"})
            web.get("/openapi/v3/entity/platformresource", params={"query": payload})
            web.get(
                "/openapi/v3/entity/platformresource",
                params={"query": f'resourceType:"{payload}"', "scrollId": payload},
            )
            web.post("/aspects", params={"action": payload}, json={})
            web.post(
                "/aspects", params={"action": "getTimeseriesAspectValues"}, json={"urn": ORDERS, "aspect": payload}
            )
            web.post("/entities", params={"action": "delete"}, json={"urn": "urn:li:tag:" + payload})
        with pytest.raises(TimeoutError):
            listener.accept()

    assert all(answer.json()["landed"] >= 5 for answer in answers), [answer.text[:2000] for answer in answers]
    assert aspect_of(web, CUSTOMERS, "datasetProperties") == {"description": "one row per order"}
    with store.session(database=neo4j_server.database) as session:
        labels = session.run("MATCH (n) UNWIND labels(n) AS l RETURN collect(DISTINCT l) AS found").single(strict=True)
        types = session.run("MATCH ()-[r]->() RETURN collect(DISTINCT type(r)) AS found").single(strict=True)
        keys = session.run("MATCH (n) UNWIND keys(n) AS k RETURN collect(DISTINCT k) AS found").single(strict=True)
    assert set(labels["found"]) <= {
        "Entity",
        "Aspect",
        "AspectVersion",
        "PastEdge",
        "TimeseriesPoint",
        "Migration",
        "MigrationLock",
    } | {spec.label for spec in registry.entities.values()}
    assert set(types["found"]) <= {*registry.relationship_types, "HAS_ASPECT", "HAD_ASPECT", "PREVIOUS"}
    assert all(re.fullmatch(r"\w+", key) for key in keys["found"])


def injected(payload: str) -> Iterator[Json]:
    """Proposals with a payload in every place that takes a string."""
    tag = f"urn:li:tag:{payload}"
    yield proposal(tag, "tagProperties", {"name": payload, "description": payload, payload: payload})
    yield proposal(f"urn:li:{payload}:x", "status", {"removed": False})
    yield proposal(ORDERS, payload, {"removed": False})
    yield proposal(ORDERS, "status", {"removed": False, payload: {payload: [payload]}})
    yield proposal(ORDERS, "homeMade", {payload: payload})
    yield proposal(ORDERS, "globalTags", {"tags": [{"tag": tag, "context": payload}]})
    yield proposal(ORDERS, "upstreamLineage", {"upstreams": [{"dataset": tag, "type": payload, "query": payload}]})
    yield proposal(ORDERS, value={"name": payload, "customProperties": {payload: payload}})
    yield proposal(ORDERS, systemMetadata={payload: payload, "runId": payload, "properties": {payload: payload}})
    yield proposal(ORDERS, headers={payload: payload})
    yield proposal(ORDERS, headers={"If-Version-Match": payload})
    yield proposal(ORDERS, changeType=payload)
    yield proposal(ORDERS, entityType=payload)
    yield proposal(ORDERS) | {"aspect": {"value": payload}}
    yield proposal(ORDERS) | {"aspect": {"json": {}, "contentType": payload}}


# --- who may come in -----------------------------------------------------------------------------------------------


def raw(url: str, path: str, headers: list[tuple[str, str]], method: str = "GET") -> int:
    """Status of a request whose path and headers go out to the letter."""
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=10)
    connection.putrequest(method, path, skip_host=any(name == "Host" for name, _ in headers))
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", f"bearer {TOKEN}")],
        [("Authorization", f"BEARER {TOKEN}")],
        [("Authorization", f"Bearer  {TOKEN}")],
        [("Authorization", f"Bearer {TOKEN}x")],
        [("Authorization", f"Bearer {TOKEN[:-1]}")],
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", TOKEN)],
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")],
        [("Authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer other")],
        [("Authorization", "Bearer tökén")],
        [("X-Authorization", f"Bearer {TOKEN}")],
        [("Authorization_", f"Bearer {TOKEN}")],
        [("Cookie", f"Authorization=Bearer {TOKEN}")],
    ],
)
def test_only_the_token_opens(guarded: str, headers: list[tuple[str, str]]) -> None:
    """No token, a wrong one, two of them or another spelling: 401."""
    assert raw(guarded, "/config", headers) == 401


def test_the_token_opens_every_door(guarded: str) -> None:
    """With it all is as without a guard; without it the answer has our shape and says how to log in."""
    good = {"Authorization": f"Bearer {TOKEN}"}

    inside = httpx.get(f"{guarded}/config", headers=good)
    outside = httpx.post(f"{guarded}/ingest", json=proposal())

    assert inside.json()["noCode"] == "true"
    assert refused(outside, 401, "Unauthorized")
    assert outside.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in outside.text


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/graphql"])
def test_health_and_the_page_are_open(guarded: str, path: str) -> None:
    """Load balancers and browsers get as far as that without a token, and only by GET."""
    assert raw(guarded, path, [("Accept", "text/html")]) == 200
    assert raw(guarded, path, [("Content-Length", "0")], "POST") == 401


@pytest.mark.parametrize(
    "path",
    [
        "/health/../ingest", "/health/../config", "//health", "/health//live", "/health;x", "/health/;/config",
        "/HEALTH", "/Health/live", "/health/", "/health/live/", "/health/live/../../config", "/%68ealth",
        "/health%2Flive", "/health%2f..%2fconfig", "/health/%2e%2e/config", "/health%00", "/health%20",
        "/config?/health", "/config#/health", "/config;/health/live", "/static/../config", "/static/%2e%2e/config",
        "/static/..%2fconfig", "/graphql/", "/graphql/../config", "/docs", "/openapi.json", "/redoc", "/", "/healthz",
        "http://127.0.0.1/health/../config", "/api/graphql/x",
    ],
)  # fmt: skip
def test_no_spelling_slips_through(guarded: str, path: str) -> None:
    """Only the open paths to the letter are open: no dots, slashes, case, parameters or escapes lead past the token."""
    assert raw(guarded, path, [("Accept", "text/html")]) in (400, 401)


def test_the_open_page_holds_no_data(guarded: str) -> None:
    """A query in the page's own URL is not run."""
    answer = httpx.get(f"{guarded}/graphql", params={"query": "{ __typename }"}, headers={"Accept": "application/json"})

    assert answer.status_code >= 400
    assert "Query" not in answer.text


def test_actor_headers_are_ignored(web: httpx.Client) -> None:
    """Nobody becomes somebody else by a header, in whichever spelling."""
    names = [
        "X-DataHub-Actor",
        "x-datahub-actor",
        "X_DataHub_Actor",
        "X-Datahub-Context",
        "X-Forwarded-User",
        "Remote-User",
    ]
    headers = [(name, "urn:li:corpuser:mallory") for name in names]

    web.post("/ingest", json=proposal(), headers=headers)

    created = web.get(f"/entitiesV2/{quote(ORDERS, safe='')}").json()["aspects"]["datasetProperties"]["created"]
    assert created["actor"] == "urn:li:corpuser:unknown"


@pytest.mark.parametrize(
    ("host", "open_"),
    [
        ("localhost", True), ("localhost:1234", True), ("127.0.0.1", True), ("[::1]:8080", True), ("LOCALHOST", True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("", False),
        ("evil.example:8080", False), ("localhost@evil.example", False), ("192.168.1.1", False), ("[::2]", False),
    ],
)  # fmt: skip
def test_on_loopback_the_host_is_checked(url: str, host: str, open_: bool) -> None:
    """A page whose name was rebound to this machine does not reach the service."""
    assert raw(url, "/config", [("Host", host)]) == (200 if open_ else 400)


# --- the description of it all -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(url: str) -> Json:
    return dict(httpx.get(f"{url}/openapi.json").json())


def test_the_openapi_document_holds_together(document: Json) -> None:
    """Every reference leads somewhere, every operation has a name of its own, a summary and answers."""
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in {"get", "post", "put", "delete", "patch"}
    ]
    references = set(re.findall(r'"\$ref":"#/([^"]+)"', orjson.dumps(document).decode()))

    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "graphsvc"
    assert len({o["operationId"] for o in operations}) == len(operations)
    assert all(o.get("summary") and o["responses"] for o in operations)
    for reference in references:
        place: Any = document
        for step in reference.split("/"):
            place = place[step]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == {name.partition(":")[0] for name in re.findall(r"\{([^}]+)\}", path)}


def test_the_document_shows_every_door(document: Json) -> None:
    """Both ways in, the reads, health and configuration stand in it."""
    assert {"/ingest", "/aspects", "/entities", "/config", "/health/live", "/health/ready", "/entitiesV2/{urn}"} <= {
        path.replace(":path", "") for path in document["paths"]
    }


def test_each_example_of_the_document_lands(web: httpx.Client, document: Json) -> None:
    """What the page offers to try works as it stands, and a second time."""
    examples = document["paths"]["/ingest"]["post"]["requestBody"]["content"]["application/json"]["examples"]

    assert len(examples) >= 2
    for example in examples.values():
        for _ in range(2):
            answer = web.post("/ingest", json=example["value"])
            assert answer.status_code == 200, answer.text
            assert answer.json()["refused"] == 0


def test_config_is_what_datahubs_clients_want(door: httpx.Client) -> None:
    """`noCode` is the text "true", and the version keeps clients on the doors that we have."""
    body = door.get("/config").json()

    assert body["noCode"] == "true"
    assert body["versions"]["acryldata/datahub"]["version"].startswith("v1.0.0")
    assert body["datahub"]["serverType"] != "quickstart"


def test_the_home_page_leads_to_graphiql(door: httpx.Client) -> None:
    """Who opens the service in a browser finds the page."""
    answer = door.get("/")

    assert answer.status_code == 307
    assert answer.headers["location"] == "/graphql"


def test_the_example_file_is_the_wire_form(web: httpx.Client) -> None:
    """The file that is shipped as an example lands as one request."""
    items = json.loads((Path(__file__).parents[2] / "examples" / "retail.json").read_text(encoding="utf-8"))

    answer = web.post("/ingest", json=items)

    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["landed"] == len(items)
