"""Why records do not flow, in words: what it is, whose it is, what to do, and where to read on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Weight(StrEnum):
    """How bad it is: a stream stands still; some records wait; all flows, but somebody should look."""

    STOPPED = "stopped"
    WAITING = "waiting"
    NOTICE = "notice"


class Whose(StrEnum):
    """Who can mend it."""

    PRODUCTIV = "Productiv"
    ACCESS = "whoever keeps the API credentials"
    KAFKA = "Kafka"
    PRODUCERS = "who produces the records"
    OPERATOR = "you: it waits for a decision"
    CAPACITY = "this installation: more comes in than goes out"
    BRIDGE = "the bridge"


class Section(StrEnum):
    """The sections of docs/runbook.md that the page points to, by their anchors."""

    DENIED = "api-denied"
    UNAVAILABLE = "api-unavailable"
    THROTTLED = "api-throttles"
    APP_FAILS = "one-app-fails"
    FLOOD = "flood-guard-tripped"
    DEAD_LETTERS = "dead-letters"
    IN_DOUBT = "spend-in-doubt"
    KAFKA = "kafka-does-not-answer"
    LAG = "lag-grows"
    STILL = "nothing-goes-through"
    SOURCE = "source-fails"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with these streams.

    `since` is the second since 1970 at which it was first seen.
    """

    weight: Weight
    streams: tuple[str, ...]
    what: str
    whose: Whose
    todo: str
    section: Section
    since: float = 0.0

    @property
    def key(self) -> tuple[tuple[str, ...], Section]:
        """What stays the same while it lasts."""
        return self.streams, self.section


def merged(found: Iterable[Cause]) -> tuple[Cause, ...]:
    """The same with what is said alike of several streams said once."""
    alike: dict[tuple[str, str], Cause] = {}
    for cause in found:
        first = alike.setdefault((cause.what, cause.todo), cause)
        if first is not cause:
            streams, since = (*first.streams, *cause.streams), min(first.since, cause.since)
            alike[cause.what, cause.todo] = replace(first, streams=streams, since=since)
    return tuple(alike.values())
