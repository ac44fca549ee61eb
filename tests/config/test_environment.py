"""How environment variables stand for settings, and what is said about those that cannot."""

from typing import Any

import pytest
from pydantic import SecretStr

from bridge.config import load
from bridge.config.environment import variable_of
from bridge.config.model import Settings
from bridge.config.shape import AnyKeys, Path, at, key_paths, shape_of
from bridge.core.errors import ConfigError

from .conftest import ConfigFile, mistakes

SHAPE = shape_of(Settings)


def test_two_underscores_lead_one_level_down() -> None:
    settings = load(
        None, {"BRIDGE_SHUTDOWN_DEADLINE_SECONDS": "9", "BRIDGE_SINKS__USAGE__BATCH__MAX_RECORDS": "10"}
    )
    assert settings.shutdown_deadline_seconds == 9
    assert settings.sinks["usage"].batch.max_records == 10


def test_names_may_be_in_lower_case_after_the_prefix() -> None:
    assert load(None, {"BRIDGE_http__Port": "1"}).http.port == 1


def test_other_variables_are_left_alone() -> None:
    assert (
        load(None, {"bridge_http__port": "1", "BRIDGEHTTP": "1", "HTTP__PORT": "1", "_BRIDGE_X": "1"})
        == Settings()
    )


def test_an_empty_variable_counts_as_not_set(file: ConfigFile) -> None:
    assert file.load("http: {port: 5}", {"BRIDGE_HTTP__PORT": "", "BRIDGE_HTTPP": ""}).http.port == 5


@pytest.mark.parametrize("null", ["null", "NULL"])
def test_null_is_null_where_a_setting_may_be(file: ConfigFile, null: str) -> None:
    environ = {"BRIDGE_SINKS__USAGE__FLOOD_GUARD__SHARE": null}
    assert load(None, environ).sinks["usage"].flood_guard.share is None
    assert load(None, {"BRIDGE_KAFKA__SETTINGS__CLIENT_ID": null}).kafka.settings == {"client.id": null}
    (message,) = mistakes(None, {"BRIDGE_HTTP__PORT": null})
    assert message.endswith(f"http.port: '{null}' is given, but a whole number is needed")


def test_raw_settings_one_by_one() -> None:
    environ = {
        "BRIDGE_KAFKA__SETTINGS__SASL_USERNAME": "a",
        "BRIDGE_KAFKA__SETTINGS__SSL__CA__LOCATION": "b",
        "BRIDGE_KAFKA__SETTINGS_FILES__SASL_PASSWORD": "/c",
    }
    kafka = load(None, environ).kafka
    assert kafka.settings == {"sasl.username": "a", "ssl.ca.location": "b"}
    assert {name: str(path) for name, path in kafka.settings_files.items()} == {"sasl.password": "/c"}


def test_names_of_ones_own_keep_their_case() -> None:
    assert load(None, {"BRIDGE_APPS__NAMES__My__App": "1"}).apps.names == {"My__App": "1"}


def test_a_section_may_come_as_json() -> None:
    environ = {
        "BRIDGE_KAFKA": '{"create_topics": false, "settings": {"a": 1, "b": true, "c": 1.50, "d": "x"}}',
        "BRIDGE_SINKS__USAGE__APP": '{"from": "header", "name": "app"}',
        "BRIDGE_SINKS__USAGE__FLOOD_GUARD": '{"share": null, "window_records": 5}',
    }
    settings = load(None, environ)
    assert not settings.kafka.create_topics
    assert settings.kafka.settings == {"a": "1", "b": "true", "c": "1.50", "d": "x"}
    app, guard = settings.sinks["usage"].app, settings.sinks["usage"].flood_guard
    assert app is not None
    assert (app.from_, app.name, guard.share, guard.window_records) == ("header", "app", None, 5)


