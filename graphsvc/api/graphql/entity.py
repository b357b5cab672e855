"""What every entity answers: who it is, what it is related to, and its aspects as they stand."""

import inspect
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from itertools import repeat
from typing import Any, ClassVar, TypeVar

import orjson
import strawberry
from graphql import GraphQLAbstractType, GraphQLResolveInfo
from strawberry.scalars import JSON

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.loaders import (
    AspectsKey,
    CountsKey,
    HistoryKey,
    HopsKey,
    PointsKey,
    RelationshipsKey,
    VersionKey,
)
from graphsvc.api.graphql.names import EntityType, entity_type_of, type_name
from graphsvc.api.graphql.plain import Table
from graphsvc.api.graphql.views import WRITTEN, AuditStamp, CustomPropertiesEntry, Long, described, number, shown
from graphsvc.graph.operations import NO_RUN
from graphsvc.graph.reader import AspectRow, Page, RelationshipRow
from graphsvc.urn import parse_urn, urn_type

FOREVER = 2**63 - 1
_Value = TypeVar("_Value")


@strawberry.enum(description="Which way a relationship points, seen from the entity.")
class RelationshipDirection(Enum):
    """Values are the reader's."""

    INCOMING = "in"
    OUTGOING = "out"
    UNDIRECTED = "both"


@strawberry.enum(description="Which way to walk lineage.")
class LineageDirection(Enum):
    """Values are the reader's."""

    UPSTREAM = "up"
    DOWNSTREAM = "down"


@strawberry.input(description="Which relationships of an entity to list.")
class RelationshipsInput:
    """As DataHub's, where `types` may also be left out: all types then."""

    direction: RelationshipDirection
    types: list[str] | None = None
    start: int | None = 0
    count: int | None = 10
    include_soft_delete: bool | None = True


@strawberry.input(description="Which direct upstreams or downstreams of an entity to list.")
class LineageInput:
    """As DataHub's. Siblings are never merged, so that `separateSiblings` changes nothing."""

    direction: LineageDirection
    start: int | None = 0
    count: int | None = 10
    separate_siblings: bool | None = None
    include_ghost_entities: bool | None = strawberry.field(
        default=False, description="Also those that are soft-deleted; those that nobody has described are always there."
    )


@strawberry.input(description="Which aspects to bring.")
class AspectParams:
    """As DataHub's."""

    aspect_names: list[str] | None = None
    auto_render_only: bool | None = strawberry.field(default=None, description="Means nothing here.")


@described
class RawAspect:
    """One version of one aspect, as it was sent."""

    name: str
    version: int
    value: JSON
    payload: str
    created_at: Long | None
    created_by: str | None
    system_metadata: JSON | None
    run_id: str | None
    unmodelled: bool

    @shown("The same as `name`: DataHub's word for it.")
    def aspect_name(self) -> str:
        """DataHub's spelling."""
        return self.name


@described
class TimeseriesPoint:
    """One point of a timeseries aspect."""

    timestamp_millis: Long
    message_id: str
    value: JSON
    system_metadata: JSON | None
    run_id: str | None


@described
class EntityRelationship:
    """A relationship, seen from the entity that was asked."""

    type: str
    direction: RelationshipDirection
    entity: "Entity"
    created: AuditStamp | None
    updated: AuditStamp | None
    aspect: str | None
    declared_by: str | None
    via: str | None
    properties: list[CustomPropertiesEntry] | None


@described
class EntityRelationshipsResult:
    """A page of relationships, sorted by type, then by the other end's URN."""

    start: int
    count: int
    total: int
    relationships: list[EntityRelationship]


@described
class RelationshipCount:
    """How many relationships of a type an entity has; one with itself counts once, as outgoing."""

    type: str
    direction: RelationshipDirection
    count: int


@described
class LineageRelationship:
    """A direct upstream or downstream."""

    type: str
    degree: int
    entity: "Entity"
    created_on: Long | None
    created_actor: "Entity | None"
    updated_on: Long | None
    updated_actor: "Entity | None"
    aspect: str | None
    via: str | None


@described
class EntityLineageResult:
    """A page of direct upstreams or downstreams, sorted by type, then by the other end's URN."""

    start: int
    count: int
    total: int
    relationships: list[LineageRelationship]


