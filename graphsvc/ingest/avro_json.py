"""Pure: values in Avro's JSON encoding, as in DataHub's MCE files -> plain JSON, as on the wire."""

from collections.abc import Mapping
from typing import Any

Records = Mapping[str, Mapping[str, Any]]


def plain(value: Any, kind: Any, records: Records) -> Any:
    """
    Take off the wrapping that Avro's JSON puts around optional values: `{"string": "a"}` becomes `"a"`.

    Args:
        value: Decoded JSON, without nulls and without `pegasus2avro` in its names.
        kind: Its type in the registry's short form (`scripts/build_registry.py`).
        records: The registry's records.

    Returns:
        The same value as DataHub's clients send it. Real unions keep their keys; what does not fit its type is left as
        it is, for the check that follows to name.
    """
    if isinstance(kind, Mapping):
        if isinstance(value, Mapping) and len(value) == 1 and (member := next(iter(value))) in kind:
            return {member: plain(value[member], kind[member], records)}
        return value
    value = _unwrapped(value, kind)
    if isinstance(kind, list):
        if isinstance(value, list):
            return [plain(item, kind[1], records) for item in value]
        if isinstance(value, Mapping):
            return {key: plain(item, kind[1], records) for key, item in value.items()}
        return value
    if isinstance(kind, str) and kind.startswith("@") and isinstance(value, Mapping):
        fields = records.get(kind[1:], {})
        return {key: plain(item, fields[key], records) if key in fields else item for key, item in value.items()}
    return value


def _unwrapped(value: Any, kind: Any) -> Any:
    """The inside of a one-key object whose key is the Avro name of this type, and whose inside can be of it."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    ((name, inner),) = value.items()
    if isinstance(kind, list):
        fits = name == kind[0] and isinstance(inner, list if kind[0] == "array" else Mapping)
    elif kind.startswith("@"):
        fits = name == kind[1:] and isinstance(inner, Mapping)
    elif kind == "enum":
        fits = "." in name and isinstance(inner, str)
    else:
        fits = name == kind and not isinstance(inner, Mapping | list)
    return inner if fits else value


def bare(value: Any) -> Any:
    """Without nulls, and without the discriminators of unions that DataHub's clients do not send either."""
    if isinstance(value, dict):
        return {k: bare(item) for k, item in value.items() if item is not None and k != "fieldDiscriminator"}
    return [bare(item) for item in value] if isinstance(value, list) else value
