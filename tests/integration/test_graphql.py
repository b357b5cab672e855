"""GraphQL over HTTP: what it answers, how many queries that costs, and how it fails."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, LiteralString

import httpx
import pytest
from fastapi import FastAPI
from neo4j import AsyncDriver

from graphsvc.api.graphql.router import build_router
from graphsvc.config import GraphqlSettings
from graphsvc.graph.driver import open_driver
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

Ask = Callable[..., Awaitable[dict[str, Any]]]

ADA, GRACE = "urn:li:corpuser:ada", "urn:li:corpuser:grace"
PII, EMAIL, SALES = "urn:li:tag:pii", "urn:li:glossaryTerm:email", "urn:li:domain:sales"
HIVE, SCHEMA = "urn:li:dataPlatform:hive", "urn:li:container:c1"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,prod),load)"
SETTINGS = GraphqlSettings(max_page=50, max_hops=10, max_lineage_nodes=30)  # type: ignore[call-arg]


def dataset(name: object) -> str:
    return f"urn:li:dataset:({HIVE},{name},PROD)"


A, B = dataset("a"), dataset("b")


class CountingReader(Reader):
    """A reader that counts its queries."""

    queries = 0

    async def _read(self, text: LiteralString, **parameters: Any) -> Any:
        self.queries += 1
        return await super()._read(text, **parameters)


def upsert(urn: str, aspect: str, **value: Any) -> Proposal:
    return proposal_of(urn, aspect, value)


def described(urn: str, name: str) -> list[Proposal]:
    """A dataset with every aspect that the tests look at."""
    stamp = {"time": 7, "actor": ADA}
    link = {"url": "https://w", "description": "wiki", "createStamp": stamp}
    fields = [
        {
            "fieldPath": "email",
            "type": {"type": {"com.linkedin.schema.StringType": {}}},
            "nativeDataType": "varchar",
            "nullable": True,
            "description": "address",
            "globalTags": {"tags": [{"tag": PII}]},
            "glossaryTerms": {"terms": [{"urn": EMAIL}], "auditStamp": stamp},
        },
        {"fieldPath": "n", "type": {"type": {"com.linkedin.schema.RecordType": {}}}, "nativeDataType": "struct"},
    ]
    return [
        upsert(
            urn, "datasetProperties", name=name, qualifiedName=f"db.{name}", description="d", externalUrl="https://x",
            customProperties={"b": "2", "a": "1"}, created={"time": 5, "actor": ADA}, lastModified={"time": 6},
        ),
        upsert(urn, "ownership", owners=[{"owner": ADA, "type": "TECHNICAL_OWNER"}], lastModified=stamp),
        upsert(urn, "globalTags", tags=[{"tag": PII}]),
        upsert(urn, "glossaryTerms", terms=[{"urn": EMAIL}], auditStamp=stamp),
        upsert(urn, "domains", domains=[SALES]),
        upsert(urn, "container", container=SCHEMA),
        upsert(urn, "status", removed=False),
        upsert(urn, "deprecation", deprecated=True, note="old", actor=ADA),
        upsert(urn, "institutionalMemory", elements=[link]),
        upsert(urn, "subTypes", typeNames=["Table"]),
        upsert(
            urn, "schemaMetadata", schemaName="s", platform=HIVE, version=0, hash="", fields=fields,
            platformSchema={"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        ),
        *(
            upsert(urn, "operation", timestampMillis=t, lastUpdatedTimestamp=t, operationType="INSERT")
            for t in (1, 2)
        ),
    ]  # fmt: skip


@pytest.fixture
async def filled(graph: AsyncDriver, service: IngestService) -> None:
    """A (everything) made by a job out of B; B is made out of A's column too, so that there is a cycle."""
    fine = {
        "upstreamType": "FIELD_SET", "downstreamType": "FIELD",
        "upstreams": [f"urn:li:schemaField:({B},id)"], "downstreams": [f"urn:li:schemaField:({A},email)"],
    }  # fmt: skip
    edge = {"dataset": B, "type": "TRANSFORMED", "auditStamp": {"time": 9, "actor": ADA}}
    await service.ingest(
        [
            *described(A, "orders"),
            upsert(ADA, "corpUserInfo", active=True, displayName="Ada", email="ada@x"),
            upsert(PII, "tagProperties", name="Personal", colorHex="#f00"),
            upsert(SALES, "domainProperties", name="Sales"),
            upsert(A, "upstreamLineage", upstreams=[edge], fineGrainedLineages=[fine]),
            upsert(JOB, "dataJobInfo", name="load", type={"string": "COMMAND"}),
            upsert(JOB, "dataJobInputOutput", inputDatasets=[B], outputDatasets=[A]),
        ]
    )


