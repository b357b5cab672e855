"""The schema registry's store: Avro schemas by id, and the versions of its subjects."""

import asyncio
import hashlib
from typing import Any, Literal, LiteralString, NamedTuple

import fastavro
import orjson
from fastavro.schema import SchemaParseException
from neo4j import READ_ACCESS, AsyncDriver, AsyncManagedTransaction

from graphsvc.errors import BadSchema, IncompatibleSchema, SchemaNotFound
from graphsvc.graph.compatibility import Level, problems
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


class _State(NamedTuple):
    """A subject at a moment: its level, and its versions as the query brings them, rising."""

    level: Level
    rows: list[dict[str, Any]]

    @property
    def texts(self) -> dict[int, str]:
        """Version -> schema, rising."""
        return {row["version"]: row["text"] for row in self.rows}


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

        Args:
            subject: Its name, at most SUBJECT_LENGTH characters.
            text: The schema as JSON, at most SCHEMA_BYTES.

        Returns:
            The schema's id.

        Raises:
            BadSchema: It is no Avro schema, or too large; or the subject has no name, or one that is too long.
            IncompatibleSchema: The subject's level does not let it follow the older ones.
        """
        check_name(subject)
        mark = await asyncio.to_thread(fingerprint, text)
        while True:  # until nobody registers in between
            state = await self._state(subject)
            for row in state.rows:
                if row["fingerprint"] == mark:
                    return int(row["id"])
            found = await asyncio.to_thread(problems, state.level, text, state.texts)
            if found:
                raise IncompatibleSchema(
                    f"the schema does not go with older ones of subject '{subject}', as its compatibility level asks: "
                    + " ".join(found)
                )
            if registered := await self._register(subject, mark, text, state):
                return registered

    async def level(self, subject: str | None = None, *, own: bool = False) -> Level:
        """
        What new versions have to be to older ones; NONE where nobody has set it.

        Args:
            subject: None for the general level. A subject need not be there.
            own: The subject's own level is meant, not the one that holds.

        Raises:
            SchemaNotFound: It has none of its own, though it is meant.
        """
        (row,) = await self._read(query("read/schema_levels"), subject=subject or "")
        if own and row["own"] is None:
            raise SchemaNotFound(f"Subject '{subject}' does not have subject-level compatibility configured", 40408)
        return _level(row)

    async def set_level(self, subject: str | None, level: Level | None) -> None:
        """
        Say what new versions have to be from now on.

        Args:
            subject: None for all that have no level of their own.
            level: None to give a subject the general level again.

        Raises:
            BadSchema: The subject has no name, or one that is too long.
        """
        word = None if level is None else level.value

        async def write(tx: AsyncManagedTransaction) -> None:
            if subject is None:
                await tx.run(query("write/set_general_level"), level=word)
            else:
                await tx.run(query("write/set_subject_level"), subject=subject, level=word)

        if subject is not None:
            check_name(subject)
        with store_errors():
            async with self._driver.session(database=self._database) as session:
                await session.execute_write(write)

    async def problems(self, subject: str, text: str, version: int | Literal["latest"] | None) -> list[str]:
        """
        What keeps a schema from becoming the subject's newest, under its level; it is not stored.

        Args:
            subject: Its name; one that is not there takes any schema.
            text: The schema as JSON.
            version: The only one to compare with; None for those that the level names.

        Raises:
            BadSchema: It is no Avro schema, or too large.
            SchemaNotFound: There is no such version.
        """
        await asyncio.to_thread(fingerprint, text)
        state = await self._state(subject)
        texts = state.texts
        if version is not None and not (version == "latest" and not texts):
            found = await self.version(subject, version)
            texts = {found.version: found.text}
        return await asyncio.to_thread(problems, state.level, text, texts)

    async def _state(self, subject: str) -> "_State":
        async def read(tx: AsyncManagedTransaction) -> _State:
            return await _state_in(tx, subject)

        with store_errors():
            async with self._driver.session(database=self._database, default_access_mode=READ_ACCESS) as session:
                return await session.execute_read(read)

    async def _register(self, subject: str, mark: str, text: str, checked: "_State") -> int | None:
        """The schema's id; None if the subject is not as it was when the schema was compared."""

        async def write(tx: AsyncManagedTransaction) -> int | None:
            await tx.run(query("write/lock_schemas"))
            if await _state_in(tx, subject) != checked:
                return None
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


def check_name(subject: str) -> None:
    """Raise BadSchema if a subject cannot be called so."""
    if not 0 < len(subject) <= SUBJECT_LENGTH:
        raise BadSchema(f"a subject's name has 1 to {SUBJECT_LENGTH} characters")


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


def _level(row: dict[str, Any]) -> Level:
    return Level(row["own"] or row["general"] or Level.NONE)


async def _state_in(tx: AsyncManagedTransaction, subject: str) -> _State:
    levels = await (await tx.run(query("read/schema_levels"), subject=subject)).data()
    return _State(_level(levels[0]), await (await tx.run(query("read/schema_versions"), subject=subject)).data())
