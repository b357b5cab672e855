"""
Write graphsvc's model registry from the aspect schemas that acryl-datahub ships.

Run by `make registry`, with the interpreter of the environment in which acryl-datahub is installed:

    python scripts/build_registry.py graphsvc/graph/registry graphsvc/ingest/schemas

Reads `datahub/metadata/schemas/*.avsc` (one Avro schema an aspect, with DataHub's annotations kept on its records and
fields) and writes three files, one line an entry, so that a new version of the model shows as a readable diff:

    entities.json  entity type -> key aspect, key fields, category, allowed aspects
    aspects.json   aspect -> record, timeseries or versioned, relationships, searchable fields
    records.json   record -> fields with their types, for checking values

and, to a second folder, the Avro schemas of the records that graphsvc puts on Kafka, without documentation and
annotations: what is in `KAFKA_RECORDS`, and `FailedMetadataChangeProposal`, which the package does not hold.

An annotation is either on a field (one object) or a map from relative paths to objects, where `*` stands for "each
item". Where an outer field annotates a path into a nested record, the nested record's own annotation of that path does
not count.
"""

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Found = dict[tuple[str, str], Json]

KEPT = {
    "Relationship": (
        "name",
        "entityTypes",
        "isLineage",
        "isUpstream",
        "createdOn",
        "createdActor",
        "updatedOn",
        "updatedActor",
        "properties",
        "via",
    ),
    "Searchable": (
        "fieldName",
        "fieldType",
        "boostScore",
        "enableAutocomplete",
        "queryByDefault",
        "fieldNameAliases",
    ),
}

KAFKA_RECORDS = ("MetadataChangeProposal", "MetadataChangeLog", "PlatformEvent")
# What a reader of Avro data goes by.
AVRO_KEYS = ("type", "name", "namespace", "default", "aliases", "fields", "items", "values", "symbols", "size")


def schema_folder() -> Path:
    spec = find_spec("datahub")
    if spec is None or spec.origin is None:
        sys.exit("acryl-datahub is not installed in this environment; `make registry` sets it up")
    return Path(spec.origin).parent / "metadata" / "schemas"


def wire_name(full_name: str) -> str:
    """The name that stands in JSON: DataHub's clients drop the `pegasus2avro` part."""
    return full_name.replace(".pegasus2avro.", ".")


def full_name(schema: Json, namespace: str) -> str:
    name = schema["name"]
    if "." in name:
        return str(name)
    space = schema.get("namespace", namespace)
    return f"{space}.{name}" if space else str(name)


class Schemas:
    """One file's named types, and what its records say."""

    def __init__(self, root: Json) -> None:
        self.named: dict[str, Json] = {}
        self._collect(root, "")

    def _collect(self, schema: Any, namespace: str) -> None:
        if isinstance(schema, list):
            for member in schema:
                self._collect(member, namespace)
        elif isinstance(schema, dict):
            kind = schema["type"]
            if kind in ("record", "enum", "fixed"):
                name = full_name(schema, namespace)
                schema["__name__"] = name
                self.named[name] = schema
                namespace = name.rpartition(".")[0]
                for field in schema.get("fields", ()):
                    field["__namespace__"] = namespace
                    self._collect(field["type"], namespace)
            elif kind == "array":
                self._collect(schema["items"], namespace)
            elif kind == "map":
                self._collect(schema["values"], namespace)
            else:
                self._collect(kind, namespace)

    def resolve(self, schema: Any, namespace: str) -> Any:
        if isinstance(schema, str):
            return self.named.get(schema) or self.named.get(f"{namespace}.{schema}") or schema
        if isinstance(schema, dict) and isinstance(schema["type"], dict | list):
            return schema["type"]
        return schema

    def annotations(self, record: Json) -> Found:
        """All annotations by (kind, path), nested ones included, the outermost winning."""
        found: Found = {}
        self._walk(record, (), (), found)
        return found

    def _walk(self, record: Json, path: tuple[str, ...], within: tuple[str, ...], found: Found) -> None:
        if record["__name__"] in within:
            return
        within = (*within, record["__name__"])
        for field in record["fields"]:
            here = (*path, field["name"])
            for kind in KEPT:
                for relative, annotation in spread(field.get(kind)):
                    said = {**annotation, "optional": "null" in field["type"]} if not relative else annotation
                    found.setdefault((kind, "/".join((*here, *relative))), said)
            self._descend(field["type"], field["__namespace__"], here, within, found)

    def _descend(
        self, schema: Any, namespace: str, path: tuple[str, ...], within: tuple[str, ...], found: Found
    ) -> None:
        schema = self.resolve(schema, namespace)
        if isinstance(schema, list):
            members = [member for member in schema if member != "null"]
            for member in members:
                named = self.resolve(member, namespace)
                key = (
                    (wire_name(named["__name__"]),)
                    if len(members) > 1 and isinstance(named, dict) and "__name__" in named
                    else ()
                )
                self._descend(member, namespace, (*path, *key), within, found)
        elif isinstance(schema, dict):
            if schema["type"] == "record":
                self._walk(schema, path, within, found)
            elif schema["type"] == "array":
                self._descend(schema["items"], namespace, (*path, "*"), within, found)
            elif schema["type"] == "map":
                self._descend(schema["values"], namespace, (*path, "*"), within, found)

    def type_of(self, schema: Any, namespace: str) -> Any:
        """
        A type in the registry's short form.

        Primitives and enums are strings ("string", "long", "enum"); a record is "@" and its wire name; `["array", T]`,
        `["map", T]`; `{"member": T}` is a union, on the wire an object with one of these keys. A union with null alone
        is an optional field.
        """
        schema = self.resolve(schema, namespace)
        if isinstance(schema, list):
            members = [member for member in schema if member != "null"]
            if len(members) == 1 and "null" in schema:
                return self.type_of(members[0], namespace)
            return {self._member_name(m, namespace): self.type_of(m, namespace) for m in members}
        if isinstance(schema, str):
            return schema
        if schema["type"] == "record":
            return "@" + wire_name(schema["__name__"])
        if schema["type"] == "array":
            return ["array", self.type_of(schema["items"], namespace)]
        if schema["type"] == "map":
            return ["map", self.type_of(schema["values"], namespace)]
        return schema["type"]

    def _member_name(self, member: Any, namespace: str) -> str:
        named = self.resolve(member, namespace)
        if isinstance(named, dict):
            return wire_name(named["__name__"]) if "__name__" in named else str(named["type"])
        return str(named)

    def records(self) -> Iterator[tuple[str, Json]]:
        for name, schema in self.named.items():
            if schema["type"] == "record":
                fields = {f["name"]: self.type_of(f["type"], f["__namespace__"]) for f in schema["fields"]}
                yield wire_name(name), fields


