"""Raw librdkafka settings pass through, except those that the guarantees rest on."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from bridge.config import load
from bridge.config.kafka import REFUSED
from bridge.core.errors import ConfigError
from bridge.kafka import consumer, dead_letters

from .conftest import ConfigFile, mistakes


@pytest.mark.parametrize("section", ["settings", "settings_files"])
@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_the_guarantees_rest_on_are_refused_with_the_reason(
    file: ConfigFile, section: str, name: str
) -> None:
    expected = f"kafka.{section}.{name}: this cannot be set: {REFUSED[name]}; remove it"
    assert file.mistakes(f"kafka:\n  {section}:\n    {name}: x") == [f"bridge.yaml:3: {expected}"]
    variable = f"BRIDGE_KAFKA__{section}__{name.replace('.', '_')}".upper()
    assert mistakes(None, {variable: "x"}) == [f"environment variable {variable}: {expected}"]


@pytest.mark.parametrize("fixed", [consumer.FIXED, dead_letters.FIXED], ids=["consumer", "dead letters"])
def test_whatever_a_client_fixes_is_refused(fixed: Mapping[str, object]) -> None:
    assert fixed.keys() <= REFUSED.keys()


@pytest.mark.parametrize(
    "name", ["Acks", "enable_auto_commit", "stats_cb", "on commit", ".acks", "acks.", "a..b", "''"]
)
def test_names_that_librdkafka_cannot_have_are_refused(file: ConfigFile, name: str) -> None:
    (message,) = file.mistakes(f"kafka:\n  settings:\n    {name}: x")
    assert message.endswith(
        "this is no name of a librdkafka setting; those are words in lower case with dots between them"
    )


def test_all_that_is_refused_is_told_at_once(file: ConfigFile) -> None:
    messages = file.mistakes("kafka:\n  settings:\n    acks: x\n    group.id: x\n  settings_files: {acks: x}")
    assert [message.split(": ")[1] for message in messages] == [
        "kafka.settings.acks",
        "kafka.settings.group.id",
        "kafka.settings_files.acks",
    ]


def test_what_a_client_starts_from(file: ConfigFile, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    kafka = file.load(
        f"kafka: "
        f"{{bootstrap_servers: a:1, settings: {{client.id: x, enable.sasl.oauthbearer.unsecure.jwt: false}}, "
        f"settings_files: {{sasl.password: {secret}}}}}"
    ).kafka
    assert kafka.client_settings() == {
        "bootstrap.servers": "a:1",
        "client.id": "x",
        "enable.sasl.oauthbearer.unsecure.jwt": "false",
        "reconnect.backoff.max.ms": "10000",
        "reconnect.backoff.ms": "1000",
        "sasl.password": "hunter2",
        "topic.metadata.refresh.interval.ms": "10000",
    }
    secret.write_text("rotated\n")
    assert kafka.client_settings()["sasl.password"] == "rotated"
    secret.unlink()
    with pytest.raises(
        ConfigError, match=r"^kafka\.settings_files\.sasl\.password: cannot read the file .*/secret: No such"
    ):
        kafka.client_settings()


def test_how_connections_are_tried_again_is_the_users_choice(file: ConfigFile) -> None:
    kafka = file.load("kafka: {bootstrap_servers: a:1, settings: {reconnect.backoff.max.ms: 500}}").kafka
    assert kafka.client_settings() == {
        "bootstrap.servers": "a:1",
        "reconnect.backoff.max.ms": "500",
        "topic.metadata.refresh.interval.ms": "10000",
    }


def test_real_clients_take_what_passes_through() -> None:
    environ = {
        "BRIDGE_KAFKA__SETTINGS": '{"socket.timeout.ms": 60000, "enable.ssl.certificate.verification": true}'
    }
    settings = load(None, environ).kafka.client_settings()
    # Clients ignore each other's settings, so one set serves for both.
    Producer(settings).flush(0)
    Consumer({**settings, "group.id": "x"}).close()


def test_the_poll_interval_is_librdkafkas_unless_set() -> None:
    assert load(None, {}).kafka.max_poll_interval_seconds == 300
