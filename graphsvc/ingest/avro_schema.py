"""
Pure: a writer's Avro schema -> one that decodes the same bytes into JSON as it is on DataHub's REST wire, and safely.

Two rewritings, neither of which changes how many bytes a value has or what they mean:

- A member of a real union becomes a record with that member as its one field, named as the member is on the wire, so
  that `["A", "B"]` decodes to `{"com.linkedin.A": …}`. A union of null and one other stays: an optional field.
- Logical types go; their values stay numbers and text.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

import fastavro
import orjson
from fastavro.schema import SchemaParseException

from graphsvc.errors import Undecodable

NAMED = frozenset({"record", "error", "enum", "fixed"})
PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
MAX_DEPTH = 100
# Values that a byte of input can bring into being: records, and nulls in records, cost none themselves.
MAX_FREE = 500


def wire_name(name: str) -> str:
    """A name as it stands in DataHub's JSON."""
    return name.replace(".pegasus2avro.", ".")


def wire_schema(text: str) -> tuple[str, Any]:
    """
    Rewrite a writer's schema.

    Args:
        text: The schema, as JSON.

    Returns:
        The name of its record, without the namespace, and what fastavro reads with.

    Raises:
        Undecodable: It is not the schema of a record, or one with which a few bytes could decode to a flood of values:
            it contains itself, nests over MAX_DEPTH, holds lists of values of no size, or records of over MAX_FREE
            values of no size.
    """
    try:
        schema = orjson.loads(text)
        fastavro.parse_schema(schema, named_schemas={})
        walk = _Walk()
        rewritten = walk.rewrite(schema, "", 0)
        if not isinstance(rewritten, dict) or rewritten["type"] != "record":
            raise Undecodable("the schema is not that of a record")
        walk.measure(rewritten, 0)
        return str(rewritten["name"]).rpartition(".")[2], fastavro.parse_schema(rewritten, named_schemas={})
    # fastavro raises whatever its code runs into in a schema that is none.
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        SchemaParseException,
    ) as exc:
        raise Undecodable(f"the schema is not one of Avro: {type(exc).__name__}: {str(exc)[:300]}") from exc


class _Walk:
    """One schema's rewriting and measuring."""

    def __init__(self) -> None:
        self._named: dict[str, Any] = {}
        self._sizes: dict[str, tuple[int, int, int]] = {}
        self._open: set[str] = set()
        self._numbers = count()

    def rewrite(self, schema: Any, namespace: str, depth: int) -> Any:
        """The schema with full names everywhere, unions made records, and only what decoding needs."""
        if depth > MAX_DEPTH:
            raise Undecodable(f"the schema nests over {MAX_DEPTH} deep")
        if isinstance(schema, str):
            return schema if schema in PRIMITIVES else self._full(schema, namespace)
        if isinstance(schema, list):
            return self._union([self.rewrite(member, namespace, depth + 1) for member in schema])
        kind = schema["type"]
        if kind in NAMED:
            return self._definition(schema, namespace, depth)
        if kind == "array":
            return {"type": kind, "items": self.rewrite(schema["items"], namespace, depth + 1)}
        if kind == "map":
            return {"type": kind, "values": self.rewrite(schema["values"], namespace, depth + 1)}
        return self.rewrite(kind, namespace, depth + 1)

    def _full(self, name: str, namespace: str) -> str:
        return name if "." in name or not namespace else f"{namespace}.{name}"

    def _definition(self, schema: Mapping[str, Any], namespace: str, depth: int) -> Any:
        name = self._full(schema["name"], schema.get("namespace", namespace))
        new: dict[str, Any] = {"type": schema["type"], "name": name}
        inner = name.rpartition(".")[0]
        if schema["type"] in ("record", "error"):
            new["type"] = "record"
            fields = ((f["name"], self.rewrite(f["type"], inner, depth + 1)) for f in schema["fields"])
            new["fields"] = [{"name": field, "type": kind} for field, kind in fields]
        else:
            new.update({key: schema[key] for key in ("symbols", "size") if key in schema})
        self._named[name] = new
        return new

    def _union(self, members: list[Any]) -> list[Any]:
        if len(members) == 2 and "null" in members:
            return members
        return [member if member == "null" else self._member(member) for member in members]

    def _member(self, member: Any) -> Any:
        name = member if isinstance(member, str) else member.get("name") or member["type"]
        return {
            "type": "record",
            "name": f"graphsvc.member{next(self._numbers)}",
            "fields": [{"name": wire_name(name), "type": member}],
        }

    def measure(self, schema: Any, depth: int) -> tuple[int, int, int]:
        """
        Depth of a rewritten type, bytes it has at least (0 or 1), and values it brings along for nothing.

        Raises:
            Undecodable: One of them is out of bounds.
        """
        if depth > MAX_DEPTH:
            raise Undecodable(f"the schema nests over {MAX_DEPTH} deep")
        if isinstance(schema, str):
            return self._primitive(schema, depth)
        if isinstance(schema, list):
            parts = [self.measure(member, depth + 1) for member in schema]
            return 1 + max(part[0] for part in parts), 1, max(part[2] for part in parts)
        kind = schema["type"]
        if kind == "array":
            deep, size, free = self.measure(schema["items"], depth + 1)
            if not size:
                raise Undecodable("the schema has a list of values that take no bytes")
            return deep + 1, 1, free
        if kind == "map":
            deep, _, free = self.measure(schema["values"], depth + 1)
            return deep + 1, 1, free
        return self._measure_named(schema, depth)

    def _primitive(self, name: str, depth: int) -> tuple[int, int, int]:
        if name == "null":
            return 0, 0, 1
        return (0, 1, 0) if name in PRIMITIVES else self._measure_named(self._named[name], depth)

    def _measure_named(self, schema: Mapping[str, Any], depth: int) -> tuple[int, int, int]:
        if schema["type"] != "record":
            return 0, int(schema["type"] == "enum" or schema["size"] > 0), 1
        name = schema["name"]
        if name in self._open:
            raise Undecodable(f"the schema contains itself: {name}")
        if name not in self._sizes:
            self._open.add(name)
            parts = [self.measure(field["type"], depth + 1) for field in schema["fields"]]
            self._open.discard(name)
            deep = 1 + max((part[0] for part in parts), default=0)
            free = 1 + sum(part[2] for part in parts)
            if free > MAX_FREE:
                raise Undecodable(f"the schema's record {name} holds over {MAX_FREE} values that take no bytes")
            self._sizes[name] = deep, int(any(part[1] for part in parts)), free
        if depth + self._sizes[name][0] > MAX_DEPTH:
            raise Undecodable(f"the schema nests over {MAX_DEPTH} deep")
        return self._sizes[name]
