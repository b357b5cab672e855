"""
Thin views over aspect values: a class per record, filled from JSON by its fields' names and types.

Values were checked when they came in, but an aspect of an older model may still hold something else: a field whose
value is of another type is null, never an error.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, NewType, ParamSpec, TypeVar, dataclass_transform

import strawberry
from strawberry.utils.str_converters import to_camel_case

View = TypeVar("View")
P = ParamSpec("P")
Result = TypeVar("Result")
Json = Any

Long = NewType("Long", int)
LONG = strawberry.scalar(
    name="Long", description="A whole number of 64 bits; times are milliseconds.", serialize=int, parse_value=int
)


# Names of the types that are written by hand; those made from the model keep out of their way.
WRITTEN: set[str] = set()


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def described(cls: type[View]) -> type[View]:
    """A GraphQL type whose description is the class's docstring."""
    WRITTEN.add(cls.__name__)
    return strawberry.type(cls, description=inspect.getdoc(cls))


def union(name: str, description: str) -> Any:
    """What marks a union of types, inside of `Annotated`."""
    WRITTEN.add(name)
    return strawberry.union(name, description=description)


def shown(description: str) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """A field with a resolver; what `strawberry.field` does, but with types."""
    field: Callable[[Callable[P, Result]], Callable[P, Result]] = strawberry.field(description=description)
    return field


@described
class AuditStamp:
    """When something happened, and who did it."""

    time: Long
    actor: str | None


@described
class CustomPropertiesEntry:
    """One entry of a map of texts."""

    key: str
    value: str | None


def text(value: Json) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None


def number(value: Json) -> Long | None:
    """The value if it is a whole number."""
    return Long(value) if isinstance(value, int) and not isinstance(value, bool) else None


def fraction(value: Json) -> float | None:
    """The value if it is a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(value: Json) -> bool | None:
    """The value if it is a boolean."""
    return value if isinstance(value, bool) else None


def texts(value: Json) -> list[str] | None:
    """The texts of a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None


def records(value: Json) -> list[dict[str, Any]]:
    """The records of a list; empty if it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def stamp(value: Json) -> AuditStamp | None:
    """An audit stamp; None if it has no time."""
    if not isinstance(value, dict) or (time := number(value.get("time"))) is None:
        return None
    return AuditStamp(time=time, actor=text(value.get("actor")))


def entries(value: Json) -> list[CustomPropertiesEntry] | None:
    """The entries of a map, in the order of their keys."""
    if not isinstance(value, dict):
        return None
    return [CustomPropertiesEntry(key=key, value=text(item)) for key, item in sorted(value.items())]


_READERS: dict[Any, Callable[[Json], Any]] = {
    str | None: text,
    Long | None: number,
    bool | None: flag,
    list[str] | None: texts,
    AuditStamp | None: stamp,
    list[CustomPropertiesEntry] | None: entries,
}


def path(*keys: str) -> Any:
    """A field that stands under other keys than its own name, `a.b` being b within a; the first with a value counts."""
    return strawberry.field(metadata={"keys": keys})


_Plan = tuple[tuple[str, tuple[str, ...], Callable[[Json], Any]], ...]
_PLANS: dict[type[Any], _Plan] = {}


def _plan(cls: type[Any]) -> _Plan:
    """Of each plain field: its name, the keys to try, and how to read the value."""
    if cls not in _PLANS:
        annotations = inspect.get_annotations(cls)
        _PLANS[cls] = tuple(
            (field.name, field.metadata.get("keys") or (to_camel_case(field.name),), _READERS[annotations[field.name]])
            for field in fields(cls)
            if field.init and field.default is MISSING and annotations.get(field.name) in _READERS
        )
    return _PLANS[cls]


def view(cls: type[View], value: Mapping[str, Any], **given: Any) -> View:
    """
    Fill a view.

    Args:
        cls: A GraphQL type; each of its fields of a plain type is read from the key of its name, or of its `path`.
        value: The record.
        given: Fields that are not plain, made by the caller.
    """
    for name, keys, read in _plan(cls):
        if name not in given:
            found = (item for key in keys if (item := at(value, key)) is not None)
            given[name] = read(next(found, None))
    return cls(**given)


def at(value: Json, key: str) -> Json:
    """What stands at a path of keys, `a.b` being b within a; None if nothing does."""
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
