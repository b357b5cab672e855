"""The use case: proposals in, one transaction out. The only caller of the writer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import stamina
import structlog
from neo4j import AsyncDriver, AsyncTransaction
from neo4j.exceptions import DriverError, IncompleteCommit, Neo4jError, ServiceUnavailable, SessionExpired

from graphsvc.config import IngestSettings, LimitSettings, Neo4jSettings
from graphsvc.errors import GraphsvcError, StoreRefused, StoreUnavailable, TooLarge
from graphsvc.graph import pipeline, writer
from graphsvc.graph.budget import Written, current
from graphsvc.graph.driver import TIMED_OUT, store_errors
from graphsvc.graph.operations import Advance, Row
from graphsvc.graph.registry import Registry
from graphsvc.ingest import metrics
from graphsvc.ingest.apart import Apart, Turn
from graphsvc.ingest.changes import Answer, Applied, Overtaken, Planner, Stamp, point_key, starts, steps, wanted
from graphsvc.ingest.line import Line
from graphsvc.ingest.proposal import Proposal
from graphsvc.ingest.together import Together
from graphsvc.ingest.validate import Change, Validator

CHECKED = 50  # proposals that are checked in one go: 2 ms, which a transaction may have to wait for its next step
PATIENCE_S = 1.0  # for an earlier batch that has to get on, while locks are held that it might want after all
PLANNED = 250  # proposals that are planned in one go: some 4 ms
UNKNOWN_ACTOR = "urn:li:corpuser:unknown"
# Two writers at one end node that others refer to: one removes it, the other makes an edge to it.
NODE_RACES = frozenset(
    {
        "Neo.ClientError.Statement.EntityNotFound",
        "Neo.ClientError.Schema.ConstraintValidationFailed",
        writer.END_IS_GONE,
    }
)
# Neo4j ended a transaction, the second while it waited for another's lock; how the codes begin.
ENDED = (TIMED_OUT, "Neo.ClientError.Transaction.LockClientStopped")
DEADLOCK = "Neo.TransientError.Transaction.DeadlockDetected"
WARY_S = 60.0  # after a deadlock, which shows that other processes write what this one does (docs/adr/0004)

T = TypeVar("T")
Places = tuple[int, int]  # of a change: of the first change to its entity (see `starts`), and its own
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    What a batch from Kafka brings with it, to be written in its transaction.

    Attributes:
        group: Consumer group.
        advances: How far it brings the group.
        letters: Answers -> rows of the outbox for what was refused.
        refusals: Answers -> rows of `write/note_refusals`, for those who ask what became of a trace.
        line: The batch's place among those of its consumer: it is committed behind the one before.
        alone: No other member of the group writes what stands beside it in the topic.
    """

    group: str
    advances: Sequence[Advance]
    letters: Callable[[Sequence[Answer]], list[Row]]
    refusals: Callable[[Sequence[Answer]], list[Row]]
    line: Line
    alone: bool


class Blocked(StoreUnavailable):
    """A batch that has to be over first takes long; without the locks that we hold it may end."""


class Early(StoreUnavailable):
    """A batch that came to its commit behind one that had to begin again; in its place it will be right."""


