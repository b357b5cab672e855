"""Search over Neo4j's full-text index: pages, totals and facets of the entities that a text and filters let through."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from graphsvc.errors import BadRequest
from graphsvc.graph.queries import query
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import FieldSpec, Registry
from graphsvc.graph.search_text import SearchText, TextFields, completed, quoted, understood
from graphsvc.graph.words import pieces

# Fields that words are looked for in, by the model's annotations; columns stand in fieldWords. The schema's V006 has
# the same, which a test compares. What such fields hold is a word of a small set, or no word: one filters by them.
TEXT_KINDS = frozenset({"TEXT", "TEXT_PARTIAL", "WORD_GRAM"})
NO_TEXT = frozenset({
    "allowedPlatforms", "assignees", "cluster", "customType", "deploymentStatus", "entityTypes", "fieldPaths",
    "latest", "origin", "priority", "scheduleType", "stage", "state", "type", "version", "versionSet",
    "versionSortId",
})  # fmt: skip
# Fields that the index finds exact values in, so that the cost of these filters grows with the answer.
EXACT = frozenset({
    "applications", "container", "dataProduct", "domains", "email", "env", "fieldGlossaryTerms", "fieldTags",
    "glossaryTerms", "origin", "owners", "platform", "platformInstance", "tags", "typeNames",
})  # fmt: skip
TEXT = frozenset({
    "aliases", "customProperties", "definition", "description", "destination", "displayName", "editedDescription",
    "editedDisplayName", "editedFieldDescriptions", "editedFieldGlossaryTerms", "editedFieldTags", "editedName",
    "featureNamespace", "fieldDescriptions", "fieldLabels", "flowId", "fullName", "id", "jobId", "ldap", "message",
    "orchestrator", "originalFileName", "path", "project", "qualifiedName", "schemaFieldBusinessAttribute",
    "semanticText", "skills", "slackDisplayName", "source", "tagline", "teams", "text", "title", "tool", "url",
    "versionCustomProperties",
})  # fmt: skip
TYPE = "_entityType"
TYPE_FIELDS = frozenset({TYPE, "entityType", "entity"})
FACETS = (TYPE, "platform", "origin", "typeNames", "tags", "glossaryTerms", "domains", "owners", "container", "removed")
ALIASES = {
    "name": "nameWords",
    "column": "fieldWords",
    "fieldPaths": "fieldWords",
    "fieldPath": "fieldWords",
    "tag": "tags",
    "term": "glossaryTerms",
    "glossaryTerm": "glossaryTerms",
    "owner": "owners",
    "domain": "domains",
    "subtype": "typeNames",
    "_entityName": "nameWords",
}
FILTER_ALIASES = {"_entityName": "name", "entityName": "name"}
OPERATORS = frozenset({
    "EQUAL", "IN", "IEQUAL", "CONTAIN", "START_WITH", "END_WITH", "EXISTS", "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN", "LESS_THAN_OR_EQUAL_TO",
})  # fmt: skip
MAX_SOUGHT = 100  # values of one filter that the index is asked for; longer lists are compared one by one
MAX_VALUES = 20_000
_LONG = 2**63


class Filter(NamedTuple):
    """
    One condition.

    Attributes:
        field: DataHub's name of a field, or `urn`, `name`, `_entityType`. What the model does not know, no entity has.
        values: One of them should match.
        operator: One of `OPERATORS`. Texts are compared as they are by EQUAL and IN, and in any case by the others.
        negated: It must not hold.
    """

    field: str
    values: tuple[str, ...] = ()
    operator: str = "EQUAL"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """
    What to search for.

    Attributes:
        text: As `search_text` reads it; `*` and the empty one are in every entity.
        types: Entity types as URNs spell them; None for all.
        filters: Groups: in one of them all conditions must hold. None of them means no condition.
        removed: Soft-deleted entities too. A filter on `removed` asks for them by itself.
        completing: The text is the beginning of a name.
    """

    text: str = ""
    types: tuple[str, ...] | None = None
    filters: tuple[tuple[Filter, ...], ...] = ()
    removed: bool = False
    completing: bool = False


class Sort(NamedTuple):
    """The field that answers are sorted by, then by URN; those without it come last."""

    field: str
    descending: bool = False


class Hit(NamedTuple):
    """
    An entity that was found.

    Attributes:
        urn: Its key.
        name: What to show.
        score: Lucene's; comparable within one answer.
        fields: Name and text of the fields that hold a word of the query, where they were asked for.
    """

    urn: str
    name: str
    score: float
    fields: tuple[tuple[str, str], ...] = ()


class Count(NamedTuple):
    """A value of a facet, and how many entities have it."""

    value: str
    number: int


class Cursor(NamedTuple):
    """Where a scroll stands: the last URN, and the value it was sorted by."""

    urn: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class _Model:
    """What search takes from the registry."""

    text: TextFields
    kinds: Mapping[str, frozenset[str]]
    labels: Mapping[str, str]


@lru_cache(maxsize=8)
def _model(registry: Registry) -> _Model:
    kinds: dict[str, set[str]] = {}
    boosts: dict[str, float] = {}
    for spec in _fields(registry):
        kinds.setdefault(spec.name, set()).add(spec.kind)
        boosts[spec.name] = max(spec.boost, boosts.get(spec.name, 0.0))
    text = {name: boosts[name] for name in sorted(TEXT & boosts.keys())}
    return _Model(
        text=TextFields(
            boosts=text,
            plain=frozenset({"nameWords", "fieldWords", *text, *(EXACT & boosts.keys())}),
            urns=_targets(registry),
            aliases=ALIASES,
        ),
        kinds={name: frozenset(found) for name, found in kinds.items()},
        labels={name: spec.label for name, spec in registry.entities.items()},
    )


def _fields(registry: Registry) -> Iterator[FieldSpec]:
    return (f for entity in registry.entities.values() for fields in entity.projection.values() for f in fields)


def text_fields(registry: Registry) -> frozenset[str]:
    """The fields whose words a registry would have searched; those of a model file are not in the index."""
    return frozenset(f.name for f in _fields(registry) if f.kind in TEXT_KINDS) - NO_TEXT


def _targets(registry: Registry) -> dict[str, tuple[str, ...]]:
    """Field that holds URNs -> how they may start, by the relationship that is declared at the same place."""
    found: dict[str, dict[str, None]] = {"platform": {"urn:li:dataPlatform:": None}}
    for aspect in registry.aspects.values():
        ends = {edge.path: edge.destinations for edge in aspect.edges}
        for spec in aspect.fields:
            if spec.kind.startswith("URN") and spec.name in EXACT:
                kinds = ends.get(spec.path, ())
                found.setdefault(spec.name, {}).update((f"urn:li:{kind}:", None) for kind in kinds)
    return {name: tuple(starts) for name, starts in found.items() if starts}


class Search:
    """
    Searches of one graph.

    Totals and facets are exact. Their cost grows with the entities that match; with nothing to look up in the index
    (`*`, or filters on other fields than `EXACT`) it grows with the entities of the types. Every method raises
    BadRequest for what cannot be asked, and what the reader raises.
    """

    def __init__(self, reader: Reader, registry: Registry) -> None:
        self._reader = reader
        self._model = _model(registry)

    async def page(
        self, wanted: SearchQuery, start: int, count: int, sort: Sort | None = None, *, shown: bool = False
    ) -> list[Hit]:
        """
        One page, the best first: names that are the text, names that begin with it, then by score and URN.

        Args:
            wanted: What to search for.
            start: Entities to leave out.
            count: Entities at most.
            sort: Another order; `*` and the empty text are in the order of the URNs without one.
            shown: Whether to bring the fields that hold words of the text.
        """
        source, words = self._source(wanted)
        fields = [*self._model.text.boosts, "fieldPaths", "tags", "glossaryTerms"] if shown and words else []
        if sort is None and source["texts"]:
            exact = " ".join(pieces(wanted.text))
            rows = await self._reader.value_of(
                query("read/search_page"),
                **source,
                exact=exact,
                length=len(wanted.text.strip()),
                start=start,
                count=count,
                fields=fields,
            )
        else:
            rows = await self._sorted(source, sort or Sort("urn"), None, start, count, fields)
        return [Hit(urn, name or urn, score, _matched(found, name or "", words)) for urn, name, score, _, found in rows]

    async def scroll(
        self, wanted: SearchQuery, after: Cursor | None, count: int, sort: Sort | None = None
    ) -> tuple[list[Hit], Cursor | None]:
        """
        The next page in the order of a field or, without one, of the URNs, so that writes meanwhile move nothing.

        Returns:
            The page, and where to go on; None at the end.
        """
        source, _ = self._source(wanted)
        if sort is None and all(prefix.endswith(":") for prefix in source["prefixes"]) and not source["texts"]:
            last = after.urn if after else ""
            ends = {prefix: prefix[:-1] + ";" for prefix in source.pop("prefixes")}
            ranges = [{"after": max(start, last), "end": end} for start, end in ends.items() if last < end]
            source.pop("texts")
            rows = await self._reader.value_of(query("read/search_walk"), **source, ranges=ranges, count=count + 1)
        else:
            rows = await self._sorted(source, sort or Sort("urn"), after, 0, count + 1, [])
        hits = [Hit(urn, name or urn, score) for urn, name, score, _, _ in rows[:count]]
        if len(rows) <= count or not hits:
            return hits, None
        return hits, Cursor(rows[count - 1][0], rows[count - 1][3] if sort else rows[count - 1][0])

    async def total(self, wanted: SearchQuery) -> int:
        """How many entities match."""
        source, _ = self._source(wanted)
        return int(await self._reader.value_of(query("read/search_total"), **source))

    async def facets(self, wanted: SearchQuery, fields: Iterable[str], limit: int) -> dict[str, list[Count]]:
        """For each field its values among all entities that match, the most frequent first, then by value."""
        names = {_field(name): name for name in fields}
        source, _ = self._source(wanted)
        rows = await self._reader.value_of(query("read/search_facets"), **source, fields=list(names), limit=limit)
        found: dict[str, list[Count]] = {name: [] for name in names.values()}
        types = {label: name for name, label in self._model.labels.items()}
        for name, value, number in rows:
            text = types.get(value, value) if name == TYPE else _text(value)
            found[names[name]].append(Count(str(text), number))
        return found

    async def _sorted(  # noqa: PLR0913, PLR0917
        self, source: Mapping[str, Any], sort: Sort, after: Cursor | None, start: int, count: int, fields: list[str]
    ) -> Any:
        text = query("read/search_sorted", order="DESC" if sort.descending else "ASC")
        cursor = None if after is None else after._asdict() | {"missing": after.value is None}
        return await self._reader.value_of(
            text,
            **source,
            sort=_field(sort.field),
            descending=sort.descending,
            after=cursor,
            start=start,
            count=count,
            fields=fields,
        )

    def _source(self, wanted: SearchQuery) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The parameters that all queries share, and the words of the text."""
        read = completed if wanted.completing else understood
        text: SearchText = read(wanted.text, self._model.text)
        groups = [[self._condition(f) for f in group] for group in wanted.filters]
        sought = _sought(groups, self._model.text.plain)
        parts = [part for part in (text.lucene, sought and f"{sought}^0") if part]
        lucene = f"+{parts[0]} +{parts[1]}" if len(parts) > 1 else parts[0] if parts else None
        types = wanted.types
        urns = _urns(groups)
        starts = urns or (["urn:li:"] if types is None else sorted(f"urn:li:{name}:" for name in types))
        asked = any(f["field"] == "removed" for group in groups for f in group)
        return {
            "texts": [lucene] if lucene else [],
            "prefixes": [] if lucene else starts,
            "types": None if types is None else [f"urn:li:{name}:" for name in types],
            "groups": groups,
            "removed": wanted.removed or asked,
        }, text.words

    def _condition(self, condition: Filter) -> dict[str, Any]:
        if condition.operator not in OPERATORS:
            raise BadRequest(f"condition {condition.operator} of {condition.field} is not answered by search")
        if len(condition.values) > MAX_VALUES:
            raise BadRequest(f"filter on {condition.field}: more than {MAX_VALUES} values, which is the limit")
        name = _field(condition.field)
        values: list[Any] = (
            [self._label(v) for v in condition.values] if name == TYPE else self._values(name, condition)
        )
        return {
            "field": name,
            "op": {"IN": "EQUAL"}.get(condition.operator, condition.operator),
            "values": values,
            "texts": [str(value).lower() for value in values],
            "negated": condition.negated,
        }

    def _label(self, value: str) -> str:
        wanted = value.replace("_", "").lower()
        named = {name.lower(): label for name, label in self._model.labels.items()}
        return named.get(wanted, named.get(wanted.replace("datahub", "", 1), value))

    def _values(self, name: str, condition: Filter) -> list[Any]:
        starts = self._model.text.urns.get(name, ())
        kinds = self._model.kinds.get(name, frozenset())
        values: list[Any] = []
        for value in condition.values:
            if starts and not value.startswith("urn:") and condition.operator in {"EQUAL", "IN", "IEQUAL"}:
                values += [start + value for start in starts]
                continue
            if "BOOLEAN" in kinds:
                values.append(value.lower() == "true")
            if kinds & {"DATETIME", "COUNT"} and (number := _number(value)) is not None:
                values.append(number)
            values.append(value)
        return values


