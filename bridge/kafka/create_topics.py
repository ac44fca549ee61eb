"""Creates the topics that do not exist yet, as their descriptions say."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bridge.core.errors import BridgeError
from bridge.kafka.topics import DeadLetters, InDoubt, OutputTopic, Parked, Topic

# A dead letter is the refused record with headers around it, so its topic takes more than any record topic
# should: brokers default to 1 MiB, and this leaves room for records of nearly 16 MiB where that was raised.
DEAD_LETTER_BYTES = 16 * 1024 * 1024
_MS_PER_HOUR = 3_600_000
_NOTHING: Mapping[str, str] = {}
JOURNAL_PARTITIONS = 6
# The replicas of the bridge share the sources by these; more than there are sources, so that few meet.
CURSOR_PARTITIONS = 12
# A source may remember thousands of ids in one entry.
CURSOR_BYTES = 16 * 1024 * 1024
# Taking over reads all that there is about one source, or one partition of a stream.
_CLEANED_EARLY = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(10 * 60 * 1000),
    "min.cleanable.dirty.ratio": "0.1",
}


def create_missing(
    admin: AdminClient, topics: Iterable[Topic | OutputTopic], replication: int, timeout: float = 30.0
) -> list[str]:
    """Creates what is missing of the topics and of those for records put aside; returns the names created.

    Topics that exist are left as they are. `replication` is the number of copies, -1 for the broker's
    default. `timeout` is in seconds and bounds each of the two questions to the cluster.

    Raises:
        BridgeError: the cluster did not answer, or refused a topic; the message says which and why.
    """
    return create(admin, of_records(topics, replication), timeout)


def create_memory(admin: AdminClient, topic: str, replication: int, timeout: float = 30.0) -> list[str]:
    """As `create_missing`, for a topic in which the bridge remembers something of its own by key.

    Raises:
        BridgeError: as for `create_missing`.
    """
    return create(admin, [of_memory(topic, replication)], timeout)


def of_records(topics: Iterable[Topic | OutputTopic], replication: int) -> list[NewTopic]:
    """What is to be created for these topics and for records of theirs that are put aside."""
    return [new for topic in topics for new in _of(topic, replication)]


def of_journal(topic: str, replication: int) -> NewTopic:
    """What is to be created as delivery journal."""
    return NewTopic(topic, JOURNAL_PARTITIONS, replication, config=_CLEANED_EARLY)


def of_cursors(topic: str, replication: int) -> NewTopic:
    """What is to be created for the cursors of the sources."""
    config = {**_CLEANED_EARLY, "max.message.bytes": str(CURSOR_BYTES)}
    return NewTopic(topic, CURSOR_PARTITIONS, replication, config=config)


def of_memory(topic: str, replication: int) -> NewTopic:
    """What is to be created where the bridge remembers something by key.

    It has one partition, so that what was written is read in the same order, and keeps the newest value of
    each key for ever.
    """
    return NewTopic(topic, 1, replication, config={"cleanup.policy": "compact"})


def create(admin: AdminClient, wanted: Iterable[NewTopic], timeout: float = 30.0) -> list[str]:
    """Creates those of the topics that do not exist; returns their names.

    Raises:
        BridgeError: as for `create_missing`.
    """
    try:
        existing = admin.list_topics(timeout=timeout).topics
    except KafkaException as error:
        raise BridgeError(f"cannot list the topics of the Kafka cluster: {_why(error)}") from error
    missing = {new.topic: new for new in wanted if new.topic not in existing}
    if not missing:
        return []
    futures = admin.create_topics(list(missing.values()), operation_timeout=timeout, request_timeout=timeout)
    return [name for name, future in futures.items() if _created(name, future, timeout)]


def _of(topic: Topic | OutputTopic, replication: int) -> Iterator[NewTopic]:
    if isinstance(topic, OutputTopic):
        # Records bear the time of what they tell of, whatever the broker does elsewhere.
        yield _records(topic, replication, {"message.timestamp.type": "CreateTime"})
        return
    yield _records(topic, replication)
    for aside in (topic.dead_letters, topic.in_doubt, topic.parked):
        if aside is not None:
            yield _aside(aside, replication)


def _records(topic: Topic | OutputTopic, replication: int, more: Mapping[str, str] = _NOTHING) -> NewTopic:
    config = {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_hours * _MS_PER_HOUR),
        **more,
    }
    return NewTopic(topic.topic, topic.partitions, replication, config=config)


def _aside(aside: DeadLetters | InDoubt | Parked, replication: int) -> NewTopic:
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(aside.retention_hours * _MS_PER_HOUR),
        "max.message.bytes": str(DEAD_LETTER_BYTES),
    }
    return NewTopic(aside.topic, aside.partitions, replication, config=config)


def _created(name: str, future: Future[None], timeout: float) -> bool:
    """Waits for one topic; False if another process was quicker, which is as good."""
    try:
        # Longer than the request itself may take, whose own error says more than ours.
        future.result(2 * timeout)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise BridgeError(
            f"cannot create topic {name}: {_why(error)}; create it by hand, or allow the bridge to"
        ) from error
    except FutureTimeout:
        raise BridgeError(f"cannot create topic {name}: no answer within {timeout:g} s") from None
    return True


def _why(error: KafkaException) -> str:
    reason = error.args[0]
    return f"{reason.str()} ({reason.name()})"
