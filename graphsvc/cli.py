"""
The command line `graphsvc`: the program's words, and the composition root of everything but HTTP.

What only some commands need is imported by them: the service takes seconds to load, `graphsvc get` needs none of it.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import structlog
import typer
import uvicorn
from pydantic import SecretStr
from rich.console import Console

from graphsvc.config import Neo4jSettings, Settings
from graphsvc.errors import ConfigError, GraphsvcError, StoreUnavailable
from graphsvc.graph.registry import load_registry
from graphsvc.load import load as load_files
from graphsvc.shell import Service, entity_table, lineage_trees, milliseconds, search_table, warn_if_cut

if TYPE_CHECKING:
    from graphsvc.local.stack import LocalStack

DATA_DIR = Path(".graphsvc")
ADDRESS_FILE = "service.json"
POLL_S = 0.2
SOCKET_MESSAGE_BYTES = 256 * 1024  # a GraphQL document with its variables

app = typer.Typer(
    help="A metadata graph service: DataHub's wire in, Neo4j as the one store, GraphQL out.", no_args_is_help=True
)
dlq = typer.Typer(help="Dead letters: records on Kafka that could not be applied.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")
console = Console()
errors = Console(stderr=True)

DataDir = Annotated[Path, typer.Option("--data-dir", help="Where data, logs and the password live.")]
Model = Annotated[
    Path | None, typer.Option("--model", help="YAML file that adds entity types, aspects, relationships.")
]
Url = Annotated[str | None, typer.Option(help="Address of the service; default: the one that runs from --data-dir.")]
Token = Annotated[str | None, typer.Option(envvar="GRAPHSVC_HTTP__TOKEN", help="The service's token, if it has one.")]
AsOf = Annotated[
    int | None,
    typer.Option(
        "--as-of",
        parser=milliseconds,
        metavar="TIME",
        help="Show how it stood at this time: 2026-11-01T12:00, or milliseconds.",
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", help="field=pattern, repeatable; fields: error, urn, aspect, topic, reason."),
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; default 127.0.0.1.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; default 8080.")]


def main() -> None:
    """Run the command line; an error of ours is one line, not a traceback."""
    try:
        app()
    except StoreUnavailable as error:
        _complain(_one_line(error))
        sys.exit(1)
    except GraphsvcError as error:
        _complain(str(error))
        sys.exit(1)


@app.command()
def up(  # noqa: PLR0913, PLR0917  options of the command line
    data_dir: DataDir = DATA_DIR,
    kafka: Annotated[bool, typer.Option("--kafka", help="Start a private Kafka too.")] = False,  # noqa: FBT002  the same
    load: Annotated[
        list[Path] | None, typer.Option("--load", help="Load this MCP/MCE file when ready; repeatable.")
    ] = None,
    host: Host = None,
    port: Port = None,
    model: Model = None,
) -> None:
    """Start a private Neo4j and graphsvc, and print what to open. Ctrl-C stops both.

    With --kafka, a private Kafka too, whose proposals are applied and on which every change is announced.

    With NEO4J_URI set, that server is used and no Neo4j is started. Needs the extra `graphsvc[local]`.
    """
    settings = _settings(host, port, model)
    own = "NEO4J_URI" in os.environ or "GRAPHSVC_NEO4J__URI" in os.environ
    with ExitStack() as stack:
        _stop_by_signal()
        local = None if own and not kafka else stack.enter_context(_local_stack(data_dir, store=not own, kafka=kafka))
        if local is not None:
            settings = _with_local(settings, local.endpoints)
        if settings.subscriptions.enabled is None and not settings.kafka.bootstrap:
            settings = _with(settings, "subscriptions", enabled=True)
        settings = _with(settings, "http", port=_port(settings, chosen=port is not None))
        failed = _serve(settings, local, data_dir, load or [])
    raise typer.Exit(1 if failed else 0)


@app.command()
def serve(host: Host = None, port: Port = None, model: Model = None) -> None:
    """Run the service alone, against the Neo4j that NEO4J_URI (NEO4J_USER, NEO4J_PASSWORD, NEO4J_DATABASE) names."""
    from graphsvc.app import create_app  # noqa: PLC0415

    settings = _settings(host, port, model)
    _run(settings, lambda: create_app(settings), settings.http.host, settings.http.port)


@app.command()
def consume(model: Model = None) -> None:
    """Apply what comes in on Kafka's proposal topics. Any number may run: they share the partitions.

    Needs KAFKA_BOOTSTRAP and NEO4J_URI. Serves /health and /metrics on GRAPHSVC_KAFKA__METRICS_PORT (9464).
    """
    from graphsvc.app import create_consumer  # noqa: PLC0415

    settings = _settings(None, None, model)
    _run(settings, lambda: create_consumer(settings), settings.kafka.metrics_host, settings.kafka.metrics_port)


@app.command()
def load(
    files: Annotated[
        list[Path], typer.Argument(help="JSON files of MCPs or MCEs, as DataHub's file source reads them.")
    ],
    url: Annotated[
        str | None, typer.Option(help="Address of the service; default: the one that runs from --data-dir.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="GRAPHSVC_HTTP__TOKEN", help="The service's token, if it has one.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    model: Model = None,
) -> None:
    """Send MCP and MCE files to a running graphsvc. Sending them again changes nothing."""
    registry = load_registry(model)
    if not load_files(files, url or _running_url(data_dir), token, registry, console):
        raise typer.Exit(1)


class LineageFormat(StrEnum):
    """How `graphsvc lineage` prints."""

    TREE = "tree"
    JSON = "json"
    CSV = "csv"
    DOT = "dot"
    MERMAID = "mermaid"
    SVG = "svg"


@app.command()
def get(  # noqa: PLR0913, PLR0917  options of the command line
    urn: Annotated[str, typer.Argument(help="An entity's URN.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002  a flag
    as_of: AsOf = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Show an entity with all its aspects."""
    answer = Service(url or _running_url(data_dir), token).entity(urn, **_at(as_of))
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        console.print(entity_table(answer))


