"""A view's definition as plain filters, and these together with a request's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.api.filters import Criterion, matches
from graphsvc.api.graphql.view_filters import MAX_COMBINED, both_groups, both_types, view_filters
from graphsvc.errors import BadRequest
from graphsvc.graph.search import Filter

KAFKA, PII = "urn:li:dataPlatform:kafka", "urn:li:tag:pii"
VALUES = st.lists(st.sampled_from("ab"), max_size=2, unique=True).map(tuple)
CONDITIONS = st.builds(Criterion, st.sampled_from("xy"), VALUES, st.sampled_from(["EQUAL", "EXISTS"]), st.booleans())
GROUPS = st.lists(st.lists(CONDITIONS, max_size=3), max_size=3)


def definition(*groups: list[dict[str, Any]], types: list[str] | None = None) -> dict[str, Any]:
    return {"entityTypes": types or [], "filter": {"or": [{"and": group} for group in groups]}}


def test_a_view_as_datahub_stores_it() -> None:
    """Fields lose what only DataHub's index needs; groups and conditions keep their order."""
    platform = {"field": "platform.keyword", "values": [KAFKA], "condition": "EQUAL", "negated": False}
    tag = {"field": "tags.keyword", "values": [PII], "condition": "EQUAL", "negated": True}
    name = {"field": "name", "values": ["fct"], "condition": "START_WITH"}

    found = view_filters(definition([platform, tag], [name], types=["dataset", "dataJob"]))

    assert found.types == ("dataset", "dataJob")
    assert found.groups == (
        (Filter("platform", (KAFKA,)), Filter("tags", (PII,), negated=True)),
        (Filter("name", ("fct",), "START_WITH"),),
    )


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        {},
        {"entityTypes": [], "filter": None},
        {"entityTypes": [], "filter": {"or": []}},
        {"filter": {"criteria": []}},
    ],
)
def test_a_view_without_filters_is_no_condition(nothing: Any) -> None:
    """DataHub's web application stores such views, too."""
    assert view_filters(nothing) == (None, ())


def test_entity_types_may_have_graphqls_names() -> None:
    """As a client may have ingested them; those of a model file have one name only."""
    named = ["DATASET", "dataset", "CORP_USER", "DATA_JOB", "sensor"]

    assert view_filters(definition(types=named)).types == ("dataset", "corpuser", "dataJob", "sensor")


@pytest.mark.parametrize(("negated", "expected"), [(False, True), (True, False)])
def test_is_null_is_the_opposite_of_exists(*, negated: bool, expected: bool) -> None:
    """The model's operators are those of GraphQL, and this one."""
    view = definition([{"field": "domains", "values": [], "condition": "IS_NULL", "negated": negated}])

    assert view_filters(view).groups == ((Filter("domains", (), "EXISTS", negated=expected),),)


def test_older_forms() -> None:
    """`criteria` is one group, `value` one value; what came later wins."""
    old = {"field": "origin", "value": "PROD"}
    new = {"field": "origin", "value": "PROD", "values": ["DEV", "QA"]}

    assert view_filters({"filter": {"criteria": [old]}}).groups == ((Filter("origin", ("PROD",)),),)
    assert view_filters({"filter": {"or": [{"and": [new]}], "criteria": [old]}}).groups == (
        (Filter("origin", ("DEV", "QA")),),
    )


@pytest.mark.parametrize("criterion", [{}, {"field": ""}, {"field": 3, "values": ["a"]}])
def test_a_condition_without_a_field_is_refused(criterion: dict[str, Any]) -> None:
    """Without it the view would let through more."""
    with pytest.raises(BadRequest, match="names no field"):
        view_filters(definition([criterion]))


@pytest.mark.parametrize(
    ("asked", "of_view", "both"),
    [
        (None, None, None),
        (("a", "b"), None, ("a", "b")),
        (None, ("a",), ("a",)),
        (("a", "b"), ("b", "c"), ("b",)),
        (("a",), ("b",), ()),
    ],
)
def test_types_in_common(
    asked: tuple[str, ...] | None, of_view: tuple[str, ...] | None, both: tuple[str, ...] | None
) -> None:
    """None stands for all; where nothing is left, nothing is what is asked for."""
    assert both_types(asked, of_view) == both


@given(asked=GROUPS, of_view=GROUPS, facts=st.dictionaries(st.sampled_from("xy"), VALUES))
def test_groups_let_through_what_both_sides_do(
    asked: list[list[Criterion]], of_view: list[list[Criterion]], facts: dict[str, tuple[str, ...]]
) -> None:
    """Whatever the groups, none and empty ones included."""
    assert matches(both_groups(asked, of_view), facts) == (matches(asked, facts) and matches(of_view, facts))


def test_too_many_groups_together() -> None:
    """Said before they are made: each of the one side stands with each of the other."""
    many = [[Filter("name", (str(number),))] for number in range(300)]

    assert len(both_groups(many[:200], many[:200])) == 200 * 200
    with pytest.raises(BadRequest, match=f"over {MAX_COMBINED:,}"):
        both_groups(many, many)
