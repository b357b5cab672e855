"""What an aspect's value means in the graph: edges by the registry's paths, and properties of the node."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.errors import BadProposal, BadUrn, BadValue, TooLarge
from graphsvc.graph.projection import node_of, properties_of, without
from graphsvc.graph.registry import Registry, load_registry
from graphsvc.ingest.mapping import Edge, edges_of
from graphsvc.urn import parse_urn

REGISTRY = load_registry()
LIMIT = 1_000


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,{name},PROD)"


def column(name: str, path: str) -> str:
    return f"urn:li:schemaField:({table(name)},{path})"


JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,daily,PROD),load)"
QUERY = "urn:li:query:q1"
CHART = "urn:li:chart:(looker,c1)"
T = table("t")


def edges(owner: str, aspect: str, value: dict[str, Any], limit: int = LIMIT) -> tuple[Edge, ...]:
    return edges_of(parse_urn(owner), REGISTRY.aspects[aspect], value, limit)


def short(found: tuple[Edge, ...]) -> list[tuple[str, str, str]]:
    return [(edge.type, edge.source, edge.target) for edge in found]


def user_edges(tmp_path: Path, annotation: str, value: dict[str, Any]) -> tuple[Edge, ...]:
    file = tmp_path / "model.yaml"
    file.write_text(f"aspects: {{mine: {{relationships: [{{{annotation}}}]}}}}")
    return edges_of(parse_urn(T), load_registry(file).aspects["mine"], value, LIMIT)


# --- Shapes of paths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "aspect", "value", "expected"),
    [
        pytest.param(
            T, "container", {"container": "urn:li:container:c"},
            [("IsPartOf", T, "urn:li:container:c")], id="one field",
        ),
        pytest.param(
            T, "domains", {"domains": ["urn:li:domain:a", "urn:li:domain:b"]},
            [("AssociatedWith", T, "urn:li:domain:a"), ("AssociatedWith", T, "urn:li:domain:b")], id="list",
        ),
        pytest.param(
            T, "globalTags", {"tags": [{"tag": "urn:li:tag:a"}, {"context": "none"}, {"tag": "urn:li:tag:b"}]},
            [("TaggedWith", T, "urn:li:tag:a"), ("TaggedWith", T, "urn:li:tag:b")], id="list of objects",
        ),
        pytest.param(
            T, "schemaMetadata",
            {"fields": [
                {"globalTags": {"tags": [{"tag": "urn:li:tag:a"}]}}, {},
                {"globalTags": {"tags": [{"tag": "urn:li:tag:b"}]}},
            ]},
            [("SchemaFieldTaggedWith", T, "urn:li:tag:a"), ("SchemaFieldTaggedWith", T, "urn:li:tag:b")],
            id="list in a list",
        ),
        pytest.param(
            CHART, "chartInfo", {"inputs": [{"string": table("a")}, {"string": table("b")}]},
            [("Consumes", CHART, table("a")), ("Consumes", CHART, table("b"))], id="union member",
        ),
        pytest.param(
            "urn:li:corpuser:a", "corpUserSettings", {"homePage": {"pageTemplate": "urn:li:dataHubPageTemplate:p"}},
            [("HasPersonalPageTemplate", "urn:li:corpuser:a", "urn:li:dataHubPageTemplate:p")], id="nested",
        ),
    ],
)  # fmt: skip
def test_a_path_leads_to_its_targets(
    owner: str, aspect: str, value: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    """One field, list, list of objects, lists in lists, union members, nested objects: in the document's order."""
    assert short(edges(owner, aspect, value)) == expected


def test_a_star_passes_the_values_of_a_map(tmp_path: Path) -> None:
    """A map is walked like a list, by its values."""
    value = {"byRole": {"main": {"to": "urn:li:tag:a"}, "other": {"to": "urn:li:tag:b"}}}

    found = user_edges(tmp_path, "path: byRole/*/to, name: PointsTo", value)

    assert short(found) == [("PointsTo", T, "urn:li:tag:a"), ("PointsTo", T, "urn:li:tag:b")]


