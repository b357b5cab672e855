"""Read the graph as it stood at a time: the same questions, answered from versions of aspects and from past edges."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from graphsvc.errors import BadRequest, BadUrn
from graphsvc.graph.operations import Row
from graphsvc.graph.projection import node_of, properties_of
from graphsvc.graph.queries import query
from graphsvc.graph.reader import (
    AspectRow,
    Direction,
    EdgeColumns,
    EntityRow,
    Flow,
    Lineage,
    LineageNode,
    NodeColumns,
    Page,
    Reader,
    RelationshipCount,
    RelationshipRow,
    Walk,
)
from graphsvc.graph.registry import Registry
from graphsvc.graph.walks import Question, Walked, Walks
from graphsvc.urn import Urn, parse_urn

FOREVER = 2**63 - 1
OF_A_LINEAGE_EDGE = len(EdgeColumns._fields)


class PastReader(Reader):
    """
    A reader of one moment: an entity is what its aspects said then, an edge is there if it stood then.

    An entity has a node if somebody had described it by then, or an edge began or ended at it. What was deleted for
    good is not to be seen at any time. Versions by number, points of timeseries aspects, and search stay as they are.
    Whatever a page of relationships shows, all relationships of the entity are looked at.
    """

    def __init__(self, now: Reader, registry: Registry, at: int) -> None:
        """
        Read what another reader reads, with its limits.

        Args:
            now: Reader of the present.
            registry: The model.
            at: Milliseconds. What was written at this time stands, what was replaced at it does not.

        Raises:
            BadRequest: The time is not one from 1970 to the end of 64 bits.
        """
        if not 0 <= at <= FOREVER:
            raise BadRequest(f"asOf is {at}; it is a number of milliseconds from 0")
        vars(self).update(vars(now))  # a reader holds nothing but what it was made with
        self._registry = registry
        self._at = at

    async def entities(self, urns: Iterable[str]) -> dict[str, EntityRow]:
        """The entities that had a node, by URN."""
        parsed = _parsed(urns)
        specs = [spec for kind in _types(parsed) if (spec := self._registry.entities.get(kind))]
        names = {spec.key_aspect for spec in specs} | {spec.naming[0] for spec in specs if spec.naming} | {"status"}
        aspects = await self.aspects(parsed, names)
        ends = await self._ends([urn for urn in parsed if urn not in aspects])
        found = {}
        for text, urn in parsed.items():
            if text in aspects or text in ends:
                node = self._node(urn, aspects.get(text, {}))
                removed = node.get("removed") is True
                found[text] = EntityRow(text, urn.entity_type, node["name"], text not in aspects, removed)
        return found

    async def aspects(self, urns: Iterable[str], names: Iterable[str] | None = None) -> dict[str, dict[str, AspectRow]]:
        """The aspects that were the current ones; else as the reader of the present."""
        wanted = None if names is None else list(names)
        rows = await self._read(query("read/aspects_as_of"), urns=list(urns), names=wanted, at=self._at)
        found: dict[str, dict[str, AspectRow]] = {}
        for urn, *columns in rows:
            found.setdefault(urn, {})[columns[0]] = AspectRow._make((*columns[:-1], bool(columns[-1])))
        return found

    async def relationships(  # noqa: PLR0913, PLR0917  the reader's own
        self,
        urns: Iterable[str],
        types: Collection[str] | None,
        direction: Direction,
        start: int,
        count: int,
        removed: bool = True,  # noqa: FBT001, FBT002  the same
    ) -> dict[str, Page]:
        """One page of the relationships that stood; else as the reader of the present."""
        wanted = self._shown if types is None else self._shown & frozenset(types)
        sides = {"out": direction != "in", "in": direction != "out"}
        return await self._page(urns, wanted, start=start, count=count, removed=removed, lineage=False, **sides)

    async def relationship_counts(
        self,
        urns: Iterable[str],
        types: Collection[str] | None,
        direction: Direction,
        removed: bool = True,  # noqa: FBT001, FBT002  the same
    ) -> dict[str, list[RelationshipCount]]:
        """How many relationships stood; else as the reader of the present."""
        wanted = self._shown if types is None else self._shown & frozenset(types)
        if not wanted:
            return {}
        text = query("read/relationships_as_of", types="|".join(sorted(wanted)))
        sides = {"out": direction != "in", "in": direction != "out"}
        rows = await self._read(
            text,
            urns=list(urns),
            at=self._at,
            counts=True,
            start=0,
            count=0,
            removed=removed,
            lineage=False,
            **sides,
        )
        return {urn: list(map(RelationshipCount._make, counts)) for urn, _, _, counts in rows}

    async def hops(
        self,
        urns: Iterable[str],
        flow: Flow,
        start: int,
        count: int,
        removed: bool = False,  # noqa: FBT001, FBT002  the same
    ) -> dict[str, Page]:
        """One page of what was directly upstream or downstream; else as the reader of the present."""
        up = flow == "up"
        sides = {"out": up, "in": not up}
        pages = await self._page(urns, self._lineage, start=start, count=count, removed=removed, lineage=True, **sides)
        return {
            urn: Page(page.total, tuple(row._replace(outgoing=up) for row in page.rows)) for urn, page in pages.items()
        }

    async def lineage(self, walk: Walk) -> Lineage | None:
        """Everything that a walk reached; None if its start had no node. It takes a query for each hop."""
        question = Question(
            walk.urn,
            walk.flow,
            max(walk.hops, 1),
            walk.max_nodes,
            self._timeout_s,
            types=frozenset() if walk.hops == 0 else walk.types,
            edges=walk.with_edges,
        )
        found = await Walks(self, self._registry).walk(question)
        return None if found is None else _lineage(found)

    async def walk_edges(
        self, flow: Flow, types: str, urns: list[str], limit: int, after: str | None = None
    ) -> Sequence[Sequence[Any]]:
        """The lineage edges that stood, always in the order of their far ends; else as the reader of the present."""
        text = query(f"read/walk_{flow}_as_of", types=types)
        index, fars, *edges = await self._read(text, urns=urns, limit=limit, at=self._at, after=after or "")
        rows = await self.entities(dict.fromkeys(fars))
        nodes = [rows[far] for far in fars]
        kinds, details = edges[:2], [[value or None for value in column] for column in edges[2:]]
        flags = [node.removed for node in nodes], [node.referenced_only for node in nodes]
        return [index, fars, [node.name for node in nodes], *flags, *kinds, *details]

    async def walk_columns(self, flow: Flow, types: str, urns: list[str], limit: int) -> Sequence[tuple[str, str, str]]:
        """What the column lineage of some entities covered; else as the reader of the present."""
        text = query(f"read/walk_columns_{flow}_as_of", types=types)
        rows: Sequence[tuple[str, str, str]] = await self._read(text, urns=urns, limit=limit, at=self._at)
        return rows

    async def walk_values(self, urns: list[str], fields: list[str]) -> Sequence[tuple[str, list[Any]]]:
        """What the properties of nodes were, by the model as it is now; else as the reader of the present."""
        parsed = _parsed(urns)
        specs = [spec for kind in _types(parsed) if (spec := self._registry.entities.get(kind))]
        wanted = frozenset(fields)
        names = {
            name
            for spec in specs
            for name in spec.projection
            if any(field.name in wanted for field in spec.projected(name)) or (spec.naming and spec.naming[0] == name)
        }
        aspects = await self.aspects(parsed, names)
        nodes = {text: self._node(urn, aspects.get(text, {})) for text, urn in parsed.items()}
        return [(text, [node.get(field) for field in fields]) for text, node in nodes.items()]

    async def _ends(self, urns: list[str]) -> frozenset[str]:
        """Those of the URNs at which an edge began or ended."""
        return frozenset(await self._read(query("read/ends_as_of"), urns=urns, at=self._at)) if urns else frozenset()

    async def _page(self, urns: Iterable[str], types: Collection[str], **parameters: Any) -> dict[str, Page]:
        if not types:
            return {}
        text = query("read/relationships_as_of", types="|".join(sorted(types)))
        rows = await self._read(text, urns=list(urns), at=self._at, counts=False, **parameters)
        return {urn: Page(total, tuple(map(RelationshipRow._make, page))) for urn, total, page, _ in rows}

    def _node(self, urn: Urn, aspects: Mapping[str, AspectRow]) -> Row:
        """Properties of an entity's node, as far as some of its aspects make them."""
        properties: Row = dict(node_of(urn, self._registry)["properties"])
        spec = self._registry.entities.get(urn.entity_type)
        if spec is not None:
            for name, row in aspects.items():
                properties |= properties_of(urn, spec, name, orjson.loads(row.value))
        return properties


def _parsed(urns: Iterable[str]) -> dict[str, Urn]:
    """The URNs without what is none."""
    found = {}
    for text in urns:
        with suppress(BadUrn):
            found[text] = parse_urn(text)
    return found


def _types(parsed: Mapping[str, Urn]) -> set[str]:
    return {urn.entity_type for urn in parsed.values()}


def _lineage(found: Walked) -> Lineage:
    nodes = [
        LineageNode(node.urn, node.name, found.distance[node.urn], node.removed, node.referenced_only)
        for node in (found.start, *found.nodes)
    ]
    edges = [edge[:OF_A_LINEAGE_EDGE] for edge in found.edges]
    return Lineage(
        nodes[0],
        NodeColumns._make(zip(*nodes[1:], strict=True)) if len(nodes) > 1 else NodeColumns((), (), (), (), ()),
        EdgeColumns._make(zip(*edges, strict=True)) if edges else EdgeColumns(),
        found.partial is not None,
        found.more_hops,
    )
