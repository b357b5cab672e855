"""The schema registry as Confluent's client meets it: over HTTP, with its state in Neo4j."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, Schema, SchemaRegistryError
from neo4j import AsyncDriver
from served import neo4j_settings, served

from graphsvc.config import KafkaSettings, Settings
from graphsvc.errors import (
    BadSchema,
    BrokerUnavailable,
    ConfigError,
    IncompatibleSchema,
    SchemaNotFound,
    StoreUnavailable,
)
from graphsvc.graph.compatibility import Level
from graphsvc.graph.driver import open_driver
from graphsvc.graph.schemas import SCHEMA_BYTES, GraphSchemas
from graphsvc.ingest.avro import schema_text
from graphsvc.ingest.external_schemas import ExternalSchemas
from graphsvc.ingest.schema_registry import MEDIA_TYPE, PREFIX

TEXT = '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "string"}]}'
OTHER = '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "string", "default": ""}]}'


@pytest.fixture(scope="module")
def address(neo4j_server: Any, driver: AsyncDriver) -> Iterator[str]:
    with served(Settings(neo4j=neo4j_settings(neo4j_server))) as url:
        yield url + PREFIX


@pytest.fixture
async def client(address: str, graph: AsyncDriver) -> AsyncIterator[AsyncSchemaRegistryClient]:
    """Confluent's own, on an empty registry."""
    async with AsyncSchemaRegistryClient({"url": address, "max.retries": 0}) as opened:
        yield opened


@pytest.fixture
def http(address: str, graph: AsyncDriver) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"Content-Type": MEDIA_TYPE}, trust_env=False) as opened:
        yield opened


@pytest.fixture
def schemas(graph: AsyncDriver, database: str) -> GraphSchemas:
    return GraphSchemas(graph, database)


def posted(text: str) -> str:
    return json.dumps({"schema": text})


async def test_confluents_client_finds_all_it_asks_for(client: AsyncSchemaRegistryClient) -> None:
    first = await client.register_schema("a-value", Schema(TEXT, "AVRO"))
    second = await client.register_schema("a-value", Schema(OTHER, "AVRO"))
    await client.register_schema("b-value", Schema(OTHER, "AVRO"))
    await client.clear_caches()

    assert [first, second] == [1, 2]
    assert (await client.get_schema(1)).schema_str == TEXT
    assert (await client.get_schema(2, "a-value")).schema_str == OTHER
    assert await client.get_subjects() == ["a-value", "b-value"]
    assert await client.get_versions("a-value") == [1, 2]
    found = await client.get_version("a-value", 1)
    assert (found.subject, found.version, found.schema_id, found.schema.schema_str) == ("a-value", 1, 1, TEXT)
    assert (await client.get_latest_version("a-value")).version == 2
    assert (await client.lookup_schema("a-value", Schema(OTHER, "AVRO"))).version == 2
    assert [(v.subject, v.version) for v in await client.get_schema_versions(2)] == [("a-value", 2), ("b-value", 1)]
    assert await client.get_schema_types() == ["AVRO"]
    assert await client.get_compatibility() == await client.get_compatibility("a-value") == "NONE"
    assert await client.test_compatibility("a-value", Schema(TEXT, "AVRO"))


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda c: c.get_schema(99), 404, 40403),
        (lambda c: c.get_schema(2**70), 404, 40403),
        (lambda c: c.get_version("none", 1), 404, 40401),
        (lambda c: c.get_version("a", 99), 404, 40402),
        (lambda c: c.get_versions("none"), 404, 40401),
        (lambda c: c.lookup_schema("none", Schema(TEXT, "AVRO")), 404, 40401),
        (lambda c: c.lookup_schema("a", Schema(OTHER, "AVRO")), 404, 40403),
        (lambda c: c.register_schema("a", Schema('{"type": "recrod"}', "AVRO")), 422, 42201),
        (lambda c: c.register_schema("a", Schema("{", "AVRO")), 422, 42201),
        (lambda c: c.register_schema("a", Schema("{}", "JSON")), 422, 42201),
        (lambda c: c.register_schema("a", Schema(json.dumps("x" * SCHEMA_BYTES), "AVRO")), 422, 42201),
        (lambda c: c.register_schema("a" * 2_000, Schema(TEXT, "AVRO")), 422, 42201),
        (lambda c: c.test_compatibility("a", Schema('{"type": "recrod"}', "AVRO")), 422, 42201),
        (lambda c: c.delete_subject("a"), 405, None),
    ],
)
async def test_what_is_not_there_or_no_schema_says_so_in_confluents_codes(
    client: AsyncSchemaRegistryClient, call: Any, status: int, code: int | None
) -> None:
    await client.register_schema("a", Schema(TEXT, "AVRO"))
    await client.clear_caches()

    with pytest.raises(SchemaRegistryError) as caught:
        await call(client)

    assert (caught.value.http_status_code, caught.value.error_code) == (status, code)


