"""
What people type into a search box -> a Lucene query of ours. Pure; no text makes it fail but one with too many words.

Words must all be found, in any field; in names their other number and what they begin will do. Also understood:
`"a phrase"`, `pre*`, `fuzz~`, `field:word`, `AND`, `OR`, `NOT` and `-word`, parentheses. Every other sign parts words,
as `_` and `.` do in names. Where nothing is found, `nearer` has what else the words may have meant.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from graphsvc.errors import BadRequest
from graphsvc.graph.words import other_number, pieces, stem

MAX_WORDS = 16  # each is looked up in every field, and Lucene takes 1,024 of such clauses
MAX_DEPTH = 20
NOTHING = "(+*:* -*:*)"
EVERYTHING = "*:*"
# Boosts of the words of names, and of columns. Names count most, as in the model's annotations.
NAME, NAME_PHRASE, COLUMN = 10, 20, 2
# Of what is less than the word itself: the beginning of a word, its other number, and words that are near.
BEGUN, OTHER, NEAR = 2, 8, 1
SHORTEST_START = 2  # letters of the beginning of a word
SHORTEST_NEAR = 4  # letters of a word that others may be near
# Words that join others. They need not be found where there are more.
JOINING = frozenset({
    "a", "all", "an", "and", "are", "at", "by", "for", "from", "in", "is", "of", "on", "or", "per", "the", "to",
    "where", "which", "with",
})  # fmt: skip
MOST_NEAR = 4  # words of a text of which others may be near; each stands for up to 150 clauses of Lucene's 1,024
SHORTEST_OF_TWO = 5  # letters of a word that two may be wrong of
SHORTEST_PART = 3  # letters of both words that are written as one
_SENTENCES = frozenset({
    "customProperties", "definition", "description", "editedDescription", "editedFieldDescriptions",
    "fieldDescriptions", "qualifiedName", "text", "title",
})  # fmt: skip
_REFERRED = ("tags", "glossaryTerms", "platform", "domains", "owners")  # found by the last part of the URN
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
        words: What fields that matched begin one of their words with.
        nearer: Queries to try one after the other where nothing is found; there are none for a text with signs that
            say how it is meant.
        near: Those of the words that others may be near to, as a `~` behind them says.
    """

    lucene: str | None
    words: tuple[str, ...]
    nearer: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


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
    terms = list(_tokens(text, fields))
    parser = _Parser(terms, fields)
    lucene = parser.any_of(0)
    words = tuple(dict.fromkeys(parser.words))
    bare = words and not any(term.kind or term.field for term in terms)
    near = tuple(word for word in words if word in parser.near)
    return SearchText(lucene or NOTHING, tuple(map(stem, words)), _nearer(words, fields) if bare else (), near)


def completed(text: str, _: TextFields) -> SearchText:
    """The Lucene query for a name whose last word is still being typed; operators mean nothing here."""
    words = pieces(text)
    if not words:
        return SearchText(None if is_everything(text) else NOTHING, ())
    _check(len(words))
    near = [f"(nameWords:{word}* OR nameWords:{_fuzzy(word)})" for word in words]
    clauses = [f"nameWords:{quoted(word)}" for word in words[:-1]]
    clauses.append(f"(nameWords:{quoted(words[-1])}^2 OR nameWords:{words[-1]}*)")
    return SearchText(_all_of(clauses), tuple(words), (_all_of(near),) if len(words) <= MOST_NEAR else ())


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
        self._exactly = False  # what is not wanted is just what was said
        self.words: list[str] = []
        self.near: set[str] = set()

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
        joining: list[str] = []
        negated = False
        while (kind := self._kind()) not in {None, ")", "OR"}:
            term = self._terms[self._at]
            self._at += 1
            if kind in {"AND", "NOT"}:
                negated = negated != (kind == "NOT")
                continue
            before = len(self.words)
            outer, self._exactly = self._exactly, self._exactly or negated
            clause = self._group(depth, term.field or name) if kind == "(" else self._clause(term, name)
            self._exactly = outer
            if negated:
                del self.words[before:]
            if clause:
                passed = not (kind or term.field or name or negated) and term.text.lower() in JOINING
                (unwanted if negated else joining if passed else wanted).append(clause)
            negated = False
        return _all_of(wanted or joining, unwanted, joining if wanted else ())

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
        self.near |= set(words[-1:] if term.kind == "~" else ())
        _check(len(self.words))
        if not words:
            return ""
        if name in self._fields.urns:
            return self._urn(term.text, name)
        if name:
            return _in_field(name, term, words)
        if term.kind == '"':
            return _anywhere(f'"{" ".join(words)}"', self._fields, quoted(term.text))
        each = [self._bare(word) for word in words[:-1]]
        each.append(self._last(words[-1], term.kind))
        if len(words) == 1:
            return each[0]
        whole = quoted(term.text.rstrip("*"))  # other texts hold `fct_orders` as one word
        phrase = f'nameWords:"{" ".join(words)}"^{NAME_PHRASE}'
        texts = {name: boost for name, boost in self._fields.boosts.items() if name in _SENTENCES}
        return f"({_all_of(each)} OR {phrase} OR {_join(texts, whole)})"

    def _bare(self, word: str) -> str:
        return _anywhere(f'"{word}"', self._fields) if self._exactly else _word_of_text(word, self._fields)

    def _last(self, word: str, kind: str) -> str:
        """A word by itself; with a `*` or `~` it stands for others too."""
        if not kind:
            return self._bare(word)
        other = {"*": f"{word}*", "~": _fuzzy(word)}[kind]
        near = {"nameWords": NAME / 2, "fieldWords": COLUMN / 2, "description": 0.5, "editedDescription": 0.5}
        exact = _anywhere(f'"{word}"', self._fields, referred=False)
        return f"({exact} OR {_join(near, other)})"

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