@pytest.fixture
def counting(driver: AsyncDriver, database: str, registry: Registry) -> CountingReader:
    return CountingReader(driver, database, 30.0, registry)


def app_of(reader: Reader, registry: Registry, settings: GraphqlSettings = SETTINGS) -> FastAPI:
    app = FastAPI()
    app.include_router(build_router(reader, registry, settings))
    return app


@pytest.fixture
async def client(counting: CountingReader, registry: Registry) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_of(counting, registry))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


@pytest.fixture
def ask(client: httpx.AsyncClient) -> Ask:
    async def ask(query: str, /, **variables: Any) -> dict[str, Any]:
        answer = await client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return ask


def code(body: dict[str, Any]) -> str:
    """Code of an answer's only error."""
    (error,) = body["errors"]
    return str(error["extensions"]["code"])


@pytest.mark.usefixtures("filled")
async def test_dataset_shows_its_main_aspects(ask: Ask) -> None:
    """By DataHub's names, with the entities behind them."""
    body = await ask(
        """
        query ($urn: String!) { dataset(urn: $urn) {
          urn type typeName name exists origin platform { urn name } container { urn exists }
          properties { name qualifiedName description externalUrl created createdActor customProperties { key value } }
          ownership { owners { type owner { urn ... on CorpUser { username properties { displayName email } } } } }
          tags { tags { tag { urn name properties { colorHex } } } }
          glossaryTerms { terms { term { urn } } }
          domain { domain { name } }
          status { removed } deprecation { deprecated note actor }
          institutionalMemory { elements { url label author { name } created { time } } }
          subTypes { typeNames }
          schemaMetadata { name aspectVersion fields { fieldPath type nativeDataType nullable description
            tags { tags { tag { urn } } } glossaryTerms { terms { term { urn } } } schemaFieldEntity { urn } } }
        } }
        """,
        urn=A,
    )

    assert "errors" not in body
    found = body["data"]["dataset"]
    assert (found["urn"], found["type"], found["typeName"], found["name"]) == (A, "DATASET", "dataset", "orders")
    assert (found["exists"], found["origin"], found["platform"]) == (True, "PROD", {"urn": HIVE, "name": "hive"})
    assert found["container"] == {"urn": SCHEMA, "exists": False}
    assert found["properties"] == {
        "name": "orders", "qualifiedName": "db.orders", "description": "d", "externalUrl": "https://x", "created": 5,
        "createdActor": ADA, "customProperties": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
    }  # fmt: skip
    ada = {"urn": ADA, "username": "ada", "properties": {"displayName": "Ada", "email": "ada@x"}}
    assert found["ownership"] == {"owners": [{"type": "TECHNICAL_OWNER", "owner": ada}]}
    assert found["tags"] == {"tags": [{"tag": {"urn": PII, "name": "Personal", "properties": {"colorHex": "#f00"}}}]}
    assert found["glossaryTerms"] == {"terms": [{"term": {"urn": EMAIL}}]}
    assert found["domain"] == {"domain": {"name": "Sales"}}
    assert (found["status"], found["subTypes"]) == ({"removed": False}, {"typeNames": ["Table"]})
    assert found["deprecation"] == {"deprecated": True, "note": "old", "actor": ADA}
    link = {"url": "https://w", "label": "wiki", "author": {"name": "Ada"}, "created": {"time": 7}}
    assert found["institutionalMemory"] == {"elements": [link]}
    email, struct = found["schemaMetadata"]["fields"]
    assert email == {
        "fieldPath": "email", "type": "STRING", "nativeDataType": "varchar", "nullable": True, "description": "address",
        "tags": {"tags": [{"tag": {"urn": PII}}]}, "glossaryTerms": {"terms": [{"term": {"urn": EMAIL}}]},
        "schemaFieldEntity": {"urn": f"urn:li:schemaField:({A},email)"},
    }  # fmt: skip
    assert (struct["type"], struct["tags"]) == ("STRUCT", None)


