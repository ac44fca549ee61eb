"""What dead letters hold, as far as it can be read: nobody promises that they are records of their stream."""

from collections.abc import Collection, Mapping

from confluent_kafka import Message

from bridge.core.record import Doc
from bridge.core.stream import SinkStream
from bridge.kafka.apps import Apps
from bridge.kafka.deletion_keys import named_app
from bridge.kafka.refusal import Refusal, undecodable
from bridge.kafka.serde import Wire
from bridge.kafka.topics import Topic


class Contents:
    """Reads letters of a topic. `names` maps apps to Productiv app ids."""

    def __init__(self, stream: SinkStream, topic: Topic, wire: Wire, names: Mapping[str, str]) -> None:
        self._deletions = stream.deletions is not None
        self._wire = wire
        self._apps = Apps(topic.app, names)
        self._names = names

    def record(self, message: Message) -> Doc:
        """The record as it was sent, whether or not it is one of its stream.

        Raises:
            Refusal: it cannot be read as a record of any kind.
        """
        value = message.value()
        if not value:
            raise undecodable("the record has no value")
        record = self._wire.read_one(message, value)
        if not isinstance(record, dict):
            raise undecodable("the record is not an object with fields")
        return record

    def app(self, message: Message) -> str | None:
        """What the record says of its app, whether or not that is one; None if it says nothing readable."""
        if message.value() is None and self._deletions:
            return named_app(message.key(), {})
        try:
            record = self.record(message)
        except Refusal:
            record = {}
        return self.app_in(message, record)

    def app_in(self, message: Message, record: Doc) -> str | None:
        """The same, if this is the record in the message."""
        return self._apps.named(message, record)

    def is_about(self, message: Message, apps: Collection[str]) -> bool:
        """Whether it is about one of these apps, given by name or by app id."""
        said = self.app(message)
        return said is not None and self._id(said) in {self._id(app) for app in apps}

    def _id(self, name: str) -> str:
        return self._names.get(name, name)
