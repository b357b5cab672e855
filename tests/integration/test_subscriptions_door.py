"""Who may subscribe, how much, and what becomes of what is no message of the protocol."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from consuming import until
from neo4j import AsyncDriver
from pydantic import SecretStr
from served import neo4j_settings, served
from subscribing import ENTITY, PROTOCOL, Events, Refused, address, connected, dataset, subscribed
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from graphsvc.api.graphql import sockets
from graphsvc.cli import SOCKET_MESSAGE_BYTES
from graphsvc.config import HttpSettings, Settings, SubscriptionSettings

TOKEN = "sesame"
FOLLOW = {
    "type": "subscribe",
    "id": "1",
    "payload": {"query": ENTITY, "variables": {"urns": ["urn:li:tag:a"]}},
}
ODD_FILTER = '[{and: [{field: "a", condition: ANCESTORS_INCL}]}]'
TAG = 'entityChanges(urns: ["urn:li:tag:a"]) { id }'


@pytest.fixture(scope="module")
def base(driver: AsyncDriver, neo4j_server: Any) -> Settings:
    limits = SubscriptionSettings(enabled=True, max_connections=3, max_per_connection=2)
    return Settings(neo4j=neo4j_settings(neo4j_server), subscriptions=limits)


@pytest.fixture(scope="module")
def url(base: Settings) -> Iterator[str]:
    with served(base) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(base: Settings) -> Iterator[str]:
    with served(base.model_copy(update={"http": HttpSettings(token=SecretStr(TOKEN))})) as found:
        yield found


async def closed_with(url: str, *messages: Any, **options: Any) -> int:
    """The code with which the service closes, after it has been sent these."""
    async with connect(address(url), subprotocols=[PROTOCOL], **options) as socket:
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  one of these
            for message in messages:
                await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
            while True:
                await asyncio.wait_for(socket.recv(), 20)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


def init(**payload: Any) -> Any:
    return {"type": "connection_init", "payload": payload}


async def test_the_token_opens(guarded: str) -> None:
    """In the header, or in the payload of connection_init, in whatever case its name is; nowhere else."""
    right = f"Bearer {TOKEN}"

    async with connected(guarded, additional_headers={"Authorization": right}):
        pass
    for name in ("Authorization", "authorization"):
        async with connected(guarded, payload={name: right}):
            pass
    with pytest.raises(InvalidStatus) as refused:
        await connect(address(guarded), subprotocols=[PROTOCOL], additional_headers={"Authorization": "Bearer x"})

    assert refused.value.response.status_code == 401
    for payload in ({}, {"Authorization": TOKEN}, {"Authorization": "Bearer x"}, {"Authorization": 5}):
        assert await closed_with(guarded, init(**payload)) == 4403
    subscribe = {"id": "1", "type": "subscribe", "payload": {"query": "{ changesCursor }"}}
    assert await closed_with(guarded, subscribe) == 4401


async def test_pages_of_other_origins_stay_out(url: str) -> None:
    """A web page may connect to the service that it came from, and to no other; names that are not ours are refused."""
    async with connected(url, origin=url):
        pass
    with pytest.raises(InvalidStatus) as foreign:
        await connect(address(url), subprotocols=[PROTOCOL], origin="https://example.com")
    upgrade = {
        "Host": "example.com",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with httpx.AsyncClient() as client:
        rebound = await client.get(f"{url}/graphql", headers=upgrade, timeout=20)

    assert foreign.value.response.status_code == 403
    assert rebound.status_code == 400


async def has_room(url: str) -> bool:
    try:
        async with connected(url):
            return True
    except InvalidStatus:
        return False


async def test_connections_are_counted(url: str) -> None:
    """One too many is told so; when one goes, there is room for another."""
    async with connected(url), connected(url):
        async with connected(url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address(url), subprotocols=[PROTOCOL])
        await until(lambda: has_room(url))

    assert refused.value.response.status_code == 503
    assert "limit" in orjson.loads(refused.value.response.body)["message"]


async def test_operations_of_a_connection_are_counted(url: str) -> None:
    """One too many is refused, and the others go on."""
    async with connected(url) as socket:
        for name in ("1", "2", "3"):
            await Events(socket, name).ask(ENTITY, {"urns": [dataset("a")]})
        message = orjson.loads(await asyncio.wait_for(socket.recv(), 20))

    assert (message["type"], message["id"]) == ("error", "3")


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["no JSON"], 4400),
        (["[]"], 4400),
        (["7"], 4400),
        ([b"\x00"], 4400),
        ([{}], 4400),
        ([{"type": 7}], 4400),
        ([{"type": "unheard"}], 4400),
        ([{"type": "connection_init", "payload": []}], 4400),
        ([init(), init()], 4429),
        ([init(), {"type": "subscribe", "id": "1"}], 4400),
        ([init(), {"type": "subscribe", "id": 1, "payload": {"query": "{ a }"}}], 4400),
        ([init(), {"type": "subscribe", "id": "1", "payload": {"query": 5}}], 4400),
        ([init(), {"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}}], 4400),
        ([init(), *[FOLLOW] * 2], 4409),
        (["x" * (SOCKET_MESSAGE_BYTES + 1)], 1009),
    ],
)  # fmt: skip
async def test_what_is_no_message_closes(url: str, messages: list[Any], code: int) -> None:
    """By the protocol's own codes; never by a fault of ours."""
    assert await closed_with(url, *messages) == code


