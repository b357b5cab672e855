"""Load the model once: generated files, our overrides, and a user's own file, checked and frozen."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Annotated, Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from graphsvc.errors import ConfigError
from graphsvc.graph.registry.spec import AspectSpec, EdgeSpec, EntitySpec, FieldSpec, Path, Registry

RESERVED_TYPES = frozenset({"HAS_ASPECT", "HAD_ASPECT", "PREVIOUS"})
RESERVED_LABELS = frozenset({"Entity", "Aspect", "AspectVersion", "TimeseriesPoint", "Migration", "MigrationLock"})
RESERVED_PROPERTIES = frozenset({"urn", "name", "referencedOnly", "nameWords", "fieldWords", "facetValues"})
DETAILS = ("createdOn", "createdActor", "updatedOn", "updatedActor", "properties", "via")

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
PathText = Annotated[str, StringConstraints(pattern=r"^[^/*]+(/[^/]+)*$")]  # a field's name first, then fields or `*`


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UserRelationship(_Part):
    """A relationship in a user's model file; the keys are those of DataHub's `@Relationship` annotation."""

    path: PathText
    name: Identifier
    entityTypes: tuple[Identifier, ...] = ()  # noqa: N815  DataHub's spelling
    isLineage: bool = False  # noqa: N815
    isUpstream: bool = True  # noqa: N815
    mirror: Identifier | None = None
    createdOn: PathText | None = None  # noqa: N815
    createdActor: PathText | None = None  # noqa: N815
    updatedOn: PathText | None = None  # noqa: N815
    updatedActor: PathText | None = None  # noqa: N815
    properties: PathText | None = None
    via: PathText | None = None


class UserField(_Part):
    """A searchable field in a user's model file; the keys are those of DataHub's `@Searchable` annotation."""

    path: PathText
    fieldName: Identifier | None = None  # noqa: N815
    fieldType: str = "TEXT"  # noqa: N815
    boostScore: float = 1.0  # noqa: N815
    isName: bool = False  # noqa: N815


class UserAspect(_Part):
    """An aspect in a user's model file."""

    timeseries: bool = False
    relationships: tuple[UserRelationship, ...] = ()
    searchable: tuple[UserField, ...] = ()


class UserEntity(_Part):
    """An entity type in a user's model file; for a type that exists, only `aspects` may be given, and adds to it."""

    keyFields: tuple[Identifier, ...] = ()  # noqa: N815
    aspects: tuple[Identifier, ...] = ()


class UserModel(_Part):
    """A user's model file."""

    entities: dict[Identifier, UserEntity] = Field(default_factory=dict)
    aspects: dict[Identifier, UserAspect] = Field(default_factory=dict)


def _parts(path: str) -> Path:
    return tuple(path.split("/"))


def label_of(entity_type: str) -> str:
    """`dataset` -> `Dataset`: the label of an entity type's nodes."""
    return entity_type[:1].upper() + entity_type[1:]


def _shipped(name: str) -> Any:
    data = files("graphsvc.graph.registry").joinpath(name).read_bytes()
    return orjson.loads(data) if name.endswith(".json") else yaml.safe_load(data)


def _user_model(file: FilePath | None) -> UserModel:
    if file is None:
        return UserModel()
    try:
        return UserModel.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except OSError as exc:
        raise ConfigError(f"model file {file} cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ConfigError(f"model file {file} is not YAML: {exc}") from exc
    except ValidationError as exc:
        places = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"model file {file}: {places}") from exc


def _add_user(raw: dict[str, dict[str, Any]], model: UserModel, where: str) -> None:
    """Add a user's entity types and aspects to the raw ones; both are in the generated files' form afterwards."""
    for name, aspect in model.aspects.items():
        if name in raw["aspects"]:
            raise ConfigError(f"model file {where}: aspect {name} exists already; a model file only adds")
        if aspect.timeseries and aspect.relationships:
            raise ConfigError(f"model file {where}: aspect {name} is a timeseries; its points declare no relationships")
        raw["aspects"][name] = {
            "record": name,
            "timeseries": aspect.timeseries,
            "relationships": [r.model_dump(exclude_none=True) for r in aspect.relationships],
            "searchable": [
                s.model_dump(exclude_none=True, exclude={"isName"})
                | ({"fieldNameAliases": ["_entityName"]} if s.isName else {})
                for s in aspect.searchable
            ],
        }
    for name, entity in model.entities.items():
        if name in raw["entities"]:
            if entity.keyFields:
                raise ConfigError(f"model file {where}: entity type {name} exists already; only aspects can be added")
            raw["entities"][name] = raw["entities"][name] | {
                "aspects": [*raw["entities"][name]["aspects"], *entity.aspects]
            }
            continue
        key = f"{name}Key"
        fields = list(entity.keyFields or ("id",))
        raw["aspects"].setdefault(key, {"record": key, "keyFor": name, "relationships": [], "searchable": []})
        raw["entities"][name] = {"keyAspect": key, "keyFields": fields, "aspects": list(entity.aspects)}
    for name in model.entities:
        missing = [a for a in raw["entities"][name]["aspects"] if a not in raw["aspects"]]
        if missing:
            raise ConfigError(f"model file {where}: entity type {name} lists unknown aspects: {', '.join(missing)}")


