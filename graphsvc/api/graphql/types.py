"""GraphQL types of the entity types that DataHub ships: their own aspects here, the shared ones from `aspects`."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

import orjson
import strawberry

from graphsvc.api.graphql import properties as p
from graphsvc.api.graphql.aspects import (
    HasApplication,
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
from graphsvc.api.graphql.columns import FineGrainedLineage, HasInputOutput, fine_grained
from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.documents import HasRelatedDocuments, ParentDocumentsResult
from graphsvc.api.graphql.entity import (
    Entity,
    GenericEntity,
    RelationshipDirection,
    class_of,
    referred,
    register,
    related,
)
from graphsvc.api.graphql.loaders import VersionKey
from graphsvc.api.graphql.members import ContainerEntitiesInput, DomainEntitiesInput, HasAssets, among, members
from graphsvc.api.graphql.names import SHIPPED_TYPES
from graphsvc.api.graphql.placement import (
    BrowsableEntity,
    HasBrowsePath,
    ParentDomainsResult,
    ParentNodesResult,
    ancestors,
)
from graphsvc.api.graphql.privileges import HasPrivileges
from graphsvc.api.graphql.quality import (
    HasAssertions,
    HasHealth,
    HasIncidents,
    HasRunEvents,
    IncidentSource,
    IncidentStatus,
)
from graphsvc.api.graphql.records import record_type
from graphsvc.api.graphql.runs import DataProcessInstanceResult, HasRuns, HasState, runs_of
from graphsvc.api.graphql.schema_metadata import (
    EditableSchemaMetadata,
    SchemaMetadata,
    editable_schema_metadata,
    schema_metadata,
)
from graphsvc.api.graphql.search import SearchAcrossEntitiesInput, SearchResults
from graphsvc.api.graphql.siblings import HasSiblings
from graphsvc.api.graphql.structured import (
    DataTypeInfo,
    EntityTypeInfo,
    HasForms,
    HasStructuredProperties,
    StructuredPropertyDefinition,
    data_type_info,
    definition,
    entity_type_info,
)
from graphsvc.api.graphql.usage import HasChartUsage, HasDashboardUsage, HasUsage
from graphsvc.api.graphql.views import AuditStamp, at, described, records, shown, stamp, text, texts, view
from graphsvc.graph.registry import load_registry
from graphsvc.urn import parse_urn

Class = TypeVar("Class", bound=type[Entity])
_HERE = strawberry.lazy("graphsvc.api.graphql.types")

# Aspect -> the class that shows it. A type carries those whose aspects the model allows on it.
SHARED: dict[str, type[Entity]] = {
    "ownership": HasOwnership,
    "globalTags": HasTags,
    "glossaryTerms": HasTerms,
    "applications": HasApplication,
    "domains": HasDomain,
    "container": HasContainer,
    "status": HasStatus,
    "deprecation": HasDeprecation,
    "institutionalMemory": HasMemory,
    "subTypes": HasSubTypes,
    "dataPlatformInstance": HasPlatform,
    "siblings": HasSiblings,
    "browsePaths": BrowsableEntity,
    "browsePathsV2": HasBrowsePath,
    "structuredProperties": HasStructuredProperties,
    "forms": HasForms,
    "incidentsSummary": HasIncidents,
    "dataJobInputOutput": HasInputOutput,
    "datasetUsageStatistics": HasUsage,
    "dashboardUsageStatistics": HasDashboardUsage,
    "chartUsageStatistics": HasChartUsage,
    "assertionRunEvent": HasRunEvents,
    "dataProcessInstanceRunEvent": HasState,
}


def shared(entity_type: str) -> tuple[type[Entity], ...]:
    """
    Classes of what the model allows on a type: shared aspects, and documents about it.

    DataHub's `status` of a user, and of a data contract, is something else.
    """
    registry = load_registry()
    aspects = registry.entities[entity_type].aspects
    left_out = {"status"} if entity_type in {"corpuser", "dataContract"} else set()
    owned = (HasPrivileges,) if "ownership" in aspects else ()
    assets = (edge.destinations for edge in registry.aspects["documentInfo"].edges if edge.name == "RelatedAsset")
    about = (HasRelatedDocuments,) if any(entity_type in names for names in assets) else ()
    return (*(cls for aspect, cls in SHARED.items() if aspect in aspects - left_out), *owned, *about)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def _entity(entity_type: str) -> Callable[[Class], Class]:
    """The GraphQL type of an entity type: the class, with the shared aspects that the model allows on it."""

    def decorate(cls: Class) -> Class:
        bases = (*(base for base in cls.__bases__ if base is not Entity), *shared(entity_type)) or (Entity,)
        inner = {name: value for name, value in vars(cls).items() if name not in {"__dict__", "__weakref__"}}
        whole: Class = type(cls.__name__, bases, inner)  # type: ignore[assignment]
        register(entity_type, whole)
        return whole

    return decorate


Part = Callable[[dict[str, Any]], Any]


def _view(aspect: str, cls: type[Any], description: str, **parts: Part) -> Any:
    """A field that shows one aspect of the entity by a view; null if the aspect is not there. Parts are not plain."""

    async def resolve(self: Entity, info: Info) -> Any:
        value = await info.context.loaders.value(self.urn, aspect)
        return None if value is None else view(cls, value, **{name: part(value) for name, part in parts.items()})

    return strawberry.field(resolver=resolve, graphql_type=cls | None, description=description)


def _one(key: str, entity_type: str) -> Part:
    return lambda value: referred(value.get(key), entity_type)


def _all(key: str, entity_type: str) -> Part:
    """Null where the key is not there."""
    return lambda value: (
        [found for urn in texts(value[key]) or () if (found := referred(urn, entity_type)) is not None]
        if isinstance(value.get(key), list)
        else None
    )


def _within(key: str, cls: type[Any]) -> Part:
    return lambda value: view(cls, value[key]) if isinstance(value.get(key), dict) else None


def _each(key: str, cls: type[Any]) -> Part:
    return lambda value: [view(cls, item) for item in records(value[key])] if value.get(key) is not None else None


def _jobs(value: dict[str, Any]) -> p.MLModelLineageInfo | None:
    return view(p.MLModelLineageInfo, value) if {"trainingJobs", "downstreamJobs"} & value.keys() else None


def _text(aspect: str, key: str, description: str) -> Any:
    """A field that shows one text of an aspect; null if it is not there."""

    async def resolve(self: Entity, info: Info) -> str | None:
        return text((await info.context.loaders.value(self.urn, aspect) or {}).get(key))

    return strawberry.field(resolver=resolve, description=description)


def _record(aspect: str, key: str, record: str, description: str) -> Any:
    """A field that shows one record of an aspect; null if it is not there."""

    async def resolve(self: Entity, info: Info) -> Any:
        value = at(await info.context.loaders.value(self.urn, aspect), key)
        return value if isinstance(value, dict) else None

    return strawberry.field(resolver=resolve, graphql_type=record_type(record) | None, description=description)


_READS = ("Consumes", "DataProcessInstanceConsumes")
_WRITES = ("Produces", "DataProcessInstanceProduces")


@described
class GlossaryChildrenCount:
    """How many terms and nodes stand right below a node of the glossary."""

    terms_count: int
    nodes_count: int


@described
class QuerySubject:
    """What a query is about: a dataset, or a column of one."""

    entity: Entity
    dataset: Annotated["Dataset", _HERE] | None
    schema_field: Annotated["SchemaFieldEntity", _HERE] | None


@described
class IngestionSourceExecutionRequests:
    """A page of the runs of an ingestion source."""

    start: int
    count: int
    total: int
    execution_requests: list[Annotated["ExecutionRequest", _HERE]]


def _subject(entity: Entity) -> QuerySubject:
    """A column stands for its dataset too."""
    column = referred(entity.urn, "schemaField")
    return QuerySubject(
        entity=entity,
        dataset=referred(parse_urn(entity.urn).parts[0] if column else entity.urn, "dataset"),
        schema_field=column,
    )


async def _parent_nodes(info: Info, urn: str, aspect: str) -> ParentNodesResult:
    """Above the first node there are only nodes."""
    value = await info.context.loaders.value(urn, aspect) or {}
    first = referred(value.get("parentNode"), "glossaryNode")
    if first is None:
        return ParentNodesResult(count=0, nodes=[])
    above = await ancestors(info, first.urn, "glossaryNodeInfo", "parentNode")
    nodes = [first, *(found for up in above if (found := referred(up, "glossaryNode")) is not None)]
    return ParentNodesResult(count=len(nodes), nodes=nodes)


@_entity("dataset")
class Dataset(HasAssertions, HasHealth):
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
            row = await loaders.aspect(self.urn, "schemaMetadata")
        value = orjson.loads(row.value) if row else None
        return schema_metadata(value, self.urn, row) if row and isinstance(value, dict) else None

    @shown("What people say of the columns.")
    async def editable_schema_metadata(self, info: Info) -> EditableSchemaMetadata | None:
        """Null if the aspect is not there."""
        value = await info.context.loaders.value(self.urn, "editableSchemaMetadata")
        return None if value is None else editable_schema_metadata(value, self.urn)

    @shown("Lineage of columns, as the dataset declares it.")
    async def fine_grained_lineages(self, info: Info) -> list[FineGrainedLineage] | None:
        """Null if the dataset declares no lineage."""
        value = await info.context.loaders.value(self.urn, "upstreamLineage")
        return None if value is None else fine_grained(value.get("fineGrainedLineages"))

    @shown("Runs that read or wrote the dataset: OUTGOING for those that read it, INCOMING for those that wrote it.")
    async def runs(
        self, info: Info, direction: RelationshipDirection, start: int | None = 0, count: int | None = 10
    ) -> DataProcessInstanceResult:
        """One page; the direction is DataHub's, seen from the dataset as data flows."""
        types = {
            RelationshipDirection.OUTGOING: _READS,
            RelationshipDirection.INCOMING: _WRITES,
            RelationshipDirection.UNDIRECTED: _READS + _WRITES,
        }
        return await runs_of(self, info, types[direction], start, count)

    @shown("The data contract of the dataset; the first by URN, if there are several.")
    async def contract(self, info: Info) -> Annotated["DataContract", _HERE] | None:
        """Null if there is none, or only such as are soft-deleted."""
        page = await related(self, info, ("ContractFor",), RelationshipDirection.INCOMING, 0, 1, removed=False)
        found: DataContract | None = next(
            (referred(row.entity.urn, "dataContract") for row in page.relationships), None
        )
        return found

    description: str | None = _text("datasetProperties", "description", "What the platform says; see `properties`.")
    external_url: str | None = _text("datasetProperties", "externalUrl", "See `properties`.")
    uri: str | None = _text("datasetProperties", "uri", "See `properties`.")


