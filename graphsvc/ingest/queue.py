"""Asynchronous proposals over REST: checked, put on the proposal topic, and answered when the brokers have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphsvc.config import KafkaSettings
from graphsvc.errors import GraphsvcError
from graphsvc.ingest import metrics
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.avro_log import system
from graphsvc.ingest.changelog import generic
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.publisher import Message, Publisher
from graphsvc.ingest.service import IngestService
from graphsvc.ingest.snapshot import Item
from graphsvc.ingest.trace_ids import traced
from graphsvc.ingest.validate import Change, canonical


@dataclass(frozen=True, slots=True)
class Queued:
    """A proposal that will be applied: the brokers have it."""

    urn: str
    aspect: str


class Queue:
    """Puts proposals on the proposal topic, keyed by URN."""

    def __init__(self, service: IngestService, publisher: Publisher, codec: Codec, kafka: KafkaSettings) -> None:
        self._service = service
        self._publisher = publisher
        self._codec = codec
        self._topic = kafka.proposal_topic

    async def put(self, items: Sequence[Item], trace: str) -> list[Queued | GraphsvcError]:
        """
        Queue what can be decoded and checked without a look at the graph.

        Args:
            items: Decoded proposals, or why they are none.
            trace: Trace id; it goes with each proposal into its aspect's systemMetadata.

        Returns:
            Per item `Queued`, or the error for which it was refused.

        Raises:
            BrokerUnavailable: The brokers did not acknowledge all; some may be applied all the same.
        """
        answers: list[Queued | GraphsvcError] = []
        messages: list[Message] = []
        places: list[int] = []
        for item, change in zip(items, await self._service.check(items), strict=True):
            if isinstance(change, Change) and isinstance(item, Proposal):
                places.append(len(answers))
                value = await self._codec.encode(self._topic, "MetadataChangeProposal", _record(item, change, trace))
                messages.append(Message(self._topic, change.urn.text.encode(), value))
                answers.append(Queued(change.urn.text, change.aspect))
            elif isinstance(change, GraphsvcError):
                answers.append(change)
        for index, error in (await self._publisher.send(messages)).items():
            answers[places[index]] = error
        metrics.count("rest", answers, "queued")
        return answers


def _record(proposal: Proposal, change: Change, trace: str) -> dict[str, Any]:
    return {
        "auditHeader": None,
        "entityType": change.entity.name,
        "entityUrn": change.urn.text,
        "entityKeyAspect": None,
        "changeType": change.change_type,
        "aspectName": change.aspect,
        "aspect": None if change.change_type == "DELETE" else generic(change.text),
        "systemMetadata": system(canonical(traced(change.system, trace)), None),
        "headers": dict(proposal.headers) if proposal.headers else None,
    }
