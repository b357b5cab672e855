"""What the metadata model says, as frozen values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeSpec:
    """
    One relationship annotation: where in an aspect's value the targets stand, and what the edge is.

    Attributes:
        name: Relationship type in Neo4j, e.g. `DownstreamOf`.
        path: Path to the target URN; `*` means each item of a list or each value of a map.
        destinations: Entity types that the model expects at the far end. Not enforced, as in DataHub.
        lineage: Whether data flows along this edge.
        upstream: Whether the far end is the upstream; means something only for lineage.
        mirror: Type of the reversed edge that lineage walks use, when `lineage` and not `upstream`.
        details: Edge property -> its path: createdOn, createdActor, updatedOn, updatedActor, properties, via.
        optional: Whether what holds the target may do without it.
    """

    name: str
    path: Path
    destinations: tuple[str, ...] = ()
    lineage: bool = False
    upstream: bool = True
    mirror: str | None = None
    details: Mapping[str, Path] = None  # type: ignore[assignment]  # always set by the loader
    optional: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FieldSpec:
    """
    One searchable annotation.

    Attributes:
        path: Where in the aspect's value the text or number stands.
        name: DataHub's field name; the property's name on the entity node.
        kind: DataHub's field type: TEXT, KEYWORD, URN, BOOLEAN, DATETIME, COUNT, MAP_ARRAY …
        boost: Weight in search.
        many: Whether the path passes a list or map, so that the property is a list.
        flat: Whether it stands at the top of the value, alone.
    """

    path: Path
    name: str
    kind: str
    boost: float
    many: bool
    flat: bool


@dataclass(frozen=True, slots=True, eq=False)
class AspectSpec:
    """
    One aspect of the model.

    Attributes:
        name: `upstreamLineage` …
        record: Full name of its record on the wire, the key of MCE snapshots and of `/aspects` answers.
        timeseries: Points in time instead of versions.
        key_for: Entity type whose key aspect this is.
        edges: Relationships it declares.
        fields: Searchable fields.
        column_lineage: Name of the field that holds fine-grained lineage, if the aspect has one.
    """

    name: str
    record: str
    timeseries: bool
    key_for: str | None
    edges: tuple[EdgeSpec, ...]
    fields: tuple[FieldSpec, ...]
    column_lineage: str | None


@dataclass(frozen=True, slots=True, eq=False)
class EntitySpec:
    """
    One entity type.

    Attributes:
        name: `dataset`, `corpuser` …, as in URNs.
        label: Second label of its nodes, `Dataset`.
        key_aspect: Aspect that is computed from the URN when the entity comes into being.
        key_fields: Fields of the key aspect, in the order of the URN's parts.
        name_part: Index of the URN part that names the entity when no aspect does.
        aspects: Aspects allowed on it, the key aspect included.
        naming: Aspect and paths that name it; None where only the URN does.
        projection: Aspect -> first part of a path -> the fields under it which become properties of the node.
    """

    name: str
    label: str
    key_aspect: str
    key_fields: tuple[str, ...]
    name_part: int
    aspects: frozenset[str]
    naming: tuple[str, tuple[Path, ...]] | None
    projection: Mapping[str, Mapping[str, tuple[FieldSpec, ...]]]

    def projected(self, aspect: str) -> Iterator[FieldSpec]:
        """The fields of an aspect which become properties of the node."""
        return (field for fields in self.projection.get(aspect, {}).values() for field in fields)


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """
    The whole model: what DataHub ships, our overrides, and a user's own file.

    Attributes:
        entities: Entity type -> its spec.
        aspects: Aspect name -> its spec.
        records: Record's wire name -> field -> type, in the short form of `scripts/build_registry.py`.
        aspect_of_record: Record's wire name -> aspect name, for MCE snapshots.
        relationship_types: Every type an edge may have, mirrors included.
        lineage_types: Types that lineage walks follow from downstream to upstream, mirrors included.
    """

    entities: Mapping[str, EntitySpec]
    aspects: Mapping[str, AspectSpec]
    records: Mapping[str, Mapping[str, Any]]
    aspect_of_record: Mapping[str, str]
    relationship_types: frozenset[str]
    lineage_types: tuple[str, ...]

    @property
    def labels(self) -> Mapping[str, str]:
        """Label -> entity type."""
        return {spec.label: name for name, spec in self.entities.items()}