@pytest.mark.parametrize("subject", ["a/b", "a b", "ä", "a%b", "a%2Fb", "a+b", "a?b#c", "..", "a/versions/1", "a\x7fb"])
def test_any_name_of_a_subject_works(http: httpx.Client, subject: str) -> None:
    """Percent-encoded once, as Confluent's clients do."""
    path = "/subjects/" + quote(subject, safe="").replace(".", "%2E") + "/versions"

    assert http.post(path, content=posted(TEXT)).json() == {"id": 1}

    assert http.get("/subjects").json() == [subject]
    assert http.get(path + "/latest").json() == {"subject": subject, "version": 1, "id": 1, "schema": TEXT}


def test_answers_call_themselves_what_confluent_calls_them(http: httpx.Client) -> None:
    """Good ones and errors; Java's client looks at it."""
    good, missing = http.get("/subjects"), http.get("/associations/resources/cluster/topic?resourceType=topic")

    assert (good.status_code, missing.status_code) == (200, 404)
    assert {answer.headers["content-type"] for answer in (good, missing)} == {MEDIA_TYPE}
    assert missing.json()["error_code"] == 40401
    assert http.get("/").json() == {}
    assert http.get("/schemas/ids/x").json()["error_code"] == 40403
    assert http.get("/mode").json() == {"mode": "READWRITE"}


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.schemaregistry+json; charset=utf-8", MEDIA_TYPE])
def test_a_body_is_json_by_any_of_its_names(http: httpx.Client, kind: str) -> None:
    answer = http.post("/subjects/a/versions?normalize=False", content=posted(TEXT), headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()) == (200, {"id": 1})
    assert http.get("/schemas/ids/1?subject=a&fetchMaxId=false").json() == {"schema": TEXT}
    assert http.get("/schemas/ids/1/schema").text == http.get("/subjects/a/versions/1/schema").text == TEXT


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_web_page_cannot_register(http: httpx.Client, kind: str) -> None:
    """These kinds it may send to other origins unasked."""
    answer = http.post("/subjects/a/versions", content=posted(TEXT), headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["error_code"]) == (415, 41501)
    assert http.get("/subjects").json() == []


@pytest.mark.parametrize("body", ["[]", "{}", '{"schema": 5}', "{", '{"schema": "\\"string\\"", "references": [{}]}'])
def test_a_body_that_is_none_is_refused(http: httpx.Client, body: str) -> None:
    answer = http.post("/subjects/a/versions", content=body)

    assert (answer.status_code, answer.json()["error_code"]) == (422, 42201)


async def test_replicas_that_register_at_once_agree(graph: AsyncDriver, neo4j_server: Any, database: str) -> None:
    """The same schema has one id wherever it comes in, each other one its own; versions have no gap."""
    texts = [json.dumps({"type": "fixed", "name": "F", "size": size}) for size in range(1, 9)]
    async with open_driver(neo4j_server.uri, neo4j_server.user, neo4j_server.password) as second:
        replicas = [GraphSchemas(graph, database), GraphSchemas(second, database)]
        calls = [r.register(subject, text) for text in texts for subject in ("a", "b") for r in replicas * 3]
        ids = await asyncio.gather(*calls)

    per_text = [set(ids[start : start + 12]) for start in range(0, len(ids), 12)]
    assert all(len(found) == 1 for found in per_text)
    assert set.union(*per_text) == set(range(1, 9))
    schemas = replicas[0]
    for subject in ("a", "b"):
        assert await schemas.versions(subject) == list(range(1, 9))
    assert [await schemas.schema(found.pop()) for found in per_text] == texts


