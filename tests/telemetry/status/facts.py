"""Facts of one moment, well unless they are changed."""

from typing import Any

from bridge.core.books import Books
from bridge.telemetry.status.cause import Cause
from bridge.telemetry.status.causes import causes
from bridge.telemetry.status.facts import Facts, Flow, SinkFacts, SourceFacts
from bridge.telemetry.status.history import Plots
from bridge.telemetry.status.watch import Status

NOW = 10_000.0
FLOWS = Flow(rate=540.0, plots=Plots(20.0, (500.0, 580.0), (12.0, 3.0)))


def sink(name: str = "usage", **changes: Any) -> SinkFacts:
    """A sink that delivers."""
    facts: dict[str, Any] = {
        "books": Books(received=1200, delivered=1100),
        "outstanding": 100,
        "lag": 3,
        "flow": FLOWS,
        "partitions": 4,
    }
    return SinkFacts(name, **(facts | changes))


def source(name: str = "audit_events", **changes: Any) -> SourceFacts:
    """A source that polls."""
    facts: dict[str, Any] = {"owned": True, "emitted": {name: 7}, "position": 1e9, "behind": 30.0}
    return SourceFacts(name, **(facts | changes))


def facts(*streams: SinkFacts | SourceFacts, **changes: Any) -> Facts:
    """A process with these streams."""
    return Facts(
        wall=1_767_225_600.0,
        now=NOW,
        uptime=4000.0,
        versions={"productiv-bridge": "0.1.0"},
        sinks=[each for each in streams if isinstance(each, SinkFacts)],
        sources=[each for each in streams if isinstance(each, SourceFacts)],
        **changes,
    )


def status(*streams: SinkFacts | SourceFacts, **changes: Any) -> Status:
    """The same, with what is wrong by it."""
    made = facts(*streams, **changes)
    return Status(made, tuple(causes(made)))


def only(found: list[Cause]) -> Cause:
    """The one there is."""
    [cause] = found
    return cause
