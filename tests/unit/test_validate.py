"""What may come in: each proposal becomes a change, or says why it cannot."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsvc.config import IngestSettings, LimitSettings
from graphsvc.errors import (
    AspectNotAllowed,
    BadProposal,
    BadUrn,
    BadValue,
    TooLarge,
    UnknownAspect,
    UnknownEntityType,
    Unsupported,
)
from graphsvc.graph.registry import load_registry
from graphsvc.ingest.proposal import GenericAspect, Proposal, proposal_of
from graphsvc.ingest.validate import Change, Validator, canonical

REGISTRY = load_registry()
TABLE = "urn:li:dataset:(urn:li:dataPlatform:hive,db.t,PROD)"
TAGS = {"tags": [{"tag": "urn:li:tag:a"}]}

lenient = Validator(REGISTRY, IngestSettings(), LimitSettings())
strict = Validator(REGISTRY, IngestSettings(unknown_aspects="refuse", unknown_fields="refuse"), LimitSettings())


def validated(urn: str = TABLE, aspect: str = "status", value: Any = None, **more: Any) -> Change:
    return lenient.validate(proposal_of(urn, aspect, {"removed": False} if value is None else value, **more))


# --- What passes --------------------------------------------------------------------------------------------------


def test_a_change_says_what_the_proposal_means() -> None:
    """Entity, aspect, value as canonical text, edges and properties: all that the writer needs."""
    value = {"tags": [{"tag": "urn:li:tag:b", "context": None}], "extra": 1}

    change = validated(aspect="globalTags", value=value, system_metadata={"runId": "r", "lastObserved": 5, "x": None})

    assert (change.urn.text, change.entity.name, change.aspect, change.change_type) == (
        TABLE, "dataset", "globalTags", "UPSERT",
    )  # fmt: skip
    assert change.spec is REGISTRY.aspects["globalTags"]
    assert change.text == '{"extra":1,"tags":[{"context":null,"tag":"urn:li:tag:b"}]}'
    assert [edge.target for edge in change.edges] == ["urn:li:tag:b"]
    assert change.properties["tags"] == ["urn:li:tag:b"]
    assert change.system == {"runId": "r", "lastObserved": 5}
    assert not change.deletes_entity


def test_a_whole_number_in_a_double_is_the_same_by_every_door() -> None:
    """Clients send `3` over REST and Avro says `3.0`; fields that the model does not know stay as they came."""
    model = "urn:li:mlModel:(urn:li:dataPlatform:science,m,PROD)"

    over_rest, over_kafka = (
        validated(model, "mlModelProperties", {"hyperParameters": {"depth": {"double": number}}, "newer": 3})
        for number in (3, 3.0)
    )

    assert over_rest.text == over_kafka.text == '{"hyperParameters":{"depth":{"double":3.0}},"newer":3}'


@pytest.mark.parametrize("form", [str, bytes])
def test_a_value_as_text_is_the_same_as_one_as_an_object(form: type) -> None:
    """REST and Kafka send the value as JSON text, files as an object; order of keys and spaces do not matter."""
    text = ' { "tags" : [ {"tag":"urn:li:tag:a"} ] , "b":1, "a":2 }'
    proposal = Proposal(
        entity_urn=TABLE,
        aspect_name="globalTags",
        aspect=GenericAspect(value=text if form is str else text.encode()),
    )

    change = lenient.validate(proposal)

    assert change.text == validated(aspect="globalTags", value={**TAGS, "a": 2, "b": 1}).text


@pytest.mark.parametrize("change_type", ["UPSERT", "CREATE", "CREATE_ENTITY", "UPDATE"])
def test_change_types_that_carry_a_value(change_type: str) -> None:
    """All four are taken; what they demand of the graph is decided later."""
    assert validated(change_type=change_type).change_type == change_type


@pytest.mark.parametrize("change_type", ["RESTATE", "PATCH", "upsert", "", "MERGE"])
def test_other_change_types_are_unsupported(change_type: str) -> None:
    """The refusal lists those that can be used."""
    with pytest.raises(Unsupported, match="use one of CREATE, CREATE_ENTITY, DELETE, UPDATE, UPSERT"):
        validated(change_type=change_type)


def test_delete_needs_no_value() -> None:
    """A deletion of an aspect takes its edges and properties away, and its own value does not count."""
    proposal = Proposal(entity_urn=TABLE, aspect_name="globalTags", change_type="DELETE")

    change = lenient.validate(proposal)

    assert (change.value, change.edges, change.deletes_entity) == ({}, (), False)
    assert change.properties == {}


@pytest.mark.parametrize("aspect", [None, "datasetKey"])
def test_delete_of_the_key_is_delete_of_the_entity(aspect: str | None) -> None:
    """With the key aspect named, or no aspect at all."""
    change = lenient.validate(Proposal(entity_urn=TABLE, aspect_name=aspect, change_type="DELETE"))

    assert change.deletes_entity


def test_points_are_not_deleted_by_proposals() -> None:
    """A timeseries has no current value that could go."""
    with pytest.raises(Unsupported, match="operation is a timeseries aspect"):
        lenient.validate(Proposal(entity_urn=TABLE, aspect_name="operation", change_type="DELETE"))


def test_a_clients_key_aspect_is_computed_again() -> None:
    """The URN alone says what the key is."""
    change = validated(aspect="datasetKey", value={"name": "something else", "platform": 5})

    assert change.value == {"platform": "urn:li:dataPlatform:hive", "name": "db.t", "origin": "PROD"}


# --- Entity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("escaped", "meant"),
    [
        ("urn:li:tag:caf\\u00e9", "urn:li:tag:café"),
        ("urn:li:tag:\\ud83e\\udd86", "urn:li:tag:🦆"),
        ("urn:li:tag:\\u6570\\u636e", "urn:li:tag:数据"),
        ("urn:li:tag:a\\u00", "urn:li:tag:a\\u00"),
        ("urn:li:tag:\\ud83e", "urn:li:tag:\ufffd"),
    ],
)
def test_a_urn_that_was_escaped_twice_is_the_same_entity(escaped: str, meant: str) -> None:
    """DataHub's client sends non-ASCII URNs of single proposals as `\\u00e9`."""
    assert validated(escaped).urn.text == meant