async def test_ids_outlive_the_process(schemas: GraphSchemas, neo4j_server: Any, database: str) -> None:
    before = await schemas.register("a", TEXT)

    async with open_driver(neo4j_server.uri, neo4j_server.user, neo4j_server.password) as later:
        again = GraphSchemas(later, database)
        assert await again.register("b", OTHER) == before + 1
        assert await again.register("a", TEXT) == before
        assert await again.schema(before) == TEXT


async def test_spelling_does_not_make_a_schema_another(schemas: GraphSchemas) -> None:
    """White space and the order of keys do not; a default does, since readers go by it."""
    turned = json.dumps(dict(reversed(json.loads(TEXT).items())), indent=4)

    assert [await schemas.register("a", text) for text in (TEXT, turned, OTHER)] == [1, 1, 2]
    assert await schemas.versions("a") == [1, 2]


async def test_an_older_version_can_come_back_into_use(schemas: GraphSchemas) -> None:
    """It keeps its place: no new version, and the latest stays the latest."""
    for text in (TEXT, OTHER, TEXT):
        await schemas.register("a", text)

    assert await schemas.versions("a") == [1, 2]
    assert (await schemas.version("a", "latest")).text == OTHER


async def test_a_store_that_is_away_is_503(database: str) -> None:
    """In the graph's terms, which the consumer waits for."""
    async with open_driver("bolt://127.0.0.1:1", "neo4j", "x", retry_time_s=0.1, connect_timeout_s=0.2) as nowhere:
        schemas = GraphSchemas(nowhere, database)
        for call in (schemas.register("a", TEXT), schemas.schema(1), schemas.subjects(), schemas.version("a", 1)):
            with pytest.raises(StoreUnavailable):
                await call


async def test_an_external_registry_answers_as_our_own(address: str, graph: AsyncDriver) -> None:
    """Another registry, which in truth is a served one, through Confluent's client."""
    external = ExternalSchemas(KafkaSettings(registry_url=address, registry_options={"timeout": "5"}))

    schema_id = await external.register("T-value", schema_text("MetadataChangeProposal"))

    assert json.loads(await external.schema(schema_id)) == json.loads(schema_text("MetadataChangeProposal"))
    with pytest.raises(SchemaNotFound):
        await external.schema(99)
    with pytest.raises(BadSchema):
        await external.register("T-value", '{"type": "recrod"}')
    await external.close()


async def test_an_external_registry_that_is_away_can_be_waited_for() -> None:
    external = ExternalSchemas(KafkaSettings(registry_url="http://127.0.0.1:1"))

    with pytest.raises(BrokerUnavailable, match="does not answer"):
        await external.schema(1)
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        await external.register("T-value", TEXT)
    await external.close()


