"""Lineage between columns as the aspects declare it, and the inputs and outputs of jobs."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.views import Json, described, fraction, records, shown, text, texts
from graphsvc.urn import parse_urn

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import DataJob, Dataset

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")


@described
class SchemaFieldRef:
    """A column."""

    urn: str
    path: str


@described
class FineGrainedLineage:
    """Columns that come from columns."""

    upstreams: list[SchemaFieldRef]
    downstreams: list[SchemaFieldRef]
    query: str | None
    transform_operation: str | None
    confidence_score: float | None


@described
class DataJobInputOutput:
    """What a job reads and writes, as its aspect says."""

    input_datasets: list[Annotated["Dataset", _TYPES]]
    output_datasets: list[Annotated["Dataset", _TYPES]]
    input_datajobs: list[Annotated["DataJob", _TYPES]]
    fine_grained_lineages: list[FineGrainedLineage]


def fine_grained(value: Json) -> list[FineGrainedLineage]:
    """The field `fineGrainedLineages` of an aspect."""
    return [
        FineGrainedLineage(
            upstreams=schema_field_refs(item.get("upstreams")),
            downstreams=schema_field_refs(item.get("downstreams")),
            query=text(item.get("query")),
            transform_operation=text(item.get("transformOperation")),
            confidence_score=fraction(item.get("confidenceScore")),
        )
        for item in records(value)
    ]


@strawberry.type
class HasInputOutput(Entity):
    """`dataJobInputOutput`."""

    @shown("What the job reads and writes.")
    async def input_output(self, info: Info) -> DataJobInputOutput | None:
        """Null if nobody said."""
        value = await info.context.loaders.value(self.urn, "dataJobInputOutput")
        if value is None:
            return None
        return DataJobInputOutput(
            input_datasets=_ends(value, "inputDataset", "dataset"),
            output_datasets=_ends(value, "outputDataset", "dataset"),
            input_datajobs=_ends(value, "inputDatajob", "dataJob"),
            fine_grained_lineages=fine_grained(value.get("fineGrainedLineages")),
        )


def _ends(value: dict[str, Any], name: str, entity_type: str) -> list[Any]:
    """Entities that are named in the plain list, or in the newer one of edges; each once."""
    edges = records(value.get(f"{name}Edges"))
    urns = [*(texts(value.get(f"{name}s")) or ()), *(edge.get("destinationUrn") for edge in edges)]
    return [found for urn in dict.fromkeys(urns) if (found := referred(urn, entity_type)) is not None]


def schema_field_refs(value: Json) -> list[SchemaFieldRef]:
    """A list of columns' URNs."""
    found = [referred(urn, "schemaField") for urn in texts(value) or ()]
    return [SchemaFieldRef(urn=e.urn, path=parse_urn(e.urn).parts[1]) for e in found if e is not None]