@given(targets=st.lists(st.sampled_from([f"urn:li:tag:t{i}" for i in range(6)])))
def test_edges_are_the_distinct_targets(targets: list[str]) -> None:
    """Whatever the list: no target lost, none invented, none twice."""
    found = edges(T, "globalTags", {"tags": [{"tag": target} for target in targets]})

    assert [edge.target for edge in found] == list(dict.fromkeys(targets))


@pytest.mark.parametrize("value", [{}, {"upstreams": None}, {"upstreams": []}, {"upstreams": [{}, {"dataset": None}]}])
def test_what_is_absent_declares_nothing(value: dict[str, Any]) -> None:
    """Absent, null and empty are not errors."""
    assert edges(T, "upstreamLineage", value) == ()


@pytest.mark.parametrize("target", ["orders", "", 5, ["urn:li:tag:a"], {"urn": "urn:li:tag:a"}, True, "urn:li:tag:\n"])
def test_a_target_that_is_no_urn_is_refused_with_its_place(target: Any) -> None:
    """The refusal names the aspect and the path."""
    with pytest.raises(BadUrn, match="globalTags/tags/\\*/tag"):
        edges(T, "globalTags", {"tags": [{"tag": target}]})


@pytest.mark.parametrize("tags", ["urn:li:tag:a", 5, ["urn:li:tag:a"], [["urn:li:tag:a"]], True])
def test_a_path_that_meets_another_shape_is_refused(tags: Any) -> None:
    """A text or number where a list or an object should be is refused, not skipped."""
    with pytest.raises(BadValue, match=r"globalTags: .* expected on the way to"):
        edges(T, "globalTags", {"tags": tags})


@pytest.mark.parametrize(("count", "passes"), [(5, True), (6, False)])
def test_there_is_a_limit_on_edges(count: int, *, passes: bool) -> None:
    """As many as the limit pass; one more refuses the value."""
    value = {"tags": [{"tag": f"urn:li:tag:{i}"} for i in range(count)]}

    if passes:
        assert len(edges(T, "globalTags", value, limit=5)) == 5
    else:
        with pytest.raises(TooLarge, match="more than 5 relationships"):
            edges(T, "globalTags", value, limit=5)


def test_the_limit_stops_a_product_of_columns_early() -> None:
    """A thousand columns from a thousand columns are a million edges; they are not made before they are refused."""
    entry = {
        "upstreams": [column("a", f"c{i}") for i in range(1_000)],
        "downstreams": [column("t", f"c{i}") for i in range(1_000)],
    }

    with pytest.raises(TooLarge, match="more than 1500 relationships"):
        edges(T, "upstreamLineage", {"fineGrainedLineages": [entry]}, limit=1_500)


# --- Lineage, mirrors, details ------------------------------------------------------------------------------------


def test_upstream_lineage_says_so_and_has_no_mirror() -> None:
    """An edge that points upstream is walked as it is."""
    (found,) = edges(T, "upstreamLineage", {"upstreams": [{"dataset": table("u")}]})

    assert (found.type, found.details) == ("DownstreamOf", {"lineage": True})


def test_other_edges_are_no_lineage() -> None:
    """Ownership and tags carry no `lineage`."""
    (found,) = edges(T, "globalTags", {"tags": [{"tag": "urn:li:tag:a"}]})

    assert found.details == {}


def test_an_edge_that_points_downstream_is_mirrored() -> None:
    """The original keeps the model's direction without `lineage`; its mirror carries it, details and origin."""
    value = {"outputDatasetEdges": [{"destinationUrn": T, "created": {"time": 7}, "properties": {"b": "2", "a": "1"}}]}

    original, mirror = edges(JOB, "dataJobInputOutput", value)

    assert (original.type, original.source, original.target) == ("Produces", JOB, T)
    assert original.details == {"createdOn": 7, "properties": ["a=1", "b=2"]}
    assert (mirror.type, mirror.source, mirror.target) == ("ProducedBy", T, JOB)
    assert mirror.details == {**original.details, "lineage": True, "mirrorOf": "Produces"}


