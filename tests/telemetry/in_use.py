"""Metrics of a process in which one of everything has happened, so that each has something to show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bridge.core.engine import Engine
from bridge.core.gate import Finding
from bridge.core.outcome import Accepted
from bridge.core.polling import Emission, Write
from bridge.core.record import Refused
from bridge.kafka.statistics import Statistics
from bridge.telemetry.metrics import Metrics
from tests.core.records import STREAM, At, engine, limits, run_of

SOURCE = "audit_events"


@dataclass
class View:
    """One stream at work."""

    engine: Engine
    lags: dict[int, int] | None = None
    behind_since: float | None = None
    in_doubt: list[float] | None = None


@dataclass
class Source:
    """One source at work."""

    emitted: Mapping[str, int] = field(default_factory=lambda: {"audit_events": 1})
    owned: bool = True
    position: float | None = 100.0
    entries: int | None = 3


@dataclass
class Rate:
    """A rate limit in use."""

    per_second: float | None = 5.0
    turns: int = 8
    waited: float = 1.5


@dataclass
class Api:
    """The API's client at work."""

    token_age: float | None = 600.0
    token_expires_in: float | None = 3000.0
    rates: Mapping[str, Rate] = field(
        default_factory=lambda: {"push": Rate(per_second=None), "export": Rate()}
    )


def told() -> Statistics:
    """What a consumer shows that has been told of one healthy broker."""
    statistics = Statistics()
    statistics(
        json.dumps(
            {
                "brokers": {
                    "kafka-1/1": {
                        "source": "learned",
                        "state": "UP",
                        "disconnects": 2,
                        "rtt": {"cnt": 4, "p50": 500_000},
                    },
                    "GroupCoordinator": {
                        "source": "logical",
                        "state": "UP",
                        "disconnects": 1,
                        "rtt": {"cnt": 4, "p50": 2_500},
                    },
                },
                "topics": {"things": {"partitions": {"0": {"fetchq_cnt": 7}, "1": {"fetchq_cnt": 2}}}},
            }
        )
    )
    return statistics


@dataclass(frozen=True)
class Dated(At):
    """A message of second 100."""

    def timestamp(self) -> tuple[int, int]:
        return (1, 100_000)


def used() -> tuple[Metrics, View]:
    """The metrics at second 107, and the stream that they show."""
    metrics = Metrics(lambda: 107.0)
    view = View(engine(limits(2)), lags={0: 9, 1: 3}, behind_since=100.0, in_doubt=[17.0])
    metrics.watch(STREAM.name, view, told())
    metrics.watch_api(Api())
    view.engine.park("d")
    metrics.request("publish", Accepted(), 0.3)
    metrics.dead_lettered(STREAM.name, [Refused(At((0, 9)), "invalid", "it is wrong")])
    metrics.found(STREAM.name, Finding("managerEmail", "unknown", 3))
    metrics.difference(STREAM.name, {"leavers": 2})
    metrics.reconciled(STREAM.name, "applied")
    metrics.reconciled_records(STREAM.name, deleted=2)
    metrics.watch_source(SOURCE, Source(), told())
    metrics.round(SOURCE, "done", 0.5)
    metrics.written(SOURCE, Write([Emission("audit_events", "7", None, late=90.0)], {}, rows=4))
    metrics.gap(SOURCE, 60.0)
    metrics.shortened(SOURCE)
    records = run_of(2)
    records.origins = [Dated((0, 0)), Dated((0, 1))]
    view.engine.receive(records, 0.0)
    batch = view.engine.take(0.0)
    assert batch is not None
    metrics.sent(replace(STREAM, event_time="id"), batch, Accepted())
    view.engine.returned(batch, Accepted(), 0.0)
    return metrics, view
