"""
Emitters for Python programs: proposals to graphsvc, or to DataHub itself, over REST or Kafka.

    with RestEmitter("http://127.0.0.1:8080") as emitter:
        emitter.emit(Proposal("urn:li:tag:PII", "tagProperties", {"name": "PII"}))

Nothing of the service is imported here, and confluent_kafka only when a Kafka emitter is asked for.
"""

from typing import TYPE_CHECKING, Any

from graphsvc.client.errors import Denied, EmitError, Failure, Refused, Unavailable
from graphsvc.client.proposal import ChangeType, Proposal
from graphsvc.client.rest import AsyncRestEmitter, RestEmitter

if TYPE_CHECKING:
    from graphsvc.client.kafka import AsyncKafkaEmitter, KafkaEmitter

__all__ = [
    "AsyncKafkaEmitter",
    "AsyncRestEmitter",
    "ChangeType",
    "Denied",
    "EmitError",
    "Failure",
    "KafkaEmitter",
    "Proposal",
    "Refused",
    "RestEmitter",
    "Unavailable",
]


def __getattr__(name: str) -> Any:
    if name in {"AsyncKafkaEmitter", "KafkaEmitter"}:
        from graphsvc.client import kafka  # noqa: PLC0415  librdkafka is loaded only for those who use it

        return getattr(kafka, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