@pytest.mark.parametrize(
    ("aspect", "field", "original", "mirror"),
    [
        ("dataProcessInstanceOutput", "outputEdges", "DataProcessInstanceProduces", "DataProcessInstanceProducedBy"),
        ("mlModelProperties", "downstreamJobs", "UsedBy", "Uses"),
        ("mlModelProperties", "groups", "MemberOf", "HasMember"),
        ("serviceProperties", "apis", "ServiceComposesApi", "ApiOfService"),
    ],
)
def test_each_downstream_name_has_its_mirror(aspect: str, field: str, original: str, mirror: str) -> None:
    """All names that point downstream get a second edge, the other way round."""
    item = {"destinationUrn": T} if field.endswith("Edges") else T

    found = edges("urn:li:tag:owner", aspect, {field: [item]})

    assert short(found) == [(original, "urn:li:tag:owner", T), (mirror, T, "urn:li:tag:owner")]


def test_details_are_those_of_the_targets_own_item() -> None:
    """Times, actors, properties and query of one upstream do not leak to the next."""
    first = {
        "dataset": table("a"),
        "created": {"time": 1, "actor": "urn:li:corpuser:a"},
        "auditStamp": {"time": 2, "actor": "urn:li:corpuser:b"},
        "properties": {"k": "v"},
        "query": QUERY,
    }

    one, two = edges(T, "upstreamLineage", {"upstreams": [first, {"dataset": table("b")}]})

    assert one.via == QUERY
    assert one.details == {
        "createdOn": 1, "createdActor": "urn:li:corpuser:a", "updatedOn": 2, "updatedActor": "urn:li:corpuser:b",
        "properties": ["k=v"], "lineage": True,
    }  # fmt: skip
    assert (two.via, two.details) == ("", {"lineage": True})


@pytest.mark.parametrize("time", [0, None, -1, 2**63])
def test_an_unknown_time_is_no_detail(time: Any) -> None:
    """Zero is the wire's word for not known; what Neo4j could not hold is not a time either."""
    (found,) = edges(T, "upstreamLineage", {"upstreams": [{"dataset": table("a"), "created": {"time": time}}]})

    assert found.details == {"lineage": True}


def test_a_query_that_is_no_urn_is_refused() -> None:
    """`via` is a URN wherever it stands."""
    fine = {"upstreams": [column("a", "x")], "downstreams": [column("t", "x")], "query": "select 1"}

    with pytest.raises(BadUrn, match=r"upstreams/\*|query"):
        edges(T, "upstreamLineage", {"upstreams": [{"dataset": table("a"), "query": "select 1"}]})
    with pytest.raises(BadUrn, match="query"):
        edges(T, "upstreamLineage", {"fineGrainedLineages": [fine]})


def test_two_queries_between_the_same_tables_are_two_edges() -> None:
    """The query is part of an edge's identity."""
    value = {
        "upstreams": [{"dataset": table("a"), "query": QUERY}, {"dataset": table("a"), "query": "urn:li:query:q2"}]
    }

    assert [edge.via for edge in edges(T, "upstreamLineage", value)] == [QUERY, "urn:li:query:q2"]


def test_an_edge_stated_twice_is_one_with_the_details_of_both() -> None:
    """Clients fill the old list of URNs and the new list of edges at once."""
    value = {
        "inputDatasets": [table("a")],
        "inputDatasetEdges": [{"destinationUrn": table("a"), "created": {"time": 5}}],
        "outputDatasets": [T],
        "outputDatasetEdges": [{"destinationUrn": T, "lastModified": {"time": 6}}],
    }

    consumes, produces, mirror = edges(JOB, "dataJobInputOutput", value)

    assert (consumes.type, consumes.details) == ("Consumes", {"lineage": True, "createdOn": 5})
    assert (produces.type, produces.details) == ("Produces", {"updatedOn": 6})
    assert (mirror.type, mirror.details["updatedOn"]) == ("ProducedBy", 6)


