"""The loop from the API to Kafka, for one stream: own, ask, write records and cursor together."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from bridge.core.backoff import Backoff
from bridge.core.errors import BridgeError
from bridge.core.outcome import Rejected
from bridge.core.polling import Ask, Gap, Json, Page, RoundFailed, Shortened, SourceStream, Write
from bridge.core.ports import Fenced, Membership, SourceStore
from bridge.core.stream import Operation
from bridge.productiv.questions import ApiError
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.tracing import OFF, Tracing

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5  # how long one look at the group takes; rebalances and the end are noticed in between
# Who was fenced has most likely lost its partition, and hears of it within a heartbeat or two. If it has not,
# an operator changed the cursor.
FENCED_SECONDS = 5.0
# By so much the begin of a shortened overlap must have moved to be logged again: it is told each round.
SHORTENED_MS = 3_600_000
# A member may be given nothing at first: by a leader that does not know the topic's partitions yet, or until
# a member that died is missed.
ELSEWHERE_SECONDS = 10.0
# Failures of the API's day, which pass. Any other needs somebody, so the source says that it is not ready.
_PASSING = {"throttled", "unavailable", "in_doubt"}


class Questions(Protocol):
    """What asks the API, a few times if need be."""

    async def page(
        self,
        what: str,
        operation: Operation,
        place: Mapping[str, str],
        *,
        parameters: Mapping[str, Sequence[str]],
    ) -> Page:
        """The answer.

        Raises:
            ApiError: there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceTimes:
    """Seconds from the begin of a round to the next; the share by which it may be later; waits on failure."""

    interval: float
    jitter: float
    backoff: Backoff


