"""A schema registry that is not graphsvc's own, through Confluent's client."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, Schema, SchemaRegistryError

from graphsvc.config import KafkaSettings
from graphsvc.errors import BadSchema, BrokerUnavailable, ConfigError, SchemaNotFound

# The client's own timeout is httpx's; its retries wait seconds, and whoever calls us tries again anyway.
DEFAULTS = {"max.retries": 1, "retries.wait.ms": 100, "retries.max.wait.ms": 500}


class ExternalSchemas:
    """
    Register and fetch schemas elsewhere; both calls raise BrokerUnavailable when the registry is away.

    Args:
        settings: `registry_url`, and `registry_options` under the names of Confluent's client (`basic.auth.user.info`,
            `ssl.ca.location` …); numbers are written as text.

    Raises:
        ConfigError: Confluent's client does not take the settings.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        given = {name: int(text) if text.isdecimal() else text for name, text in settings.registry_options.items()}
        try:
            self._client = AsyncSchemaRegistryClient({**DEFAULTS, **given, "url": settings.registry_url})
        except (ValueError, TypeError, OSError) as exc:
            raise ConfigError(f"GRAPHSVC_KAFKA__REGISTRY_URL, …_REGISTRY_OPTIONS: {exc}") from exc

    async def register(self, subject: str, text: str) -> int:
        """
        The schema's id, after it has become a version of the subject.

        Raises:
            BadSchema: The registry refuses the schema.
        """
        with _errors():
            return await self._client.register_schema(subject, Schema(text, "AVRO"))

    async def schema(self, schema_id: int) -> str:
        """
        The text of a schema.

        Raises:
            SchemaNotFound: There is none with this id.
        """
        with _errors():
            found = await self._client.get_schema(schema_id)
        if found.schema_str is None or (found.schema_type or "AVRO") != "AVRO" or found.references:
            raise SchemaNotFound(f"Schema {schema_id} is not Avro, or has references.", 40403)
        return found.schema_str

    async def close(self) -> None:
        """Close the connections; the object cannot be used again."""
        await self._client.aclose()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SchemaRegistryError as exc:
        if exc.http_status_code == SchemaNotFound.status:
            raise SchemaNotFound(f"schema registry: {exc}", 40403) from exc
        if exc.http_status_code in (409, BadSchema.status):
            raise BadSchema(f"schema registry: {exc}") from exc
        raise BrokerUnavailable(f"the schema registry answers: {exc}") from exc
    # What its HTTP library raises has a class in one of two packages, by version.
    except Exception as exc:
        raise BrokerUnavailable(f"the schema registry does not answer: {type(exc).__name__}: {exc}") from exc
