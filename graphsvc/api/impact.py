"""Who owns what breaks: a walk over lineage as a table, for GraphQL, REST and the command line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphsvc.api.cursors import cursor_of, places_of
from graphsvc.api.filters import OrFilters, facts_of, fields_of, matches
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.graph.kin import KIN, has_kin, spelled_out
from graphsvc.graph.reader import Reader
from graphsvc.graph.walking import FIRST, Edge, Flow, Node, Place
from graphsvc.graph.walks import Filter, Partial, Question, Walked, Walks, job
from graphsvc.urn import parse_urn, urn_type

DEFAULT_HOPS = 3
TABLE_FIELDS = frozenset({"platform", "owners", "domains", "tags"})


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What to show of an entity's lineage.

    Attributes:
        urn: An entity, or a column.
        flows: Upstream, downstream, or both.
        hops: How far.
        max_nodes: Nodes at most, in each direction, those that the answer hides counted.
        types: Relationships to follow; None for all.
        fold: Leave jobs out, and do not count them as hops.
        mixed: Columns go on by their entity's lineage where column lineage ends.
        removed: Show soft-deleted entities too.
        where: Entities to show; what they hang on by is then left out, and stood for by folded edges.
        during: Entities that the walk enters.
        since: Milliseconds: an edge that has times counts only if one of them is not before this.
        until: The same for the end of the time.
        cursor: Where an earlier answer to the same question ended; None for the first page.
        as_of: Milliseconds of the time whose graph the walks are of; None for now.
    """

    urn: str
    flows: tuple[Flow, ...] = ("down",)
    hops: int = DEFAULT_HOPS
    max_nodes: int | None = None
    types: frozenset[str] | None = None
    fold: bool = False
    mixed: bool = False
    removed: bool = False
    where: OrFilters = ()
    during: OrFilters = ()
    since: int | None = None
    until: int | None = None
    cursor: str | None = None
    as_of: int | None = None

    @property
    def unpaged(self) -> "Asked":
        """What is the same on every page."""
        return replace(self, max_nodes=None, cursor=None)


@dataclass(frozen=True, slots=True)
class Named:
    """A URN, and what to show for it."""

    urn: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """
    One entity of an answer.

    Attributes:
        type: As URNs spell it.
        platform: Its platform's name; empty if it has none.
        distance: Hops from the start.
        flow: Which way it was found.
    """

    urn: str
    name: str
    type: str
    platform: str
    distance: int
    flow: Flow
    removed: bool
    exists: bool
    owners: tuple[Named, ...]
    domains: tuple[Named, ...]
    tags: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """
    An answer as a table and as a graph.

    Attributes:
        start: Where the walk began.
        rows: Every entity shown: upstream before downstream, then the nearest first, then by URN.
        edges: Every edge between the rows and the start, of either direction once.
        partial: What cut the answer; None if nothing did.
        more_hops: Lineage goes on behind the last hop.
        cursor: What to ask the next page with; None if there is none.
    """

    start: Node
    rows: tuple[Row, ...]
    edges: tuple[Edge, ...]
    partial: Partial | None
    more_hops: bool
    cursor: str | None


def bounded(name: str, value: int | None, limit: int, default: int | None = None) -> int:
    """
    A number within the settings' limit.

    Args:
        name: What the caller calls it.
        value: None for the default.
        limit: The greatest one that is allowed.
        default: None for the limit.

    Raises:
        BadRequest: It is less than 1.
        TooLarge: It passes the limit.
    """
    if value is None:
        return min(limit, limit if default is None else default)
    if value < 1:
        raise BadRequest(f"{name} is {value}; it starts at 1")
    if value > limit:
        raise TooLarge(f"{name} is {value}; at most {limit} are walked")
    return value


