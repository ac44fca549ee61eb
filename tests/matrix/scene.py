"""Where a cell is played: topics, a sandbox API and bridges of its own."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from bridge.sandbox import SandboxConfig, SandboxServer
from tests.flows.process import BridgeProcess, balanced, eventually
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster
from tests.matrix.answers import LONGEST_BACKOFF, READ_SECONDS
from tests.matrix.api import Api
from tests.matrix.records import STREAMS, Place, Record
from tests.matrix.watch import BROKER_SECONDS, KAFKA_SECONDS, PARKED, Watch

PARTITIONS = 3  # an odd number, so that two members never have the same
BATCH_RECORDS = 10
IN_FLIGHT = 4
LATENCY_SECONDS = 0.05  # of each answer, so that something is under way at any moment
SESSION_MS = 8000  # 45 s by default; shorter ones end by themselves where the machine is busy
SOCKET_MS = 5000  # 60 s by default; so long a commit waits that was under way when the broker went


class Scene:
    """One cell's Kafka topics and bridges, with its `api` and a `watch` on all of it."""

    def __init__(
        self, kafka: Cluster[Broker], api: Api, folder: Path, streams: Sequence[str] = STREAMS
    ) -> None:
        self.kafka = kafka
        self.api = api
        self.streams = streams
        self.bridges: list[BridgeProcess] = []
        self._made = 0
        self._folder = folder
        # What is parked of a stream is a stream of its own, with a group of its own.
        names = [*streams, *(f"{stream}{PARKED}" for stream in streams)]
        self._topics = {name: kafka.create_topic(name, PARTITIONS) for name in names}
        self._dead = kafka.create_topic("dead", 1)
        self._in_doubt = kafka.create_topic("in-doubt", 1)
        self._journal = kafka.create_topic("journal", 1, cleanup_policy="compact")
        self._prefix = kafka.unique("cell")
        groups = {name: f"{self._prefix}.{name}" for name in names}
        aside = (self._dead, self._in_doubt)
        self.watch = Watch(kafka.bootstrap, self._topics, groups, PARTITIONS, *aside, api)
        self._producer = self._new_producer()

    def _new_producer(self) -> Producer:
        # Idempotent, so that records stay where they should be when the broker goes.
        bootstrap = {"bootstrap.servers": self.kafka.bootstrap}
        return Producer({**bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0})

    def close(self) -> None:
        """Ends the bridges and removes the topics, so that a broker serves many cells."""
        for bridge in self.bridges:
            bridge.close()
        self.watch.close()
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
        topics = [*self._topics.values(), self._dead, self._in_doubt, self._journal]
        for deleted in admin.delete_topics(topics).values():
            deleted.result(KAFKA_SECONDS)

    def bridge(self) -> BridgeProcess:
        """One more bridge, not started yet."""
        settings = self._settings()
        streams = [*settings["sinks"], *settings.get("sources", ())]
        made = BridgeProcess(self._folder, f"bridge-{self._made}", streams, settings)
        self._made += 1
        self.bridges.append(made)
        return made

    def write_metrics(self) -> None:
        """Puts what each bridge tells of itself beside its log, to be read when it has not recovered."""
        for bridge in self.bridges:
            bridge.log.with_suffix(".metrics").write_bytes(bridge.metrics())

    def end(self) -> list[str]:
        """Ends the bridges in order; returns the books that do not balance. All must be settled before."""
        wrongs = []
        for bridge in self.bridges:
            assert bridge.running, "a bridge has ended by itself"
            try:
                eventually(lambda bridge=bridge: bridge.status("/readyz")[0] == 200, "it is ready")  # type: ignore[misc]
            except AssertionError as error:
                wrongs.append(f"{bridge.name}: {error}: {bridge.status('/readyz')[1]}")
            all_books = {stream: bridge.books(stream) for stream in self._topics}
            wrongs += [
                f"books of {stream}: {books}"
                for stream, books in all_books.items()
                if not balanced(books) or books["outstanding"]
            ]
            assert bridge.stop() == 0, "a bridge did not end in order"
        return wrongs

    def _sink(self, stream: str) -> dict[str, Any]:
        return {
            "topic": self._topics[stream],
            "dead_letter_topic": self._dead,
            "in_doubt_topic": self._in_doubt,
            "parked_topic": self._topics[f"{stream}{PARKED}"],
            "format": "json",
            "batch": {"max_records": BATCH_RECORDS, "max_age_seconds": 0.2},
            "in_flight": IN_FLIGHT,
            "in_flight_per_app": 2,
            "backoff": {"initial_seconds": 0.05, "max_seconds": LONGEST_BACKOFF},
            "commit_interval_seconds": 0.1,
            "revoke_deadline_seconds": 4 * READ_SECONDS,
        }

    def _settings(self) -> dict[str, Any]:
        return {
            "productiv": {
                "api_url": self.api.url,
                "token_url": f"{self.api.url}/oauth2/token",
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
            "sinks": {stream: self._sink(stream) for stream in self.streams},
            "http": {"host": "127.0.0.1", "port": 0},
        }

    def produce(self, records: Iterable[tuple[Place, Record]]) -> None:
        """Puts records where the oracle wants them."""
        left = list(records)
        while left := self._tried(left):
            # A client may have lost all brokers for good when the only one went (`bridge.kafka.lifeline`).
            self._producer = self._new_producer()
            ends = {place[:2]: self.watch.end(self._topics[place[0]], place[1]) for place, _ in left}
            left = [(place, record) for place, record in left if place[2] >= ends[place[:2]]]

    def _tried(self, records: Sequence[tuple[Place, Record]]) -> list[tuple[Place, Record]]:
        """Those of which nobody knows whether they are on the topic, after a long time."""
        landed: dict[Place, Place] = {}
        for place, record in records:
            stream, partition, _ = place

            def done(error: Any, message: Any, place: Place = place) -> None:
                assert error is None, error
                landed[place] = (place[0], message.partition(), message.offset())

            self._producer.produce(
                self._topics[stream], record.value, record.key.encode(), partition, on_delivery=done
            )
            self._producer.poll(0)
        self._producer.flush(BROKER_SECONDS)
        astray = [place for place, at in landed.items() if place != at]
        assert not astray, f"records are not where they should be, such as {astray[0]}"
        return [(place, record) for place, record in records if place not in landed]


@contextmanager
def scene(kafka: Cluster[Broker], folder: Path, apps: Sequence[str]) -> Iterator[Scene]:
    """A scene for as long as the block lasts."""
    with SandboxServer(SandboxConfig(latency_seconds=LATENCY_SECONDS)) as sandbox:
        made = Scene(kafka, Api(sandbox, apps), folder)
        try:
            yield made
        finally:
            made.close()
