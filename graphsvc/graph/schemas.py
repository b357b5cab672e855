"""The schema registry's store: Avro schemas by id, and the versions of its subjects."""

import asyncio
import hashlib
from typing import Any, Literal, LiteralString, NamedTuple

import fastavro
import orjson
from fastavro.schema import SchemaParseException
from neo4j import READ_ACCESS, AsyncDriver, AsyncManagedTransaction

from graphsvc.errors import BadSchema, SchemaNotFound
from graphsvc.graph.driver import store_errors
from graphsvc.graph.queries import query

SCHEMA_BYTES = 2 * 1024 * 1024
SUBJECT_LENGTH = 1_000
# Ids and versions are 32 bits wide on the wire; beyond them Neo4j has no integer to compare with either.
LAST_NUMBER = 2**31 - 1


class SubjectVersion(NamedTuple):
    """
    One version of a subject.

    Attributes:
        subject: Its name.
        version: 1, 2, 3 …
        id: The schema's id.
        text: The schema.
    """

    subject: str
    version: int
    id: int
    text: str


class GraphSchemas:
    """
    Schemas in Neo4j, for all replicas.

    Ids count from 1 and never change. A schema keeps its id under every subject; schemas are the same if their JSON is,
    whatever its white space and the order of its keys. Nothing is ever deleted.

    Every method raises StoreUnavailable when Neo4j is away.
    """

    def __init__(self, driver: AsyncDriver, database: str) -> None:
        self._driver = driver
        self._database = database

    async def register(self, subject: str, text: str) -> int:
        """
        Make a schema the subject's newest version, unless it is one of its versions already.

        Whether readers of the older versions can read the new one is not looked at.

        Args:
            subject: Its name, at most SUBJECT_LENGTH characters.
            text: The schema as JSON, at most SCHEMA_BYTES.

        Returns:
            The schema's id.

        Raises:
            BadSchema: It is no Avro schema, or too large; or the subject has no name, or one that is too long.
        """
        if not 0 < len(subject) <= SUBJECT_LENGTH:
            raise BadSchema(f"a subject's name has 1 to {SUBJECT_LENGTH} characters")
        mark = await asyncio.to_thread(fingerprint, text)
        if known := await self._same(subject, mark):
            return known.id

        async def write(tx: AsyncManagedTransaction) -> int:
            found = await tx.run(query("write/register_schema"), subject=subject, fingerprint=mark, text=text)
            return int((await found.single(strict=True))["id"])

        with store_errors():
            async with self._driver.session(database=self._database) as session:
                return await session.execute_write(write)

    async def schema(self, schema_id: int) -> str:
        """
        The text of a schema.

        Raises:
            SchemaNotFound: There is none with this id.
        """
        if 0 < schema_id <= LAST_NUMBER:
            for row in await self._read(query("read/schema_by_id"), id=schema_id):
                return str(row["text"])
        raise SchemaNotFound(f"Schema {schema_id} not found.", 40403)

    async def uses(self, schema_id: int) -> list[tuple[str, int]]:
        """
        The subjects and versions that have this schema, sorted.

        Raises:
            SchemaNotFound: There is no schema with this id.
        """
        await self.schema(schema_id)
        rows = await self._read(query("read/schema_uses"), id=schema_id)
        return [(row["subject"], row["version"]) for row in rows]

    async def subjects(self) -> list[str]:
        """All subjects, sorted."""
        return [row["subject"] for row in await self._read(query("read/schema_subjects"))]

    async def versions(self, subject: str) -> list[int]:
        """
        Numbers of the subject's versions, rising.

        Raises:
            SchemaNotFound: There is no such subject.
        """
        return [row["version"] for row in await self._rows(subject)]

    async def version(self, subject: str, version: int | Literal["latest"]) -> SubjectVersion:
        """
        One version of a subject.

        Raises:
            SchemaNotFound: There is no such subject, or it has no such version.
        """
        rows = await self._rows(subject)
        for row in reversed(rows):
            if version in ("latest", row["version"]):
                return _version(subject, row)
        raise SchemaNotFound(f"Version {version} not found.", 40402)

    async def look_up(self, subject: str, text: str) -> SubjectVersion:
        """
        The version of the subject that is this schema.

        Raises:
            BadSchema: It is no Avro schema.
            SchemaNotFound: There is no such subject, or no version of it is this schema.
        """
        found = await self._same(subject, await asyncio.to_thread(fingerprint, text))
        if found is None:
            await self._rows(subject)
            raise SchemaNotFound("Schema not found.", 40403)
        return found

    async def _same(self, subject: str, mark: str) -> SubjectVersion | None:
        rows = await self._read(query("read/schema_versions"), subject=subject)
        return next((_version(subject, row) for row in rows if row["fingerprint"] == mark), None)

    async def _rows(self, subject: str) -> list[dict[str, Any]]:
        rows = await self._read(query("read/schema_versions"), subject=subject)
        if not rows:
            raise SchemaNotFound(f"Subject '{subject}' not found.", 40401)
        return rows

    async def _read(self, text: LiteralString, **params: Any) -> list[dict[str, Any]]:
        async def read(tx: AsyncManagedTransaction) -> list[dict[str, Any]]:
            return await (await tx.run(text, params)).data()

        with store_errors():
            async with self._driver.session(database=self._database, default_access_mode=READ_ACCESS) as session:
                return await session.execute_read(read)


def fingerprint(text: str) -> str:
    """
    What two texts of the same schema have in common: sha256 of its JSON, spelt one way.

    Unlike Avro's parsing canonical form this keeps defaults, which readers need, and doc strings.

    Raises:
        BadSchema: It is no Avro schema, or too large.
    """
    try:
        data = text.encode()
        if len(data) > SCHEMA_BYTES:
            raise BadSchema(f"the schema has {len(data)} bytes; the limit is {SCHEMA_BYTES}")
        schema = orjson.loads(data)
        fastavro.parse_schema(schema, named_schemas={})
        return hashlib.sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).hexdigest()
    # fastavro raises whatever its code runs into in a schema that is none.
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        SchemaParseException,
    ) as exc:
        raise BadSchema(f"Invalid schema: {type(exc).__name__}: {str(exc)[:300]}") from exc


def _version(subject: str, row: dict[str, Any]) -> SubjectVersion:
    return SubjectVersion(subject, row["version"], row["id"], row["text"])
