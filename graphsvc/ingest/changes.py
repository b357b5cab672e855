"""Pure: the state that was read and the changes that were asked for -> operations, and an answer per change."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex
from typing import Any

import orjson

from graphsvc.errors import Conflict, GraphsvcError, PreconditionFailed, StoreUnavailable
from graphsvc.graph.operations import (
    NO_RUN,
    Added,
    AspectState,
    EntityState,
    Locked,
    NewAspect,
    NewEdge,
    Operations,
    Row,
)
from graphsvc.graph.projection import facet_values, key_properties, node_of, with_words, without
from graphsvc.graph.registry import AspectSpec, Registry
from graphsvc.graph.registry.keys import key_value
from graphsvc.ingest.mapping import Edge, edges_of
from graphsvc.ingest.validate import Change, canonical
from graphsvc.urn import parse_urn

MESSAGE_ID_BYTES = 500  # a longer one would not fit into the index


@dataclass(slots=True)
class Applied:
    """
    A proposal that landed.

    Attributes:
        urn: The entity.
        aspect: The aspect.
        version: Its version now; 0 for a point of a timeseries and after a deletion.
        changed: Whether the graph is different from before.
        modelled: Whether the model knows the aspect.
    """

    urn: str
    aspect: str
    version: int
    changed: bool
    modelled: bool = True


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes, and when, in milliseconds."""

    actor: str
    time: int


Answer = Applied | GraphsvcError


class Overtaken(StoreUnavailable):
    """Another process wrote to an entity between our clock and our lock; a new transaction cures it."""