def _edge(raw: Mapping[str, Any], mirrors: Mapping[str, str]) -> EdgeSpec:
    name = raw["name"]
    if name in RESERVED_TYPES or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ConfigError(f"{name!r} cannot be a relationship's name")
    lineage = bool(raw.get("isLineage"))
    upstream = bool(raw.get("isUpstream", True))
    mirror = (raw.get("mirror") or mirrors.get(name, f"Reverse{name}")) if lineage and not upstream else None
    if mirror in RESERVED_TYPES:
        raise ConfigError(f"{name}: {mirror!r} cannot be a mirror's name")
    return EdgeSpec(
        name=name,
        path=_parts(raw["path"]),
        destinations=tuple(raw.get("entityTypes", ())),
        lineage=lineage,
        upstream=upstream,
        mirror=mirror,
        details=MappingProxyType({key: _parts(raw[key]) for key in DETAILS if raw.get(key)}),
        optional=bool(raw.get("optional")),
    )


def _within(path: Path, record: str, records: Mapping[str, Any]) -> Path:
    """
    The path as far as the record's types go.

    Three searchable annotations of the package take a step too many: `parentTemplate/*` and `parentInstance/*` of
    dataProcessInstanceRelationships, which are no lists, and `startedAt/time` of incidentInfo, which is the time.
    """
    kind: Any = f"@{record}"
    for index, part in enumerate(path):
        if isinstance(kind, str):
            if not kind.startswith("@"):
                return path[:index]
            kind = records.get(kind[1:], {}).get(part)
        else:
            kind = kind[1] if isinstance(kind, list) else kind.get(part)
        if kind is None:
            break
    return path


def _field(aspect: str, raw: Mapping[str, Any], rename: Mapping[str, str], path: Path) -> FieldSpec:
    plain = [part for part in path if part not in ("*", "$key")]
    return FieldSpec(
        path=path,
        name=rename.get(f"{aspect}/{raw['path']}") or raw.get("fieldName") or plain[-1],
        kind=raw.get("fieldType") or "TEXT",
        boost=float(raw.get("boostScore", 1.0)),
        many="*" in path,
        flat=len(path) == 1,
    )


def _aspects(raw: Mapping[str, Any], overrides: Mapping[str, Any], records: Mapping[str, Any]) -> Iterator[AspectSpec]:
    for name, entry in raw.items():
        yield AspectSpec(
            name=name,
            record=entry["record"],
            timeseries=bool(entry.get("timeseries")),
            key_for=entry.get("keyFor"),
            edges=tuple(_edge(r, overrides["mirrors"]) for r in entry["relationships"]),
            fields=tuple(
                _field(name, s, overrides["rename"], _within(_parts(s["path"]), entry["record"], records))
                for s in entry["searchable"]
                if "$key" not in s["path"]
            ),
            column_lineage=overrides["columnLineage"].get(name),
        )


def _naming(entry: Mapping[str, Any], raw_aspects: Mapping[str, Any], override: Mapping[str, Any] | None) -> Any:
    """The aspect that names an entity type and the paths to try; None where only the URN does."""
    if override:
        return override["aspect"], tuple(_parts(p) for p in override["paths"])
    fields = [(aspect, field) for aspect in entry["aspects"] for field in raw_aspects[aspect]["searchable"]]
    marked = [(a, f) for a, f in fields if "_entityName" in f.get("fieldNameAliases", ())]
    called = [(a, f) for a, f in fields if f["path"] == "name"]
    for aspect, field in (*marked, *called):
        return aspect, (_parts(field["path"]),)
    return None


def _name_part(key_fields: tuple[str, ...]) -> int:
    """Which part of the URN names the entity: `name`, else the first id, else the last."""
    if "name" in key_fields:
        return key_fields.index("name")
    ids = [i for i, field in enumerate(key_fields) if field == "id" or field.endswith("Id")]
    return ids[0] if ids else len(key_fields) - 1