@strawberry.interface(description="Anything that has a URN.")
class Entity:
    """
    An entity, by URN; everything else is read when it is asked for.

    Attributes:
        plain: Fields with resolvers -> attributes that hold their values already, in lists that are marked plain.
    """

    urn: str
    type: EntityType
    known_name: strawberry.Private[str | None] = None
    known_exists: strawberry.Private[bool] = True

    plain: ClassVar[dict[str, str]] = {"name": "known_name", "exists": "known_exists", "typeName": "type_text"}

    @classmethod
    def resolve_type(cls, obj: "Entity", info: GraphQLResolveInfo[Any], _: GraphQLAbstractType) -> str:
        """GraphQL's type of an entity; the generic one where a schema does not have it."""
        name = str(getattr(type(obj), "__strawberry_definition__").name)  # noqa: B009
        return name if name in info.schema.type_map else GenericEntity.__name__

    @property
    def type_text(self) -> str:
        """The entity type as URNs spell it."""
        return urn_type(self.urn)

    @shown("Entity type as URNs spell it; it also tells apart the types that are OTHER.")
    def type_name(self) -> str:
        """`dataset`, `dataJob` and so on."""
        return self.type_text

    @shown("What to show: the name that an aspect gives, else the last part of the URN's key.")
    async def name(self, info: Info) -> str:
        """Read with the names of all other entities of the page."""
        if self.known_name is not None:
            return self.known_name
        row = await info.context.loaders.entities.load(self.urn)
        return row.name if row else parse_urn(self.urn).parts[-1]

    @shown("Whether anyone has described the entity; others may point to one that nobody has.")
    async def exists(self, info: Info) -> bool:
        """Read with all other entities of the page."""
        row = await info.context.loaders.entities.load(self.urn)
        return row is not None and not row.referenced_only

    @shown("Relationships that the entity declares, or that point to it.")
    async def relationships(
        self,
        info: Info,
        input: RelationshipsInput,  # noqa: A002  DataHub's name
    ) -> EntityRelationshipsResult:
        """One page."""
        types = None if input.types is None else tuple(sorted(set(input.types)))
        removed = input.include_soft_delete is not False
        return await related(self, info, types, input.direction, input.start, input.count, removed=removed)

    @shown("How many relationships of each type the entity has, by type; types that it has none of are left out.")
    async def relationship_counts(
        self,
        info: Info,
        direction: RelationshipDirection | None = RelationshipDirection.UNDIRECTED,
        types: list[str] | None = None,
        include_soft_delete: bool | None = True,  # noqa: FBT001, FBT002  GraphQL's
    ) -> list[RelationshipCount]:
        """Of all types if none is named."""
        wanted = None if types is None else tuple(sorted(set(types)))
        way = direction or RelationshipDirection.UNDIRECTED
        counts = await info.context.loaders.counts.load(
            CountsKey(self.urn, wanted, way.value, include_soft_delete is not False)
        )
        return [
            RelationshipCount(type=row.type, direction=_direction(outgoing=row.outgoing), count=row.total)
            for row in counts
        ]

    @shown("Direct upstreams or downstreams.")
    async def lineage(self, info: Info, input: LineageInput) -> EntityLineageResult:  # noqa: A002
        """One page of one hop; the query `lineage` walks further."""
        start, count = info.context.page(input.start, input.count)
        key = HopsKey(self.urn, input.direction.value, start, count, bool(input.include_ghost_entities))
        page: Page = await info.context.loaders.hops.load(key)
        return EntityLineageResult(
            start=start, count=len(page.rows), total=page.total, relationships=[_hop(r) for r in page.rows]
        )

    @shown("Current aspects as they were sent, by name; all of them if no names are given.")
    async def aspects(
        self,
        info: Info,
        input: AspectParams | None = None,  # noqa: A002  DataHub's name
        names: list[str] | None = None,
    ) -> list[RawAspect]:
        """Sorted by name."""
        wanted = names if names is not None or input is None else input.aspect_names
        key = AspectsKey(self.urn, None if wanted is None else tuple(sorted(set(wanted))))
        return [raw_aspect(row) for row in await info.context.loaders.aspect_lists.load(key)]

    @shown("One aspect as it was sent: the current version (0), or an older one by its number.")
    async def aspect(self, info: Info, name: str, version: int | None = 0) -> RawAspect | None:
        """Null if there is none."""
        loaders = info.context.loaders
        if version:
            row = await loaders.versions.load(VersionKey(self.urn, name, version))
        else:
            row = await loaders.aspect(self.urn, name)
        return raw_aspect(row) if row else None

    @shown("Versions of one aspect, newest first, the current one included.")
    async def aspect_versions(
        self, info: Info, name: str, start: int | None = 0, count: int | None = 10
    ) -> list[RawAspect]:
        """One page."""
        first, size = info.context.page(start, count)
        rows = await info.context.loaders.histories.load(HistoryKey(self.urn, name, first, size))
        return [raw_aspect(row) for row in rows]

    @shown("When a run of an ingestion last sent something of the entity; null if none did.")
    async def last_ingested(self, info: Info) -> Long | None:
        """By the system metadata of its current aspects, in milliseconds; writes of no run do not count."""
        rows = await info.context.loaders.aspect_lists.load(AspectsKey(self.urn, None))
        sent = [orjson.loads(row.system_metadata) for row in rows if row.system_metadata]
        times = [number(data.get("lastObserved")) for data in sent if data.get("runId") not in {None, NO_RUN}]
        return max((time for time in times if time is not None), default=None)

    @shown("Points of a timeseries aspect within a range of time (inclusive), newest first.")
    async def timeseries(
        self,
        info: Info,
        name: str,
        start_time_millis: Long | None = None,
        end_time_millis: Long | None = None,
        limit: int | None = 10,
    ) -> list[TimeseriesPoint]:
        """The newest ones where no time is given."""
        _, size = info.context.page(0, limit)
        start = 0 if start_time_millis is None else int(start_time_millis)
        end = FOREVER if end_time_millis is None else int(end_time_millis)
        rows = await info.context.loaders.points.load(PointsKey(self.urn, name, start, end, size))
        return [
            TimeseriesPoint(
                timestamp_millis=Long(row.timestamp_millis),
                message_id=row.message_id,
                value=JSON(orjson.loads(row.value)),
                system_metadata=_json(row.system_metadata),
                run_id=row.run_id,
            )
            for row in rows
        ]


