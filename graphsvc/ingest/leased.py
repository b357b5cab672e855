"""Work for the whole database, which one process at a time does: the one that holds the lease."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import NoReturn, TypeVar
from uuid import uuid4

import structlog

from graphsvc.errors import Unavailable
from graphsvc.graph.outbox import Outbox

BACK_OFF_S = (0.2, 5.0)

Tool = TypeVar("Tool")
log = structlog.get_logger()


async def take_turns(
    outbox: Outbox,
    lease: str,
    seconds: float,
    opened: Callable[[], AbstractAsyncContextManager[Tool]],
    turn: Callable[[Tool, float], Awaitable[None]],
) -> NoReturn:
    """
    Work whenever the lease can be had, until cancelled. What is away is waited for.

    Args:
        outbox: Keeps the leases.
        lease: Name of the lease, and of the job in the log.
        seconds: How long the lease holds after its holder has died.
        opened: Gives what the turns work with; it is opened anew after something was away.
        turn: Works until the given time of the monotonic clock, at half of the lease, so that two holders hardly meet.
    """
    holder = uuid4().hex
    back_off, longest = BACK_OFF_S
    try:
        while True:
            try:
                async with opened() as tool:
                    while True:
                        if await outbox.take_lease(lease, holder, int(seconds * 1000)):
                            await turn(tool, time.monotonic() + seconds / 2)
                        else:
                            await asyncio.sleep(seconds / 4)
                        back_off = BACK_OFF_S[0]
            except Unavailable as error:
                log.warning("job waits", job=lease, reason=str(error))
                await asyncio.sleep(back_off)
                back_off = min(2 * back_off, longest)
    finally:
        with suppress(Unavailable):  # so that the next one need not wait
            await outbox.take_lease(lease, holder, 0)