class Source:
    """One stream from the API to its topics.

    `partition` is the one of the cursor topic whose owner polls, and `options` are the stream's settings.
    `wall` gives seconds since 1970, `clock` monotonic seconds, `draw` numbers in [0, 1).
    """

    def __init__(
        self,
        stream: SourceStream,
        options: Any,
        partition: int,
        membership: Membership,
        questions: Questions,
        requests: int,
        store: SourceStore,
        times: SourceTimes,
        metrics: Metrics,
        *,
        draw: Callable[[], float],
        tracing: Tracing = OFF,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stream = stream
        self._options = options
        self._partition = partition
        self._membership = membership
        self._questions = questions
        self._requests = asyncio.Semaphore(requests)
        self._store = store
        self._times = times
        self._metrics = metrics
        self._tracing = tracing
        self._draw = draw
        self._wall = wall
        self._clock = clock
        self._sleep = sleep
        self._stopping = asyncio.Event()
        self._joined = False
        self._once = False
        self._work: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._cursor: dict[str, Json] | None = None
        self._failed: RoundFailed | None = None
        self._shortened = 0
        self._emitted = Counter(dict.fromkeys(stream.outputs, 0))

    async def run(self, once: bool = False) -> bool:
        """Polls whenever the partition is ours, until `stop`; with `once` one round, if it is ours at all.

        Returns whether the last round went well.

        Raises:
            ExceptionGroup: a defect, or a Kafka error that the client cannot recover from. What was not
                committed is asked for again by the next owner.
        """
        self._once = once
        async with asyncio.TaskGroup() as self._tasks:
            await self._membership.start(self, lambda offsets: None)
            while not self._stopping.is_set():
                await self._membership.poll(0, POLL_SECONDS)
            await self._membership.close()
            if self._leaving is not None:
                self._leaving.cancel()
        return self._failed is None

    def stop(self) -> None:
        """Asks `run` to end."""
        self._stopping.set()

    @property
    def owned(self) -> bool:
        """Whether this process is the one that polls."""
        return self._work is not None

    @property
    def emitted(self) -> Mapping[str, int]:
        """Records committed by this process, by output."""
        return self._emitted

    @property
    def entries(self) -> int | None:
        """How many entries the cursor has; None while it is not ours."""
        return None if self._cursor is None else len(self._cursor)

    @property
    def position(self) -> float | None:
        """Up to which time everything was read, in seconds since 1970; None if not known here."""
        position = None if self._cursor is None else self.stream.position(self._cursor)
        return None if position is None else position / 1000

    @property
    def failed(self) -> RoundFailed | None:
        """What kept the last round from its end; None if nothing did."""
        return self._failed

    @property
    def kafka_trouble(self) -> str | None:
        """Why Kafka and this stream do not talk; None if they do."""
        return self._membership.refused or (None if self._joined else "it has not joined its consumer group")

    def not_ready(self) -> list[str]:
        """What keeps the stream from its work; an empty list if nothing does."""
        failed = self._failed if self.owned else None  # what failed here may go well where it is polled now
        reasons = {
            "has not joined its consumer group": not self._joined,
            f"Kafka: {self._membership.refused}": self._membership.refused is not None,
            str(failed): failed is not None and failed.label not in _PASSING,
        }
        return [reason for reason, holds in reasons.items() if holds]

    # -- rebalances: called by the membership while its poll waits -----------------------------------------

    async def assigned(self, partitions: list[int]) -> None:
        """Begins to poll if the partition is ours now."""
        self._metrics.rebalanced(self.stream.name, "assigned")
        self._joined = True  # without it too: a spare member is ready to take over
        if self._partition in partitions:
            log.info("source_owned", stream=self.stream.name, partition=self._partition)
            self._work = self._tasks.create_task(self._poll())
        elif self._once and not self.owned and self._leaving is None:
            self._leaving = self._tasks.create_task(self._leave_to_another())

    async def _leave_to_another(self) -> None:
        """Ends a single round that is not ours, unless the group was only not in order yet."""
        await self._sleep(ELSEWHERE_SECONDS)
        if not self.owned:
            log.info("source_owned_elsewhere", stream=self.stream.name)
            self.stop()

    async def revoked(self, partitions: list[int]) -> dict[int, int]:
        """Stops polling. A write under way is committed or not; the next owner sees which."""
        self._metrics.rebalanced(self.stream.name, "revoked")
        await self._let_go(partitions)
        return {}

    async def lost(self, partitions: list[int]) -> None:
        """Stops polling."""
        self._metrics.rebalanced(self.stream.name, "lost")
        await self._let_go(partitions)

    async def _let_go(self, partitions: list[int]) -> None:
        if self._partition in partitions and self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
            self._work = self._cursor = None
            log.info("source_given_up", stream=self.stream.name)

    # -- the loop ------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        failures = 0
        while True:
            began = self._clock()
            with self._tracing.round(self.stream.name) as told:
                failed = await self._try()
                result = failed.label if failed else "done"
                told(result)
            self._failed = failed
            self._metrics.round(self.stream.name, result, self._clock() - began)
            if self._once:
                self.stop()
                return
            failures = failures + 1 if failed else 0
            await self._sleep(self._wait(failures, self._clock() - began))

    def _wait(self, failures: int, took: float) -> float:
        if failures:
            return self._times.backoff.wait(failures, self._draw)
        return max(0.0, self._times.interval * (1 + self._times.jitter * self._draw()) - took)

    async def _try(self) -> RoundFailed | None:
        """One round; what kept it from its end, if anything did."""
        try:
            if self._cursor is None:
                self._cursor = await self._store.take_over()
            await self._round(self._cursor)
        except RoundFailed as failed:
            log.warning("round_failed", stream=self.stream.name, result=failed.label, reason=str(failed))
            return failed
        except Fenced:
            log.warning("source_fenced", stream=self.stream.name)
            self._cursor = None
            await self._sleep(FENCED_SECONDS)
            return RoundFailed("unavailable", "another process wrote the cursor; it is read anew")
        except BridgeError as error:
            log.error("round_failed", stream=self.stream.name, result="refused", reason=str(error))
            self._cursor = None  # somebody may mend it meanwhile
            return RoundFailed("refused", str(error))
        return None

    async def _round(self, cursor: dict[str, Json]) -> None:
        """One write at a time goes to Kafka while the next pages are asked for and read."""
        polling = self.stream.poll(self._options, cursor, int(self._wall() * 1000))
        writing: asyncio.Future[None] = asyncio.ensure_future(asyncio.sleep(0))
        try:
            with closing(polling) as steps, suppress(StopIteration):
                step = next(steps)
                while True:
                    if isinstance(step, Write):
                        await writing
                        # Kept from here on; if it cannot be written, the cursor is read anew.
                        _remember(cursor, step.remember)
                        writing = asyncio.ensure_future(self._write(step))
                        step = steps.send(())
                    else:
                        step = steps.send(await self._do(step))
        except asyncio.CancelledError:
            writing.cancel()
            raise
        finally:
            # Whatever else went wrong: what may be written already must not be written again.
            await writing

    async def _write(self, write: Write) -> None:
        await self._store.commit(write)
        self._emitted.update(emission.output for emission in write.emissions)
        self._metrics.written(self.stream.name, write)

    async def _do(self, step: Sequence[Ask] | Gap | Shortened) -> Sequence[Page | None]:
        match step:
            case Gap(begin, end):
                log.error("gap", stream=self.stream.name, begin=_iso(begin), end=_iso(end))
                self._metrics.gap(self.stream.name, (end - begin) / 1000)
            case Shortened(begin):
                self._metrics.shortened(self.stream.name)
                if abs(begin - self._shortened) >= SHORTENED_MS:
                    self._shortened = begin
                    log.warning("overlap_shortened", stream=self.stream.name, begin=_iso(begin))
            case _:
                return await self._ask_all(step)
        return ()

    async def _ask_all(self, asks: Sequence[Ask]) -> list[Page | None]:
        try:
            async with asyncio.TaskGroup() as tasks:
                asking = [tasks.create_task(self._ask(ask)) for ask in asks]
        except ExceptionGroup as group:
            failed, defects = group.split(ApiError)
            if failed is None or defects is not None:
                raise
            error = failed.exceptions[0]  # one says why as well as another: they were asked at the same time
            assert isinstance(error, ApiError)  # noqa: S101  (as split)
            raise RoundFailed(error.outcome.label, str(error)) from None
        return [each.result() for each in asking]

    async def _ask(self, ask: Ask) -> Page | None:
        parameters = {name: [value] for name, value in ask.parameters.items()}
        async with self._requests:
            try:
                return await self._questions.page(
                    f"{ask.operation} has no answer", ask.operation, ask.place, parameters=parameters
                )
            except ApiError as error:
                if isinstance(error.outcome, Rejected) and error.outcome.status == 404:
                    return None
                raise


def _remember(cursor: dict[str, Json], entries: Mapping[str, Json | None]) -> None:
    for name, entry in entries.items():
        if entry is None:
            cursor.pop(name, None)
        else:
            cursor[name] = entry


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