class Planner:
    """
    Collects the operations of one step: changes that do not depend on each other, over the state read for them.

    At most one change per aspect of an entity, and nothing else beside the deletion of an entity.
    """

    def __init__(self, registry: Registry, locked: Locked, stamp: Stamp, edge_limit: int, *, log: bool = False) -> None:
        """Keep what all changes share; with `log`, each change is recorded for the change log too."""
        self._registry = registry
        self._states = dict(locked.states)
        self._bare = locked.bare
        self._now = locked.now
        self._log = log
        self._token = token_hex(4)
        self._places = (0, 0)
        self._stamp = stamp
        self._edge_limit = edge_limit
        self._described: set[str] = set()
        self.operations = Operations(stamp.time, stamp.actor)

    def own(self) -> Operations:
        """What was planned so far of the locked entities alone; the rest, which touches others, comes with `finish`."""
        planned = self.operations
        own = Operations(
            planned.at,
            planned.actor,
            dropped=planned.dropped,
            replaced=planned.replaced,
            added=planned.added,
            systems=planned.systems,
            refreshed=planned.refreshed,
        )
        planned.dropped, planned.replaced, planned.added, planned.systems, planned.refreshed = [], [], {}, {}, []
        return self._completed(own)

    def know(self, locked: Locked) -> None:
        """
        Go on with more entities, locked later.

        Raises:
            Overtaken: Another process has written to one of them meanwhile, so that the stamp is too old.
        """
        newest = max((a.created_at for state in locked.states.values() for a in state.aspects.values()), default=0)
        if newest > self._stamp.time:
            raise Overtaken("another process wrote to an entity before this transaction had its lock")
        self._states.update(locked.states)
        self._bare |= locked.bare
        self._now = locked.now

    def finish(self) -> Operations:
        """All operations, with what becomes of nodes that came into being by the lock and that no aspect describes."""
        planned = self._completed(self.operations)
        bare = self._bare - self._described
        ends = sorted(bare & planned.ends)
        planned.described.extend(node_of(parse_urn(urn), self._registry) for urn in ends)
        planned.loose |= bare - planned.ends
        return planned

    def _completed(self, operations: Operations) -> Operations:
        """With what follows from all properties of an entity together: words of its name, and values of its facets."""
        changed: dict[str, Row] = {}
        for row in (*operations.dropped, *operations.replaced):
            changed.setdefault(row["urn"], {}).update(row["properties"])
        for urn, added in operations.added.items():
            with_words(added.properties)
            if added.labels:
                _, values = facet_values({"_entityType": added.labels[0], "removed": None, **added.properties})
                added.properties["facetValues"] = values
            else:
                changed.setdefault(urn, {}).update(added.properties)
        faceted = {urn: facet_values(properties) for urn, properties in changed.items()}
        operations.faceted = {urn: row for urn, row in faceted.items() if row[0]}
        self._described |= operations.added.keys()
        return operations

    def plan(self, change: Change, point: str | None = None, places: tuple[int, int] = (0, 0)) -> Answer:
        """
        Plan one change.

        Args:
            change: What was asked for.
            point: Stored value of the same point, for a timeseries aspect that has one.
            places: Of the change's start (see `starts`), and of itself, in the batch: their order is the change log's.

        Returns:
            What will have happened, or why the change is refused, which leaves no trace in the operations.
        """
        state = self._states[change.urn.text]
        self._places = places
        try:
            if change.deletes_entity:
                return self._delete_entity(change, state)
            if change.spec is not None and change.spec.timeseries:
                return self._put_point(change, state, point)
            current = state.aspects.get(change.aspect)
            live = None if current is None or current.deleted else current
            if change.change_type == "DELETE":
                _check_expectations(change, state, live, same=False)
                return self._delete_aspect(change, state, live)
            same = live is not None and live.value == change.text
            _check_expectations(change, state, live, same=same)
            if live is not None and same:
                return self._refresh(change, live)
            return self._put_aspect(change, state, current, live)
        except GraphsvcError as error:
            return error

    def _put_aspect(
        self, change: Change, state: EntityState, current: AspectState | None, live: AspectState | None
    ) -> Applied:
        """Create the aspect, or put a new version after the one that is or was there."""
        self._describe(change, state)
        version = current.version + 1 if current else 1
        if change.aspect == change.entity.key_aspect and not state.exists:
            return self._applied(change, 1, changed=True)
        system, system_text = change.system, change.system_text
        if live:
            system = _of_new_version(_loads(live.system), system)
            system_text = canonical(system) if system else None
        if change.spec is not None:
            self._replace_edges(change, change.spec, live)
        self._record(change, change.aspect, version, change.text, system_text, live)
        unmodelled = True if change.spec is None else None
        properties = change.properties
        if current is None:
            added = self._added(change.urn.text)
            added.properties.update(properties)
            added.aspects.append(
                NewAspect(change.aspect, version, change.text, self._place(system_text, system), unmodelled)
            )
        else:
            aspect = {
                "name": change.aspect,
                "version": version,
                "value": change.text,
                "createdAt": self._stamp.time,
                "createdBy": self._stamp.actor,
                "systemMetadata": system_text,
                "runId": system.get("runId"),
                "unmodelled": unmodelled,
            }
            row = {
                "urn": change.urn.text,
                "name": change.aspect,
                "at": self._stamp.time,
                "properties": without(change.entity, change.aspect) | properties,
                "aspect": aspect,
            }
            self.operations.replaced.append(row)
        return self._applied(change, version, changed=True)

    def _describe(self, change: Change, state: EntityState) -> None:
        """The key aspect comes into being with the entity, from its URN."""
        urn, entity = change.urn, change.entity
        if state.exists or urn.text in self.operations.added:
            return
        value = key_value(entity, urn)
        text = canonical(value)
        spec = self._registry.aspects[entity.key_aspect]
        edges = edges_of(urn, spec, value, self._edge_limit)
        place = self._place(change.system_text, change.system)
        aspect = NewAspect(entity.key_aspect, 1, text, place, None)
        self.operations.added[urn.text] = Added([entity.label], key_properties(urn, entity, value), [aspect])
        self._record(change, entity.key_aspect, 1, text, change.system_text)
        for edge in edges:
            self._create(edge, spec.name, urn.text, change.system)

    def _refresh(self, change: Change, live: AspectState) -> Applied:
        """The same value again: no version, but who saw it last, and when."""
        old = _loads(live.system)
        system = _succeeded(old, change.system) if change.system else old
        if system != old:
            row = {
                "urn": change.urn.text,
                "name": change.aspect,
                "system": canonical(system),
                "runId": system.get("runId"),
            }
            self.operations.refreshed.append(row)
        return self._applied(change, live.version, changed=False)

    def _delete_aspect(self, change: Change, state: EntityState, live: AspectState | None) -> Applied:
        if live is None:
            if not state.exists:
                self.operations.loose.add(change.urn.text)
            return self._applied(change, 0, changed=False)
        if change.spec is not None:
            self._replace_edges(change, change.spec, live)
        row = {
            "urn": change.urn.text,
            "name": change.aspect,
            "at": self._stamp.time,
            "properties": without(change.entity, change.aspect) | change.properties,
        }
        self.operations.dropped.append(row)
        self._record(change, change.aspect, live.version, None, None, live)
        return self._applied(change, 0, changed=True)

    def _delete_entity(self, change: Change, state: EntityState) -> Applied:
        """All aspects, versions and points go; a node to which others point stays as one that is only referred to."""
        urn = change.urn.text
        self.operations.loose.add(urn)
        if not state.exists:
            return self._applied(change, 0, changed=False)
        for name, aspect in state.aspects.items():
            spec = self._registry.aspects.get(name)
            if spec is not None and not aspect.deleted:
                for edge in self._edges_of(change, spec, aspect):
                    self._remove(edge, name, urn, None)
        key = state.aspects.get(change.aspect)
        self._record(change, change.aspect, key.version if key else 0, None, None, key)
        bare = node_of(change.urn, self._registry)["properties"]
        self.operations.forgotten.append({"urn": urn, "properties": {**bare, "urn": urn, "referencedOnly": True}})
        return self._applied(change, 0, changed=True)

    def _put_point(self, change: Change, state: EntityState, stored: str | None) -> Applied:
        if stored == change.text:
            return self._applied(change, 0, changed=False)
        self._describe(change, state)
        properties: Row = {
            "value": change.text,
            "createdAt": self._stamp.time,
            "createdBy": self._stamp.actor,
            "systemMetadata": change.system_text,
            "runId": change.system.get("runId"),
        }
        self.operations.points.append({**point_key(change), "properties": properties})
        self._record(change, change.aspect, 0, change.text, properties["systemMetadata"], timeseries=True)
        return self._applied(change, 0, changed=True)

    def _replace_edges(self, change: Change, spec: AspectSpec, live: AspectState | None) -> None:
        """Replace exactly the edges that this aspect of this entity declares."""
        if not spec.edges and not spec.column_lineage:
            return
        urn = change.urn.text
        if live is None:
            for edge in change.edges:
                self._create(edge, spec.name, urn, change.system)
            return
        new = {edge.key: edge for edge in change.edges}
        old = {edge.key: edge for edge in self._edges_of(change, spec, live)}
        for key, edge in old.items():
            if key not in new:
                self._remove(edge, spec.name, urn, self._stamp.time)
        for key, edge in new.items():
            if key not in old:
                self._create(edge, spec.name, urn, change.system)
            elif old[key].details != edge.details:
                self._update(edge, old[key], spec.name, urn, change.system)

    def _edges_of(self, change: Change, spec: AspectSpec, stored: AspectState) -> Iterable[Edge]:
        # What was let in can be taken out again, whatever the limit is now.
        return edges_of(change.urn, spec, orjson.loads(stored.value), sys.maxsize)

    def _create(self, edge: Edge, aspect: str, owner: str, system: Mapping[str, Any]) -> None:
        observed = system.get("lastObserved") or self._stamp.time
        detail = edge.details.get
        new = NewEdge(
            edge.source,
            edge.target,
            aspect,
            owner,
            detail("lineage"),
            detail("createdOn", observed),
            detail("createdActor"),
            detail("updatedOn", observed),
            detail("updatedActor"),
            edge.via or None,
            detail("mirrorOf"),
            detail("properties"),
            detail("transformOperation"),
            detail("confidenceScore"),
        )
        self.operations.created.setdefault(edge.type, []).append(new)
        self.operations.ends.add(edge.source)
        self.operations.ends.add(edge.target)

    def _remove(self, edge: Edge, aspect: str, owner: str, at: int | None) -> None:
        """Take an edge away; with a time, what it said is kept as having stood until then."""
        rows = self.operations.removed.setdefault(edge.type, [])
        last = rows[-1] if rows else None
        head = {"source": edge.source, "aspect": aspect, "declaredBy": owner, "via": edge.via, "at": at}
        if last is not None and all(last[key] == text for key, text in head.items()):
            last["targets"].append(edge.target)
        else:
            rows.append({**head, "targets": [edge.target]})
        self.operations.loose.update((edge.source, edge.target))

    def _update(self, edge: Edge, old: Edge, aspect: str, owner: str, system: Mapping[str, Any]) -> None:
        gone: Row = dict.fromkeys(old.details.keys() - edge.details.keys())
        observed = system.get("lastObserved") or self._stamp.time
        gone.update((key, observed) for key in ("createdOn", "updatedOn") if key in gone)
        head = {
            "source": edge.source,
            "target": edge.target,
            "aspect": aspect,
            "declaredBy": owner,
            "via": edge.via,
            "at": self._stamp.time,
        }
        self.operations.updated.setdefault(edge.type, []).append({**head, "properties": {**gone, **edge.details}})

    def _added(self, urn: str) -> Added:
        added = self.operations.added.get(urn)
        if added is None:
            added = self.operations.added[urn] = Added()
        return added

    def _place(self, text: str | None, system: Mapping[str, Any]) -> int | None:
        """Where the system metadata stands among those of this step."""
        systems = self.operations.systems
        return None if text is None else systems.setdefault((text, system.get("runId")), len(systems))

    def _record(  # noqa: PLR0913, PLR0917  what a record of the change log holds
        self,
        change: Change,
        aspect: str,
        version: int,
        value: str | None,
        system: str | None,
        previous: AspectState | None = None,
        *,
        timeseries: bool = False,
    ) -> None:
        """
        Record a change for the change log; without a value, the deletion of what was there.

        A record is ordered by the clock that was read under the entity's lock, and by its change's place in the
        batch; the key aspect's comes before all others. A change takes longer than the two microseconds which that
        needs, so records of one URN are ordered as its changes are, over transactions too.
        """
        if not self._log:
            return
        start, place = self._places
        order = self._now + (2 * place + 1 if aspect == change.aspect else 2 * start)
        texts = {
            "value": value,
            "systemMetadata": system,
            "previousValue": previous.value if previous else None,
            "previousSystemMetadata": previous.system if previous else None,
        }
        row: Row = {
            "id": f"{order:x}-{self._token}",
            "order": order,
            "bytes": sum(len(text) for text in texts.values() if text),
            "kind": "timeseries" if timeseries else "versioned",
            "urn": change.urn.text,
            "entityType": change.entity.name,
            "aspect": aspect,
            "changeType": "DELETE" if value is None else "UPSERT",
            "version": version,
            "at": self._stamp.time,
            "actor": self._stamp.actor,
            **texts,
        }
        self.operations.recorded.append(row)

    def _applied(self, change: Change, version: int, *, changed: bool) -> Applied:
        return Applied(change.urn.text, change.aspect, version, changed, modelled=change.spec is not None)


