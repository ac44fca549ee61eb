"""Whether the cluster and we talk, as its clients hear of it."""

from confluent_kafka import KafkaError

from bridge.kafka.contact import Contact


def test_contact_is_lost_with_the_last_broker_and_found_with_an_answer() -> None:
    contact = Contact()
    assert contact.trouble is None
    contact(KafkaError(KafkaError._TRANSPORT, "one of them is down"))
    assert contact.trouble is None
    contact(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert contact.trouble == "no broker answers"
    contact.answered()
    assert contact.trouble is None


def test_why_a_broker_refuses_us_says_more() -> None:
    contact = Contact()
    contact(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    contact(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    assert contact.trouble == "wrong password"
