"""Settings: frozen sections, read once from the environment by `app.py` and `cli.py`, passed on as values."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from graphsvc.errors import ConfigError

PREFIX = "GRAPHSVC_"

# The names by which Neo4j's own tools are configured; they fill the `neo4j` section.
NEO4J_ALIASES = {
    "NEO4J_URI": "uri",
    "NEO4J_USER": "user",
    "NEO4J_USERNAME": "user",
    "NEO4J_PASSWORD": "password",
    "NEO4J_DATABASE": "database",
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Neo4jSettings(_Section):
    """How to reach the graph."""

    uri: str = Field(default="bolt://127.0.0.1:7687", description="bolt:// or neo4j:// address of the server.")
    user: str = Field(default="neo4j", description="Login.")
    password: SecretStr = Field(
        default=SecretStr(""), description="The login's password; empty means that the server asks for none."
    )
    database: str = Field(default="neo4j", min_length=1, description="Database to use; named, so no look-up per query.")
    tx_timeout_s: float = Field(default=60.0, gt=0, description="Server-side limit of one transaction, in seconds.")
    retry_time_s: float = Field(
        default=15.0, gt=0, description="How long one write is retried over deadlocks, in seconds."
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, description="Limit for opening a connection, in seconds.")
    pool_size: int = Field(default=50, gt=0, description="Connections to Neo4j at most.")


class HttpSettings(_Section):
    """Where the service listens, and who may come in."""

    host: str = Field(default="127.0.0.1", description="Address to listen on. Anything but loopback demands a token.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    token: SecretStr | None = Field(default=None, description="Bearer token that every caller must send.")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Names under which this service is called (Host header), when it is not loopback."
    )

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class LimitSettings(_Section):
    """Bounds on everything a client controls; past one of them the answer is 413."""

    body_bytes: int = Field(
        default=32 * 1024 * 1024, gt=0, description="One request body. DataHub's client sends up to 15 MiB."
    )
    batch_items: int = Field(default=10_000, gt=0, description="Proposals in one request.")
    aspect_bytes: int = Field(default=16 * 1024 * 1024, gt=0, description="One aspect value, as JSON text.")
    aspect_edges: int = Field(default=100_000, gt=0, description="Relationships that one aspect value may declare.")


class IngestSettings(_Section):
    """How tolerant the door is."""

    unknown_aspects: Literal["store", "refuse"] = Field(
        default="store",
        description="An aspect the model does not know: stored as it came, without edges, or refused.",
    )
    unknown_fields: Literal["ignore", "refuse"] = Field(
        default="ignore",
        description="A field the aspect's schema does not know: kept in the value, or the aspect is refused.",
    )


class ModelSettings(_Section):
    """The metadata model beyond the one that is shipped."""

    file: Path | None = Field(
        default=None, description="YAML file with further entity types, aspects and relationships."
    )


class GraphqlSettings(_Section):
    """Limits of the reading side."""

    graphiql: bool = Field(default=True, description="Serve GraphiQL to browsers.")
    introspection: bool = Field(default=True, description="Answer questions about the schema.")
    max_depth: int = Field(default=30, gt=0, description="Nesting of a query.")
    max_aliases: int = Field(default=50, gt=0, description="Aliases in a query.")
    max_tokens: int = Field(default=5_000, gt=0, description="Tokens in a query.")
    max_page: int = Field(default=1_000, gt=0, description="Entities or relationships in one page.")
    max_hops: int = Field(default=20, gt=0, le=50, description="Hops of one lineage walk.")
    max_lineage_nodes: int = Field(
        default=10_000, gt=0, description="Nodes of one lineage answer; past it `partial` is true."
    )
    query_timeout_s: float = Field(default=30.0, gt=0, description="Time one read may take in Neo4j, in seconds.")


class Settings(_Section):
    """All sections; `GRAPHSVC_NEO4J__URI` in the environment is `neo4j.uri` here."""

    neo4j: Neo4jSettings = Field(default_factory=Neo4jSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    graphql: GraphqlSettings = Field(default_factory=GraphqlSettings)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """
        Read all settings.

        Args:
            environ: `GRAPHSVC_SECTION__KEY` variables; `NEO4J_URI`, `NEO4J_USER`, `NEO4J_PASSWORD` and
                `NEO4J_DATABASE` are taken too, with the GRAPHSVC_ form winning.

        Raises:
            ConfigError: A name that is no setting (misspelt), or a value out of bounds.
        """
        values: dict[str, Any] = {}
        for name, key in NEO4J_ALIASES.items():
            if environ.get(name):
                values.setdefault("neo4j", {})[key] = environ[name]
        for name, text in environ.items():
            if not name.startswith(PREFIX):
                continue
            section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
            if not separator:
                raise ConfigError(f"{name} is not a setting; write {PREFIX}SECTION__KEY, e.g. {PREFIX}NEO4J__URI")
            is_list = section == "http" and key == "allowed_hosts"
            values.setdefault(section, {})[key] = tuple(text.split(",")) if is_list else text
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            lines = [f"{PREFIX}{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in exc.errors()]
            raise ConfigError("settings: " + "; ".join(lines)) from exc
