"""
What each entity type's own aspect says, as DataHub's GraphQL names it.

Each field is read from the key of its name, or of its `path`; see `views.view`.
"""

from typing import TYPE_CHECKING, Annotated

import strawberry

from graphsvc.api.graphql.views import AuditStamp, CustomPropertiesEntry, Long, described, path

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import CorpUser, Dataset, MLFeature, MLModelGroup, MLPrimaryKey

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")


@described
class DatasetProperties:
    """What the platform says of a dataset."""

    name: str | None
    qualified_name: str | None
    description: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: Long | None = path("created.time")
    created_actor: str | None = path("created.actor")
    last_modified: AuditStamp | None
    uri: str | None


@described
class DatasetEditableProperties:
    """What people say of a dataset."""

    name: str | None
    description: str | None


@described
class ViewProperties:
    """The text of a view."""

    materialized: bool | None
    logic: str | None = path("viewLogic")
    formatted_logic: str | None = path("formattedViewLogic")
    language: str | None = path("viewLanguage")


@described
class DataJobProperties:
    """What the orchestrator says of a job."""

    name: str | None
    description: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: AuditStamp | None
    last_modified: AuditStamp | None
    env: str | None


@described
class DataFlowProperties:
    """What the orchestrator says of a flow."""

    name: str | None
    description: str | None
    project: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: AuditStamp | None
    last_modified: AuditStamp | None
    env: str | None


@described
class DataProcessInstanceProperties:
    """What the orchestrator says of one run."""

    name: str | None
    type: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: AuditStamp | None


@described
class ChartProperties:
    """What the tool says of a chart."""

    name: str | None = path("title")
    description: str | None
    type: str | None
    access: str | None
    last_refreshed: Long | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None = path("externalUrl", "chartUrl")
    created: AuditStamp | None = path("lastModified.created")
    last_modified: AuditStamp | None = path("lastModified.lastModified")


@described
class DashboardProperties:
    """What the tool says of a dashboard."""

    name: str | None = path("title")
    description: str | None
    access: str | None
    last_refreshed: Long | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None = path("externalUrl", "dashboardUrl")
    created: AuditStamp | None = path("lastModified.created")
    last_modified: AuditStamp | None = path("lastModified.lastModified")


@described
class ContainerProperties:
    """What the platform says of a container."""

    name: str | None
    qualified_name: str | None
    description: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: AuditStamp | None
    last_modified: AuditStamp | None
    env: str | None


@described
class CorpUserProperties:
    """What the directory says of a user."""

    active: bool | None
    display_name: str | None
    email: str | None
    title: str | None
    manager: Annotated["CorpUser", _TYPES] | None
    department_id: Long | None
    department_name: str | None
    first_name: str | None
    last_name: str | None
    full_name: str | None
    country_code: str | None
    custom_properties: list[CustomPropertiesEntry] | None


@described
class CorpUserEditableProperties:
    """What a user says of themselves."""

    display_name: str | None
    title: str | None
    about_me: str | None
    teams: list[str] | None
    skills: list[str] | None
    picture_link: str | None
    slack: str | None
    phone: str | None
    email: str | None


@described
class CorpGroupProperties:
    """What the directory says of a group."""

    display_name: str | None
    description: str | None
    email: str | None
    slack: str | None


@described
class TagProperties:
    """What a tag means."""

    name: str | None
    description: str | None
    color_hex: str | None


@described
class GlossaryTermProperties:
    """What a term means."""

    name: str | None
    description: str | None = path("definition")
    definition: str | None
    term_source: str | None
    source_ref: str | None
    source_url: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    raw_schema: str | None


@described
class GlossaryNodeProperties:
    """What a group of terms is about."""

    name: str | None
    description: str | None = path("definition")
    custom_properties: list[CustomPropertiesEntry] | None


@described
class DomainProperties:
    """What a domain is about."""

    name: str | None
    description: str | None
    custom_properties: list[CustomPropertiesEntry] | None


@described
class DataPlatformProperties:
    """What a platform is."""

    type: str | None
    display_name: str | None
    dataset_name_delimiter: str | None
    logo_url: str | None


@described
class DataPlatformInstanceProperties:
    """What an instance of a platform is."""

    name: str | None
    description: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None


@described
class VersionTag:
    """What a version is called."""

    version_tag: str | None


@described
class MLHyperParam:
    """A parameter of the training of a model."""

    name: str | None
    description: str | None
    value: str | None
    created_at: Long | None


@described
class MLMetric:
    """A measure of a model."""

    name: str | None
    description: str | None
    value: str | None
    created_at: Long | None


@described
class MLModelLineageInfo:
    """The jobs that a model comes from, and those that use it, by their URNs."""

    training_jobs: list[str] | None
    downstream_jobs: list[str] | None


@described
class MLModelProperties:
    """What is known of a model."""

    name: str | None
    description: str | None
    date: Long | None
    version: str | None = path("version.versionTag")
    type: str | None
    hyper_params: list[MLHyperParam] | None
    training_metrics: list[MLMetric] | None
    ml_features: list[str] | None
    groups: list[Annotated["MLModelGroup", _TYPES]] | None
    ml_model_lineage_info: MLModelLineageInfo | None
    tags: list[str] | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: AuditStamp | None
    last_modified: AuditStamp | None


@described
class MLModelGroupProperties:
    """What is known of a group of models."""

    name: str | None
    description: str | None
    created_at: Long | None
    version: VersionTag | None
    ml_model_lineage_info: MLModelLineageInfo | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    created: AuditStamp | None
    last_modified: AuditStamp | None


@described
class MLFeatureProperties:
    """What is known of a feature."""

    description: str | None
    data_type: str | None
    version: VersionTag | None
    sources: list[Annotated["Dataset", _TYPES]] | None
    custom_properties: list[CustomPropertiesEntry] | None


@described
class MLFeatureTableProperties:
    """What is known of a table of features."""

    description: str | None
    ml_features: list[Annotated["MLFeature", _TYPES]] | None
    ml_primary_keys: list[Annotated["MLPrimaryKey", _TYPES]] | None
    custom_properties: list[CustomPropertiesEntry] | None


@described
class MLPrimaryKeyProperties:
    """What is known of the key of a table of features."""

    description: str | None
    data_type: str | None
    version: VersionTag | None
    sources: list[Annotated["Dataset", _TYPES]] | None
    custom_properties: list[CustomPropertiesEntry] | None


@described
class DataProductProperties:
    """What a data product is."""

    name: str | None
    description: str | None
    custom_properties: list[CustomPropertiesEntry] | None
    external_url: str | None
    num_assets: int | None


@described
class OwnershipTypeInfo:
    """What a kind of ownership means."""

    name: str | None
    description: str | None
    created: AuditStamp | None
    last_modified: AuditStamp | None
