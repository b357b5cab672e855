"""What DataHub's clients ask of the service itself."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import strawberry

from graphsvc.api.graphql.entity import referred
from graphsvc.api.graphql.privileges import PlatformPrivileges
from graphsvc.api.graphql.views import described

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import CorpUser


@described
class TelemetryConfig:
    """graphsvc sends nothing to anyone."""

    enable_third_party_logging: bool


@described
class AnalyticsConfig:
    """There is none."""

    enabled: bool


@described
class AwsProviderConfig:
    """Where embeddings would be computed."""

    region: str


@described
class EmbeddingConfig:
    """How embeddings would be computed."""

    provider: str | None
    model_id: str | None
    model_embedding_key: str | None
    aws_provider_config: AwsProviderConfig | None


@described
class SemanticSearchConfig:
    """There is no search by embeddings."""

    enabled: bool
    enabled_entities: list[str]
    embedding_config: EmbeddingConfig | None


@described
class FeatureFlags:
    """What connectors ask before they send it: the model has metrics and semantic models."""

    metrics_enabled: bool


@described
class AppConfig:
    """What the service is and can do."""

    app_version: str
    telemetry_config: TelemetryConfig
    analytics_config: AnalyticsConfig
    semantic_search_config: SemanticSearchConfig
    feature_flags: FeatureFlags


@described
class AuthenticatedUser:
    """Who asks. graphsvc knows no users, only a token: everyone is the actor that writes without an actor get."""

    corp_user: Annotated["CorpUser", strawberry.lazy("graphsvc.api.graphql.types")]
    platform_privileges: PlatformPrivileges | None


def me() -> AuthenticatedUser:
    """The same for everyone."""
    return AuthenticatedUser(corp_user=referred("urn:li:corpuser:unknown"), platform_privileges=PlatformPrivileges())


def app_config() -> AppConfig:
    """The same for everyone."""
    return AppConfig(
        app_version=version("graphsvc"),
        telemetry_config=TelemetryConfig(enable_third_party_logging=False),
        analytics_config=AnalyticsConfig(enabled=False),
        semantic_search_config=SemanticSearchConfig(enabled=False, enabled_entities=[], embedding_config=None),
        feature_flags=FeatureFlags(metrics_enabled=True),
    )