def _anywhere(words: str, fields: TextFields, text: str = "", *, referred: bool = True) -> str:
    """In any field: the words as names and columns have them, and the text as the other fields have it."""
    clauses = [f"nameWords:{words}^{NAME}", f"fieldWords:{words}^{COLUMN}", _join(fields.boosts, text or words)]
    bare = (text or words).strip('"')
    if referred and " " not in bare:
        clauses += [f'{name}:"{start}{bare}"^0.5' for name in _REFERRED for start in fields.urns.get(name, ())]
    return f"({' OR '.join(clauses)})"


def _word_of_text(word: str, fields: TextFields) -> str:
    """A word without a sign: in any field, or its other number, or what a name begins one of its words with."""
    clauses = [_anywhere(f'"{word}"', fields)]
    if other := other_number(word):
        clauses += [f'nameWords:"{other}"^{OTHER}', f'fieldWords:"{other}"', f'description:"{other}"^0.5']
    if len(word) >= SHORTEST_START:
        clauses.append(f"nameWords:{word}*^{BEGUN}")
    return f"({' OR '.join(clauses)})"


def _nearer(words: Sequence[str], fields: TextFields) -> tuple[str, ...]:
    """All words, or what is near them; then any of them, of which the best have most."""
    telling = [word for word in words if word not in JOINING] or list(words)
    if len(telling) > MOST_NEAR:
        each = [_word_of_text(word, fields) for word in telling]
        return _all_of(each), _any_of(each)
    each = [_near(word, fields) for word in telling]
    joined = [f'nameWords:"{first}{second}"^{NAME}' for first, second in pairwise(telling)]
    names = [f"nameWords:{word}*" for word in telling]
    others = [_all_of([*names[:at], both, *names[at + 2 :]]) for at, both in enumerate(joined)]
    return _any_of([_all_of(each), *others]), _any_of(each + joined)


def _near(word: str, fields: TextFields) -> str:
    clauses = [_word_of_text(word, fields)]
    if len(word) >= SHORTEST_NEAR:
        near = _fuzzy(word)
        clauses += [f"nameWords:{near}^{NEAR}", f"fieldWords:{near}^0.5"]
        clauses.append(f"(+nameWords:{near} +nameWords:{word[0]}*)^{NEAR}")  # few mistake the first letter
    if len(word) >= SHORTEST_START:
        clauses += [f"fieldWords:{word}*^0.5", f"description:{word}*^0.3"]
    clauses += [
        f'nameWords:"{word[:at]} {word[at:]}"^{OTHER}' for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1)
    ]
    return _any_of(clauses)


def _fuzzy(word: str) -> str:
    """Two letters may differ; one in a short word, or everything would be near it."""
    return f"{word}~{1 if len(word) < SHORTEST_OF_TWO else 2}"


def _join(boosts: Mapping[str, float], text: str) -> str:
    return " OR ".join(f"{name}:{text}^{boost:g}" for name, boost in boosts.items())


def _any_of(clauses: Sequence[str]) -> str:
    return clauses[0] if len(clauses) == 1 else f"({' OR '.join(clauses)})"


def _all_of(wanted: Sequence[str], unwanted: Sequence[str] = (), welcome: Sequence[str] = ()) -> str:
    if not wanted and not unwanted:
        return ""
    if len(wanted) == 1 and not unwanted and not welcome:
        return wanted[0]
    return f"({' '.join([f'+{c}' for c in wanted or [EVERYTHING]] + [f'-{c}' for c in unwanted] + [*welcome])})"


def _check(count: int) -> None:
    if count > MAX_WORDS:
        raise BadRequest(f"a query has more than {MAX_WORDS} words, which is the limit")
