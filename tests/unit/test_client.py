"""The client package: proposals, batches, and what importing it costs. No I/O."""

import pickle
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import format_datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphsvc.client
from graphsvc.client import Failure, Proposal, Refused, Unavailable
from graphsvc.client import batches as batches_module
from graphsvc.client.batches import Buffer
from graphsvc.client.errors import error_of
from graphsvc.client.rest import retry_after_s

URN = "urn:li:dataset:(urn:li:dataPlatform:hive,sales.orders,PROD)"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEAVY = ("fastapi", "starlette", "neo4j", "strawberry", "pydantic", "confluent_kafka", "fastavro")


@pytest.mark.parametrize("name", ["RestEmitter", "AsyncRestEmitter", "Proposal", "EmitError"])
def test_importing_it_is_light(name: str) -> None:
    """A producer pays for neither the service nor librdkafka unless it asks for Kafka."""
    code = f"import sys; from graphsvc.client import {name}; print([m for m in {HEAVY!r} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_kafka_is_loaded_when_asked_for() -> None:
    code = "import sys; from graphsvc.client import KafkaEmitter; print([m for m in ('neo4j', 'fastapi', 'confluent_kafka') if m in sys.modules])"  # noqa: E501
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "['confluent_kafka']"


def test_everything_named_is_there() -> None:
    assert all(getattr(graphsvc.client, name) for name in graphsvc.client.__all__)
    with pytest.raises(AttributeError, match="Emiter"):
        _ = graphsvc.client.Emiter


def test_a_proposal_on_the_wire_is_datahubs() -> None:
    """The value is JSON text within JSON; what is absent is left out."""
    wire = orjson.loads(Proposal(URN, "status", {"removed": False}, headers={"If-Version-Match": "3"}).wire())

    assert wire == {
        "entityType": "dataset",
        "entityUrn": URN,
        "changeType": "UPSERT",
        "aspectName": "status",
        "aspect": {"value": '{"removed":false}', "contentType": "application/json"},
        "headers": {"If-Version-Match": "3"},
    }


def test_a_patch_says_that_it_is_one() -> None:
    wire = orjson.loads(Proposal(URN, "globalTags", [{"op": "remove", "path": "/tags"}], "PATCH").wire())

    assert wire["aspect"]["contentType"] == "application/json-patch+json"


@pytest.mark.parametrize(
    "urn", ["", "orders", "urn:li:", "urn:li:dataset", "urn:li:dataset:", "urn:li::x", "urn:x:a:b"]
)
def test_what_is_no_urn_is_refused_at_once(urn: str) -> None:
    with pytest.raises(ValueError, match="not a URN"):
        Proposal(urn, "status", {"removed": False})


def test_an_unknown_change_type_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="UPSURT"):
        Proposal(URN, "status", {}, "UPSURT")  # type: ignore[arg-type]


json_values = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.text(max_size=5), max_size=4)


@given(value=json_values, system=st.none() | json_values, change=st.sampled_from(["UPSERT", "CREATE", "UPDATE"]))
def test_the_wire_form_read_back_is_the_same_proposal(value: dict, system: dict | None, change: str) -> None:
    proposal = Proposal(URN, "status", value, change, system, {"a": "b"})  # type: ignore[arg-type]

    assert Proposal.from_dict(orjson.loads(proposal.wire())) == proposal


def test_a_plain_dict_may_hold_the_value_as_an_object() -> None:
    raw = {"entityUrn": URN, "aspectName": "status", "aspect": {"json": {"removed": True}}}

    assert Proposal.from_dict(raw) == Proposal(URN, "status", {"removed": True})


@pytest.mark.parametrize("raw", [{}, {"entityUrn": URN}, {"entityUrn": 5, "aspectName": "status"}])
def test_a_dict_without_urn_or_aspect_is_refused(raw: dict) -> None:
    with pytest.raises(ValueError, match="a proposal needs"):
        Proposal.from_dict(raw)


@given(lengths=st.lists(st.integers(0, 400), max_size=30), items=st.integers(1, 6), size=st.integers(200, 900))
def test_batches_keep_order_and_limits(lengths: list[int], items: int, size: int) -> None:
    """Nothing is lost, none is too long, and one is too large only when a single proposal is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches_module, "MAX_ITEMS", items)
        patch.setattr(batches_module, "MAX_BYTES", size)
        buffer = Buffer()
        for length in lengths:
            buffer.add(Proposal("urn:li:tag:x", "tagProperties", {"name": "x" * length}))
        sent = []
        while batch := buffer.batch():
            sent.append(batch)
            buffer.drop(batch)

    assert [item.index for batch in sent for item in batch] == list(range(len(lengths)))
    assert all(len(batch) <= items for batch in sent)
    assert all(len(batch) == 1 or sum(len(i.body) + 1 for i in batch) <= size for batch in sent)
    assert not buffer.is_full


def test_what_json_cannot_say_fails_alone() -> None:
    """The others are sent; the failure has the place of the bad one."""
    buffer = Buffer()
    for value in ({"name": "a"}, {"name": object()}, {"name": "c"}):
        buffer.add(Proposal("urn:li:tag:x", "tagProperties", value))

    assert [item.index for item in buffer.batch()] == [0, 2]
    (failure,) = buffer.take_failures()
    assert (failure.index, failure.retryable) == (1, False)
    assert buffer.take_failures() == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        (" 7 ", 7.0),
        ("3600", 60.0),
        (format_datetime(NOW.replace(second=9), usegmt=True), 9.0),
        (format_datetime(NOW.replace(year=2025), usegmt=True), 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    """Bounded, and ignored where it says nothing."""
    assert retry_after_s(text, NOW) == seconds


def failure(index: int, *, retryable: bool) -> Failure:
    return Failure(index, URN, "status", "because", retryable, Proposal(URN, "status", {}))


def test_the_error_is_worth_another_try_if_one_proposal_is() -> None:
    assert type(error_of([failure(0, retryable=False)])) is Refused
    assert type(error_of([failure(0, retryable=False), failure(1, retryable=True)])) is Unavailable


def test_an_error_survives_another_process() -> None:
    """Workers hand their errors to their parent by pickling them."""
    error = Refused([failure(3, retryable=False)])

    again = pickle.loads(pickle.dumps(error))

    assert (type(again), again.failures, str(again)) == (Refused, error.failures, str(error))


def test_the_message_is_short_whatever_the_number() -> None:
    text = str(Refused([failure(i, retryable=False) for i in range(1000)]))

    assert text.startswith(f"1000 not taken: [0] {URN} status: because")
    assert text.endswith("; and 995 more")
