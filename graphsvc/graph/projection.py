"""Pure: what the aspects of an entity say on its node, by the registry's paths."""

from collections.abc import Iterable, Mapping
from typing import Any

from graphsvc.errors import BadValue
from graphsvc.graph.operations import Row
from graphsvc.graph.registry import EntitySpec, FieldSpec, Path, Registry
from graphsvc.graph.registry.keys import key_name, key_value
from graphsvc.graph.words import name_words, path_words
from graphsvc.urn import Urn

# Fields whose values `facetValues` holds, with `_entityType` for the label: searches count these if nobody says which.
# The schema's V019 has the same, which a test compares.
FACETS = (
    "_entityType",
    "platform",
    "origin",
    "typeNames",
    "tags",
    "glossaryTerms",
    "domains",
    "owners",
    "container",
    "removed",
)
LONG_LIMIT = 2**63
SCALARS = (str, bool, float)


def node_of(urn: Urn, registry: Registry) -> Row:
    """A row of `write/describe_ends`: how a node looks before anybody described it."""
    entity = registry.entities.get(urn.entity_type)
    return {
        "urn": urn.text,
        "labels": [entity.label] if entity else [],
        "properties": with_words(bare_properties(urn, entity)),
    }


def with_words(properties: Row) -> Row:
    """The same with the words of the name for the full-text index, if a name without them is in it."""
    if "name" in properties and "nameWords" not in properties:
        properties["nameWords"] = name_words(properties["name"])
    return properties


def facet_values(changed: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """
    What `facetValues` says of properties that change.

    Args:
        changed: Property -> value, None for one that goes.

    Returns:
        Fields of facets among them, and `field=value` for each of their values. Who is not removed says so, too.
    """
    fields = [field for field in FACETS if field in changed]
    values: list[str] = []
    for field in fields:
        value = changed[field]
        if field == "removed":
            values.append("removed=true" if value else "removed=false")
        elif isinstance(value, list):
            values += [f"{field}={item}" for item in value]
        elif value is not None:
            values.append(f"{field}={value}")
    return fields, values


def properties_of(urn: Urn, entity: EntitySpec, aspect: str, value: Mapping[str, Any]) -> Row:
    """
    What one aspect says on its entity's node.

    Args:
        urn: The entity; it names the node where the aspect that should is silent.
        entity: The entity's type, whose projection names the fields.
        aspect: Name of the aspect.
        value: Its value; an empty one takes its properties away.

    Returns:
        Property -> text, number, boolean, or a list of one kind of these. What the value does not say is not in it.

    Raises:
        BadValue: The value has another shape than the model says.
    """
    properties = _projected(entity, aspect, value)
    if entity.naming is not None and entity.naming[0] == aspect:
        in_urn = key_name(entity, urn)
        properties |= _name(_named(entity.naming[1], value, aspect) or in_urn, in_urn)
    if "fieldPaths" in properties:
        paths = properties["fieldPaths"]
        if isinstance(paths, list):
            properties["fieldWords"] = path_words(map(str, paths))
    return properties


def without(entity: EntitySpec, aspect: str) -> Row:
    """All properties that an aspect may set on its entity's node, each None: what another value of it takes away."""
    absent: Row = {field.name: None for field in entity.projected(aspect)}
    if "fieldPaths" in absent:
        absent["fieldWords"] = None
    return absent


def _named(paths: Iterable[Path], value: Mapping[str, Any], aspect: str) -> str | None:
    for path in paths:
        name = one_at(value, path, aspect)
        if isinstance(name, str) and name:
            return name
    return None


def _projected(entity: EntitySpec, aspect: str, value: Mapping[str, Any]) -> Row:
    by_head = entity.projection.get(aspect)
    if not by_head:
        return {}
    # Most fields are absent most of the time: what is there says which to look for.
    return {
        field.name: found
        for head, inner in value.items()
        if inner is not None and head in by_head
        for field in by_head[head]
        if (found := inner if field.flat and isinstance(inner, SCALARS) else _property(field, value, aspect))
        is not None
    }


def _property(field: FieldSpec, value: Mapping[str, Any], aspect: str) -> Any:
    if not field.many:
        found = one_at(value, field.path, aspect)
        return found if _storable(found) else None
    if field.path[-1] == "*" and "*" not in field.path[:-1]:
        holder = one_at(value, field.path[:-1], aspect)
        if isinstance(holder, dict):
            return [f"{key}={item}" for key, item in sorted(holder.items())] or None
    items = [item for item in all_at(value, field.path, aspect) if _storable(item)]
    return _one_kind(list(dict.fromkeys(items))) if items else None


def bare_properties(urn: Urn, entity: EntitySpec | None) -> Row:
    """Properties of a node about which only the URN is known, but for `with_words`: another name may come with them."""
    if entity is None or (len(entity.key_fields) > 1 and len(urn.parts) != len(entity.key_fields)):
        return {"name": urn.parts[-1]}
    return key_properties(urn, entity, key_value(entity, urn))


def key_properties(urn: Urn, entity: EntitySpec, key: Mapping[str, str]) -> Row:
    """The same where the URN's key, which fits the entity type, is at hand."""
    return {"name": key_name(entity, urn), **_projected(entity, entity.key_aspect, key)}


def _name(name: str, in_urn: str) -> Row:
    """The name, and its words for the full-text index; the key often says more, such as a table's schema."""
    return {"name": name, "nameWords": name_words(name, in_urn)}


def _storable(item: Any) -> bool:
    return isinstance(item, SCALARS) or (isinstance(item, int) and -LONG_LIMIT <= item < LONG_LIMIT)


def _one_kind(items: list[Any]) -> list[Any]:
    """Neo4j's lists hold one kind of value."""
    return items if len({type(item) for item in items}) == 1 else [str(item) for item in items]


def all_at(value: Any, path: Path, aspect: str) -> list[Any]:
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


def one_at(value: Any, path: Path, aspect: str) -> Any:
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