def test_a_control_character_does_not_come_in_escaped() -> None:
    """What is refused plain is refused escaped."""
    with pytest.raises(BadUrn, match="control character"):
        validated("urn:li:tag:a\\u0000b")


def test_the_urn_can_come_as_a_key_aspect() -> None:
    """Entity type and key give the URN where it is not sent."""
    key = GenericAspect(value='{"platform":"urn:li:dataPlatform:hive","name":"db.t","origin":"PROD"}')
    aspect = GenericAspect(json_={"removed": True})

    change = lenient.validate(
        Proposal(entity_type="dataset", entity_key_aspect=key, aspect_name="status", aspect=aspect)
    )

    assert change.urn.text == TABLE


@pytest.mark.parametrize(
    ("entity_type", "key", "error"),
    [
        (None, {"name": "a"}, BadProposal),
        ("tag", None, BadProposal),
        ("tagg", {"name": "a"}, BadProposal),
        ("tag", {}, BadValue),
        ("tag", {"name": ""}, BadValue),
        ("tag", {"name": 5}, BadValue),
        ("tag", ["a"], BadValue),
        ("dataset", {"platform": "a,b", "name": "n", "origin": "PROD"}, BadUrn),
    ],
)
def test_a_key_that_gives_no_urn_is_refused(entity_type: str | None, key: Any, error: type[Exception]) -> None:
    """Type and key are both needed, and the key complete."""
    aspect = None if key is None else GenericAspect(json_=key)

    with pytest.raises(error):
        lenient.validate(
            Proposal(entity_type=entity_type, entity_key_aspect=aspect, aspect_name="status", aspect=aspect)
        )


