"""Search over Neo4j's full-text index: pages, totals and facets of the entities that a text and filters let through."""

import asyncio
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple

from graphsvc.errors import BadRequest, BadUrn, StoreRefused
from graphsvc.graph.kin import MAX_VALUES, has_kin, spelled_out
from graphsvc.graph.projection import FACETS
from graphsvc.graph.queries import query
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import FieldSpec, Registry
from graphsvc.graph.search_text import SearchText, TextFields, completed, quoted, understood
from graphsvc.graph.words import pieces
from graphsvc.urn import parse_urn

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
SHOWN = ("tags", "glossaryTerms", "platform", "domains", "owners")
OPERATORS = frozenset({
    "EQUAL", "IN", "IEQUAL", "CONTAIN", "START_WITH", "END_WITH", "EXISTS", "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN", "LESS_THAN_OR_EQUAL_TO",
})  # fmt: skip
MAX_SOUGHT = 100  # values of one filter that the index is asked for; longer lists are compared one by one
LONGEST_REMEMBERED = 200  # letters of a text whose query is kept, since its next page may be asked for
MOST_CRITERIA = 3  # fields that an answer is sorted by
MOST_COUNTED = 100_000  # entities; whoever looks at more sees no more, and it takes over a second
SIMILAR = 0.7  # of 1, how alike words are that are shown as found where none is the same
_LONG = 2**63
_TOO_WIDE = "too many nested clauses"


class Filter(NamedTuple):
    """
    One condition.

    Attributes:
        field: DataHub's name of a field, or `urn`, `name`, `_entityType`. What the model does not know, no entity has.
        values: One of them should match.
        operator: One of `OPERATORS`. Texts are compared as they are by EQUAL and IN, and in any case by the others. For
            the fields of `NESTED` one of `KIN`, too: the values, and all that is below them, above them, or both.
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
        text: As `search_text` reads it; `*` and the empty one are in every entity, a URN is that of one.
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

    @property
    def urn(self) -> str | None:
        """The URN that the text is, if it is one; it may stand in quotation marks."""
        text = self.text.strip().strip('"')
        if text.startswith("urn:"):
            with suppress(BadUrn):
                parse_urn(text)
                return text
        return None


class Sort(NamedTuple):
    """A field that answers are sorted by, then by URN; those without it come last."""

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


class Hits(NamedTuple):
    """Entities that were found, in columns, each as `Hit` has it: whoever writes a list of them makes no objects."""

    urns: Sequence[str] = ()
    names: Sequence[str] = ()
    scores: Sequence[float] = ()
    fields: Sequence[tuple[tuple[str, str], ...]] = ()

    def rows(self) -> list[Hit]:
        """One by one."""
        return list(map(Hit._make, zip(*self, strict=True)))


class Count(NamedTuple):
    """A value of a facet, and how many entities have it."""

    value: str
    number: int


class Answer(NamedTuple):
    """
    A page, and what was asked to be counted.

    Attributes:
        hits: The page.
        total: How many match.
        facets: For each facet its values, the most frequent first.
        partial: Counting stopped at the limit: there are more than `total`, and the facets are of these only.
    """

    hits: Hits
    total: int
    facets: dict[str, list[Count]]
    partial: bool


class Among(NamedTuple):
    """A list of entities: those that have one of the values in a field, or as their `urn`."""

    field: str
    values: tuple[str, ...]


class Total(NamedTuple):
    """How many match; `partial` if there are more, and counting stopped."""

    number: int
    partial: bool


class Group(NamedTuple):
    """
    A step that leads on from a browse path.

    Attributes:
        name: A name, or the URN of a container.
        number: Entities below it.
        leads_on: Some of them stand further down.
    """

    name: str
    number: int
    leads_on: bool


class Level(NamedTuple):
    """
    What stands at a browse path.

    Attributes:
        groups: A page of the steps that lead on, the most frequent first, then by name.
        of_groups: How many there are.
        hits: Entities at the path itself, by URN, on the page behind the last group.
        of_hits: How many there are.
        below: Entities at the path or below.
    """

    groups: list[Group]
    of_groups: int
    hits: list[Hit]
    of_hits: int
    below: int


class Cursor(NamedTuple):
    """Where a scroll stands: the last URN, and the values it was sorted by."""

    urn: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What of a search is wanted; as the arguments of `Search.answer`."""

    start: int
    count: int
    sort: Sequence[Sort]
    shown: bool
    total: bool
    facets: list[str]
    limit: int


