"""DataHub's filters (`orFilters`) over entities that were read already: pure, and the same for GraphQL and REST."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from graphsvc.errors import BadRequest, TooLarge
from graphsvc.urn import parse_urn

PLATFORM_URN = "urn:li:dataPlatform:"
# Fields that hold an entity's type, as DataHub's clients and its web pages name them.
TYPE_FIELDS = frozenset({"_entityType", "entityType", "entity"})
DEGREE = "degree"
FAR = 3  # a degree from here on is the facet's "3+"
# Entity types whose key begins with a platform's bare name, or hides it one URN deeper.
_BARE_PLATFORM = frozenset({"chart", "dashboard", "dataFlow", "notebook"})

Facts = Mapping[str, Sequence[str]]
# Each is looked at for each entity of a walk; values of EQUAL and IN are looked up, however many they are.
MAX_CONDITIONS = 500
MAX_COMPARED = 500
EXACT = frozenset({"EQUAL", "IN"})


@dataclass(frozen=True, slots=True)
class Criterion:
    """
    One condition.

    Attributes:
        field: DataHub's name of a field; `.keyword` at its end means nothing here.
        values: One of them should match.
        operator: `EQUAL`, `IN`, `CONTAIN` ….
        negated: It must not hold.
        wanted: The values.
    """

    field: str
    values: tuple[str, ...] = ()
    operator: str = "EQUAL"
    negated: bool = False
    wanted: frozenset[str] = dataclass_field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wanted", frozenset(self.values))

    @property
    def name(self) -> str:
        """The field without what only DataHub's index needs."""
        return self.field.removesuffix(".keyword")


OrFilters = Sequence[Sequence[Criterion]]


def _as_numbers(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(fact: str, value: str) -> bool:
        try:
            return compare(float(fact), float(value))
        except ValueError:
            return False

    return holds


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "IEQUAL": lambda fact, value: fact.casefold() == value.casefold(),
    "CONTAIN": lambda fact, value: value.casefold() in fact.casefold(),
    "START_WITH": lambda fact, value: fact.casefold().startswith(value.casefold()),
    "END_WITH": lambda fact, value: fact.casefold().endswith(value.casefold()),
    "GREATER_THAN": _as_numbers(lambda fact, value: fact > value),
    "GREATER_THAN_OR_EQUAL_TO": _as_numbers(lambda fact, value: fact >= value),
    "LESS_THAN": _as_numbers(lambda fact, value: fact < value),
    "LESS_THAN_OR_EQUAL_TO": _as_numbers(lambda fact, value: fact <= value),
}


def matches(filters: OrFilters, facts: Facts) -> bool:
    """
    Whether all conditions of one of the groups hold; no groups hold always, and so does an empty one.

    Raises:
        BadRequest: An operator that is not for this.
    """
    return not filters or any(all(_holds(criterion, facts) for criterion in group) for group in filters)


def _holds(criterion: Criterion, facts: Facts) -> bool:
    found = facts.get(criterion.name, ())
    if criterion.operator == "EXISTS":
        return bool(found) != criterion.negated
    if criterion.operator in EXACT:
        return criterion.wanted.isdisjoint(found) == criterion.negated
    compare = _COMPARE.get(criterion.operator)
    if compare is None:
        raise BadRequest(f"condition {criterion.operator} of {criterion.field} is not answered over lineage")
    return any(compare(fact, value) for fact in found for value in criterion.values) != criterion.negated


def checked(filters: OrFilters) -> OrFilters:
    """
    The same, if they can be held against each entity of a walk in good time.

    Raises:
        TooLarge: Over MAX_CONDITIONS conditions, or over MAX_COMPARED values that have to be compared one by one.
    """
    conditions = [criterion for group in filters for criterion in group]
    if len(conditions) > MAX_CONDITIONS:
        raise TooLarge(f"the filters have {len(conditions)} conditions; at most {MAX_CONDITIONS} are looked at")
    compared = sum(len(criterion.values) for criterion in conditions if criterion.operator not in EXACT)
    if compared > MAX_COMPARED:
        raise TooLarge(
            f"the filters have {compared} values beside those of EQUAL and IN; at most {MAX_COMPARED} are compared"
        )
    return filters


def fields_of(filters: OrFilters) -> set[str]:
    """The fields that filters look at."""
    return {criterion.name for group in filters for criterion in group}


def farthest(filters: OrFilters, most: int) -> int:
    """How many hops a walk needs so that filters on `degree` see all they let through; `most` if they set no bound."""
    return min(most, max((_farthest(group, most) for group in filters), default=most))


def _farthest(group: Iterable[Criterion], most: int) -> int:
    bounds = [
        max((int(value) if value.isdecimal() else most for value in criterion.values), default=1)
        for criterion in group
        if criterion.name == DEGREE and criterion.operator in {"EQUAL", "IN"} and not criterion.negated
    ]
    return max(1, min(bounds, default=most))


def facts_of(urn: str, values: Mapping[str, Any], type_names: Collection[str], degree: int | None = None) -> Facts:
    """
    What filters compare with.

    Args:
        urn: The entity.
        values: Properties of its node.
        type_names: Names of its type.
        degree: Its distance, if it is known.
    """
    facts: dict[str, Sequence[str]] = {name: _texts(value) for name, value in values.items()}
    facts |= {name: tuple(type_names) for name in TYPE_FIELDS}
    facts["urn"] = (urn,)
    facts["removed"] = ("true" if values.get("removed") else "false",)
    if not facts.get("platform") and (platform := platform_urn(urn)):
        facts["platform"] = (platform,)
    if degree is not None:
        facts[DEGREE] = (str(degree), f"{FAR}+") if degree >= FAR else (str(degree),)
    return facts


def _texts(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def platform_urn(urn: str) -> str | None:
    """The platform that a URN's key names; None where it names none. A column's is its dataset's."""
    parsed = parse_urn(urn)
    first = parsed.parts[0]
    if first.startswith(PLATFORM_URN):
        return first
    if parsed.entity_type in _BARE_PLATFORM:
        return PLATFORM_URN + first
    if parsed.entity_type in {"dataJob", "schemaField"} and first.startswith("urn:li:"):
        return platform_urn(first)
    return None
