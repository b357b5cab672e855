"""Open Neo4j's driver as every part of graphsvc wants it, and turn its failures into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from neo4j import AsyncDriver, AsyncGraphDatabase, NotificationMinimumSeverity
from neo4j.exceptions import AuthError, ConfigurationError, DriverError, Neo4jError

from graphsvc.errors import ConfigError, StoreRefused, StoreUnavailable

TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"  # how the codes begin


def open_driver(  # noqa: PLR0913  the driver's own settings, by name
    uri: str,
    user: str,
    password: str,
    *,
    retry_time_s: float = 15.0,
    connect_timeout_s: float = 5.0,
    pool_size: int = 50,
) -> AsyncDriver:
    """
    A driver for the graph; it connects when first used.

    Args:
        uri: `bolt://…` or `neo4j://…` address.
        user: Login; an empty password means that the server asks for none.
        password: The login's password.
        retry_time_s: How long a write is retried over deadlocks and lost connections, in seconds.
        connect_timeout_s: Limit for opening a connection, in seconds.
        pool_size: Connections at most.

    Raises:
        ConfigError: The address is not one that Neo4j's driver knows.
    """
    try:
        return AsyncGraphDatabase.driver(
            uri,
            auth=(user, password) if password else None,
            user_agent="graphsvc",
            max_transaction_retry_time=retry_time_s,
            # The first retry after a deadlock would else wait about a second (docs/adr/0004).
            initial_retry_delay=0.02,
            connection_timeout=connect_timeout_s,
            connection_acquisition_timeout=max(connect_timeout_s, 10.0),
            max_connection_pool_size=pool_size,
            liveness_check_timeout=30.0,
            keep_alive=True,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            telemetry_disabled=True,
        )
    except (ConfigurationError, ValueError) as exc:
        raise ConfigError(f"NEO4J_URI {uri!r}: {exc}") from exc


@contextmanager
def store_errors() -> Iterator[None]:
    """
    Turn the driver's failures into StoreUnavailable.

    Raises:
        StoreRefused: Neo4j gave up on the transaction.
        StoreUnavailable: Neo4j does not answer, or refuses the login.
    """
    try:
        yield
    except AuthError as exc:
        raise StoreUnavailable(f"Neo4j refuses the login ({exc.code}); check NEO4J_USER and NEO4J_PASSWORD") from exc
    except Neo4jError as exc:
        raise StoreRefused(f"Neo4j could not run the transaction: {exc.code}: {exc.message}") from exc
    except (DriverError, OSError) as exc:
        raise StoreUnavailable(f"Neo4j does not answer: {exc}") from exc
