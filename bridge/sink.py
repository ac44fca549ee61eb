"""The loop from Kafka to the API, for one stream: poll, decode, batch, send, settle, commit."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from structlog.contextvars import bound_contextvars

from bridge.core.batcher import Batch
from bridge.core.engine import Engine
from bridge.core.journal import State
from bridge.core.outcome import Accepted, Outcome, Unavailable
from bridge.core.ports import Fenced, Membership, ParkingTopic
from bridge.core.record import Decoder, Refused
from bridge.core.stream import SinkStream
from bridge.core.verdicts import Bury, Doubt
from bridge.delivery import Delivery
from bridge.kafka.serde import SchemaRegistryUnavailable
from bridge.parking import ParkedApps
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.refused_kinds import RefusedKinds
from bridge.telemetry.sink_log import SinkLog
from bridge.telemetry.tracing import OFF, Tracing

log = structlog.get_logger(__name__)

POLL_RECORDS = 5000  # some 10 ms of decoding a poll; the loop answers others in between
POLL_SECONDS = 0.05
# A full sink first waits so long for room: pausing throws away what the client has fetched already. Then it
# pauses and polls for nothing, which keeps its membership of the group and lets partitions come and go.
FULL_SECONDS = 2.0
PAUSED_POLL_SECONDS = 1.0  # also how often records that wait for the schema registry are tried again
# If another process has a partition, the group says so within a heartbeat or two, and a rebalance. If it does
# not, our own right to write was lost: a broker may forget it when it goes away while a transaction ends.
TAKE_BACK_SECONDS = 15.0
# The part of the drain deadline that is for requests under way, when tries that fail have used up the rest.
ENDING_SHARE = 0.25


class RecordKeeper(Protocol):
    """Where records go that are put aside: dead letters, and those in doubt."""

    async def write(self, refused: Sequence[Refused]) -> None:
        """Returns once every record is safely stored."""


@dataclass(frozen=True, slots=True)
class SinkTimes:
    """Seconds between commits; the one deadline for what is in flight when partitions go; how long a
    partition whose journal was taken over may stay ours in the group before we take it back.
    """

    commit_interval: float
    drain_deadline: float
    take_back: float = TAKE_BACK_SECONDS


class Sink:
    """One stream from its topic to the API."""

    def __init__(
        self,
        stream: SinkStream,
        engine: Engine,
        consumer: Membership,
        decoder: Decoder,
        delivery: Delivery,
        dead_letters: RecordKeeper,
        in_doubt: RecordKeeper | None,
        times: SinkTimes,
        metrics: Metrics,
        parking: ParkingTopic | None = None,
        tracing: Tracing = OFF,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stream = stream
        self.engine = engine
        self._consumer = consumer
        self._decoder = decoder
        self._delivery = delivery
        self._dead_letters = dead_letters
        self._in_doubt = in_doubt
        self._times = times
        self._metrics = metrics
        self._tracing = tracing
        self._clock = clock
        self._wall = wall
        self._parked = ParkedApps(stream.name, engine, parking, delivery, clock) if parking else None
        self._stopping = asyncio.Event()
        self._progress = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._working: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._joined = False
        self._resting = False
        self._undecoded: list[Any] = []  # polled, and waiting for the schema registry or for `resume`
        self._log = SinkLog(stream)
        self._taken_over: dict[int, float] = {}  # and since when
        self._drained = False
        self.lags: dict[int, int] | None = None
        """Offsets between what is settled and the end of the topic, by partition; None until it is known."""
        self.behind_since: float | None = None
        """The Kafka timestamp of the oldest record not settled, in seconds since 1970; None if none waits."""
        self.dead_letters = RefusedKinds()
        self.in_doubt: list[float] | None = None
        """Since when each record waits on the in-doubt topic, in seconds since 1970, the oldest first."""

    @property
    def lag(self) -> int | None:
        """Offsets between what is settled and the end of the topic; None until it is known."""
        return None if self.lags is None else sum(self.lags.values())

    async def run(self) -> None:
        """Works until `stop`, then delivers what it can within the drain deadline, commits and leaves.

        Raises:
            ExceptionGroup: a defect, or a Kafka error that the client cannot recover from. What was
                outstanding is read again by whoever takes the partitions next.
        """
        try:
            async with self._tasks:
                await self._consumer.start(self, self._committed)
                await self._receive_until_stopped()
                await self._finish_as_a_member()
                await self._consumer.close()  # gives all partitions up through `revoked`
                for task in self._working:
                    task.cancel()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def stop(self) -> None:
        """Asks `run` to end."""
        self._stopping.set()
        self._tell_progress()

    def resume(self) -> None:
        """Goes on after the flood guard has stopped the stream."""
        for bury in self.engine.resume():
            self._put_aside(bury)
        self._log.resumed()
        self._send()
        self._tell_progress()

    @property
    def kafka_trouble(self) -> str | None:
        """Why Kafka and this stream do not talk; None if they do."""
        return self._consumer.refused or (None if self._joined else "it has not joined its consumer group")

    def not_ready(self) -> list[str]:
        """What keeps the stream from its work; an empty list if nothing does."""
        tripped = self.engine.tripped
        reasons = {
            "has not joined its consumer group": not self._joined,
            f"Kafka: {self._consumer.refused}": self._consumer.refused is not None,
            f"flood guard: {tripped and tripped.why}": tripped is not None,
            "the API refuses the credentials": self.engine.denied,
            f"another process writes the journal of partitions {sorted(self._taken_over)}": bool(
                self._taken_over
            ),
        }
        return [reason for reason, holds in reasons.items() if holds]

    # -- rebalances: called by the consumer while its poll waits -------------------------------------------

    async def assigned(self, partitions: list[int]) -> None:
        """Starts with partitions that are ours now."""
        log.info("partitions_assigned", stream=self.stream.name, partitions=partitions)
        if not await self._before_the_end(self._take_over(partitions)):
            return  # none of their records is received, and they are about to go
        self._forget_taken_over(partitions)
        self._metrics.rebalanced(self.stream.name, "assigned")
        self._joined = True  # with no partition at all too: a spare member is ready to take over
        self.engine.offsets.assign(partitions)

    async def _take_over(self, partitions: list[int]) -> None:
        # Who parks writes to the journal, so it is read when nobody else parks. What is parked is read last:
        # an earlier owner's open transaction would hold that up, and taking the journal over ends it.
        if self._parked is not None:
            await self._parked.fence(partitions)
        await self._delivery.assigned(partitions)
        if self._parked is not None:
            await self._parked.learn(partitions)

    async def _before_the_end(self, job: Coroutine[Any, Any, None]) -> bool:
        """Whether a job is done before the sink is told to stop; else it is cancelled.

        What an earlier owner has left can be long in coming: until the transactions of one that died end.
        """
        task, stopping = asyncio.ensure_future(job), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            return task.done()
        finally:
            task.cancel()
            stopping.cancel()

    async def revoked(self, partitions: list[int]) -> dict[int, int]:
        """Finishes what is in flight for these partitions, within the deadline, and gives them up."""
        self._metrics.rebalanced(self.stream.name, "revoked")
        if not self._resting:
            await self._finish(partitions)
        offsets = {p: o for p, o in self.engine.offsets.to_commit().items() if p in partitions}
        self._let_go(partitions)
        self._send()
        return offsets

    async def _finish(self, partitions: Collection[int]) -> None:
        """Delivers what can be delivered of these partitions within the deadline."""
        self.engine.close_open()
        self._send()
        ending = self._times.drain_deadline * ENDING_SHARE
        try:
            async with asyncio.timeout(self._times.drain_deadline - ending):
                # Without a task at work only a timer could bring progress: those records are handed over.
                while self._working and self.engine.offsets.outstanding_of(partitions):
                    await self._progress.wait()
        except TimeoutError:
            log.warning("drain_deadline_passed", stream=self.stream.name, partitions=partitions)
            await self._end_requests(ending)

    async def _finish_as_a_member(self) -> None:
        """Ends all requests before the group is left.

        A client that leaves it in the middle of a rebalance is out at once, and others have the partitions
        while it still gives them up: requests under way then could not even note their answers.
        """

        async def finish() -> None:
            await self._finish(self.engine.offsets.partitions)
            self._resting = True

        finishing = self._tasks.create_task(finish())
        while not finishing.done():
            await self._consumer.poll(0, POLL_SECONDS)
        await self._commit()

    async def _end_requests(self, seconds: float) -> None:
        """Starts no more and waits for those under way: money that is cut off in the middle is in doubt."""
        self._resting = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._working:
                    await self._progress.wait()
        self._resting = self._stopping.is_set()

    async def lost(self, partitions: list[int]) -> None:
        """Gives up partitions that another member has already."""
        self._metrics.rebalanced(self.stream.name, "lost")
        self._let_go(partitions)

    def _let_go(self, partitions: list[int]) -> None:
        self._forget_taken_over(partitions)
        self._give_up(partitions)

    def _forget_taken_over(self, partitions: list[int]) -> None:
        for partition in partitions:
            self._taken_over.pop(partition, None)

    def _give_up(self, partitions: list[int]) -> None:
        handed_over = self.engine.give_up(partitions)
        self._undecoded = [m for m in self._undecoded if m.partition() not in partitions]
        log.info(
            "partitions_given_up", stream=self.stream.name, partitions=partitions, handed_over=handed_over
        )

    # -- the loop ------------------------------------------------------------------------------------------

    async def _receive_until_stopped(self) -> None:
        next_commit = self._clock() + self._times.commit_interval
        while not self._stopping.is_set():
            if self._clock() >= next_commit:
                await self._commit()
                await self._take_back()
                next_commit = self._clock() + self._times.commit_interval
            room = 0 if self._undecoded else min(await self._room(), POLL_RECORDS)
            seconds = POLL_SECONDS if room else PAUSED_POLL_SECONDS
            polled = await self._consumer.poll(room, seconds, self.engine.resting)
            self._drained = bool(room) and not polled
            # A rebalance may have come with the poll: what is no longer ours is not ours to deliver.
            self._undecoded += self.engine.offsets.fresh(polled)
            if not self._undecoded or self.engine.tripped:
                continue
            undecoded = self._undecoded
            try:
                # In a thread, as a schema id that is new may mean a request to the registry.
                decoded = await asyncio.to_thread(self._decoder.decode, undecoded)
            except SchemaRegistryUnavailable as error:
                log.warning("schema_registry_unavailable", stream=self.stream.name, error=str(error))
                continue
            if self._undecoded is not undecoded:
                continue  # partitions were given up meanwhile: what is left of it is decoded again
            if not self.engine.admits(decoded):
                self._log.tripped(self.engine.tripped, decoded.refused)
                continue
            self._undecoded = []
            self._put_aside(self.engine.receive(decoded, self._clock()))
            for finding in self.engine.findings():
                self._metrics.found(self.stream.name, finding)
                self._log.finding(finding)
            self._send()

    async def _room(self) -> int:
        """How many records may be received now; 0 if deliveries made no room for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FULL_SECONDS):
                while self.engine.crowded and not self._stopping.is_set():
                    await self._progress.wait()
        return self.engine.room

    async def _commit(self) -> None:
        """Commits and measures the lag. Never runs beside a poll, so no rebalance comes in between."""
        if self._parked is not None and self._parked.due:
            self._work(self._look_at_parked(self._parked))
        if offsets := self.engine.offsets.to_commit():
            await self._consumer.commit(offsets)
        self.lags = self.engine.offsets.behind(await self._consumer.ends())
        self.behind_since = self.engine.offsets.behind_since(self._wall(), self._drained)

    async def _take_back(self) -> None:
        """Takes up partitions anew that nobody else has taken after all."""
        before = self._clock() - self._times.take_back
        if late := [partition for partition, since in self._taken_over.items() if since <= before]:
            await self._consumer.again(late)

    def _committed(self, offsets: dict[int, int]) -> None:
        self.engine.offsets.committed(offsets)
        self._delivery.committed(offsets)

    def _send(self) -> None:
        """Starts every request that may start now, and sets the timer for those that may start later."""
        if self._resting:
            return
        now = self._clock()
        while (batch := self.engine.take(now)) is not None:
            self._work(self._deliver(batch))
        while self._parked is not None and (batch := self.engine.take_parked()) is not None:
            self._work(self._park(batch, self._parked))
        if self._timer is not None:
            self._timer.cancel()
        wake_at = self.engine.wake_at()
        later = None if wake_at is None else asyncio.get_running_loop().call_later(wake_at - now, self._wake)
        self._timer = later

    def _wake(self) -> None:
        job = self._send_again()
        try:
            self._work(job)
        except RuntimeError:  # `run` is ending with a defect already
            job.close()

    async def _send_again(self) -> None:
        """As a task and not in the timer, so that a defect ends `run` instead of being logged."""
        self._send()

    async def _deliver(self, batch: Batch) -> None:
        name = self.stream.name
        # Bound for what others log for it.
        with bound_contextvars(stream=name, batch=batch.id), self._tracing.batch(name, batch) as told:
            outcome = await self._outcome(batch)
            told(outcome.label)
            self._metrics.sent(self.stream, batch, outcome)
            if not isinstance(outcome, Accepted):
                self._log.not_accepted(batch, outcome)
        self._put_aside(self.engine.returned(batch, outcome, self._clock()))
        self._send()

    async def _outcome(self, batch: Batch) -> Outcome:
        try:
            return await self._delivery.send(batch)
        except Fenced:
            # Kafka will tell us that the partition is gone when we next poll; its records must not wait here.
            log.warning("journal_taken_over", stream=self.stream.name, partition=batch.partition)
            self._taken_over[batch.partition] = self._clock()
            self._give_up([batch.partition])
            return Unavailable("the partition was taken over by another process")

    def _put_aside(self, bury: Bury | None) -> None:
        """Starts to write what the engine has for the dead letters and for the in-doubt topic."""
        if bury is not None:
            self._work(self._bury(bury))
        for doubt in self.engine.doubts():
            self._work(self._keep(doubt))
        self._log.tripped(self.engine.tripped)

    async def _bury(self, bury: Bury) -> None:
        await self._dead_letters.write(bury.refused)
        if bury.batch is not None:
            origins = [one.origin for one in bury.refused]
            await self._delivery.put_aside(bury.batch, origins, State.DEAD_LETTERED)
        self.engine.buried(bury)
        self._metrics.dead_lettered(self.stream.name, bury.refused)
        self.dead_letters.note(bury.refused, self._clock())

    async def _keep(self, doubt: Doubt) -> None:
        batch = doubt.batch
        self._log.in_doubt(doubt)
        assert self._in_doubt is not None  # noqa: S101  (who keeps it has a place for it)
        await self._in_doubt.write(doubt.refused)
        await self._delivery.put_aside(batch, batch.origins, State.IN_DOUBT)
        self.engine.doubted(doubt)
        self._send()

    async def _park(self, batch: Batch, parked: ParkedApps) -> None:
        for partition in await parked.park(batch):
            log.warning("partition_taken_over", stream=self.stream.name, partition=partition)
            self._taken_over[partition] = self._clock()
        self._send()

    async def _look_at_parked(self, parked: ParkedApps) -> None:
        await parked.look()
        self._send()

    def _work(self, job: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(job)
        self._working.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._tell_progress()

    def _tell_progress(self) -> None:
        self._progress.set()  # wakes whoever waits; the next to wait gets an event of its own
        self._progress = asyncio.Event()
