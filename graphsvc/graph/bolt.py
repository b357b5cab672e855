"""
One reading query over a connection of the driver's own pool, without the driver's session and result.

These two take over half of the time that a small read takes in Python. Connecting, logging in, TLS, the pool, packing
and unpacking stay the driver's, and so do all errors: where the server refuses a query, the connection is reset, and
the query goes the driver's usual way, which says why.

None of this is the driver's public interface. `lane_of` therefore looks before anything is used, and where it finds
something else than it knows, or a cluster, every query goes the usual way.
"""

from collections.abc import Awaitable, Collection, Mapping
from typing import Any, Final, LiteralString, Protocol, cast

from neo4j import READ_ACCESS, AsyncDriver

RUN, PULL = b"\x10", b"\x3f"
SUCCESS, RECORD = b"\x70", b"\x71"
ACQUIRE_S = 10.0  # to get a connection, if the caller waits so long
NOTHING: Final = object()  # stands for the value of a query that has to go the usual way
_ALL = {"n": -1}


class _Box(Protocol):
    def append_message(self, tag: bytes, fields: tuple[Any, ...], dehydration_hooks: Any) -> None: ...

    async def pop(self, hydration_hooks: Any) -> tuple[bytes, list[Any]]: ...


class _Socket(Protocol):
    def get_read_timeout(self) -> float | None: ...

    def set_read_timeout(self, timeout: float | None) -> None: ...


class _Connection(Protocol):
    outbox: _Box
    inbox: _Box
    socket: _Socket

    async def send_all(self) -> None: ...

    async def reset(self) -> None: ...


class _Pool(Protocol):
    def acquire(self, **parameters: Any) -> Awaitable[_Connection]: ...

    def release(self, connection: _Connection) -> Awaitable[None]: ...

    def kill_and_release(self, connection: _Connection) -> None: ...


def lane_of(driver: AsyncDriver, database: str) -> "Lane | None":
    """The short way to a database of a driver that talks to one server; None where it is not as it is known here."""
    pool = getattr(driver, "_pool", None)
    if not getattr(pool, "is_direct_pool", False):
        return None
    known = all(callable(getattr(pool, name, None)) for name in ("acquire", "release", "kill_and_release"))
    return Lane(cast(_Pool, pool), database) if known else None


class Lane:
    """Reads one database over the connections of a driver's pool."""

    def __init__(self, pool: _Pool, database: str) -> None:
        """Keep the pool; the driver closes it."""
        self._pool = pool
        self._database = database

    async def read(
        self, text: LiteralString, parameters: Mapping[str, Any], seconds: float, bookmarks: Collection[str]
    ) -> Any:
        """
        The one value of a query's one row.

        Args:
            text: The query.
            parameters: Plain values.
            seconds: Time that the server gives its transaction. The caller's own patience has to have an end, too.
            bookmarks: Writes that it has to see.

        Returns:
            The value; `NOTHING` if the server refused the query, or it has not one row.

        Raises:
            DriverError: The server does not answer; as the driver's session says it.
        """
        connection = await self._pool.acquire(
            access_mode=READ_ACCESS,
            timeout=ACQUIRE_S,
            database=None,
            bookmarks=None,
            auth=None,
            liveness_check_timeout=None,
        )
        extra = {"mode": "r", "db": self._database, "tx_timeout": max(1, round(seconds * 1000))}
        try:
            found = await _exchanged(
                connection, text, parameters, {**extra, "bookmarks": list(bookmarks)} if bookmarks else extra
            )
        except BaseException:
            self._pool.kill_and_release(connection)
            raise
        await self._pool.release(connection)
        return found


async def _exchanged(
    connection: _Connection, text: LiteralString, parameters: Mapping[str, Any], extra: Mapping[str, Any]
) -> Any:
    connection.outbox.append_message(RUN, (text, parameters, extra), None)
    connection.outbox.append_message(PULL, (_ALL,), None)
    await connection.send_all()
    patience = connection.socket.get_read_timeout()
    connection.socket.set_read_timeout(None)  # the caller has one for the whole; the socket's is a task for each piece
    ran, _ = await connection.inbox.pop(None)
    rows: list[list[Any]] = []
    while (answer := await connection.inbox.pop(None))[0] == RECORD:
        rows.append(answer[1][0])
    connection.socket.set_read_timeout(patience)
    if ran != SUCCESS or answer[0] != SUCCESS:
        await connection.reset()
        return NOTHING
    return rows[0][0] if len(rows) == 1 else NOTHING