@pytest.mark.usefixtures("filled")
async def test_entities_keep_their_order_and_are_null_where_unknown(ask: Ask) -> None:
    """An unknown entity is no error."""
    body = await ask(
        "query ($urns: [String!]!) { entities(urns: $urns) { __typename urn type name exists } }",
        urns=[PII, "urn:li:tag:nobody", A, EMAIL, PII],
    )

    assert "errors" not in body
    tag = {"__typename": "Tag", "urn": PII, "type": "TAG", "name": "Personal", "exists": True}
    assert body["data"]["entities"] == [
        tag,
        None,
        {"__typename": "Dataset", "urn": A, "type": "DATASET", "name": "orders", "exists": True},
        {"__typename": "GlossaryTerm", "urn": EMAIL, "type": "GLOSSARY_TERM", "name": "email", "exists": False},
        tag,
    ]


@pytest.mark.usefixtures("filled")
async def test_raw_aspects_by_name_and_version(ask: Ask, service: IngestService) -> None:
    """As they were sent, with their versions; a timeseries aspect as its points."""
    await service.ingest([upsert(PII, "tagProperties", name="Personal", colorHex="#0f0")])

    body = await ask(
        """
        query ($tag: String!, $table: String!) {
          tag(urn: $tag) {
            all: aspects { name version }
            named: aspects(input: {aspectNames: ["tagProperties", "status"]}) { aspectName payload value }
            now: aspect(name: "tagProperties") { version value createdBy }
            then: aspect(name: "tagProperties", version: 1) { version value }
            never: aspect(name: "tagProperties", version: 9) { version }
            aspectVersions(name: "tagProperties", count: 1) { version }
          }
          dataset(urn: $table) {
            timeseries(name: "operation", endTimeMillis: 1) { timestampMillis value }
            schemaMetadata(version: 1) { name }
          }
        }
        """,
        tag=PII,
        table=A,
    )

    assert "errors" not in body
    tag, table = body["data"]["tag"], body["data"]["dataset"]
    assert tag["all"] == [{"name": "tagKey", "version": 1}, {"name": "tagProperties", "version": 2}]
    assert [(a["aspectName"], a["value"]["colorHex"]) for a in tag["named"]] == [("tagProperties", "#0f0")]
    assert '"colorHex":"#0f0"' in tag["named"][0]["payload"].replace(" ", "")
    assert (tag["now"]["version"], tag["then"]["value"]["colorHex"], tag["never"]) == (2, "#f00", None)
    assert tag["aspectVersions"] == [{"version": 2}]
    assert [(p["timestampMillis"], p["value"]["operationType"]) for p in table["timeseries"]] == [(1, "INSERT")]
    assert table["schemaMetadata"] == {"name": "s"}


