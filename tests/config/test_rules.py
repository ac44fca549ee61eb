"""Settings that are fine alone and wrong together, and values outside what can work."""

import pytest

from bridge.config import Kafka, Settings, Sink
from bridge.config.fields import Rule, RulesBroken, refuse_broken

from .conftest import ConfigFile

BROKEN = {
    "id twice": (
        "productiv:\n  client_id: a\n  client_id_file: b",
        "3: productiv.client_id_file: client_id and client_id_file are both given; remove one of them",
    ),
    "secret twice": (
        "productiv:\n  client_secret_file: a\n  client_secret: b",
        "2: productiv.client_secret_file: client_secret and client_secret_file are both given; remove one "
        "of them",
    ),
    "no copies": (
        "kafka:\n  replication_factor: 0",
        "2: kafka.replication_factor: 0 copies of a topic are none; use 1 or more, or -1",
    ),
    "poll interval in words": (
        "kafka:\n  settings:\n    max.poll.interval.ms: soon",
        "3: kafka.settings.max.poll.interval.ms: max.poll.interval.ms is not a whole number of milliseconds",
    ),
    "setting and file": (
        "kafka:\n  settings:\n    sasl.password: a\n  settings_files:\n    sasl.password: b",
        "5: kafka.settings_files.sasl.password: sasl.password is given in settings and in settings_files; "
        "remove one of "
        "them",
    ),
    "registry password twice": (
        "schema_registry:\n  url: http://r\n  username: u\n  password: a\n  password_file: b",
        "5: schema_registry.password_file: password and password_file are both given; remove one of them",
    ),
    "registry user without password": (
        "schema_registry:\n  url: http://r\n  username: u",
        "3: schema_registry.username: username is given without a password; set password or password_file",
    ),
    "registry password without user": (
        "schema_registry:\n  url: http://r\n  password: a",
        "3: schema_registry.password: a password is given without username; set username",
    ),
    "registry password file without user": (
        "schema_registry:\n  url: http://r\n  password_file: a",
        "3: schema_registry.password_file: a password is given without username; set username",
    ),
    "registry user without address": (
        "schema_registry:\n  username: u\n  password: a",
        "2: schema_registry.username: this is set, but schema_registry.url is not; set url or remove this",
    ),
    "registry authority without address": (
        "schema_registry:\n  ca_file: a",
        "2: schema_registry.ca_file: this is set, but schema_registry.url is not; set url or remove this",
    ),
    "registry certificate without address": (
        "schema_registry:\n  client_certificate_file: a",
        "2: schema_registry.client_certificate_file: this is set, but schema_registry.url is not; set url or "
        "remove this",
    ),
    "registry key without certificate": (
        "schema_registry:\n  url: https://r\n  client_key_file: a",
        "3: schema_registry.client_key_file: client_key_file is given without client_certificate_file; set "
        "that too",
    ),
    "key without certificate": (
        "productiv:\n  client_key_file: a",
        "2: productiv.client_key_file: client_key_file is given without client_certificate_file; set that "
        "too",
    ),
    "registry format without registry": (
        "sinks:\n  usage:\n    format: avro_registry",
        "3: sinks.usage.format: format avro_registry needs a schema registry; set schema_registry.url",
    ),
    "all apps unknown": (
        "apps:\n  unknown: dead_letter",
        "2: apps.unknown: with unknown: dead_letter and no names, every record would be a dead letter; "
        "add apps.names or applications",
    ),
    "field without name": (
        "sinks:\n  usage:\n    app: {from: field}",
        "3: sinks.usage.app.from: from: field needs the field's name; set name",
    ),
    "header without name": (
        "sinks:\n  usage:\n    app: {from: header}",
        "3: sinks.usage.app.from: from: header needs the header's name; set name",
    ),
    "key with name": (
        "sinks:\n  usage:\n    app: {from: key, name: a}",
        "3: sinks.usage.app.name: from: key has no name; remove it",
    ),
    "constant without value": (
        "sinks:\n  usage:\n    app: {from: constant}",
        "3: sinks.usage.app.from: from: constant needs the app; set value",
    ),
    "key with value": (
        "sinks:\n  usage:\n    app: {from: key, value: a}",
        "3: sinks.usage.app.value: from: key has no value; remove it",
    ),
    "backoff": (
        "sinks:\n  usage:\n    backoff:\n      max_seconds: 0.25",
        "4: sinks.usage.backoff.max_seconds: initial_seconds (0.5) is more than max_seconds (0.25); lower "
        "initial_seconds or raise max_seconds",
    ),
    "per app more than all": (
        "sinks:\n  usage:\n    in_flight_per_app: 17",
        "3: sinks.usage.in_flight_per_app: in_flight_per_app (17) is more than in_flight (16); lower "
        "in_flight_per_app "
        "or raise in_flight",
    ),
    "all less than per app": (
        "sinks:\n  usage:\n    in_flight: 3",
        "3: sinks.usage.in_flight: in_flight_per_app (4) is more than in_flight (3); lower "
        "in_flight_per_app or raise "
        "in_flight",
    ),
    "no room for a batch": (
        "sinks:\n  usage:\n    max_outstanding_records: 999",
        "3: sinks.usage.max_outstanding_records: batch.max_records (1000) is more than "
        "max_outstanding_records (999); "
        "lower batch.max_records or raise max_outstanding_records",
    ),
    "no room for the bytes of a batch": (
        "sinks:\n  usage:\n    max_record_bytes: 1024\n    max_outstanding_bytes: 999999",
        "4: sinks.usage.max_outstanding_bytes: batch.max_bytes (1000000) is more than "
        "max_outstanding_bytes (999999); "
        "lower batch.max_bytes or raise max_outstanding_bytes",
    ),
    "no room for a record": (
        "sinks:\n  usage:\n    max_record_bytes: 67108865",
        "3: sinks.usage.max_record_bytes: max_record_bytes (67108865) is more than max_outstanding_bytes "
        "(67108864); "
        "lower max_record_bytes or raise max_outstanding_bytes",
    ),
    "dead letters read again": (
        "sinks:\n  usage:\n    dead_letter_topic: a\n    topic: a",
        "3: sinks.usage.dead_letter_topic: dead_letter_topic is the topic that is read, so dead letters "
        "would come back "
        "for ever; name another",
    ),
    "parked records delivered for ever": (
        "sinks:\n  usage:\n    parked_topic: a\n    dead_letter_topic: a",
        "3: sinks.usage.parked_topic: parked_topic is used for something else, so it would be delivered for "
        "ever or lost from sight; name another",
    ),
    "too few connections": (
        "productiv:\n  max_connections: 15",
        "2: productiv.max_connections: in_flight (16) is more than productiv.max_connections (15); lower "
        "in_flight or "
        "raise max_connections",
    ),
    "deadline too long": (
        "sinks:\n  usage:\n    revoke_deadline_seconds: 151",
        "3: sinks.usage.revoke_deadline_seconds: revoke_deadline_seconds (151) is more than half of "
        "max.poll.interval.ms (300 s), so Kafka would evict a consumer that still drains; lower the "
        "deadline or raise "
        "max.poll.interval.ms",
    ),
    "poll interval too short": (
        "kafka:\n  settings:\n    max.poll.interval.ms: 39999",
        "3: kafka.settings.max.poll.interval.ms: revoke_deadline_seconds (20) is more than half of "
        "max.poll.interval.ms (39.999 s), so Kafka would evict a consumer that still drains; lower the "
        "deadline or "
        "raise max.poll.interval.ms",
    ),
    "API address": (
        "productiv:\n  api_url: example.com",
        "2: productiv.api_url: this is not a URL; write it like https://host:port/path",
    ),
    "token address": (
        "productiv:\n  token_url: ftp://example.com",
        "2: productiv.token_url: this is not a URL; write it like https://host:port/path",
    ),
    "address without host": (
        "productiv:\n  api_url: 'https://:80'",
        "2: productiv.api_url: this is not a URL; write it like https://host:port/path",
    ),
    "address with a blank": (
        "productiv:\n  api_url: https://a/ b",
        "2: productiv.api_url: this is not a URL; write it like https://host:port/path",
    ),
    "address with an impossible port": (
        "productiv:\n  api_url: https://a:99999",
        "2: productiv.api_url: this is not a URL; write it like https://host:port/path",
    ),
    "address with a broken host": (
        "productiv:\n  api_url: 'https://[a'",
        "2: productiv.api_url: this is not a URL; write it like https://host:port/path",
    ),
    "address with a password": (
        "productiv:\n  api_url: https://me:hunter2@a",
        "2: productiv.api_url: the URL holds a user name or password; put those into their own settings",
    ),
    "address with a query": (
        "productiv:\n  api_url: https://a?b",
        "2: productiv.api_url: the URL holds a query (?) or fragment (#); remove it",
    ),
    "address with a fragment": (
        "productiv:\n  api_url: https://a#b",
        "2: productiv.api_url: the URL holds a query (?) or fragment (#); remove it",
    ),
    "one of several registry addresses": (
        "schema_registry:\n  url: http://a,b",
        "2: schema_registry.url: this is not a URL; write it like https://host:port/path",
    ),
    "brokers with blanks": (
        "kafka:\n  bootstrap_servers: a:1, b:1",
        "2: kafka.bootstrap_servers: this is no list of brokers; write it like host1:9092,host2:9092, "
        "without blanks",
    ),
    "group prefix": (
        "kafka:\n  group_prefix: a b",
        "2: kafka.group_prefix: use at most 200 letters, digits, dots, underscores and hyphens",
    ),
    "topic": (
        "sinks:\n  usage:\n    topic: a b",
        "3: sinks.usage.topic: this is no name for a topic; use at most 249 letters, digits, dots, "
        "underscores and "
        "hyphens",
    ),
    "topic of dots": (
        "sinks:\n  usage:\n    dead_letter_topic: ..",
        "3: sinks.usage.dead_letter_topic: this is no name for a topic; use at most 249 letters, digits, "
        "dots, "
        "underscores and hyphens",
    ),
    "empty text": (
        "productiv:\n  client_id: ''",
        "2: productiv.client_id: this is empty; give a value or remove the key",
    ),
    "empty secret": (
        "productiv:\n  client_secret: ''",
        "2: productiv.client_secret: this is empty; give a value or remove the key",
    ),
    "empty file name": (
        "productiv:\n  client_secret_file: ''",
        "2: productiv.client_secret_file: this is empty; give a value or remove the key",
    ),
    "impossible file name": (
        'productiv:\n  client_secret_file: "a\\0"',
        "2: productiv.client_secret_file: this is no name of a file; it holds a NUL character",
    ),
    "empty app id": (
        "apps:\n  names: {a: ''}",
        "2: apps.names.a: this is empty; give a value or remove the key",
    ),
    "no number": (
        "productiv:\n  requests_per_second: nan",
        "2: productiv.requests_per_second: 'nan' is given, but a number is needed",
    ),
    "no whole number": ("http:\n  port: 1.5", "2: http.port: '1.5' is given, but a whole number is needed"),
    "no number at all": (
        "shutdown_deadline_seconds: soon",
        "1: shutdown_deadline_seconds: 'soon' is given, but a number is needed",
    ),
    "a number of five thousand digits": (
        f"http:\n  port: {'9' * 5000}",
        f"2: http.port: '{'9' * 40}' is given, but a whole number is needed",
    ),
    "no such word": (
        "productiv:\n  token_auth: digest",
        "2: productiv.token_auth: 'digest' is given, but one of 'form' or 'basic' is needed",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_what_does_not_fit_together_is_told_in_a_sentence(file: ConfigFile, text: str, message: str) -> None:
    assert file.mistakes(text) == [f"bridge.yaml:{message}"]


FITTING = """\
productiv: {api_url: "http://localhost:8080/api/", client_id: a, client_secret_file: b, max_connections: 16}
kafka:
  bootstrap_servers: a:1,[::1]:2
  group_prefix: a.b-c_D
  replication_factor: 3
  settings: {max.poll.interval.ms: 40000, group.instance.id: a, session.timeout.ms: 6000}
  settings_files: {sasl.password: a}
schema_registry: {url: "https://a/, http://b", username: u, password_file: p, ca_file: c}
apps: {unknown: dead_letter, names: {a: b}}
sinks:
  usage:
    topic: ...
    dead_letter_topic: a.b_c-D
    format: avro_registry
    app: {from: constant, value: a}
    in_flight_per_app: 16
    max_outstanding_records: 1000
    batch: {max_bytes: 67108864}
    max_record_bytes: 67108864
    backoff: {initial_seconds: 60}
    revoke_deadline_seconds: 20
    flood_guard: {consecutive: null, share: 1}
log: {format: Console, level: WARNING}
"""


def test_what_just_fits_is_taken(file: ConfigFile) -> None:
    settings = file.load(FITTING)
    assert settings.productiv.api_url == "http://localhost:8080/api"
    assert settings.schema_registry.url == "https://a,http://b"
    assert (settings.log.format, settings.log.level) == ("console", "warning")
    assert settings.kafka.max_poll_interval_seconds == 40


def test_a_registry_in_memory_is_taken_for_tests(file: ConfigFile) -> None:
    assert file.load("schema_registry: {url: 'mock://scope'}").schema_registry.url == "mock://scope"


def test_each_app_source_is_taken_in_its_complete_form(file: ConfigFile) -> None:
    for form in (
        "{from: field, name: a}",
        "{from: header, name: a}",
        "{from: key}",
        "{from: constant, value: a}",
    ):
        assert file.load(f"sinks: {{usage: {{app: {form}}}}}").sinks["usage"].app is not None


def test_the_limits_of_numbers(file: ConfigFile) -> None:
    for key, low, high in (
        ("productiv.max_connections", None, "1000"),
        ("productiv.timeouts.read_seconds", None, "600"),
        ("productiv.requests_per_second", "0.001", None),
        ("productiv.replicas", "1", "1000"),
        ("sinks.usage.batch.max_records", "1", "1000"),
        ("sinks.usage.flood_guard.share", None, "1"),
        ("http.port", "0", "65535"),
    ):
        variable = f"BRIDGE_{key.replace('.', '__').upper()}"
        for value in filter(None, (low, high)):
            file.load("", {variable: value})
        for value in ("-1", *((str(int(high) + 1),) if high else ("0",))):
            (message,) = file.mistakes("", {variable: value})
            assert message.startswith(f"environment variable {variable}: {key}: '{value}' is given, but ")


def test_rules_hold_for_settings_built_in_code_too() -> None:
    with pytest.raises(ValueError, match="'x' is no stream; the streams are usage"):
        Settings(sinks={"x": Sink()})
    with pytest.raises(ValueError, match="cannot be set"):
        Kafka(settings={"acks": "1"})


def test_settings_cannot_be_changed_once_loaded() -> None:
    settings = Settings()
    for section, key in ((settings, "log"), (settings.log, "level"), (settings.sinks["usage"], "topic")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(section, key, getattr(section, key))


def test_broken_rules_are_raised_together() -> None:
    with pytest.raises(RulesBroken, match=r"^one; two$") as error:
        refuse_broken([Rule(False, ("a",), "one"), Rule(True, ("b",), "no"), Rule(False, ("c",), "two")])
    assert [rule.keys for rule in error.value.broken] == [("a",), ("c",)]
