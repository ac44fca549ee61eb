"""What counts as a refusal, in which words, and for how long."""

from confluent_kafka import KafkaError

from bridge.kafka.refusals import RECENT_SECONDS, Refusals


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_counts_for_a_while() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    assert refusals.recent is None
    refusals(KafkaError(KafkaError._AUTHENTICATION, "sasl_ssl://b:1: wrong (after 311ms in state AUTH_REQ)"))
    assert refusals.recent == "sasl_ssl://b:1: wrong"
    clock.now += RECENT_SECONDS - 0.1
    assert refusals.recent == "sasl_ssl://b:1: wrong"
    clock.now += 0.1
    assert refusals.recent is None


def test_what_is_a_refusal() -> None:
    for code, words, counts in (
        (KafkaError._SSL, "SSL handshake failed", True),
        (KafkaError._TRANSPORT, "Receive failed: alert bad certificate: SSL alert number 42", True),
        (KafkaError._TRANSPORT, "Connection refused", False),
        (KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down", False),
    ):
        refusals = Refusals()
        refusals(KafkaError(code, words))
        assert (refusals.recent is not None) == counts, words


def test_what_a_broker_says_is_redacted() -> None:
    refusals = Refusals()
    refusals(KafkaError(KafkaError._AUTHENTICATION, "no ann@example.com, password=hunter2"))
    assert refusals.recent == "no [email], password=[redacted]"