def _projection(
    order: tuple[str, ...], aspects: Mapping[str, AspectSpec], naming: tuple[str, tuple[Path, ...]] | None
) -> Mapping[str, Mapping[str, tuple[FieldSpec, ...]]]:
    """
    Which fields of which aspect become properties of the node.

    A name belongs to the first aspect that has it (the key aspect comes first), so that replacing an aspect never
    touches another one's property. The naming field is the node's `name` and is not repeated; lineage stands in the
    graph as edges and is not repeated as lists of URNs.
    """
    taken: dict[str, str] = {}
    projection: dict[str, Mapping[str, tuple[FieldSpec, ...]]] = {}
    for aspect in order:
        fields: dict[str, FieldSpec] = {}
        spec = aspects[aspect]
        lineage = {edge.path for edge in spec.edges if edge.lineage or edge.path[0] == spec.column_lineage}
        for field in spec.fields:
            named = naming is not None and naming[0] == aspect and field.path == naming[1][0]
            if named or field.name in RESERVED_PROPERTIES or field.path in lineage or spec.timeseries:
                continue
            if taken.setdefault(field.name, aspect) == aspect:
                fields.setdefault(field.name, field)
        by_head: dict[str, tuple[FieldSpec, ...]] = {}
        for field in fields.values():
            by_head[field.path[0]] = (*by_head.get(field.path[0], ()), field)
        projection[aspect] = MappingProxyType(by_head)
    return MappingProxyType(projection)


def _entity(
    name: str, entry: Mapping[str, Any], raw_aspects: Mapping[str, Any], aspects: Mapping[str, AspectSpec],
    overrides: Mapping[str, Any],
) -> EntitySpec:  # fmt: skip
    label = label_of(name)
    if label in RESERVED_LABELS:
        raise ConfigError(f"{name!r} cannot be an entity type: its label {label} is graphsvc's own")
    key_fields = tuple(entry["keyFields"])
    naming = _naming(entry, raw_aspects, overrides["naming"].get(name))
    order = (entry["keyAspect"], *dict.fromkeys(entry["aspects"]))
    return EntitySpec(
        name=name,
        label=label,
        key_aspect=entry["keyAspect"],
        key_fields=key_fields,
        name_part=_name_part(key_fields),
        aspects=frozenset(order),
        naming=naming,
        projection=_projection(order, aspects, naming),
    )


def _check_types(edges: list[EdgeSpec]) -> None:
    """A mirror's type must be nobody else's, or walks would follow edges that point the wrong way."""
    clash = {e.mirror for e in edges if e.mirror} & {e.name for e in edges}
    both = {e.name for e in edges if e.lineage and e.upstream} & {e.name for e in edges if e.lineage and not e.upstream}
    if clash:
        raise ConfigError(
            f"a mirror has the name of a relationship: {', '.join(sorted(clash))}; set `mirror:` to another"
        )
    if both:
        raise ConfigError(
            f"a relationship is upstream lineage here and downstream lineage there: {', '.join(sorted(both))}"
        )


def _check_labels(entities: Mapping[str, EntitySpec]) -> None:
    """Two types that differ only in their first letter's case would share a label."""
    first: dict[str, str] = {}
    for name, spec in entities.items():
        other = first.setdefault(spec.label, name)
        if other != name:
            raise ConfigError(f"entity type {name} has the label of {other}, {spec.label}")


@cache
def load_registry(model_file: FilePath | None = None) -> Registry:
    """
    The model: what DataHub ships, our overrides, and a user's file.

    Args:
        model_file: YAML of the form of `UserModel`; it adds entity types, aspects and relationships.

    Raises:
        ConfigError: The user's file cannot be read, or contradicts the model or itself.
    """
    raw = {"entities": dict(_shipped("entities.json")), "aspects": dict(_shipped("aspects.json"))}
    overrides = _shipped("overrides.yaml")
    _add_user(raw, _user_model(model_file), str(model_file))
    try:
        return _frozen(raw, overrides)
    except ConfigError as exc:
        raise ConfigError(f"model file {model_file}: {exc}") from exc


def _frozen(raw: Mapping[str, Mapping[str, Any]], overrides: Mapping[str, Any]) -> Registry:
    records = _shipped("records.json")
    aspects = {spec.name: spec for spec in _aspects(raw["aspects"], overrides, records)}
    edges = [edge for spec in aspects.values() for edge in spec.edges]
    _check_types(edges)
    upstream = {e.name for e in edges if e.lineage and e.upstream}
    mirrors = {e.mirror for e in edges if e.mirror}
    entities = {
        name: _entity(name, entry, raw["aspects"], aspects, overrides) for name, entry in raw["entities"].items()
    }
    _check_labels(entities)
    return Registry(
        entities=MappingProxyType(entities),
        aspects=MappingProxyType(aspects),
        records=MappingProxyType(records),
        aspect_of_record=MappingProxyType({spec.record: name for name, spec in aspects.items()}),
        relationship_types=frozenset({e.name for e in edges} | mirrors | {"DownstreamOf"}),
        lineage_types=tuple(sorted(upstream | mirrors | {"DownstreamOf"})),
    )