@pytest.mark.parametrize(("wrong", "near"), [("datset", "dataset"), ("corpUser", "corpuser"), ("dataJobs", "dataJob")])
def test_an_unknown_entity_type_is_refused_with_near_names(wrong: str, near: str) -> None:
    """A misspelt type is the likely reason."""
    with pytest.raises(UnknownEntityType, match=f"near names: .*{near}"):
        validated(f"urn:li:{wrong}:x")


def test_an_entity_type_like_no_other_gets_the_whole_list() -> None:
    """Nothing is near, so all are named."""
    with pytest.raises(UnknownEntityType, match=r"the model has agentSkill, aiAgent, .*versionSet"):
        validated("urn:li:zzzzzzzz:x")


def test_type_and_urn_must_agree() -> None:
    """A proposal that contradicts itself is refused."""
    with pytest.raises(BadUrn, match="entityType says 'chart'"):
        validated(entity_type="chart")


@pytest.mark.parametrize(
    "urn",
    ["urn:li:dataset:db.t", "urn:li:dataset:(hive,db.t)", "urn:li:dataset:(hive,db.t,PROD,more)", "urn:li:chart:c"],
)
def test_a_key_of_another_length_is_refused_with_the_form(urn: str) -> None:
    """The refusal shows how URNs of this type look."""
    with pytest.raises(BadUrn, match=r"the form is urn:li:\w+:\(\w+(,\w+)+\)"):
        validated(urn)


# --- Aspect -------------------------------------------------------------------------------------------------------


def test_an_aspect_of_another_entity_type_is_refused() -> None:
    """Known, but not allowed here."""
    with pytest.raises(AspectNotAllowed, match="chartInfo is not allowed on entity type dataset"):
        validated(aspect="chartInfo", value={})


@pytest.mark.parametrize("aspect", ["", None])
def test_a_proposal_without_an_aspect_is_refused(aspect: str | None) -> None:
    """Only a deletion can do without."""
    with pytest.raises(BadProposal, match="aspectName is missing"):
        lenient.validate(Proposal(entity_urn=TABLE, aspect_name=aspect, aspect=GenericAspect(json_={})))


def test_an_unknown_aspect_is_stored_as_it_came() -> None:
    """It has no spec, no edges and no properties."""
    change = validated(aspect="ourOwnAspect", value={"tags": [{"tag": 5}]})

    assert (change.spec, change.edges, change.properties) == (None, (), {})
    assert change.text == '{"tags":[{"tag":5}]}'


def test_an_unknown_aspect_is_refused_where_the_settings_say_so() -> None:
    """`ingest.unknown_aspects = refuse`."""
    with pytest.raises(UnknownAspect, match="'ourOwnAspect' is not in the model"):
        strict.validate(proposal_of(TABLE, "ourOwnAspect", {}))


@pytest.mark.parametrize("aspect", ["our own", "a-b", "1st", "a" * 201, "é" * 101, "a`b", "a:b", "HAS ASPECT"])
def test_an_unknown_aspect_needs_a_possible_name(aspect: str) -> None:
    """What could be no aspect's name is refused, stored or not."""
    with pytest.raises(UnknownAspect, match="not a possible name"):
        validated(aspect=aspect, value={})


# --- Value --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "aspect",
    [
        None,
        GenericAspect(value="{"),
        GenericAspect(value=""),
        GenericAspect(value=b"\xff\xfe"),
        GenericAspect(value="[1]"),
        GenericAspect(value="null"),
        GenericAspect(value='"text"'),
        GenericAspect(value='{"a":"\\ud800"}'),
        GenericAspect(value="{}{}"),
        GenericAspect(json_=[]),
        GenericAspect(json_="{}"),
        GenericAspect(json_={"a": "\ud800"}),
        GenericAspect(json_={"\ud800": 1}),
        GenericAspect(json_={"a": 2**64}),
        GenericAspect(json_={"a": {1: 2}}),
        GenericAspect(json_={"a": object()}),
        GenericAspect(json_=None),
    ],
    ids=range(17),
)
def test_what_is_no_json_object_is_refused(aspect: GenericAspect | None) -> None:
    """Missing, broken, of another type, or not storable as JSON: each is a BadValue."""
    with pytest.raises(BadValue):
        lenient.validate(Proposal(entity_urn=TABLE, aspect_name="ourOwnAspect", aspect=aspect))


