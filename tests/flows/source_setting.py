"""One stage for a flow test of sources: a sandbox to poll, topics to fill, and all bridges it takes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from bridge.sandbox import SandboxServer
from bridge.streams import SOURCES
from tests.flows.process import BridgeProcess
from tests.flows.setting import ask
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

NOTHING: Mapping[str, Any] = {}
OUTPUTS = [output for stream in SOURCES.values() for output in stream.outputs]


class OutputReader:
    """What a consumer of committed records sees of a topic, from its beginning on; it is in no group."""

    def __init__(self, kafka: Cluster[Broker], topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "group.id": "the-test",
                "enable.auto.commit": False,
                "enable.partition.eof": True,  # tells of ends that are marks of transactions
                "isolation.level": "read_committed",
            }
        )
        self._partitions = [TopicPartition(topic, p, 0) for p in range(kafka.partitions(topic))]
        self._consumer.assign(self._partitions)
        self._reached = [0] * len(self._partitions)
        self.records: list[tuple[str, dict[str, Any] | None]] = []
        """Key and decoded value of each record so far, in the order of each partition."""
        self.headers: list[dict[str, Any]] = []
        """And its headers."""

    def read(self) -> list[tuple[str, dict[str, Any] | None]]:
        """All records that are committed now."""
        ends = [self._consumer.get_watermark_offsets(each, timeout=10)[1] for each in self._partitions]
        while any(reached < end for reached, end in zip(self._reached, ends, strict=True)):
            for message in self._consumer.consume(5000, 0.1):
                self._take(message)
        return self.records

    def _take(self, message: Message) -> None:
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is None:
            value = message.value()
            record = None if value is None else json.loads(value)
            self.records.append(((message.key() or b"").decode(), record))
            headers: Any = message.headers() or []
            self.headers.append(dict(headers))
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
        self._reached[partition] = max(self._reached[partition], offset + (error is None))

    def close(self) -> None:
        self._consumer.close()


@dataclass
class SourceStage:
    """What a test acts on. The API is a sandbox in this process, and the topics are its own."""

    kafka: Cluster[Broker]
    sandbox: SandboxServer
    folder: Path
    topics: dict[str, str]
    cursors: str
    bridges: list[BridgeProcess] = field(default_factory=list)
    readers: dict[str, OutputReader] = field(default_factory=dict)

    def bridge(
        self, *streams: str, requests_per_second: float, of: Mapping[str, Mapping[str, Any]] = NOTHING
    ) -> BridgeProcess:
        """One more bridge, not started yet, that runs these sources; `of` has settings of single ones."""
        secret = self.folder / "client-secret"
        secret.write_text("sandbox-secret\n")
        settings = {
            "productiv": {
                "api_url": self.sandbox.url,
                "token_url": f"{self.sandbox.url}/oauth2/token",
                "client_id": "sandbox",
                "client_secret_file": str(secret),
                "timeouts": {"read_seconds": 5},
                "export_requests_per_second": requests_per_second,
            },
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap,
                "group_prefix": f"test-{self.cursors}",
                "create_topics": False,
                "cursors_topic": self.cursors,
                "settings": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
            },
            "sources": {
                stream: {
                    "topics": {output: self.topics[output] for output in SOURCES[stream].outputs},
                    "format": "json",
                    "poll_interval_seconds": 0.5,
                    "backoff": {"initial_seconds": 0.05, "max_seconds": 0.5},
                    **of.get(stream, {}),
                }
                for stream in streams
            },
            "http": {"host": "127.0.0.1", "port": 0},
        }
        made = BridgeProcess(self.folder, f"bridge-{len(self.bridges)}", streams, settings)
        self.bridges.append(made)
        return made

    def read(self, output: str) -> list[tuple[str, dict[str, Any] | None]]:
        """Key and value of each committed record of an output topic so far."""
        if output not in self.readers:
            self.readers[output] = OutputReader(self.kafka, self.topics[output])
        return self.readers[output].read()

    def latest(self, output: str) -> dict[str, dict[str, Any]]:
        """The last value of each key, as a compacted topic keeps it, without the keys that are gone."""
        last = dict(self.read(output))
        return {key: value for key, value in last.items() if value is not None}

    def fault(self, **fault: Any) -> None:
        """Switches on a fault of the sandbox."""
        ask(self.sandbox, "/_sandbox/faults", json.dumps(fault).encode())

    def clear_faults(self) -> None:
        """Switches all faults off."""
        ask(self.sandbox, "/_sandbox/faults", method="DELETE")

    def tell(self, path: str, content: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """Uses one of the sandbox's switches."""
        return ask(self.sandbox, f"/_sandbox/{path}", json.dumps(content or {}).encode(), method)

    def state(self) -> dict[str, Any]:
        """What the sandbox tells of itself."""
        state: dict[str, Any] = ask(self.sandbox, "/_sandbox/state")
        return state

    def content(self, kind: str) -> Iterator[dict[str, Any]]:
        """What the sandbox holds: `audit-events`, `executions`, `workflows` or `portfolio`."""
        offset = 0
        while page := ask(self.sandbox, f"/_sandbox/{kind}?offset={offset}&limit=10000")["items"]:
            yield from page
            offset += len(page)

    def violations(self) -> int:
        """Requests above the rate limit of the export API."""
        violations: int = self.state()["export_rate_limit"]["violations"]
        return violations

    def close(self) -> None:
        for bridge in self.bridges:
            bridge.close()
        for reader in self.readers.values():
            reader.close()
