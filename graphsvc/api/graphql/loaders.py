"""One DataLoader per reader method, per request: a page of N entities costs as many queries as a page of one."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
from strawberry.dataloader import DataLoader

from graphsvc.graph.reader import (
    EMPTY_PAGE,
    AspectRow,
    Direction,
    EntityRow,
    Flow,
    Page,
    PointRow,
    Reader,
    RelationshipCount,
)
from graphsvc.graph.registry import Registry
from graphsvc.graph.search import Among, Answer, Search

Key = TypeVar("Key")
Value = TypeVar("Value")
Group = TypeVar("Group", bound=Hashable)

MAX_BATCH = 10_000  # keys of one query; more are split over several


class AspectKey(NamedTuple):
    """A current aspect."""

    urn: str
    name: str


class AspectsKey(NamedTuple):
    """Current aspects of an entity: those named, or all."""

    urn: str
    names: tuple[str, ...] | None


class VersionKey(NamedTuple):
    """An aspect at a version from 1."""

    urn: str
    name: str
    version: int


class HistoryKey(NamedTuple):
    """A page of an aspect's versions."""

    urn: str
    name: str
    start: int
    size: int


class PointsKey(NamedTuple):
    """A range of a timeseries aspect."""

    urn: str
    name: str
    start_ms: int
    end_ms: int
    limit: int


class RelationshipsKey(NamedTuple):
    """A page of an entity's relationships."""

    urn: str
    types: tuple[str, ...] | None
    direction: Direction
    start: int
    size: int
    removed: bool


class CountsKey(NamedTuple):
    """Counts of an entity's relationships."""

    urn: str
    types: tuple[str, ...] | None
    direction: Direction
    removed: bool


class HopsKey(NamedTuple):
    """A page of an entity's direct upstreams or downstreams."""

    urn: str
    flow: Flow
    start: int
    size: int
    removed: bool


class ListKey(NamedTuple):
    """A page of a list of entities, with facets."""

    among: Among
    start: int
    size: int
    facets: tuple[str, ...]
    limit: int


class Loaders:
    """
    Everything one request reads.

    Keys that differ only in their URN share a query. Such a group exists per field and arguments in the request's
    text, so the number of queries depends on the text and never on how many entities it finds.
    """

    def __init__(self, reader: Reader, registry: Registry, needs: frozenset[str] = frozenset()) -> None:
        """
        Begin without having read anything.

        Args:
            reader: Where everything is read.
            registry: The model.
            needs: Aspects that will be asked for of an entity that a query asks about; they are read beside it.
        """
        self._needs = needs
        self._asked: set[str] = set()
        self._needed: set[str] = set()
        self._reader = reader
        self._search = Search(reader, registry)
        self._values: dict[AspectKey, Any] = {}
        self.entities: DataLoader[str, EntityRow | None] = _loader(self._load_entities)
        self.aspects: DataLoader[AspectKey, AspectRow | None] = _loader(self._load_aspects)
        self.aspect_lists: DataLoader[AspectsKey, list[AspectRow]] = _loader(self._load_aspect_lists)
        self.versions: DataLoader[VersionKey, AspectRow | None] = _loader(reader.aspects_at)
        self.histories: DataLoader[HistoryKey, list[AspectRow]] = _loader(self._load_histories)
        self.points: DataLoader[PointsKey, list[PointRow]] = _loader(self._load_points)
        self.relationships: DataLoader[RelationshipsKey, Page] = _loader(self._load_relationships)
        self.counts: DataLoader[CountsKey, list[RelationshipCount]] = _loader(self._load_counts)
        self.hops: DataLoader[HopsKey, Page] = _loader(self._load_hops)
        self.lists: DataLoader[ListKey, Answer | None] = _loader(self._load_lists)

    @property
    def needed(self) -> frozenset[str]:
        """The aspects that were asked for of entities that queries ask about."""
        return frozenset(self._needed)

    async def asked(self, urn: str) -> EntityRow | None:
        """The entity that a query asks about; None if it has no node."""
        self._asked.add(urn)
        keys = (AspectKey(urn, name) for name in self._needs)
        ahead = asyncio.gather(*map(self.aspects.load, keys), return_exceptions=True)  # told by who asks for them
        row = await self.entities.load(urn)
        await ahead
        return row

    async def aspect(self, urn: str, name: str) -> AspectRow | None:
        """A current aspect; None if there is none."""
        if urn in self._asked:
            self._needed.add(name)
        return await self.aspects.load(AspectKey(urn, name))

    async def value(self, urn: str, name: str) -> dict[str, Any] | None:
        """A current aspect's value, decoded once per request; None if there is none."""
        key = AspectKey(urn, name)
        row = await self.aspect(urn, name)
        if row is None:
            return None
        if key not in self._values:
            self._values[key] = orjson.loads(row.value)
        value = self._values[key]
        return value if isinstance(value, dict) else None

    async def _load_entities(self, urns: list[str]) -> list[EntityRow | None]:
        found = await self._reader.entities(urns)
        return [found.get(urn) for urn in urns]

    async def _load_aspects(self, keys: list[AspectKey]) -> list[AspectRow | None]:
        found = await self._reader.aspects({key.urn for key in keys}, {key.name for key in keys})
        return [found.get(key.urn, {}).get(key.name) for key in keys]

    async def _load_aspect_lists(self, keys: list[AspectsKey]) -> list[list[AspectRow]]:
        def load(urns: list[str], names: tuple[str, ...] | None) -> Awaitable[dict[str, dict[str, AspectRow]]]:
            return self._reader.aspects(urns, names)

        found = await _by_group(keys, load)
        return [list(rows.values()) if rows else [] for rows in found]

    async def _load_histories(self, keys: list[HistoryKey]) -> list[list[AspectRow]]:
        return [rows or [] for rows in await _by_group(keys, self._reader.histories)]

    async def _load_points(self, keys: list[PointsKey]) -> list[list[PointRow]]:
        return [rows or [] for rows in await _by_group(keys, self._reader.points)]

    async def _load_relationships(self, keys: list[RelationshipsKey]) -> list[Page]:
        return [page or EMPTY_PAGE for page in await _by_group(keys, self._reader.relationships)]

    async def _load_counts(self, keys: list[CountsKey]) -> list[list[RelationshipCount]]:
        return [counts or [] for counts in await _by_group(keys, self._reader.relationship_counts)]

    async def _load_hops(self, keys: list[HopsKey]) -> list[Page]:
        return [page or EMPTY_PAGE for page in await _by_group(keys, self._reader.hops)]

    async def _load_lists(self, keys: list[ListKey]) -> list[Answer | None]:
        return await _by_group(keys, self._search.lists)


def _loader(load: Callable[[list[Any]], Awaitable[Sequence[Any]]]) -> DataLoader[Any, Any]:
    return DataLoader(load_fn=load, max_batch_size=MAX_BATCH)


async def _by_group(
    keys: Sequence[tuple[Any, ...]], load: Callable[..., Awaitable[Mapping[Any, Value]]]
) -> list[Value | None]:
    """Load keys that differ only in their first part, mostly a URN, together; `load` takes these, then the rest."""
    groups: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for urn, *rest in keys:
        groups[tuple(rest)].append(urn)
    loaded = await asyncio.gather(*(load(urns, *rest) for rest, urns in groups.items()))
    found = dict(zip(groups, loaded, strict=True))
    return [found[tuple(rest)].get(urn) for urn, *rest in keys]