def question_of(
    asked: Asked, flow: Flow, limits: GraphqlSettings, type_names: Mapping[str, str], after: Place = FIRST
) -> Question:
    """The walk in one direction behind a place, within the settings' limits; raises as `bounded` does."""
    parse_urn(asked.urn)
    return Question(
        asked.urn,
        flow,
        bounded("maxHops", asked.hops, limits.max_hops),
        bounded("maxNodes", asked.max_nodes, limits.max_lineage_nodes),
        limits.query_timeout_s,
        types=asked.types,
        folded=job if asked.fold else _nothing,
        during=during_filter(asked.during, type_names),
        mixed=asked.mixed,
        since=asked.since,
        until=asked.until,
        after=after,
        max_walked=limits.max_walked_nodes,
        max_edges=limits.max_lineage_edges,
        pages=True,
        hides=lambda node: bool(asked.where) or not _kept(node, asked),
    )


def during_filter(filters: OrFilters, type_names: Mapping[str, str]) -> Filter | None:
    """DataHub's filters as a condition on the nodes that a walk enters."""
    if not filters:
        return None
    return Filter(
        frozenset(fields_of(filters)),
        lambda urn, values: matches(filters, facts_of(urn, values, names_of_type(urn, type_names))),
    )


def names_of_type(urn: str, type_names: Mapping[str, str]) -> tuple[str, ...]:
    """What filters may call an entity's type: as URNs spell it, and as GraphQL does."""
    kind = urn_type(urn)
    return (kind, type_names.get(kind, kind))


async def impact(
    walks: Walks, reader: Reader, limits: GraphqlSettings, asked: Asked, type_names: Mapping[str, str]
) -> Impact | None:
    """
    What a walk finds, with owners, domains and tags.

    Args:
        walks: Walks of the graph.
        reader: For the names of owners, domains and tags.
        limits: Bounds of hops, nodes and time.
        asked: What to show.
        type_names: Entity type -> GraphQL's name of it, which filters may use.

    Returns:
        None if the start has no node.

    Raises:
        BadUrn: The start is none.
        BadRequest: A bound, a filter or a cursor that makes no sense.
        TooLarge: A bound passes the settings' limits.
    """
    plain = await without_kin(reader, asked)
    found: dict[Flow, Walked] = {}
    pages: dict[Flow, Walked] = {}
    for flow, after in pages_of(asked, "impact").items():
        walked = await walks.walk(question_of(plain, flow, limits, type_names, after))
        if walked is None:
            return None
        found[flow] = walked
    rows: list[tuple[Flow, int, Node]] = []
    values: dict[str, dict[str, Any]] = {}
    edges: dict[Edge, None] = {}
    for flow, walked in found.items():
        kept, known = await kept_of(walks, walked, plain, type_names, TABLE_FIELDS)
        values |= known
        page, shown = walked.shown(walked.hidden(kept))
        rows.extend((flow, page.distance[node.urn], node) for node in page.nodes if node.urn in kept)
        edges |= dict.fromkeys(shown)
        pages[flow] = page
    names = await _names(reader, (values[node.urn] for _, _, node in rows))
    partial = next((page.partial for page in pages.values() if page.partial), None)
    return Impact(
        next(iter(pages.values())).start,
        tuple(_row(node, distance, flow, values[node.urn], names) for flow, distance, node in rows),
        tuple(edges),
        partial,
        any(page.more_hops for page in pages.values()),
        next_of(asked, "impact", {flow: page.next for flow, page in pages.items()}),
    )


async def without_kin(reader: Reader, asked: Asked) -> Asked:
    """
    The same with EQUAL in its filters for what means a container or a domain with others.

    It is no other question: cursors go on when the tree has changed.

    Raises:
        BadRequest: It is asked of another field, or of another time, whose tree is not known.
    """
    filters = (*asked.where, *asked.during)
    if not has_kin(filters):
        return asked
    if asked.as_of is not None:
        raise BadRequest(f"conditions such as {min(KIN)} are answered as of now; leave out asOf, or list the values")
    found = await equal_for_kin(reader, filters)
    return replace(asked, where=found[: len(asked.where)], during=found[len(asked.where) :])


async def equal_for_kin(reader: Reader, filters: OrFilters) -> OrFilters:
    """Filters without the operators of `KIN`; raises BadRequest as `spelled_out` does."""
    return await spelled_out(
        reader, filters, lambda criterion, values: replace(criterion, values=values, operator="EQUAL")
    )