def spread(annotation: Json | None) -> Iterator[tuple[tuple[str, ...], Json]]:
    """One annotation as (relative path, annotation) pairs; its own value's path is empty."""
    if not annotation:
        return
    if all(key.startswith("/") for key in annotation):
        for relative, inner in annotation.items():
            if inner:
                yield tuple(relative.strip("/").split("/")), inner
    else:
        yield (), annotation


def kept(kind: str, path: str, annotation: Json) -> Json:
    entry: Json = {"path": path}
    entry.update({key: annotation[key] for key in KEPT[kind] if annotation.get(key) is not None})
    if kind == "Relationship" and annotation.get("optional"):
        entry["optional"] = True
    if kind == "Relationship" and entry.get("isLineage"):
        entry.setdefault("isUpstream", True)
    return entry


def build(folder: Path) -> tuple[Json, Json, Json]:
    entities: Json = {}
    aspects: Json = {}
    records: Json = {}
    for file in sorted(folder.glob("*.avsc")):
        root = json.loads(file.read_text())
        if "Aspect" not in root:
            continue
        schemas = Schemas(root)
        about = root["Aspect"]
        found = schemas.annotations(root)
        aspects[about["name"]] = {
            "record": wire_name(root["__name__"]),
            **({"timeseries": True} if about.get("type") == "timeseries" else {}),
            **({"keyFor": about["keyForEntity"]} if "keyForEntity" in about else {}),
            "relationships": [kept(kind, path, a) for (kind, path), a in found.items() if kind == "Relationship"],
            "searchable": [kept(kind, path, a) for (kind, path), a in found.items() if kind == "Searchable"],
        }
        if "keyForEntity" in about:
            entities[about["keyForEntity"]] = {
                "keyAspect": about["name"],
                "keyFields": [field["name"] for field in root["fields"]],
                "category": about.get("entityCategory", "core"),
                "aspects": about.get("entityAspects", []),
            }
        records.update(schemas.records())
    return entities, aspects, records


def lines(entries: Json) -> str:
    rows = (f"{json.dumps(name)}: {json.dumps(entries[name], separators=(', ', ': '))}" for name in sorted(entries))
    return "{\n" + ",\n".join(rows) + "\n}\n"


def bare(schema: Any) -> Any:
    """An Avro schema with nothing in it but what readers go by."""
    if isinstance(schema, list):
        return [bare(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    plain = ("default", "name", "namespace", "aliases", "symbols", "size")
    return {k: schema[k] if k in plain else bare(schema[k]) for k in AVRO_KEYS if k in schema}


def dead_letter(proposal: Json) -> Json:
    """
    DataHub's FailedMetadataChangeProposal, and behind it what is needed to send the record again.

    `metadataChangeProposal` brings the definition of KafkaAuditHeader with it, so it is first written in `auditHeader`.
    """
    audit, *fields = proposal["fields"]
    header = next(member["name"] for member in audit["type"] if member != "null")
    space = next(member["namespace"] for member in audit["type"] if member != "null")
    inner = {**proposal, "fields": [{**audit, "type": ["null", f"{space}.{header}"]}, *fields]}
    text = {"type": "string", "default": ""}
    return {
        "type": "record",
        "name": "FailedMetadataChangeProposal",
        "namespace": proposal["namespace"],
        "fields": [
            audit,
            {"name": "metadataChangeProposal", "type": inner},
            {"name": "error", "type": "string"},
            {"name": "errorType", **text},
            {"name": "topic", **text},
            {"name": "partition", "type": "int", "default": -1},
            {"name": "offset", "type": "long", "default": -1},
            {"name": "key", "type": ["null", "bytes"], "default": None},
            {"name": "original", "type": ["null", "bytes"], "default": None},
        ],
    }


def kafka_schemas(folder: Path) -> Json:
    found = {name: bare(json.loads((folder / f"{name}.avsc").read_text())) for name in KAFKA_RECORDS}
    return found | {"FailedMetadataChangeProposal": dead_letter(found["MetadataChangeProposal"])}


def main(target: Path, schemas: Path) -> None:
    for name, entries in zip(("entities", "aspects", "records"), build(schema_folder()), strict=True):
        (target / f"{name}.json").write_text(lines(entries))
        print(f"{name}: {len(entries)}")
    for name, schema in kafka_schemas(schema_folder()).items():
        (schemas / f"{name}.avsc").write_text(json.dumps(schema, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