@strawberry.interface(description="An entity that lineage goes through: DataHub's name for those that have `lineage`.")
class EntityWithRelationships(Entity):
    """Here every entity has it."""


async def related(  # noqa: PLR0913, PLR0917
    entity: Entity,
    info: Info,
    types: tuple[str, ...] | None,
    direction: RelationshipDirection,
    start: int | None,
    count: int | None,
    *,
    removed: bool = True,
) -> EntityRelationshipsResult:
    """One page of an entity's relationships, of all types if none is named; `removed` keeps soft-deleted other ends."""
    first, size = info.context.page(start, count)
    key = RelationshipsKey(entity.urn, types, direction.value, first, size, removed)
    page = await info.context.loaders.relationships.load(key)
    return EntityRelationshipsResult(
        start=first, count=len(page.rows), total=page.total, relationships=[_relationship(r) for r in page.rows]
    )


_CLASSES: dict[str, type[Entity]] = {}
_TYPES: dict[type, str] = {}


def register(entity_type: str, cls: type[Entity]) -> type[Entity]:
    """Make a class the GraphQL type of an entity type; its name is DataHub's."""
    WRITTEN.add(type_name(entity_type))
    described_cls = strawberry.type(cls, name=type_name(entity_type), description=inspect.getdoc(cls))
    _CLASSES[entity_type] = described_cls
    _TYPES[described_cls] = entity_type
    return described_cls


@strawberry.type(description="An entity of a type that no model knows.")
class GenericEntity(Entity):
    """What `Entity` answers, and no more."""


def register_own(entity_type: str, name: str) -> None:
    """
    Make a class for an entity type of a model file, once; its fields come from the model when a schema is built.

    Args:
        entity_type: As URNs spell it.
        name: GraphQL name of its type.
    """
    if entity_type not in _CLASSES:
        cls = type(name, (GenericEntity,), {})
        _CLASSES[entity_type] = strawberry.type(cls, name=name, description=f"An entity of type `{entity_type}`.")
        _TYPES[_CLASSES[entity_type]] = entity_type
        _kind.cache_clear()


def type_of(cls: type) -> str | None:
    """The entity type that a class stands for; None for the generic one, and for what is no class of an entity."""
    return _TYPES.get(cls)