# --- Columns ------------------------------------------------------------------------------------------------------


def columns_only(found: tuple[Edge, ...]) -> list[tuple[str, str, str]]:
    return [(e.source, e.target, e.via) for e in found if e.source.startswith("urn:li:schemaField")]


def test_every_downstream_column_comes_from_every_upstream_column() -> None:
    """An entry with two on each side is four edges, from downstream to upstream, with what the entry says."""
    entry = {
        "upstreams": [column("a", "x"), column("a", "y")],
        "downstreams": [column("t", "p"), column("t", "q")],
        "transformOperation": "SUM",
        "confidenceScore": 0.5,
    }

    found = [e for e in edges(T, "upstreamLineage", {"fineGrainedLineages": [entry]}) if e.source != T]

    assert [(e.source, e.target) for e in found] == [
        (column("t", down), column("a", up)) for down in "pq" for up in "xy"
    ]
    assert all(e.type == "DownstreamOf" and e.via == "" for e in found)
    assert all(e.details == {"lineage": True, "transformOperation": "SUM", "confidenceScore": 0.5} for e in found)


def test_an_entry_without_upstreams_does_not_end_the_list() -> None:
    """What stands behind an incomplete entry is not lost."""
    entries = [
        {"downstreams": [column("t", "a")]},
        {"upstreams": [column("s", "a")]},
        {"upstreams": [], "downstreams": []},
        {"upstreams": [column("s", "b")], "downstreams": [column("t", "b")]},
    ]

    found = edges(T, "upstreamLineage", {"fineGrainedLineages": entries})

    assert columns_only(found) == [(column("t", "b"), column("s", "b"), "")]


def test_whole_tables_among_columns_are_no_columns() -> None:
    """A table on either side of an entry makes no edge between columns."""
    entry = {"upstreams": [table("a"), column("a", "x")], "downstreams": [T, column("t", "x")]}

    assert columns_only(edges(T, "upstreamLineage", {"fineGrainedLineages": [entry]})) == [
        (column("t", "x"), column("a", "x"), "")
    ]


def test_columns_of_a_job_go_via_the_job_or_the_query() -> None:
    """Without a query the job itself made the edge."""
    entry = {"upstreams": [column("a", "x")], "downstreams": [column("t", "x")]}
    entries = [entry, {**entry, "query": QUERY}]

    found = columns_only(edges(JOB, "dataJobInputOutput", {"fineGrainedLineages": entries}))

    assert found == [(column("t", "x"), column("a", "x"), JOB), (column("t", "x"), column("a", "x"), QUERY)]


def test_a_charts_field_comes_from_the_column_it_shows() -> None:
    """The chart's own field is a node like a column; entries that do not name both ends declare no such edge."""
    fields = [
        {"schemaField": {"fieldPath": "revenue"}, "schemaFieldUrn": column("t", "amount")},
        {"schemaFieldUrn": column("t", "b")},
        {"schemaField": {"fieldPath": "c"}},
        {"schemaField": {"fieldPath": ""}, "schemaFieldUrn": column("t", "d")},
        {"schemaField": {"fieldPath": "e"}, "schemaFieldUrn": column("t", "e")},
    ]

    found = edges(CHART, "inputFields", {"fields": fields})

    assert columns_only(found) == [
        (f"urn:li:schemaField:({CHART},revenue)", column("t", "amount"), ""),
        (f"urn:li:schemaField:({CHART},e)", column("t", "e"), ""),
    ]
    assert [e.target for e in found if e.type == "consumesField"] == [column("t", c) for c in ("amount", "b", "d", "e")]


