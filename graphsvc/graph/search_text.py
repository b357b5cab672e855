"""
What people type into a search box -> a Lucene query of ours. Pure; no text makes it fail but one with too many words.

Words must all be found, in any field. Also understood: `"a phrase"`, `pre*`, `fuzz~`, `field:word`, `AND`, `OR`, `NOT`
and `-word`, parentheses. Every other sign parts words, as `_` and `.` do in names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphsvc.errors import BadRequest
from graphsvc.graph.words import pieces

MAX_WORDS = 16  # each is looked up in every field, and Lucene takes 1,024 of such clauses
MAX_DEPTH = 20
NOTHING = "(+*:* -*:*)"
EVERYTHING = "*:*"
# Boosts of the words of names, and of columns. Names count most, as in the model's annotations.
NAME, NAME_PHRASE, COLUMN = 10, 20, 2
_TOKEN = re.compile(r'"([^"]*)"?([~*]?)|([()])|(&&|\|\|)|([^\s"()]+)')
_FIELD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TextFields:
    """
    What the full-text index holds.

    Attributes:
        boosts: Field that words are looked for in -> its weight.
        plain: Every indexed field that may stand before a colon or in a filter.
        urns: Field that holds URNs -> what URNs of its targets start with: `tags` -> `urn:li:tag:`.
        aliases: Other names before a colon: `tag` -> `tags`.
    """

    boosts: Mapping[str, float]
    plain: frozenset[str]
    urns: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, str] = field(default_factory=dict)


class Term(NamedTuple):
    """A word or phrase, the field it must stand in (empty for any), and how it is to be read: `*`, `~`, `"`."""

    text: str
    field: str = ""
    kind: str = ""


class SearchText(NamedTuple):
    """
    A text that was understood.

    Attributes:
        lucene: The query; None where every entity matches.
        words: What to look for when fields that matched are shown.
    """

    lucene: str | None
    words: tuple[str, ...]


def quoted(text: str) -> str:
    """A text as Lucene takes it literally, whatever signs are in it."""
    cleaned = "".join(" " if char < " " or "\ud800" <= char <= "\udfff" else char for char in text)
    return '"' + cleaned.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_everything(text: str) -> bool:
    """Whether a text asks for all there is: `*`, `**` or nothing."""
    return not text.strip().strip("*").strip()


def understood(text: str, fields: TextFields) -> SearchText:
    """
    The Lucene query for a text.

    Raises:
        BadRequest: More than `MAX_WORDS` words, or parentheses deeper than `MAX_DEPTH`.
    """
    if is_everything(text):
        return SearchText(None, ())
    parser = _Parser(list(_tokens(text, fields)), fields)
    lucene = parser.any_of(0)
    return SearchText(lucene or NOTHING, tuple(dict.fromkeys(parser.words)))


def completed(text: str, _: TextFields) -> SearchText:
    """The Lucene query for a name whose last word is still being typed; operators mean nothing here."""
    words = pieces(text)
    if not words:
        return SearchText(None if is_everything(text) else NOTHING, ())
    _check(len(words))
    clauses = [f"nameWords:{quoted(word)}" for word in words[:-1]]
    clauses.append(f"(nameWords:{quoted(words[-1])}^2 OR nameWords:{words[-1]}*)")
    return SearchText(_all_of([*clauses]), tuple(words))


def _tokens(text: str, fields: TextFields) -> Iterator[Term]:
    """Terms; parentheses and operators are terms of kind `(`, `)`, `AND`, `OR`, `NOT`."""
    pending = ""  # the field before a quotation mark or parenthesis
    for match in _TOKEN.finditer(text):
        phrase, mark, bracket, operator, word = match.groups()
        if bracket or operator:
            yield Term("", pending if bracket == "(" else "", bracket or {"&&": "AND", "||": "OR"}[operator])
            pending = ""
        elif word is None:
            yield Term(phrase, pending, '"' if mark != "~" or " " in phrase else "~")
            pending = ""
        elif word in {"AND", "OR", "NOT"}:
            yield Term("", "", word)
        else:
            negated, word = word[0] in "-!" and len(word) > 1, word.lstrip("-!+") if len(word) > 1 else word
            if negated:
                yield Term("", "", "NOT")
            name, word = _field_of(word, fields)
            if name and not word:
                pending = name
                continue
            yield _word(word, name or pending)
            pending = ""


def _field_of(word: str, fields: TextFields) -> tuple[str, str]:
    match = _FIELD.fullmatch(word)
    if match:
        name = fields.aliases.get(match[1], match[1])
        if name in fields.plain:
            return name, match[2]
    return "", word


def _word(word: str, name: str) -> Term:
    if word == "*":
        return Term("", name, "*")
    if re.search(r"~[\d.]*$", word):
        return Term(word.rpartition("~")[0], name, "~")
    return Term(word, name, "*" if word.endswith("*") else "")


class _Parser:
    """Recursive descent over the terms; what makes no sense, such as an operator at the end, is passed over."""

    def __init__(self, terms: Sequence[Term], fields: TextFields) -> None:
        self._terms = terms
        self._at = 0
        self._fields = fields
        self.words: list[str] = []

    def any_of(self, depth: int, name: str = "") -> str:
        if depth > MAX_DEPTH:
            raise BadRequest(f"parentheses in a query are at most {MAX_DEPTH} deep")
        found: list[str] = []
        while True:
            if clause := self._all_of(depth, name):
                found.append(clause)
            if self._kind() == ")" and depth == 0:
                self._at += 1  # nothing opened it
            elif self._kind() == "OR":
                self._at += 1
            else:
                return found[0] if len(found) == 1 else f"({' OR '.join(found)})" if found else ""

    def _kind(self) -> str | None:
        return self._terms[self._at].kind if self._at < len(self._terms) else None

    def _all_of(self, depth: int, name: str) -> str:
        wanted: list[str] = []
        unwanted: list[str] = []
        negated = False
        while (kind := self._kind()) not in {None, ")", "OR"}:
            term = self._terms[self._at]
            self._at += 1
            if kind in {"AND", "NOT"}:
                negated = negated != (kind == "NOT")
                continue
            before = len(self.words)
            clause = self._group(depth, term.field or name) if kind == "(" else self._clause(term, name)
            if negated:
                del self.words[before:]
            if clause:
                (unwanted if negated else wanted).append(clause)
            negated = False
        return _all_of(wanted, unwanted)

    def _group(self, depth: int, name: str) -> str:
        clause = self.any_of(depth + 1, name)
        self._at += self._kind() == ")"
        return clause

    def _clause(self, term: Term, outer: str) -> str:
        name = term.field or outer
        if term.kind == "*" and not term.text:
            return EVERYTHING
        words = pieces(term.text)
        self.words += words
        _check(len(self.words))
        if not words:
            return ""
        if name in self._fields.urns:
            return self._urn(term.text, name)
        if name:
            return _in_field(name, term, words)
        if term.kind == '"':
            return self._anywhere(f'"{" ".join(words)}"', quoted(term.text))
        each = [self._anywhere(w, w) for w in (f'"{word}"' for word in words[:-1])]
        each.append(self._last(words[-1], term.kind))
        if len(words) == 1:
            return each[0]
        whole = quoted(term.text.rstrip("*"))  # other texts hold `fct_orders` as one word
        phrase = f'nameWords:"{" ".join(words)}"^{NAME_PHRASE}'
        return f"({_all_of(each)} OR {phrase} OR {_join(self._boosts(), whole)})"

    def _last(self, word: str, kind: str) -> str:
        """A word by itself; with a `*` or `~` it stands for others too."""
        exact = self._anywhere(f'"{word}"', f'"{word}"', urns=not kind)
        other = {"*": f"{word}*", "~": _fuzzy(word)}.get(kind)
        if other is None:
            return exact
        near = {"nameWords": NAME / 2, "fieldWords": COLUMN / 2, "description": 0.5, "editedDescription": 0.5}
        return f"({exact} OR {_join(near, other)})"

    def _boosts(self) -> Mapping[str, float]:
        return self._fields.boosts

    def _anywhere(self, words: str, text: str, *, urns: bool = True) -> str:
        clauses = [f"nameWords:{words}^{NAME}", f"fieldWords:{words}^{COLUMN}", _join(self._boosts(), text)]
        if urns and " " not in text:
            bare = text.strip('"')
            clauses += [
                f'{name}:"{start}{bare}"^0.5'
                for name in ("tags", "glossaryTerms")
                for start in self._fields.urns.get(name, ())
            ]
        return f"({' OR '.join(clauses)})"

    def _urn(self, text: str, name: str) -> str:
        if text.startswith("urn:"):
            return f"{name}:{quoted(text)}"
        bare = text.rstrip("*~")
        return f"({' OR '.join(f'{name}:{quoted(start + bare)}' for start in self._fields.urns[name])})"


def _in_field(name: str, term: Term, words: Sequence[str]) -> str:
    if name not in {"nameWords", "fieldWords"}:
        if term.kind == "*" and len(words) == 1:
            return f"{name}:{words[0]}*"
        if term.kind == "~" and len(words) == 1:
            return f"{name}:{_fuzzy(words[0])}"
        return f"{name}:{quoted(term.text)}"
    if term.kind == '"':
        return f'{name}:"{" ".join(words)}"'
    last = {"*": f"{words[-1]}*", "~": _fuzzy(words[-1])}.get(term.kind, f'"{words[-1]}"')
    return _all_of([f'{name}:"{word}"' for word in words[:-1]] + [f"{name}:{last}"])


def _fuzzy(word: str) -> str:
    """Two letters may differ; one in a short word, or everything would be near it."""
    return f"{word}~{1 if len(word) < 5 else 2}"


def _join(boosts: Mapping[str, float], text: str) -> str:
    return " OR ".join(f"{name}:{text}^{boost:g}" for name, boost in boosts.items())


def _all_of(wanted: Sequence[str], unwanted: Sequence[str] = ()) -> str:
    if not wanted and not unwanted:
        return ""
    if len(wanted) == 1 and not unwanted:
        return wanted[0]
    return f"({' '.join([f'+{c}' for c in wanted or [EVERYTHING]] + [f'-{c}' for c in unwanted])})"


def _check(count: int) -> None:
    if count > MAX_WORDS:
        raise BadRequest(f"a query has more than {MAX_WORDS} words, which is the limit")