@_entity("dataJob")
class DataJob(HasRuns, HasHealth):
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
class DataFlow(HasRuns, HasHealth):
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
class DataProcessInstance(Entity):
    """One run of a job or flow."""

    properties: p.DataProcessInstanceProperties | None = _view(
        "dataProcessInstanceProperties", p.DataProcessInstanceProperties, "What the orchestrator says."
    )
    external_url: str | None = _text("dataProcessInstanceProperties", "externalUrl", "See `properties`.")

    @shown("When the run began, and who started it.")
    async def created(self, info: Info) -> AuditStamp | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "dataProcessInstanceProperties") or {}
        return stamp(value.get("created"))


@_entity("chart")
class Chart(HasHealth):
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
class Dashboard(HasHealth):
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
class Container(Entity):
    """A database, a schema, a folder: what entities stand in."""

    properties: p.ContainerProperties | None = _view(
        "containerProperties", p.ContainerProperties, "What the platform says."
    )

    @shown("A search among the entities in the container.")
    async def entities(
        self,
        info: Info,
        input: ContainerEntitiesInput | None = None,  # noqa: A002  DataHub's name
    ) -> SearchResults | None:
        """One page."""
        return await members(info, "container", self.urn, input)


@_entity("corpuser")
class CorpUser(Entity):
    """A person, or a service account."""

    properties: p.CorpUserProperties | None = _view(
        "corpUserInfo", p.CorpUserProperties, "What the directory says.", manager=_one("managerUrn", "corpuser")
    )
    editable_properties: p.CorpUserEditableProperties | None = _view(
        "corpUserEditableInfo", p.CorpUserEditableProperties, "What the user says."
    )

    @shown("The user's login.")
    def username(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]

    @shown("ACTIVE, SUSPENDED …: the state of the user's account.")
    async def status(self, info: Info) -> str | None:
        """Null if nobody said."""
        return text((await info.context.loaders.value(self.urn, "corpUserStatus") or {}).get("status"))

    @shown("The user's manager.")
    async def manager(self, info: Info) -> Annotated["CorpUser", _HERE] | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "corpUserInfo") or {}
        found: CorpUser | None = referred(value.get("managerUrn"), "corpuser")
        return found