@pytest.mark.usefixtures("filled")
async def test_relationships_and_one_hop_lineage(ask: Ask) -> None:
    """By type and direction, in pages, as DataHub's own queries ask."""
    body = await ask(
        """
        query ($urn: String!) { dataset(urn: $urn) {
          out: relationships(input: {types: ["OwnedBy", "TaggedWith"], direction: OUTGOING, start: 0, count: 1}) {
            start count total relationships { type direction entity { urn type } }
          }
          in: relationships(input: {direction: INCOMING}) {
            relationships { type direction entity { urn ... on DataJob { jobId } } }
          }
          lineage(input: {direction: UPSTREAM}) {
            start count total relationships { type degree entity { urn type } updatedOn updatedActor { urn } }
          }
        } }
        """,
        urn=A,
    )

    assert "errors" not in body
    found = body["data"]["dataset"]
    assert found["out"] == {
        "start": 0, "count": 1, "total": 2,
        "relationships": [{"type": "OwnedBy", "direction": "OUTGOING", "entity": {"urn": ADA, "type": "CORP_USER"}}],
    }  # fmt: skip
    job = {"type": "Produces", "direction": "INCOMING", "entity": {"urn": JOB, "jobId": "load"}}
    assert job in found["in"]["relationships"]
    assert [(r["type"], r["degree"], r["entity"]["urn"]) for r in found["lineage"]["relationships"]] == [
        ("DownstreamOf", 1, B),
        ("Produces", 1, JOB),
    ]
    assert found["lineage"]["relationships"][0]["updatedOn"] == 9
    assert found["lineage"]["relationships"][0]["updatedActor"] == {"urn": ADA}


@pytest.mark.usefixtures("filled")
async def test_relationships_are_counted_by_type(ask: Ask, service: IngestService) -> None:
    """Both ways or one, all types or some, with soft-deleted other ends or without."""
    await service.ingest([upsert(B, "status", removed=True)])

    body = await ask(
        """
        query ($urn: String!) { dataset(urn: $urn) {
          all: relationshipCounts { type direction count }
          in: relationshipCounts(direction: INCOMING) { type direction count }
          some: relationshipCounts(types: ["OwnedBy", "DownstreamOf", "no such"], includeSoftDelete: false) {
            type direction count }
          none: relationshipCounts(types: []) { type }
          relationships(input: {direction: UNDIRECTED, count: 50}) { total relationships { type direction } }
        } }
        """,
        urn=A,
    )

    assert "errors" not in body
    found = body["data"]["dataset"]
    counts = Counter((row["type"], row["direction"]) for row in found["relationships"]["relationships"])
    assert {(row["type"], row["direction"]): row["count"] for row in found["all"]} == counts
    assert sum(row["count"] for row in found["all"]) == found["relationships"]["total"]
    assert found["in"] == [row for row in found["all"] if row["direction"] == "INCOMING"]
    assert counts["DownstreamOf", "OUTGOING"] == 2  # to B, and to a column of it
    assert [(row["type"], row["count"]) for row in found["some"]] == [("DownstreamOf", 1), ("OwnedBy", 1)]
    assert found["none"] == []


WALK = """
query ($urn: String!, $direction: LineageDirection!, $hops: Int, $nodes: Int, $types: [String!]) {
  lineage(urn: $urn, direction: $direction, maxHops: $hops, maxNodes: $nodes, types: $types) {
    start { urn name } total partial partialReason truncatedAtMaxHops
    nodes { distance removed entity { __typename urn type name exists } }
    edges { source target type upstream downstream aspect via }
  }
}
"""


@pytest.mark.usefixtures("filled")
async def test_lineage_gives_nodes_with_distance_and_all_edges(ask: Ask) -> None:
    """A is made of B, directly and by the job."""
    body = await ask(WALK, urn=A, direction="UPSTREAM")

    assert "errors" not in body
    found = body["data"]["lineage"]
    assert (found["start"], found["total"]) == ({"urn": A, "name": "orders"}, 2)
    assert (found["partial"], found["partialReason"], found["truncatedAtMaxHops"]) == (False, None, False)
    assert [
        (n["distance"], n["entity"]["__typename"], n["entity"]["name"], n["entity"]["exists"]) for n in found["nodes"]
    ] == [
        (1, "DataJob", "load", True),
        (1, "Dataset", "b", False),
    ]
    assert {(e["source"], e["type"], e["target"], e["upstream"], e["downstream"]) for e in found["edges"]} == {
        (A, "DownstreamOf", B, B, A),
        (JOB, "Produces", A, JOB, A),
        (JOB, "Consumes", B, B, JOB),
    }


