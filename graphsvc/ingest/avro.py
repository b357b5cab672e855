"""Records on Kafka: Avro in Confluent's frame, or plain JSON, to proposals; and dicts to Avro for what goes out."""

import struct
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, Protocol

import fastavro
import orjson

from graphsvc.errors import SchemaNotFound, Undecodable
from graphsvc.graph.registry import Registry
from graphsvc.ingest.avro_json import bare
from graphsvc.ingest.avro_log import change_writer
from graphsvc.ingest.avro_proposal import ProposalReader, proposal_reader
from graphsvc.ingest.avro_schema import wire_schema
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.snapshot import Item, decode_proposal, proposals_of_entity, proposals_of_file

PROPOSAL_RECORD = "MetadataChangeProposal"
EVENT_RECORD = "MetadataChangeEvent"
CHANGE_RECORD = "MetadataChangeLog"
# Magic byte 0, then the schema's id.
FRAME = struct.Struct(">bI")
_JSON_STARTS = b"{[ \t\r\n"


class Schemas(Protocol):
    """A schema registry: graphsvc's own (`GraphSchemas`) or another (`ExternalSchemas`)."""

    async def register(self, subject: str, text: str) -> int:
        """The schema's id, after it has become a version of the subject; BadSchema, Unavailable."""
        ...

    async def schema(self, schema_id: int, /) -> str:
        """The text of a schema; SchemaNotFound, Unavailable."""
        ...


