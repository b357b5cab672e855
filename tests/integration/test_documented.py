"""Documents of DataHub's public documentation about rarer entity types, over metadata that fits them."""

from collections.abc import Iterable
from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService
from tests.integration.asking import Ask, asking

STAMP = {"time": 1_700_000_000_000, "actor": "urn:li:corpuser:jdoe"}
TABLE = "urn:li:dataset:(urn:li:dataPlatform:hive,orders,PROD)"
GUIDE, FAQ, OLD = (f"urn:li:document:{name}" for name in ("guide", "faq", "old"))
ASSERTION, CONTRACT, APPLICATION = "urn:li:assertion:schema", "urn:li:dataContract:orders", "urn:li:application:shop"
VERSIONS = "urn:li:versionSet:(arima,mlModel)"
MODELS = [f"urn:li:mlModel:(urn:li:dataPlatform:mlflow,arima_{number},PROD)" for number in (1, 2)]
GROUP = "urn:li:mlModelGroup:(urn:li:dataPlatform:mlflow,arima,PROD)"
RUN, POST = "urn:li:dataProcessInstance:train", "urn:li:post:welcome"
FIELD = {"fieldPath": "id", "nativeDataType": "bigint", "type": {"type": {"com.linkedin.schema.NumberType": {}}}}
SCHEMA = {
    "schemaName": "orders", "platform": "urn:li:dataPlatform:hive", "version": 0, "hash": "", "fields": [FIELD],
    "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
}  # fmt: skip


def document(urn: str, title: str, kind: str, **more: Any) -> Iterable[Proposal]:
    info = {
        "title": title, "contents": {"text": f"All about {title}"}, "status": {"state": "PUBLISHED"},
        "source": {"sourceType": "NATIVE"}, "created": STAMP, "lastModified": STAMP,
    }  # fmt: skip
    return (
        proposal_of(urn, "documentInfo", info | more),
        proposal_of(urn, "subTypes", {"typeNames": [kind]}),
        proposal_of(urn, "status", {"removed": False}),
    )


def proposals() -> Iterable[Proposal]:
    yield from document(GUIDE, "the data quality guide", "Guide", relatedAssets=[{"asset": TABLE}])
    yield from document(
        FAQ,
        "questions on data quality",
        "FAQ",
        parentDocument={"document": GUIDE},
        relatedDocuments=[{"document": OLD}],
        relatedAssets=[{"asset": TABLE}],
    )
    yield from document(OLD, "what was", "FAQ", source={"sourceType": "EXTERNAL"}, parentDocument={"document": FAQ})
    contract = {"entity": TABLE, "schema": [{"assertion": ASSERTION}]}
    yield proposal_of(CONTRACT, "dataContractProperties", contract)
    yield proposal_of(CONTRACT, "dataContractStatus", {"state": "ACTIVE"})
    asserted = {"entity": TABLE, "compatibility": "SUPERSET", "schema": SCHEMA}
    yield proposal_of(ASSERTION, "assertionInfo", {"type": "DATA_SCHEMA", "schemaAssertion": asserted})
    yield proposal_of(APPLICATION, "applicationProperties", {"name": "Shop", "description": "Sells things"})
    yield proposal_of(TABLE, "applications", {"applications": [APPLICATION]})
    yield proposal_of(
        VERSIONS, "versionSetProperties", {"latest": MODELS[1], "versioningScheme": "LEXICOGRAPHIC_STRING"}
    )
    for number, urn in enumerate(MODELS):
        version = {
            "versionSet": VERSIONS, "version": {"versionTag": f"v{number}"}, "sortId": f"A{number}",
            "isLatest": number == 1, "metadataCreatedTimestamp": STAMP, "versioningScheme": "LEXICOGRAPHIC_STRING",
        }  # fmt: skip
        yield proposal_of(urn, "versionProperties", version)
        yield proposal_of(urn, "mlModelProperties", {"name": f"Arima {number}", "trainingJobs": [RUN]})
    told = {"type": "LINK", "title": "Welcome", "link": "https://x.example"}
    post = {"type": "HOME_PAGE_ANNOUNCEMENT", "content": told, "created": 1, "lastModified": 2}
    yield proposal_of(POST, "postInfo", post)
    yield proposal_of(GROUP, "mlModelGroupProperties", {"name": "Arima", "trainingJobs": [RUN], "downstreamJobs": []})


