"""Whether the cluster and we talk, and if not, why."""

from confluent_kafka import KafkaError

from bridge.kafka.refusals import Refusals


class Contact:
    """To be a client's `error_cb`; hears of trouble when the client is polled."""

    def __init__(self) -> None:
        self._refusals = Refusals()
        self.lost = False
        """Whether every broker known was last seen to be down. The client says when that begins and not when
        it ends, so whoever gets an answer from the cluster must call `answered`."""

    def __call__(self, error: KafkaError) -> None:
        """Notes the error if it is about the cluster as a whole."""
        self._refusals(error)
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.lost = True

    def answered(self) -> None:
        """Notes that a broker answered."""
        self.lost = False

    @property
    def trouble(self) -> str | None:
        """Why Kafka and we do not talk; None if we do."""
        return self._refusals.recent or ("no broker answers" if self.lost else None)
