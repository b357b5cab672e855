"""Subscriptions: changes of entities, of what a search finds, or of what is downstream of something."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import strawberry
from strawberry.scalars import JSON

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, entity_of
from graphsvc.api.graphql.names import EntityType
from graphsvc.api.graphql.search import search_query
from graphsvc.api.graphql.search_types import AndFilterInput
from graphsvc.api.graphql.views import Long, described, shown
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.feed import Change, Feed, cursor_of, position_of
from graphsvc.graph.registry import Registry
from graphsvc.graph.search import Filter, Search
from graphsvc.graph.walks import Question, Walks, column_of
from graphsvc.urn import parse_urn

OFF = "subscriptions are off in this service; GRAPHSVC_SUBSCRIPTIONS__ENABLED=true turns them on"
NOBODY = "urn:li:corpuser:"  # a URN that no entity has

# Says which changes of some are to be shown, by their index.
Chosen = Callable[[Sequence[Change]], Awaitable[Collection[int]]]


@described
class ChangeEvent:
    """A change of one aspect of an entity. A change of the key aspect is the entity's creation or its deletion."""

    cursor: str = strawberry.field(description="Where to go on behind this change: `after` of a later subscription.")
    id: str = strawberry.field(description="The change's identity, the same in all subscriptions.")
    urn: str
    entity_type: str = strawberry.field(description="Entity type as URNs spell it.")
    aspect: str
    change_type: str = strawberry.field(description="UPSERT or DELETE.")
    version: int | None = strawberry.field(
        description="The aspect's version, of a deletion the last one; 0 for points of timeseries."
    )
    at: Long = strawberry.field(description="Milliseconds.")
    actor: str | None
    timeseries: bool = strawberry.field(description="A point of a timeseries, not a version.")
    change: strawberry.Private[Change]

    @shown("The aspect's value; null after a deletion, and where it is too large for the change log.")
    def value(self) -> JSON | None:
        """As it was sent."""
        return _json(self.change.value)

    @shown("The value before; null if there was none.")
    def previous_value(self) -> JSON | None:
        """As it was sent."""
        return _json(self.change.previous)

    @shown("The entity as it is when the event is sent, which may be after later changes.")
    def entity(self) -> Entity:
        """Read when asked for."""
        return entity_of(self.urn)


async def changes_cursor(info: Info) -> str:
    """Taken before reading what one wants to keep up to date, it leads to every change that was not read yet."""
    return cursor_of(await _feed(info).end())


async def entity_changes(
    info: Info, urns: list[str], aspects: list[str] | None = None, after: str | None = None
) -> AsyncGenerator[ChangeEvent, None]:
    """Of these entities, and of these aspects if any are named."""
    if not urns:
        raise BadRequest("urns names no entity")
    info.context.check_size("the number of urns", len(urns))
    for urn in urns:
        parse_urn(urn)
    wanted, names = frozenset(urns), frozenset(aspects or ())

    def is_wanted(change: Change) -> bool:
        return change.urn in wanted and (not names or change.aspect in names)

    async with aclosing(_events(info, after, is_wanted, _all)) as events:
        async for event in events:
            yield event


async def search_changes(
    info: Info,
    types: list[EntityType] | None = None,
    query: str = "*",
    or_filters: list[AndFilterInput] | None = None,
    after: str | None = None,
) -> AsyncGenerator[ChangeEvent, None]:
    """Of the entities that the search finds right after the change."""
    wanted = search_query(info, query, types, None, or_filters, None)
    search = Search(info.context.reader, info.context.registry)
    kinds = None if wanted.types is None else frozenset(wanted.types)

    async def found(changes: Sequence[Change]) -> Collection[int]:
        urns = sorted({change.urn for change in changes})
        only = Filter("urn", tuple(urns))
        groups = tuple((*group, only) for group in wanted.filters or ((),))
        hits = {hit.urn for hit in await search.page(replace(wanted, filters=groups), 0, len(urns))}
        return [index for index, change in enumerate(changes) if change.urn in hits]

    await search.page(replace(wanted, filters=((*(wanted.filters or ((),))[0], Filter("urn", (NOBODY,))),)), 0, 1)
    async with aclosing(_events(info, after, lambda c: kinds is None or c.entity_type in kinds, found)) as events:
        async for event in events:
            yield event


async def downstream_changes(
    info: Info, urn: str, max_hops: int | None = None, after: str | None = None
) -> AsyncGenerator[ChangeEvent, None]:
    """Of everything downstream of an entity or a column, up to so many hops; of the entity itself there are none."""
    parse_urn(urn)
    most = info.context.settings.max_hops
    if max_hops is not None and not 0 < max_hops <= most:
        raise BadRequest(f"maxHops is {max_hops}; it is a number from 1 to {most}")
    downstream = _Downstream(info, urn, max_hops or most)
    async with aclosing(_events(info, after, lambda change: change.urn != urn, downstream.chosen)) as events:
        async for event in events:
            yield event