def _field(name: str) -> str:
    name = name.removesuffix(".keyword")
    return TYPE if name in TYPE_FIELDS else FILTER_ALIASES.get(name, name)


def _number(value: str) -> int | float | None:
    try:
        number = float(value) if not value.lstrip("-").isdecimal() else int(value)
    except ValueError:
        return None
    return number if -_LONG <= number < _LONG else None


def _sought(groups: Sequence[Sequence[Mapping[str, Any]]], plain: Collection[str]) -> str | None:
    """A Lucene query that everything the filters let through matches; None where one of the groups gives none."""
    found = []
    for group in groups:
        clauses = [
            f"({' OR '.join(condition['field'] + ':' + quoted(value) for value in condition['values'])})"
            for condition in group
            if _indexed(condition, plain)
        ]
        if not clauses:
            return None
        found.append(f"({' '.join(f'+{clause}' for clause in clauses)})")
    return f"({' OR '.join(found)})" if found else None


def _indexed(condition: Mapping[str, Any], plain: Collection[str]) -> bool:
    values = condition["values"]
    return (
        condition["op"] == "EQUAL"
        and not condition["negated"]
        and condition["field"] in plain
        and 0 < len(values) <= MAX_SOUGHT
        and all(isinstance(value, str) and value.isascii() and pieces(value) for value in values)
    )


def _urns(groups: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The URNs that the filters name, where no other can match."""
    named = [
        [
            str(value)
            for condition in group
            if condition["field"] == "urn" and condition["op"] == "EQUAL" and not condition["negated"]
            for value in condition["values"]
        ]
        for group in groups
    ]
    return sorted({urn for urns in named for urn in urns}) if named and all(named) else []


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matched(found: Iterable[Sequence[Any]], name: str, words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The fields that hold one of the words, with their values."""
    wanted = set(words)
    values = [("name", name), *((field, item) for field, value in found for item in _items(value))]
    return tuple((field, value) for field, value in values if wanted and _holds(value, wanted))


def _items(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _holds(value: str, words: set[str]) -> bool:
    own = pieces(value)
    return not words.isdisjoint(own) or any(mine.startswith(word) for word in words for mine in own)