@pytest.mark.usefixtures("filled")
async def test_lineage_of_a_column(ask: Ask) -> None:
    """From a schema field the walk goes over fields."""
    body = await ask(WALK, urn=f"urn:li:schemaField:({A},email)", direction="UPSTREAM")

    assert [n["entity"]["urn"] for n in body["data"]["lineage"]["nodes"]] == [f"urn:li:schemaField:({B},id)"]
    assert body["data"]["lineage"]["nodes"][0]["entity"]["__typename"] == "SchemaFieldEntity"


async def chain(service: IngestService, length: int) -> None:
    """Dataset 0 comes from 1, which comes from 2 …"""
    rows = [
        upsert(dataset(i), "upstreamLineage", upstreams=[{"dataset": dataset(i + 1), "type": "COPY"}])
        for i in range(length)
    ]
    await service.ingest(rows)


@pytest.mark.usefixtures("graph")
async def test_partial_is_said_when_a_limit_cut(ask: Ask, service: IngestService) -> None:
    """By the number of nodes; hops that the caller chose are reported apart."""
    await chain(service, 9)

    nodes = (await ask(WALK, urn=dataset(0), direction="UPSTREAM", hops=9, nodes=3))["data"]["lineage"]
    hops = (await ask(WALK, urn=dataset(0), direction="UPSTREAM", hops=4))["data"]["lineage"]
    whole = (await ask(WALK, urn=dataset(0), direction="UPSTREAM", hops=9))["data"]["lineage"]

    assert (nodes["partial"], nodes["partialReason"], nodes["total"], len(nodes["edges"])) == (True, "NODE_LIMIT", 3, 3)
    assert (hops["partial"], hops["truncatedAtMaxHops"], hops["total"]) == (False, True, 4)
    assert (whole["partial"], whole["truncatedAtMaxHops"], whole["total"]) == (False, False, 9)


@pytest.mark.usefixtures("filled")
async def test_the_quick_way_and_the_usual_way_answer_alike(ask: Ask) -> None:
    """A selection of ready values is built at once, one that has to read goes through resolvers."""
    ready = "{ distance removed entity { __typename urn type name exists typeName } }"
    mixed = (
        "{ distance removed entity { __typename urn type name exists typeName ... on Dataset { status { removed } } } }"
    )
    text = "query ($urn: String!) { lineage(urn: $urn, direction: DOWNSTREAM) { nodes %s } }"

    quick = (await ask(text % ready, urn=B))["data"]["lineage"]["nodes"]
    usual = (await ask(text % mixed, urn=B))["data"]["lineage"]["nodes"]

    for node in usual:
        node["entity"].pop("status", None)
    assert quick == usual
    assert len(quick) == 2


@pytest.mark.usefixtures("filled")
async def test_edges_say_as_much_as_is_asked_of_them(ask: Ask) -> None:
    """Times, aspect and `via` are read where one of them is selected, under whatever name and in a fragment too."""
    text = """
        query ($urn: String!) { lineage(urn: $urn, direction: DOWNSTREAM) { e: edges { ...ends %s } } }
        fragment ends on LineageEdge { source type target upstream downstream }
    """

    bare = (await ask(text % "", urn=B))["data"]["lineage"]["e"]
    full = (await ask(text % "... { on: updatedOn createdOn aspect via }", urn=B))["data"]["lineage"]["e"]

    details = {edge["type"]: [edge.pop(key) for key in ("aspect", "via", "on", "createdOn")] for edge in full}
    assert bare == full
    assert {kind: shown[:2] for kind, shown in details.items()} == {
        "DownstreamOf": ["upstreamLineage", None],
        "Consumes": ["dataJobInputOutput", None],
        "Produces": ["dataJobInputOutput", None],
    }
    assert details["DownstreamOf"][2] == 9
    assert all(created > 0 for *_, created in details.values())


