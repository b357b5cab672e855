"""
Parse and print URNs; nothing else knows their grammar.

A URN is `urn:li:<entity type>:<id>`, where the id is one part (`urn:li:tag:PII`) or a tuple in parentheses
(`urn:li:dataset:(urn:li:dataPlatform:hive,db.t,PROD)`) whose parts may be URNs with tuples of their own.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from graphsvc.errors import BadUrn

# A key of Neo4j's range index (URN, aspect, version …) holds some 8 kB. DataHub's own limit is 512.
MAX_URN_BYTES = 7_000
PREFIX = "urn:li:"
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DELIMITER = re.compile(r"[(),]")


class Urn(NamedTuple):
    """
    A parsed URN.

    Attributes:
        text: The URN as it came.
        entity_type: `dataset`, `corpuser` …, not checked against the model here.
        parts: The id's parts in order: one for a plain id, one or more for a tuple.
    """

    text: str
    entity_type: str
    parts: tuple[str, ...]


def split_tuple(text: str) -> tuple[str, ...]:
    """
    Split the inside of a tuple at its outermost commas.

    Raises:
        ValueError: Parentheses do not match.
    """
    if "(" not in text and ")" not in text:
        return tuple(text.split(","))
    parts: list[str] = []
    depth = start = 0
    for found in _DELIMITER.finditer(text):
        char = found[0]
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                raise ValueError("parentheses do not match")
        elif depth == 0:
            parts.append(text[start : found.start()])
            start = found.end()
    if depth:
        raise ValueError("parentheses do not match")
    parts.append(text[start:])
    return tuple(parts)


@lru_cache(maxsize=65_536)
def _parse(text: str) -> Urn | str:
    """The parsed URN, or why it is none."""
    # No forbidden character is printable, and most URNs are: the expensive search is for the others.
    if not text.isprintable() and _FORBIDDEN.search(text):
        return "holds a control character or half a surrogate pair"
    if 4 * len(text) > MAX_URN_BYTES and len(text.encode()) > MAX_URN_BYTES:
        return f"longer than {MAX_URN_BYTES} bytes"
    if text != text.strip():
        return "starts or ends with white space"
    entity_type, _, key = text[len(PREFIX) :].partition(":")
    named = entity_type.isascii() and entity_type.isidentifier() and not entity_type.startswith("_")
    if not (text.startswith(PREFIX) and named and key):
        return "the form is urn:li:<entity type>:<id>"
    if not key.startswith("("):
        return Urn(text, entity_type, (key,))
    if not key.endswith(")"):
        return "the tuple's closing parenthesis is missing"
    try:
        parts = split_tuple(key[1:-1])
    except ValueError as exc:
        return str(exc)
    if not all(parts):
        return "a part of the tuple is empty"
    return Urn(text, entity_type, parts)


def parse_urn(text: str, where: str = "urn") -> Urn:
    """
    Parse one URN.

    Args:
        text: What should be a URN.
        where: Place of the text in its document, for the message.

    Raises:
        BadUrn: It is not a string of the form above, holds control characters, or is longer than `MAX_URN_BYTES`.
    """
    found = _parse(text) if isinstance(text, str) else "not a string"
    if isinstance(found, str):
        raise BadUrn(text if isinstance(text, str) else type(text).__name__, where, found)
    return found


def urn_type(urn: str) -> str:
    """Entity type of a URN that is known to be one, since it was parsed before or comes from the graph."""
    return urn.split(":", 3)[2]


def schema_field_urn(parent: str, field_path: str) -> str:
    """URN of a column: its dataset's (or chart's …) URN and its field path."""
    return f"urn:li:schemaField:({parent},{field_path})"
