"""The environment wins over the file, the file over the defaults; nothing else is read."""

import subprocess
import sys
from pathlib import Path

from bridge.config import Settings, load
from bridge.streams import SINKS

from .conftest import ConfigFile, mistakes


def test_without_file_and_environment_all_is_default() -> None:
    assert load(None, {}) == Settings()


def test_the_file_wins_over_defaults(file: ConfigFile) -> None:
    settings = file.load("http: {port: 1}\nsinks: {usage: {batch: {max_records: 7}}}")
    assert settings.http.port == 1
    assert settings.http.host == "0.0.0.0"
    assert settings.sinks["usage"].batch.max_records == 7
    assert settings.sinks["usage"].batch.max_age_seconds == 5


def test_the_environment_wins_over_the_file_key_by_key(file: ConfigFile) -> None:
    settings = file.load("http: {port: 1, host: a}", {"BRIDGE_HTTP__PORT": "2"})
    assert (settings.http.port, settings.http.host) == (2, "a")


def test_names_of_ones_own_from_both_places_are_joined(file: ConfigFile) -> None:
    settings = file.load("apps: {names: {a: '1', b: '1'}}", {"BRIDGE_APPS__NAMES": '{"b": "2", "c": "2"}'})
    assert settings.apps.names == {"a": "1", "b": "2", "c": "2"}


def test_a_null_in_the_environment_takes_a_whole_section_back(file: ConfigFile) -> None:
    text = "sinks: {usage: {app: {from: key}}}"
    assert file.load(text).sinks["usage"].app is not None
    assert file.load(text, {"BRIDGE_SINKS__USAGE__APP": "null"}).sinks["usage"].app is None


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("http: {port: 3}")
    assert load(None, {"BRIDGE_CONFIG": str(path)}).http.port == 3


def test_a_file_given_as_an_argument_wins_over_the_one_in_the_environment(file: ConfigFile) -> None:
    assert file.load("http: {port: 4}", {"BRIDGE_CONFIG": "/nowhere.yaml"}).http.port == 4


def test_an_empty_file_name_in_the_environment_is_none() -> None:
    assert load(None, {"BRIDGE_CONFIG": ""}) == Settings()


def test_a_named_file_must_exist() -> None:
    assert mistakes(None, {"BRIDGE_CONFIG": "/nowhere.yaml"}) == [
        "/nowhere.yaml: the configuration file cannot be read: No such file or directory"
    ]


def test_settings_never_read_the_environment_of_the_process() -> None:
    # By default pydantic-settings would take KAFKA, and `.env` files, into account.
    code = "from bridge.config import Settings; print(Settings().kafka.group_prefix)"
    environ = {"KAFKA": '{"group_prefix": "x"}', "BRIDGE_KAFKA__GROUP_PREFIX": "y"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "productiv-bridge\n", done.stderr


def test_every_sink_is_there_with_defaults_unless_mentioned(file: ConfigFile) -> None:
    assert set(Settings().sinks) == set(SINKS)
    assert Settings().sinks["usage"].enabled
    assert not file.load("sinks: {usage: {enabled: false}}").sinks["usage"].enabled
    assert file.load("sinks: {usage: }").sinks["usage"].enabled