@pytest.fixture
async def ask(graph: AsyncDriver, database: str, registry: Registry, service: IngestService) -> Ask:
    answers = await service.ingest(list(proposals()))
    assert all(isinstance(answer, Applied) for answer in answers), answers
    return asking(Reader(graph, database, 30.0, registry), registry)


async def test_a_document_with_what_it_names(ask: Ask) -> None:
    text = """
        query getDocument($urn: String!) { document(urn: $urn) {
          subType settings { showInGlobalContext }
          info {
            title source { sourceType } status { state } contents { text } created { time actor { urn username } }
            relatedAssets { asset { urn type } } relatedDocuments { document { urn } }
            parentDocument { document { urn } }
          }
          parentDocuments { count documents { urn } }
        } }
    """

    found = (await ask(text, urn=FAQ))["document"]
    above = (await ask(text, urn=OLD))["document"]["parentDocuments"]

    assert found == {
        "subType": "FAQ",
        "settings": None,
        "info": {
            "title": "questions on data quality",
            "source": {"sourceType": "NATIVE"},
            "status": {"state": "PUBLISHED"},
            "contents": {"text": "All about questions on data quality"},
            "created": {"time": STAMP["time"], "actor": {"urn": STAMP["actor"], "username": "jdoe"}},
            "relatedAssets": [{"asset": {"urn": TABLE, "type": "DATASET"}}],
            "relatedDocuments": [{"document": {"urn": OLD}}],
            "parentDocument": {"document": {"urn": GUIDE}},
        },
        "parentDocuments": {"count": 1, "documents": [{"urn": GUIDE}]},
    }
    assert above == {"count": 2, "documents": [{"urn": FAQ}, {"urn": GUIDE}]}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"query": "data quality"}, {GUIDE, FAQ}),
        ({"query": "data quality", "types": ["FAQ"]}, {FAQ}),
        ({}, {GUIDE, FAQ, OLD}),
        ({"rootOnly": True}, {GUIDE}),
        ({"parentDocuments": [FAQ, GUIDE], "sourceType": "EXTERNAL"}, {OLD}),
        ({"relatedAssets": [TABLE], "rootOnly": False}, {GUIDE, FAQ}),
        ({"domains": ["urn:li:domain:none"]}, set()),
    ],
)
async def test_searches_for_documents(ask: Ask, wanted: dict[str, Any], found: set[str]) -> None:
    text = """
        query searchDocuments($input: SearchDocumentsInput!) {
          searchDocuments(input: $input) { start count total documents { urn info { title } } facets { field } }
        }
    """

    answer = (await ask(text, input={"start": 0, "count": 10, **wanted}))["searchDocuments"]

    assert {one["urn"] for one in answer["documents"]} == found
    assert (answer["total"], answer["count"]) == (len(found), len(found))
    assert {"field": "typeNames"} in answer["facets"]


async def test_documents_about_a_table(ask: Ask) -> None:
    text = """
        query ($urn: String!) { dataset(urn: $urn) { relatedDocuments(input: {count: 1}) { total documents { urn } } } }
    """

    found = await ask(text, urn=TABLE)

    assert found["dataset"]["relatedDocuments"] == {"total": 2, "documents": [{"urn": FAQ}]}


async def test_a_contract_and_what_it_asserts(ask: Ask) -> None:
    text = """
        query ($urn: String!) { dataset(urn: $urn) { contract {
          urn status { state } properties { entityUrn freshness { assertion { urn } } schema { assertion {
            urn info { type schemaAssertion {
              entityUrn compatibility
              fields { path type nativeType } schema { fields { fieldPath type nativeDataType } }
            } }
          } } }
        } } }
    """

    found = (await ask(text, urn=TABLE))["dataset"]["contract"]

    asserted = {
        "entityUrn": TABLE,
        "compatibility": "SUPERSET",
        "fields": [{"path": "id", "type": "NUMBER", "nativeType": "bigint"}],
        "schema": {"fields": [{"fieldPath": "id", "type": "NUMBER", "nativeDataType": "bigint"}]},
    }
    assertion = {"urn": ASSERTION, "info": {"type": "DATA_SCHEMA", "schemaAssertion": asserted}}
    assert found == {
        "urn": CONTRACT,
        "status": {"state": "ACTIVE"},
        "properties": {"entityUrn": TABLE, "freshness": None, "schema": [{"assertion": assertion}]},
    }


