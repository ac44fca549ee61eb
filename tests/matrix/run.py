"""The course of one cell: begin, answer badly, disturb, answer well again, wait, judge."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import TimeoutExpired

from confluent_kafka import KafkaException

from tests.flows.process import eventually
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.answers import TABLE, Behaviour, always_one_of
from tests.matrix.cells import NEEDS_OWN_BROKER, Cell, Disturbance, Shape
from tests.matrix.disturb import DISTURB
from tests.matrix.oracle import Allowed, Oracle, Seen
from tests.matrix.records import STREAMS, Records
from tests.matrix.result import Result
from tests.matrix.scene import BATCH_RECORDS, IN_FLIGHT, PARTITIONS, Scene, scene

APPS = {
    Shape.ONE: ("crm",),
    Shape.MANY: ("crm", "wiki", "payroll", "mail", "board"),
    Shape.BROKEN: ("crm", "wiki", "payroll", "mail", "board"),
}
SAMPLE_SECONDS = 0.25
WAVE = 100  # records of each stream; there are three waves
RECOVER_SECONDS = 120.0
MAY_LEAVE_DOUBT = {Disturbance.KILL} | NEEDS_OWN_BROKER


def run(cell: Cell, kafka: Cluster[Broker], folder: Path) -> Result:
    """Plays a cell on a broker; its files go to `folder`. What goes wrong is in the result."""
    began = time.monotonic()
    with scene(kafka, folder, APPS[cell.shape]) as place:
        course = _Course(cell, place)
        try:
            course.play()
        except (AssertionError, OSError, KafkaException, TimeoutExpired) as error:
            course.wrongs.append(str(error))
        return replace(course.result(), took=time.monotonic() - began)


class _Course:
    def __init__(self, cell: Cell, place: Scene) -> None:
        self._cell = cell
        self._scene = place
        self._answer: Behaviour = TABLE[cell.answer]
        self._records = Records(str(cell), APPS[cell.shape], PARTITIONS, self._answer.poison)
        self._oracle = Oracle(self._records)
        self._seen = Seen()
        self._samples = 0
        self._recovered_in = 0.0
        self._struck = 0
        self._beyond = 0  # records accepted beyond the offsets committed when it was disturbed
        self.wrongs: list[str] = []

    def play(self) -> None:
        """All of it, in order."""
        self._begin()
        self._answer_badly()
        struck = DISTURB[self._cell.disturbance](self._scene)
        self._look()
        self._beyond = self._oracle.beyond(struck, self._seen)
        self._wave()
        self._hold()
        self._answer_well()
        self._recover()
        if self._cell.disturbance in NEEDS_OWN_BROKER:  # sessions that ran out may show later
            self._beyond = self._oracle.beyond(struck, self._seen)
        self._end()

    def result(self) -> Result:
        """What is known now."""
        oracle, seen = self._oracle, self._seen
        return Result(
            self._cell,
            records=len(self._records.places),
            struck=self._struck,
            lost=len(oracle.unsettled(seen)),
            twice=oracle.twice(seen),
            allowed_twice=self._allowed().twice,
            in_doubt=len(seen.in_doubt),
            dead=len(seen.dead),
            samples=self._samples,
            recovered_in=self._recovered_in,
            wrongs=self.wrongs,
        )

    def _begin(self) -> None:
        if self._answer.poison:  # refused is refused, from the beginning to the end
            self._fault()
        self._wave()
        members = 2 if self._cell.disturbance is Disturbance.LEAVE else 1
        for bridge in [self._scene.bridge() for _ in range(members)]:
            bridge.begin()
        for bridge in self._scene.bridges:
            bridge.wait_until_started()
        self._until(lambda seen: bool(seen.usage and seen.users and seen.spend), "each stream delivers")

    def _fault(self) -> None:
        faults, chosen = self._answer.faults, {}
        if self._cell.shape is Shape.BROKEN:
            chosen = {"app": APPS[self._cell.shape][0]}
            faults = faults if self._answer.may_bury else always_one_of(faults)
        for fault in faults:
            self._scene.api.fault(**fault, **chosen)

    def _answer_badly(self) -> None:
        answer = self._answer
        if answer.off:
            self._scene.api.switch_off()
        elif not answer.poison:
            self._fault()
        self._wave()
        if answer.off:
            bridges = self._scene.bridges
            eventually(lambda: any(b.metric("bridge_lanes_waiting") for b in bridges), "a bridge waits")
        elif answer.faults:
            eventually(lambda: self._scene.api.fired() > 0, "the answer is given")
        else:
            before = len(self._seen.usage)
            self._until(lambda seen: len(seen.usage) > before, "more is delivered")

    def _hold(self) -> None:
        until = time.monotonic() + self._answer.seconds
        while time.monotonic() < until:
            self._look()
            time.sleep(SAMPLE_SECONDS)
        if self._cell.shape is Shape.BROKEN:
            broken = APPS[self._cell.shape][0]
            self._until(lambda seen: self._others_settled(seen, broken), "the other apps go on")

    def _others_settled(self, seen: Seen, broken: str) -> bool:
        return all(record.app == broken for record in self._oracle.unsettled(seen).values())

    def _answer_well(self) -> None:
        if self._answer.off:
            self._scene.api.switch_on()
        elif not self._answer.poison:
            self._struck = self._scene.api.fired()
            self._scene.api.clear_faults()

    def _recover(self) -> None:
        began = time.monotonic()
        self._until(
            lambda seen: not self._oracle.unsettled(seen) and not self._oracle.behind(seen),
            "all is settled and committed",
        )
        self._recovered_in = time.monotonic() - began

    def _end(self) -> None:
        self.wrongs += self._scene.end()
        if self._answer.poison:
            self._struck = self._scene.api.fired()
        self._look()
        self.wrongs += self._oracle.wrongs(self._seen, self._allowed())

    def _allowed(self) -> Allowed:
        disturbed = self._cell.disturbance is not Disturbance.NONE
        under_way = IN_FLIGHT * BATCH_RECORDS * max(1, len(self._scene.bridges))
        doubtful = self._struck * BATCH_RECORDS if self._answer.doubtful else 0
        if self._answer.off:  # what was under way on each stream when the API went
            doubtful = under_way * len(STREAMS)
        return Allowed(
            poison=self._answer.poison,
            may_bury=self._answer.may_bury,
            twice=doubtful + (self._beyond + under_way if disturbed else 0),
            in_doubt=doubtful + (under_way if self._cell.disturbance in MAY_LEAVE_DOUBT else 0),
        )

    # -- small steps ---------------------------------------------------------------------------------------

    def _wave(self) -> None:
        self._scene.produce(self._records.wave(WAVE))

    def _look(self) -> None:
        """Takes a sample, unless there is no API to be asked: then nothing can change there either."""
        if self._scene.api.is_off:
            return
        self._seen = self._scene.watch.seen()
        self._samples += not self._seen.hidden
        if too_far := self._oracle.passed_too_far(self._seen):
            self.wrongs.append(f"committed past {len(too_far)} unsettled records, such as {too_far[0]}")

    def _until(self, holds: Callable[[Seen], bool], what: str) -> None:
        until = time.monotonic() + RECOVER_SECONDS
        while True:
            self._look()
            if holds(self._seen):
                return
            left = len(self._oracle.unsettled(self._seen))
            assert time.monotonic() < until, f"not within {RECOVER_SECONDS:g} s: {what}; unsettled: {left}"
            time.sleep(SAMPLE_SECONDS)
