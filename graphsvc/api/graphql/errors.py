"""One shape for errors in answers: a message, and `extensions.code` for programs."""

import logging
import re
from collections.abc import Iterator
from typing import Any

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension

from graphsvc.errors import (
    BadRequest,
    BadUrn,
    BrokerUnavailable,
    CursorGone,
    GraphsvcError,
    StoreUnavailable,
    TooLarge,
    TooSlow,
)
from graphsvc.graph.reader import ReadTimeout

logger = logging.getLogger(__name__)

# The first class that fits gives the code.
_CODES: tuple[tuple[type[GraphsvcError], str], ...] = (
    (ReadTimeout, "TIMEOUT"),
    (StoreUnavailable, "STORE_UNAVAILABLE"),
    (BrokerUnavailable, "BROKER_UNAVAILABLE"),
    (CursorGone, "CURSOR_GONE"),
    (TooSlow, "TOO_SLOW"),
    (BadUrn, "BAD_URN"),
    (TooLarge, "LIMIT_EXCEEDED"),
    (BadRequest, "BAD_INPUT"),
)
_TOKENS = "Document contains more than"  # how the parser words it when a document passes the limit of tokens
_SUGGESTION = re.compile(r" Did you mean .*\?$", re.DOTALL)


def refused(message: str, code: str, **more: Any) -> GraphQLError:
    """The error for a request that is not run; `more` stands beside its code."""
    return GraphQLError(message, extensions={"code": code, **more})


def code_of(error: GraphQLError) -> str:
    """The code that the error brings; `INTERNAL` for what nobody foresaw. What is not valid GraphQL has no cause."""
    if isinstance(said := (error.extensions or {}).get("code"), str):
        return said
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        return "LIMIT_EXCEEDED" if _TOKENS in error.message else "BAD_INPUT"
    return next((code for kind, code in _CODES if isinstance(cause, kind)), "INTERNAL")


def coded(error: GraphQLError, *, suggestions: bool = True) -> GraphQLError:
    """The error with its code; the message of one that nobody foresaw stays in the log, names of the schema if told."""
    code = code_of(error)
    if code == "INTERNAL":
        logger.error("GraphQL: %s failed", "/".join(str(p) for p in error.path or ()), exc_info=error.original_error)
    message = "internal error; the service's log says more" if code == "INTERNAL" else error.message
    return GraphQLError(
        message if suggestions else _SUGGESTION.sub("", message),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        original_error=error.original_error,
        extensions={**(error.extensions or {}), "code": code},
    )


class ErrorCodes(SchemaExtension):
    """Gives every error of an answer its code."""

    def __init__(self, *, suggestions: bool) -> None:
        """Say whether errors may name what the caller might have meant, which tells the schema bit by bit."""
        self._suggestions = suggestions
        self._streamed = False

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """Each answer of an operation over a WebSocket goes out before the operation is over."""
        self._streamed = True
        self._code(result)
        yield

    def on_operation(self) -> Iterator[None]:
        """Run after all else, so that errors of parsing, validation and execution come here."""
        yield
        if not self._streamed:
            self._code(self.execution_context.result)

    def _code(self, result: Any) -> None:
        errors = getattr(result, "errors", None)
        if errors:
            result.errors = [coded(error, suggestions=self._suggestions) for error in errors]
