"""Send MCP and MCE files to a running graphsvc, in batches, with a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
import stamina
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from graphsvc.errors import BadRequest, GraphsvcError, StoreUnavailable
from graphsvc.graph.registry import Registry
from graphsvc.ingest.proposal import PROPOSAL
from graphsvc.ingest.snapshot import Item, proposals_of_file

BATCH = 200
BATCH_BYTES = 8 * 1024 * 1024
FAILURES_SHOWN = 20


def read_file(path: Path, registry: Registry) -> list[Item]:
    """
    The proposals in one file.

    Raises:
        BadRequest: It cannot be read, or is not JSON.
    """
    try:
        return proposals_of_file(orjson.loads(path.read_bytes()), registry)
    except OSError as exc:
        raise BadRequest(f"{path}: {exc.strerror}") from exc
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"{path} is not well-formed JSON: {exc}") from exc


def batches(items: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Split into requests of at most `BATCH` proposals and, where one alone is not larger, `BATCH_BYTES`."""
    batch: list[tuple[str, bytes]] = []
    size = 0
    for place, body in items:
        if batch and (len(batch) == BATCH or size + len(body) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((place, body))
        size += len(body)
    if batch:
        yield batch


def load(  # noqa: PLR0913  one word per thing it needs
    files: Sequence[Path],
    url: str,
    token: str | None,
    registry: Registry,
    console: Console,
    *,
    halted: Callable[[], bool] = lambda: False,
) -> bool:
    """
    Send the proposals of all files to the service at `url`.

    Args:
        files: JSON files of MCPs, MCEs, or both.
        url: Base address of the service.
        token: Its token, if it wants one.
        registry: Knows which aspect a record of an MCE is.
        console: Where progress and failures are shown.
        halted: Says that the service was told to stop, so that it is not waited for.

    Returns:
        True when every proposal landed. Those that did not are named.

    Raises:
        BadRequest: A file cannot be read, or the service refuses the request as a whole.
        StoreUnavailable: The service, or Neo4j behind it, does not answer.
    """
    failures: list[str] = []
    good: list[tuple[str, bytes]] = []
    for file in files:
        for index, item in enumerate(read_file(file, registry)):
            place = f"{file}[{index}]"
            if isinstance(item, GraphsvcError):
                failures.append(f"{place}: {item}")
                continue
            try:
                good.append((place, orjson.dumps(PROPOSAL.dump_python(item, by_alias=True, exclude_none=True))))
            except TypeError as exc:
                failures.append(f"{place}: {exc}")
    landed = changed = 0
    columns = (TextColumn("loading"), BarColumn(), MofNCompleteColumn(), TextColumn("proposals"), TimeRemainingColumn())
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with (
        Progress(*columns, console=console) as progress,
        httpx.Client(base_url=url, headers=headers, timeout=120) as client,
    ):
        task = progress.add_task("load", total=len(good))
        for batch in batches(good):
            answer = _send_patiently(client, [body for _, body in batch], halted)
            for (place, _), result in zip(batch, answer["items"], strict=True):
                if "error" in result:
                    failures.append(f"{place} {result.get('urn')} {result.get('aspect')}: {result['reason']}")
                else:
                    landed += 1
                    changed += result["changed"]
            progress.advance(task, len(batch))
    console.print(f"{landed} proposals landed, {changed} of them changed the graph", highlight=False)
    for line in failures[:FAILURES_SHOWN]:
        console.print(f"refused: {line}", style="red", highlight=False, markup=False, soft_wrap=True)
    if len(failures) > FAILURES_SHOWN:
        console.print(f"… and {len(failures) - FAILURES_SHOWN} more", style="red")
    return not failures


def _send_patiently(client: httpx.Client, batch: list[bytes], halted: Callable[[], bool]) -> Any:
    def worth_it(exc: Exception) -> bool:
        return isinstance(exc, StoreUnavailable) and not halted()

    for attempt in stamina.retry_context(on=worth_it, attempts=5, timeout=60.0, wait_initial=0.5):
        with attempt:
            return _send(client, batch)
    raise AssertionError("stamina either returns or raises")


def _send(client: httpx.Client, batch: list[bytes]) -> Any:
    try:
        answer = client.post(
            "/ingest", content=b"[" + b",".join(batch) + b"]", headers={"Content-Type": "application/json"}
        )
    except httpx.TransportError as exc:
        raise StoreUnavailable(
            f"graphsvc at {client.base_url} does not answer: {exc}. Is `graphsvc up` running?"
        ) from exc
    if answer.status_code == StoreUnavailable.status:
        raise StoreUnavailable(answer.json()["message"])
    if answer.status_code not in (200, 422):
        raise BadRequest(f"graphsvc answers {answer.status_code}: {answer.text[:500]}")
    return answer.json()