@_entity("corpGroup")
class CorpGroup(Entity):
    """A group of users."""

    properties: p.CorpGroupProperties | None = _view("corpGroupInfo", p.CorpGroupProperties, "What the directory says.")


@_entity("tag")
class Tag(Entity):
    """A label that people put on things."""

    properties: p.TagProperties | None = _view("tagProperties", p.TagProperties, "What the tag means.")
    description: str | None = _text("tagProperties", "description", "See `properties`.")


@_entity("glossaryTerm")
class GlossaryTerm(Entity):
    """A term of the business glossary."""

    properties: p.GlossaryTermProperties | None = _view(
        "glossaryTermInfo", p.GlossaryTermProperties, "What the term means."
    )
    glossary_term_info: p.GlossaryTermProperties | None = _view(
        "glossaryTermInfo", p.GlossaryTermProperties, "DataHub's older name for `properties`."
    )

    @shown("The term's key, of which DataHub makes a hierarchy by its dots.")
    def hierarchical_name(self) -> str:
        """A part of the URN."""
        return parse_urn(self.urn).parts[0]

    @shown("All nodes of the glossary above the term.")
    async def parent_nodes(self, info: Info) -> ParentNodesResult:
        """The nearest first."""
        return await _parent_nodes(info, self.urn, "glossaryTermInfo")