@pytest.mark.parametrize("levels", [300, 3_000, 100_000])
@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}")])
def test_a_value_nested_too_deep_is_refused(levels: int, open_: str, close: str) -> None:
    """Depth is bounded, without a crash of the parser or of us."""
    text = '{"a":' + open_ * levels + ("1" if close == "}" else "") + close * levels + "}"

    with pytest.raises(BadValue):
        lenient.validate(Proposal(entity_urn=TABLE, aspect_name="ourOwnAspect", aspect=GenericAspect(value=text)))


def test_another_content_type_is_unsupported() -> None:
    """A JSON patch, say."""
    aspect = GenericAspect(value="{}", content_type="application/json-patch+json")

    with pytest.raises(Unsupported, match="application/json-patch"):
        lenient.validate(Proposal(entity_urn=TABLE, aspect_name="status", aspect=aspect))


@pytest.mark.parametrize("as_text", [True, False])
def test_a_value_past_the_limit_is_too_large(*, as_text: bool) -> None:
    """The limit holds for both forms of a value, and is named."""
    validator = Validator(REGISTRY, IngestSettings(), LimitSettings(aspect_bytes=50))
    value = {"removed": False, "why": "x" * 30}
    aspect = GenericAspect(value=json.dumps(value)) if as_text else GenericAspect(json_=value)

    with pytest.raises(TooLarge, match="the limit is 50"):
        validator.validate(Proposal(entity_urn=TABLE, aspect_name="status", aspect=aspect))


