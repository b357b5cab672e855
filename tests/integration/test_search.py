"""Search against brute force over what was sent: filters, facets, totals, order, paging; a write shows at once."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from catalogue import Table, proposals, tables
from neo4j import AsyncDriver

from graphsvc.errors import BadRequest
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry
from graphsvc.graph.search import Cursor, Filter, Search, SearchQuery, Sort
from graphsvc.graph.words import other_number, pieces
from graphsvc.ingest.proposal import proposal_of
from graphsvc.ingest.service import IngestService
from tests.conftest import empty

COUNT = 1_500
EVERYTHING = 10_000
FACETS = ("platform", "origin", "tags", "owners", "domains", "_entityType", "customProperties")
DATASETS = ("dataset",)


@pytest.fixture(scope="module")
def catalogue() -> list[Table]:
    return list(tables(COUNT))


@pytest.fixture(scope="module")
async def search(
    driver: AsyncDriver,
    database: str,
    service: IngestService,
    reader: Reader,
    registry: Registry,
    catalogue: list[Table],
) -> Search:
    """The catalogue, searchable."""
    await empty(driver, database)
    for at in range(0, len(catalogue), 500):
        await service.ingest([p for table in catalogue[at : at + 500] for p in proposals(table)])
    return Search(reader, registry)


def visible(catalogue: list[Table]) -> list[Table]:
    return [table for table in catalogue if not table.removed]


def names_of(table: Table) -> set[str]:
    """Words of its name, with letters and digits apart."""
    names = f"{table.urn.split(',')[1]} {table.name}"
    return {*pieces(names), *(part for word in pieces(names) for part in re.findall(r"\d+|[a-z]+", word))}


def words_of(table: Table) -> set[str]:
    """What a word of a query may be found in, as the documentation says."""
    columns = pieces(" ".join(table.columns))
    parts = {part for word in columns for part in re.findall(r"\d+|[a-z]+", word)}
    referred = {urn.rpartition(":")[2] for urn in (table.platform, table.domain, *table.tags, *table.owners)}
    texts = {*pieces(table.description), *pieces(" ".join(table.properties))}
    return {*names_of(table), *columns, *parts, *texts, *referred}


def said(table: Table, word: str) -> bool:
    """Whether a bare word is found: as it is, in its other number, or as the beginning of a word of a name."""
    return bool(words_of(table) & {word, other_number(word)}) or any(w.startswith(word) for w in names_of(table))


def a(field: str, *values: str, op: str = "EQUAL", negated: bool = False) -> Filter:
    return Filter(field, values, op, negated)


SNOW, PII, ADA = "urn:li:dataPlatform:snowflake", "urn:li:tag:pii", "urn:li:corpuser:user3"
FILTERS: list[tuple[tuple[tuple[Filter, ...], ...], Callable[[Table], bool]]] = [
    (((a("platform", SNOW),),), lambda t: t.platform == SNOW),
    (((a("platform.keyword", "snowflake", "dbt", op="IN"),),), lambda t: t.platform[20:] in {"snowflake", "dbt"}),
    (((a("platform", SNOW, negated=True),),), lambda t: t.platform != SNOW),
    (((a("tags", PII), a("owners", ADA)),), lambda t: PII in t.tags and ADA in t.owners),
    (((a("tags", PII),), (a("owners", ADA),)), lambda t: PII in t.tags or ADA in t.owners),
    (((a("tags", op="EXISTS"),),), lambda t: bool(t.tags)),
    (((a("tags", op="EXISTS", negated=True),),), lambda t: not t.tags),
    (((a("name", "_ORDERS_", op="CONTAIN"),),), lambda t: "_orders_" in t.name.lower()),
    (((a("name", "fct_", op="START_WITH"),),), lambda t: t.name.startswith("fct_")),
    (((a("name", "daily", op="END_WITH"),),), lambda t: t.name.lower().endswith("daily")),
    (((a("createdAt", "800000000000", op="GREATER_THAN"),),), lambda t: t.created > 800_000_000_000),
    (((a("createdAt", "800000000000", op="LESS_THAN_OR_EQUAL_TO"),),), lambda t: t.created <= 800_000_000_000),
    (((a("customProperties", "tier=1"),),), lambda t: "tier=1" in t.properties),
    (((a("origin", "DEV"), a("domains", "urn:li:domain:web")),), lambda t: t.env == "DEV" and t.domain[14:] == "web"),
    (((a("origin", "dev", op="IEQUAL"),),), lambda t: t.env == "DEV"),
    (((a("_entityType", "DATASET"),),), lambda _: True),
    (((a("nobodyKnows", "x"),),), lambda _: False),
    (((a("nobodyKnows", "x", negated=True),),), lambda _: True),
    (((),), lambda _: True),
    (
        ((a("env", "PROD"), a("tags", PII)), (a("origin", "DEV"), a("tags", PII))),
        lambda t: t.env == "DEV" and PII in t.tags,
    ),
]


@pytest.mark.parametrize("text", ["*", "order", "orders OR payments", "daily -kafka"])
@pytest.mark.parametrize("number", range(len(FILTERS)))
async def test_filters_totals_and_facets_are_those_of_brute_force(
    search: Search, catalogue: list[Table], number: int, text: str
) -> None:
    """Whatever the conditions, with and without a text."""
    filters, holds = FILTERS[number]
    query = SearchQuery(text, DATASETS, filters)
    found_by: Callable[[Table], bool] = {
        "*": lambda _: True,
        "order": lambda t: said(t, "order"),
        "orders OR payments": lambda t: said(t, "orders") or said(t, "payments"),
        "daily -kafka": lambda t: said(t, "daily") and "kafka" not in words_of(t),
    }[text]
    wanted = [t for t in visible(catalogue) if holds(t) and found_by(t)]

    hits, total, facets, partial = await search.answer(
        query, 0, EVERYTHING, total=True, facets=FACETS, limit=EVERYTHING
    )

    assert set(hits.urns) == {t.urn for t in wanted}
    assert len(hits.urns) == len(wanted) == total
    assert (total, partial) == await search.total(query)
    assert not partial
    assert text != "*" or list(hits.urns) == sorted(hits.urns)
    assert facets == await search.facets(query, FACETS, EVERYTHING)
    assert {name: dict(counts) for name, counts in facets.items()} == brute_facets(wanted)
    for counts in facets.values():
        assert [c.number for c in counts] == sorted((c.number for c in counts), reverse=True)


@pytest.mark.parametrize(("text", "filters"), [("*", ()), ("orders", ()), ("*", FILTERS[0][0])])
async def test_counting_stops_at_the_limit_and_says_so(
    search: Search,
    reader: Reader,
    registry: Registry,
    catalogue: list[Table],
    text: str,
    filters: tuple[tuple[Filter, ...], ...],
) -> None:
    """A page is the same; the total is the limit, and facets count no more than that."""
    query = SearchQuery(text, DATASETS, filters)
    every = await search.answer(query, 0, 5, total=True)
    exact, bounded = (Search(reader, registry, most) for most in (every.total, every.total - 1))

    assert not (await exact.answer(query, 0, 5, total=True)).partial
    hits, total, facets, partial = await bounded.answer(query, 0, 5, total=True, facets=["origin"], limit=EVERYTHING)

    assert every.total > 5 < len(catalogue)
    assert list(hits.urns) == list(every.hits.urns) == [hit.urn for hit in await search.page(query, 0, 5)]
    assert (total, partial) == (every.total - 1, True) == await bounded.total(query)
    assert sum(count.number for count in facets["origin"]) <= every.total
    everywhere = await bounded.facets(query, ["origin"], EVERYTHING, all_of_them=True)
    assert sum(count.number for count in everywhere["origin"]) == every.total


def brute_facets(wanted: list[Table]) -> dict[str, dict[str, int]]:
    return {
        "platform": dict(Counter(t.platform for t in wanted)),
        "origin": dict(Counter(t.env for t in wanted)),
        "tags": dict(Counter(tag for t in wanted for tag in t.tags)),
        "owners": dict(Counter(owner for t in wanted for owner in t.owners)),
        "domains": dict(Counter(t.domain for t in wanted)),
        "_entityType": {"dataset": len(wanted)} if wanted else {},
        "customProperties": dict(Counter(p for t in wanted for p in t.properties)),
    }


async def test_removed_is_shown_to_those_who_ask(search: Search, catalogue: list[Table]) -> None:
    """By a filter, or by the flag; who has no status is not removed."""
    removed = {t.urn for t in catalogue if t.removed}

    only = await search.page(SearchQuery("*", DATASETS, ((a("removed", "true"),),)), 0, EVERYTHING)
    without = await search.page(SearchQuery("*", DATASETS, ((a("removed", "true", negated=True),),)), 0, EVERYTHING)
    everything = (await search.total(SearchQuery("*", DATASETS, removed=True))).number

    assert {hit.urn for hit in only} == removed
    assert {hit.urn for hit in without} == {t.urn for t in visible(catalogue)}
    assert everything == COUNT


async def test_referenced_entities_are_no_results(search: Search) -> None:
    """The tags, owners and platforms here were never described."""
    assert (await search.total(SearchQuery("pii", ("tag",)))).number == 0
    assert {c.value for c in (await search.facets(SearchQuery("*"), ["_entityType"], 10))["_entityType"]} == {"dataset"}


@pytest.mark.parametrize("text", ["*", "orders", "name:fct*"])
@pytest.mark.parametrize(
    "sort",
    [
        (),
        (Sort("createdAt", descending=True),),
        (Sort("name"),),
        (Sort("tags"),),
        (Sort("origin"), Sort("tags", descending=True), Sort("name")),
        (Sort("nothing"), Sort("platform", descending=True)),
    ],
)
async def test_scrolling_meets_everything_once(
    search: Search, service: IngestService, text: str, sort: tuple[Sort, ...]
) -> None:
    """In order, also while others write; the pages have the size that was asked for."""
    query = SearchQuery(text, DATASETS)
    everything = {hit.urn for hit in await search.page(query, 0, EVERYTHING)}
    seen: list[str] = []
    cursor: Cursor | None = None
    while True:
        hits, cursor = await search.scroll(query, cursor, 97, sort)
        seen += hits.urns
        if cursor is None:
            break
        assert len(hits.urns) == 97
        await service.ingest(
            [proposal_of("urn:li:dataset:(urn:li:dataPlatform:a,a.a,PROD)", "status", {"removed": True})]
        )

    assert sorted(seen) == sorted(everything)
    if not sort:
        assert seen == sorted(seen)


@pytest.mark.parametrize("text", ["*", "orders daily"])
async def test_pages_by_offset_are_the_answer_in_pieces(search: Search, text: str) -> None:
    """Also deep ones."""
    query = SearchQuery(text, DATASETS)
    everything = await search.page(query, 0, EVERYTHING)

    pieces_ = [hit for start in range(0, len(everything), 40) for hit in await search.page(query, start, 40)]

    assert [hit.urn for hit in pieces_] == [hit.urn for hit in everything]


async def test_sorted_by_a_field(search: Search, catalogue: list[Table]) -> None:
    """Descending and ascending, then by URN."""
    up = await search.page(SearchQuery("*", DATASETS), 0, 50, [Sort("createdAt")])
    down = await search.page(SearchQuery("orders", DATASETS), 0, 5, [Sort("createdAt", descending=True)])
    wanted = sorted(visible(catalogue), key=lambda t: (t.created, t.urn))

    assert [hit.urn for hit in up] == [t.urn for t in wanted[:50]]
    assert [h.urn for h in down] == [t.urn for t in reversed(wanted) if said(t, "orders")][:5]


async def test_sorted_by_several_fields(search: Search, catalogue: list[Table]) -> None:
    """The first counts most; what lacks a field comes behind what has it."""
    query = SearchQuery("*", DATASETS)
    order = [Sort("platform", descending=True), Sort("nothing"), Sort("createdAt")]
    wanted = sorted(visible(catalogue), key=lambda t: (t.created, t.urn))
    wanted.sort(key=lambda t: t.platform, reverse=True)

    found = await search.page(query, 0, EVERYTHING, order)
    hits, cursor = await search.scroll(query, None, 33, order)
    more, _ = await search.scroll(query, cursor, 33, order)

    assert [hit.urn for hit in found] == [t.urn for t in wanted]
    assert [*hits.rows(), *more.rows()] == found[:66]


async def test_an_order_that_cannot_be_is_refused(search: Search) -> None:
    """Too many fields, or a scroll that goes on in another order than it began."""
    query = SearchQuery("*", DATASETS)
    _, cursor = await search.scroll(query, None, 3, [Sort("name")])

    with pytest.raises(BadRequest, match="4 fields to sort by; up to 3"):
        await search.page(query, 0, 10, [Sort(name) for name in ("a", "b", "c", "d")])
    with pytest.raises(BadRequest, match="another order"):
        await search.scroll(query, cursor, 3)


async def test_an_acknowledged_write_is_found_and_a_deleted_one_is_not(search: Search, service: IngestService) -> None:
    """At once: the index is part of the transaction."""
    urn = "urn:li:dataset:(urn:li:dataPlatform:hive,zebra.quagga_okapi,PROD)"
    query = SearchQuery("quaggaOkapi")

    before = (await search.total(query)).number
    await service.ingest([proposal_of(urn, "datasetProperties", {"name": "quagga_okapi", "description": "striped"})])
    found = await search.page(query, 0, 10, shown=True)
    by_text = (await search.total(SearchQuery("striped"))).number
    await service.ingest([proposal_of(urn, "datasetProperties", {"name": "tapir"})])
    renamed = (await search.total(SearchQuery("tapir"))).number, (await search.total(SearchQuery("striped"))).number
    await service.ingest([proposal_of(urn, "status", {"removed": True})])
    after = (await search.total(SearchQuery("tapir"))).number

    assert (before, [hit.urn for hit in found], by_text, renamed, after) == (0, [urn], 1, (1, 0), 0)
    assert ("name", "quagga_okapi") in found[0].fields


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('"orders daily"', lambda t: "orders daily" in " ".join(pieces(t.urn.split(",")[1]))),
        ("paym*", lambda w: any(word.startswith("paym") for word in words_of(w))),
        ("paymets~", lambda t: "payments" in words_of(t)),
        ("tags:pii orders", lambda t: PII in t.tags and said(t, "orders")),
        ("tag:pii AND NOT owner:user3", lambda t: PII in t.tags and ADA not in t.owners),
        ("platform:kafka", lambda t: t.platform.endswith(":kafka")),
        ("(orders OR refunds) AND 2023", lambda t: (said(t, "orders") or said(t, "refunds")) and said(t, "2023")),
        ("name:daily", lambda t: "daily" in pieces(t.urn.split(",")[1])),
        ("column:shippingAddressLine2", lambda t: "shippingAddressLine2" in t.columns),
        ("line 2 addresses", lambda t: "shippingAddressLine2" in t.columns),
        ("customProperties:team", lambda _: True),
        ("NOT name:orders", lambda t: "orders" not in pieces(t.urn.split(",")[1])),
    ],
)
async def test_query_syntax(search: Search, catalogue: list[Table], text: str, holds: Callable[[Table], Any]) -> None:
    """Each form finds what it says and nothing else."""
    hits = await search.page(SearchQuery(text, DATASETS), 0, EVERYTHING)

    assert {hit.urn for hit in hits} == {t.urn for t in visible(catalogue) if holds(t)}


async def test_a_name_being_typed(search: Search, catalogue: list[Table]) -> None:
    """Every word of what is typed begins or is a word of the name."""
    hits = await search.page(SearchQuery("fct_ord", DATASETS, completing=True), 0, EVERYTHING)

    names = {t.urn for t in visible(catalogue) for w in [pieces(t.urn.split(",")[1])] if "fct" in w and "orders" in w}
    assert {hit.urn for hit in hits} == names


async def test_what_cannot_be_asked_is_said(search: Search) -> None:
    """A limit or an operator, by name."""
    for query in (
        SearchQuery(" ".join(f"w{n}" for n in range(17))),
        SearchQuery("(" * 30 + "a" + ")" * 30),
        SearchQuery("*", None, ((a("tags", "x", op="DESCENDANTS_INCL"),),)),
        SearchQuery("*", None, ((*(a("domains", f"x{n}", op="DESCENDANTS_INCL") for n in range(101)),),)),
    ):
        with pytest.raises(BadRequest):
            await search.page(query, 0, 1)


async def test_the_longest_query_is_answered(search: Search) -> None:
    """Within Lucene's limit on clauses."""
    assert (await search.total(SearchQuery(" ".join(f"word_{n}*" for n in range(8))))).number == 0
    assert (await search.total(SearchQuery(" ".join(f"word{n}" for n in range(16))))).number == 0
