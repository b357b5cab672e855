"""Take an entity out of the aspects that refer to it, as DataHub's clients want it when a tag or a user is deleted."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import orjson
import structlog

from graphsvc.errors import Conflict, GraphsvcError, PreconditionFailed
from graphsvc.graph.referrers import Referrer, Referrers
from graphsvc.graph.registry import AspectSpec, Path, Registry
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.service import IngestService

PAGE = 200  # aspects that are written in one transaction
SAMPLE = 10
VAIN = 5  # rounds without a success, since others write to the same aspects meanwhile
# Where column lineage names columns: in fine-grained lineage, and in what a chart shows.
COLUMNS: tuple[Path, ...] = (("upstreams", "*"), ("downstreams", "*"), ("schemaFieldUrn",))

log = structlog.get_logger()


class References:
    """Finds and removes references to an entity, through the one write path."""

    def __init__(self, service: IngestService, referrers: Referrers, registry: Registry) -> None:
        """
        Keep what it works with.

        Args:
            service: Writes the aspects without the references.
            referrers: Knows which aspects refer to an entity.
            registry: Knows where in them.
        """
        self._service = service
        self._referrers = referrers
        self._registry = registry

    async def find(self, urn: str) -> tuple[int, list[Referrer]]:
        """How many aspects refer to an entity, and some of them."""
        return await self._referrers.total(urn), (await self._referrers.some(urn, SAMPLE))[:SAMPLE]

    async def remove(self, urn: str) -> int:
        """
        Rewrite all aspects that refer to an entity, page by page, each page in one transaction.

        Returns:
            How many were written. Those that cannot do without it are not: key aspects come from URNs.

        Raises:
            Conflict: Others kept on writing to the same aspects; what is done stays done, and it may be tried again.
            StoreUnavailable: As the service raised it.
        """
        written = vain = 0
        skipped: set[tuple[str, str]] = set()
        while found := await self._referrers.some(urn, PAGE, skipped):
            proposals: dict[tuple[str, str], Proposal] = {}
            for referrer in found:
                proposal = self._without(referrer, urn)
                if proposal is None:
                    skipped.add((referrer.urn, referrer.aspect))
                else:
                    proposals[referrer.urn, referrer.aspect] = proposal
            answers = await self._service.ingest(list(proposals.values()))
            refused = {
                pair: answer
                for pair, answer in zip(proposals, answers, strict=True)
                if isinstance(answer, GraphsvcError) and not isinstance(answer, PreconditionFailed)
            }
            skipped |= refused.keys()
            landed = sum(not isinstance(answer, GraphsvcError) for answer in answers)
            written += landed
            vain = 0 if landed or not proposals or refused else vain + 1
            if vain == VAIN:
                raise Conflict(f"others keep writing to what refers to {urn}; {written} were written, try again")
        if skipped:
            log.warning("references that stay", urn=urn, number=len(skipped), first=min(skipped))
        return written

    def _without(self, referrer: Referrer, urn: str) -> Proposal | None:
        """The proposal that takes the entity out of an aspect; None where nothing can."""
        spec = self._registry.aspects.get(referrer.aspect)
        if spec is None or spec.key_for is not None:
            return None
        old = orjson.loads(referrer.value)
        new = without(old, spec, urn)
        if new == old:
            return None
        headers = {"If-Version-Match": str(referrer.version)}
        if new:
            return proposal_of(referrer.urn, referrer.aspect, new, headers=headers)
        return Proposal(entity_urn=referrer.urn, change_type="DELETE", aspect_name=referrer.aspect, headers=headers)


def without(value: Mapping[str, Any], spec: AspectSpec, urn: str) -> dict[str, Any]:
    """
    An aspect's value without an entity.

    Where the model says that what holds the reference may do without it, it alone goes; else the list item or map entry
    that it stands in; else the field of the aspect, or where that is the reference itself, all of it. An empty value
    means that the aspect has nothing left to say.
    """
    new: dict[str, Any] = deepcopy(dict(value))
    paths = [(edge.path, edge.optional) for edge in spec.edges]
    if spec.column_lineage:
        paths += [((spec.column_lineage, "*", *path), False) for path in COLUMNS]
    for path, optional in paths:
        if _goes(new, path, urn, optional=optional):
            if len(path) == 1:
                return {}
            del new[path[0]]
    return new


def _goes(holder: Any, path: Path, urn: str, *, optional: bool) -> bool:
    """Take a URN out of what a path leads to in it; True if it cannot do without."""
    if not path:
        return bool(holder == urn)
    head, rest = path[0], path[1:]
    if head == "*":
        places = reversed(range(len(holder))) if isinstance(holder, list) else list(holder)
        for place in places:
            if _goes(holder[place], rest, urn, optional=optional):
                del holder[place]
        return False
    if (
        not isinstance(holder, dict)
        or holder.get(head) is None
        or not _goes(holder[head], rest, urn, optional=optional)
    ):
        return False
    if optional and not rest:
        del holder[head]
        return False
    return True
