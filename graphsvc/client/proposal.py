"""One change to one aspect of one entity, and its form on the wire (DataHub's MetadataChangeProposal)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import orjson

ChangeType = Literal["UPSERT", "CREATE", "CREATE_ENTITY", "UPDATE", "DELETE", "PATCH", "RESTATE"]
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    One change to one aspect of one entity.

    Raises:
        ValueError: The URN does not begin with `urn:li:<type>:`, or there is no such change type.
    """

    urn: str
    aspect: str
    """Name of the aspect, e.g. `datasetProperties`."""
    value: Mapping[str, Any] | Sequence[Any] | None = None
    """The aspect's value in DataHub's JSON; for PATCH the JSON patch. None only where none is needed: DELETE."""
    change_type: ChangeType = "UPSERT"
    system_metadata: Mapping[str, Any] | None = None
    """`{"runId": …, "lastObserved": <ms since 1970>, …}`; the server fills what is missing."""
    headers: Mapping[str, str] | None = None
    """Preconditions such as `{"If-Version-Match": "3"}`."""

    def __post_init__(self) -> None:
        parts = self.urn.split(":", 3)
        if len(parts) != 4 or parts[:2] != ["urn", "li"] or not parts[2] or not parts[3]:
            raise ValueError(f"not a URN of the form urn:li:<type>:<key>: {self.urn[:200]!r}")
        if self.change_type not in get_args(ChangeType):
            raise ValueError(f"no change type {self.change_type!r}; there are {', '.join(get_args(ChangeType))}")

    @property
    def entity_type(self) -> str:
        """The type that the URN names, e.g. `dataset`."""
        return self.urn.split(":", 3)[2]

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """
        The proposal in a plain dict, as files and other clients hold it.

        Args:
            raw: `{"entityUrn", "aspectName", "aspect": {"json": …} or {"value": "<JSON text>"}, "changeType",
                "systemMetadata", "headers"}`; the first two are needed.

        Raises:
            ValueError: One of them is missing, `aspect.value` is not JSON, or as for the class itself.
        """
        if missing := [key for key in ("entityUrn", "aspectName") if not isinstance(raw.get(key), str)]:
            raise ValueError(f"a proposal needs {' and '.join(missing)}, as text")
        aspect = raw.get("aspect") or {}
        value = orjson.loads(aspect["value"]) if aspect.get("value") is not None else aspect.get("json")
        return cls(
            raw["entityUrn"],
            raw["aspectName"],
            value,
            raw.get("changeType") or "UPSERT",
            raw.get("systemMetadata"),
            raw.get("headers"),
        )

    def record(self) -> dict[str, Any]:
        """
        The proposal as the fields of DataHub's Avro record; `aspect.value` is JSON text in UTF-8 bytes.

        Raises:
            TypeError: The value holds what JSON cannot say.
        """
        kind = JSON_PATCH if self.change_type == "PATCH" else JSON
        return {
            "entityType": self.entity_type,
            "entityUrn": self.urn,
            "changeType": self.change_type,
            "aspectName": self.aspect,
            "aspect": None if self.value is None else {"value": orjson.dumps(self.value), "contentType": kind},
            "systemMetadata": self.system_metadata,
            "headers": self.headers,
        }

    def wire(self) -> bytes:
        """
        The proposal as DataHub's REST clients write it: a JSON object in which `aspect.value` is JSON text.

        Raises:
            TypeError: The value, the system metadata or the headers hold what JSON cannot say.
        """
        record = {key: value for key, value in self.record().items() if value is not None}
        if "aspect" in record:
            record["aspect"] = {**record["aspect"], "value": record["aspect"]["value"].decode()}
        return orjson.dumps(record)