def point_key(change: Change) -> Row:
    """
    What identifies a point: entity, aspect, time, and the message id.

    Where the value has no messageId, what else tells two points of one time apart stands in: the length of the
    bucket and the partition, as in DataHub.
    """
    value = change.value
    message = value.get("messageId")
    if not message:
        rest = {key: value[key] for key in ("eventGranularity", "partitionSpec") if value.get(key) is not None}
        message = canonical(rest) if rest else ""
    text = str(message)
    if len(text.encode()) > MESSAGE_ID_BYTES:
        text = f"sha256:{sha256(text.encode()).hexdigest()}"
    return {
        "urn": change.urn.text,
        "name": change.aspect,
        "timestampMillis": value["timestampMillis"],
        "messageId": text,
    }


def wanted(changes: Iterable[Change], ends_of: Iterable[Change], registry: Registry) -> dict[str, set[str] | None]:
    """
    What the changes depend on.

    Args:
        changes: The changes of one step.
        ends_of: Changes whose edges' ends are to be locked too.
        registry: Knows the key aspects, which come into being with their entities and may declare edges.

    Returns:
        URN -> names of aspects; None, for all, where the entity is deleted; nothing for the end of an edge.
    """
    found: dict[str, set[str] | None] = {}
    for change in changes:
        urn = change.urn.text
        if change.deletes_entity:
            found[urn] = None
        elif (names := found.setdefault(urn, set())) is not None:
            names.add(change.aspect)
    for change in ends_of:
        edges = change.edges
        if (key := registry.aspects[change.entity.key_aspect]).edges:
            with suppress(GraphsvcError):  # the change will be refused for it
                edges += edges_of(change.urn, key, key_value(change.entity, change.urn), sys.maxsize)
        for edge in edges:
            found.setdefault(edge.source, set())
            found.setdefault(edge.target, set())
    return found


