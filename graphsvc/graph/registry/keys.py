"""What a URN says by itself, by the key fields of its entity type."""

from collections.abc import Mapping
from urllib.parse import unquote

from graphsvc.graph.registry.spec import EntitySpec
from graphsvc.urn import PREFIX, Urn


def key_value(entity: EntitySpec, urn: Urn) -> dict[str, str]:
    """
    The key aspect that a URN stands for, e.g. `{"platform": …, "name": …, "origin": …}`.

    Parts are percent-decoded, as DataHub does when it turns a URN into a key; one that is a URN itself (a job's flow, a
    column's dataset) stays as it is, or it would be another one.
    """
    if len(entity.key_fields) == 1:
        return {entity.key_fields[0]: _decoded(",".join(urn.parts))}
    return {field: _decoded(part) for field, part in zip(entity.key_fields, urn.parts, strict=True)}


def _decoded(part: str) -> str:
    return part if "%" not in part or part.startswith(PREFIX) else unquote(part)


def name_in(key: Mapping[str, str], entity: EntitySpec) -> str:
    """The readable part of a key aspect: a dataset's name, a job's id."""
    return key[entity.key_fields[entity.name_part]]
