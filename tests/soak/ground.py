"""Where a soak runs: the matrix's scene with all sinks, and with all sources beside them."""

from collections import Counter
from pathlib import Path
from typing import Any

from bridge.sandbox import AuditPlan, PortfolioPlan, SandboxConfig, WorkflowPlan
from bridge.streams import SINKS, SOURCES
from tests.flows.source_setting import OutputReader
from tests.kafka_broker.broker import OwnBroker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.answers import LONGEST_BACKOFF
from tests.matrix.api import Api
from tests.matrix.scene import LATENCY_SECONDS, Scene

BATCH_RECORDS = 100
"""More than in a cell, as each parked app gets one batch at a time, and there is more to catch up."""
PARK_SECONDS = 4.0  # 60 s by default
AUDIT_EVENTS_PER_SECOND = 10.0
LATE_SECONDS = 10.0  # safely within the overlap of a minute
EXECUTIONS, WORKFLOWS, APPS = 200, 3, 30
ONCE = {"executions": EXECUTIONS, "workflows": WORKFLOWS, "apps": APPS}
"""Records of the sources whose objects do not change here."""
POLL_SECONDS = 2.0
KEPT = 10_000_000


def audit_events_in(seconds: float) -> int:
    """How many audit events there are to be read after so many seconds."""
    return int(seconds * AUDIT_EVENTS_PER_SECOND)


def sandbox_of(seconds: float) -> SandboxConfig:
    """An API that keeps all that it takes, and has something new to be read for so many seconds."""
    total = audit_events_in(seconds)
    return SandboxConfig(
        latency_seconds=LATENCY_SECONDS,
        keep_records_per_app=KEPT,
        keep_bytes=2**31,
        export_rate_limit=None,
        audit_events=AuditPlan(AUDIT_EVENTS_PER_SECOND, total=total, late_seconds=LATE_SECONDS),
        workflows=WorkflowPlan(WORKFLOWS, EXECUTIONS, per_second=EXECUTIONS / seconds),
        portfolio=PortfolioPlan(APPS),
    )


class Ground(Scene):
    """A scene with every stream in each bridge. So many audit events are to come out of the API in all."""

    def __init__(self, kafka: Cluster[OwnBroker], api: Api, folder: Path, audit_events: int) -> None:
        super().__init__(kafka, api, folder, tuple(SINKS))
        outputs = [output for source in SOURCES.values() for output in source.outputs]
        self._outputs = {output: kafka.create_topic(output, 3) for output in outputs}
        self._cursors = kafka.create_topic("cursors", 3, cleanup_policy="compact")
        self._owed = {"audit_events": audit_events, **ONCE}
        self._readers: dict[str, OutputReader] = {}

    def close(self) -> None:
        """As any scene, and the readers."""
        for reader in self._readers.values():
            reader.close()
        super().close()

    def parked(self) -> int:
        """How many apps are parked, over all bridges and streams."""
        return int(sum(bridge.metric("bridge_apps_parked") for bridge in self.bridges))

    def read(self) -> dict[str, int]:
        """How many records of the sources are on the topics. The broker must not go away any more."""
        for output in self._owed.keys() - self._readers.keys():
            self._readers[output] = OutputReader(self.kafka, self._outputs[output])
        return {output: len(reader.read()) for output, reader in self._readers.items()}

    def all_read(self) -> bool:
        """Whether as many are there as are owed, or more."""
        return all(count >= self._owed[output] for output, count in self.read().items())

    def not_exactly_once(self) -> list[str]:
        """What is wrong with the records of the sources, in sentences."""
        wrongs = []
        for output, owed in self._owed.items():
            counts = Counter(key for key, _ in self._readers[output].read())
            twice = sum(count > 1 for count in counts.values())
            if twice or len(counts) != owed:
                wrongs.append(f"{output}: {len(counts)} of {owed} records, {twice} of them more than once")
        return wrongs

    def _sink(self, stream: str) -> dict[str, Any]:
        batch = {"max_records": BATCH_RECORDS, "max_age_seconds": 0.2}
        return {**super()._sink(stream), "park_after_seconds": PARK_SECONDS, "batch": batch}

    def _settings(self) -> dict[str, Any]:
        settings = super()._settings()
        settings["productiv"]["export_requests_per_second"] = None
        settings["kafka"]["cursors_topic"] = self._cursors
        settings["sources"] = {name: self._source(name) for name in SOURCES}
        settings["sources"]["audit_events"]["overlap_minutes"] = 1
        return settings

    def _source(self, name: str) -> dict[str, Any]:
        return {
            "topics": {output: self._outputs[output] for output in SOURCES[name].outputs},
            "format": "json",
            "poll_interval_seconds": POLL_SECONDS,
            "backoff": {"initial_seconds": 0.05, "max_seconds": LONGEST_BACKOFF},
        }