class Wariness:
    """Whether writers ran into each other's locks lately, so that they had better take all of theirs at once."""

    def __init__(self) -> None:
        """Start without worries."""
        self._until = 0.0

    @property
    def now(self) -> bool:
        """Whether to take care."""
        return time.monotonic() < self._until

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note a deadlock in the block, or a wait that looks like one."""
        try:
            yield
        except (Neo4jError, Blocked) as exc:
            if isinstance(exc, Blocked) or exc.code == DEADLOCK:
                self._until = time.monotonic() + WARY_S
            raise


class IngestService:
    """
    Applies proposals to the graph.

    Args:
        driver: Open driver; the service does not close it.
        registry: The model.
        neo4j: Database, and the limits of a transaction.
        ingest: How tolerant the door is.
        limits: Bounds on what a client controls.
        change_log: Record every change for the change log.
        written: Where commits are noted, for those who read after them.
    """

    def __init__(  # noqa: PLR0913  all by name or by type
        self,
        driver: AsyncDriver,
        registry: Registry,
        neo4j: Neo4jSettings,
        ingest: IngestSettings,
        limits: LimitSettings,
        *,
        change_log: bool = False,
        written: Written | None = None,
    ) -> None:
        self._driver = driver
        self._registry = registry
        self._neo4j = neo4j
        self._limits = limits
        self._change_log = change_log
        self._written = written or Written()
        self._validator = Validator(registry, ingest, limits)
        self._apart = Apart()
        self._together = Together(self._write)
        self._checking = asyncio.Lock()
        self._wariness = Wariness()

    @property
    def wary(self) -> bool:
        """Whether writers of other processes were in the way lately; fewer transactions at a time do better then."""
        return self._wariness.now

    async def ingest(self, proposals: Sequence[Proposal | GraphsvcError], actor: str = UNKNOWN_ACTOR) -> list[Answer]:
        """
        Apply the proposals that can be applied, in one transaction, in their order.

        Args:
            proposals: Any number up to `limits.batch_items`. An error stands for one that could not even be decoded.
            actor: URN that is noted as the writer.

        Returns:
            Per proposal, in order: `Applied`, or the error for which it was refused. What is `Applied` is committed,
            and was committed together. Sending the same proposals again changes nothing.

        Raises:
            TooLarge: There are too many proposals; none was applied.
            StoreUnavailable: Neo4j is away or did not finish; it may be tried again.
        """
        self._check_count(proposals)
        answers, changes = await self._validated(proposals)
        if changes:
            answers.update(zip(changes, await self._together.write(list(changes.values()), actor), strict=True))
            if (budget := current()) is not None:
                budget.wrote = True
        reported = self._reported(_ordered(answers))
        metrics.count("rest", reported)
        return reported

    async def check(self, proposals: Sequence[Proposal | GraphsvcError]) -> list[Change | GraphsvcError]:
        """
        Check proposals as far as that goes without a look at the graph.

        Raises:
            TooLarge: There are too many proposals.
        """
        self._check_count(proposals)
        answers, changes = await self._validated(proposals)
        return [changes[i] if i in changes else cast(GraphsvcError, answers[i]) for i in range(len(proposals))]

    async def consume(self, proposals: Sequence[Proposal | GraphsvcError], delivery: Delivery) -> list[Answer]:
        """
        Apply proposals from Kafka, and note in the same transaction that they were: their effect happens once.

        Returns:
            As `ingest`.

        Raises:
            Fenced: Another consumer has moved on in one of the partitions; nothing was written.
            StoreUnavailable: As `ingest`. After it, the offsets in Neo4j say whether the transaction was committed.
        """
        answers, changes = await self._validated(proposals)

        def all_answers(written: Sequence[Answer]) -> list[Answer]:
            return _ordered({**answers, **dict(zip(changes, written, strict=True))}) if answers else list(written)

        of_changes = replace(
            delivery,
            letters=lambda written: delivery.letters(all_answers(written)),
            refusals=lambda written: delivery.refusals(all_answers(written)),
        )
        await delivery.line.begin()  # which comes before the next one: `_write` takes its turn at once
        written = await self._write(list(changes.values()), UNKNOWN_ACTOR, of_changes)
        return self._reported(all_answers(written))

    def _check_count(self, proposals: Sequence[Proposal | GraphsvcError]) -> None:
        if len(proposals) > self._limits.batch_items:
            raise TooLarge(f"{len(proposals)} proposals in one request; the limit is {self._limits.batch_items}")

    async def _validated(
        self, proposals: Sequence[Proposal | GraphsvcError]
    ) -> tuple[dict[int, Answer], dict[int, Change]]:
        """By index: what is refused without a look at the graph, and the others."""
        answers: dict[int, Answer] = {}
        changes: dict[int, Change] = {}
        # Of long batches one at a time: in turns all would be ready at once, late, and Neo4j idle until then.
        async with self._checking if len(proposals) > CHECKED else nullcontext():
            async for part in in_turns(proposals, CHECKED):
                for index, proposal in part:
                    if isinstance(proposal, GraphsvcError):
                        answers[index] = proposal
                        continue
                    try:
                        changes[index] = self._validator.validate(proposal)
                    except GraphsvcError as error:
                        answers[index] = error
        return answers, changes

    async def _write(
        self,
        changes: Sequence[Change],
        actor: str,
        delivery: Delivery | None = None,
    ) -> list[Answer]:
        order = steps(changes)
        # Where writers of other processes may be in the way, no lock is held longer than it has to be.
        one = len(order) == 1 and not any(change.deletes_entity for change in changes)
        part = one and not self._wariness.now and (delivery is None or delivery.alone)
        async with self._apart.turn(changes, part=part, line=None if delivery is None else delivery.line) as turn:
            if not part:
                await turn.lead()
                if delivery is not None:
                    await delivery.line.reach()
            return await self._retried(changes, actor, delivery, order, turn)

    async def _retried(
        self,
        changes: Sequence[Change],
        actor: str,
        delivery: Delivery | None,
        order: Sequence[Sequence[int]],
        turn: Turn,
    ) -> list[Answer]:
        with store_errors(), _time_limit_named():
            async for attempt in stamina.retry_context(
                on=_retry_policy(),
                attempts=None,
                timeout=self._neo4j.retry_time_s,
                wait_initial=0.02,
                wait_max=0.5,
                wait_jitter=0.05,
            ):
                if attempt.num > 1:
                    await turn.lead()
                    if delivery is not None:
                        await delivery.line.lead()
                with attempt, self._wariness.noting():
                    return await self._attempt(changes, actor, delivery, order, turn)
        raise AssertionError("stamina either returns or raises")

    async def _attempt(
        self,
        changes: Sequence[Change],
        actor: str,
        delivery: Delivery | None,
        order: Sequence[Sequence[int]],
        turn: Turn,
    ) -> list[Answer]:
        answers: dict[int, Answer] = {}
        recorded: list[Row] = []
        async with (
            self._driver.session(database=self._neo4j.database) as session,
            await pipeline.begin(session, self._neo4j.tx_timeout_s) as tx,
        ):
            clock: int | None = None  # of the first step, which locks all entities of the batch
            places = list(zip(starts(changes), range(len(changes)), strict=True))
            for step in order:
                # The first step names all ends of all steps, so that everybody brings them into being in one order.
                ends_of = changes if clock is None else [changes[i] for i in step]
                part = {places[i]: changes[i] for i in step}
                clock, applied, records = await self._step(tx, part, ends_of, clock, actor, turn)
                answers.update(applied)
                recorded.extend(records)
            await pipeline.send_ahead(tx, writer.recorded(recorded, "changes"))
            if delivery is not None:
                await pipeline.send_ahead(tx, writer.recorded(delivery.letters(_ordered(answers)), "letters"))
                await pipeline.send_ahead(tx, writer.refused(delivery.refusals(_ordered(answers))))
                if not delivery.line.first:
                    await pipeline.flush(tx)
                    await _patiently(delivery.line.reach())
                await _advanced(tx, delivery)
                delivery.line.seal()
            await tx.commit()
            self._written.add((await session.last_bookmarks()).raw_values)
        return _ordered(answers)

    async def _step(  # noqa: PLR0913, PLR0917
        self,
        tx: AsyncTransaction,
        changes: Mapping[Places, Change],
        ends_of: Sequence[Change],
        clock: int | None,
        actor: str,
        turn: Turn,
    ) -> tuple[int, dict[int, Answer], list[Row]]:
        """
        Read, decide and write one step; between the read and the write all is pure.

        Args:
            tx: The batch's transaction.
            changes: The step's changes by their places.
            ends_of: Changes whose edges' ends are to be there.
            clock: Of the first step, in microseconds; None in the first step.
            actor: Who writes.
            turn: Says which of the entities have to wait for other batches; they are then written last.

        Returns:
            The clock of the first step, answers by place in the batch, and what the change log has to say.
        """
        awaited, late_urns = turn.awaited, turn.late
        early = {at: change for at, change in changes.items() if change.urn.text not in late_urns}
        late = {at: change for at, change in changes.items() if change.urn.text in late_urns}
        locks = wanted(changes.values(), ends_of, self._registry)
        # Neo4j's clock, read under the locks: what is written to one entity is in order, whoever writes it.
        locked = await writer.lock(tx, {urn: names for urn, names in locks.items() if urn not in awaited})
        turn.has_locks()
        clock = clock or locked.now
        stamp = Stamp(actor, clock // 1_000)
        planner = Planner(
            self._registry, replace(locked, now=clock), stamp, self._limits.aspect_edges, log=self._change_log
        )
        answers = await self._planned(tx, planner, early)
        nodes = locked.nodes
        if awaited:
            await pipeline.run(tx, writer.applied(planner.own(), nodes))
            await _patiently(turn.lead())
            more = await writer.lock(tx, {urn: names for urn, names in locks.items() if urn in awaited})
            planner.know(more)
            answers |= await self._planned(tx, planner, late)
            nodes = {**nodes, **more.nodes}
        operations = planner.finish()
        await pipeline.send_ahead(tx, writer.applied(operations, nodes))
        return clock, answers, operations.recorded

    async def _planned(
        self, tx: AsyncTransaction, planner: Planner, changes: Mapping[Places, Change]
    ) -> dict[int, Answer]:
        """Answers by place in the batch."""
        stored = await writer.points(
            tx, [{"index": i, **point_key(c)} for (_, i), c in changes.items() if _is_point(c)]
        )
        return {
            places[1]: planner.plan(change, stored.get(places[1]), places)
            async for part in in_turns(list(changes.items()), PLANNED)
            for _, (places, change) in part
        }

    def _reported(self, answers: list[Answer]) -> list[Answer]:
        applied = [answer for answer in answers if isinstance(answer, Applied)]
        unmodelled = sorted({answer.aspect for answer in applied if not answer.modelled})
        if unmodelled:
            log.warning("stored aspects that the model does not know", aspects=unmodelled)
        if len(applied) < len(answers):
            first = next(answer for answer in answers if isinstance(answer, GraphsvcError))
            log.warning("refused proposals", refused=len(answers) - len(applied), of=len(answers), first=str(first))
        return answers


async def _patiently(others: Awaitable[None]) -> None:
    """
    Wait for other batches while the transaction holds locks.

    Raises:
        Blocked: It takes so long that one of them may want such a lock after all.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            await others
    except TimeoutError as exc:
        raise Blocked("an earlier batch takes long; this one begins again when that is over") from exc


