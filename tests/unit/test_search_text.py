"""Texts from a search box become queries of ours; the index holds what the model says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.errors import BadRequest
from graphsvc.graph.projection import FACETS
from graphsvc.graph.queries import ROOT
from graphsvc.graph.registry import load_registry
from graphsvc.graph.search import EXACT, TEXT, text_fields
from graphsvc.graph.search_text import MAX_WORDS, NOTHING, TextFields, completed, understood
from graphsvc.graph.words import name_words, other_number, path_words, pieces, stem

FIELDS = TextFields(
    boosts={"description": 1.0},
    plain=frozenset({"nameWords", "fieldWords", "description", "tags"}),
    urns={"tags": ("urn:li:tag:",)},
    aliases={"tag": "tags", "name": "nameWords"},
)
TYPED = st.lists(
    st.sampled_from(
        ["AND", "OR", "NOT", "(", ")", '"', "*", "~", "a", "tag:", "name:x", "-", "\\", "/", "[", "^2", "b_c"]
    )
    | st.text(max_size=4)
).map(" ".join)


def test_the_index_holds_what_the_model_says() -> None:
    """A new text field of the model has to be added to the index, by a further file of the schema, or to NO_TEXT."""
    text = (ROOT / "schema" / "V006__search.cypher").read_text(encoding="utf-8")

    assert text_fields(load_registry()) == TEXT
    assert set(re.findall(r"e\.(\w+)", text)) == {"nameWords", "fieldWords"} | TEXT | EXACT


def test_facets_of_older_graphs_are_those_of_new_entities() -> None:
    """A field that the migration lacks would have no values there, without a word."""
    text = (ROOT / "schema" / "V019__facet_values.cypher").read_text(encoding="utf-8")

    assert [name for name in re.findall(r'"(\w+)=?"', text) if name != "Entity"] == list(FACETS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fct_orders_daily", "fct orders daily"),
        ("orderItems", "order items orderitems"),
        ("retail.marts.dim-x", "retail marts dim x"),
        ("HTTPServer2023", "http server2023 httpserver2023 server 2023"),
        ("Größe v2", "größe v2 v 2"),
        ("…", ""),
    ],
)
def test_words_of_names(name: str, words: str) -> None:
    """Parted at signs, case and digits; the parts in order, what is put together after them."""
    assert name_words(name) == words


def test_words_of_columns() -> None:
    """Each once; the types in a field path's second version are no words."""
    assert path_words(["[version=2.0].[type=struct].customer_id", "customer_name"]) == "customer id name"


@given(TYPED)
def test_every_text_is_a_query_or_a_clear_error(text: str) -> None:
    """Balanced, and nothing of the text stands outside of quotation marks but letters and digits."""
    try:
        lucene = understood(text, FIELDS).lucene
        completed(text, FIELDS)
    except BadRequest:
        return

    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "q", lucene or "")
    assert bare.count("(") == bare.count(")")
    assert not re.search(r'["\\/\[\]{}!?&|]', bare)


@pytest.mark.parametrize("text", ["", " ", "*", "**"])
def test_everything(text: str) -> None:
    """Nothing to look up."""
    assert understood(text, FIELDS).lucene is None


def test_signs_alone_find_nothing() -> None:
    """Not everything."""
    assert understood("$ %", FIELDS).lucene == NOTHING


def test_the_number_of_words_is_limited() -> None:
    """Words in one name count each."""
    understood("_".join(["a"] * MAX_WORDS), FIELDS)
    with pytest.raises(BadRequest, match="words"):
        understood("_".join(["a"] * (MAX_WORDS + 1)), FIELDS)


@pytest.mark.parametrize(
    ("text", "lucene"),
    [
        ("tag:pii", '(tags:"urn:li:tag:pii")'),
        ("name:a_b", '(+nameWords:"a" +nameWords:"b")'),
        ("name:a -name:b", '(+nameWords:"a" -nameWords:"b")'),
        ("NOT name:b", '(+*:* -nameWords:"b")'),
        ("name:a OR name:b name:c", '(nameWords:"a" OR (+nameWords:"b" +nameWords:"c"))'),
        ("name:(a OR b)", '(nameWords:"a" OR nameWords:"b")'),
        ("name:ab*", "nameWords:ab*"),
        ("name:ordres~", "nameWords:ordres~2"),
        ('description:"a \\ b"', 'description:"a \\\\ b"'),
        ("name:a) AND", 'nameWords:"a"'),
    ],
)
def test_forms(text: str, lucene: str) -> None:
    """AND binds closer than OR; what makes no sense is passed over."""
    assert understood(text, FIELDS).lucene == lucene


def test_pieces_are_lower_case() -> None:
    """As Lucene's analyser has them."""
    assert pieces("OrderITEMS_X") == ["order", "items", "x"]


@pytest.mark.parametrize(
    ("one", "many"),
    [("order", "orders"), ("company", "companies"), ("day", "days"), ("address", "addresses"), ("batch", "batches")],
)
def test_singular_and_plural(one: str, many: str) -> None:
    """Each is the other's, and both begin with the stem."""
    assert other_number(one) == many
    assert other_number(many) == one
    assert stem(one) == stem(many)


@pytest.mark.parametrize("word", ["id", "v2", "größe"])
def test_what_has_no_other_number(word: str) -> None:
    """Too short, not a word, or not English."""
    assert not other_number(word)
    assert stem(word) == word


@pytest.mark.parametrize("text", ["name:a", '"a b"', "a*", "a~", "-a", "a OR b", "(a)", "*"])
def test_what_has_signs_is_never_widened(text: str) -> None:
    """It means what it says."""
    assert understood(text, FIELDS).nearer == ()


def test_bare_words_are_widened() -> None:
    """By what is near all of them, then by any of them; long texts only by the latter."""
    near, some = understood("dailyrevenue by contry", FIELDS).nearer

    assert 'nameWords:"daily revenue"' in near
    assert "nameWords:contry~2" in near
    assert 'nameWords:"dailyrevenuecontry"' in some
    assert not any("~" in query for query in understood("a1 b2 c3 d4 e5", FIELDS).nearer)


def test_joining_words_need_not_be_found() -> None:
    """Where there are others."""
    assert '+(nameWords:"of"' not in (understood("rows of orders", FIELDS).lucene or "")
    assert understood("the", FIELDS).lucene != NOTHING


def test_what_is_excluded_is_just_what_was_said() -> None:
    """Neither its plural, nor what begins so."""
    lucene = understood("a NOT (order b)", FIELDS).lucene or ""

    assert "orders" not in lucene
    assert "order*" not in lucene
