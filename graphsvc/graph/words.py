"""Words in names as people look for them: `fct_ordersDaily` holds `fct`, `orders` and `daily`. Pure."""

import re
from collections.abc import Iterable

_RUN = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PART = re.compile(r"\d+|[^\W\d_]+")
_TYPES = re.compile(r"\[[^\]]*\]")  # `[version=2.0].[type=string].` in field paths says nothing about the name


def pieces(text: str) -> list[str]:
    """Words of a text in its order, in lower case, parted at every sign but letters and digits, and in camelCase."""
    return [piece.lower() for run in _RUN.findall(text) for piece in _PIECE.split(run)]


def name_words(name: str, *others: str) -> str:
    """
    What the full-text index holds of a name.

    Args:
        name: Its words come first, in order, so that phrases of it are found.
        others: Further names of the same thing.

    Returns:
        The words, one space between them; after the name's own each only once. camelCase also stands as one word, and
        `v2` also as `v` and `2`.
    """
    first = pieces(name)
    more = (word for text in (name, *others) for word in _all(text))
    return " ".join([*first, *dict.fromkeys(word for word in more if word not in first)])


def path_words(paths: Iterable[str]) -> str:
    """What the full-text index holds of field paths: every word once, in order."""
    return " ".join(dict.fromkeys(word for path in paths for word in _all(_TYPES.sub(" ", path))))


def _all(text: str) -> Iterable[str]:
    for run in _RUN.findall(text):
        found = [piece.lower() for piece in _PIECE.split(run)]
        yield from found
        if len(found) > 1:
            yield run.lower()
        for piece in found:
            parts = _PART.findall(piece)
            if len(parts) > 1:
                yield from parts
