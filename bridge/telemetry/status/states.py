"""The state of each stream, and of all together, each in one word and one shape."""

from dataclasses import dataclass

from bridge.telemetry.status.cause import Weight
from bridge.telemetry.status.facts import SinkFacts, SourceFacts
from bridge.telemetry.status.watch import Status

STUCK_SECONDS = 10.0
"""Without a beat, which comes each second."""


@dataclass(frozen=True, slots=True)
class State:
    """A word; a shape that tells it from others without colour; what sort it is, for the style."""

    word: str
    shape: str
    kind: str


STOPPED = State("stopped", "■", "bad")
WAITING = State("waiting", "▲", "fair")
FLOWING = State("flowing", "▶", "good")
IDLE = State("idle", "●", "good")
STANDING_BY = State("standing by", "○", "none")

OF_WEIGHT = {Weight.STOPPED: STOPPED, Weight.WAITING: WAITING, Weight.NOTICE: State("notice", "◆", "fair")}


def state_of(stream: SinkFacts | SourceFacts, status: Status) -> State:
    """What a stream does."""
    weights = {cause.weight for cause in status.causes if stream.name in cause.streams}
    if Weight.STOPPED in weights:
        return STOPPED
    if Weight.WAITING in weights:
        return WAITING
    if stream.flow.rate:
        return FLOWING
    ours = stream.partitions > 0 if isinstance(stream, SinkFacts) else stream.owned
    return IDLE if ours else STANDING_BY


def headline(status: Status, age: float) -> tuple[State, str]:
    """What holds for the whole process; `age` is how many seconds old the status is."""
    if age >= STUCK_SECONDS:
        return STOPPED, f"The bridge is stuck: it has shown no sign of life for {age:.0f} seconds"
    streams: list[SinkFacts | SourceFacts] = [*status.facts.sinks, *status.facts.sources]
    states = [state_of(stream, status) for stream in streams]
    if stopped := states.count(STOPPED):
        return STOPPED, f"{stopped} of {len(streams)} streams stand still"
    if WAITING in states:
        return WAITING, "Data flows, but some of it waits"
    if status.causes:
        return FLOWING, "Data flows, and there is something to look at"
    if FLOWING in states:
        return FLOWING, "All is well: data flows"
    return IDLE, "All is well: there is nothing to do"
