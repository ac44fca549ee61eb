"""Where a cell is played: topics, a sandbox API and bridges of its own, and eyes on all of them."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bridge.sandbox import SandboxConfig, SandboxServer
from tests.flows.process import BridgeProcess
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.answers import LONGEST_BACKOFF, READ_SECONDS
from tests.matrix.oracle import STREAMS, Person, Place, Record, Seen

PARTITIONS = 3  # an odd number, so that two members never have the same
BATCH_RECORDS = 10
IN_FLIGHT = 4
LATENCY_SECONDS = 0.05  # of each answer, so that something is under way at any moment
SESSION_MS = 3000  # 45 s by default
SOCKET_MS = 5000  # 60 s by default; so long a commit waits that was under way when the broker went
KAFKA_SECONDS = 30.0

Document = dict[str, Any]


class Scene:
    """One cell's Kafka topics, sandbox and bridges. `apps` are those that records are about."""

    def __init__(
        self, kafka: Cluster[Broker], sandbox: SandboxServer, folder: Path, apps: Iterable[str]
    ) -> None:
        self.kafka = kafka
        self.sandbox = sandbox
        self.sandbox_is_off = False
        self.bridges: list[BridgeProcess] = []
        self._folder = folder
        self._apps = list(apps)
        self.topics = {stream: kafka.create_topic(stream, PARTITIONS) for stream in STREAMS}
        self._dead = kafka.create_topic("dead", 1)
        self._in_doubt = kafka.create_topic("in-doubt", 1)
        self._journal = kafka.create_topic("journal", 1, cleanup_policy="compact")
        self._prefix = kafka.unique("cell")
        self._groups = {s: self._consumer(f"{self._prefix}.{s}") for s in STREAMS}
        self._aside: dict[str, list[Place]] = {self._dead: [], self._in_doubt: []}
        self._reader = self._consumer("the-matrix")
        self._reader.assign([TopicPartition(topic, 0, 0) for topic in self._aside])

    def _consumer(self, group: str) -> Consumer:
        return Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": group, "log_level": 0})

    def close(self) -> None:
        """Ends the bridges and removes the topics, so that a broker serves many cells."""
        for bridge in self.bridges:
            bridge.close()
        for consumer in (*self._groups.values(), self._reader):
            consumer.close()
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
        for deleted in admin.delete_topics([*self.topics.values(), *self._aside, self._journal]).values():
            deleted.result(KAFKA_SECONDS)

    # -- what is done --------------------------------------------------------------------------------------

    def bridge(self) -> BridgeProcess:
        """One more bridge, not started yet."""
        made = BridgeProcess(self._folder, f"bridge-{len(self.bridges)}", STREAMS, self._settings())
        self.bridges.append(made)
        return made

    def _sink(self, stream: str) -> dict[str, Any]:
        return {
            "topic": self.topics[stream],
            "dead_letter_topic": self._dead,
            "in_doubt_topic": self._in_doubt,
            "format": "json",
            "batch": {"max_records": BATCH_RECORDS, "max_age_seconds": 0.2},
            "in_flight": IN_FLIGHT,
            "in_flight_per_app": 2,
            "backoff": {"initial_seconds": 0.05, "max_seconds": LONGEST_BACKOFF},
            "commit_interval_seconds": 0.1,
            "revoke_deadline_seconds": 2 * READ_SECONDS,
        }

    def _settings(self) -> dict[str, Any]:
        return {
            "productiv": {
                "api_url": self.sandbox.url,
                "token_url": f"{self.sandbox.url}/oauth2/token",
                "client_id": "sandbox",
                "client_secret": "sandbox-secret",
                "timeouts": {"read_seconds": READ_SECONDS},
            },
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap,
                "group_prefix": self._prefix,
                "create_topics": False,
                "journal_topic": self._journal,
                "settings": {
                    "session.timeout.ms": SESSION_MS,
                    "heartbeat.interval.ms": 500,
                    "socket.timeout.ms": SOCKET_MS,
                },
            },
            "sinks": {stream: self._sink(stream) for stream in STREAMS},
            "http": {"host": "127.0.0.1", "port": 0},
        }

    def produce(self, records: Iterable[tuple[Place, Record]]) -> None:
        """Puts records where the oracle wants them."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "acks": "all", "linger.ms": 5})
        landed: dict[tuple[str, int, int], Place] = {}
        wanted: list[Place] = []
        for (stream, partition, offset), record in records:
            wanted.append((stream, partition, offset))

            def done(error: Any, message: Any, stream: str = stream, offset: int = offset) -> None:
                assert error is None, error
                landed[stream, message.partition(), offset] = (stream, message.partition(), message.offset())

            producer.produce(
                self.topics[stream], record.value, record.key.encode(), partition, on_delivery=done
            )
        producer.flush(KAFKA_SECONDS)
        assert [landed.get(place) for place in wanted] == wanted, "records are not where they should be"

    def reset_offsets(self, offsets: dict[tuple[str, int], int]) -> None:
        """Commits these offsets for the groups, which must have no member."""
        for stream, consumer in self._groups.items():
            parts = [TopicPartition(self.topics[s], p, at) for (s, p), at in offsets.items() if s == stream]
            consumer.commit(offsets=parts, asynchronous=False)

    def switch_off(self) -> None:
        """Takes the API from the network: connections are refused."""
        self.sandbox.stop()
        self.sandbox_is_off = True

    def switch_on(self) -> None:
        """Brings it back, with all that it knew."""
        self.sandbox.start()
        self.sandbox_is_off = False

    def fault(self, **fault: Any) -> None:
        """Switches a fault of the sandbox on."""
        self._ask("/_sandbox/faults", json.dumps(fault).encode())

    def clear_faults(self) -> None:
        """Switches all faults off."""
        self._ask("/_sandbox/faults", method="DELETE")

    # -- what is seen --------------------------------------------------------------------------------------

    def seen(self) -> Seen:
        """What there is now. Offsets come first: what is before them must be settled in all that follows."""
        committed = self.committed()
        aside = self._set_aside()
        return Seen(
            committed,
            usage=[(app, event) for app, event in self._content("events")],
            spend=[(app, item["record"]) for app, item in self._content("spend")],
            users={_person(app, user): user for app, user in self._content("users")},
            dead=aside[self._dead],
            in_doubt=aside[self._in_doubt],
        )

    def committed(self) -> dict[tuple[str, int], int]:
        """The offsets committed by stream and partition; nothing for those that have none yet."""
        return {
            (stream, part.partition): part.offset
            for stream in STREAMS
            for part in self._committed_of(stream)
            if part.offset >= 0
        }

    def _committed_of(self, stream: str) -> list[TopicPartition]:
        parts = [TopicPartition(self.topics[stream], number) for number in range(PARTITIONS)]
        until = time.monotonic() + KAFKA_SECONDS
        while True:
            try:
                return self._groups[stream].committed(parts, timeout=KAFKA_SECONDS)
            except KafkaException:  # a broker that has just started does not know its groups yet
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def fired(self) -> int:
        """How often a fault struck since they were last cleared."""
        return sum(fault["fired"] for fault in self._ask("/_sandbox/faults")["faults"])

    def _set_aside(self) -> dict[str, Counter[Place]]:
        """What stands on the dead-letter and the in-doubt topic."""
        while self._reader_is_behind():
            for message in self._reader.consume(1000, 0.05):
                topic: Any = message.topic()
                if message.error() is not None:
                    raise KafkaException(message.error())
                self._aside[topic].append(self._origin(message))
        return {topic: Counter(places) for topic, places in self._aside.items()}

    def _reader_is_behind(self) -> bool:
        # Asked with a client that fetches nothing: the question would wait behind the fetch.
        ask = self._groups["usage"].get_watermark_offsets
        ends = {topic: ask(TopicPartition(topic, 0), KAFKA_SECONDS) for topic in self._aside}
        return any(len(self._aside[topic]) < end for topic, (_, end) in ends.items())

    def _origin(self, message: Any) -> Place:
        told = {name: value.decode() for name, value in message.headers() or []}
        streams = {topic: stream for stream, topic in self.topics.items()}
        stream = streams.get(told["bridge.topic"], told["bridge.topic"])
        return stream, int(told["bridge.partition"]), int(told["bridge.offset"])

    def _content(self, kind: str) -> Iterator[tuple[str, Document]]:
        for app in self._apps:
            page = self._ask(f"/_sandbox/{kind}?app={app}&limit=10000")
            assert page["next_offset"] is None, "a cell has fewer records"
            yield from ((app, item) for item in page["items"])

    def _ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        request = urllib.request.Request(self.sandbox.url + path, body, method=method)
        with urllib.request.urlopen(request, timeout=KAFKA_SECONDS) as answer:
            return json.load(answer)


def _person(app: str, user: Document) -> Person:
    return app, user["email"]


@contextmanager
def scene(kafka: Cluster[Broker], folder: Path, apps: Iterable[str]) -> Iterator[Scene]:
    """A scene for as long as the block lasts."""
    with SandboxServer(SandboxConfig(latency_seconds=LATENCY_SECONDS)) as sandbox:
        made = Scene(kafka, sandbox, folder, apps)
        try:
            yield made
        finally:
            made.close()