@app.command()
def lineage(  # noqa: PLR0913, PLR0917  options of the command line
    urn: Annotated[str, typer.Argument(help="URN of an entity, or of a column.")],
    upstream: Annotated[bool, typer.Option("--upstream", help="Where its data comes from.")] = False,  # noqa: FBT002  a flag
    downstream: Annotated[bool, typer.Option("--downstream", help="Where it goes to; the default.")] = False,  # noqa: FBT002  a flag
    hops: Annotated[int, typer.Option(min=1, help="How far.")] = 3,
    fold: Annotated[bool, typer.Option("--fold", help="Leave jobs out.")] = False,  # noqa: FBT002  a flag
    removed: Annotated[bool, typer.Option("--removed", help="Show soft-deleted entities too.")] = False,  # noqa: FBT002  a flag
    form: Annotated[LineageFormat, typer.Option("--format", help="How to print.")] = LineageFormat.TREE,
    as_of: AsOf = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Show what an entity is made from, or what is made from it; with both flags, both."""
    direction = "both" if upstream and downstream else "upstream" if upstream else "downstream"
    wanted = "json" if form is LineageFormat.TREE else form.value
    answer = Service(url or _running_url(data_dir), token).lineage(
        urn,
        direction=direction,
        hops=hops,
        fold=str(fold).lower(),
        removed=str(removed).lower(),
        format=wanted,
        **_at(as_of),
    )
    if form is not LineageFormat.TREE:
        typer.echo(answer.content, nl=False)
        return
    for tree in lineage_trees(answer.json()):
        console.print(tree, soft_wrap=True)
    warn_if_cut(answer.json(), errors)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    count: Annotated[int, typer.Option(min=1, help="Results at most.")] = 20,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Find entities by text."""
    console.print(search_table(Service(url or _running_url(data_dir), token).search(text, count)))


@dlq.command("list")
def list_letters(
    filters: Filters = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed already.")] = False,  # noqa: FBT002  a flag
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most: the newest.")] = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one letter per line.")] = False,  # noqa: FBT002  a flag
) -> None:
    """List the records that could not be applied, the newest last."""
    from graphsvc.letters import show_list  # noqa: PLC0415

    settings = Settings.from_env()
    show_list(settings, filters or [], console, errors, everything=everything, limit=limit, as_json=as_json)