@pytest.mark.parametrize(
    ("aspect", "value", "place"),
    [
        ("status", {"removed": "false"}, "removed"),
        ("status", {"removed": 0}, "removed"),
        ("globalTags", {"tags": {"tag": "urn:li:tag:a"}}, "tags"),
        ("globalTags", {"tags": [{"tag": 5}]}, "tags/0/tag"),
        ("datasetProperties", {"customProperties": {"a": 1}}, "customProperties/a"),
        ("datasetProperties", {"created": {"time": "now"}}, "created/time"),
        ("datasetProperties", {"created": {"time": 2**63}}, "created/time"),
        ("schemaMetadata", {"version": 1.5}, "version"),
        ("schemaMetadata", {"fields": [{}, {"nullable": "no"}]}, "fields/1/nullable"),
        ("upstreamLineage", {"upstreams": [[]]}, "upstreams/0"),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(aspect: str, value: dict[str, Any], place: str) -> None:
    """However deep it stands."""
    with pytest.raises(BadValue, match=f"^{place}: "):
        validated(aspect=aspect, value=value)


def test_missing_fields_and_new_symbols_pass() -> None:
    """Newer and older connectors differ there."""
    change = validated(aspect="ownership", value={"owners": [{"owner": "urn:li:corpuser:a", "type": "NEW_KIND"}, {}]})

    assert len(change.edges) == 1


def test_an_unknown_field_is_kept_or_refused() -> None:
    """By the settings; the refusal has the words by which DataHub's client knows an older server."""
    value = {"tags": [{"tag": "urn:li:tag:a", "colour": "red"}]}

    assert '"colour":"red"' in validated(aspect="globalTags", value=value).text
    with pytest.raises(BadValue, match="tags/0/colour: unrecognized field found but not allowed"):
        strict.validate(proposal_of(TABLE, "globalTags", value))


def test_a_users_aspect_has_no_schema_but_its_paths_are_held(tmp_path: Path) -> None:
    """Any fields pass, but where the model says there is a URN, there must be one."""
    file = tmp_path / "model.yaml"
    file.write_text(
        "entities: {dataset: {aspects: [mine]}}\naspects: {mine: {relationships: [{path: to/*, name: PointsTo}]}}"
    )
    validator = Validator(load_registry(file), IngestSettings(unknown_fields="refuse"), LimitSettings())

    change = validator.validate(proposal_of(TABLE, "mine", {"to": ["urn:li:tag:a"], "whatever": [1, {"x": None}]}))

    assert [edge.type for edge in change.edges] == ["PointsTo"]
    with pytest.raises(BadUrn, match="mine/to"):
        validator.validate(proposal_of(TABLE, "mine", {"to": [5]}))


@pytest.mark.parametrize("time", [None, "1", 1.5, -1, True, 2**63])
def test_a_point_needs_its_time(time: Any) -> None:
    """Milliseconds since 1970, as a number that Neo4j can hold."""
    with pytest.raises(BadValue, match="timestampMillis"):
        validated(aspect="operation", value={"timestampMillis": time})


@pytest.mark.parametrize(("change_type", "passes"), [("CREATE", True), ("UPDATE", False), ("CREATE_ENTITY", False)])
def test_points_are_only_added(change_type: str, *, passes: bool) -> None:
    """What needs a current value makes no sense for a timeseries."""
    value = {"timestampMillis": 0, "operationType": "INSERT", "lastUpdatedTimestamp": 0}

    if passes:
        assert validated(aspect="operation", value=value, change_type=change_type).value == value
    else:
        with pytest.raises(Unsupported, match="it takes UPSERT"):
            validated(aspect="operation", value=value, change_type=change_type)


# --- systemMetadata and headers -----------------------------------------------------------------------------------


def test_system_metadata_can_be_json_text() -> None:
    """`datahub put --run-id` sends it so."""
    change = validated(system_metadata='{"runId": "r1", "lastObserved": 3, "registryName": null}')

    assert change.system == {"runId": "r1", "lastObserved": 3}


@pytest.mark.parametrize(
    "system",
    [
        "{",
        "[]",
        "5",
        "",
        {"lastObserved": "now"},
        {"lastObserved": -1},
        {"lastObserved": 2**63},
        {"lastObserved": True},
        {"lastObserved": 1.5},
        {"runId": 5},
        {"lastRunId": []},
        {"pipelineName": {}},
        {"properties": {"a": "\ud800"}},
    ],
)
def test_bad_system_metadata_is_refused(system: Any) -> None:
    """Where graphsvc reads it itself, its types must be right."""
    with pytest.raises(BadProposal, match="systemMetadata"):
        validated(system_metadata=system)


def test_preconditions_are_kept_under_lower_case_names() -> None:
    """Other headers are the client's own business."""
    change = validated(headers={"If-Version-Match": "-1", "IF-NONE-MATCH": "*", "X-Other": "1"})

    assert change.headers == {"if-version-match": "-1", "if-none-match": "*"}


@pytest.mark.parametrize("version", ["", "x", "1.0", "--5", "5-", " 5", "٣", "9" * 5_000, "-", "1e3", "0x1"])
def test_a_version_that_is_no_number_is_refused(version: str) -> None:
    """It must be decidable, not a surprise later."""
    with pytest.raises(BadProposal, match="If-Version-Match is not a number"):
        validated(headers={"If-Version-Match": version})


def test_if_none_match_takes_a_star_only() -> None:
    """There are no entity tags."""
    with pytest.raises(BadProposal, match="can only be"):
        validated(headers={"If-None-Match": '"abc"'})


@pytest.mark.parametrize("header", ["If-Modified-Since", "if-unmodified-since"])
def test_preconditions_on_times_are_unsupported(header: str) -> None:
    """To ignore one would be to break it."""
    with pytest.raises(Unsupported, match="use If-Version-Match"):
        validated(headers={header: "2026-01-01T00:00:00Z"})


# --- Whatever comes -----------------------------------------------------------------------------------------------

texts = st.text(max_size=8) | st.text(st.characters(categories=("Cs", "Cc", "So")), max_size=3)
urns = st.sampled_from(
    ["urn:li:tag:a", TABLE, f"urn:li:schemaField:({TABLE},a)", "urn:li:dataJob:(abc,d)", "urn:li:x:("]
)
numbers = st.integers() | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400]) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts | urns
# All names that fields of the model have, so that values get past the first level.
field_names = st.sampled_from([*sorted({field for fields in REGISTRY.records.values() for field in fields}), ""])
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(field_names | texts, inner, max_size=4),
    max_leaves=10,
)


