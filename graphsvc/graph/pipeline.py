"""
Queries of a transaction whose answers nobody reads: they go out together with what follows them, in one exchange.

The driver's own transaction waits for an answer to BEGIN and for two to each query. With Neo4j and its clients on busy
machines, most of such a wait is for one's turn, with locks held. Transactions, results and errors stay the driver's.
What is used here of a connection is not its public interface; where it is not as it is known here, the queries run one
by one.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, LiteralString

from neo4j import AsyncSession, AsyncTransaction

Query = tuple[LiteralString, dict[str, Any]]


async def begin(session: AsyncSession, timeout_s: float) -> AsyncTransaction:
    """A transaction whose BEGIN goes out with its first query; what is wrong with it shows there."""
    with getattr(session, "_pipelined_begin", nullcontext()):
        return await session.begin_transaction(timeout=timeout_s)


async def send_ahead(tx: AsyncTransaction, queries: Sequence[Query]) -> None:
    """
    Send queries with the next one of the transaction, or with its commit.

    Where one of them fails, that one or the commit raises its error, and the server has done nothing after it.
    """
    connection: Any = getattr(tx, "_connection", None)
    if not _is_known(connection):
        for query in queries:
            await (await tx.run(*query)).consume()
        return
    for text, parameters in queries:
        connection.run(text, parameters=parameters)
        connection.discard()


async def flush(tx: AsyncTransaction) -> None:
    """Let the server begin with what was sent ahead, without waiting for it."""
    connection: Any = getattr(tx, "_connection", None)
    if _is_known(connection):
        await connection.send_all()


async def run(tx: AsyncTransaction, queries: Sequence[Query]) -> None:
    """Run queries, and wait until all are done."""
    if queries:
        await send_ahead(tx, queries[:-1])
        await (await tx.run(*queries[-1])).consume()


def _is_known(connection: Any) -> bool:
    """Whether it collects Bolt's messages until it is told to send them."""
    return hasattr(connection, "outbox") and all(
        callable(getattr(connection, name, None)) for name in ("run", "discard", "send_all")
    )