def test_a_section_as_json_and_single_keys_are_joined() -> None:
    names = {
        "BRIDGE_APPS__NAMES": '{"a": "1"}',
        "BRIDGE_APPS__NAMES__B": "2",
        "BRIDGE_APPS": '{"names": {"c": "3"}}',
    }
    assert load(None, names).apps.names == {"a": "1", "B": "2", "c": "3"}


WRONG = {
    "misspelled": (
        {"BRIDGE_KAFKA__BOOTSTRP_SERVERS": "x"},
        "BRIDGE_KAFKA__BOOTSTRP_SERVERS: there is no such setting; did you mean "
        "BRIDGE_KAFKA__BOOTSTRAP_SERVERS?",
    ),
    "one underscore": (
        {"BRIDGE_PRODUCTIV_CLIENT_ID": "x"},
        "BRIDGE_PRODUCTIV_CLIENT_ID: there is no such setting; did you mean BRIDGE_PRODUCTIV__CLIENT_ID?",
    ),
    "the file's own variable": (
        {"BRIDGE_CONFG": "x"},
        "BRIDGE_CONFG: there is no such setting; did you mean BRIDGE_CONFIG?",
    ),
    "nothing like it": (
        {"BRIDGE_QUUX": "x"},
        "BRIDGE_QUUX: there is no such setting; `productiv-bridge config example` lists them all",
    ),
    "too deep": (
        {"BRIDGE_HTTP__PORT__X": "x"},
        "BRIDGE_HTTP__PORT__X: there is no such setting; did you mean BRIDGE_HTTP__PORT?",
    ),
    "no such stream": (
        {"BRIDGE_SINKS__USAG__TOPIC": "x"},
        "BRIDGE_SINKS__USAG__TOPIC: there is no such setting; did you mean BRIDGE_SINKS__USAGE__TOPIC?",
    ),
    "no JSON": (
        {"BRIDGE_HTTP": "{"},
        'BRIDGE_HTTP: http: a JSON object is needed here, such as {"name": "value"}',
    ),
    "JSON but no object": (
        {"BRIDGE_APPS__NAMES": "[1]"},
        'BRIDGE_APPS__NAMES: apps.names: a JSON object is needed here, such as {"name": "value"}',
    ),
    "null for a section": (
        {"BRIDGE_HTTP": "null"},
        'BRIDGE_HTTP: http: a JSON object is needed here, such as {"name": "value"}',
    ),
    "JSON nested too deeply": (
        {"BRIDGE_HTTP": '{"a":' * 100_000},
        'BRIDGE_HTTP: http: a JSON object is needed here, such as {"name": "value"}',
    ),
    "unknown key in JSON": (
        {"BRIDGE_HTTP": '{"prt": 1}'},
        "BRIDGE_HTTP: http.prt: unknown key; did you mean 'port'?",
    ),
    "a key twice in JSON": (
        {"BRIDGE_HTTP": '{"port": 1, "port": 2}'},
        "BRIDGE_HTTP: http.port: this key is given twice; remove one",
    ),
    "a list in JSON": (
        {"BRIDGE_HTTP": '{"port": [1]}'},
        "BRIDGE_HTTP: http.port: no setting is a list; see bridge.example.yaml",
    ),
    "given by two": (
        {"BRIDGE_HTTP__PORT": "1", "BRIDGE_HTTP__port": "2"},
        "BRIDGE_HTTP__port: http.port: BRIDGE_HTTP__PORT gives this too; remove one of the two",
    ),
    "given by the section too": (
        {"BRIDGE_HTTP": '{"port": 1}', "BRIDGE_HTTP__PORT": "2"},
        "BRIDGE_HTTP__PORT: http.port: BRIDGE_HTTP gives this too; remove one of the two",
    ),
    "given by an outer section too": (
        {"BRIDGE_SINKS": '{"usage": {"topic": "a"}}', "BRIDGE_SINKS__USAGE": '{"topic": "b"}'},
        "BRIDGE_SINKS__USAGE: sinks.usage.topic: BRIDGE_SINKS gives this too; remove one of the two",
    ),
    "a null section and a key in it": (
        {"BRIDGE_SINKS__USAGE__APP": "null", "BRIDGE_SINKS__USAGE__APP__FROM": "key"},
        "BRIDGE_SINKS__USAGE__APP__FROM: sinks.usage.app: BRIDGE_SINKS__USAGE__APP gives this too; remove "
        "one of the two",
    ),
    "a key and then its section as null": (
        {"BRIDGE_SINKS__USAGE__APP__FROM": "key", "BRIDGE_SINKS__USAGE__app": "null"},
        "BRIDGE_SINKS__USAGE__app: sinks.usage.app: BRIDGE_SINKS__USAGE__APP__FROM gives this too; remove "
        "one of "
        "the two",
    ),
    "a wrong value": (
        {"BRIDGE_HTTP__PORT": "x"},
        "BRIDGE_HTTP__PORT: http.port: 'x' is given, but a whole number is needed",
    ),
    "a refused raw setting": (
        {"BRIDGE_KAFKA__SETTINGS__ACKS": "1"},
        "BRIDGE_KAFKA__SETTINGS__ACKS: kafka.settings.acks: this cannot be set: a record counts as "
        "dead-lettered only "
        "when every replica acknowledged it, once; remove it",
    ),
}


