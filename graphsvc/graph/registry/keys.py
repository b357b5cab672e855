"""What a URN says by itself, by the key fields of its entity type."""

from urllib.parse import unquote

from graphsvc.graph.registry.spec import EntitySpec
from graphsvc.urn import PREFIX, Urn


def key_value(entity: EntitySpec, urn: Urn) -> dict[str, str]:
    """
    The key aspect that a URN stands for, e.g. `{"platform": …, "name": …, "origin": …}`.

    Parts are percent-decoded, as DataHub does when it turns a URN into a key; one that is a URN itself (a job's flow, a
    column's dataset) stays as it is, or it would be another one.
    """
    parts = urn.parts if len(entity.key_fields) > 1 else (",".join(urn.parts),)
    if "%" in urn.text:
        parts = tuple(map(_decoded, parts))
    return dict(zip(entity.key_fields, parts, strict=True))


def _decoded(part: str) -> str:
    return part if part.startswith(PREFIX) else unquote(part)


def key_name(entity: EntitySpec, urn: Urn) -> str:
    """The readable part of a URN's key: a dataset's name, a job's id."""
    if "%" in urn.text or len(entity.key_fields) == 1:
        return key_value(entity, urn)[entity.key_fields[entity.name_part]]
    return urn.parts[entity.name_part]
