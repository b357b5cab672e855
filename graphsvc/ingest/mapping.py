"""Pure: one aspect's value -> what it means in the graph, by the registry's paths."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphsvc.errors import BadValue, TooLarge
from graphsvc.graph.operations import Row
from graphsvc.graph.registry import AspectSpec, EdgeSpec, EntitySpec, FieldSpec, Path, Registry
from graphsvc.graph.registry.keys import key_value, name_in
from graphsvc.graph.words import name_words, path_words
from graphsvc.urn import Urn, parse_urn, schema_field_urn

COLUMN_EDGE = "DownstreamOf"
LONG_LIMIT = 2**63
SCALARS = (str, bool, float)
Detail = tuple[str, Path, str]  # name; path within the item; the path's head if the item can only be an object


@dataclass(slots=True)
class Edge:
    """
    One relationship that an aspect declares.

    Attributes:
        type: Name in the model, or a mirror's.
        source: URN where it starts.
        target: URN where it ends.
        via: URN of the query or job that made it; "" if none is named. Part of the edge's identity.
        details: Its further properties, as the aspect states them.
    """

    type: str
    source: str
    target: str
    via: str
    details: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two edges of one aspect the same edge."""
        return self.type, self.source, self.target, self.via


def _bare(urn: Urn, entity: EntitySpec | None) -> Row:
    """Properties of a node about which only the URN is known."""
    if entity is None or (len(entity.key_fields) > 1 and len(urn.parts) != len(entity.key_fields)):
        return _name(urn.parts[-1], urn.parts[-1])
    key = key_value(entity, urn)
    name = name_in(key, entity)
    return {**_name(name, name), **_projected(entity, entity.key_aspect, key)}


def _name(name: str, key_name: str) -> Row:
    """The name, and its words for the full-text index; the key often says more, such as a table's schema."""
    return {"name": name, "nameWords": name_words(name, key_name)}


def node_of(urn: Urn, registry: Registry) -> Row:
    """A row of `write/describe_ends`: how a node looks before anybody described it."""
    entity = registry.entities.get(urn.entity_type)
    return {
        "urn": urn.text,
        "labels": [entity.label] if entity else [],
        "properties": _bare(urn, entity),
    }


def edges_of(owner: Urn, spec: AspectSpec, value: Mapping[str, Any], limit: int) -> tuple[Edge, ...]:
    """
    Edges which one aspect value declares, mirrors and column lineage included.

    Args:
        owner: Owner of the aspect; the source of every edge that is not column lineage or a mirror.
        spec: Registry entry whose paths (`upstreams/*/dataset`) are followed.
        value: Decoded aspect JSON, as received; unknown keys are ignored.
        limit: Edges at most.

    Returns:
        Edges in registry order, then document order, without duplicates. Empty when no path matches: an absent
        optional field is not an error.

    Raises:
        BadUrn: A path leads to something which is not a URN.
        BadValue: A path meets a value of another shape.
        TooLarge: There are more edges than `limit`.
    """
    found: dict[tuple[str, str, str, str], Edge] = {}
    for edge_spec in spec.edges:
        if value.get(edge_spec.path[0]) is None:
            continue
        for edge in _declared(owner, spec.name, edge_spec, value):
            _add(found, edge)
            if edge_spec.mirror:
                mirror = Edge(edge_spec.mirror, edge.target, edge.source, edge.via, _mirrored(edge, edge_spec.name))
                _add(found, mirror)
        _check_count(spec.name, len(found), limit)
    if spec.column_lineage and value.get(spec.column_lineage) is not None:
        for edge in _column_lineage(owner, spec, value):
            _add(found, edge)
            if len(found) > limit:
                break
        _check_count(spec.name, len(found), limit)
    return tuple(found.values())


def _add(found: dict[tuple[str, str, str, str], Edge], edge: Edge) -> None:
    """An edge which the aspect states twice (`inputDatasets`, `inputDatasetEdges`) has the details of both."""
    known = found.setdefault(edge.key, edge)
    if known is not edge:
        known.details = {**edge.details, **known.details}


