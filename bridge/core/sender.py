"""Decides which batch may be sent when, and what an outcome means for it. It sends nothing itself."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import assert_never

from bridge.core.backoff import Backoff
from bridge.core.batcher import Batch, Lane, app_of
from bridge.core.concurrency import Concurrency
from bridge.core.offsets import Offsets
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.verdicts import Settle, Verdict, bury, doubt


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Requests at once: `in_flight` for the stream, `in_flight_per_lane` for one app; how retries wait.

    `keep_doubtful` says that a batch whose answer was lost is not sent again, but put aside for somebody to
    decide.
    `start` is how many requests of the stream may be under way before anything is known of the API.
    """

    in_flight: int
    in_flight_per_lane: int
    backoff: Backoff
    keep_doubtful: bool = False
    start: int = 4


@dataclass(slots=True)
class _Lane:
    concurrency: Concurrency
    queue: deque[Batch] = field(default_factory=deque)
    in_flight: int = 0
    failures: int = 0
    blocked_until: float = 0.0
    cause: str | None = None  # why it waits; None when it does not
    label: str = ""  # the outcome that made it wait
    denied: bool = False
    failing_since: float | None = None
    parked: bool = False  # what is queued goes to the parking topic
    parking: bool = False  # a batch is on its way there

    @property
    def empty(self) -> bool:
        return not (self.queue or self.in_flight or self.parking)

    @property
    def idle(self) -> bool:
        return self.empty and self.cause is None

    def free(self, now: float) -> bool:
        allowed = 1 if self.cause is not None else self.concurrency.limit
        return self.in_flight < allowed and not self.parked and self.blocked_until <= now

    def forgive(self) -> None:
        self.failures, self.blocked_until, self.cause, self.denied = 0, 0.0, None, False
        self.failing_since = None


