"""One stage for a flow test: topics, a sandbox API, producers, and as many bridges as it takes."""

import json
import ssl
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from bridge.sandbox import SandboxServer
from tests.flows.process import BridgeProcess, eventually
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

_NO_COORDINATOR_YET = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
BEGIN = 1_767_225_600_000  # 2026-01-01


def usage(number: int, app: str = "crm", **changes: Any) -> dict[str, Any]:
    """The usage event with this number: no two numbers give the same one."""
    event = {
        "app": app,
        "timestamp": BEGIN + number,
        "email": f"user{number}@example.com",
        "eventName": "opened",
    }
    return event | changes


def number_of(event: dict[str, Any]) -> int:
    """Which usage event this is."""
    return int(event["timestamp"]) - BEGIN


def ask(
    sandbox: SandboxServer,
    path: str,
    body: bytes | None = None,
    method: str | None = None,
    https: ssl.SSLContext | None = None,
) -> Any:
    """What the sandbox answers, as JSON."""
    request = urllib.request.Request(sandbox.url + path, body, method=method)
    with urllib.request.urlopen(request, timeout=30, context=https) as answer:
        return json.load(answer)


@dataclass
class Stage:
    """What a test acts on. `topic` and `dead_letters` are its own; the API is a sandbox in this process."""

    kafka: Cluster[Broker]
    sandbox: SandboxServer
    folder: Path
    topic: str
    dead_letters: str
    stream: str = "usage"
    in_doubt: str | None = None
    parked: str | None = None
    journal: str = "not-used"
    decisions: str = "not-used"
    https: ssl.SSLContext | None = None
    bridges: list[BridgeProcess] = field(default_factory=list)

    def bridge(
        self,
        kafka: dict[str, Any] | None = None,
        productiv: dict[str, Any] | None = None,
        workers: int = 1,
        **sink: Any,
    ) -> BridgeProcess:
        """One more bridge, not started yet, with other settings than usual of Kafka, the API and its sink."""
        settings = {
            "productiv": {
                "api_url": self.sandbox.url,
                "token_url": f"{self.sandbox.url}/oauth2/token",
                "client_id": "sandbox",
                "client_secret_file": str(self.secret_file),
                "timeouts": {"read_seconds": 5},
                **(productiv or {}),
            },
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap,
                "group_prefix": f"test-{self.topic}",
                "create_topics": False,
                "journal_topic": self.journal,
                "decisions_topic": self.decisions,
                **(kafka or {}),
                "settings": {
                    "session.timeout.ms": 6000,
                    "heartbeat.interval.ms": 500,
                    **(kafka or {}).get("settings", {}),
                },
            },
            "sinks": {
                self.stream: {
                    "topic": self.topic,
                    "dead_letter_topic": self.dead_letters,
                    "in_doubt_topic": self.in_doubt,
                    "parked_topic": self.parked,
                    "format": "json",
                    "batch": {"max_age_seconds": 0.5},
                    "backoff": {"initial_seconds": 0.05, "max_seconds": 0.5},
                    "commit_interval_seconds": 0.1,
                    **sink,
                }
            },
            "http": {"host": "127.0.0.1", "port": 0},
        }
        name = f"bridge-{len(self.bridges)}"
        made = BridgeProcess(self.folder, name, [self.stream], settings, workers)
        self.bridges.append(made)
        return made

    @property
    def secret_file(self) -> Path:
        """Where the bridges find the client secret; a test may rotate it."""
        file = self.folder / "client-secret"
        if not file.exists():
            file.write_text("sandbox-secret\n")
        return file

    def produce(self, records: Iterable[dict[str, Any] | bytes]) -> int:
        """Puts records on the topic and waits for the acknowledgements; returns how many."""
        return self.produce_keyed((str(n), record) for n, record in enumerate(records))

    def produce_keyed(self, records: Iterable[tuple[str, dict[str, Any] | bytes | None]]) -> int:
        """The same for records with keys of their own; None is a record without a value."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "message.max.bytes": 10_000_000})
        errors: list[KafkaError] = []
        count = 0
        for key, record in records:
            value = json.dumps(record).encode() if isinstance(record, dict) else record
            producer.produce(
                self.topic,
                value,
                key=key.encode(),
                headers=[("from", b"a test")],
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )
            producer.poll(0)
            count += 1
            if count % 50_000 == 0:
                producer.flush(60)
        producer.flush(60)
        assert not errors
        return count

    # -- the API's side ------------------------------------------------------------------------------------

    def post_users(self, app: str, users: list[dict[str, Any]]) -> None:
        """Adds users at the API past all topics, as another tool would."""
        login = b"grant_type=client_credentials&client_id=sandbox&client_secret=sandbox-secret"
        token = self._ask("/oauth2/token", login)["access_token"]
        for at in range(0, len(users), 1000):
            request = urllib.request.Request(
                f"{self.sandbox.url}/services/push/v1/customer/apps/{app}/users",
                json.dumps({"users": users[at : at + 1000]}).encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=30).close()

    def fault(self, **fault: Any) -> None:
        """Switches on a fault of the sandbox."""
        self._ask("/_sandbox/faults", json.dumps(fault).encode())

    def clear_faults(self) -> None:
        """Switches all faults off."""
        self._ask("/_sandbox/faults", method="DELETE")

    def reset(self) -> None:
        """Makes the sandbox forget all that it took, and its faults."""
        self._ask("/_sandbox/reset", b"")

    def state(self) -> dict[str, Any]:
        """What the sandbox tells of itself."""
        state: dict[str, Any] = self._ask("/_sandbox/state")
        return state

    def distinct(self) -> int:
        """Distinct events accepted, over all apps."""
        return sum(app["usage"]["distinct"] for app in self.state()["apps"].values() if "usage" in app)

    def duplicates(self) -> int:
        """Events accepted more than once."""
        return sum(app["usage"]["duplicates"] for app in self.state()["apps"].values() if "usage" in app)

    def accepted(self) -> set[int]:
        """The numbers of the events that the API accepted."""
        return {number_of(event) for app in self.state()["apps"] for event in self.content("events", app)}

    def content(self, kind: str, app: str) -> Iterator[dict[str, Any]]:
        """What the sandbox holds of an app: its `events`, `users` and so on."""
        offset = 0
        while page := self._ask(f"/_sandbox/{kind}?app={app}&offset={offset}&limit=1000")["items"]:
            yield from page
            offset += len(page)

    def _ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        return ask(self.sandbox, path, body, method, self.https)

    # -- Kafka's side --------------------------------------------------------------------------------------

    def buried(self) -> list[Message]:
        """All messages of the dead-letter topic."""
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "the-test"})
        try:
            parts = [
                TopicPartition(self.dead_letters, p, 0)
                for p in range(self.kafka.partitions(self.dead_letters))
            ]
            left = sum(consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts)
            consumer.assign(parts)
            messages: list[Message] = []
            while len(messages) < left:
                messages += consumer.consume(1000, 1.0)
            return messages
        finally:
            consumer.close()

    def reasons(self) -> Counter[str]:
        """How many dead letters there are, by reason."""
        return Counter(header(message, "bridge.reason") for message in self.buried())

    def committed(self) -> int:
        """The offsets committed for the sink's group, summed over the partitions."""
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.bootstrap, "group.id": f"test-{self.topic}.{self.stream}"}
        )
        try:
            parts = [TopicPartition(self.topic, p) for p in range(self.kafka.partitions(self.topic))]
            return sum(max(0, part.offset) for part in consumer.committed(parts, timeout=10))
        except KafkaException as error:
            if error.args[0].code() not in _NO_COORDINATOR_YET:
                raise
            return 0  # a group that has never committed
        finally:
            consumer.close()

    def set_back(self) -> None:
        """Commits the beginning of the topic for the sink's group, which must have no member."""
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.bootstrap, "group.id": f"test-{self.topic}.{self.stream}"}
        )
        parts = [TopicPartition(self.topic, p, 0) for p in range(self.kafka.partitions(self.topic))]
        consumer.commit(offsets=parts, asynchronous=False)
        consumer.close()

    def delivered(self, count: int) -> None:
        """Waits until the API has this many distinct events."""
        eventually(lambda: self.distinct() >= count, f"{count} events accepted")


def header(message: Message, name: str) -> str:
    """The value of a header, as text; empty if there is none."""
    headers: Any = message.headers() or []
    return next((value.decode() for key, value in headers if key == name), "")
