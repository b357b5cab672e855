"""An access policy as DataHub's GraphQL shows it."""

from typing import Any

import pytest

from graphsvc.api.graphql.policies import PolicyMatchCondition, PolicyState, PolicyType, policy_of

URN = "urn:li:dataHubPolicy:editors"
ADA, DOMAIN = "urn:li:corpuser:ada", "urn:li:domain:sales"
LEAST: dict[str, Any] = {"type": "PLATFORM", "state": "ACTIVE"}


def criterion(**given: Any) -> dict[str, Any]:
    return LEAST | {"resources": {"filter": {"criteria": [{"field": "DOMAIN", "values": [DOMAIN, "x"], **given}]}}}


def test_what_is_missing_is_the_models_default() -> None:
    """A policy may be stored without what the model has a default for."""
    found = policy_of(URN, LEAST)

    assert found is not None
    assert (found.name, found.type, found.state) == ("editors", PolicyType.PLATFORM, PolicyState.ACTIVE)
    assert (found.privileges, found.resources, found.description, found.editable) == ([], None, None, True)
    assert not found.actors.all_users
    assert not found.actors.all_groups
    assert not found.actors.resource_owners
    assert (found.actors.users, found.actors.resolved_users) == (None, None)


def test_urns_are_shown_as_entities() -> None:
    """Beside the texts that they are; what is none, or of another type, is left out."""
    found = policy_of(URN, criterion() | {"actors": {"users": [ADA, DOMAIN], "groups": []}})

    assert found is not None
    assert found.actors.users == [ADA, DOMAIN]
    assert [user.urn for user in found.actors.resolved_users or ()] == [ADA]
    assert (found.actors.groups, found.actors.resolved_groups) == ([], [])
    assert found.resources is not None
    assert found.resources.filter is not None
    (shown,) = found.resources.filter.criteria or []
    assert (shown.field, shown.condition) == ("DOMAIN", PolicyMatchCondition.EQUALS)
    assert [(value.value, value.entity and value.entity.urn) for value in shown.values] == [
        (DOMAIN, DOMAIN),
        ("x", None),
    ]


@pytest.mark.parametrize(
    "value",
    [{}, LEAST | {"type": "OTHER"}, LEAST | {"type": []}, LEAST | {"state": None}, criterion(condition="MATCHES")],
)
def test_what_datahubs_enums_do_not_know_is_not_shown(value: dict[str, Any]) -> None:
    """Never as something else than it is."""
    assert policy_of(URN, value) is None