async def kept_of(
    walks: Walks,
    walked: Walked,
    asked: Asked,
    type_names: Mapping[str, str],
    fields: frozenset[str] = frozenset(),
) -> tuple[set[str], dict[str, dict[str, Any]]]:
    """
    What an answer shows of a walk.

    Args:
        walks: Walks of the graph.
        walked: A page of one.
        asked: What to show.
        type_names: As `impact` has them.
        fields: Properties to bring of what the page shows.

    Returns:
        URNs of the nodes to show, those of earlier pages too; and the properties of at least those of the page.

    Raises:
        BadRequest: A filter makes no sense.
    """
    kept = {node.urn for node in (*walked.before, *walked.nodes) if _kept(node, asked)}
    needed = kept if asked.where else [node.urn for node in walked.nodes if node.urn in kept]
    wanted = fields | fields_of(asked.where)
    values: dict[str, dict[str, Any]] = {urn: {} for urn in needed}  # a node may go in between
    if wanted:
        values |= await walks.values(needed, wanted)
    if asked.where:
        kept = {urn for urn in kept if _matches(asked, urn, values[urn], walked.distance[urn], type_names)}
    return kept, values


def pages_of(asked: Asked, answer: str) -> dict[Flow, Place]:
    """
    Where each direction of a page begins.

    Args:
        asked: What is asked for.
        answer: Which kind of answer it is; the cursors of one are none of another.

    Raises:
        BadRequest: The cursor is none, or one of another question.
    """
    if asked.cursor is None:
        return dict.fromkeys(asked.flows, FIRST)
    return places_of(asked.cursor, (answer, asked.unpaged))


def next_of(asked: Asked, answer: str, places: Mapping[Flow, Place | None]) -> str | None:
    """The cursor of the next page, from where each direction goes on; the rest is as `pages_of` has it."""
    found: dict[Flow, Place] = {flow: place for flow, place in places.items() if place}
    return cursor_of(found, (answer, asked.unpaged)) if found else None


def by_hop(rows: Iterable[Row]) -> list[tuple[Flow, int, int]]:
    """How many entities there are at each distance: (direction, hops, entities), in that order."""
    counts: Counter[tuple[Flow, int]] = Counter((row.flow, row.distance) for row in rows)
    return [(flow, hops, count) for (flow, hops), count in sorted(counts.items())]


def by_owner(rows: Iterable[Row]) -> list[tuple[Named | None, int]]:
    """Who owns how many entities, most first; None for those without an owner."""
    owned: Counter[Named | None] = Counter()
    for urn_row in {row.urn: row for row in rows}.values():
        owned.update(urn_row.owners or (None,))
    return sorted(owned.items(), key=lambda item: (-item[1], item[0].urn if item[0] else ""))


def _nothing(_: str) -> bool:
    return False


def _kept(node: Node, asked: Asked) -> bool:
    return (asked.removed or not node.removed) and not (asked.fold and job(node.urn))


def _matches(asked: Asked, urn: str, values: Mapping[str, Any], distance: int, type_names: Mapping[str, str]) -> bool:
    return matches(asked.where, facts_of(urn, values, names_of_type(urn, type_names), distance))


async def _names(reader: Reader, values: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Names of all owners, domains and tags."""
    urns = {urn for row in values for name in ("owners", "domains", "tags") for urn in _urns(row.get(name))}
    return {urn: row.name for urn, row in (await reader.entities(sorted(urns))).items()} if urns else {}


def _urns(value: Any) -> Sequence[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def _row(node: Node, distance: int, flow: Flow, values: Mapping[str, Any], names: Mapping[str, str]) -> Row:
    def named(field: str) -> tuple[Named, ...]:
        return tuple(Named(urn, names.get(urn, urn)) for urn in _urns(values.get(field)))

    platform = facts_of(node.urn, values, ()).get("platform", ())
    return Row(
        urn=node.urn,
        name=node.name,
        type=urn_type(node.urn),
        platform=platform[0].rpartition(":")[2] if platform else "",
        distance=distance,
        flow=flow,
        removed=node.removed,
        exists=not node.referenced_only,
        owners=named("owners"),
        domains=named("domains"),
        tags=named("tags"),
    )