class _Downstream:
    """What is downstream of an entity: walked once, and again when lineage has changed."""

    def __init__(self, info: Info, urn: str, hops: int) -> None:
        self._settings = info.context.settings
        self._registry = info.context.registry
        self._walks = Walks(info.context.reader, info.context.registry)
        self._urn = urn
        self._hops = hops
        self._members: frozenset[str] | None = None

    async def chosen(self, changes: Sequence[Change]) -> Collection[int]:
        """What is downstream, or was until one of these changes."""
        before = self._members if self._members is not None else await self._walk()
        moved = {index for index, change in enumerate(changes) if moves(change, self._registry)}
        self._members = await self._walk() if moved else before
        members = before | self._members
        sources = members | {self._urn}
        return [
            index
            for index, change in enumerate(changes)
            if change.urn in members or (index in moved and not sources.isdisjoint(_upstreams(change, self._registry)))
        ]

    async def _walk(self) -> frozenset[str]:
        limit = self._settings.max_lineage_nodes
        question = Question(self._urn, "down", self._hops, limit, self._settings.query_timeout_s, edges=False)
        walked = await self._walks.walk(question)
        if walked is None:
            return frozenset()
        if walked.partial is not None:
            raise TooLarge(f"what is downstream of {self._urn} is more than can be watched ({walked.partial.value})")
        urns = frozenset(node.urn for node in walked.nodes)
        return urns | {entity for urn in urns if (entity := column_of(urn))} - {self._urn}


def moves(change: Change, registry: Registry) -> bool:
    """Whether a change may have changed lineage."""
    spec = registry.aspects.get(change.aspect)
    if spec is None:
        return False
    deleted = change.change_type == "DELETE" and spec.key_for is not None
    return deleted or spec.column_lineage is not None or any(edge.lineage for edge in spec.edges)


def _upstreams(change: Change, registry: Registry) -> set[str]:
    """The upstreams that the aspect's value before names: the entity was downstream of them, if it is no more."""
    spec = registry.aspects.get(change.aspect)
    if spec is None or change.previous is None:
        return set()
    value = orjson.loads(change.previous)
    edges = [edge for edge in spec.edges if edge.lineage and edge.upstream]
    return {found for edge in edges for found in _at(value, edge.path) if isinstance(found, str)}


def _at(value: Any, path: Sequence[str]) -> list[Any]:
    """What stands at a path of the model, where `*` is every item of a list or every value of a map."""
    found = [value]
    for key in path:
        items = [item for item in found if isinstance(item, dict | list)]
        if key == "*":
            found = [inner for item in items for inner in (item.values() if isinstance(item, dict) else item)]
        else:
            found = [item[key] for item in items if isinstance(item, dict) and key in item]
    return found


async def _all(changes: Sequence[Change]) -> Collection[int]:
    return range(len(changes))


async def _events(
    info: Info, after: str | None, wanted: Callable[[Change], bool], chosen: Chosen
) -> AsyncGenerator[ChangeEvent, None]:
    position = None if after is None else position_of(after)
    async with aclosing(_feed(info).changes(position, wanted)) as batches:
        async for batch in batches:
            shown_ones = frozenset(await chosen(batch.changes) if batch.changes else ())
            for index, (change, behind) in enumerate(batch.steps()):
                if index in shown_ones:
                    info.context.renew()
                    yield _event(change, cursor_of(behind))


def _event(change: Change, cursor: str) -> ChangeEvent:
    return ChangeEvent(
        cursor=cursor,
        id=change.id,
        urn=change.urn,
        entity_type=change.entity_type,
        aspect=change.aspect,
        change_type=change.change_type,
        version=change.version,
        at=Long(change.at),
        actor=change.actor,
        timeseries=change.timeseries,
        change=change,
    )


def _feed(info: Info) -> Feed:
    feed = info.context.feed
    if feed is None:
        raise BadRequest(OFF)
    return feed


def _json(text: str | None) -> JSON | None:
    return None if text is None else JSON(orjson.loads(text))


def subscription_type() -> type:
    """The root type of subscriptions."""
    fields = {
        "entity_changes": strawberry.subscription(
            resolver=entity_changes, description="Changes of entities, of some of their aspects or of all."
        ),
        "search_changes": strawberry.subscription(
            resolver=search_changes, description="Changes of the entities that a search finds."
        ),
        "downstream_changes": strawberry.subscription(
            resolver=downstream_changes,
            description="Changes of everything downstream of an entity, up to `maxHops`; without it, up to the limit.",
        ),
    }
    return strawberry.type(type("Subscription", (), fields), description="What can be followed.")