@pytest.mark.parametrize(
    ("url", "options"),
    [("ftp://x", {}), ("http://x", {"no.such.setting": "1"}), ("http://x", {"ssl.ca.location": "missing.pem"})],
)
def test_settings_that_the_client_does_not_take_stop_the_start(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        ExternalSchemas(KafkaSettings(registry_url=url, registry_options=options))


WIDER = '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": "string"}]}'


async def test_levels_are_set_and_shown_as_confluents_client_does(client: AsyncSchemaRegistryClient) -> None:
    """Of all subjects, and of one, which need not be there yet."""
    assert await client.set_compatibility(level="FULL") == {"compatibility": "FULL"}
    assert await client.set_compatibility("a", "BACKWARD_TRANSITIVE") == {"compatibility": "BACKWARD_TRANSITIVE"}

    assert [await client.get_compatibility(subject) for subject in (None, "a", "b")] == [
        "FULL",
        "BACKWARD_TRANSITIVE",
        "FULL",
    ]
    assert await client.get_subjects() == []


async def test_what_a_level_refuses_is_not_registered(client: AsyncSchemaRegistryClient) -> None:
    """409, and the subject is as it was; what it has already is found all the same, and other subjects are free."""
    await client.register_schema("a", Schema(TEXT, "AVRO"))
    await client.set_compatibility("a", "BACKWARD")

    with pytest.raises(SchemaRegistryError) as caught:
        await client.register_schema("a", Schema(WIDER, "AVRO"))

    assert (caught.value.http_status_code, caught.value.error_code) == (409, 409)
    assert "version 1" in caught.value.error_message
    assert not await client.test_compatibility("a", Schema(WIDER, "AVRO"))
    assert not await client.test_compatibility("a", Schema(WIDER, "AVRO"), 1)
    assert await client.test_compatibility("a", Schema(OTHER, "AVRO"))
    assert await client.test_compatibility("b", Schema(WIDER, "AVRO"))
    await client.clear_caches()
    assert await client.register_schema("a", Schema(TEXT, "AVRO")) == 1
    assert await client.register_schema("b", Schema(WIDER, "AVRO")) == 2
    assert await client.get_versions("a") == [1]


def test_a_level_can_be_taken_back(http: httpx.Client) -> None:
    """Then the general one holds again."""
    assert http.get("/config/a?defaultToGlobal=false").json()["error_code"] == 40408
    assert http.delete("/config/a").json()["error_code"] == 40408
    assert http.put("/config/a", json={"compatibility": "FORWARD"}).status_code == 200
    assert http.get("/config/a?defaultToGlobal=false").json() == {"compatibilityLevel": "FORWARD"}

    assert http.delete("/config/a").json() == {"compatibilityLevel": "FORWARD"}

    assert http.get("/config/a").json() == {"compatibilityLevel": "NONE"}


@pytest.mark.parametrize("body", ["[]", "{}", "null", '{"compatibility": "SIDEWARD"}', '{"compatibility": ["NONE"]}'])
def test_a_level_that_is_none_is_refused(http: httpx.Client, body: str) -> None:
    for path in ("/config", "/config/a"):
        answer = http.put(path, content=body)
        assert (answer.status_code, answer.json()["error_code"]) == (422, 42203)
    assert http.put("/config/" + "a" * 2_000, json={"compatibility": "FULL"}).status_code == 422
    assert http.put("/config", content=body, headers={"Content-Type": "text/plain"}).status_code == 415


def test_one_version_or_all_that_the_level_names(http: httpx.Client) -> None:
    """With `verbose`, what is wrong is said; versions that are not there are 404."""
    for text in (TEXT, OTHER, WIDER):
        http.post("/subjects/a/versions", content=posted(text))
    http.put("/config/a", json={"compatibility": "BACKWARD_TRANSITIVE"})

    def said(path: str, text: str = WIDER) -> dict[str, Any]:
        found: dict[str, Any] = http.post("/compatibility/subjects/" + path, content=posted(text)).json()
        return found

    assert said("a/versions/3") == said("a/versions/latest") == {"is_compatible": True}
    assert said("a/versions/1") == said("a/versions") == {"is_compatible": False}
    assert "version 2" in said("a/versions?verbose=true")["messages"][0]
    assert said("a/versions/latest?verbose=true") == {"is_compatible": True, "messages": []}
    assert said("a/versions/9")["error_code"] == 40402
    assert said("none/versions/1")["error_code"] == 40401
    assert said("none/versions/latest") == {"is_compatible": True}


async def test_of_two_that_do_not_go_together_one_is_registered(schemas: GraphSchemas) -> None:
    """Also at the same moment, through any replica."""
    await schemas.set_level("a", Level.FULL)
    texts = [json.dumps({"type": "fixed", "name": "F", "size": size}) for size in range(1, 9)]

    done = await asyncio.gather(*(schemas.register("a", text) for text in texts), return_exceptions=True)

    assert sorted(isinstance(answer, IncompatibleSchema) for answer in done) == [False] + [True] * 7
    assert await schemas.versions("a") == [1]
