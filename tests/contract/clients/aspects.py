"""
Every aspect class that DataHub's package has, emitted with as little and with as much in it as its schema allows, and
read back.

usage   aspects.py <server>
prints  {"aspects": n, "points": n, "unplaced": [aspect], "refused": [message],
         "different": [[aspect, full, sent, found]]}
"""

import json
import sys

from datahub.configuration.common import OperationalError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.rest_emitter import DatahubRestEmitter
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.metadata.schema_classes import ASPECT_NAME_MAP, KEY_ASPECTS

TIME = 1_700_000_000_000
DEPTH = 12
NUMBERS = {"int": 7, "long": TIME, "float": 0.5, "double": 1.5}
URNS = {
    "DatasetUrn": "urn:li:dataset:(urn:li:dataPlatform:contract,target,PROD)",
    "SchemaFieldUrn": "urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:contract,target,PROD),id)",
    "DataJobUrn": "urn:li:dataJob:(urn:li:dataFlow:(airflow,target,PROD),load)",
    "DataFlowUrn": "urn:li:dataFlow:(airflow,target,PROD)",
    "DataPlatformUrn": "urn:li:dataPlatform:contract",
    "TagUrn": "urn:li:tag:target",
    "Urn": "urn:li:corpuser:target",
}


class Filling:
    """Values for Avro schemas: `full` fills every optional field, every list and every map; else none is filled."""

    def __init__(self, name, *, full):
        self.name = name
        self.full = full

    def record(self, schema, depth=0):
        found = {}
        for field in schema.fields:
            if not self.full and field.has_default:
                continue
            found[field.name] = self.value(field.type, field, depth + 1)
        if "fieldDiscriminator" in found:  # a union whose members have names: one of them, and which
            return {"costId": 1.5, "costCode": None, "fieldDiscriminator": "costId"}
        return found

    def value(self, schema, field, depth):
        kind = schema.type
        if kind in ("union", "error_union"):
            return self.union(schema, field, depth)
        if kind == "record":
            return self.record(schema, depth)
        if kind == "array":
            return [self.item(schema.items, field, depth)] if self.full and depth < DEPTH else []
        if kind == "map":
            return {"clé": self.value(schema.values, field, depth)} if self.full and depth < DEPTH else {}
        if kind == "enum":
            return schema.symbols[-1 if self.full else 0]
        return self.primitive(kind, schema, field)

    def item(self, schema, field, depth):
        """In a list, a union's member is always named."""
        return (
            self.union(schema, field, depth, named=True) if schema.type == "union" else self.value(schema, field, depth)
        )

    def union(self, schema, field, depth, *, named=False):
        members = [member for member in schema.schemas if member.type != "null"]
        if len(members) < len(schema.schemas) and (not self.full or depth >= DEPTH):
            return None
        member = members[-1 if self.full else 0]
        value = self.value(member, field, depth)
        return {getattr(member, "fullname", member.type): value} if named or len(members) > 1 else value

    def primitive(self, kind, schema, field):
        if kind == "string":
            urn = self.urn(schema, field)
            return f"{self.name} “{field.name}”" if urn is None else urn
        if kind == "boolean":
            return self.full
        return {"bytes": "bytes", "null": None, **NUMBERS}[kind]

    def urn(self, schema, field):
        """Where the model wants a URN, one of the wanted kind."""
        wanted = schema.props.get("Urn") or field.props.get("Urn")
        if wanted is None and field.props.get("Relationship") is None:
            return None
        return URNS.get(wanted, URNS["Urn"])


def key_of(entity, name):
    """URN and key aspect of an entity of this type."""
    cls = KEY_ASPECTS[entity]
    filling = Filling(name, full=True)
    values = {}
    for field in cls.RECORD_SCHEMA.fields:
        value = filling.value(field.type, field, DEPTH - 1)
        values[field.name] = name if isinstance(value, str) and "“" in value else value
    parts = [str(value) for value in values.values()]
    text = parts[0] if len(parts) == 1 else f"({','.join(parts)})"
    return f"urn:li:{entity}:{text}", cls.from_obj(values)


def instances(homes, *, full):
    """(urn, aspect) for every aspect that some entity type allows."""
    filling = "full" if full else "plain"
    for name, cls in sorted(ASPECT_NAME_MAP.items()):
        if name not in homes:
            continue
        urn, key = key_of(homes[name], f"{filling}.{name}")
        if cls is type(key):
            yield urn, key
        else:
            yield urn, cls.from_obj(Filling(filling, full=full).record(cls.RECORD_SCHEMA))


def emit(emitter, proposals, size=100):
    """Send them all; what the service says of those it refused."""
    refused = []
    for start in range(0, len(proposals), size):
        try:
            emitter.emit_mcps(proposals[start : start + size])
        except OperationalError as error:
            refused.append(error.message)
    return refused


def main(server):
    homes = {}
    for entity, cls in sorted(KEY_ASPECTS.items()):
        for name in (cls.ASPECT_NAME, *cls.ASPECT_INFO["entityAspects"]):
            homes.setdefault(name, entity)
    refused, different, aspects, points = [], [], 0, 0
    with DatahubRestEmitter(server) as emitter, DataHubGraph(DatahubClientConfig(server=server)) as graph:
        for full in (False, True):
            sent = list(instances(homes, full=full))
            refused += emit(
                emitter, [MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect) for urn, aspect in sent]
            )
            for urn, aspect in sent:
                if aspect.ASPECT_TYPE == "timeseries":
                    points += 1
                    found = graph.get_latest_timeseries_value(urn, type(aspect), {})
                else:
                    aspects += 1
                    found = graph.get_aspect(urn, type(aspect))
                if found is None or found.to_obj() != aspect.to_obj():
                    different.append([aspect.ASPECT_NAME, full, aspect.to_obj(), found and found.to_obj()])
    unplaced = sorted(ASPECT_NAME_MAP.keys() - homes.keys())
    counts = {"aspects": aspects, "points": points, "unplaced": unplaced}
    json.dump({**counts, "refused": refused, "different": different}, sys.stdout)


main(sys.argv[1])