async def test_the_application_of_a_table(ask: Ask) -> None:
    text = """
        query ($urn: String!) {
          dataset(urn: $urn) { application { associatedUrn application { urn properties { name description } } } }
        }
    """

    found = await ask(text, urn=TABLE)

    application = {"urn": APPLICATION, "properties": {"name": "Shop", "description": "Sells things"}}
    assert found["dataset"]["application"] == {"associatedUrn": TABLE, "application": application}


async def test_versions_of_a_model(ask: Ask) -> None:
    text = """
        query ($urn: String!) { versionSet(urn: $urn) {
          latestVersion { urn ... on MLModel { properties {
            name mlModelLineageInfo { trainingJobs downstreamJobs }
          } } }
          versionsSearch(input: {query: "*", start: 0, count: 10}) { total searchResults { entity {
            urn ... on MLModel { versionProperties {
              versionSet { urn } version { versionTag } isLatest created { time actor { urn } } createdInSource { time }
            } }
          } } }
        } }
    """

    found = (await ask(text, urn=VERSIONS))["versionSet"]

    jobs = {"trainingJobs": [RUN], "downstreamJobs": None}
    assert found["latestVersion"] == {"urn": MODELS[1], "properties": {"name": "Arima 1", "mlModelLineageInfo": jobs}}
    assert found["versionsSearch"]["total"] == 2
    assert [result["entity"] for result in found["versionsSearch"]["searchResults"]] == [
        {
            "urn": urn,
            "versionProperties": {
                "versionSet": {"urn": VERSIONS},
                "version": {"versionTag": f"v{number}"},
                "isLatest": number == 1,
                "created": {"time": STAMP["time"], "actor": {"urn": STAMP["actor"]}},
                "createdInSource": None,
            },
        }
        for number, urn in enumerate(MODELS)
    ]


async def test_jobs_of_a_group_of_models(ask: Ask) -> None:
    text = "query ($urn: String!) { mlModelGroup(urn: $urn) { properties { mlModelLineageInfo { trainingJobs } } } }"

    found = await ask(text, urn=GROUP)

    assert found["mlModelGroup"]["properties"]["mlModelLineageInfo"] == {"trainingJobs": [RUN]}


async def test_posts_and_what_is_switched_on(ask: Ask) -> None:
    text = """
        query ($input: ListPostsInput!) {
          listPosts(input: $input) { total posts {
            urn postType content { contentType title description link media { type location } }
          } }
          appConfig { featureFlags { metricsEnabled } }
        }
    """

    found = await ask(text, input={"start": 0, "count": 10})

    content = {"contentType": "LINK", "title": "Welcome", "description": None, "link": "https://x.example"}
    posts = [{"urn": POST, "postType": "HOME_PAGE_ANNOUNCEMENT", "content": {**content, "media": None}}]
    assert found == {
        "listPosts": {"total": 1, "posts": posts},
        "appConfig": {"featureFlags": {"metricsEnabled": True}},
    }


async def test_when_a_run_last_sent_something(
    graph: AsyncDriver, database: str, registry: Registry, service: IngestService
) -> None:
    """Writes that belong to no run do not count."""
    ask = asking(Reader(graph, database, 30.0, registry), registry)
    text = "query ($urn: String!) { dataset(urn: $urn) { lastIngested } }"

    def sent(aspect: str, value: dict[str, Any], **system: Any) -> Proposal:
        return proposal_of(TABLE, aspect, value, system_metadata=system or None)

    await service.ingest([sent("status", {"removed": False})])
    before = await ask(text, urn=TABLE)
    await service.ingest([
        sent("datasetProperties", {"name": "orders"}, runId="r1", lastObserved=1_000),
        sent("globalTags", {"tags": []}, runId="r2", lastObserved=2_000),
        sent("status", {"removed": False}, runId="no-run-id-provided", lastObserved=3_000),
    ])  # fmt: skip
    after = await ask(text, urn=TABLE)

    assert (before["dataset"]["lastIngested"], after["dataset"]["lastIngested"]) == (None, 2_000)
