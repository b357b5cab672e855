"""DataHub's filters over what was read: each operator, negation, groups, and how far a walk must go for them."""

import pytest

from graphsvc.api.filters import MAX_COMPARED, MAX_CONDITIONS, Criterion, checked, facts_of, farthest, matches
from graphsvc.errors import BadRequest, TooLarge

HIVE = "urn:li:dataPlatform:hive"
TABLE = f"urn:li:dataset:({HIVE},Shop.Orders,PROD)"
FACTS = facts_of(
    TABLE,
    {"name": "Orders", "tags": ["urn:li:tag:a", "urn:li:tag:b"], "rows": 12, "removed": None},
    ("dataset", "DATASET"),
    4,
)


@pytest.mark.parametrize(
    ("field", "operator", "values", "holds"),
    [
        ("platform", "EQUAL", (HIVE,), True),
        ("platform.keyword", "EQUAL", ("other", HIVE), True),
        ("platform", "IN", ("other",), False),
        ("platform", "EQUAL", (), False),
        ("tags", "EQUAL", ("urn:li:tag:b",), True),
        ("tags", "EXISTS", (), True),
        ("owners", "EXISTS", (), False),
        ("name", "EQUAL", ("orders",), False),
        ("name", "IEQUAL", ("orders",), True),
        ("name", "CONTAIN", ("RDE",), True),
        ("name", "START_WITH", ("ord",), True),
        ("name", "END_WITH", ("ord",), False),
        ("rows", "GREATER_THAN", ("9",), True),
        ("rows", "GREATER_THAN", ("12",), False),
        ("rows", "GREATER_THAN_OR_EQUAL_TO", ("12",), True),
        ("rows", "LESS_THAN", ("100",), True),
        ("rows", "LESS_THAN_OR_EQUAL_TO", ("11",), False),
        ("name", "LESS_THAN", ("100",), False),
        ("_entityType", "EQUAL", ("DATASET",), True),
        ("entity", "EQUAL", ("dataset",), True),
        ("_entityType", "EQUAL", ("CHART",), False),
        ("degree", "EQUAL", ("1", "3+"), True),
        ("degree", "EQUAL", ("1", "2"), False),
        ("removed", "EQUAL", ("true",), False),
        ("urn", "EQUAL", (TABLE,), True),
        ("no such field", "EQUAL", ("x",), False),
    ],
)
def test_operators(field: str, operator: str, values: tuple[str, ...], holds: bool) -> None:
    """As DataHub has them; negated they say the opposite, also where the entity has no such field."""
    assert matches([[Criterion(field, values, operator)]], FACTS) is holds
    assert matches([[Criterion(field, values, operator, negated=True)]], FACTS) is not holds


def test_filters_have_a_size() -> None:
    """Each is held against each entity: so many conditions, and so many values that cannot be looked up."""
    many = tuple(map(str, range(100_000)))
    checked([[Criterion("name", many), Criterion("urn", many, "IN")]])
    checked([[Criterion("name", many[:MAX_COMPARED], "CONTAIN")], [Criterion("name")] * (MAX_CONDITIONS - 1)])

    with pytest.raises(TooLarge, match="501 values"):
        checked([[Criterion("name", many[: MAX_COMPARED + 1], "CONTAIN")]])
    with pytest.raises(TooLarge, match="501 conditions"):
        checked([[Criterion("name")]] * (MAX_CONDITIONS + 1))


def test_groups() -> None:
    """AND inside, OR between; nothing asked, nothing refused."""
    yes, no = Criterion("name", ("Orders",)), Criterion("name", ("x",))

    found = [matches(g, FACTS) for g in ([], [[]], [[yes, no]], [[yes, no], [yes]], [[no], [no]])]

    assert found == [True, True, False, True, False]


def test_an_operator_of_hierarchies_is_refused() -> None:
    """Better than an answer that is wrong; it has to be spelled out before."""
    with pytest.raises(BadRequest, match="DESCENDANTS_INCL"):
        matches([[Criterion("container", ("urn:li:container:a",), "DESCENDANTS_INCL")]], FACTS)


@pytest.mark.parametrize(
    ("filters", "hops"),
    [
        ([], 20),
        ([[Criterion("degree", ("1",))]], 1),
        ([[Criterion("degree", ("1", "2"))]], 2),
        ([[Criterion("degree", ("1", "2", "3+"))]], 20),
        ([[Criterion("degree", ("1",))], [Criterion("name", ("x",))]], 20),
        ([[Criterion("degree", ("1",)), Criterion("degree", ("2",))]], 1),
        ([[Criterion("degree", ("1",), negated=True)]], 20),
        ([[Criterion("degree", ("99",))]], 20),
        ([[Criterion("degree", ("0",))]], 1),
    ],
)
def test_how_far_to_walk(filters: list[list[Criterion]], hops: int) -> None:
    """No further than a filter on degree lets through, and never past the limit."""
    assert farthest(filters, 20) == hops


@pytest.mark.parametrize(
    ("urn", "platform"),
    [
        (TABLE, HIVE),
        (f"urn:li:schemaField:({TABLE},id)", HIVE),
        ("urn:li:dataJob:(urn:li:dataFlow:(airflow,f,prod),j)", "urn:li:dataPlatform:airflow"),
        ("urn:li:chart:(looker,1)", "urn:li:dataPlatform:looker"),
    ],
)
def test_platform_by_the_key(urn: str, platform: str) -> None:
    """Where the node does not say, the URN does; the node wins."""
    assert facts_of(urn, {}, ())["platform"] == (platform,)
    assert facts_of(urn, {"platform": "urn:li:dataPlatform:x"}, ())["platform"] == ("urn:li:dataPlatform:x",)