def class_of(entity_type: str) -> type[Entity]:
    """The class for an entity type as URNs spell it."""
    return _CLASSES.get(entity_type, GenericEntity)


def entity_of(urn: str, name: str | None = None, *, exists: bool = True) -> Entity:
    """
    An entity for a URN that the graph holds.

    Args:
        urn: Its key.
        name: Its name, if it was read already.
        exists: Whether it was described; counts only where the name is given.
    """
    cls, member = _kind(urn_type(urn))
    return cls(urn=urn, type=member, known_name=name, known_exists=exists)


def entity_table(urns: Sequence[str], names: Sequence[str], exists: Sequence[bool]) -> Table:
    """Entities that the graph holds, in columns; a column of another table itself, so that it never makes objects."""
    types = _types(urns)
    kinds = {entity_type: _kind(entity_type) for entity_type in set(types)}
    columns: dict[str, Sequence[Any]] = {
        "urn": urns,
        "known_name": names,
        "known_exists": exists,
        "type": _each(types, {entity_type: member for entity_type, (_, member) in kinds.items()}),
        "type_text": types,
    }
    return Table(columns, _each(types, {entity_type: cls for entity_type, (cls, _) in kinds.items()}), list)


def _types(urns: Sequence[str]) -> list[str]:
    """The entity type of each URN; mostly all are of one, which shows in a fifth of the time."""
    first = urn_type(urns[0]) if urns else ""
    if all(map(str.startswith, urns, repeat(f"urn:li:{first}:"))):
        return [first] * len(urns)
    return list(map(urn_type, urns))


def _each(types: Sequence[str], values: Mapping[str, _Value]) -> list[_Value]:
    """The value for each type; mostly all are of one."""
    return [*values.values()] * len(types) if len(values) == 1 else [values[entity_type] for entity_type in types]


@lru_cache(maxsize=1024)
def _kind(entity_type: str) -> tuple[type[Entity], EntityType]:
    return class_of(entity_type), entity_type_of(entity_type)


def referred(urn: Any, entity_type: str | None = None) -> Any:
    """An entity for what an aspect holds where a URN belongs; None if it is not one, or of another type."""
    if not isinstance(urn, str) or urn.count(":") < 3 or not urn.startswith("urn:li:"):
        return None
    if entity_type is not None and urn_type(urn) != entity_type:
        return None
    return entity_of(urn)


def raw_aspect(row: AspectRow) -> RawAspect:
    """A reader's row as GraphQL shows it."""
    return RawAspect(
        name=row.name,
        version=row.version,
        value=JSON(orjson.loads(row.value)),
        payload=row.value,
        created_at=None if row.created_at is None else Long(row.created_at),
        created_by=row.created_by,
        system_metadata=_json(row.system_metadata),
        run_id=row.run_id,
        unmodelled=row.unmodelled,
    )


def _json(text: str | None) -> JSON | None:
    return None if text is None else JSON(orjson.loads(text))


def _stamp(time: int | None, actor: str | None) -> AuditStamp | None:
    return None if time is None else AuditStamp(time=Long(time), actor=actor)


def _direction(*, outgoing: bool) -> RelationshipDirection:
    return RelationshipDirection.OUTGOING if outgoing else RelationshipDirection.INCOMING


def _relationship(row: RelationshipRow) -> EntityRelationship:
    pairs = None if row.properties is None else [item.partition("=") for item in row.properties]
    return EntityRelationship(
        type=row.type,
        direction=_direction(outgoing=row.outgoing),
        entity=entity_of(row.urn),
        created=_stamp(row.created_on, row.created_actor),
        updated=_stamp(row.updated_on, row.updated_actor),
        aspect=row.aspect,
        declared_by=row.declared_by,
        via=row.via,
        properties=None if pairs is None else [CustomPropertiesEntry(key=k, value=v) for k, _, v in pairs],
    )


def _hop(row: RelationshipRow) -> LineageRelationship:
    return LineageRelationship(
        type=row.type,
        degree=1,
        entity=entity_of(row.urn),
        created_on=None if row.created_on is None else Long(row.created_on),
        created_actor=referred(row.created_actor),
        updated_on=None if row.updated_on is None else Long(row.updated_on),
        updated_actor=referred(row.updated_actor),
        aspect=row.aspect,
        via=row.via,
    )