def starts(changes: Sequence[Change]) -> list[int]:
    """Per change, the place of the first change to its entity in the batch, or since the entity's last deletion."""
    since: dict[str, int] = {}
    found: list[int] = []
    for index, change in enumerate(changes):
        if change.deletes_entity:
            since.pop(change.urn.text, None)
            found.append(index)
        else:
            found.append(since.setdefault(change.urn.text, index))
    return found


def steps(changes: Sequence[Change]) -> list[list[int]]:
    """
    Split a batch into steps, so that a step has one change per aspect and a deletion of an entity stands alone.

    Returns:
        Indexes into `changes`, in order within each step. Changes to one aspect keep their order over the steps.
    """
    slots = {(change.urn.text, _slot(change)) for change in changes}
    if len(slots) == len(changes) and not any(change.deletes_entity for change in changes):
        return [list(range(len(changes)))]
    levels: dict[tuple[str, str], int] = {}  # (urn, aspect) -> the step of its last change
    tops: dict[str, int] = {}  # urn -> the last step that touches it
    floors: dict[str, int] = {}  # urn -> the first step behind its deletion
    found: list[list[int]] = []
    for index, change in enumerate(changes):
        urn = change.urn.text
        slot = (urn, _slot(change))
        if change.deletes_entity:
            level = tops.get(urn, -1) + 1
            floors[urn] = level + 1
        else:
            level = max(levels.get(slot, -1) + 1, floors.get(urn, 0))
        levels[slot] = level
        tops[urn] = max(tops.get(urn, -1), level)
        while len(found) <= level:
            found.append([])
        found[level].append(index)
    return found


