"""Settings: frozen sections, read once from the environment by `app.py` and `cli.py`, passed on as values."""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

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
    max_walked_nodes: int = Field(
        default=100_000, gt=0, description="Nodes that the pages of one lineage answer reach together."
    )
    max_lineage_edges: int = Field(
        default=200_000,
        gt=0,
        description="Edges of one page of a lineage answer that is walked hop by hop; past it `partial` is true.",
    )
    max_cost: int = Field(
        default=1_000_000, gt=0, description="Fields that a request may have to answer, as its page sizes and hops say."
    )
    max_batch: int = Field(default=10, gt=0, description="Operations in one request, sent as a JSON list.")
    max_body_bytes: int = Field(
        default=1024 * 1024, gt=0, description="One request: text and variables of all its operations."
    )
    persisted: Path | None = Field(
        default=None,
        description="Known documents, asked for by sha256: a folder of .graphql files, or a JSON file {sha256: text}.",
    )
    persisted_only: bool = Field(default=False, description="Answer these documents only.")
    query_timeout_s: float = Field(default=30.0, gt=0, description="Time one read may take in Neo4j, in seconds.")
    request_timeout_s: float = Field(
        default=60.0, gt=0, description="Time all reads of one request may take together, REST's too, in seconds."
    )


class SubscriptionSettings(_Section):
    """Changes as they happen, in GraphQL: from Kafka's change log where there is one, else from a journal in Neo4j."""

    enabled: bool | None = Field(
        default=None,
        description="Unset: on in `graphsvc up`, and where Kafka announces changes. Without Kafka, every process that"
        " writes to the graph must have it on.",
    )
    keep_changes: int = Field(default=100_000, gt=0, description="Changes that the journal keeps at most.")
    keep_hours: float = Field(default=24.0, gt=0, description="How long the journal keeps a change, in hours.")
    max_connections: int = Field(default=500, gt=0, description="WebSockets at a time, in one process.")
    max_per_connection: int = Field(default=20, gt=0, description="Operations at a time, in one WebSocket.")


class KafkaSettings(_Section):
    """The asynchronous door and the change log; without `bootstrap` there is neither."""

    bootstrap: str = Field(default="", description="`host:port,…` of the brokers; empty means no Kafka.")
    group: str = Field(default="graphsvc", min_length=1, description="Consumer group of `graphsvc consume`.")
    proposal_topic: str = Field(default="MetadataChangeProposal_v1", min_length=1, description="Proposals come in.")
    event_topic: str = Field(default="MetadataChangeEvent_v4", description="Legacy snapshots come in; empty for none.")
    failed_topic: str = Field(
        default="FailedMetadataChangeProposal_v1", min_length=1, description="Dead letters go out."
    )
    versioned_log_topic: str = Field(
        default="MetadataChangeLog_Versioned_v1", min_length=1, description="Changes of versioned aspects go out."
    )
    timeseries_log_topic: str = Field(
        default="MetadataChangeLog_Timeseries_v1", min_length=1, description="Points of timeseries aspects go out."
    )
    platform_event_topic: str = Field(
        default="", description="Changes go out as platform events too, e.g. on PlatformEvent_v1; empty for not."
    )
    change_log: bool = Field(default=True, description="Announce every change on the log topics.")
    partitions: int = Field(default=6, gt=0, description="Partitions of a topic that graphsvc creates.")
    replication: int = Field(default=1, gt=0, description="Replicas of a topic that graphsvc creates.")
    batch_items: int = Field(
        default=1_000, gt=0, description="Records in one transaction; some more where an entity's stand together."
    )
    options: dict[str, str] = Field(
        default={},
        repr=False,
        description='Settings of librdkafka for all clients, as JSON: `{"security.protocol": "SASL_SSL", …}`.',
    )
    consumer_options: dict[str, str] = Field(default={}, repr=False, description="The same, for consumers only.")
    producer_options: dict[str, str] = Field(default={}, repr=False, description="The same, for producers only.")
    registry_url: str = Field(
        default="", description="External schema registry; empty for the one that graphsvc itself is."
    )
    registry_options: dict[str, str] = Field(
        default={},
        repr=False,
        description='Settings of Confluent\'s registry client, as JSON: `{"basic.auth.user.info": "…"}`, TLS files ….',
    )
    metrics_host: str = Field(default="127.0.0.1", description="Where `graphsvc consume` serves /metrics and /health.")
    metrics_port: int = Field(default=9464, ge=0, le=65535, description="Port of these; 0 takes any free one.")

    @field_validator("options", "consumer_options", "producer_options", "registry_options", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value


class Settings(_Section):
    """All sections; `GRAPHSVC_NEO4J__URI` in the environment is `neo4j.uri` here."""

    neo4j: Neo4jSettings = Field(default_factory=Neo4jSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    graphql: GraphqlSettings = Field(default_factory=GraphqlSettings)
    subscriptions: SubscriptionSettings = Field(default_factory=SubscriptionSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)

    @property
    def change_feed(self) -> Literal["kafka", "journal"] | None:
        """
        Where subscriptions get their changes; None where they are off.

        Raises:
            ConfigError: They are on, and Kafka is there without its change log.
        """
        enabled, kafka = self.subscriptions.enabled, self.kafka
        if kafka.bootstrap and kafka.change_log:
            return None if enabled is False else "kafka"
        if kafka.bootstrap and enabled:
            raise ConfigError("subscriptions need the change log: set GRAPHSVC_KAFKA__CHANGE_LOG=true")
        return "journal" if enabled else None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """
        Read all settings.

        Args:
            environ: `GRAPHSVC_SECTION__KEY` variables; `NEO4J_URI`, `NEO4J_USER`, `NEO4J_PASSWORD`,
                `NEO4J_DATABASE` and `KAFKA_BOOTSTRAP` are taken too, with the GRAPHSVC_ form winning.

        Raises:
            ConfigError: A name that is no setting (misspelt), or a value out of bounds.
        """
        values: dict[str, Any] = {}
        if environ.get("KAFKA_BOOTSTRAP"):
            values["kafka"] = {"bootstrap": environ["KAFKA_BOOTSTRAP"]}
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
