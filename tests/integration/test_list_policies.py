"""DataHub's list of access policies, over what was ingested."""

from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.ingest.changes import Applied
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import IngestService
from tests.integration.asking import Ask, asking

ADA, SALES, ROLE = "urn:li:corpuser:ada", "urn:li:domain:sales", "urn:li:dataHubRole:Editor"
DOCUMENT = """query ($input: ListPoliciesInput!) { listPolicies(input: $input) { start count total policies {
  urn type name description state privileges editable
  resources { type allResources resources
    filter { criteria { field condition values { value entity { urn type } } } } }
  actors { users groups roles allUsers allGroups resourceOwners resourceOwnersTypes
    resolvedUsers { urn username } resolvedGroups { urn } resolvedRoles { urn name }
    resolvedOwnershipTypes { urn } } } } }"""
EDITORS: dict[str, Any] = {
    "displayName": "Editors of sales",
    "description": "May edit",
    "type": "METADATA",
    "state": "ACTIVE",
    "privileges": ["EDIT_ENTITY_TAGS", "EDIT_LINEAGE"],
    "resources": {
        "allResources": False,
        "filter": {"criteria": [{"field": "DOMAIN", "values": [SALES], "condition": "EQUALS"}]},
    },
    "actors": {"users": [ADA], "roles": [ROLE], "resourceOwners": True, "allUsers": False, "allGroups": False},
    "editable": True,
}
ADMINS: dict[str, Any] = {
    "displayName": "Admins",
    "description": "",
    "type": "PLATFORM",
    "state": "INACTIVE",
    "privileges": ["MANAGE_POLICIES"],
    "actors": {"allUsers": True},
    "editable": False,
}


def urn(name: str) -> str:
    return f"urn:li:dataHubPolicy:{name}"


@pytest.fixture
async def ask(graph: AsyncDriver, service: IngestService, reader: Reader, registry: Registry) -> Ask:
    """Two policies, and a third of a type that DataHub's GraphQL does not know."""
    assert graph
    values = {"a": EDITORS, "b": ADMINS, "c": ADMINS | {"type": "OTHER"}}
    answers = await service.ingest([proposal_of(urn(n), "dataHubPolicyInfo", value) for n, value in values.items()])
    assert all(isinstance(answer, Applied) for answer in answers), answers
    return asking(reader, registry)


async def listed(ask: Ask, **given: Any) -> Any:
    return (await ask(DOCUMENT, input=given))["listPolicies"]


async def test_policies_by_name(ask: Ask) -> None:
    """As DataHub's web application asks for them."""
    found = await listed(ask, start=0, count=10)

    assert (found["start"], found["count"], found["total"]) == (0, 2, 2)
    admins, editors = found["policies"]
    assert (admins["urn"], admins["name"], admins["type"], admins["state"]) == (
        urn("b"), "Admins", "PLATFORM", "INACTIVE",
    )  # fmt: skip
    assert admins["resources"] is None
    assert (admins["editable"], admins["actors"]["allUsers"], admins["actors"]["users"]) == (False, True, None)
    assert (editors["urn"], editors["description"]) == (urn("a"), "May edit")
    assert editors["privileges"] == EDITORS["privileges"]
    assert editors["resources"]["filter"]["criteria"] == [
        {
            "field": "DOMAIN",
            "condition": "EQUALS",
            "values": [{"value": SALES, "entity": {"urn": SALES, "type": "DOMAIN"}}],
        }
    ]
    assert editors["actors"]["resolvedUsers"] == [{"urn": ADA, "username": "ada"}]
    assert editors["actors"]["resolvedRoles"] == [{"urn": ROLE, "name": "Editor"}]
    assert editors["actors"]["resourceOwners"]


async def test_a_page_a_query_and_filters(ask: Ask) -> None:
    """The total is that of all pages."""
    page = await listed(ask, start=1, count=1)
    words = await listed(ask, query="sales")
    active = await listed(
        ask, orFilters=[{"and": [{"field": "state", "values": ["ACTIVE"]}]}, {"and": [{"field": "name"}]}]
    )

    assert [(policy["name"], page["total"]) for policy in page["policies"]] == [("Editors of sales", 2)]
    assert [policy["urn"] for policy in words["policies"]] == [urn("a")]
    assert [policy["urn"] for policy in active["policies"]] == [urn("a")]
    assert words["total"] == active["total"] == 1
