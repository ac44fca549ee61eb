"""Credentials that rotate reach the clients that live, and those that are made later."""

import gc
import threading
from typing import Any

from confluent_kafka import Consumer

from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.parking import KafkaParking
from bridge.kafka.rotation import LIVE, FollowingConsumer, RotatingSettings

NOWHERE = {
    "bootstrap.servers": "127.0.0.1:1",
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "log_level": "0",
}


class Client:
    """Notes what it is told."""

    def __init__(self, told: list[tuple[str, str]]) -> None:
        self._told = told

    def set_sasl_credentials(self, username: str, password: str) -> None:
        self._told.append((username, password))


class Source:
    """What the configuration gives; `password` may change."""

    def __init__(self, password: str | None = "first") -> None:
        self.password = password
        self.more: dict[str, str] = {}

    def __call__(self) -> dict[str, str]:
        known = {"sasl.username": "me", **self.more}
        return known if self.password is None else {**known, "sasl.password": self.password}


def followed(source: Source) -> tuple[RotatingSettings, Client, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    settings, client = RotatingSettings(source), Client(told)
    settings.follow(client)
    told.clear()
    return settings, client, told


def test_a_new_password_reaches_those_who_follow() -> None:
    source = Source()
    settings, _client, told = followed(source)
    assert settings.refresh() == set()
    assert not told
    source.password = "second"
    assert settings.refresh() == {"sasl.password"} <= LIVE
    assert told == [("me", "second")]
    assert {**settings}["sasl.password"] == "second"


def test_who_comes_late_is_told_at_once() -> None:
    """It may have been made from what the settings were a moment before."""
    source = Source()
    settings = RotatingSettings(source)
    source.password = "second"
    settings.refresh()
    told: list[tuple[str, str]] = []
    settings.follow(Client(told))
    assert told == [("me", "second")]


def test_whoever_asks_how_far_parked_records_are_delivered_follows() -> None:
    source = Source()
    settings = RotatingSettings(source)
    parking = KafkaParking(settings, "parked", "group", "journal", JournalFormat("group", "records"))
    told: list[tuple[str, str]] = []
    parking._asking.set_sasl_credentials = lambda *new: told.append(new)  # type: ignore[method-assign]
    source.password = "second"
    settings.refresh()
    assert told == [("me", "second")]


def test_other_settings_are_for_new_clients() -> None:
    source = Source()
    settings, _client, told = followed(source)
    source.more = {"ssl.key.password": "x"}
    assert settings.refresh() == {"ssl.key.password"}
    assert not told
    assert settings["ssl.key.password"] == "x"


def test_without_a_password_nobody_is_told() -> None:
    source = Source(password=None)
    settings, _client, told = followed(source)
    source.more = {"sasl.username": "you"}
    settings.refresh()
    assert not told


def test_who_is_gone_is_not_kept() -> None:
    source = Source()
    settings, client, told = followed(source)
    del client
    gc.collect()
    source.password = "second"
    settings.refresh()
    assert not told


def test_a_closed_client_does_no_harm() -> None:
    source = Source()
    settings = RotatingSettings(lambda: {**NOWHERE, **source()})
    consumer = FollowingConsumer(settings, {"group.id": "g"})
    consumer.close()
    source.password = "second"
    assert settings.refresh() == {"sasl.password"}


def test_a_consumer_that_is_busy_holds_up_no_producer() -> None:
    """A rebalance waits for producers within a poll, and the poll holds the consumer."""
    told: list[str] = []
    done = threading.Event()

    class Busy(Consumer):
        def set_sasl_credentials(self, username: str, password: str) -> None:
            done.wait(30)
            told.append("consumer")

    class Quick(Client):
        def set_sasl_credentials(self, username: str, password: str) -> None:
            told.append("producer")

    source = Source()
    settings = RotatingSettings(source)
    # In both orders, as nobody knows in which the clients stand.
    clients: list[Any] = [Quick([]), Busy({**NOWHERE, **source(), "group.id": "g"}), Quick([])]
    done.set()
    for client in clients:
        settings.follow(client)
    told.clear()
    done.clear()
    source.password = "second"
    thread = threading.Thread(target=settings.refresh)
    thread.start()
    late = Quick([])
    settings.follow(late)
    done.set()
    thread.join(30)
    assert told[-1] == "consumer"
    assert told.count("producer") == 3