@_entity("glossaryNode")
class GlossaryNode(Entity):
    """A group of glossary terms."""

    properties: p.GlossaryNodeProperties | None = _view(
        "glossaryNodeInfo", p.GlossaryNodeProperties, "What the group is about."
    )

    @shown("All nodes of the glossary above the node.")
    async def parent_nodes(self, info: Info) -> ParentNodesResult:
        """The nearest first."""
        return await _parent_nodes(info, self.urn, "glossaryNodeInfo")

    @shown("How many terms and nodes stand right below the node.")
    async def children_count(self, info: Info) -> GlossaryChildrenCount:
        """Among as many as a page may have; those that are soft-deleted do not count."""
        count = info.context.settings.max_page
        page = await related(self, info, ("IsPartOf",), RelationshipDirection.INCOMING, 0, count, removed=False)
        types = [row.entity.type_text for row in page.relationships]
        return GlossaryChildrenCount(terms_count=types.count("glossaryTerm"), nodes_count=types.count("glossaryNode"))


@_entity("domain")
class Domain(Entity):
    """A part of the business that owns data."""

    properties: p.DomainProperties | None = _view("domainProperties", p.DomainProperties, "What the domain is about.")

    @shown("The domain's id.")
    def id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]

    @shown("All domains above the domain.")
    async def parent_domains(self, info: Info) -> ParentDomainsResult:
        """The nearest first."""
        above = [referred(urn) for urn in await ancestors(info, self.urn, "domainProperties", "parentDomain")]
        return ParentDomainsResult(count=len(above), domains=above)

    @shown("A search among the entities of the domain.")
    async def entities(
        self,
        info: Info,
        input: DomainEntitiesInput | None = None,  # noqa: A002  DataHub's name
    ) -> SearchResults | None:
        """One page."""
        return await members(info, "domains", self.urn, input)


@_entity("dataPlatform")
class DataPlatform(Entity):
    """A kind of system that holds or moves data."""

    properties: p.DataPlatformProperties | None = _view(
        "dataPlatformInfo", p.DataPlatformProperties, "What the platform is."
    )
    display_name: str | None = _text("dataPlatformInfo", "displayName", "See `properties`.")


