"""The course of a soak: everything disturbed at random, then a while without faults, then the judgement."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired

from confluent_kafka import KafkaException

from bridge.sandbox import SandboxServer
from bridge.streams import SINKS
from tests.kafka_broker.broker import OwnBroker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.api import Api
from tests.matrix.cells import NEEDS_OWN_BROKER, Answer, Disturbance
from tests.matrix.disturb import DISTURB
from tests.matrix.oracle import Allowed, Oracle, Seen
from tests.matrix.records import Records
from tests.matrix.scene import IN_FLIGHT, PARTITIONS
from tests.soak.broken_api import BrokenApi
from tests.soak.ground import BATCH_RECORDS, Ground, audit_events_in, sandbox_of
from tests.soak.growth import grown
from tests.soak.meter import Meter
from tests.soak.plan import Turn, turns
from tests.soak.producer import SteadyProducer
from tests.soak.result import Result

APPS = ("crm", "wiki", "payroll", "mail", "board")
MEMBERS = (2, 3)  # at least and at most
FIRST_PART = 0.2
"""Offsets are set back in this part only, as this ends all members; after it one process is never ended."""
DRAIN_SECONDS = 600.0
LOOK_SECONDS = 1.0
TELL_SECONDS = 10.0
MAY_LEAVE_DOUBT = {Disturbance.KILL} | NEEDS_OWN_BROKER
UNDER_WAY = 2 * IN_FLIGHT * BATCH_RECORDS
"""Records of a stream that a process may have sent without an answer, straight and from its parking topic."""

Tell = Callable[[str], None]


def run(
    kafka: Cluster[OwnBroker], folder: Path, seconds: float, rate: float, seed: int, tell: Tell
) -> Result:
    """Plays a soak of so many disturbed seconds, with `rate` records a second of each stream.

    The files of bridges go to `folder`. What goes wrong is in the result.
    """
    with SandboxServer(sandbox_of(seconds)) as server:
        ground = Ground(kafka, Api(server, APPS), folder, audit_events_in(seconds))
        try:
            return _Soak(ground, seconds, rate, seed, tell).play()
        finally:
            ground.close()


class _Soak:
    def __init__(self, ground: Ground, seconds: float, rate: float, seed: int, tell: Tell) -> None:
        self._ground = ground
        self._seconds = seconds
        self._random = Random(f"victims of {seed}")
        self._tell = tell
        self._lock = threading.Lock()  # on the records, which are made and judged side by side
        self._records = Records(str(seed), APPS, PARTITIONS, poison=True, streams=tuple(SINKS))
        self._oracle = Oracle(self._records)
        self._producer = SteadyProducer(ground, self._records, self._lock, rate)
        self._api = BrokenApi(ground.api)
        self._seen = Seen()
        self._passed_too_far = False
        self._result = Result(seed)

    def play(self) -> Result:
        """All of it, in order."""
        try:
            self._begin()
            with self._metered():
                with self._beside():
                    self._disturbed()
                self._drain()
            self._end()
        except (AssertionError, OSError, KafkaException, TimeoutExpired) as error:
            self._result.wrongs.append(str(error))
        self._figures()
        return self._result

    def _begin(self) -> None:
        self._api.poison()
        bridges = [self._ground.bridge() for _ in range(MEMBERS[1])]
        for bridge in bridges:
            bridge.begin()
        for bridge in bridges:
            bridge.wait_until_started()
        self._steady = bridges[0]
        self._began = time.monotonic()

    @contextmanager
    def _metered(self) -> Iterator[None]:
        """Samples are taken for as long as the block lasts."""
        self._meter = Meter(self._ground, self._ends, self._began)
        self._meter.start()
        try:
            yield
        finally:
            self._meter.stop()

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """Records come for as long as the block lasts."""
        self._producer.start()
        try:
            yield
        finally:
            self._producer.stop()

    def _disturbed(self) -> None:
        for number, turn in enumerate(turns(self._result.seed, APPS), 1):
            if self._elapsed() >= self._seconds:
                break
            disturbance = self._possible(turn.disturbance)
            broken = f", {' for '.join(reversed(turn.broken))}" if turn.broken else ""
            self._tell(f"{self._elapsed():5.0f} s  {number}: {turn.answer}{broken} / {disturbance}")
            self._turn(turn, disturbance)
        self._result.disturbed_seconds = self._elapsed()

    def _turn(self, turn: Turn, disturbance: Disturbance) -> None:
        self._api.turn(turn)
        self._result.answers[turn.answer] += 1
        if turn.broken:
            self._result.broken[turn.broken[1]] += 1
        self._producer.burst(turn.burst)
        bridges = self._ground.bridges
        others = [bridge for bridge in bridges if bridge is not self._steady]
        bridges[:] = [*self._random.sample(others, len(others)), self._steady]
        struck = DISTURB[disturbance](self._ground)
        self._result.disturbances[disturbance] += 1
        time.sleep(turn.hold)
        self._look()
        self._allow(disturbance, struck)

    def _possible(self, disturbance: Disturbance) -> Disturbance:
        """This one, or another where the number of members or the time forbids it."""
        members = len(self._ground.bridges)
        if disturbance in (Disturbance.JOIN, Disturbance.LEAVE):
            return Disturbance.JOIN if members <= MEMBERS[0] else Disturbance.LEAVE
        if disturbance is Disturbance.RESET and self._elapsed() > FIRST_PART * self._seconds:
            return Disturbance.KILL
        return disturbance

    def _allow(self, disturbance: Disturbance, struck: dict[tuple[str, int], int]) -> None:
        """Counts what may go out twice: what was settled beyond the offsets, and what was under way."""
        if disturbance is Disturbance.NONE:
            return
        under_way = UNDER_WAY * len(self._ground.bridges)
        with self._lock:
            self._result.allowed_twice += self._oracle.beyond(struck, self._seen) + under_way * len(SINKS)
        if disturbance in MAY_LEAVE_DOUBT:
            self._result.allowed_in_doubt += under_way

    def _drain(self) -> None:
        self._api.mend()
        began = time.monotonic()
        self._tell(f"{self._elapsed():5.0f} s  without faults")
        until, told = began + DRAIN_SECONDS, began
        while waits := self._waits_for():
            if time.monotonic() > until:
                self._ground.write_metrics()
                raise AssertionError(f"not within {DRAIN_SECONDS:g} s: {waits}")
            if time.monotonic() > told + TELL_SECONDS:
                told = time.monotonic()
                self._tell(f"{self._elapsed():5.0f} s  waits until {waits}")
            time.sleep(LOOK_SECONDS)
        self._result.drained_in = time.monotonic() - began

    def _waits_for(self) -> str:
        """What is not as it should be at the end, empty if nothing."""
        self._look()
        if unsettled := self._oracle.unsettled(self._seen):
            where = sorted({place[:2] for place in unsettled})
            return f"{len(unsettled)} records are settled, of {where}"
        if behind := self._oracle.behind(self._seen):
            return f"all is committed, also {sorted(behind)}"
        if parked := self._ground.parked():
            return f"{parked} apps are not parked any more"
        if left := self._ground.watch.parked_left():
            return f"{left} records are gone from the parking topics"
        return (
            "" if self._ground.all_read() else f"all records of the sources are there: {self._ground.read()}"
        )

    def _end(self) -> None:
        wrongs = self._result.wrongs
        wrongs += self._producer.wrongs
        wrongs += grown(self._meter.samples, self._identity())
        wrongs += self._ground.end()
        self._look()
        calls = self._api.doubtful * BATCH_RECORDS + self._result.answers[Answer.REFUSED] * UNDER_WAY
        self._result.allowed_twice += calls
        self._result.allowed_in_doubt += calls
        allowed = Allowed(True, False, self._result.allowed_twice, self._result.allowed_in_doubt)
        wrongs += self._oracle.wrongs(self._seen, allowed)
        wrongs += self._ground.not_exactly_once()

    def _figures(self) -> None:
        result, seen = self._result, self._seen
        result.struck = self._api.struck
        result.records = Counter(record.stream for record in self._records.places.values())
        result.read = self._ground.read()
        result.parked, result.dead, result.in_doubt = len(seen.parked), len(seen.dead), len(seen.in_doubt)
        result.lost, result.twice = len(self._oracle.unsettled(seen)), self._oracle.twice(seen)
        result.paid_twice = len(self._oracle.paid_twice(seen))
        result.samples = list(self._meter.samples)
        result.steady = self._identity()

    # -- small steps ---------------------------------------------------------------------------------------

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _identity(self) -> tuple[str, int]:
        return self._steady.name, self._steady.pid

    def _ends(self) -> dict[tuple[str, int], int]:
        with self._lock:
            return self._records.ends()

    def _look(self) -> None:
        """Takes a sample, unless there is no API to be asked: then nothing can change there either."""
        if self._ground.api.is_off:
            return
        self._seen = self._ground.watch.seen()
        self._result.looks += not self._seen.hidden
        with self._lock:
            too_far = self._oracle.passed_too_far(self._seen)
        if too_far and not self._passed_too_far:  # once is enough, as they stay
            self._passed_too_far = True
            self._result.wrongs.append(
                f"committed past {len(too_far)} unsettled records, such as {too_far[0]}"
            )