@pytest.mark.usefixtures("filled")
async def test_selections_of_every_form_work_on_the_quick_way(ask: Ask) -> None:
    """Aliases, fragments, directives, variables."""
    body = await ask(
        """
        query ($urn: String!, $yes: Boolean!) {
          lineage(urn: $urn, direction: DOWNSTREAM) { ...result }
        }
        fragment result on LineageResult {
          nodes { d: distance ... { entity { id: urn ...job } } skipped: distance @skip(if: $yes) }
          ... on LineageResult { edges { __typename from: source @include(if: $yes) } }
        }
        fragment job on DataJob { what: type }
        """,
        urn=B,
        yes=True,
    )

    assert "errors" not in body
    assert body["data"]["lineage"]["nodes"] == [
        {"d": 1, "entity": {"id": JOB, "what": "DATA_JOB"}},
        {"d": 1, "entity": {"id": A}},
    ]
    assert {tuple(edge) for edge in body["data"]["lineage"]["edges"]} == {("__typename", "from")}


PLAIN_PAGE = """
query ($urns: [String!]!) { entities(urns: $urns) {
  urn name ... on Dataset { properties { name } ownership { owners { owner { name } } } }
} }
"""
PAGE = """
query ($urns: [String!]!) { entities(urns: $urns) { urn name exists aspects { name }
  aspect(name: "status") { value } old: aspect(name: "status", version: 1) { version }
  aspectVersions(name: "status") { version } timeseries(name: "operation") { timestampMillis }
  relationships(input: {direction: OUTGOING}) { total relationships { entity { name } } }
  relationshipCounts { type count }
  lineage(input: {direction: UPSTREAM}) { total relationships { entity { name } } }
  ... on Dataset { properties { name } ownership { owners { owner { name ... on CorpUser { properties { email } } } } }
    tags { tags { tag { name properties { colorHex } } } } domain { domain { name } } container { name }
    status { removed } schemaMetadata { fields { tags { tags { tag { name } } } } } }
} }
"""


@pytest.mark.usefixtures("graph")
async def test_a_page_costs_as_many_queries_as_one_entity(
    ask: Ask, service: IngestService, counting: CountingReader
) -> None:
    """Whatever is asked of them: the number of queries depends on the text, not on how many entities it finds."""
    urns = [dataset(i) for i in range(40)]
    await chain(service, 40)
    await service.ingest([p for i, urn in enumerate(urns) for p in described(urn, f"t{i}")])

    async def cost(text: str, size: int) -> int:
        before = counting.queries
        body = await ask(text, urns=urns[:size])
        assert "errors" not in body
        assert len(body["data"]["entities"]) == size
        return counting.queries - before

    plain = [await cost(PLAIN_PAGE, size) for size in (1, 2, 40)]
    rich = [await cost(PAGE, size) for size in (1, 2, 40)]

    assert plain == [3, 3, 3]  # the nodes, their aspects, the owners' names
    assert max(rich) <= 16  # which of them share a query depends on which answer comes first


@pytest.mark.usefixtures("filled")
async def test_lineage_of_ready_values_is_one_query(ask: Ask, counting: CountingReader) -> None:
    """Names and types of the nodes come with the walk."""
    await ask(WALK, urn=A, direction="UPSTREAM")

    assert counting.queries == 1