def _slot(change: Change) -> str:
    if change.spec is not None and change.spec.timeseries:
        return canonical(point_key(change))
    return change.aspect


def _check_expectations(change: Change, state: EntityState, live: AspectState | None, *, same: bool) -> None:
    """
    Whether the change type and the headers hold. The same value again always passes: clients repeat themselves.

    Raises:
        Conflict: CREATE of what exists, UPDATE of what does not.
        PreconditionFailed: If-Version-Match or If-None-Match does not hold.
    """
    if same or (change.change_type == "UPSERT" and not change.headers):
        return
    what = f"{change.aspect} of {change.urn.text}"
    if change.change_type == "CREATE" and live is not None:
        raise Conflict(f"CREATE: {what} exists already, with another value (version {live.version})")
    if change.change_type == "CREATE_ENTITY" and state.exists:
        raise Conflict(f"CREATE_ENTITY: {change.urn.text} exists already")
    if change.change_type == "UPDATE" and live is None:
        raise Conflict(f"UPDATE: {what} does not exist")
    version = live.version if live else -1
    if change.headers.get("if-none-match") and live is not None:
        raise PreconditionFailed(f"If-None-Match: {what} exists already (version {version})")
    wanted = change.headers.get("if-version-match")
    if wanted is not None and int(wanted) != version:
        raise PreconditionFailed(f"If-Version-Match: {what} has version {version}, not {wanted}")


def _succeeded(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """
    System metadata after another sighting: the new one's, which remembers the run before it.

    Repeating it changes nothing, and an old message that is sent again does not set `lastObserved` back.
    """
    merged = {**old, **new}
    if "lastObserved" in merged:
        merged["lastObserved"] = max(old.get("lastObserved", 0), new.get("lastObserved", 0))
    if new.get("runId", NO_RUN) != old.get("runId", NO_RUN) and "runId" in old:
        merged["lastRunId"] = old["runId"]
    elif "lastRunId" in old:
        merged["lastRunId"] = old["lastRunId"]
    return merged


def _of_new_version(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """System metadata of another value: what came with it, and the run before it; no run answers for another's."""
    merged = _succeeded(old, new)
    return {key: merged[key] for key in (*new, "lastRunId") if key in merged}


def _loads(text: str | None) -> dict[str, Any]:
    return orjson.loads(text) if text else {}
