"""What a compacted topic says in the end: the last word about each record, of each app."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Message

from bridge.core.record import Deletion, Doc
from bridge.core.stream import SinkStream
from bridge.kafka.serde import TopicDecoder


class Word(NamedTuple):
    """The last word about one record: its document, or None if it is gone, and where that was said.

    `millis` is the Kafka timestamp in milliseconds since 1970.
    """

    doc: Doc | None
    partition: int
    offset: int
    millis: int


Words = dict[str, Word]
"""The last words about an app's records, by identity."""


class LastWords:
    """Gathers the last words of the given apps (ids), or of all apps if that is None; some 500 bytes each.

    The identity is the stream's one identifying field, as text without case. Of records that share an
    identity the later one in a partition counts. They should share a partition; where they do not, as
    after partitions were added, the later time counts. `app_of_key` tells the app of a record that cannot be
    read by its key, or None if it cannot.
    """

    def __init__(
        self,
        stream: SinkStream,
        decoder: TopicDecoder,
        app_of_key: Callable[[bytes | None], str | None],
        apps: Collection[str] | None = None,
    ) -> None:
        [self._field] = stream.identity
        self._decoder = decoder
        self._app_of_key = app_of_key
        self._apps = apps
        self._words: dict[str, Words] = {}
        self._refused: dict[tuple[int, bytes | None], int] = {}  # partition and key -> offset

    def add(self, messages: Sequence[Message]) -> None:
        """Takes in messages as they come, each partition in order.

        Raises:
            SchemaRegistryUnavailable: the schema of a record cannot be had now.
        """
        decoded = self._decoder.decode(messages)
        for refused in decoded.refused:
            # Without a value it adds nobody, so nothing can be hidden in it: it takes back what it deletes.
            if refused.origin.value() is not None:
                self._refused[_place(refused.origin)] = _offset(refused.origin)
            else:
                self._refused.pop(_place(refused.origin), None)
        for origin, app, doc in zip(decoded.origins, decoded.apps, decoded.docs, strict=True):
            if self._refused and self._refused.get(_place(origin), _offset(origin)) < _offset(origin):
                del self._refused[_place(origin)]
            if self._apps is None or app in self._apps:
                self._note(self._words.setdefault(app, {}), origin, doc)

    def of(self, app: str) -> Words:
        """The words about an app's records; grows as more is read."""
        return self._words.setdefault(app, {})

    @property
    def apps(self) -> list[str]:
        """The apps that the topic has words about."""
        return [app for app, words in self._words.items() if words]

    def refused(self, app: str) -> int:
        """Records that cannot be read, have no later word with the same key, and may be about this app."""
        return sum(self._app_of_key(key) in (app, None) for _, key in self._refused)

    def _note(self, words: Words, origin: Any, doc: Doc) -> None:
        said = None if isinstance(doc, Deletion) else doc
        word = Word(said, origin.partition(), _offset(origin), origin.timestamp()[1])
        identity = str(doc[self._field]).lower()
        before = words.get(identity)
        if before is None or before.partition == word.partition or before.millis <= word.millis:
            words[identity] = word


def _place(message: Any) -> tuple[int, bytes | None]:
    return message.partition(), message.key()


def _offset(message: Any) -> int:
    return int(message.offset())
