"""Words in names as people look for them: `fct_ordersDaily` holds `fct`, `orders` and `daily`. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache

_RUN = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PART = re.compile(r"\d+|[^\W\d_]+")
_TYPES = re.compile(r"\[[^\]]*\]")  # `[version=2.0].[type=string].` in field paths says nothing about the name

SHORTEST_NOUN = 3


def pieces(text: str) -> list[str]:
    """Words of a text in its order, in lower case, parted at every sign but letters and digits, and in camelCase."""
    return [piece for run in _RUN.findall(text) for piece in _pieces(run)]


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
    runs = _RUN.findall(name)
    words = [piece for run in runs for piece in _pieces(run)]
    known = set(words)
    for text in others:
        if text != name:
            runs += _RUN.findall(text)
    for run in runs:
        if run in known and (run.isalpha() or run.isdigit()):  # there is no more in it
            continue
        for word in _all(run):
            if word not in known:
                known.add(word)
                words.append(word)
    return " ".join(words)


def other_number(word: str) -> str:
    """The plural of an English noun, or the singular of what looks like a plural; "" for what is hardly a noun."""
    if len(word) < SHORTEST_NOUN or not (word.isascii() and word.isalpha()):
        return ""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("s"):
        return word[:-1]
    return word[:-1] + "ies" if word[-1] == "y" and word[-2] not in "aeiou" else word + "s"


def stem(word: str) -> str:
    """What a word and its other number begin with."""
    other, both = other_number(word) or word, word
    while not other.startswith(both):
        both = both[:-1]
    return both


def path_words(paths: Iterable[str]) -> str:
    """What the full-text index holds of field paths: every word once, in order."""
    runs = (run for path in paths for run in _RUN.findall(_TYPES.sub(" ", path)))
    return " ".join(dict.fromkeys(word for run in runs for word in _all(run)))


# The same words come again and again in one catalogue: what they hold is looked up.
@lru_cache(maxsize=65_536)
def _pieces(run: str) -> tuple[str, ...]:
    """The words of a run of letters and digits."""
    if run.islower() or run.isdigit():
        return (run.lower(),)
    return tuple(piece.lower() for piece in _PIECE.split(run))


@lru_cache(maxsize=65_536)
def _all(run: str) -> tuple[str, ...]:
    """The same, the whole run, and letters and digits apart."""
    if (run.isalpha() and run.islower()) or run.isdigit():
        return (run.lower(),)
    found = _pieces(run)
    whole = (run.lower(),) if len(found) > 1 else ()
    apart = (part for piece in found if len(parts := _PART.findall(piece)) > 1 for part in parts)
    return (*found, *whole, *apart)
