"""
The writer's words: plain values that say what one transaction changes.

Rows are in the form which the query files in `cypher/write/` document, but for URNs that the writer turns into element
ids: dicts, or lists where there are many of them, since keys cost the driver and Neo4j as much as values (and the
driver takes twice as long over a tuple).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Row = dict[str, Any]
NO_RUN = "no-run-id-provided"  # DataHub's, in system metadata of what no run of an ingestion sent


@dataclass(frozen=True, slots=True)
class AspectState:
    """
    An aspect as it stands in the graph; `deleted` when only its last version is left.

    `value` and `system` are JSON text, `created_at` is in milliseconds.
    """

    version: int
    value: str
    system: str | None
    created_at: int
    deleted: bool = False


@dataclass(slots=True)
class EntityState:
    """An entity as it stands: whether anyone has described it yet, and the aspects asked for."""

    exists: bool
    aspects: dict[str, AspectState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Locked:
    """
    What a step depends on.

    Attributes:
        states: URN -> state of every entity that the step changes or refers to.
        bare: URNs of nodes that came into being by the lock and have to be described, or dropped.
        now: The server's clock when all was locked, in microseconds.
        nodes: URN -> Neo4j's element id of its node, by which the step's writes find it without the index. It holds
            while the transaction is open.
    """

    states: Mapping[str, EntityState]
    bare: frozenset[str]
    now: int
    nodes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Advance:
    """
    A consumer's step in one partition.

    Attributes:
        topic: Topic.
        partition: Number of the partition.
        start: What the group's offset was before, as far as the consumer knows; -1 for none.
        next: The offset to go on from.
        at: Time of the last record, in milliseconds.
    """

    topic: str
    partition: int
    start: int
    next: int
    at: int


class NewAspect(NamedTuple):
    """An aspect that was never there; `system` is its place in `Operations.systems`."""

    name: str
    version: int
    value: str
    system: int | None
    unmodelled: bool | None


class NewEdge(NamedTuple):
    """An edge to be made between the nodes of two URNs; times are in milliseconds."""

    source: str
    target: str
    aspect: str
    declared_by: str
    lineage: bool | None = None
    created_on: int | None = None
    created_actor: str | None = None
    updated_on: int | None = None
    updated_actor: str | None = None
    via: str | None = None
    mirror_of: str | None = None
    properties: list[str] | None = None
    transform_operation: str | None = None
    confidence_score: float | None = None


@dataclass(slots=True)
class Added:
    """What comes to the node of an entity: labels if it is described for the first time, properties, new aspects."""

    labels: list[str] = field(default_factory=list)
    properties: Row = field(default_factory=dict)
    aspects: list[NewAspect] = field(default_factory=list)


@dataclass(slots=True)
class Operations:
    """
    Everything one step of a transaction writes; it holds at most one write per aspect of an entity.

    Attributes:
        at: When it is written, in milliseconds.
        actor: Who writes.
        removed: Edge type -> rows of `write/drop_edges`.
        forgotten: Rows of `write/forget_entities`.
        dropped: Rows of `write/drop_aspects`.
        replaced: Rows of `write/replace_aspects`.
        added: URN -> what comes to its node.
        systems: System metadata of new aspects as JSON text, with its run -> its place. A run's proposals share theirs.
        refreshed: Rows of `write/refresh_aspects`.
        faceted: URN -> fields and values of what changes in its `facetValues` (`write/set_facets`).
        ends: Bare nodes where edges start or end.
        described: Rows of `write/describe_ends`.
        created: Edge type -> new edges.
        updated: Edge type -> rows of `write/update_edges`.
        points: Rows of `write/put_points`.
        recorded: Records of the outbox (docs/graph-model.md): what the change log will say of all this.
        loose: URNs that lost an edge, and go if nobody described them and nothing points to them.
    """

    at: int
    actor: str
    removed: dict[str, list[Row]] = field(default_factory=dict)
    forgotten: list[Row] = field(default_factory=list)
    dropped: list[Row] = field(default_factory=list)
    replaced: list[Row] = field(default_factory=list)
    added: dict[str, Added] = field(default_factory=dict)
    systems: dict[tuple[str, Any], int] = field(default_factory=dict)
    refreshed: list[Row] = field(default_factory=list)
    faceted: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)
    described: list[Row] = field(default_factory=list)
    created: dict[str, list[NewEdge]] = field(default_factory=dict)
    updated: dict[str, list[Row]] = field(default_factory=dict)
    points: list[Row] = field(default_factory=list)
    recorded: list[Row] = field(default_factory=list)
    loose: set[str] = field(default_factory=set)
