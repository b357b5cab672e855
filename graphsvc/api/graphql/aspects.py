"""Aspects that many entity types share, each as a class to mix into the types that carry it."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.filters import platform_urn
from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, EntityWithRelationships, referred
from graphsvc.api.graphql.placement import ParentContainersResult, ancestors
from graphsvc.api.graphql.views import AuditStamp, Json, Long, described, records, shown, stamp, text, texts, view

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import (
        Application,
        Container,
        CorpUser,
        DataPlatform,
        DataPlatformInstance,
        Domain,
        GlossaryTerm,
        OwnershipTypeEntity,
        Tag,
    )

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")


@described
class Owner:
    """A user or group that owns an entity."""

    owner: Entity
    type: str | None
    ownership_type: Annotated["OwnershipTypeEntity", _TYPES] | None
    associated_urn: str


@described
class Ownership:
    """Who owns an entity."""

    owners: list[Owner]
    last_modified: AuditStamp | None


@described
class TagAssociation:
    """A tag on something."""

    tag: Annotated["Tag", _TYPES]
    context: str | None
    associated_urn: str


@described
class GlobalTags:
    """Tags on something."""

    tags: list[TagAssociation]


@described
class GlossaryTermAssociation:
    """A glossary term on something."""

    term: Annotated["GlossaryTerm", _TYPES]
    context: str | None
    actor: Annotated["CorpUser", _TYPES] | None
    associated_urn: str


@described
class GlossaryTerms:
    """Glossary terms on something."""

    terms: list[GlossaryTermAssociation]
    audit_stamp: AuditStamp | None


@described
class DomainAssociation:
    """The domain that an entity belongs to."""

    domain: Annotated["Domain", _TYPES]
    associated_urn: str


@described
class ApplicationAssociation:
    """The application that an entity belongs to."""

    application: Annotated["Application", _TYPES]
    associated_urn: str


@described
class Status:
    """Whether an entity is soft-deleted."""

    removed: bool


@described
class Deprecation:
    """Whether an entity should no longer be used, and what to know about that."""

    deprecated: bool
    decommission_time: Long | None
    note: str | None
    actor: str | None
    actor_entity: Entity | None
    replacement: Entity | None


@described
class InstitutionalMemoryMetadata:
    """A link to what people wrote about an entity elsewhere."""

    url: str | None
    label: str | None
    description: str | None
    author: Annotated["CorpUser", _TYPES] | None
    created: AuditStamp | None
    associated_urn: str


@described
class InstitutionalMemory:
    """Links to what people wrote about an entity elsewhere."""

    elements: list[InstitutionalMemoryMetadata]


@described
class SubTypes:
    """What kind of its type an entity is: a table, a view, a model."""

    type_names: list[str] | None


def tags(value: Json, urn: str) -> GlobalTags | None:
    """A `globalTags` value, or the field of that name."""
    if not isinstance(value, dict):
        return None
    found = [(referred(item.get("tag"), "tag"), item) for item in records(value.get("tags"))]
    return GlobalTags(
        tags=[
            TagAssociation(tag=tag, context=text(item.get("context")), associated_urn=urn)
            for tag, item in found
            if tag is not None
        ]
    )


def terms(value: Json, urn: str) -> GlossaryTerms | None:
    """A `glossaryTerms` value, or the field of that name."""
    if not isinstance(value, dict):
        return None
    found = [(referred(item.get("urn"), "glossaryTerm"), item) for item in records(value.get("terms"))]
    return GlossaryTerms(
        terms=[
            GlossaryTermAssociation(
                term=term,
                context=text(item.get("context")),
                actor=referred(item.get("actor"), "corpuser"),
                associated_urn=urn,
            )
            for term, item in found
            if term is not None
        ],
        audit_stamp=stamp(value.get("auditStamp")),
    )


@strawberry.type
class HasOwnership(Entity):
    """`ownership`."""

    @shown("Who owns the entity.")
    async def ownership(self, info: Info) -> Ownership | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "ownership")
        if value is None:
            return None
        found = [(referred(item.get("owner")), item) for item in records(value.get("owners"))]
        return Ownership(
            owners=[
                Owner(
                    owner=owner,
                    type=text(item.get("type")),
                    ownership_type=referred(item.get("typeUrn"), "ownershipType"),
                    associated_urn=self.urn,
                )
                for owner, item in found
                if owner is not None
            ],
            last_modified=stamp(value.get("lastModified")),
        )


@strawberry.type
class HasTags(Entity):
    """`globalTags`."""

    @shown("Tags on the entity.")
    async def tags(self, info: Info) -> GlobalTags | None:
        """Null if the aspect is not there."""
        return tags(await info.context.loaders.value(self.urn, "globalTags"), self.urn)

    @shown("The same as `tags`: DataHub's older name for it.")
    async def global_tags(self, info: Info) -> GlobalTags | None:
        """Null if the aspect is not there."""
        return tags(await info.context.loaders.value(self.urn, "globalTags"), self.urn)


@strawberry.type
class HasTerms(Entity):
    """`glossaryTerms`."""

    @shown("Glossary terms on the entity.")
    async def glossary_terms(self, info: Info) -> GlossaryTerms | None:
        """Null if the aspect is not there."""
        return terms(await info.context.loaders.value(self.urn, "glossaryTerms"), self.urn)


@strawberry.type
class HasDomain(Entity):
    """`domains`."""

    @shown("The domain that the entity belongs to; the first, if there are several.")
    async def domain(self, info: Info) -> DomainAssociation | None:
        """Null if it has none."""
        value = await info.context.loaders.value(self.urn, "domains") or {}
        urns = value.get("domains")
        domain = referred(urns[0], "domain") if isinstance(urns, list) and urns else None
        return None if domain is None else DomainAssociation(domain=domain, associated_urn=self.urn)


@strawberry.type
class HasApplication(Entity):
    """`applications`."""

    @shown("The application that the entity belongs to; the first, if there are several.")
    async def application(self, info: Info) -> ApplicationAssociation | None:
        """Null if it belongs to none."""
        urns = texts((await info.context.loaders.value(self.urn, "applications") or {}).get("applications"))
        found: Application | None = referred(urns[0], "application") if urns else None
        return None if found is None else ApplicationAssociation(application=found, associated_urn=self.urn)


@strawberry.type
class HasContainer(Entity):
    """`container`."""

    @shown("The container that the entity stands in.")
    async def container(self, info: Info) -> Annotated["Container", _TYPES] | None:
        """Null if it stands in none."""
        value = await info.context.loaders.value(self.urn, "container") or {}
        found: Container | None = referred(value.get("container"), "container")
        return found

    @shown("All containers above the entity.")
    async def parent_containers(self, info: Info) -> ParentContainersResult:
        """The nearest first."""
        above = await ancestors(info, self.urn, "container", "container")
        containers = [found for urn in above if (found := referred(urn, "container")) is not None]
        return ParentContainersResult(count=len(containers), containers=containers)


@strawberry.type
class HasStatus(Entity):
    """`status`."""

    @shown("Whether the entity is soft-deleted.")
    async def status(self, info: Info) -> Status | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "status")
        return None if value is None else Status(removed=value.get("removed") is True)


@strawberry.type
class HasDeprecation(Entity):
    """`deprecation`."""

    @shown("Whether the entity should no longer be used.")
    async def deprecation(self, info: Info) -> Deprecation | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "deprecation")
        if value is None:
            return None
        return view(
            Deprecation,
            value,
            deprecated=value.get("deprecated") is True,
            actor_entity=referred(value.get("actor")),
            replacement=referred(value.get("replacement")),
        )


@strawberry.type
class HasMemory(Entity):
    """`institutionalMemory`."""

    @shown("Links to what people wrote about the entity elsewhere.")
    async def institutional_memory(self, info: Info) -> InstitutionalMemory | None:
        """Null if the aspect is not there."""
        value = await info.context.loaders.value(self.urn, "institutionalMemory")
        if value is None:
            return None
        return InstitutionalMemory(elements=[_memory(item, self.urn) for item in records(value.get("elements"))])


def _memory(item: dict[str, Any], urn: str) -> InstitutionalMemoryMetadata:
    created = stamp(item.get("createStamp"))
    return view(
        InstitutionalMemoryMetadata,
        item,
        label=text(item.get("description")),
        created=created,
        author=referred(created.actor, "corpuser") if created else None,
        associated_urn=urn,
    )


@strawberry.type
class HasSubTypes(Entity):
    """`subTypes`."""

    @shown("What kind of its type the entity is.")
    async def sub_types(self, info: Info) -> SubTypes | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "subTypes")
        return None if value is None else view(SubTypes, value)


@strawberry.type
class HasPlatform(EntityWithRelationships):
    """`dataPlatformInstance`, and the platform that the URN names."""

    @shown("The platform that the entity is on.")
    async def platform(self, info: Info) -> Annotated["DataPlatform", _TYPES] | None:
        """From the URN where it names one, else from the aspect `dataPlatformInstance`."""
        urn = platform_urn(self.urn)
        if urn is None:
            value = await info.context.loaders.value(self.urn, "dataPlatformInstance") or {}
            urn = text(value.get("platform"))
        found: DataPlatform | None = referred(urn, "dataPlatform")
        return found

    @shown("The instance of the platform that the entity is on.")
    async def data_platform_instance(self, info: Info) -> Annotated["DataPlatformInstance", _TYPES] | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "dataPlatformInstance") or {}
        found: DataPlatformInstance | None = referred(value.get("instance"), "dataPlatformInstance")
        return found
