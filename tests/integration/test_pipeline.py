"""Queries sent ahead: fewer exchanges, and the same transaction as without."""

from collections.abc import AsyncIterator

import pytest
from neo4j import AsyncDriver, AsyncSession, AsyncTransaction
from neo4j.exceptions import ClientError

from graphsvc.graph import pipeline, writer
from graphsvc.graph.operations import NewEdge, Operations

A, B = "urn:li:tag:a", "urn:li:tag:b"
FIRST: pipeline.Query = ("RETURN 1", {})
CREATE: pipeline.Query = ("CREATE (:Entity {urn: $urn})", {"urn": A})
SAME: pipeline.Query = ("CREATE (:Entity {urn: $urn})", {"urn": A})  # which the constraint forbids


@pytest.fixture
async def session(graph: AsyncDriver, database: str) -> AsyncIterator[AsyncSession]:
    async with graph.session(database=database) as session:
        yield session


async def urns(session: AsyncSession) -> list[str]:
    return [record[0] async for record in await session.run("MATCH (e:Entity) RETURN e.urn ORDER BY e.urn")]


@pytest.fixture(params=["a connection as it is known", "another one"])
def _connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "another one":
        monkeypatch.setattr("graphsvc.graph.pipeline._is_known", lambda connection: False)


def counted(tx: AsyncTransaction, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages have no answer yet whenever the transaction's connection sends."""
    sent: list[int] = []
    connection = tx._connection
    send_all = connection.send_all

    async def count() -> None:
        sent.append(len(connection.responses))
        await send_all()

    monkeypatch.setattr(connection, "send_all", count)
    return sent


async def test_a_transaction_takes_two_exchanges(session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for what is read, with its beginning, and one for all that is written, with its end."""
    async with await pipeline.begin(session, 10) as tx:
        sent = counted(tx, monkeypatch)
        await writer.lock(tx, {B: {"status"}})
        await pipeline.send_ahead(tx, [CREATE, ("MATCH (e {urn: $urn}) SET e.name = 'a'", {"urn": A})])
        await tx.commit()

    assert sent == [3, 5]  # BEGIN, RUN, PULL; twice RUN and DISCARD, COMMIT
    assert await urns(session) == [A, B]


async def test_the_server_may_begin_while_we_wait_for_something_else(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers come with what follows."""
    async with await pipeline.begin(session, 10) as tx:
        sent = counted(tx, monkeypatch)
        await pipeline.send_ahead(tx, [CREATE])
        assert sent == []
        await pipeline.flush(tx)
        assert sent == [3]  # BEGIN, RUN, DISCARD
        await tx.commit()

    assert sent == [3, 4]
    assert await urns(session) == [A]


@pytest.mark.usefixtures("_connection")
async def test_they_run_in_their_order(session: AsyncSession) -> None:
    """Before whatever comes next in the transaction."""
    async with await pipeline.begin(session, 10) as tx:
        await pipeline.send_ahead(tx, [CREATE, ("MATCH (e {urn: $a}) SET e.urn = $b", {"a": A, "b": B})])
        found = await (await tx.run("MATCH (e:Entity) RETURN e.urn")).single(strict=True)
        await pipeline.run(tx, [CREATE, ("MATCH (e {urn: $a}) SET e.name = 'a'", {"a": A})])
        await tx.commit()

    assert found[0] == B
    assert await urns(session) == [A, B]


async def transact(session: AsyncSession, *queries: pipeline.Query, then: pipeline.Query | None = None) -> None:
    """Send queries ahead of another one, or of the commit."""
    async with await pipeline.begin(session, 10) as tx:
        await pipeline.send_ahead(tx, queries)
        if then:
            await (await tx.run(*then)).consume()
        await tx.commit()


@pytest.mark.usefixtures("_connection")
@pytest.mark.parametrize("then", [None, FIRST])
async def test_one_that_fails_undoes_all(session: AsyncSession, then: pipeline.Query | None) -> None:
    """Whoever asks next is told why, and the session goes on."""
    with pytest.raises(ClientError, match="already exists"):
        await transact(session, CREATE, SAME, ("CREATE (:Entity {urn: $urn})", {"urn": B}), then=then)

    assert await urns(session) == []


async def test_what_was_sent_ahead_goes_with_a_transaction_that_is_given_up(session: AsyncSession) -> None:
    async with await pipeline.begin(session, 10) as tx:
        await pipeline.run(tx, [FIRST])
        await pipeline.send_ahead(tx, [CREATE])
        await tx.rollback()

    assert await urns(session) == []


async def test_an_edge_to_an_end_that_went_fails(session: AsyncSession) -> None:
    """Nobody reads how many were made: the query itself has to say it, before the commit."""
    async with await pipeline.begin(session, 10) as tx:
        locked = await writer.lock(tx, {A: {"status"}, B: set()})
        await tx.commit()
    await (await session.run("MATCH (e {urn: $urn}) DELETE e", urn=B)).consume()
    edges = Operations(1, A, created={"TaggedWith": [NewEdge(A, B, "globalTags", A)]})

    with pytest.raises(ClientError) as failed:
        await transact(session, ("MATCH (e) SET e.name = 'a'", {}), *writer.applied(edges, locked.nodes))

    assert failed.value.code == writer.END_IS_GONE
    assert (await (await session.run("MATCH (e {urn: $urn}) RETURN e.name", urn=A)).single(strict=True))[0] is None
