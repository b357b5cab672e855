"""DataHub's access policies, as its web application lists them. They are metadata here: nobody is let in by them."""

import asyncio
from collections.abc import Mapping
from enum import Enum
from types import GenericAlias
from typing import Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, class_of, referred
from graphsvc.api.graphql.names import entity_type_of
from graphsvc.api.graphql.search import search_query
from graphsvc.api.graphql.search_types import AndFilterInput, FacetFilterInput
from graphsvc.api.graphql.types import CorpGroup, CorpUser, OwnershipTypeEntity
from graphsvc.api.graphql.views import at, described, records, text, texts, view
from graphsvc.graph.search import Search, Sort
from graphsvc.urn import parse_urn

_ROLES: Any = GenericAlias(list, (class_of("dataHubRole"),)) | None


@strawberry.enum(description="What a policy grants privileges on.")
class PolicyType(Enum):
    """DataHub's names."""

    METADATA = "METADATA"
    PLATFORM = "PLATFORM"


@strawberry.enum(description="Whether a policy is in force.")
class PolicyState(Enum):
    """DataHub's names."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@strawberry.enum(description="How a criterion compares a field with its values.")
class PolicyMatchCondition(Enum):
    """DataHub's names."""

    EQUALS = "EQUALS"
    STARTS_WITH = "STARTS_WITH"
    NOT_EQUALS = "NOT_EQUALS"


@strawberry.input(description="A page of policies; with a query, those that a search for it finds.")
class ListPoliciesInput:
    """As DataHub's."""

    start: int | None = None
    count: int | None = None
    query: str | None = None
    or_filters: list[AndFilterInput] | None = None


@described
class PolicyMatchCriterionValue:
    """A value, and the entity if it is a URN."""

    value: str
    entity: Entity | None


@described
class PolicyMatchCriterion:
    """A field, and the values of which one should match."""

    field: str
    values: list[PolicyMatchCriterionValue]
    condition: PolicyMatchCondition


@described
class PolicyMatchFilter:
    """Criteria that must all hold."""

    criteria: list[PolicyMatchCriterion] | None


@described
class ResourceFilter:
    """What a policy is about; `type`, `resources` and `allResources` are the older form of `filter`."""

    type: str | None
    resources: list[str] | None
    all_resources: bool | None
    filter: PolicyMatchFilter | None


@described
class ActorFilter:
    """Whom a policy grants its privileges to; the resolved lists are null where the others are."""

    users: list[str] | None
    groups: list[str] | None
    roles: list[str] | None
    resource_owners: bool
    resource_owners_types: list[str] | None
    all_users: bool
    all_groups: bool
    resolved_users: list[CorpUser] | None
    resolved_groups: list[CorpGroup] | None
    resolved_roles: list[Entity] | None = strawberry.field(graphql_type=_ROLES)
    resolved_ownership_types: list[OwnershipTypeEntity] | None


@described
class Policy:
    """Who may do what, with what."""

    urn: str
    type: PolicyType
    name: str
    state: PolicyState
    description: str | None
    resources: ResourceFilter | None
    privileges: list[str]
    actors: ActorFilter
    editable: bool


@described
class ListPoliciesResult:
    """A page of policies."""

    start: int
    count: int
    total: int
    policies: list[Policy]


async def list_policies(info: Info, input: ListPoliciesInput) -> ListPoliciesResult | None:  # noqa: A002  DataHub's name
    """
    One page, by name; the best first where there is a query.

    Policies of a type or in a state that DataHub's enums do not know are not among them.

    Raises:
        BadRequest: A page or a filter that makes no sense.
        TooLarge: The page passes the settings' limit.
    """
    first, size = info.context.page(input.start, input.count)
    words = input.query or "*"
    known = [
        FacetFilterInput(field="type", values=[member.value for member in PolicyType]),
        FacetFilterInput(field="state", values=[member.value for member in PolicyState]),
    ]
    wanted = search_query(info, words, [entity_type_of("dataHubPolicy")], known, input.or_filters, None)
    finder = Search(info.context.reader, info.context.registry)
    order = [Sort("displayName")] if words == "*" else []
    hits, total = await asyncio.gather(finder.page(wanted, first, size, order), finder.total(wanted))
    values = await asyncio.gather(*(info.context.loaders.value(hit.urn, "dataHubPolicyInfo") for hit in hits))
    policies = [
        policy
        for hit, value in zip(hits, values, strict=True)
        if value is not None and (policy := policy_of(hit.urn, value)) is not None
    ]
    return ListPoliciesResult(start=first, count=len(policies), total=total.number, policies=policies)


def policy_of(urn: str, value: Mapping[str, Any]) -> Policy | None:
    """
    A policy as DataHub's GraphQL shows it; what the model has a default for may be missing.

    Args:
        urn: Its key.
        value: The aspect `dataHubPolicyInfo`.

    Returns:
        None where an enum of DataHub's GraphQL has no word for the type, the state or a condition.
    """
    actors = at(value, "actors")
    resources = at(value, "resources")
    try:
        return view(
            Policy,
            value,
            urn=urn,
            type=PolicyType(value.get("type")),
            name=text(value.get("displayName")) or parse_urn(urn).parts[-1],
            state=PolicyState(value.get("state")),
            resources=_resources(resources) if isinstance(resources, dict) else None,
            privileges=texts(value.get("privileges")) or [],
            actors=_actors(actors if isinstance(actors, dict) else {}),
            editable=value.get("editable") is not False,
        )
    except ValueError:
        return None


def _actors(value: Mapping[str, Any]) -> ActorFilter:
    return view(
        ActorFilter,
        value,
        resource_owners=value.get("resourceOwners") is True,
        all_users=value.get("allUsers") is True,
        all_groups=value.get("allGroups") is True,
        resolved_users=_entities(value.get("users"), "corpuser"),
        resolved_groups=_entities(value.get("groups"), "corpGroup"),
        resolved_roles=_entities(value.get("roles"), "dataHubRole"),
        resolved_ownership_types=_entities(value.get("resourceOwnersTypes"), "ownershipType"),
    )


def _resources(value: Mapping[str, Any]) -> ResourceFilter:
    criteria = at(value, "filter.criteria")
    found = None if criteria is None else PolicyMatchFilter(criteria=[_criterion(item) for item in records(criteria)])
    return view(ResourceFilter, value, filter=found)


def _criterion(value: Mapping[str, Any]) -> PolicyMatchCriterion:
    return PolicyMatchCriterion(
        field=text(value.get("field")) or "",
        values=[
            PolicyMatchCriterionValue(value=item, entity=referred(item)) for item in texts(value.get("values")) or ()
        ],
        condition=PolicyMatchCondition(value.get("condition", "EQUALS")),
    )


def _entities(urns: Any, entity_type: str) -> list[Any] | None:
    found = texts(urns)
    return None if found is None else [one for urn in found if (one := referred(urn, entity_type)) is not None]
