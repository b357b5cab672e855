"""Cypher by name: `query("read/entities")` is the text of `cypher/read/entities.cypher`."""

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

_PACKAGED = Path(__file__).parents[1] / "_cypher"
ROOT = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "cypher"
_COMMENT = re.compile(r"^//.*\n", re.MULTILINE)
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\|[A-Za-z][A-Za-z0-9_]*)*")


@cache
def _text(name: str) -> str:
    return _COMMENT.sub("", (ROOT / f"{name}.cypher").read_text(encoding="utf-8"))


@cache
def query(name: str, **names: str) -> LiteralString:
    """
    The text of one query file, without its comments.

    Args:
        name: Folder and file name without its ending, e.g. `write/create_edges`.
        names: Placeholders to fill: `edge_type="OwnedBy"` replaces `__EDGE_TYPE__`. Names come from the model, never
            from input. Several types are joined by `|`.

    Raises:
        ValueError: A name is not a plain identifier, or a placeholder is missing or left over.
    """
    text = _text(name)
    for key, value in names.items():
        placeholder = f"__{key.upper()}__"
        if not _IDENTIFIER.fullmatch(value) or placeholder not in text:
            raise ValueError(f"{name}: cannot put {value!r} at {placeholder}")
        text = text.replace(placeholder, value)
    if left := re.search(r"__[A-Z_]+__", text):
        raise ValueError(f"{name}: {left.group()} is not filled")
    return cast(LiteralString, text)