A_TAG = '{ tag(urn: "urn:li:tag:pii") { %s } }'
NEST = "relationships(input: {direction: OUTGOING}) { relationships { entity { ", " } } }"


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{ entity(urn: "nonsense") { urn } }', "BAD_URN"),
        ('{ entities(urns: ["urn:li:tag:a", "urn:li:"]) { urn } }', "BAD_URN"),
        ('{ lineage(urn: "x", direction: UPSTREAM) { total } }', "BAD_URN"),
        ('{ dataset(urn: "urn:li:tag:pii") { urn } }', "BAD_INPUT"),
        (A_TAG % "lineage(input: {direction: UPSTREAM, start: -1}) { total }", "BAD_INPUT"),
        (A_TAG % "lineage(input: {direction: UPSTREAM, count: 51}) { total }", "LIMIT_EXCEEDED"),
        (A_TAG % "relationships(input: {direction: OUTGOING, count: 51}) { total }", "LIMIT_EXCEEDED"),
        ('{ tag(urn: "urn:li:tag:pii") { aspectVersions(name: "status", count: 51) { version } } }', "LIMIT_EXCEEDED"),
        ('{ lineage(urn: "urn:li:tag:pii", direction: UPSTREAM, maxHops: 0) { total } }', "BAD_INPUT"),
        ('{ lineage(urn: "urn:li:tag:pii", direction: UPSTREAM, maxHops: 11) { total } }', "LIMIT_EXCEEDED"),
        ('{ lineage(urn: "urn:li:tag:pii", direction: UPSTREAM, maxNodes: 31) { total } }', "LIMIT_EXCEEDED"),
        ("{ entities(urns: [" + '"urn:li:tag:a",' * 51 + "]) { urn } }", "LIMIT_EXCEEDED"),
        ("{ nothing }", "BAD_INPUT"),
        ("{ entity(urn: ", "BAD_INPUT"),
        ("{ entity(urn: 1) { urn } }", "BAD_INPUT"),
        ("mutation { a }", "BAD_INPUT"),
        ("subscription { a }", "BAD_INPUT"),
        ("{ " + " ".join(f"a{i}: __typename" for i in range(51)) + " }", "LIMIT_EXCEEDED"),
        ("{ " + "__typename " * 5001 + "}", "LIMIT_EXCEEDED"),
        (A_TAG % (NEST[0] * 11 + "urn" + NEST[1] * 11), "LIMIT_EXCEEDED"),
    ],
)  # fmt: skip
async def test_every_error_has_a_code(ask: Ask, query: str, expected: str) -> None:
    """For programs, next to a message for people."""
    body = await ask(query)

    assert code(body) == expected
    assert body["errors"][0]["message"]