async def test_silence_closes(url: str, monkeypatch: pytest.MonkeyPatch, base: Settings) -> None:
    """Who does not introduce itself in time, and who speaks another protocol, goes."""
    monkeypatch.setattr(sockets, "INIT_S", 0.2)

    with served(base) as hasty:
        assert await closed_with(hasty) == 4408
    async with connect(address(url)) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406


async def test_queries_may_come_this_way_too(url: str) -> None:
    """Each with what is there when it is asked; the same limits hold."""
    deep = (
        '{ entity(urn: "urn:li:tag:a") '
        + "{ relationships(input: {direction: OUTGOING}) { relationships { entity " * 12
    )
    deep += "{ urn }" + " } } }" * 12 + " }"
    async with connected(url) as socket:
        for name, query in (("1", "{ __typename }"), ("2", deep)):
            await socket.send(json.dumps({"id": name, "type": "subscribe", "payload": {"query": query}}))
        messages = [orjson.loads(await asyncio.wait_for(socket.recv(), 20)) for _ in range(3)]

    by_type = {(m["id"], m["type"]): m.get("payload") for m in messages}
    assert by_type["1", "next"] == {"data": {"__typename": "Query"}}
    assert by_type["2", "error"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription { events: entityChanges(urns: []) { id } }", "BAD_INPUT"),
        ('subscription { events: entityChanges(urns: ["x"]) { id } }', "BAD_URN"),
        ('subscription { events: downstreamChanges(urn: "urn:li:tag:a", maxHops: 0) { id } }', "BAD_INPUT"),
        ('subscription { events: downstreamChanges(urn: "urn:li:tag:a", maxHops: 10000) { id } }', "BAD_INPUT"),
        (f"subscription {{ events: searchChanges(orFilters: {ODD_FILTER}) {{ id }} }}", "BAD_INPUT"),
        (f"subscription {{ a: {TAG} b: {TAG} }}", "BAD_INPUT"),
        ("subscription { nothing }", "BAD_INPUT"),
        ("subscription {", "BAD_INPUT"),
    ],
)  # fmt: skip
async def test_what_cannot_be_followed_is_refused_at_once(url: str, document: str, code: str) -> None:
    """Before anything has changed."""
    async with subscribed(url, document) as events:
        with pytest.raises(Refused) as refused:
            await asyncio.wait_for(events.get(), 20)

    assert refused.value.code == code


async def test_where_they_are_off_they_say_so(base: Settings) -> None:
    """A service without a change log names the setting; and over plain HTTP there are no subscriptions."""
    with served(base.model_copy(update={"subscriptions": SubscriptionSettings()})) as url:
        async with subscribed(url, ENTITY, urns=[dataset("a")]) as events:
            with pytest.raises(Refused, match="GRAPHSVC_SUBSCRIPTIONS__ENABLED"):
                await events.get()
        async with httpx.AsyncClient() as client:
            body = {"query": ENTITY, "variables": {"urns": [dataset("a")]}}
            for accept in ("application/json", "multipart/mixed;subscriptionSpec=1.0", "text/event-stream"):
                answer = await client.post(f"{url}/graphql", json=body, headers={"Accept": accept}, timeout=20)
                assert answer.status_code < 500
                assert "data" not in answer.text or "errors" in answer.text
