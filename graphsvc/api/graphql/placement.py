"""Where entities stand: browse paths, and the chain of parents above them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from graphsvc.api.graphql.context import Info
from graphsvc.api.graphql.entity import Entity, referred
from graphsvc.api.graphql.views import at, described, records, shown, text, texts

if TYPE_CHECKING:
    from graphsvc.api.graphql.types import Container, GlossaryNode

_TYPES = strawberry.lazy("graphsvc.api.graphql.types")
MAX_PARENTS = 100


@described
class BrowsePath:
    """A path of names, the outermost first."""

    path: list[str]


@described
class BrowsePathEntry:
    """A step of a browse path: a container where `entity` is given, else a name."""

    name: str
    entity: Entity | None


@described
class BrowsePathV2:
    """The path to an entity, the outermost step first."""

    path: list[BrowsePathEntry]


@described
class ParentContainersResult:
    """The containers above an entity, the nearest first."""

    count: int
    containers: list[Annotated["Container", _TYPES]]


@described
class ParentNodesResult:
    """The glossary nodes above a term or node, the nearest first."""

    count: int
    nodes: list[Annotated["GlossaryNode", _TYPES]]


@described
class ParentDomainsResult:
    """The domains above a domain, the nearest first."""

    count: int
    domains: list[Entity]


async def ancestors(info: Info, urn: str, aspect: str, key: str) -> list[str]:
    """
    URNs above an entity, the nearest first; a circle ends where it closes, and a chain after `MAX_PARENTS`.

    Args:
        info: The request.
        urn: Where to start; not a part of the answer.
        aspect: The aspect that names the parent, on every level.
        key: Where in its value the parent stands, `a.b` being b within a.
    """
    found = [urn]
    while len(found) <= MAX_PARENTS:
        parent = referred(at(await info.context.loaders.value(found[-1], aspect), key))
        if parent is None or parent.urn in found:
            break
        found.append(parent.urn)
    return found[1:]


@strawberry.interface(description="An entity that people browse to.")
class BrowsableEntity(Entity):
    """DataHub's name for those that have `browsePaths`."""

    @shown("Paths of the older kind; null if nobody said.")
    async def browse_paths(self, info: Info) -> list[BrowsePath] | None:
        """`/prod/hive/shop` is a path of three names."""
        value = await info.context.loaders.value(self.urn, "browsePaths")
        return None if value is None else [BrowsePath(path=split(path)) for path in texts(value.get("paths")) or ()]


def split(path: str) -> list[str]:
    """The names of a path of the older kind."""
    return [name for name in path.split("/") if name]


@strawberry.type
class HasBrowsePath(Entity):
    """`browsePathsV2`."""

    @shown("The path to the entity: what the aspect says, else the containers that it stands in; null without both.")
    async def browse_path_v2(self, info: Info) -> BrowsePathV2 | None:
        """Steps that are containers are named by their URNs, as DataHub does."""
        value = await info.context.loaders.value(self.urn, "browsePathsV2")
        if value is not None:
            steps = [(text(step.get("id")), step.get("urn")) for step in records(value.get("path"))]
        else:
            above = await ancestors(info, self.urn, "container", "container")
            steps = [(urn, urn) for urn in reversed(above)]
        if value is None and not steps:
            return None
        return BrowsePathV2(path=[BrowsePathEntry(name=name, entity=referred(urn)) for name, urn in steps if name])
