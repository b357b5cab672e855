"""
Every failure graphsvc raises on purpose.

GraphsvcError
+ BadProposal          422  dead-letter  this proposal can never be applied
  + BadUrn
  + UnknownEntityType
  + UnknownAspect
  + AspectNotAllowed
  + BadValue
  + Undecodable                            a Kafka record that is no proposal at all
  + Unsupported        422  dead-letter  a change type that graphsvc does not apply (yet)
+ Conflict             409  dead-letter  the caller expected another state (CREATE of what exists …)
+ PreconditionFailed   412  dead-letter  an If-… header of the proposal does not hold
+ BadRequest           400  dead-letter  the request around the proposals is malformed
+ NotFound             404  dead-letter  the thing asked for does not exist
  + SchemaNotFound                       … in the schema registry
+ CursorGone           410  dead-letter  what a cursor points at is not kept any more
+ TooSlow              429  dead-letter  a subscriber takes its changes more slowly than they come
+ BadSchema            422  dead-letter  the schema registry cannot take this schema
  + IncompatibleSchema 409  dead-letter  … as the subject has older ones that it does not go with
  + BadLevel           422  dead-letter  what is no level of compatibility
+ UnsupportedMediaType 415  dead-letter  the body does not call itself JSON
+ TooLarge             413  dead-letter  a limit on size was passed
+ Unauthorized         401  dead-letter  no token, or a wrong one
+ Unavailable          503  retry        something that we need is away; the same input may work later
  + StoreUnavailable                     Neo4j is away
    + StoreRefused                       Neo4j answers, but could not run this transaction
  + BrokerUnavailable                    Kafka, or the schema registry beside it, is away
+ ConfigError          500  stop         the settings or the model cannot be used; the process does not start

`status` is what HTTP answers, `fate` what the Kafka consumer does with the record.
"""

from typing import ClassVar, Literal

Fate = Literal["dead-letter", "retry", "stop"]


class GraphsvcError(Exception):
    """Root of the tree; never raised itself."""

    status: ClassVar[int] = 500
    fate: ClassVar[Fate] = "stop"


class BadProposal(GraphsvcError):
    """This proposal can never be applied, however often it is sent."""

    status = 422
    fate = "dead-letter"


class BadUrn(BadProposal):
    """A string where a URN belongs does not parse as one."""

    def __init__(self, text: str, where: str, why: str = "") -> None:
        self.text = text
        self.where = where
        super().__init__(f"not a URN at {where}: {text[:200]!r}" + (f" ({why})" if why else ""))


class UnknownEntityType(BadProposal):
    """The URN's entity type is not in the model; the message lists near names."""


class UnknownAspect(BadProposal):
    """The aspect is not in the model, and the settings say to refuse it."""


class AspectNotAllowed(BadProposal):
    """The aspect exists, but the model does not allow it on this entity type."""


class BadValue(BadProposal):
    """The aspect's value is not well-formed JSON, or not of the aspect's shape."""


class Undecodable(BadProposal):
    """A Kafka record that does not decode: no value, a wrong frame, an unknown or unsafe schema, broken Avro …."""


class Unsupported(BadProposal):
    """A change type or content type that graphsvc does not apply."""


class Conflict(GraphsvcError):
    """The caller expected another state, e.g. CREATE of an aspect that exists with another value."""

    status = 409
    fate = "dead-letter"


class PreconditionFailed(GraphsvcError):
    """An If-Version-Match, If-None-Match or If-(Un)Modified-Since header of the proposal does not hold."""

    status = 412
    fate = "dead-letter"


class BadRequest(GraphsvcError):
    """The request around the proposals is malformed: not JSON, no such action, a wrong parameter."""

    status = 400
    fate = "dead-letter"


class NotFound(GraphsvcError):
    """The thing asked for does not exist."""

    status = 404
    fate = "dead-letter"


class SchemaNotFound(NotFound):
    """The schema registry has no such subject (40401), version (40402), schema (40403) or level (40408)."""

    def __init__(self, message: str, code: Literal[40401, 40402, 40403, 40408]) -> None:
        self.code = code
        super().__init__(message)


class CursorGone(GraphsvcError):
    """What a cursor of the change log points at is not kept any more; the changes in between are lost to its owner."""

    status = 410
    fate = "dead-letter"


class TooSlow(GraphsvcError):
    """A subscriber takes its changes more slowly than they come; it may go on from its last cursor."""

    status = 429
    fate = "dead-letter"


class BadSchema(GraphsvcError):
    """A schema that is not Avro, not well-formed, or over the limit; `code` is Confluent's."""

    status = 422
    fate = "dead-letter"
    code: ClassVar[int] = 42201


class IncompatibleSchema(BadSchema):
    """A schema that the subject's level of compatibility does not let follow the older ones."""

    status = 409
    code = 409


class BadLevel(BadSchema):
    """A level of compatibility that is none."""

    code = 42203


class TooLarge(GraphsvcError):
    """A body, a batch or an aspect passes its limit; the message says which and by how much."""

    status = 413
    fate = "dead-letter"


class UnsupportedMediaType(GraphsvcError):
    """The body does not call itself JSON."""

    status = 415
    fate = "dead-letter"


class Unauthorized(GraphsvcError):
    """The request carries no token, or a wrong one."""

    status = 401
    fate = "dead-letter"


class Unavailable(GraphsvcError):
    """Something that graphsvc needs does not answer; the same input may work later."""

    status = 503
    fate = "retry"
    retry_after_s: ClassVar[int] = 2


class StoreUnavailable(Unavailable):
    """Neo4j does not answer."""


class BrokerUnavailable(Unavailable):
    """Kafka or its schema registry does not answer, or does not take what we send."""


class StoreRefused(StoreUnavailable):
    """Neo4j answers, but could not run this transaction, however often it was tried."""


class ConfigError(GraphsvcError):
    """The settings, the model file or this machine cannot be used as they are."""