@pytest.mark.usefixtures("filled")
async def test_what_nobody_foresaw_stays_inside(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller learns that something failed, the log learns what."""

    async def fail(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(CountingReader, "entities", fail)

    answer = await client.post("/graphql", json={"query": '{ entity(urn: "urn:li:tag:a") { urn } }'})

    assert code(answer.json()) == "INTERNAL"
    assert "hunter2" not in answer.text


async def test_a_store_that_is_away_has_a_code(registry: Registry) -> None:
    """And so has one that takes too long, which is tested with the reader."""
    async with open_driver("bolt://127.0.0.1:9", "neo4j", "x", connect_timeout_s=1) as away:
        transport = httpx.ASGITransport(app_of(Reader(away, "neo4j", 1.0, registry), registry))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post("/graphql", json={"query": '{ entity(urn: "urn:li:tag:a") { urn } }'})

    assert code(answer.json()) == "STORE_UNAVAILABLE"


@pytest.mark.usefixtures("filled")
async def test_an_aspect_of_another_shape_is_no_error(graph: AsyncDriver, ask: Ask, database: str) -> None:
    """Values that another model let in: what cannot be read is null, the rest is there."""
    odd = """
        {"name": 7, "customProperties": [], "created": "x", "description": "d", "owners": [1, {"owner": 2}], "tags": {}}
    """
    await graph.execute_query(
        "MATCH (:Entity {urn: $urn})-[:HAS_ASPECT]->(a) SET a.value = $odd", urn=A, odd=odd, database_=database
    )

    body = await ask(
        """query ($urn: String!) { dataset(urn: $urn) { properties { name description created customProperties { key } }
           ownership { owners { type } } tags { tags { context } } domain { associatedUrn }
           schemaMetadata { fields { fieldPath } } subTypes { typeNames }
           institutionalMemory { elements { url } } platform { urn } } }""",
        urn=A,
    )

    assert "errors" not in body
    found = body["data"]["dataset"]
    assert found["properties"] == {"name": None, "description": "d", "created": None, "customProperties": None}
    assert (found["ownership"], found["tags"], found["domain"]) == ({"owners": []}, {"tags": []}, None)
    assert (found["schemaMetadata"], found["subTypes"]) == ({"fields": []}, {"typeNames": None})


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b"[]", b"1", b"null", b'"x"', b"{}", b'{"query": 1}', b'{"query": null}',
        b'{"query": ["{a}"]}',
        b'{"query": "{ __typename }", "variables": []}', b'{"query": "{ __typename }", "operationName": 3}',
        b'{"query": "{ __typename }", "extensions": 3}', b'[{"query": 1}]', b"[1]", b'{"query": "\\ud800"}',
        b'{"query": "{ __typename }", "operationName": "other"}',
    ],
)  # fmt: skip
async def test_a_malformed_body_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    """Never 500: clients retry that."""
    answer = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


@pytest.mark.parametrize("depth", [300, 1000])
async def test_a_document_nested_too_deeply_is_refused(ask: Ask, depth: int) -> None:
    """By the parser, not by Python's stack."""
    assert code(await ask("{a" * depth + "}" * depth)) in {"LIMIT_EXCEEDED", "BAD_INPUT"}


async def test_other_ways_in_are_shut(client: httpx.AsyncClient) -> None:
    """No queries by GET, no form, no multipart: a web page elsewhere cannot ask on a user's behalf."""
    query = '{"query": "{ __typename }"}'
    by_get = await client.get("/graphql", params={"query": "{ __typename }"})
    as_text = await client.post("/graphql", content=query, headers={"Content-Type": "text/plain"})
    as_form = await client.post("/graphql", data={"query": "{ __typename }"})
    as_multipart = await client.post("/graphql", data={"operations": query}, files={"f": b"x"})

    assert [a.status_code for a in (by_get, as_text, as_form, as_multipart)] == [400, 400, 400, 400]


async def test_both_paths_answer(client: httpx.AsyncClient) -> None:
    """DataHub's clients ask at the longer one."""
    for path in ("/graphql", "/api/graphql"):
        answer = await client.post(path, json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}


async def test_graphiql_comes_from_here(client: httpx.AsyncClient) -> None:
    """The page and everything it loads; nothing else from its folder."""
    page = await client.get("/graphql", headers={"Accept": "text/html"})
    script = await client.get("/static/graphiql/graphiql.min.js")
    others = [await client.get(f"/static/graphiql/{name}") for name in ("README.md", "..%2fschema.py", "x.js")]

    assert (page.status_code, script.status_code) == (200, 200)
    assert "/static/graphiql/graphiql.min.js" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert [answer.status_code for answer in others] == [404, 404, 404]


async def test_graphiql_and_introspection_can_be_off(reader: Reader, registry: Registry) -> None:
    """Each by its setting."""
    settings = GraphqlSettings(graphiql=False, introspection=False)  # type: ignore[call-arg]
    transport = httpx.ASGITransport(app_of(reader, registry, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get("/graphql", headers={"Accept": "text/html"})
        script = await client.get("/static/graphiql/graphiql.min.js")
        schema = await client.post("/graphql", json={"query": "{ __schema { types { name } } }"})

    assert (page.status_code, script.status_code) == (404, 404)
    assert all(error["extensions"]["code"] == "BAD_INPUT" for error in schema.json()["errors"])
    assert schema.json()["data"] is None