class Codec:
    """
    Decodes what comes from Kafka, and encodes what goes there.

    Schemas are fetched and parsed once per process; their ids never change their meaning.

    Args:
        schemas: Where schemas are found by id, and ours are registered.
        registry: Knows which aspect a record in a snapshot is.
    """

    def __init__(self, schemas: Schemas, registry: Registry) -> None:
        self._schemas = schemas
        self._registry = registry
        self._readers: dict[int, tuple[str, Any] | Undecodable] = {}
        self._proposal_readers: dict[int, ProposalReader] = {}
        self._unknown: set[int] = set()
        self._writers: dict[tuple[str, str], Callable[[Mapping[str, Any]], bytes]] = {}

    async def prepare(self, values: Iterable[bytes | None]) -> None:
        """
        Fetch the schemas of records that `items` or `record` will be asked to decode.

        Raises:
            Unavailable: The schema registry is away: StoreUnavailable, or BrokerUnavailable where it is a foreign one.
        """
        wanted = {
            FRAME.unpack_from(value)[1] for value in values if value and not value[0] and len(value) >= FRAME.size
        }
        self._unknown.clear()
        for schema_id in wanted - self._readers.keys():
            try:
                text = await self._schemas.schema(schema_id)
            except SchemaNotFound:
                self._unknown.add(schema_id)
                continue
            try:
                name, schema = self._readers[schema_id] = wire_schema(text)
            except Undecodable as error:
                self._readers[schema_id] = error
                continue
            if name == PROPOSAL_RECORD and (reader := proposal_reader(schema)):
                self._proposal_readers[schema_id] = reader

    def items(self, value: bytes | None, *, event: bool) -> list[Item]:
        """
        The proposals in one record.

        Args:
            value: The record's value. Its schema has been prepared.
            event: It comes from the topic of MCEs (snapshots of several aspects), not from that of MCPs.

        Returns:
            One proposal per MCP and one per aspect of an MCE, or why they are none: Undecodable where the record as a
            whole is at fault. Unions and names in values are as on the REST wire; what is null is left out.
        """
        try:
            if value and value[0] in _JSON_STARTS:
                return self._of_json(value, event=event)
            if not event and (proposal := self._plain_proposal(value)):
                return [proposal]
            name, raw = self._decode(value)
            wanted = EVENT_RECORD if event else PROPOSAL_RECORD
            if name != wanted:
                return [Undecodable(f"a {name} stands where a {wanted} belongs")]
            return self._of_event(raw) if event else [_of_proposal(raw)]
        except Undecodable as error:
            return [error]
        except RecursionError:
            return [Undecodable("the record nests too deep")]

    def record(self, value: bytes | None) -> dict[str, Any]:
        """
        One record of whatever kind, e.g. a dead letter or a record of the change log. Its schema has been prepared.

        Raises:
            Undecodable: It does not decode.
        """
        return self._decode(value)[1]

    async def encode(self, topic: str, record: str, value: Mapping[str, Any]) -> bytes:
        """
        A record's value in Confluent's frame, under the subject `<topic>-value`.

        Args:
            topic: Where it goes.
            record: `MetadataChangeProposal`, `MetadataChangeLog`, `PlatformEvent` or `FailedMetadataChangeProposal`.
                Its schema is registered at the first use.
            value: Its fields by name; those with a default may be left out. For `MetadataChangeLog` a record of the
                outbox (docs/graph-model.md).

        Raises:
            Unavailable: The schema registry is away: StoreUnavailable, or BrokerUnavailable where it is a foreign one.
            BadSchema: A foreign registry refuses our schema.
        """
        writer = self._writers.get((topic, record))
        if writer is None:
            schema_id = await self._schemas.register(f"{topic}-value", schema_text(record))
            writer = self._writers[topic, record] = _writer(schema_id, record)
        return writer(value)

    def _plain_proposal(self, value: bytes | None) -> Proposal | None:
        if value is None or len(value) < FRAME.size:
            return None
        magic, schema_id = FRAME.unpack_from(value)
        reader = None if magic else self._proposal_readers.get(schema_id)
        return reader.read(value, FRAME.size) if reader else None

    def _decode(self, value: bytes | None) -> tuple[str, dict[str, Any]]:
        if value is None:
            raise Undecodable("the record has no value (a tombstone); to delete an aspect, send changeType DELETE")
        if len(value) < FRAME.size:
            raise Undecodable(f"the record has {len(value)} bytes; Avro comes with Confluent's 5 in front")
        magic, schema_id = FRAME.unpack_from(value)
        if magic:
            raise Undecodable(f"the record starts with byte {value[0]}: neither Confluent's 0 nor JSON")
        reader = self._readers.get(schema_id)
        if reader is None:
            raise Undecodable(
                f"the schema registry has no schema {schema_id}"
                if schema_id in self._unknown
                else f"schema {schema_id} was not prepared"
            )
        if isinstance(reader, Undecodable):
            raise Undecodable(f"schema {schema_id}: {reader}")
        name, schema = reader
        source = BytesIO(value)
        source.seek(FRAME.size)
        try:
            raw = fastavro.schemaless_reader(source, schema, None)
        # fastavro raises whatever its code runs into in bytes that are not Avro.
        except (EOFError, ValueError, LookupError, TypeError, OverflowError, MemoryError) as exc:
            raise Undecodable(f"not Avro of schema {schema_id}: {type(exc).__name__}: {str(exc)[:200]}") from exc
        if left := len(value) - source.tell():
            raise Undecodable(f"not Avro of schema {schema_id}: {left} bytes are left over")
        assert isinstance(raw, dict)  # noqa: S101  the schema is a record's
        return name, raw

    def _of_json(self, value: bytes, *, event: bool) -> list[Item]:
        try:
            raw = orjson.loads(value)
        except orjson.JSONDecodeError as exc:
            raise Undecodable(f"not well-formed JSON: {exc}") from exc
        if isinstance(raw, list):
            raise Undecodable("a JSON list; send each proposal as a record of its own, so that order and keys hold")
        return proposals_of_file(raw, self._registry) if event else [decode_proposal(raw)]

    def _of_event(self, raw: dict[str, Any]) -> list[Item]:
        system = raw.get("systemMetadata")
        return proposals_of_entity(
            {"value": bare(raw.get("proposedSnapshot"))}, system and bare(system), self._registry
        )


def _of_proposal(raw: dict[str, Any]) -> Item:
    if system := raw.get("systemMetadata"):
        raw["systemMetadata"] = bare(system)
    return decode_proposal(raw)


@cache
def schema_text(record: str) -> str:
    """The schema under which we write a kind of record, as JSON (`scripts/build_registry.py` makes the files)."""
    return (files("graphsvc.ingest") / "schemas" / f"{record}.avsc").read_text(encoding="utf-8")


def _writer(schema_id: int, record: str) -> Callable[[Mapping[str, Any]], bytes]:
    frame = FRAME.pack(0, schema_id)
    schema = orjson.loads(schema_text(record))
    if record == CHANGE_RECORD:
        write_change = change_writer(schema)
        return lambda value: frame + write_change(value)
    parsed = fastavro.parse_schema(schema, named_schemas={})

    def write(value: Mapping[str, Any]) -> bytes:
        target = BytesIO()
        target.write(frame)
        fastavro.schemaless_writer(target, parsed, value)
        return target.getvalue()

    return write
