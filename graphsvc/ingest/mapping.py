"""Pure: one aspect's value -> what it means in the graph, by the registry's paths."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphsvc.errors import BadValue, TooLarge
from graphsvc.graph.projection import LONG_LIMIT, all_at, one_at
from graphsvc.graph.registry import AspectSpec, EdgeSpec, Path
from graphsvc.urn import Urn, parse_urn, schema_field_urn

COLUMN_EDGE = "DownstreamOf"
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
    for item in all_at(value, prefix, aspect):
        target = one_at(item, rest, aspect)
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
        found = one_at(item, path, aspect)
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
    for entry in all_at(value, (spec.column_lineage, "*"), spec.name):
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
    for text in all_at(entry, (side, "*"), where):
        if parse_urn(text, f"{where}/*/{side}").entity_type == "schemaField":
            yield text


def _input_field(owner: Urn, entry: Mapping[str, Any], where: str) -> Iterator[Edge]:
    field_path = one_at(entry, ("schemaField", "fieldPath"), where)
    target = entry.get("schemaFieldUrn")
    if isinstance(field_path, str) and field_path and target is not None:
        source = parse_urn(schema_field_urn(owner.text, field_path), f"{where}/*/schemaField/fieldPath").text
        yield Edge(COLUMN_EDGE, source, parse_urn(target, f"{where}/*/schemaFieldUrn").text, "", {"lineage": True})