class Sender:
    """The lanes of one stream. A lane that fails waits alone and comes back with one request at a time.

    How many requests it may have under way after that, and the stream as a whole, follows the load that the
    API bears.
    """

    def __init__(self, limits: SendLimits, topic: str, offsets: Offsets, draw: Callable[[], float]) -> None:
        self._limits = limits
        self._topic = topic
        self._offsets = offsets
        self._draw = draw
        self._lanes: dict[Lane, _Lane] = {}  # in order of turn: a lane that sent goes to the end
        self._in_flight: dict[Batch, float] = {}  # and when each was taken
        self._parked: set[str] = set()  # apps
        self.waits = {outcome.label: 0.0 for outcome in (Throttled, Unavailable, InDoubt, Denied)}
        """Seconds that lanes had to wait after a failure, added up, by the outcome that made them wait."""
        # The failures of one app are its lane's own trouble; it takes those of two to tell of the API.
        self._concurrency = Concurrency(min(limits.start, limits.in_flight), limits.in_flight, sources=2)

    @property
    def in_flight(self) -> int:
        """How many batches were taken and have not returned."""
        return len(self._in_flight)

    @property
    def full(self) -> bool:
        """Whether as many batches are in flight as may be."""
        return self.in_flight >= self._concurrency.limit

    @property
    def concurrency_limit(self) -> int:
        """How many batches may be in flight now."""
        return self._concurrency.limit

    @property
    def batches(self) -> Iterator[Batch]:
        """The batches queued and in flight."""
        return chain(self._in_flight, *(lane.queue for lane in self._lanes.values()))

    @property
    def bytes(self) -> int:
        """Bytes of all records queued and in flight."""
        return sum(batch.bytes for batch in self.batches)

    def add(self, batches: Iterable[Batch]) -> None:
        """Queues closed batches behind those of the same lane."""
        for batch in batches:
            self._lane(batch).queue.append(batch)

    def again(self, batches: Iterable[Batch]) -> None:
        """Queues batches that came back, the last one first, before those of the same lane."""
        for batch in batches:
            if self._keep_owned(batch):
                self._lane(batch).queue.appendleft(batch)

    def take(self, now: float) -> Batch | None:
        """The next batch that may be sent now, counted as in flight; lanes take turns. None if none may."""
        if self.full:
            return None
        for key, lane in self._lanes.items():
            if lane.queue and lane.free(now):
                batch = lane.queue.popleft()
                batch.attempts += 1
                lane.in_flight += 1
                self._in_flight[batch] = now
                self._lanes[key] = self._lanes.pop(key)
                return batch
        return None

    def free(self, key: Lane, now: float) -> bool:
        """Whether the limits of this lane would let a batch go that is added now."""
        lane = self._lanes.get(key)
        return app_of(key) not in self._parked if lane is None else not lane.queue and lane.free(now)

    def next_try(self) -> float | None:
        """The monotonic second at which the first waiting lane may be tried again; None if none waits.

        Also None while every request slot is taken: then a returning batch is what brings the next try.
        """
        if self.full:
            return None
        waiting = (
            lane.blocked_until
            for lane in self._lanes.values()
            if lane.queue and lane.cause and not lane.in_flight
        )
        return min(waiting, default=None)

    def waiting(self) -> dict[str, str]:
        """The apps whose lane waits after a failure, and why."""
        lanes = self._lanes.copy()  # in one step, as health and metrics ask from other threads
        waiting = ((key, lane.cause) for key, lane in lanes.items() if lane.cause and not lane.empty)
        return {app_of(key): cause for key, cause in waiting}

    def held_up(self) -> dict[str, str]:
        """The same apps, and the outcome that made each wait."""
        lanes = self._lanes.copy()
        return {app_of(key): lane.label for key, lane in lanes.items() if lane.cause and not lane.empty}

    @property
    def denied(self) -> bool:
        """Whether the API refuses our credentials on any lane."""
        # As in `waiting`: what was handed over with its partitions is no longer our trouble.
        return any(lane.denied and not lane.empty for lane in self._lanes.copy().values())

    def returned(self, batch: Batch, outcome: Outcome, now: float) -> Verdict | None:
        """Takes a batch back with its outcome: it is settled, buried, queued again, or split and queued."""
        lane = self._lanes[batch.lane]
        self._note_load(lane, batch, outcome, now)
        lane.in_flight -= 1
        del self._in_flight[batch]
        verdict = self._judge(lane, batch, outcome, now)
        if lane.parked:
            lane.forgive()  # it was under way when its app was parked; whoever delivers the rest waits now
        if lane.idle:
            del self._lanes[batch.lane]
        return verdict

    def failing_since(self, lane: Lane) -> float | None:
        """The monotonic second of the first failure since the last good answer to this lane."""
        return self._lanes[lane].failing_since if lane in self._lanes else None

    def park(self, app: str) -> None:
        """From here on batches of this app go to the parking topic, those queued first."""
        self._parked.add(app)
        self._follow_parked()

    def unpark(self, app: str) -> None:
        """From here on batches of this app are sent again."""
        self._parked.discard(app)
        self._follow_parked()

    def take_parked(self, may_go: Callable[[str], bool]) -> Batch | None:
        """The next batch for the parking topic; None if there is none whose app may go.

        One of a lane at a time, and none beside a request: what fails goes there before what came later.
        """
        for lane in self._lanes.values():
            free = lane.queue and not lane.in_flight and not lane.parking
            if lane.parked and free and may_go(lane.queue[0].app):
                lane.parking = True
                return lane.queue.popleft()
        return None

    def gone(self, batch: Batch) -> None:
        """Notes that the parking topic has a batch that was taken for it."""
        lane = self._lanes[batch.lane]
        lane.parking = False
        if lane.idle:
            del self._lanes[batch.lane]

    def drop_unowned(self) -> None:
        """Takes records of partitions that were given up out of the queues: the next owner sends them."""
        for key, lane in list(self._lanes.items()):
            queue, lane.queue = lane.queue, deque()
            lane.queue.extend(batch for batch in queue if self._keep_owned(batch))
            if lane.idle:  # one that waits stays: its app's records of other partitions must wait too
                del self._lanes[key]

    def _lane(self, batch: Batch) -> _Lane:
        if batch.lane not in self._lanes:
            most = self._limits.in_flight_per_lane
            self._lanes[batch.lane] = _Lane(Concurrency(most, most), parked=batch.app in self._parked)
        return self._lanes[batch.lane]

    def _follow_parked(self) -> None:
        for key, lane in list(self._lanes.items()):
            parked = app_of(key) in self._parked
            if parked != lane.parked:
                lane.parked = parked
                lane.forgive()
                if lane.idle:
                    del self._lanes[key]

    def _note_load(self, lane: _Lane, batch: Batch, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Denied):  # which says nothing of load
            return
        sent = self._in_flight[batch]
        failure = batch.app if isinstance(outcome, Throttled | Unavailable | InDoubt) else None
        lane.concurrency.answered(sent, now, lane.in_flight, failure)
        # Only requests of like size are compared: a batch of one record is no measure for one of a thousand.
        kind = len(batch).bit_length() if isinstance(outcome, Accepted) else None
        self._concurrency.answered(sent, now, self.in_flight, failure, kind)

    def _judge(self, lane: _Lane, batch: Batch, outcome: Outcome, now: float) -> Verdict | None:
        match outcome:
            case Accepted():
                self._recover(lane, now)
                return Settle(batch.hold)
            case Throttled(retry_after=wait):
                # Not a failure: the count stays, so that a later outage starts from the shortest wait.
                wait = self._limits.backoff.wait(1, self._draw) if wait is None else wait
                self._block(lane, now, now + wait, "throttled", outcome.label)
                self._queue_first(lane, batch)
            case InDoubt(reason=reason) if self._limits.keep_doubtful:
                # It is out of the way, but the API is not well: what comes next must not follow at once.
                self._fail(lane, reason, now, outcome.label)
                return doubt(batch, outcome) if batch.hold.parts else None
            case Unavailable(reason=reason) | InDoubt(reason=reason):
                self._fail(lane, reason, now, outcome.label)
                self._queue_first(lane, batch)
            case Denied(reason=reason):
                lane.denied = True
                self._fail(lane, reason, now, outcome.label)
                self._queue_first(lane, batch)
            case Rejected():
                self._recover(lane, now)  # an answer about the records: the API itself is well
                return self._reject(lane, batch, outcome)
            case _:
                assert_never(outcome)
        return None

    def _recover(self, lane: _Lane, now: float) -> None:
        lane.failures, lane.denied, lane.failing_since = 0, False, None
        # An answer that was under way when the API asked for a pause does not end the pause.
        if lane.blocked_until <= now:
            lane.cause = None

    def _block(self, lane: _Lane, now: float, until: float, cause: str, label: str) -> None:
        if lane.failing_since is None:
            lane.failing_since = now
        self.waits[label] += max(0.0, until - max(now, lane.blocked_until))
        # Of several answers in flight the longest wait counts: none may shorten what the API asked for.
        lane.blocked_until = max(lane.blocked_until, until)
        lane.cause, lane.label = cause, label

    def _fail(self, lane: _Lane, reason: str, now: float, label: str) -> None:
        # Requests that were under way together fail together: that is one failure, not four.
        if not lane.failures or lane.blocked_until <= now:
            lane.failures += 1
        self._block(lane, now, now + self._limits.backoff.wait(lane.failures, self._draw), reason, label)

    def _queue_first(self, lane: _Lane, *batches: Batch) -> None:
        lane.queue.extendleft(batch for batch in reversed(batches) if self._keep_owned(batch))

    def _keep_owned(self, batch: Batch) -> bool:
        """Takes out records of partitions given up since; says whether any record is left."""
        owned = batch.hold.parts
        kept = [index for index, origin in enumerate(batch.origins) if origin.partition() in owned]
        if len(kept) < len(batch):
            batch.keep(kept)
            batch.seal(self._topic)
        return bool(kept)

    def _reject(self, lane: _Lane, batch: Batch, outcome: Rejected) -> Verdict | None:
        if outcome.whole or len(batch) == 1:
            bad = dict.fromkeys(range(len(batch)), outcome.reason)
        else:
            # In order, as the ledger wants the records of a hold; a position outside the batch names none.
            named = sorted(outcome.items, key=lambda item: item.index)
            bad = {item.index: item.reason for item in named if 0 <= item.index < len(batch)}
        if bad:
            good = [index for index in range(len(batch)) if index not in bad]
            buried, rest = self._part(batch, list(bad), good)
            self._queue_first(lane, rest)
            return bury(buried, bad.values(), outcome)
        # Halving finds the bad records in at most 2n - 1 requests: 1999 for a full batch of nothing but bad
        # ones, and the flood guard stops the stream long before that happens twice.
        middle = len(batch) // 2
        self._queue_first(lane, *self._part(batch, range(middle), range(middle, len(batch))))
        return None

    def _part(self, batch: Batch, *groups: Sequence[int]) -> list[Batch]:
        parts = batch.parted(self._offsets, *groups)
        for part in parts:
            part.seal(self._topic)
        return parts
