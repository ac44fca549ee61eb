"""A bridge with all its streams on a bad day: every fault at once, and a restart in the middle."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from bridge import config, wiring
from bridge.demo.producer import SampleProducer
from bridge.demo.samples import ACTS, Sample
from bridge.kafka.embedded import EmbeddedKafka
from bridge.sandbox import AuditPlan, PortfolioPlan, SandboxConfig, SandboxServer, WorkflowPlan
from bridge.streams import SINKS, SOURCES
from tests.flows.process import BridgeProcess
from tests.flows.setting import ask
from tests.kafka_broker.ports import free_port

RECORDS_PER_SECOND = 300.0
PEOPLE = "abc"
CHARTS_PER_SECOND = 2.0  # each goes out alone, one after the other
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 503, "app": "payroll", "operation": "publish_usage_events"},
    {"kind": "status", "status": 429, "retry_after": 1, "share": 0.05},
    {"kind": "status", "status": 500, "share": 0.03},
    {"kind": "status", "status": 500, "operation": "list_provisioning_workflows", "share": 0.5},
    {"kind": "status", "status": 403, "app": "wiki", "operation": "publish_provisioned_users", "share": 0.2},
    {"kind": "reset", "when": "after", "operation": "publish_spend_data", "share": 0.1},
    {"kind": "token_revoked", "share": 0.005},
    {"kind": "latency", "seconds": 0.0, "jitter": 0.2},
]
WORLD = SandboxConfig(
    audit_events=AuditPlan(per_second=20, history_events=500, late_share=0.2, late_seconds=3),
    workflows=WorkflowPlan(workflows=2, executions=20, per_second=2, seconds_per_state=2),
    portfolio=PortfolioPlan(apps=8, churn_seconds=2),
)


class Storm:
    """It rages from `begin` to `close`. `target` is what Prometheus is to scrape."""

    def __init__(self, folder: Path) -> None:
        self._ending = ExitStack()
        self._kafka = EmbeddedKafka()
        self._ending.callback(self._kafka.close)
        self._sandbox = self._ending.enter_context(SandboxServer(WORLD))
        port = free_port()
        self.target = f"127.0.0.1:{port}"
        # Without shared parts, as YAML would write those as anchors.
        settings = json.loads(json.dumps(_settings(self._kafka, self._sandbox, port)))
        self._settings = config.Settings.model_validate(settings)
        self._topics = wiring.sink_topics(self._settings)
        self._kafka.create(self._topic_names())
        streams = [*SINKS, *SOURCES]
        self._bridges = [
            BridgeProcess(folder, "bridge", streams, settings),
            BridgeProcess(folder, "another", streams, {**settings, "http": {"enabled": False}}),
        ]
        for bridge in self._bridges:
            self._ending.callback(bridge.close)

    def begin(self) -> None:
        """The bridge starts, and records come; nothing goes wrong yet."""
        for stream, topic in self._topics.items():
            samples, rate = ACTS[stream].samples(Random(1), time.time), RECORDS_PER_SECOND
            if stream == "org_chart":
                samples, rate = snapshots(), CHARTS_PER_SECOND * len(PEOPLE)
            wire = wiring.wire(self._settings, topic)
            producer = SampleProducer(self._kafka.bootstrap, topic.topic, wire, samples, rate, None)
            producer.start()
            self._ending.callback(producer.finish)
        self._bridges[0].start()

    def rage(self) -> None:
        """All goes wrong at once."""
        for fault in FAULTS:
            ask(self._sandbox, "/_sandbox/faults", json.dumps(fault).encode())

    def abate(self) -> None:
        """Nothing goes wrong any more."""
        ask(self._sandbox, "/_sandbox/faults", method="DELETE")

    def strike(self) -> None:
        """The process is killed and begins anew; another comes and goes."""
        bridge, other = self._bridges
        other.begin()
        bridge.kill()
        bridge.start()
        other.kill()

    def close(self) -> None:
        """The end of all."""
        self._ending.close()

    def _topic_names(self) -> Iterator[str]:
        kafka = self._settings.kafka
        yield from (kafka.journal_topic, kafka.cursors_topic, kafka.decisions_topic)
        yield from (output.topic for output in wiring.output_topics(self._settings).values())
        for topic in self._topics.values():
            asides = (topic.dead_letters, topic.in_doubt, topic.parked)
            yield from (topic.topic, *(aside.topic for aside in asides if aside is not None))


def snapshots() -> Iterator[Sample]:
    """Whole charts, in which one person has a manager that nobody knows."""
    for number in count(1):
        for person in PEOPLE:
            record: Mapping[str, Any] = {
                "email": f"{person}@example.com",
                "managerEmail": "nobody@example.com" if person == "a" else "a@example.com",
                "snapshot": number,
                "snapshotSize": len(PEOPLE),
            }
            yield Sample(dict(record), good=True)


def _settings(kafka: EmbeddedKafka, sandbox: SandboxServer, port: int) -> dict[str, Any]:
    batch = {"max_age_seconds": 0.5}
    backoff = {"initial_seconds": 0.2, "max_seconds": 2}
    sink = {"batch": batch, "backoff": backoff, "park_after_seconds": 3}
    source = {"enabled": True, "poll_interval_seconds": 0.5, "backoff": backoff}
    [credential] = sandbox.config.credentials
    return {
        "productiv": {
            "api_url": sandbox.url,
            "token_url": f"{sandbox.url}/oauth2/token",
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
            "requests_per_second": 200,
        },
        "kafka": {
            "bootstrap_servers": kafka.bootstrap,
            "create_topics": False,
            "settings": {
                "statistics.interval.ms": "500",
                "heartbeat.interval.ms": "300",
                "session.timeout.ms": "6000",
            },
        },
        "sinks": dict.fromkeys(SINKS, sink) | {"org_chart": {**sink, "mode": "snapshot"}},
        "sources": dict.fromkeys(SOURCES, source) | {"audit_events": {**source, "overlap_minutes": 1}},
        "reconcile": {"enabled": True, "interval_hours": 0.001},
        "http": {"host": "127.0.0.1", "port": port},
    }