@pytest.mark.parametrize(
    ("owner", "aspect", "value"),
    [
        (T, "upstreamLineage", {"fineGrainedLineages": "all"}),
        (T, "upstreamLineage", {"fineGrainedLineages": ["all"]}),
        (JOB, "dataJobInputOutput", {"fineGrainedLineages": [{"upstreams": "x", "downstreams": []}]}),
        (JOB, "dataJobInputOutput", {"fineGrainedLineages": [{"upstreams": ["x"], "downstreams": []}]}),
        (CHART, "inputFields", {"fields": [5]}),
        (CHART, "inputFields", {"fields": [{"schemaField": "x", "schemaFieldUrn": column("t", "a")}]}),
        (CHART, "inputFields", {"fields": [{"schemaField": {"fieldPath": "a\n"}, "schemaFieldUrn": column("t", "a")}]}),
    ],
)
def test_columns_of_another_shape_are_refused(owner: str, aspect: str, value: dict[str, Any]) -> None:
    """Column lineage is as strict as all else."""
    with pytest.raises((BadUrn, BadValue)):
        edges(owner, aspect, value)


# --- Nodes --------------------------------------------------------------------------------------------------------


def test_a_node_about_which_only_the_urn_is_known_has_label_name_and_key() -> None:
    """What the URN says stands on the node before anybody describes it."""
    assert node_of(parse_urn(T), REGISTRY) == {
        "urn": T,
        "labels": ["Dataset"],
        "properties": {
            "name": "t",
            "nameWords": "t",
            "id": "t",
            "platform": "urn:li:dataPlatform:hive",
            "origin": "PROD",
        },
    }


@pytest.mark.parametrize(
    ("urn", "labels", "name"),
    [
        ("urn:li:spaceship:x1", [], "x1"),
        ("urn:li:dataset:(a,b)", ["Dataset"], "b"),
        ("urn:li:spaceship:(a,b)", [], "b"),
    ],
)
def test_a_node_that_the_model_does_not_fit_still_has_a_name(urn: str, labels: list[str], name: str) -> None:
    """Targets are not held to the model: an unknown type has no label, a short tuple no key."""
    node = node_of(parse_urn(urn), REGISTRY)

    assert (node["urn"], node["labels"], node["properties"]["name"]) == (urn, labels, name)


# --- Properties ---------------------------------------------------------------------------------------------------


def properties(urn: str, aspect: str, value: dict[str, Any]) -> dict[str, Any]:
    parsed = parse_urn(urn)
    return properties_of(parsed, REGISTRY.entities[parsed.entity_type], aspect, value)


def test_searchable_fields_become_typed_properties() -> None:
    """Text, lists and maps, under the model's names; what the value does not say is not there."""
    value = {"name": "Orders", "description": "All.", "customProperties": {"b": "2", "a": "1"}, "created": {"time": 5}}

    found = properties(T, "datasetProperties", value)

    assert found["name"] == "Orders"
    assert found["description"] == "All."
    assert found["customProperties"] == ["a=1", "b=2"]
    assert found["createdAt"] == 5
    assert "qualifiedName" not in found


def test_another_value_takes_away_all_that_the_aspect_may_have_said() -> None:
    """Whatever an aspect sets on its node, its next value unsets, but for the name, which a node always has."""
    dataset = REGISTRY.entities["dataset"]
    value = {"name": "Orders", "description": "All.", "customProperties": {"a": "1"}, "created": {"time": 5}}
    schema = {"fields": [{"fieldPath": "a", "description": "A."}]}

    for aspect, said in (("datasetProperties", value), ("schemaMetadata", schema)):
        gone = without(dataset, aspect)
        assert properties(T, aspect, said).keys() - {"name", "nameWords"} <= gone.keys()
        assert set(gone.values()) == {None}
    assert "fieldWords" in without(dataset, "schemaMetadata")
    assert "name" not in without(dataset, "datasetProperties")