class _Page(NamedTuple):
    """A page as the queries bring it, in columns; values are those that it is sorted by, held those of its fields."""

    urns: Sequence[str] = ()
    names: Sequence[str | None] = ()
    scores: Sequence[float] = ()
    values: Sequence[Any] = ()
    held: Sequence[Any] = ()

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> "_Page":
        """Of rows."""
        return cls(*zip(*rows, strict=True))

    def first(self, count: int) -> "_Page":
        """So many of it."""
        return type(self)._make(column[:count] for column in self)

    def hits(self, fields: Sequence[tuple[tuple[str, str], ...]] | None = None) -> Hits:
        """What is shown of it; an entity without a name is called by its URN."""
        names = [name or urn for urn, name in zip(self.urns, self.names, strict=True)]
        return Hits(self.urns, names, self.scores, [()] * len(names) if fields is None else fields)


class _Found(NamedTuple):
    """What the queries answer."""

    page: _Page
    total: int
    facets: list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """What search takes from the registry."""

    text: TextFields
    kinds: Mapping[str, frozenset[str]]
    labels: Mapping[str, str]
    types: Mapping[str, str]


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
        types={spec.label: name for name, spec in registry.entities.items()},
    )


def _fields(registry: Registry) -> Iterator[FieldSpec]:
    return (
        f for entity in registry.entities.values() for aspect in entity.projection for f in entity.projected(aspect)
    )


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

    Totals and facets are exact up to a number of matches, and say where they stop. Their cost grows with the entities
    that match; with nothing to look up in the index (`*`, or filters on other fields than `EXACT`) it grows with the
    entities of the types. Every method raises BadRequest for what cannot be asked, and what the reader raises.
    """

    def __init__(self, reader: Reader, registry: Registry, most_counted: int = MOST_COUNTED) -> None:
        """
        Keep the reader.

        Args:
            reader: Where everything is read.
            registry: The model.
            most_counted: Matches that are counted at most, and ranked; the index gives the best first.
        """
        self._reader = reader
        self._most = most_counted
        self._model = _model(registry)
        self._shown = [*self._model.text.boosts, "fieldPaths", *SHOWN]

    async def page(
        self, wanted: SearchQuery, start: int, count: int, sort: Sequence[Sort] = (), *, shown: bool = False
    ) -> list[Hit]:
        """One page of `answer`."""
        return (await self.answer(wanted, start, count, sort, shown=shown)).hits.rows()

    async def _ask(self, text: LiteralString, **parameters: Any) -> Any:
        try:
            return await self._reader.value_of(text, **parameters)
        except StoreRefused as exc:
            if _TOO_WIDE in str(exc):
                raise BadRequest("a query has too many words, or stands for too many, which is Lucene's limit") from exc
            raise

    async def answer(  # noqa: PLR0913
        self,
        wanted: SearchQuery,
        start: int,
        count: int,
        sort: Sequence[Sort] = (),
        *,
        shown: bool = False,
        total: bool = False,
        facets: Iterable[str] = (),
        limit: int = 0,
    ) -> Answer:
        """
        One page, the best first: those called so, then by how much of the text their names have, score, and URN.

        Where nothing at all matches a text without signs, what is near it is answered: words of which a letter or two
        are wrong, words written as one, then entities that have some of the words.

        Args:
            wanted: What to search for.
            start: Entities to leave out.
            count: Entities at most.
            sort: Another order, by up to `MOST_CRITERIA` fields; `*` and the empty text are in the order of the URNs
                without one.
            shown: Whether to bring the fields that hold words of the text.
            total: Whether to count all that match.
            facets: Fields whose values to count among all that match.
            limit: Values of a facet at most.
        """
        wanted = await self._spelled_out(wanted)
        names = {_field(name): name for name in facets}
        asked = _Asked(start, count, sort, shown=shown, total=total, facets=list(names), limit=limit)
        text = self._read(wanted)
        found = _Found(_Page(), 0, [])
        for lucene in (text.lucene, *text.nearer):
            source = self._source(wanted, lucene)
            ranked = not sort and bool(lucene)
            found = await (
                self._ranked(source, asked, wanted.text, text.words) if ranked else self._listed(source, asked)
            )
            if found.page.urns or found.total or not text.nearer or await self._total(source):
                break
        fields = self._fields(wanted, found.page, text) if shown else None
        counts = self._counts(found.facets, names)
        return Answer(found.page.hits(fields), min(found.total, self._most), counts, partial=found.total > self._most)

    def _fields(self, wanted: SearchQuery, page: _Page, text: SearchText) -> list[tuple[tuple[str, str], ...]]:
        """Of each entity the fields that hold words of the text."""
        if wanted.urn:
            return [(("urn", urn),) for urn in page.urns]
        return [_matched(held, name or "", text) for name, held in zip(page.names, page.held, strict=True)]

    async def lists(
        self, wanted: Iterable[Among], start: int, count: int, facets: Sequence[str] = (), limit: int = 0
    ) -> dict[Among, Answer]:
        """
        One page of each of some lists, in one query; as `answer` gives it for `*` and a filter.

        Args:
            wanted: Lists, by their URNs or by one value of a field.
            start: As `answer` has it; so are the others.
            count: The same.
            facets: The same.
            limit: The same.

        Returns:
            List -> page. Those that the index cannot look up, or that are too long to be counted, are left out.
        """
        names = {_field(name): name for name in facets}
        requests: dict[Among, dict[str, Any]] = {}
        for at, among in enumerate(dict.fromkeys(wanted)):
            condition = self._condition(Filter(*among))
            row = {"at": at, "texts": [], "urns": [], "field": None, "value": None}
            if among.field == "urn":
                requests[among] = row | {"urns": list(dict.fromkeys(among.values))}
            elif len(among.values) == 1 and _indexed(condition, self._model.text.plain):
                sought = _sought([[condition]], self._model.text.plain)
                requests[among] = row | {
                    "texts": [sought],
                    "field": condition["field"],
                    "value": condition["values"][0],
                }
        if not requests:
            return {}
        rows = await self._ask(
            query("read/search_lists"),
            requests=list(requests.values()),
            most=self._most + 1,
            start=start,
            count=count,
            **_counted(names),
            limit=limit,
        )
        pages = {at: more for at, *more in rows}
        found: dict[Among, Answer] = {}
        for among, request in requests.items():
            page, total, counts = pages[request["at"]]
            if total <= self._most:
                hits = _unscored(*zip(*page, strict=True)).hits() if page else Hits()
                found[among] = Answer(hits, total, self._counts(counts, names), partial=False)
        return found

    async def scroll(
        self, wanted: SearchQuery, after: Cursor | None, count: int, sort: Sequence[Sort] = ()
    ) -> tuple[Hits, Cursor | None]:
        """
        The next page in the order of some fields or, without one, of the URNs, so that writes meanwhile move nothing.

        Returns:
            The page, and where to go on; None at the end.
        """
        if after and len(after.values) != len(sort):
            raise BadRequest("the scroll began in another order; go on in that, or begin anew")
        source = await self._exactly(wanted)
        if not sort and _walkable(source):
            page = await self._walk(source, after.urn if after else "", 0, count + 1)
        else:
            page = await self._sorted(source, sort, after, 0, count + 1, [])
        hits = page.first(count).hits()
        if len(page.urns) <= count or not hits.urns:
            return hits, None
        return hits, Cursor(hits.urns[-1], tuple(page.values[count - 1]))

    async def total(self, asked: SearchQuery, *, wanted: bool = True) -> Total:
        """How many entities match, nothing near them; 0 if that is not wanted."""
        found = await self._total(await self._exactly(asked), wanted=wanted)
        return Total(min(found, self._most), found > self._most)

    async def facets(
        self, wanted: SearchQuery, fields: Iterable[str], limit: int, *, all_of_them: bool = False
    ) -> dict[str, list[Count]]:
        """
        For each field its values among the entities that match, the most frequent first, then by value.

        Args:
            wanted: What to search for.
            fields: Facets.
            limit: Values of a facet at most.
            all_of_them: Count without a limit on the entities.
        """
        names = {_field(name): name for name in fields}
        source = await self._exactly(wanted)
        most = sys.maxsize if all_of_them else self._most
        return self._counts(await self._facets(source, list(names), limit, most), names)

    async def _ranked(self, source: Mapping[str, Any], asked: _Asked, text: str, words: Sequence[str]) -> _Found:
        """Page, total and facets of a text in one query: finding the entities is what costs."""
        found = await self._ask(
            query("read/search_page"),
            **source,
            ranked=bool(text),
            names=_names(text),
            words=[f" {word}" for word in words] or [" "],
            letters=sum(map(len, words)),
            start=asked.start,
            count=asked.count,
            fields=self._shown if asked.shown else [],
            **_counted(asked.facets),
            limit=asked.limit,
            most=self._most + 1,
        )
        return _Found(_Page.of(found["rows"]), found["total"], found["facets"])

    async def _listed(self, source: Mapping[str, Any], asked: _Asked) -> _Found:
        """The same in another order, or of everything: part by part, as a page may cost far less than a total."""
        if source["texts"] and not asked.sort and (asked.total or asked.facets):
            found = await self._ranked(source, asked, "", ())  # filters give no score: the order is that of the URNs
            if found.total <= self._most:
                return found
            ranges = {**source, "texts": [], "prefixes": source["types"] or ["urn:li:"]}
            return found._replace(page=await self._walk(ranges, "", asked.start, asked.count))
        if not asked.total and not asked.facets:
            return _Found(await self._page(source, asked), 0, [])
        page, total, facets = await asyncio.gather(
            self._page(source, asked),
            self._total(source, wanted=asked.total),
            self._facets(source, asked.facets, asked.limit, self._most),
        )
        return _Found(page, total, facets)

    async def _page(self, source: Mapping[str, Any], asked: _Asked) -> _Page:
        if not asked.sort and _walkable(source):
            return await self._walk(source, "", asked.start, asked.count)
        fields = self._shown if asked.shown and source["texts"] else []
        return await self._sorted(source, asked.sort, None, asked.start, asked.count, fields)

    async def _walk(self, source: Mapping[str, Any], last: str, start: int, count: int) -> _Page:
        ends = {prefix: prefix[:-1] + ";" for prefix in source["prefixes"]}
        rest = {key: value for key, value in source.items() if key not in {"prefixes", "texts"}}
        ranges = [{"after": max(prefix, last), "end": end} for prefix, end in ends.items() if last < end]
        urns, names = await self._ask(query("read/search_walk"), **rest, ranges=ranges, start=start, count=count)
        return _unscored(urns, names)

    async def _total(self, source: Mapping[str, Any], *, wanted: bool = True) -> int:
        return int(await self._ask(query("read/search_total"), **source, most=self._most + 1)) if wanted else 0

    async def _facets(self, source: Mapping[str, Any], fields: list[str], limit: int, most: int) -> Any:
        if not fields:
            return []
        return await self._ask(query("read/search_facets"), **source, **_counted(fields), limit=limit, most=most)

    def _counts(self, rows: Iterable[Sequence[Any]], names: Mapping[str, str]) -> dict[str, list[Count]]:
        found: dict[str, list[Count]] = {name: [] for name in names.values()}
        for name, value, number in rows:
            found[names[name]].append(Count(self._model.types.get(value, value) if name == TYPE else value, number))
        return found

    async def level(
        self, wanted: SearchQuery, path: Sequence[str], start: int, count: int, *, older: bool = False
    ) -> Level:
        """
        Browse: entities that match, in groups by the step that follows a path in their own.

        An entity's path is its `browsePathV2`, else the containers that it stands in; one without both is in no group.

        Args:
            wanted: What to search for.
            path: The steps so far.
            start: Groups, and entities at the path behind them, to leave out.
            count: Of both at most.
            older: Go by an entity's `browsePaths` where it has some, and bring those that stand at the path.
        """
        source = await self._exactly(wanted)
        found = await self._ask(
            query("read/search_groups"), **source, path=list(path), older=older, start=start, count=count
        )
        groups, below, page, here, hits = found
        return Level(
            [Group._make(row) for row in page], groups, [Hit(urn, name or urn, 0.0) for urn, name in hits], here, below
        )

    async def _sorted(  # noqa: PLR0913, PLR0917
        self,
        source: Mapping[str, Any],
        sort: Sequence[Sort],
        after: Cursor | None,
        start: int,
        count: int,
        fields: list[str],
    ) -> _Page:
        if len(sort) > MOST_CRITERIA:
            raise BadRequest(f"{len(sort)} fields to sort by; up to {MOST_CRITERIA} are possible, and the URN at last")
        ways = ["DESC" if criterion.descending else "ASC" for criterion in sort] + ["ASC"] * (MOST_CRITERIA - len(sort))
        rows = await self._ask(
            query("read/search_sorted", first=ways[0], second=ways[1], third=ways[2]),
            **source,
            sort=[_field(criterion.field) for criterion in sort],
            descending=[criterion.descending for criterion in sort],
            after=after and {"urn": after.urn, "values": list(after.values)},
            start=start,
            count=count,
            fields=fields,
        )
        return _Page.of(rows)

    def _read(self, wanted: SearchQuery) -> SearchText:
        if wanted.urn:
            return SearchText(None, ())
        read = _remembered if len(wanted.text) <= LONGEST_REMEMBERED else _understood
        return read(wanted.text, self._model, completing=wanted.completing)

    async def _exactly(self, wanted: SearchQuery) -> dict[str, Any]:
        """What is asked for, and nothing that is near it, as `_source` gives it."""
        wanted = await self._spelled_out(wanted)
        return self._source(wanted, self._read(wanted).lucene)

    async def _spelled_out(self, wanted: SearchQuery) -> SearchQuery:
        if not has_kin(wanted.filters):
            return wanted
        filters = await spelled_out(
            self._reader, wanted.filters, lambda condition, values: condition._replace(values=values, operator="EQUAL")
        )
        return replace(wanted, filters=filters)

    def _source(self, wanted: SearchQuery, text: str | None) -> dict[str, Any]:
        """The parameters that all queries share; `text` is a Lucene query."""
        named = [Filter("urn", (wanted.urn,))] if wanted.urn else []
        groups = [[self._condition(f) for f in (*named, *group)] for group in wanted.filters or ((),) * len(named)]
        sought = _sought(groups, self._model.text.plain)
        parts = [part for part in (text, sought and f"{sought}^0") if part]
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
        }

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


def _unscored(urns: Sequence[str], names: Sequence[str | None]) -> _Page:
    size = len(urns)
    return _Page(urns, names, [0.0] * size, [()] * size, [()] * size)


def _understood(text: str, model: _Model, *, completing: bool) -> SearchText:
    return (completed if completing else understood)(text, model.text)


_remembered = lru_cache(maxsize=256)(_understood)


def _field(name: str) -> str:
    name = name.removesuffix(".keyword")
    return TYPE if name in TYPE_FIELDS else FILTER_ALIASES.get(name, name)


def _counted(fields: Iterable[str]) -> dict[str, list[str]]:
    """Fields to count, and those of them that are read one by one, as queries take them."""
    facets = list(fields)
    return {"facets": facets, "others": [field for field in facets if field not in FACETS]}


def _number(value: str) -> int | float | None:
    try:
        number = float(value) if not value.lstrip("-").isdecimal() else int(value)
    except ValueError:
        return None
    return number if -_LONG <= number < _LONG else None


def _walkable(source: Mapping[str, Any]) -> bool:
    """Whether what matches stands in whole ranges of the index of URNs."""
    return not source["texts"] and all(prefix.endswith(":") for prefix in source["prefixes"])


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


def _names(text: str) -> list[str]:
    """How names that the text spells out may be written, in lower case."""
    words = pieces(text)
    return list(
        dict.fromkeys([text.strip().strip('"').lower(), *(sign.join(words) for sign in "_-. ./"), "".join(words)])
    )


def _matched(found: Iterable[Sequence[Any]], name: str, text: SearchText) -> tuple[tuple[str, str], ...]:
    """The fields that hold one of the words, with their values; else those that hold what is near one."""
    if not text.words:
        return ()
    values = [("name", name), *((field, item) for field, value in found for item in _items(value))]
    own = [pieces(value.rpartition(":")[2] if value.startswith("urn:li:") else value) for _, value in values]
    held = [any(mine.startswith(text.words) for mine in words) for words in own]
    near = text.near or (text.words if text.nearer and not any(held) else ())
    if near:
        similar = (any(get_close_matches(word, words, 1, SIMILAR) for word in near) for words in own)
        held = [one or other for one, other in zip(held, similar, strict=True)]
    return tuple(value for value, holds in zip(values, held, strict=True) if holds)


def _items(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