@pytest.mark.parametrize(("environ", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_with_its_variable(environ: dict[str, str], message: str) -> None:
    assert mistakes(None, environ) == [f"environment variable {message}"]


@pytest.mark.parametrize(
    "variable",
    [
        "BRIDGE_SERVICE_HOST",
        "BRIDGE_SERVICE_PORT",
        "BRIDGE_SERVICE_PORT_METRICS",
        "BRIDGE_PORT",
        "BRIDGE_PORT_9400_TCP",
        "BRIDGE_PORT_9400_TCP_ADDR",
        "BRIDGE_PORT_9400_UDP_PROTO",
        "BRIDGE_HTTP_SERVICE_HOST",
        "BRIDGE_MY_APP_PORT_80_TCP_PORT",
    ],
)
def test_what_kubernetes_sets_for_a_service_named_bridge_does_no_harm(variable: str) -> None:
    assert load(None, {variable: "tcp://10.0.0.1:9400"}) == Settings()


@pytest.mark.parametrize("variable", ["BRIDGE_HTTP__PORT", "BRIDGE_SERVICE_HOSTS", "BRIDGE_PORTS"])
def test_what_only_resembles_a_service_is_taken_for_a_setting(variable: str) -> None:
    assert mistakes(None, {variable: "tcp://10.0.0.1:9400"})


@pytest.mark.parametrize("path", sorted(key_paths(SHAPE)), ids=".".join)
def test_every_setting_has_a_variable_that_reaches_it(path: Path) -> None:
    # A value that few settings accept: it must arrive as text, or be blamed on this setting.
    environ = {variable_of(path, SHAPE): "\u2603"}
    if path[-2:] in (("app", "name"), ("app", "value")):
        environ[variable_of((*path[:-1], "from"), SHAPE)] = "field" if path[-1] == "name" else "constant"
    assert f": {'.'.join(path)}: " in _refusal(environ) or _at(load(None, environ), path) == "\u2603"


def _refusal(environ: dict[str, str]) -> str:
    try:
        load(None, environ)
    except ConfigError as error:
        return str(error)
    return ""


def _at(settings: Settings, path: Path) -> str:
    value: Any = settings.model_dump(by_alias=True)
    for key in path:
        value = value[key]
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def test_the_variable_of_a_free_name_is_that_of_its_mapping() -> None:
    assert isinstance(at(SHAPE, ("apps", "names")), AnyKeys)
    assert variable_of(("apps", "names", "My App"), SHAPE) == "BRIDGE_APPS__NAMES"
