"""The applications that the bridge registered, kept in a compacted topic of its own.

A message is keyed by the application's name and holds `{"name", "app_id", "registered_at"}` as JSON, the last
in ISO 8601 and UTC. The newest message of a name counts; one without a value forgets it.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from bridge.core.errors import BridgeError
from bridge.kafka.refusals import Refusals
from bridge.telemetry.logs import librdkafka_logger

SECONDS = 30.0  # for the whole of a reading or a writing; both take milliseconds where the cluster is well
_CHUNK = 1000
_WAIT_SECONDS = 0.05

READING: dict[str, str | bool] = {
    "group.id": "productiv-bridge.reader",  # librdkafka wants one; nothing is ever committed under it
    "enable.auto.commit": False,
    "enable.partition.eof": True,  # tells that all there is has been read, also past compacted offsets
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
}
WRITING: dict[str, str | int | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "message.timeout.ms": int(SECONDS * 1000),
}


@dataclass(frozen=True, slots=True)
class RegisteredApp:
    """One application: the name on the topics, its id at Productiv, and when the bridge learnt of it."""

    name: str
    app_id: str
    registered_at: str


class RegisteredApps:
    """The topic, read as a whole and written one application at a time. `settings` are librdkafka's."""

    def __init__(self, settings: Mapping[str, Any], topic: str, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._topic = topic
        self._seconds = seconds

    def read(self) -> dict[str, RegisteredApp]:
        """All applications by name; none where the topic does not exist.

        Raises:
            BridgeError: Kafka does not answer in time, or the topic holds something else.
        """
        refusals = Refusals()
        told = {**self._settings, **READING, "error_cb": refusals}
        consumer = Consumer(told, logger=librdkafka_logger())
        try:
            return self._read(consumer, time.monotonic() + self._seconds)
        except KafkaException as error:
            consumer.poll(0)  # which tells `refusals`
            why = refusals.recent or error.args[0].str()
            raise BridgeError(f"cannot read topic {self._topic}: {why}") from None
        finally:
            consumer.close()

    def check(self) -> None:
        """Makes sure that there is something to write to.

        Raises:
            BridgeError: the topic does not exist, or Kafka does not answer.
        """
        producer = Producer({**self._settings, **WRITING}, logger=librdkafka_logger())
        try:
            exists = self._topic in producer.list_topics(timeout=self._seconds).topics
        except KafkaException as error:
            raise BridgeError(f"cannot list the topics of the Kafka cluster: {error.args[0].str()}") from None
        if not exists:
            raise BridgeError(
                f"topic {self._topic} does not exist; create it with cleanup.policy=compact and one "
                "partition, or set kafka.create_topics"
            )

    def write(self, app: RegisteredApp) -> None:
        """Returns once every replica that counts has it.

        Raises:
            BridgeError: it is not written, or nobody knows.
        """
        errors: list[KafkaError] = []
        producer = Producer({**self._settings, **WRITING}, logger=librdkafka_logger())
        try:
            producer.produce(
                self._topic,
                orjson.dumps(asdict(app)),
                app.name.encode(),
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )
        except KafkaException as error:
            errors.append(error.args[0])
        unsent = producer.flush(self._seconds + 5)
        if errors or unsent:
            why = errors[0].str() if errors else "no answer"
            raise BridgeError(
                f"app {app.name!r} has the id {app.app_id!r} at Productiv, but topic {self._topic} did not "
                f"take it: {why}; set apps.names to this id, or run `apps register` again"
            )

    def _read(self, consumer: Consumer, deadline: float) -> dict[str, RegisteredApp]:
        found = consumer.list_topics(timeout=self._seconds).topics.get(self._topic)
        apps: dict[str, RegisteredApp] = {}
        if found is None:
            return apps
        unread, trouble = set(found.partitions), ""
        consumer.assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING) for partition in unread])
        while unread:
            if time.monotonic() > deadline:
                raise BridgeError(f"topic {self._topic} cannot be read within {self._seconds:g} s: {trouble}")
            for message in consumer.consume(_CHUNK, _WAIT_SECONDS):
                if (error := message.error()) is None:
                    self._take(message, apps)
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition() or 0)
                else:
                    trouble = error.str()  # most go away by themselves; this one may not
        return apps

    def _take(self, message: Message, apps: dict[str, RegisteredApp]) -> None:
        name = (message.key() or b"").decode(errors="replace")
        apps.pop(name, None)
        if (value := message.value()) is not None:
            apps[name] = self._parsed(value, name, message)

    def _parsed(self, value: bytes, name: str, message: Message) -> RegisteredApp:
        try:
            app = RegisteredApp(**orjson.loads(value))
        except (TypeError, ValueError):
            app = None
        if app is None or app.name != name or not isinstance(app.app_id, str) or not app.app_id:
            raise BridgeError(
                f"topic {self._topic}, partition {message.partition()}, offset {message.offset()}: this is "
                "no registered application; write a message with the same key and no value, or name another "
                "topic in apps.topic"
            )
        return app