@dlq.command("show")
def show_letter(letter_id: Annotated[str, typer.Argument(metavar="ID", help="A letter's id.")]) -> None:
    """Show all that is known of one, with the original record."""
    from graphsvc.letters import show_one  # noqa: PLC0415

    show_one(Settings.from_env(), letter_id, console)


@dlq.command("replay")
def replay_letters(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids; default: all.")] = None,
    filters: Filters = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were replayed already.")] = False,  # noqa: FBT002  a flag
) -> None:
    """Put the original records back on the topics that they came from, once what was wrong is put right."""
    from graphsvc.letters import replay_all  # noqa: PLC0415

    if not replay_all(Settings.from_env(), filters or [], ids or [], console, errors, again=again):
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Bring the constraints and indexes of the Neo4j that NEO4J_URI names up to date. `serve` does so by itself."""
    done = _migrate(Settings.from_env().neo4j)
    console.print("\n".join(done) if done else "the graph is up to date", highlight=False)


def _complain(text: str, style: str = "red") -> None:
    errors.print(f"graphsvc: {text}", style=style, highlight=False, markup=False, soft_wrap=True)


def _one_line(error: StoreUnavailable) -> str:
    """Neo4j's driver uses several lines."""
    return " ".join(str(error).split())


def _settings(host: str | None, port: int | None, model: Path | None) -> Settings:
    settings = Settings.from_env()
    if host is not None:
        settings = _with(settings, "http", host=host)
    if port is not None:
        settings = _with(settings, "http", port=port)
    return settings if model is None else _with(settings, "model", file=model)


def _migrate(neo4j: Neo4jSettings) -> list[str]:
    from graphsvc.app import open_neo4j  # noqa: PLC0415
    from graphsvc.graph.migrate import migrate as run  # noqa: PLC0415

    async def migrated() -> list[str]:
        async with open_neo4j(neo4j) as driver:
            return await run(driver, neo4j.database)

    return asyncio.run(migrated())


def _check_neo4j(settings: Settings) -> None:
    """
    Refuse to start on what waiting does not cure: a wrong login, no such database, a graph of a newer graphsvc.

    A Neo4j that is away passes: the service starts without it, answers 503, and goes on when Neo4j comes.
    """
    from neo4j.exceptions import ClientError  # noqa: PLC0415

    try:
        _migrate(settings.neo4j)
    except StoreUnavailable as error:
        if isinstance(error.__cause__, ClientError):
            raise
        _complain(f"{_one_line(error)}; waiting for it", "yellow")


def _with(settings: Settings, section: str, **values: Any) -> Settings:
    changed = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: changed})


def _with_local(settings: Settings, endpoints: Any) -> Settings:
    if endpoints.kafka_bootstrap is not None:
        settings = _with(settings, "kafka", bootstrap=endpoints.kafka_bootstrap)
    if endpoints.bolt_uri is None:
        return settings
    password = SecretStr(endpoints.password)
    return _with(settings, "neo4j", uri=endpoints.bolt_uri, user=endpoints.user, password=password, database="neo4j")


def _local_stack(data_dir: Path, *, store: bool, kafka: bool) -> "LocalStack":
    try:
        from graphsvc.local.stack import LocalStack  # noqa: PLC0415  needs the extra [local], `serve` does not
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"{exc.name} is missing: install graphsvc[local] to start a private Neo4j, or set NEO4J_URI to use another"
        ) from exc
    return LocalStack(data_dir, store=store, kafka=kafka, console=errors, train=True)