def _check_count(aspect: str, count: int, limit: int) -> None:
    if count > limit:
        raise TooLarge(f"{aspect}: declares more than {limit} relationships, which is the limit")


def _mirrored(edge: Edge, name: str) -> Mapping[str, Any]:
    return {**edge.details, "lineage": True, "mirrorOf": name}


def _declared(owner: Urn, aspect: str, spec: EdgeSpec, value: Mapping[str, Any]) -> Iterator[Edge]:
    """Edges of one annotation; details are taken from the list item in which the target stands."""
    prefix, rest, own, path = _item_paths(spec)
    where = f"{aspect}/{path}"
    lineage = spec.lineage and spec.upstream
    for item in _at(value, prefix, aspect):
        target = _one(item, rest, aspect)
        if target is None:
            continue
        urn = parse_urn(target, where)
        details = _details(item, own, aspect)
        via = details.pop("via", "")
        if lineage:
            details["lineage"] = True
        yield Edge(spec.name, owner.text, urn.text, via, details)


@lru_cache(maxsize=4096)
def _item_paths(spec: EdgeSpec) -> tuple[Path, Path, tuple[Detail, ...], str]:
    """
    Split an edge's paths behind the last `*`.

    Returns:
        Where the items are; where the target is in one; its details; the whole path as text.
    """
    path = spec.path
    cut = len(path) - path[::-1].index("*") if "*" in path else 0
    rest = path[cut:]
    own = ((name, other[cut:]) for name, other in spec.details.items() if other[:cut] == path[:cut])
    return path[:cut], rest, tuple((name, tail, tail[0] if rest and tail else "") for name, tail in own), "/".join(path)


def _details(item: Any, own: Iterable[Detail], aspect: str) -> dict[str, Any]:
    details: dict[str, Any] = {}
    for name, path, head in own:
        if head and item.get(head) is None:
            continue  # as most are
        found = _one(item, path, aspect)
        if found is None:
            continue
        if name == "properties" and isinstance(found, dict):
            details[name] = [f"{key}={text}" for key, text in sorted(found.items())]
        elif name == "via":
            details[name] = parse_urn(found, f"{aspect}/{'/'.join(path)}").text
        elif isinstance(found, str) or (isinstance(found, int) and 0 < found < LONG_LIMIT):
            details[name] = found  # a time of 0 is DataHub's default for "not known"
    return details


def _column_lineage(owner: Urn, spec: AspectSpec, value: Mapping[str, Any]) -> Iterator[Edge]:
    """Edges between columns, which DataHub's server adds in code (WIRE.md 4.3)."""
    assert spec.column_lineage is not None  # noqa: S101  the caller asked
    for entry in _at(value, (spec.column_lineage, "*"), spec.name):
        if not isinstance(entry, dict):
            raise BadValue(f"{spec.name}/{spec.column_lineage}: an item is not an object")
        where = f"{spec.name}/{spec.column_lineage}"
        if spec.name == "inputFields":
            yield from _input_field(owner, entry, where)
            continue
        via = owner.text if owner.entity_type == "dataJob" else ""
        if entry.get("query"):
            via = parse_urn(entry["query"], f"{where}/*/query").text
        details = {
            "lineage": True,
            **{key: entry[key] for key in ("transformOperation", "confidenceScore") if entry.get(key) is not None},
        }
        upstreams = list(_columns(entry, "upstreams", where))
        for downstream in _columns(entry, "downstreams", where):
            for upstream in upstreams:
                yield Edge(COLUMN_EDGE, downstream, upstream, via, details)


def _columns(entry: Mapping[str, Any], side: str, where: str) -> Iterator[str]:
    """Columns on one side of an entry; whole datasets, which may stand there too, are no columns."""
    for text in _at(entry, (side, "*"), where):
        if parse_urn(text, f"{where}/*/{side}").entity_type == "schemaField":
            yield text