async def _advanced(tx: AsyncTransaction, delivery: Delivery) -> None:
    """
    Move the consumer group on.

    Raises:
        Early: The batch before was not committed after all.
        Fenced: Another consumer has moved on.
    """
    first = delivery.line.first
    try:
        await writer.advance(tx, delivery.group, delivery.advances)
    except writer.Fenced as exc:
        if first:
            raise
        raise Early("the batch before was not committed; this one begins again when that is over") from exc


def _ordered(by_index: Mapping[int, Answer]) -> list[Answer]:
    return [by_index[index] for index in range(len(by_index))]


async def in_turns(items: Sequence[T], size: int) -> AsyncIterator[Iterable[tuple[int, T]]]:
    """Items with their indexes; between two parts others get their turn, whose next query Neo4j may be waiting for."""
    for start in range(0, len(items), size):
        if start:
            await asyncio.sleep(0)
        yield enumerate(items[start : start + size], start)


def _is_point(change: Change) -> bool:
    return change.spec is not None and change.spec.timeseries


@contextmanager
def _time_limit_named() -> Iterator[None]:
    """Say of a transaction that Neo4j ended which setting bounds it."""
    try:
        yield
    except Neo4jError as exc:
        if (exc.code or "").startswith(ENDED):
            raise StoreRefused(
                f"Neo4j ended the transaction ({exc.code}), as it does when one takes longer than "
                "GRAPHSVC_NEO4J__TX_TIMEOUT_S allows; send smaller batches, or raise the limit"
            ) from exc
        raise


def _retry_policy() -> Callable[[Exception], bool]:
    """
    Which failures a new transaction may cure.

    Deadlocks and the like, until time is up: they are the writers' own doing. A node that another writer removed
    between our look and our edge, or the other way round: we remove it and another writer's edge was faster. A lost
    connection once, since a restarted server leaves dead ones in the pool; if the server does not answer then, the
    caller is told so at once. An unclear commit, since writing again is harmless.
    """
    lost = 0

    def retry(exc: Exception) -> bool:
        nonlocal lost
        if isinstance(exc, ServiceUnavailable | SessionExpired | IncompleteCommit | OSError):
            lost += 1
            return lost <= 1
        if isinstance(exc, Overtaken | Blocked | Early):
            return True
        if isinstance(exc, Neo4jError):
            return exc.is_retryable() or exc.code in NODE_RACES
        return isinstance(exc, DriverError) and exc.is_retryable()

    return retry
