"""`config show` prints what is in force: all of it, where it came from, and no secret."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import Settings, load
from bridge.config.layers import Loaded, load_with_places
from bridge.config.show import show
from bridge.config.yaml_text import scalar, without_userinfo

from .conftest import ConfigFile


def shown(file: ConfigFile, text: str, environ: dict[str, str] | None = None) -> list[str]:
    file.path.write_text(text)
    output = show(load_with_places(file.path, environ or {})).replace(f"{file.path.parent}/", "")
    return [" ".join(line.split()) for line in output.splitlines()]


def test_each_value_is_followed_by_where_it_came_from(file: ConfigFile) -> None:
    lines = shown(
        file,
        "http:\n  port: 1\nsinks:\n  usage:\n    app: {from: key}\n    batch:\n      max_age_seconds: 1.5\n",
        {"BRIDGE_HTTP__HOST": "::1", "BRIDGE_APPS__NAMES": '{"My App": "1"}', "BRIDGE_HTTP__ENABLED": "no"},
    )
    start = lines.index("http:")
    assert lines[start : start + 4] == [
        "http:",
        "enabled: false # environment variable BRIDGE_HTTP__ENABLED",
        'host: "::1" # environment variable BRIDGE_HTTP__HOST',
        "port: 1 # bridge.yaml:2",
    ]
    assert "from: key # bridge.yaml:5" in lines
    assert "max_age_seconds: 1.5 # bridge.yaml:7" in lines
    assert "max_records: 1000 # default" in lines
    assert '"My App": "1" # environment variable BRIDGE_APPS__NAMES' in lines
    assert "settings: {} # default" in lines
    assert "topic: null # default" in lines


def test_secrets_are_masked_and_missing_ones_are_not_made_up(file: ConfigFile) -> None:
    lines = shown(
        file,
        "productiv: {client_secret: hunter2}\n"
        "kafka: {settings: {sasl.password: hunter2, sasl.username: me, proxy: 'http://u:hunter2@h'}}\n",
    )
    assert 'client_secret: "********" # bridge.yaml:1' in lines
    assert 'sasl.password: "********" # bridge.yaml:2' in lines
    assert "sasl.username: me # bridge.yaml:2" in lines
    assert 'proxy: "http://********@h" # bridge.yaml:2' in lines
    assert "password: null # default" in lines
    assert "hunter2" not in "".join(lines)


def test_names_of_secret_files_are_shown_and_apps_are_not_taken_for_secrets(file: ConfigFile) -> None:
    lines = shown(file, "kafka: {settings_files: {sasl.password: /run/a}}\napps: {names: {keynote: a}}\n")
    assert "sasl.password: /run/a # bridge.yaml:1" in lines
    assert "keynote: a # bridge.yaml:2" in lines


def test_comments_stand_in_one_column() -> None:
    lines = [line for line in show(load_with_places(None, {})).splitlines() if "#" in line]
    assert len({line.rindex("#") for line in lines}) == 1


def test_a_long_value_does_not_push_the_column_out(file: ConfigFile) -> None:
    long = "a" * 200
    file.path.write_text(f"kafka: {{bootstrap_servers: {long}}}")
    output = show(load_with_places(file.path, {}))
    assert f"bootstrap_servers: {long}  # " in output
    assert min(line.index("#") for line in output.splitlines() if "#" in line) < 80


def test_a_file_name_cannot_add_lines(tmp_path: Path) -> None:
    path = tmp_path / "a\nkafka: b.yaml"
    path.write_text("http: {port: 1}")
    output = show(load_with_places(path, {}))
    assert yaml.safe_load(output)["http"]["port"] == 1
    assert "a\N{REPLACEMENT CHARACTER}kafka: b.yaml:1" in output


def test_what_is_shown_for_the_defaults_gives_the_defaults(file: ConfigFile) -> None:
    assert file.load(show(load_with_places(None, {}))) == Settings()


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(
    client_id=texts,
    names=st.dictionaries(texts, texts, max_size=3),
    age=st.floats(1e-9, 3600),
    share=st.floats(1e-9, 1),
)
def test_what_is_shown_can_be_loaded_again(
    tmp_path_factory: pytest.TempPathFactory, client_id: str, names: dict[str, str], age: float, share: float
) -> None:
    changes = {
        "productiv": {"client_id": client_id},
        "apps": {"names": names},
        "sinks": {"usage": {"batch": {"max_age_seconds": age}, "flood_guard": {"share": share}}},
    }
    settings = Settings.model_validate(changes)
    path = tmp_path_factory.mktemp("config") / "shown.yaml"
    path.write_text(show(Loaded(settings, {})), encoding="utf-8")
    expected = settings.model_dump()
    expected["productiv"]["client_id"] = without_userinfo(client_id)
    expected["apps"]["names"] = {name: without_userinfo(app) for name, app in names.items()}
    assert load(path, {}).model_dump() == expected


@given(
    st.one_of(
        texts, st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none()
    )
)
def test_a_scalar_is_one_line_and_valid_yaml(value: str | bool | int | float | None) -> None:
    text = scalar(value)
    assert "\n" not in text
    read = yaml.safe_load(text)
    assert read == value or float(read) == value
