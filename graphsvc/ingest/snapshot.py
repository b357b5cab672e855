"""Pure: the older forms of metadata (MCE snapshots, DataHub's JSON files) -> proposals."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from graphsvc.errors import BadProposal, GraphsvcError
from graphsvc.graph.registry import Registry
from graphsvc.ingest.avro_json import plain
from graphsvc.ingest.proposal import PROPOSAL, Proposal, proposal_of

PEGASUS = ".pegasus2avro."
Item = Proposal | GraphsvcError


def decode_proposal(raw: Any) -> Item:
    """One proposal from its JSON; what is wrong with it where it is none, so that a batch can go on without it."""
    if not isinstance(raw, dict):
        return BadProposal("a proposal is a JSON object with entityUrn, aspectName and aspect")
    try:
        return PROPOSAL.validate_python(raw)
    except ValidationError as exc:
        places = (f"{'/'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in exc.errors(include_url=False)[:3])
        return BadProposal(f"not a proposal: {'; '.join(places)}")


def proposals_of_entity(entity: Any, system: Any, registry: Registry) -> list[Item]:
    """
    The proposals in one entity of `/entities?action=ingest`.

    Args:
        entity: `{"value": {"com.linkedin…DatasetSnapshot": {"urn": …, "aspects": [{"<record>": {…}}]}}}`.
        system: systemMetadata of the request, for all of them.
        registry: Knows which aspect a record is.

    Returns:
        One proposal per aspect, or why it is none.
    """
    value = entity.get("value") if isinstance(entity, Mapping) else None
    return list(_snapshot(value, system, registry))


def _snapshot(value: Any, system: Any, registry: Registry, *, avro: bool = False) -> Iterator[Item]:
    snapshots = list(value.values()) if isinstance(value, Mapping) else []
    if len(snapshots) != 1 or not isinstance(snapshots[0], Mapping):
        yield BadProposal("a snapshot is an object with one key, e.g. com.linkedin.metadata.snapshot.DatasetSnapshot")
        return
    urn, aspects = snapshots[0].get("urn"), snapshots[0].get("aspects")
    if not isinstance(urn, str) or not isinstance(aspects, list):
        yield BadProposal("a snapshot needs a urn and a list of aspects")
        return
    for aspect in aspects:
        yield _aspect(urn, aspect, system, registry, avro=avro)


def _aspect(urn: str, aspect: Any, system: Any, registry: Registry, *, avro: bool) -> Item:
    if not isinstance(aspect, Mapping) or len(aspect) != 1:
        return BadProposal(f"an aspect in a snapshot of {urn} is not an object with one key, its record's name")
    ((record, value),) = aspect.items()
    name = registry.aspect_of_record.get(record.replace(PEGASUS, "."))
    if name is None:
        return BadProposal(f"no aspect of the model has the record {record[:200]!r}")
    if avro:
        value = plain(value, f"@{registry.aspects[name].record}", registry.records)
    try:
        return proposal_of(urn, name, value, system_metadata=system)
    except ValidationError as exc:
        return BadProposal(f"{name} of {urn}: {exc.errors(include_url=False)[0]['msg']}")


def proposals_of_file(document: Any, registry: Registry) -> list[Item]:
    """
    The proposals in a JSON file as DataHub's file source reads it.

    Args:
        document: One item or a list; an item is an MCP (`aspectName` …), or an MCE (`proposedSnapshot`).
        registry: Knows which aspect a record is.

    Returns:
        Per MCP one, per MCE one per aspect: proposals, or why they are none. Names of union members lose the
        `pegasus2avro` part and `fieldDiscriminator`s go, as DataHub's client does before it sends them; MCEs are in
        Avro's JSON, which wraps optional values.
    """
    items = document if isinstance(document, list) else [document]
    found: list[Item] = []
    for item in items:
        clean = _clean(item)
        if isinstance(clean, Mapping) and "proposedSnapshot" in clean:
            found.extend(_snapshot(clean["proposedSnapshot"], clean.get("systemMetadata"), registry, avro=True))
        elif isinstance(clean, Mapping) and ("aspectName" in clean or "changeType" in clean):
            found.append(decode_proposal(clean))
        else:
            found.append(BadProposal("neither an MCP (with aspectName) nor an MCE (with proposedSnapshot)"))
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = ((key.replace(PEGASUS, "."), _clean(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not None and key != "fieldDiscriminator"}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