def test_booleans_and_lists_keep_their_types() -> None:
    """A flag is a boolean on the node, tags are a list of URNs without repetitions."""
    assert properties(T, "status", {"removed": False})["removed"] is False
    assert properties(T, "globalTags", {"tags": [{"tag": "urn:li:tag:a"}] * 2})["tags"] == ["urn:li:tag:a"]


@pytest.mark.parametrize("value", [{}, {"name": None}, {"name": ""}])
def test_a_silent_naming_aspect_leaves_the_urns_name(value: dict[str, Any]) -> None:
    """A node always has a name to show."""
    assert properties(T, "datasetProperties", value)["name"] == "t"


def test_the_first_naming_path_that_says_something_wins() -> None:
    """A user is called by the display name, else by the full name, else by the URN."""
    user = "urn:li:corpuser:jd"

    assert properties(user, "corpUserInfo", {"displayName": "Jo", "fullName": "Jo Doe"})["name"] == "Jo"
    assert properties(user, "corpUserInfo", {"fullName": "Jo Doe"})["name"] == "Jo Doe"
    assert properties(user, "corpUserInfo", {"displayName": ""})["name"] == "jd"


def test_an_aspect_that_names_nothing_does_not_touch_the_name() -> None:
    """Only the naming aspect sets `name`."""
    assert "name" not in properties(T, "status", {"removed": True})


def test_lineage_is_not_repeated_as_a_property() -> None:
    """Edges say it already."""
    value = {"upstreams": [{"dataset": table("u")}], "fineGrainedLineages": [{"upstreams": [column("u", "x")]}]}

    assert not any(str(found).count("urn:li:") for found in properties(T, "upstreamLineage", value).values())


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([1, "a"], ["1", "a"]),
        ([1, 2.5], ["1", "2.5"]),
        ([True, 2], ["True", "2"]),
        ([2**70], []),
        ([{}], []),
    ],
)
def test_a_list_on_a_node_holds_one_kind(tmp_path: Path, items: list[Any], expected: Any) -> None:
    """Neo4j's lists are of one type and its integers have 64 bits; what fits neither way is left out."""
    file = tmp_path / "model.yaml"
    file.write_text("entities: {tag: {aspects: [mine]}}\naspects: {mine: {searchable: [{path: things/*}]}}")
    model = load_registry(file)

    found = properties_of(parse_urn("urn:li:tag:a"), model.entities["tag"], "mine", {"things": items})

    assert found == ({"things": expected} if expected else {})


# --- Whatever comes -----------------------------------------------------------------------------------------------

urn_like = st.sampled_from(["urn:li:tag:a", T, column("t", "a"), "urn:li:x:(", "urn", ""])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | urn_like
json_values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["tag", "urn", "dataset", "string", "destinationUrn"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def values_under(registry: Registry) -> Callable[[str], st.SearchStrategy[tuple[str, dict[str, Any]]]]:
    def one(aspect: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
        keys = sorted({edge.path[0] for edge in registry.aspects[aspect].edges}) or ["x"]
        return st.tuples(st.just(aspect), st.dictionaries(st.sampled_from([*keys, "fineGrainedLineages"]), json_values))

    return one


@given(case=st.sampled_from(sorted(a for a, s in REGISTRY.aspects.items() if s.edges)).flatmap(values_under(REGISTRY)))
def test_any_value_gives_edges_or_a_bad_proposal(case: tuple[str, dict[str, Any]]) -> None:
    """No shape of JSON under an edge's path fails otherwise; all ends are URNs, and no edge is there twice."""
    aspect, value = case
    try:
        found = edges(T, aspect, value)
    except BadProposal:
        return

    assert len({edge.key for edge in found}) == len(found)
    assert all(parse_urn(end).text == end for edge in found for end in (edge.source, edge.target))
