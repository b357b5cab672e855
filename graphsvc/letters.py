"""The commands `graphsvc dlq …`: look through the dead letters, and replay them."""

import asyncio
import heapq
import json
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from graphsvc.app import open_neo4j
from graphsvc.config import Settings
from graphsvc.errors import ConfigError, NotFound
from graphsvc.graph.migrate import migrate
from graphsvc.graph.outbox import Outbox
from graphsvc.graph.registry import load_registry
from graphsvc.graph.schemas import GraphSchemas
from graphsvc.graph.traces import Traces
from graphsvc.ingest.avro import Codec
from graphsvc.ingest.dead_letters import DeadLetters, Letter, Turn, Wanted, replay
from graphsvc.ingest.external_schemas import ExternalSchemas
from graphsvc.ingest.publisher import Publisher

SEND_S = 30.0  # how long a letter's delivery is tried
REASON_SHOWN = 200
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the commands work with; all of it open."""

    letters: DeadLetters
    traces: Traces
    outbox: Outbox
    migrate: Callable[[], Awaitable[Any]]


@asynccontextmanager
async def _parts(settings: Settings) -> AsyncIterator[_Parts]:
    database = settings.neo4j.database
    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(open_neo4j(settings.neo4j))
        external = ExternalSchemas(settings.kafka) if settings.kafka.registry_url else None
        if external is not None:
            stack.push_async_callback(external.close)
        codec = Codec(external or GraphSchemas(driver, database), load_registry(settings.model.file))
        traces = Traces(driver, database)
        letters = DeadLetters(settings.kafka, codec, traces)
        yield _Parts(letters, traces, Outbox(driver, database), lambda: migrate(driver, database))


def _run(settings: Settings, work: Callable[[_Parts], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _parts(settings) as parts:
            return await work(parts)

    if not settings.kafka.bootstrap:
        raise ConfigError("no Kafka to read dead letters from: set KAFKA_BOOTSTRAP to host:port of a broker")
    return asyncio.run(run())


def show_list(  # noqa: PLR0913  what one can ask for
    settings: Settings,
    filters: Sequence[str],
    console: Console,
    errors: Console,
    *,
    everything: bool,
    limit: int,
    as_json: bool,
) -> None:
    """
    Print the newest letters that are meant, the newest last.

    Args:
        settings: Where Kafka and Neo4j are.
        filters: `field=pattern`, all of which have to hold (see `Wanted`).
        console: For the letters.
        errors: For what else is to say: how many older ones there are, or records that are none of ours.
        everything: Also those that were replayed.
        limit: Letters at most; only so many are held in memory.
        as_json: As JSON, one document per line, instead of a table.

    Raises:
        BadRequest: A filter is malformed.
        ConfigError: No Kafka is configured.
        BrokerUnavailable: Kafka does not answer.
        StoreUnavailable: Neo4j does not.
    """
    wanted = Wanted.parse(filters)

    async def collect(parts: _Parts) -> tuple[list[_Row], int, int]:
        newest: list[_Row] = []
        count = 0
        async for batch in parts.letters.read(wanted):
            for letter, replayed in batch:
                if everything or replayed is None:
                    count += 1
                    heapq.heappush(newest, (letter.at, letter.id, _summary(letter, replayed)))
                    if len(newest) > limit:
                        heapq.heappop(newest)
        return sorted(newest, key=lambda row: row[:2]), count, parts.letters.unreadable

    rows, count, unreadable = _run(settings, collect)
    if as_json:
        for _, _, row in rows:
            console.print(json.dumps(row, ensure_ascii=False), soft_wrap=True, markup=False, highlight=False)
    elif rows:
        console.print(_table([row for _, _, row in rows], everything=everything))
    else:
        console.print("no dead letters")
    if count > len(rows):
        errors.print(f"{count - len(rows)} older ones are not shown; see --limit and --filter", style="yellow")
    _warn_of_unreadable(unreadable, errors)


def show_one(settings: Settings, letter_id: str, console: Console) -> None:
    """
    Print all that is known of a letter; the original bytes as JSON if they are, else in base64.

    Raises:
        NotFound: There is no such letter.
        ConfigError: And the others, as for `show_list`.
    """

    async def find(parts: _Parts) -> dict[str, Any]:
        async for batch in parts.letters.read(Wanted(frozenset({letter_id}))):
            for letter, replayed in batch:
                return _summary(letter, replayed) | _content(letter)
        raise NotFound(f"there is no dead letter {letter_id}")

    console.print(
        json.dumps(_run(settings, find), indent=2, ensure_ascii=False), soft_wrap=True, markup=False, highlight=False
    )


def replay_all(  # noqa: PLR0913  what one can ask for
    settings: Settings,
    filters: Sequence[str],
    ids: Collection[str],
    console: Console,
    errors: Console,
    *,
    again: bool,
) -> bool:
    """
    Put the letters that are meant back on the topics they came from, with a progress bar and a summary.

    Args:
        settings: Where Kafka and Neo4j are.
        filters: As for `show_list`.
        ids: Only these letters; empty for all.
        console: For the summary.
        errors: For the progress bar, and for what could not be replayed.
        again: Also those that were replayed already.

    Returns:
        Whether all that was meant is replayed now, or was before.

    Raises:
        Conflict: Another replay is under way.
        ConfigError: And the others, as for `show_list`. What was replayed until then is marked.
    """
    wanted = Wanted.parse(filters, ids)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TextColumn("letters read"))

    async def work(parts: _Parts) -> tuple[Counter[str], set[str], list[str]]:
        await parts.migrate()
        counts: Counter[str] = Counter()
        missing, failures = set(wanted.ids), list[str]()
        turn = Turn(parts.outbox)
        await turn.keep()
        try:
            with Progress(*columns, console=errors) as progress:
                task = progress.add_task("replay", total=None)
                async with Publisher(settings.kafka, SEND_S) as publisher:
                    async for batch in parts.letters.read(
                        wanted, lambda done, total: progress.update(task, completed=done, total=total)
                    ):
                        await turn.keep()
                        fates = await replay(batch, publisher, parts.traces, again=again)
                        counts.update(fates.values())
                        missing -= fates.keys()
                        failures.extend(name for name, fate in fates.items() if fate == "not possible")
        finally:
            await turn.give_back()
        return counts, missing, failures + [""] * parts.letters.unreadable

    counts, missing, failures = _run(settings, work)
    before = f", {counts['replayed before']} were replayed before" if counts["replayed before"] else ""
    console.print(f"{counts['replayed']} letters replayed{before}", highlight=False)
    for name in filter(None, failures):
        text = f"not replayed: {name}: the letter does not hold its original, or is too large for its topic"
        errors.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    for name in sorted(missing):
        errors.print(f"there is no dead letter {name}", style="red", highlight=False, markup=False, soft_wrap=True)
    _warn_of_unreadable(failures.count(""), errors)
    return not missing and not any(failures)


_Row = tuple[int, str, dict[str, Any]]


def _summary(letter: Letter, replayed: int | None) -> dict[str, Any]:
    return {
        "id": letter.id,
        "time": _time(letter.at),
        "urn": letter.urn,
        "aspect": letter.aspect,
        "error": letter.error,
        "reason": letter.reason,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "replayed": None if replayed is None else _time(replayed),
    }


def _content(letter: Letter) -> dict[str, Any]:
    key = None if letter.key is None else _readable(letter.key)
    try:
        return {"key": key, "original": orjson.loads(letter.original)}
    except orjson.JSONDecodeError:
        return {"key": key, "originalBase64": b64encode(letter.original).decode()}


def _readable(key: bytes) -> str:
    return key.decode() if key.isascii() else f"hex:{key.hex()}"


def _time(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def _table(rows: list[dict[str, Any]], *, everything: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = ("id", "time", "urn", "aspect", "error", *(("replayed",) if everything else ()))
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        plain = {**row, "error": f"{row['error']}: {row['reason'][:REASON_SHOWN]}"}
        table.add_row(*(escape(plain[name] or "") for name in names))
    return table


def _warn_of_unreadable(count: int, errors: Console) -> None:
    if count:
        errors.print(f"{count} records of the failed topic are none that can be read", style="yellow")
