"""One shape for errors in answers: a message, and `extensions.code` for programs."""

import logging
from collections.abc import Iterator

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension

from graphsvc.errors import (
    BadRequest,
    BadUrn,
    GraphsvcError,
    StoreUnavailable,
    TooLarge,
)
from graphsvc.graph.reader import ReadTimeout

logger = logging.getLogger(__name__)

# The first class that fits gives the code.
_CODES: tuple[tuple[type[GraphsvcError], str], ...] = (
    (ReadTimeout, "TIMEOUT"),
    (StoreUnavailable, "STORE_UNAVAILABLE"),
    (BadUrn, "BAD_URN"),
    (TooLarge, "LIMIT_EXCEEDED"),
    (BadRequest, "BAD_INPUT"),
)
# How the limiters word it when a document passes a limit; they raise plain GraphQL errors.
_LIMITS = ("exceeds maximum operation depth", "aliases found. Allowed", "Document contains more than")


def code_of(error: GraphQLError) -> str:
    """`INTERNAL` for what nobody foresaw; a document that is not valid GraphQL has no cause of its own."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        return "LIMIT_EXCEEDED" if any(text in error.message for text in _LIMITS) else "BAD_INPUT"
    return next((code for kind, code in _CODES if isinstance(cause, kind)), "INTERNAL")


def coded(error: GraphQLError) -> GraphQLError:
    """The error with its code; the message of one that nobody foresaw stays in the log."""
    code = code_of(error)
    if code == "INTERNAL":
        logger.error("GraphQL: %s failed", "/".join(str(p) for p in error.path or ()), exc_info=error.original_error)
    return GraphQLError(
        "internal error; the service's log says more" if code == "INTERNAL" else error.message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        original_error=error.original_error,
        extensions={**(error.extensions or {}), "code": code},
    )


class ErrorCodes(SchemaExtension):
    """Gives every error of an answer its code."""

    def on_operation(self) -> Iterator[None]:
        """Run after all else, so that errors of parsing, validation and execution come here."""
        yield
        result = self.execution_context.result
        errors = getattr(result, "errors", None)
        if errors:
            result.errors = [coded(error) for error in errors]  # type: ignore[union-attr]