@_entity("dataPlatformInstance")
class DataPlatformInstance(Entity):
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
class SchemaFieldEntity(Entity):
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
class MLModel(Entity):
    """A machine learning model."""

    properties: p.MLModelProperties | None = _view(
        "mlModelProperties",
        p.MLModelProperties,
        "What is known of the model.",
        hyper_params=_each("hyperParams", p.MLHyperParam),
        training_metrics=_each("trainingMetrics", p.MLMetric),
        groups=_all("groups", "mlModelGroup"),
        ml_model_lineage_info=_jobs,
    )
    description: str | None = _text("mlModelProperties", "description", "See `properties`.")

    @shown("The environment: PROD, DEV …")
    def origin(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[2]


@_entity("mlModelGroup")
class MLModelGroup(Entity):
    """A group of models: the versions of one."""

    properties: p.MLModelGroupProperties | None = _view(
        "mlModelGroupProperties",
        p.MLModelGroupProperties,
        "What is known of the group.",
        version=_within("version", p.VersionTag),
        ml_model_lineage_info=_jobs,
    )
    description: str | None = _text("mlModelGroupProperties", "description", "See `properties`.")

    @shown("The environment: PROD, DEV …")
    def origin(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[2]


@_entity("mlFeature")
class MLFeature(Entity):
    """A feature of machine learning."""

    properties: p.MLFeatureProperties | None = _view(
        "mlFeatureProperties",
        p.MLFeatureProperties,
        "What is known of the feature.",
        version=_within("version", p.VersionTag),
        sources=_all("sources", "dataset"),
    )
    description: str | None = _text("mlFeatureProperties", "description", "See `properties`.")
    data_type: str | None = _text("mlFeatureProperties", "dataType", "See `properties`.")

    @shown("What tells apart features of one name.")
    def feature_namespace(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]


@_entity("mlFeatureTable")
class MLFeatureTable(Entity):
    """A table of features."""

    properties: p.MLFeatureTableProperties | None = _view(
        "mlFeatureTableProperties",
        p.MLFeatureTableProperties,
        "What is known of the table.",
        ml_features=_all("mlFeatures", "mlFeature"),
        ml_primary_keys=_all("mlPrimaryKeys", "mlPrimaryKey"),
    )
    description: str | None = _text("mlFeatureTableProperties", "description", "See `properties`.")


@_entity("mlPrimaryKey")
class MLPrimaryKey(Entity):
    """The key of a table of features."""

    properties: p.MLPrimaryKeyProperties | None = _view(
        "mlPrimaryKeyProperties",
        p.MLPrimaryKeyProperties,
        "What is known of the key.",
        version=_within("version", p.VersionTag),
        sources=_all("sources", "dataset"),
    )
    description: str | None = _text("mlPrimaryKeyProperties", "description", "See `properties`.")
    data_type: str | None = _text("mlPrimaryKeyProperties", "dataType", "See `properties`.")

    @shown("What tells apart keys of one name.")
    def feature_namespace(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]


@_entity("dataProduct")
class DataProduct(HasAssets):
    """Data that someone offers as a product."""

    properties: p.DataProductProperties | None = _view(
        "dataProductProperties",
        p.DataProductProperties,
        "What the product is.",
        num_assets=lambda value: len(records(value.get("assets"))),
    )


@_entity("ownershipType")
class OwnershipTypeEntity(Entity):
    """A kind of ownership."""

    info: p.OwnershipTypeInfo | None = _view("ownershipTypeInfo", p.OwnershipTypeInfo, "What it means.")


@_entity("assertion")
class Assertion(Entity):
    """A check that runs against an entity, again and again."""


@_entity("incident")
class Incident(Entity):
    """Something that went wrong with an entity."""

    incident_type: str | None = _text("incidentInfo", "type", "OPERATIONAL, FRESHNESS, CUSTOM …")
    custom_type: str | None = _text("incidentInfo", "customType", "The type where `incidentType` is CUSTOM.")
    title: str | None = _text("incidentInfo", "title", "What it is called.")
    description: str | None = _text("incidentInfo", "description", "What happened.")

    @shown("How the incident stands.")
    async def status(self, info: Info) -> IncidentStatus | None:
        """Null if nobody said."""
        value = (await info.context.loaders.value(self.urn, "incidentInfo") or {}).get("status")
        return view(IncidentStatus, value) if isinstance(value, dict) else None

    @shown("What raised the incident.")
    async def source(self, info: Info) -> IncidentSource | None:
        """Null if nobody said."""
        value = (await info.context.loaders.value(self.urn, "incidentInfo") or {}).get("source")
        return view(IncidentSource, value, source=referred(value.get("sourceUrn"))) if isinstance(value, dict) else None

    @shown("The first of the entities that the incident concerns.")
    async def entity(self, info: Info) -> Entity | None:
        """Null if nobody said."""
        urns = texts((await info.context.loaders.value(self.urn, "incidentInfo") or {}).get("entities"))
        found: Entity | None = referred(urns[0]) if urns else None
        return found

    @shown("When the incident was raised, and who raised it.")
    async def created(self, info: Info) -> AuditStamp | None:
        """Null if nobody said."""
        return stamp((await info.context.loaders.value(self.urn, "incidentInfo") or {}).get("created"))


@_entity("structuredProperty")
class StructuredPropertyEntity(Entity):
    """A property with a type, which entities may have."""

    @shown("What the property is.")
    async def definition(self, info: Info) -> StructuredPropertyDefinition | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "propertyDefinition")
        return None if value is None else definition(value)


@_entity("entityType")
class EntityTypeEntity(Entity):
    """An entity type, as structured properties and forms name it."""

    @shown("What the type is.")
    async def info(self, info: Info) -> EntityTypeInfo:
        """From the URN where nobody described it."""
        value = await info.context.loaders.value(self.urn, "entityTypeInfo") or {}
        return entity_type_info(parse_urn(self.urn).parts[0], value)


@_entity("dataType")
class DataTypeEntity(Entity):
    """A type of values, as structured properties name it."""

    @shown("What the type is.")
    async def info(self, info: Info) -> DataTypeInfo:
        """From the URN where nobody described it."""
        value = await info.context.loaders.value(self.urn, "dataTypeInfo") or {}
        return data_type_info(parse_urn(self.urn).parts[0], value)


@_entity("application")
class Application(Entity):
    """What an organisation runs, made of many entities."""


@_entity("dataContract")
class DataContract(Entity):
    """What the owners of a dataset promise about it."""


@_entity("document")
class Document(Entity):
    """A text that people wrote about their data."""

    @shown("What kind of document it is: the first of its sub-types.")
    async def sub_type(self, info: Info) -> str | None:
        """Null if nobody said."""
        names = texts((await info.context.loaders.value(self.urn, "subTypes") or {}).get("typeNames"))
        return names[0] if names else None

    @shown("All documents above the document.")
    async def parent_documents(self, info: Info) -> ParentDocumentsResult:
        """The nearest first."""
        above = await ancestors(info, self.urn, "documentInfo", "parentDocument.document")
        documents = [found for urn in above if (found := referred(urn, "document")) is not None]
        return ParentDocumentsResult(count=len(documents), documents=documents)


@_entity("post")
class Post(Entity):
    """Something that people are told where they look."""

    post_type: str | None = _text("postInfo", "type", "HOME_PAGE_ANNOUNCEMENT …")

    content: Any = _record("postInfo", "content", "com.linkedin.post.PostContent", "What is told.")


@_entity("versionSet")
class VersionSet(Entity):
    """The versions of one thing."""

    @shown("The latest version.")
    async def latest_version(self, info: Info) -> Entity | None:
        """Null if nobody said."""
        found: Entity | None = referred(
            (await info.context.loaders.value(self.urn, "versionSetProperties") or {}).get("latest")
        )
        return found

    @shown("A search among the versions, as many as a page may have.")
    async def versions_search(
        self,
        info: Info,
        input: SearchAcrossEntitiesInput,  # noqa: A002  DataHub's name
    ) -> SearchResults | None:
        """One page."""
        whole = info.context.settings.max_page
        page = await related(self, info, ("VersionOf",), RelationshipDirection.INCOMING, 0, whole)
        return await among(info, [row.entity.urn for row in page.relationships], input)


@_entity("form")
class Form(Entity):
    """Questions that entities of some kind should answer."""


@_entity("query")
class QueryEntity(Entity):
    """The text of a query, and what it is about."""

    @shown("What the query is about.")
    async def subjects(self, info: Info) -> list[QuerySubject] | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "querySubjects")
        found = None if value is None else [referred(item.get("entity")) for item in records(value.get("subjects"))]
        return None if found is None else [_subject(entity) for entity in found if entity is not None]


@_entity("dataHubIngestionSource")
class IngestionSource(Entity):
    """A source that an executor ingests from."""

    @shown("Runs of the source.")
    async def executions(
        self, info: Info, start: int | None = 0, count: int | None = 10
    ) -> IngestionSourceExecutionRequests:
        """One page."""
        page = await related(self, info, ("ingestionSource",), RelationshipDirection.INCOMING, start, count)
        found: list[Any] = [r.entity for r in page.relationships if r.entity.type_text == "dataHubExecutionRequest"]
        return IngestionSourceExecutionRequests(
            start=page.start, count=len(found), total=page.total, execution_requests=found
        )


@_entity("dataHubExecutionRequest")
class ExecutionRequest(Entity):
    """One run of an ingestion source."""

    @shown("The run's id.")
    def id(self) -> str:
        """A part of the URN's key."""
        return parse_urn(self.urn).parts[0]


def _others() -> None:
    """Types for everything else that DataHub ships, with the shared aspects that the model allows on it."""
    for name in SHIPPED_TYPES:
        if class_of(name) is GenericEntity:
            register(name, type(name, shared(name) or (Entity,), {"__doc__": f"An entity of type `{name}`."}))


_others()