def _input_field(owner: Urn, entry: Mapping[str, Any], where: str) -> Iterator[Edge]:
    field_path = _one(entry, ("schemaField", "fieldPath"), where)
    target = entry.get("schemaFieldUrn")
    if isinstance(field_path, str) and field_path and target is not None:
        source = parse_urn(schema_field_urn(owner.text, field_path), f"{where}/*/schemaField/fieldPath").text
        yield Edge(COLUMN_EDGE, source, parse_urn(target, f"{where}/*/schemaFieldUrn").text, "", {"lineage": True})


def _at(value: Any, path: Path, aspect: str) -> list[Any]:
    """
    Everything that a path leads to; nothing where a part of it is absent or null.

    Raises:
        BadValue: A part of the path meets a value of another shape.
    """
    found = [] if value is None else [value]
    for head in path:
        if not found:
            break
        try:
            if head == "*":
                inner = [item for holder in found for item in (holder if type(holder) is list else holder.values())]
                found = [item for item in inner if item is not None]
            else:
                found = [item for holder in found if (item := holder.get(head)) is not None]
        except AttributeError:
            wanted = "a list or map" if head == "*" else f"an object with {head!r}"
            raise BadValue(f"{aspect}: {wanted} was expected on the way to {'/'.join(path)}") from None
    return found


def properties_of(urn: Urn, entity: EntitySpec, aspect: str, value: Mapping[str, Any]) -> Row:
    """
    What one aspect says on its entity's node.

    Args:
        urn: The entity; it names the node where the aspect that should is silent.
        entity: The entity's type, whose projection names the fields.
        aspect: Name of the aspect.
        value: Its value; an empty one takes its properties away.

    Returns:
        Property -> text, number, boolean, or a list of one kind of these; None where the value does not say.

    Raises:
        BadValue: The value has another shape than the model says.
    """
    properties = _projected(entity, aspect, value)
    if entity.naming is not None and entity.naming[0] == aspect:
        key_name = name_in(key_value(entity, urn), entity)
        properties |= _name(_named(entity.naming[1], value, aspect) or key_name, key_name)
    if "fieldPaths" in properties:
        paths = properties["fieldPaths"]
        properties["fieldWords"] = path_words(map(str, paths)) if isinstance(paths, list) else None
    return properties


def _named(paths: Iterable[Path], value: Mapping[str, Any], aspect: str) -> str | None:
    for path in paths:
        name = _one(value, path, aspect)
        if isinstance(name, str) and name:
            return name
    return None


def _projected(entity: EntitySpec, aspect: str, value: Mapping[str, Any]) -> Row:
    # Most fields are absent most of the time: one look at the path's head settles those.
    return {
        field.name: None if value.get(field.path[0]) is None else _property(field, value, aspect)
        for field in entity.projection.get(aspect, ())
    }


def _property(field: FieldSpec, value: Mapping[str, Any], aspect: str) -> Any:
    if not field.many:
        found = _one(value, field.path, aspect)
        return found if _storable(found) else None
    if field.path[-1] == "*" and "*" not in field.path[:-1]:
        holder = _one(value, field.path[:-1], aspect)
        if isinstance(holder, dict):
            return [f"{key}={item}" for key, item in sorted(holder.items())] or None
    items = [item for item in _at(value, field.path, aspect) if _storable(item)]
    return _one_kind(list(dict.fromkeys(items))) if items else None


def _one(value: Any, path: Path, aspect: str) -> Any:
    """
    What a path without `*` leads to; None where a part of it is absent or null.

    Raises:
        BadValue: A part of the path meets a value of another shape.
    """
    head = ""
    try:
        for head in path:
            if value is None:
                return None
            value = value.get(head)
    except AttributeError:
        raise BadValue(f"{aspect}: an object with {head!r} was expected on the way to {'/'.join(path)}") from None
    return value


def _storable(item: Any) -> bool:
    return isinstance(item, SCALARS) or (isinstance(item, int) and -LONG_LIMIT <= item < LONG_LIMIT)


def _one_kind(items: list[Any]) -> list[Any]:
    """Neo4j's lists hold one kind of value."""
    return items if len({type(item) for item in items}) == 1 else [str(item) for item in items]