def _stop_by_signal() -> None:
    """SIGTERM ends a start that is under way as Ctrl-C does; once uvicorn runs, it handles both itself."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def _port(settings: Settings, *, chosen: bool) -> int:
    """The port to listen on: the one that was asked for, else the default one if it is free, else any."""
    wanted = settings.http.port
    if chosen or "GRAPHSVC_HTTP__PORT" in os.environ:
        return wanted
    try:
        with bind(settings.http.host, wanted):
            return wanted
    except ConfigError:
        with bind(settings.http.host, 0) as listening:
            return int(listening.getsockname()[1])


def _serve(settings: Settings, local: "LocalStack | None", data_dir: Path, files: list[Path]) -> bool:
    """Run the service until it is told to stop, or a part of it ends; True when something went wrong."""
    from graphsvc.app import create_app  # noqa: PLC0415

    server = _server(lambda: create_app(settings, consume=bool(settings.kafka.bootstrap)))
    _check_neo4j(settings)
    token = settings.http.token.get_secret_value() if settings.http.token else None
    host = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    url = f"http://{host}:{settings.http.port}"
    failures: list[str] = []

    def watch() -> None:
        if not _started(server):
            return
        try:
            _note_address(data_dir, url)
            if files:
                registry = load_registry(settings.model.file)
                load_files(files, url, token, registry, console, halted=lambda: server.should_exit)
            _announce(settings, url, local)
            while not server.should_exit:
                if local is not None and (death := local.wait(POLL_S)):
                    failures.append(death)
                    server.should_exit = True
                elif local is None:
                    time.sleep(POLL_S)
        except GraphsvcError as error:
            if not server.should_exit:
                failures.append(str(error))
            server.should_exit = True

    watcher = threading.Thread(target=watch, name="watch", daemon=True)
    with bind(settings.http.host, settings.http.port) as listening:
        watcher.start()
        try:
            server.run(sockets=[listening])
        finally:
            server.should_exit = True
            watcher.join(timeout=5)
            (data_dir / ADDRESS_FILE).unlink(missing_ok=True)
    for failure in failures:
        _complain(failure)
    return bool(failures) or not server.started


def ease_collection() -> None:
    """
    Let Python's cycle collector look less often, and not at what the start has built.

    A batch makes tens of thousands of objects, none of them in a cycle; looking through them took 40 % of ingest's CPU,
    and still 6 % when it was done once there were 100,000 more: a consumer's batches and its queue are that many.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(300_000, 50, 100)


def _run(settings: Settings, build: Callable[[], Any], host: str, port: int) -> NoReturn:
    server = _server(build)
    _check_neo4j(settings)
    with bind(host, port) as listening:
        server.run(sockets=[listening])
    raise typer.Exit(0 if server.started else 1)


def _server(build: Callable[[], Any]) -> uvicorn.Server:
    _log_as_lines()
    service = build()
    ease_collection()
    config = uvicorn.Config(
        service,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # a small message could become a large one
        lifespan="on",
    )
    return uvicorn.Server(config)


def _log_as_lines() -> None:
    """Logs go to stderr: readable in a terminal, JSON elsewhere."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def bind(host: str, port: int) -> socket.socket:
    """
    Listen on an address before anything else starts.

    Raises:
        ConfigError: The port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as exc:
        listening.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {exc.strerror}; choose another with --host and --port"
        ) from exc
    return listening


def _started(server: uvicorn.Server) -> bool:
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    return bool(server.started)


def _announce(settings: Settings, url: str, local: "LocalStack | None") -> None:
    lines = {"GraphiQL": f"{url}/graphql", "REST docs": f"{url}/docs", "DataHub's clients": f"server: {url}"}
    endpoints = None if local is None else local.endpoints
    if endpoints is None or endpoints.bolt_uri is None:
        lines["Neo4j"] = settings.neo4j.uri
    else:
        lines["Neo4j Browser"] = f"{endpoints.http_url}/browser/"
        lines["  connect to"] = endpoints.bolt_uri
        lines["  login"] = f"{endpoints.user} / {endpoints.password}"
    if endpoints is not None and endpoints.kafka_bootstrap:
        lines["Kafka"] = endpoints.kafka_bootstrap
    console.print("\ngraphsvc is ready", style="bold green")
    for name, text in lines.items():
        console.print(f"  {name:<20}{text}", highlight=False, markup=False, soft_wrap=True)
    console.print("Ctrl-C stops everything.\n", style="dim")


def _note_address(data_dir: Path, url: str) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data_dir / ADDRESS_FILE).write_text(json.dumps({"url": url}), encoding="utf-8")


def _at(as_of: int | None) -> dict[str, int]:
    return {} if as_of is None else {"asOf": as_of}


def _running_url(data_dir: Path) -> str:
    """The service that runs from this data directory, else the default address."""
    try:
        return str(json.loads((data_dir / ADDRESS_FILE).read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return "http://127.0.0.1:8080"


if __name__ == "__main__":
    main()
