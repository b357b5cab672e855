"""Documents that are known before they are sent: asked for by sha256, in Apollo's form, or the only ones answered."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from graphsvc.api.graphql.errors import refused
from graphsvc.config import GraphqlSettings
from graphsvc.errors import ConfigError


class Persisted:
    """The known documents of a service, by their sha256 in hexadecimal."""

    def __init__(self, settings: GraphqlSettings) -> None:
        """
        Read them.

        Raises:
            ConfigError: The file or folder cannot be read, or a hash is not that of its text.
        """
        self._enabled = settings.persisted is not None
        self._only = settings.persisted_only
        if self._only and settings.persisted is None:
            raise ConfigError("graphql.persisted_only answers known documents only, but graphql.persisted names none")
        self._texts = {} if settings.persisted is None else _texts(settings.persisted)

    def text(self, query: str | None, extensions: Mapping[str, Any] | None) -> str | None:
        """
        The text to run.

        Args:
            query: The text that was sent, if any.
            extensions: Of the request; `{"persistedQuery": {"version": 1, "sha256Hash": "…"}}` names a document.

        Raises:
            GraphQLError: The document is not known, or the text that came with a hash has another one. The codes and
                messages of the former are those for which Apollo's clients send the text instead.
        """
        named = (extensions or {}).get("persistedQuery")
        key = named.get("sha256Hash") if isinstance(named, Mapping) else None
        if query is None and isinstance(key, str):
            if not self._enabled:
                raise refused("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
            if key not in self._texts:
                raise refused("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
            return self._texts[key]
        if query is None or (key is None and not self._only):
            return query
        own = _hash(query)
        if key is not None and key != own:
            raise refused("the sha256Hash is not that of the query", "BAD_INPUT")
        if self._only and own not in self._texts:
            raise refused("only known documents are answered here, and this is none of them", "NOT_PERSISTED")
        return query


def _texts(path: Path) -> dict[str, str]:
    try:
        if path.is_dir():
            texts = [file.read_text(encoding="utf-8") for file in sorted(path.glob("*.graphql"))]
            return {_hash(text): text for text in texts}
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"graphql.persisted: {path}: {exc}") from exc
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ConfigError(f"graphql.persisted: {path}: the form is {{sha256: text}}")
    if wrong := [key for key, text in found.items() if key != _hash(text)]:
        raise ConfigError(f"graphql.persisted: {path}: {wrong[0][:80]} is not the sha256 of its text")
    return found


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
