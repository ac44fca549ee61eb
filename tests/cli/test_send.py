"""`productiv-bridge send`: files onto a topic, with an exit code and names for what is bad."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka.registered_apps import RegisteredApp, RegisteredApps
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

GOOD = {"timestamp": 1_700_000_000_000, "email": "ada@example.com", "eventName": "open", "app": "slack"}
CSV = (
    "app,timestamp,email,eventName\nslack,1700000000000,ada@example.com,open\nslack,17,ada@example.com,open\n"
)


def send(tmp_path: Path, bootstrap: str, topic: str, file: Path, *options: str) -> Result:
    config = tmp_path / "bridge.yaml"
    kafka = {"bootstrap_servers": bootstrap, "create_topics": False}
    config.write_text(json.dumps({"kafka": kafka, "sinks": {"usage": {"topic": topic}}}))
    arguments = ["send", "usage", str(file), "--config", str(config), *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def written(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


def test_a_good_file_is_sent(tmp_path: Path, mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic("usage")
    file = written(tmp_path, "usage.ndjson", f"{json.dumps(GOOD)}\n" * 1_500)
    result = send(tmp_path, mock_kafka.bootstrap, topic, file)
    assert (result.exit_code, result.stdout) == (0, f"delivered to {topic}: 1,500\n")


@pytest.mark.parametrize(("name", "options"), [("usage.csv", ()), ("export.txt", ("--input-format", "csv"))])
def test_bad_lines_are_named_and_the_rest_is_sent(
    tmp_path: Path, mock_kafka: Cluster[Broker], name: str, options: tuple[str, ...]
) -> None:
    topic = mock_kafka.create_topic("usage")
    result = send(tmp_path, mock_kafka.bootstrap, topic, written(tmp_path, name, CSV), *options)
    assert (result.exit_code, result.stdout) == (1, f"delivered to {topic}: 1; bad lines: 1\n")
    assert "line 3: timestamp 17 is not a time between 1973 and 2200; send milliseconds" in result.stderr


def test_a_registered_app_is_known_where_others_are_refused(
    tmp_path: Path, mock_kafka: Cluster[Broker]
) -> None:
    topic, apps = mock_kafka.create_topic("usage"), mock_kafka.create_topic("applications")
    memory = RegisteredApps({"bootstrap.servers": mock_kafka.bootstrap}, apps)
    memory.write(RegisteredApp("slack", "app-1", "2026-01-01T00:00:00+00:00"))
    config = tmp_path / "bridge.yaml"
    settings = {
        "kafka": {"bootstrap_servers": mock_kafka.bootstrap, "create_topics": False},
        "sinks": {"usage": {"topic": topic}},
        "apps": {"unknown": "dead_letter", "names": {"other": "7"}, "topic": apps},
    }
    config.write_text(json.dumps(settings))
    file = written(tmp_path, "u.ndjson", f"{json.dumps(GOOD)}\n{json.dumps({**GOOD, 'app': 'nobody'})}\n")
    arguments = ["send", "usage", str(file), "--config", str(config)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.stdout == f"delivered to {topic}: 1; bad lines: 1\n"
    assert "line 2: " in result.stderr


def test_strict_stops_at_the_first_bad_line(tmp_path: Path, mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic("usage")
    file = written(tmp_path, "usage.ndjson", f"{json.dumps(GOOD)}\n[]\n{json.dumps(GOOD)}\n")
    result = send(tmp_path, mock_kafka.bootstrap, topic, file, "--strict")
    assert (result.exit_code, result.stdout) == (1, f"delivered to {topic}: 1; bad lines: 1\n")


def test_a_topic_that_is_not_there_is_named(tmp_path: Path, mock_kafka: Cluster[Broker]) -> None:
    with pytest.raises(BridgeError, match="topic nowhere does not exist; create it, or set"):
        send(tmp_path, mock_kafka.bootstrap, "nowhere", written(tmp_path, "u.ndjson", ""))


def test_a_stream_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'usge' is no stream; the streams are usage"):
        CliRunner().invoke(app, ["send", "usge", str(written(tmp_path, "u", ""))], catch_exceptions=False)


def test_a_file_that_is_not_there_is_named() -> None:
    result = CliRunner().invoke(app, ["send", "usage", "/nowhere/usage.csv"])
    assert result.exit_code == 2
    assert "No such file" in result.stderr
