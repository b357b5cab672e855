"""GraphQL types of the entity types that DataHub ships: their own aspects here, the shared ones from `aspects`."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

import orjson
import strawberry

from graphsvc.api.graphql import properties as p
from graphsvc.api.graphql.aspects import (
    HasContainer,
    HasDeprecation,
    HasDomain,
    HasMemory,
    HasOwnership,
    HasPlatform,
    HasStatus,
    HasSubTypes,
    HasTags,
    HasTerms,
)
from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, GenericEntity, class_of, referred, register
from graphsvc.api.graphql.loaders import AspectKey, VersionKey
from graphsvc.api.graphql.names import SHIPPED_TYPES
from graphsvc.api.graphql.schema_metadata import SchemaMetadata, schema_metadata
from graphsvc.api.graphql.views import shown, view
from graphsvc.graph.registry import load_registry
from graphsvc.urn import parse_urn

Class = TypeVar("Class", bound=type[Entity])
_HERE = strawberry.lazy("graphsvc.api.graphql.types")

# Aspect -> the class that shows it. A type carries those whose aspects the model allows on it.
SHARED: dict[str, type[Entity]] = {
    "ownership": HasOwnership,
    "globalTags": HasTags,
    "glossaryTerms": HasTerms,
    "domains": HasDomain,
    "container": HasContainer,
    "status": HasStatus,
    "deprecation": HasDeprecation,
    "institutionalMemory": HasMemory,
    "subTypes": HasSubTypes,
    "dataPlatformInstance": HasPlatform,
}


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def _entity(entity_type: str) -> Callable[[Class], Class]:
    def decorate(cls: Class) -> Class:
        register(entity_type, cls)
        return cls

    return decorate


def _view(aspect: str, cls: type[Any], description: str) -> Any:
    """A field that shows one aspect of the entity by a view; null if the aspect is not there."""

    async def resolve(self: Entity, info: Info) -> Any:
        value = await info.context.loaders.value(self.urn, aspect)
        return None if value is None else view(cls, value)

    return strawberry.field(resolver=resolve, graphql_type=cls | None, description=description)


@_entity("dataset")
class Dataset(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A table, a view, a topic, a collection: any set of data."""

    properties: p.DatasetProperties | None = _view("datasetProperties", p.DatasetProperties, "What the platform says.")
    editable_properties: p.DatasetEditableProperties | None = _view(
        "editableDatasetProperties", p.DatasetEditableProperties, "What people say."
    )
    view_properties: p.ViewProperties | None = _view("viewProperties", p.ViewProperties, "The text of a view.")

    @shown("The environment: PROD, DEV …")
    def origin(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[2]

    @shown("The schema: the current one (version 0), or an older one by its number.")
    async def schema_metadata(self, info: Info, version: int | None = 0) -> SchemaMetadata | None:
        """Null if there is none."""
        loaders = info.context.loaders
        if version:
            row = await loaders.versions.load(VersionKey(self.urn, "schemaMetadata", version))
        else:
            row = await loaders.aspects.load(AspectKey(self.urn, "schemaMetadata"))
        value = orjson.loads(row.value) if row else None
        return schema_metadata(value, self.urn, row.version) if row and isinstance(value, dict) else None


@_entity("dataJob")
class DataJob(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A task that reads and writes data."""

    properties: p.DataJobProperties | None = _view("dataJobInfo", p.DataJobProperties, "What the orchestrator says.")

    @shown("The job's id within its flow.")
    def job_id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[1]

    @shown("The flow that the job belongs to.")
    def data_flow(self) -> Annotated["DataFlow", _HERE] | None:
        """From the URN."""
        found: DataFlow | None = referred(parse_urn(self.urn).parts[0], "dataFlow")
        return found


@_entity("dataFlow")
class DataFlow(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A pipeline of jobs."""

    properties: p.DataFlowProperties | None = _view("dataFlowInfo", p.DataFlowProperties, "What the orchestrator says.")

    @shown("The tool that runs the flow.")
    def orchestrator(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]

    @shown("The flow's id.")
    def flow_id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[1]

    @shown("Where the flow runs.")
    def cluster(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[2]


@_entity("dataProcessInstance")
class DataProcessInstance(HasContainer, HasStatus, HasSubTypes, HasPlatform):
    """One run of a job or flow."""

    properties: p.DataProcessInstanceProperties | None = _view(
        "dataProcessInstanceProperties", p.DataProcessInstanceProperties, "What the orchestrator says."
    )


@_entity("chart")
class Chart(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A chart of a BI tool."""

    properties: p.ChartProperties | None = _view("chartInfo", p.ChartProperties, "What the tool says.")

    @shown("The BI tool.")
    def tool(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]

    @shown("The chart's id.")
    def chart_id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[1]


@_entity("dashboard")
class Dashboard(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A dashboard of a BI tool."""

    properties: p.DashboardProperties | None = _view("dashboardInfo", p.DashboardProperties, "What the tool says.")

    @shown("The BI tool.")
    def tool(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]

    @shown("The dashboard's id.")
    def dashboard_id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[1]


@_entity("container")
class Container(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A database, a schema, a folder: what entities stand in."""

    properties: p.ContainerProperties | None = _view(
        "containerProperties", p.ContainerProperties, "What the platform says."
    )


@_entity("corpuser")
class CorpUser(HasTags, HasSubTypes):
    """A person, or a service account."""

    properties: p.CorpUserProperties | None = _view("corpUserInfo", p.CorpUserProperties, "What the directory says.")
    editable_properties: p.CorpUserEditableProperties | None = _view(
        "corpUserEditableInfo", p.CorpUserEditableProperties, "What the user says."
    )

    @shown("The user's login.")
    def username(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]

    @shown("The user's manager.")
    async def manager(self, info: Info) -> Annotated["CorpUser", _HERE] | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "corpUserInfo") or {}
        found: CorpUser | None = referred(value.get("managerUrn"), "corpuser")
        return found


@_entity("corpGroup")
class CorpGroup(HasOwnership, HasTags, HasStatus, HasSubTypes):
    """A group of users."""

    properties: p.CorpGroupProperties | None = _view("corpGroupInfo", p.CorpGroupProperties, "What the directory says.")


@_entity("tag")
class Tag(HasOwnership, HasStatus, HasDeprecation):
    """A label that people put on things."""

    properties: p.TagProperties | None = _view("tagProperties", p.TagProperties, "What the tag means.")


@_entity("glossaryTerm")
class GlossaryTerm(HasOwnership, HasTags, HasDomain, HasStatus, HasDeprecation, HasMemory, HasSubTypes):
    """A term of the business glossary."""

    properties: p.GlossaryTermProperties | None = _view(
        "glossaryTermInfo", p.GlossaryTermProperties, "What the term means."
    )


@_entity("glossaryNode")
class GlossaryNode(HasOwnership, HasTags, HasDomain, HasStatus, HasMemory, HasSubTypes):
    """A group of glossary terms."""

    properties: p.GlossaryNodeProperties | None = _view(
        "glossaryNodeInfo", p.GlossaryNodeProperties, "What the group is about."
    )


@_entity("domain")
class Domain(HasOwnership, HasDeprecation, HasMemory):
    """A part of the business that owns data."""

    properties: p.DomainProperties | None = _view("domainProperties", p.DomainProperties, "What the domain is about.")


@_entity("dataPlatform")
class DataPlatform(Entity):
    """A kind of system that holds or moves data."""

    properties: p.DataPlatformProperties | None = _view(
        "dataPlatformInfo", p.DataPlatformProperties, "What the platform is."
    )


@_entity("dataPlatformInstance")
class DataPlatformInstance(HasOwnership, HasTags, HasStatus, HasDeprecation, HasMemory):
    """One installation of a platform."""

    properties: p.DataPlatformInstanceProperties | None = _view(
        "dataPlatformInstanceProperties", p.DataPlatformInstanceProperties, "What the instance is."
    )

    @shown("The instance's id.")
    def instance_id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[1]

    @shown("The platform of which this is an instance.")
    def platform(self) -> Annotated["DataPlatform", _HERE] | None:
        """From the URN."""
        found: DataPlatform | None = referred(parse_urn(self.urn).parts[0], "dataPlatform")
        return found


@_entity("schemaField")
class SchemaFieldEntity(HasOwnership, HasTags, HasTerms, HasDomain, HasStatus, HasDeprecation, HasSubTypes):
    """A column, as an entity of its own."""

    @shown("The column's path within its parent.")
    def field_path(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[1]

    @shown("The dataset or chart that has the column.")
    def parent(self) -> Entity | None:
        """From the URN."""
        found: Entity | None = referred(parse_urn(self.urn).parts[0])
        return found


@_entity("mlModel")
class MLModel(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A machine learning model."""

    properties: p.MLModelProperties | None = _view(
        "mlModelProperties", p.MLModelProperties, "What is known of the model."
    )

    @shown("The environment: PROD, DEV …")
    def origin(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[2]


@_entity("mlModelGroup")
class MLModelGroup(
    HasOwnership,
    HasTags,
    HasTerms,
    HasDomain,
    HasContainer,
    HasStatus,
    HasDeprecation,
    HasMemory,
    HasSubTypes,
    HasPlatform,
):
    """A group of models: the versions of one."""

    properties: p.MLModelGroupProperties | None = _view(
        "mlModelGroupProperties", p.MLModelGroupProperties, "What is known of the group."
    )

    @shown("The environment: PROD, DEV …")
    def origin(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[2]


@_entity("mlFeature")
class MLFeature(
    HasOwnership, HasTags, HasTerms, HasDomain, HasStatus, HasDeprecation, HasMemory, HasSubTypes, HasPlatform
):
    """A feature of machine learning."""

    properties: p.MLFeatureProperties | None = _view(
        "mlFeatureProperties", p.MLFeatureProperties, "What is known of the feature."
    )

    @shown("What tells apart features of one name.")
    def feature_namespace(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]


@_entity("mlFeatureTable")
class MLFeatureTable(
    HasOwnership, HasTags, HasTerms, HasDomain, HasStatus, HasDeprecation, HasMemory, HasSubTypes, HasPlatform
):
    """A table of features."""

    properties: p.MLFeatureTableProperties | None = _view(
        "mlFeatureTableProperties", p.MLFeatureTableProperties, "What is known of the table."
    )


@_entity("mlPrimaryKey")
class MLPrimaryKey(
    HasOwnership, HasTags, HasTerms, HasDomain, HasStatus, HasDeprecation, HasMemory, HasSubTypes, HasPlatform
):
    """The key of a table of features."""

    properties: p.MLPrimaryKeyProperties | None = _view(
        "mlPrimaryKeyProperties", p.MLPrimaryKeyProperties, "What is known of the key."
    )

    @shown("What tells apart keys of one name.")
    def feature_namespace(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]


@_entity("dataProduct")
class DataProduct(HasOwnership, HasTags, HasTerms, HasDomain, HasStatus, HasDeprecation, HasMemory, HasSubTypes):
    """Data that someone offers as a product."""

    properties: p.DataProductProperties | None = _view(
        "dataProductProperties", p.DataProductProperties, "What the product is."
    )


@_entity("ownershipType")
class OwnershipTypeEntity(HasStatus):
    """A kind of ownership."""

    info: p.OwnershipTypeInfo | None = _view("ownershipTypeInfo", p.OwnershipTypeInfo, "What it means.")


def _others() -> None:
    """Types for everything else that DataHub ships, with the shared aspects that the model allows on it."""
    entities = load_registry().entities
    for name in SHIPPED_TYPES:
        if class_of(name) is GenericEntity:
            bases = tuple(cls for aspect, cls in SHARED.items() if aspect in entities[name].aspects)
            register(name, type(name, bases or (Entity,), {"__doc__": f"An entity of type `{name}`."}))


_others()
