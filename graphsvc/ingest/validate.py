"""Pure: a proposal against the registry, before any I/O. What passes is a Change; what does not says why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import orjson

from graphsvc.config import IngestSettings, LimitSettings
from graphsvc.errors import (
    AspectNotAllowed,
    BadProposal,
    BadUrn,
    BadValue,
    TooLarge,
    UnknownAspect,
    UnknownEntityType,
    Unsupported,
)
from graphsvc.graph.operations import Row
from graphsvc.graph.projection import properties_of
from graphsvc.graph.registry import AspectSpec, EntitySpec, Registry
from graphsvc.graph.registry.keys import key_value
from graphsvc.graph.registry.values import ValueChecker
from graphsvc.ingest.mapping import Edge, edges_of
from graphsvc.ingest.proposal import GenericAspect, Proposal
from graphsvc.urn import Urn, parse_urn

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_VERSION = re.compile(r"-?[0-9]{1,18}")
CHANGE_TYPES = frozenset({"UPSERT", "CREATE", "CREATE_ENTITY", "UPDATE", "DELETE"})
PRECONDITIONS = frozenset({"if-version-match", "if-none-match"})
UNSUPPORTED_PRECONDITIONS = frozenset({"if-modified-since", "if-unmodified-since"})
SYSTEM_TEXTS = ("runId", "lastRunId", "pipelineName")
JSON_CONTENT_TYPE = "application/json"
LONG_MAX = 2**63 - 1
SHARED_SYSTEM_CHARS = 1_000  # a longer systemMetadata is not kept for the next proposal


@dataclass(slots=True)
class Change:
    """
    A proposal that passed: what it means, decoded.

    Attributes:
        urn: The entity.
        entity: Its type.
        aspect: Aspect name; the key aspect's for a deletion of the whole entity.
        spec: The aspect in the model; None for an unmodelled one.
        change_type: One of `CHANGE_TYPES`.
        value: Decoded value; empty for DELETE.
        text: The value as canonical JSON text (keys sorted), by which values are compared and stored.
        edges: Relationships that the value declares.
        properties: What the value says on the entity's node.
        system: systemMetadata without nulls; not to be changed, since proposals share it.
        system_text: The same as canonical JSON text; None if there is nothing in it.
        headers: Preconditions, names in lower case.
    """

    urn: Urn
    entity: EntitySpec
    aspect: str
    spec: AspectSpec | None
    change_type: str
    value: Mapping[str, Any]
    text: str
    edges: tuple[Edge, ...]
    properties: Row
    system: Mapping[str, Any]
    system_text: str | None
    headers: Mapping[str, str]

    @property
    def deletes_entity(self) -> bool:
        """DELETE of the key aspect is DELETE of the entity, as in DataHub."""
        return self.change_type == "DELETE" and self.aspect == self.entity.key_aspect


class Validator:
    """Proposals against one registry, under one set of settings."""

    def __init__(self, registry: Registry, ingest: IngestSettings, limits: LimitSettings) -> None:
        self._registry = registry
        self._refuse_unknown_aspects = ingest.unknown_aspects == "refuse"
        self._limits = limits
        self._values = ValueChecker(registry.records, refuse_unknown=ingest.unknown_fields == "refuse")

    def validate(self, proposal: Proposal) -> Change:
        """
        Check one proposal and decode it.

        Raises:
            BadProposal: One of its subclasses says what is wrong.
            TooLarge: The value is longer than the limit.
        """
        change_type = proposal.change_type
        if change_type not in CHANGE_TYPES:
            raise Unsupported(
                f"changeType {change_type!r} is not supported; use one of {', '.join(sorted(CHANGE_TYPES))}"
            )
        urn, entity = self._entity(proposal)
        headers = _headers(proposal.headers)
        system, system_text = _system(proposal.system_metadata)
        aspect = proposal.aspect_name or (entity.key_aspect if change_type == "DELETE" else "")
        spec = self._aspect(entity, aspect)
        value: Mapping[str, Any] = {}
        if change_type == "DELETE":
            if spec is not None and spec.timeseries:
                raise Unsupported(f"{aspect} is a timeseries aspect; its points cannot be deleted by a proposal")
        elif aspect == entity.key_aspect:
            value = key_value(
                entity, urn
            )  # DataHub, too, computes it again instead of taking the client's (WIRE.md 4.1)
        else:
            value = self._value(proposal.aspect, aspect)
            if spec is not None:
                value = self._values.checked(spec.record, value)
                _check_timeseries(spec, change_type, value)
        edges: tuple[Edge, ...] = ()
        properties: Row = {}
        if spec is not None:
            edges = edges_of(urn, spec, value, self._limits.aspect_edges)
            properties = properties_of(urn, entity, aspect, value)
        return Change(
            urn,
            entity,
            aspect,
            spec,
            change_type,
            value,
            canonical(value),
            edges,
            properties,
            system,
            system_text,
            headers,
        )

    def _entity(self, proposal: Proposal) -> tuple[Urn, EntitySpec]:
        text = proposal.entity_urn
        if text is None:
            text = self._urn_of_key(proposal)
        if "\\u" in text:
            text = _unescape(text)
        urn = parse_urn(text, "entityUrn")
        entity = self._registry.entities.get(urn.entity_type)
        if entity is None:
            raise UnknownEntityType(self._near(urn.entity_type))
        if proposal.entity_type is not None and proposal.entity_type != urn.entity_type:
            raise BadUrn(text, "entityUrn", f"entityType says {proposal.entity_type!r}")
        if len(entity.key_fields) > 1 and len(urn.parts) != len(entity.key_fields):
            form = ",".join(entity.key_fields)
            raise BadUrn(text, "entityUrn", f"the form is urn:li:{entity.name}:({form})")
        return urn, entity

    def _urn_of_key(self, proposal: Proposal) -> str:
        entity = self._registry.entities.get(proposal.entity_type or "")
        if entity is None or proposal.entity_key_aspect is None:
            raise BadProposal("entityUrn is missing, and entityType with entityKeyAspect do not give one")
        key = self._value(proposal.entity_key_aspect, entity.key_aspect)
        parts = [key.get(field) for field in entity.key_fields]
        if not all(isinstance(part, str) and part for part in parts):
            raise BadValue(f"entityKeyAspect needs {', '.join(entity.key_fields)}")
        inner = ",".join(str(part) for part in parts)
        return f"urn:li:{entity.name}:{inner if len(parts) == 1 else f'({inner})'}"

    def _near(self, name: str) -> str:
        near = get_close_matches(name, self._registry.entities, n=5, cutoff=0.5)
        hint = (
            f"near names: {', '.join(near)}" if near else f"the model has {', '.join(sorted(self._registry.entities))}"
        )
        return f"entity type {name[:100]!r} is not in the model; {hint}"

    def _aspect(self, entity: EntitySpec, name: str) -> AspectSpec | None:
        if not name:
            raise BadProposal("aspectName is missing")
        spec = self._registry.aspects.get(name)
        if spec is None:
            if self._refuse_unknown_aspects:
                raise UnknownAspect(f"aspect {name[:100]!r} is not in the model")
            if not name.isidentifier() or len(name.encode()) > 200:
                raise UnknownAspect(f"aspect {name[:100]!r} is not a possible name of an aspect")
        elif name not in entity.aspects:
            raise AspectNotAllowed(f"aspect {name} is not allowed on entity type {entity.name}")
        return spec

    def _value(self, aspect: GenericAspect | None, name: str) -> Mapping[str, Any]:
        if aspect is None:
            raise BadValue(f"{name}: the aspect's value is missing")
        if aspect.content_type != JSON_CONTENT_TYPE:
            raise Unsupported(
                f"{name}: contentType {aspect.content_type[:100]!r} is not supported; use {JSON_CONTENT_TYPE}"
            )
        value = aspect.json_
        if aspect.value is not None:
            self._check_length(name, aspect.value)
            try:
                value = orjson.loads(aspect.value)
            except orjson.JSONDecodeError as exc:
                raise BadValue(f"{name}: the value is not well-formed JSON: {exc}") from exc
        if not isinstance(value, dict):
            raise BadValue(f"{name}: the value is not a JSON object")
        if aspect.value is None:
            self._check_length(name, canonical(value))
        return value

    def _check_length(self, name: str, text: str | bytes) -> None:
        limit = self._limits.aspect_bytes
        if 4 * len(text) <= limit:  # short enough whatever its characters are
            return
        length = len(text.encode()) if isinstance(text, str) else len(text)
        if length > limit:
            raise TooLarge(f"{name}: the value has {length} bytes; the limit is {limit}")


def _unescape(urn: str) -> str:
    """DataHub's client escapes non-ASCII URNs of single proposals twice; the escape arrives as text (WIRE.md 1.4)."""
    units = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), urn)
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def canonical(value: Mapping[str, Any], what: str = "the value") -> str:
    """
    JSON text that is equal for equal values: sorted keys, no white space.

    Raises:
        BadValue: Nested too deep, or a number that JSON cannot hold; it begins with `what`.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError) as exc:
        raise BadValue(f"{what} cannot be stored as JSON: {exc}") from exc


def _headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    if not headers:
        return {}
    lower = {name.lower(): value for name, value in headers.items()}
    if unsupported := UNSUPPORTED_PRECONDITIONS & lower.keys():
        raise Unsupported(f"header {', '.join(sorted(unsupported))} is not supported; use If-Version-Match")
    version = lower.get("if-version-match")
    if version is not None and not _VERSION.fullmatch(version):
        raise BadProposal(f"header If-Version-Match is not a number: {version[:50]!r}")
    if lower.get("if-none-match", "*") != "*":
        raise BadProposal("header If-None-Match can only be *")
    return {name: value for name, value in lower.items() if name in PRECONDITIONS}


def _system(given: Mapping[str, Any] | str | None) -> tuple[Mapping[str, Any], str | None]:
    """SystemMetadata without nulls, and as text, checked where graphsvc itself reads it."""
    if given is None:
        return {}, None
    text = given if isinstance(given, str) else canonical(given, "systemMetadata")
    # The proposals of a run say the same, over and over.
    return _shared_system(text) if len(text) <= SHARED_SYSTEM_CHARS else _checked_system(text)


def _checked_system(text: str) -> tuple[Mapping[str, Any], str | None]:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise BadProposal(f"systemMetadata is text, but not JSON: {exc}") from exc
    if not isinstance(given, dict):
        raise BadProposal("systemMetadata is text, but not of a JSON object")
    system = {key: value for key, value in given.items() if value is not None}
    observed = system.get("lastObserved", 0)
    if not isinstance(observed, int) or isinstance(observed, bool) or not 0 <= observed <= LONG_MAX:
        raise BadProposal("systemMetadata.lastObserved is not a number of milliseconds")
    for name in SYSTEM_TEXTS:
        if not isinstance(system.get(name, ""), str):
            raise BadProposal(f"systemMetadata.{name} is not a string")
    return system, canonical(system) if system else None


_shared_system = lru_cache(maxsize=4_096)(_checked_system)


def _check_timeseries(spec: AspectSpec, change_type: str, value: Mapping[str, Any]) -> None:
    if not spec.timeseries:
        return
    if change_type not in ("UPSERT", "CREATE"):
        raise Unsupported(f"{spec.name} is a timeseries aspect; it takes UPSERT, not {change_type}")
    time = value.get("timestampMillis")
    if not isinstance(time, int) or isinstance(time, bool) or not 0 <= time <= LONG_MAX:
        raise BadValue(f"{spec.name}: timestampMillis is missing or not a number of milliseconds")
