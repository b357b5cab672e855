"""Check aspect values against the record types that the model knows; the work is done by pydantic-core."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from graphsvc.errors import BadValue

PRIMITIVES: Mapping[str, CoreSchema] = {
    "string": cs.str_schema(strict=True),
    "bytes": cs.str_schema(strict=True),
    "enum": cs.str_schema(strict=True),
    "fixed": cs.str_schema(strict=True),
    "boolean": cs.bool_schema(strict=True),
    "int": cs.int_schema(strict=True, ge=-(2**31), le=2**31 - 1),
    "long": cs.int_schema(strict=True, ge=-(2**63), le=2**63 - 1),
    "float": cs.float_schema(strict=True),
    "double": cs.float_schema(strict=True),
}
REASONS_SHOWN = 3


class ValueChecker:
    """
    Compiled checks, one per record, made when first needed.

    What is checked: JSON types, however deep. What is not: missing fields and enum symbols, since newer and older
    connectors differ there, and fields that the model does not know, unless `refuse_unknown`.
    """

    def __init__(self, records: Mapping[str, Mapping[str, Any]], *, refuse_unknown: bool = False) -> None:
        self._records = records
        self._refuse_unknown = refuse_unknown
        self._validators: dict[str, SchemaValidator] = {}

    def checked(self, record: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        Check one aspect value.

        Args:
            record: Wire name of its record; a name without a schema (a user's own aspect) passes.
            value: Decoded JSON object.

        Returns:
            The value, with `3.0` for a `3` that stands for a float or double: so it comes from Kafka, in Avro.

        Raises:
            BadValue: Something in it is of the wrong type, or unknown; the message says where.
        """
        validator = self._validators.get(record)
        if validator is None:
            if record not in self._records:
                return value
            validator = self._validators[record] = self._compile(record)
        try:
            found: Mapping[str, Any] = validator.validate_python(value)
        except ValidationError as exc:
            reasons = [f"{'/'.join(str(p) for p in e['loc'])}: {_reason(e)}" for e in exc.errors(include_url=False)]
            more = f" and {len(reasons) - REASONS_SHOWN} more" if len(reasons) > REASONS_SHOWN else ""
            raise BadValue("; ".join(reasons[:REASONS_SHOWN]) + more) from exc
        return found

    def _compile(self, root: str) -> SchemaValidator:
        wanted, definitions = [root], dict[str, CoreSchema]()
        while wanted:
            name = wanted.pop()
            if name not in definitions:
                definitions[name] = self._record(name, wanted)
        return SchemaValidator(cs.definitions_schema(cs.definition_reference_schema(root), list(definitions.values())))

    def _record(self, name: str, wanted: list[str]) -> CoreSchema:
        fields = {key: self._type(kind, wanted) for key, kind in self._records[name].items()}
        return self._object(fields, ref=name)

    def _object(self, fields: Mapping[str, CoreSchema], ref: str | None = None) -> CoreSchema:
        return cs.typed_dict_schema(
            {key: cs.typed_dict_field(cs.nullable_schema(schema), required=False) for key, schema in fields.items()},
            extra_behavior="forbid" if self._refuse_unknown else "allow",
            strict=True,
            ref=ref,
        )

    def _type(self, kind: Any, wanted: list[str]) -> CoreSchema:
        if isinstance(kind, Mapping):
            return self._object({member: self._type(inner, wanted) for member, inner in kind.items()})
        if isinstance(kind, list):
            inner = self._type(kind[1], wanted)
            if kind[0] == "map":
                return cs.dict_schema(cs.str_schema(strict=True), cs.nullable_schema(inner), strict=True)
            return cs.list_schema(inner, strict=True)
        if kind.startswith("@"):
            wanted.append(kind[1:])
            return cs.definition_reference_schema(kind[1:])
        return PRIMITIVES[kind]


def _reason(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unrecognized field found but not allowed"  # the words DataHub's client looks for (WIRE.md 1.1)
    return str(error["msg"])
