"""The applications that the bridge registered, kept in a compacted topic of its own.

A message is keyed by the application's name and holds `{"name", "app_id", "registered_at"}` as JSON, the last
in ISO 8601 and UTC. The newest message of a name counts; one without a value forgets it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bridge.core.errors import BridgeError
from bridge.kafka.topic_reader import TopicReader
from bridge.telemetry.logs import librdkafka_logger

SECONDS = 30.0  # for a writing, or without progress of a reading; both take milliseconds where all is well
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
        newest: dict[str, Message] = {}
        reader = TopicReader(self._settings, self._topic, patience=self._seconds)
        try:
            if reader.exists():
                for message in reader.news():
                    newest[(message.key() or b"").decode(errors="replace")] = message
        finally:
            reader.close()
        told = {name: (message, message.value()) for name, message in newest.items()}
        return {
            name: self._parsed(value, name, message)
            for name, (message, value) in told.items()
            if value is not None
        }

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