def seldom(draw: st.DrawFn, one_in: int) -> bool:
    return draw(st.integers(1, one_in)) == one_in


@st.composite
def shaped(draw: st.DrawFn, kind: Any, depth: int = 0) -> Any:
    """A value much like one of the record's type, with something else in it now and then."""
    if depth > 5 or seldom(draw, 50):
        return draw(anything)
    if isinstance(kind, dict):
        member = draw(st.sampled_from(sorted(kind)))
        return {member: draw(shaped(kind[member], depth + 1))}
    if isinstance(kind, list):
        items = draw(st.lists(shaped(kind[1], depth + 1), max_size=2))
        return items if kind[0] == "array" else {f"k{i}": item for i, item in enumerate(items)}
    if kind.startswith("@"):
        fields = REGISTRY.records[kind[1:]]
        names = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=6)) if fields else []
        return {name: draw(shaped(fields[name], depth + 1)) for name in names}
    if kind in ("int", "long", "float", "double"):
        return draw(numbers)
    if kind == "boolean":
        return draw(st.booleans())
    return draw(texts | urns) if seldom(draw, 10) else draw(st.sampled_from(["urn:li:tag:a", TABLE]))


def unchecked(made: Any, **fields: Any) -> Any:
    """An envelope that holds what its own types would refuse."""
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    """Any aspect on an entity that allows it, or not; a value of its shape or of none; as text or as an object."""
    name = draw(st.sampled_from(sorted(REGISTRY.aspects)))
    allowed = sorted(e.name for e in REGISTRY.entities.values() if name in e.aspects) or ["dataset"]
    entity = REGISTRY.entities[draw(st.sampled_from(allowed))]
    key = ",".join(draw(st.sampled_from(["urn:li:tag:a", "x", "abc%00", "é"])) for _ in entity.key_fields)
    value = draw(anything) if seldom(draw, 10) else draw(shaped("@" + REGISTRY.aspects[name].record))
    if draw(st.booleans()):
        levels = draw(st.sampled_from([1, 100, 300])) if seldom(draw, 20) else 0
        text = '{"x":' * levels + json.dumps(value) + "}" * levels
        aspect = unchecked(GenericAspect(), value=text)
    else:
        aspect = unchecked(GenericAspect(), json_=value)
    system = st.dictionaries(st.sampled_from(["lastObserved", "runId"]), scalars) | texts
    headers = st.dictionaries(st.sampled_from(["If-Version-Match", "If-None-Match"]), texts)
    change_types = ["DELETE", "RESTATE", "CREATE", "UPDATE"]
    return unchecked(
        Proposal(),
        entity_urn=draw(texts.map("urn:li:tag:".__add__)) if seldom(draw, 20) else f"urn:li:{entity.name}:({key})",
        aspect_name=draw(texts) if seldom(draw, 20) else name,
        change_type=draw(st.sampled_from(change_types)) if seldom(draw, 8) else "UPSERT",
        aspect=aspect,
        system_metadata=draw(system) if seldom(draw, 8) else None,
        headers=draw(headers) if seldom(draw, 8) else None,
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(proposal=proposals())
def test_whatever_comes_is_a_change_or_a_refusal(proposal: Proposal) -> None:
    """Nothing that a client sends makes the validator fail in a way that would be answered with a 5xx."""
    for validator in (lenient, strict):
        try:
            found: Change | BadProposal | TooLarge = validator.validate(proposal)
        except (BadProposal, TooLarge) as refusal:
            found = refusal

        if isinstance(found, Change):
            assert orjson.loads(found.text) == orjson.loads(canonical(found.value))
            assert found.urn.text.encode().decode() == found.urn.text
        else:
            assert 400 <= found.status < 500
            assert str(found).encode().decode() == str(found)
