"""`productiv-bridge export`: from a real topic to files, with an exit code and names for what is bad."""

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from bridge.kafka.registered_apps import RegisteredApp, RegisteredApps
from tests.cli.test_send import GOOD
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

NEW_YEAR = 1_767_225_600_000
DAY = 86_400_000
# Topics keep their records for ever here (`retention_ms=-1`), as these times are long ago to the broker.
JANUARY = ("--from", "2026-01-01", "--to", "2026-02-01T00:00:00+00:00")


def export(folder: Path, bootstrap: str, topic: str, *options: str, memory: str | None = None) -> Result:
    """Exports to the directory `out` of this one, from a topic of JSON."""
    config = folder / "bridge.yaml"
    kafka = {"bootstrap_servers": bootstrap, "group_prefix": topic}
    sinks = {"usage": {"topic": topic, "format": "json"}}
    config.write_text(
        json.dumps({"kafka": kafka, "apps": {"topic": memory or f"{topic}-apps"}, "sinks": sinks})
    )
    arguments = ["export", "usage", "--config", str(config), "--output", str(folder / "out"), *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def produce(cluster: Cluster[Broker], topic: str, *records: tuple[int, int, object]) -> None:
    """Puts records on the topic, each as partition, Kafka timestamp in ms, and value."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for partition, ms, value in records:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        producer.produce(topic, content, partition=partition, timestamp=ms)
    assert producer.flush(30) == 0


def event(email: str, app: str = "crm") -> dict[str, object]:
    return {**GOOD, "email": email, "app": app}


@pytest.mark.real_kafka
def test_the_records_of_a_month_are_exported(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 2, retention_ms=-1)
    produce(
        kafka,
        topic,
        (0, NEW_YEAR - 1, event("before@x.co")),
        (0, NEW_YEAR, event("first@x.co")),
        (0, NEW_YEAR + 31 * DAY - 1, event("last@x.co")),
        (0, NEW_YEAR + 31 * DAY, event("after@x.co")),
        (1, NEW_YEAR + DAY, event("other@x.co", "Käse")),
    )
    result = export(tmp_path, kafka.bootstrap, topic, *JANUARY)
    out = tmp_path / "out"
    assert (result.exit_code, result.stdout) == (0, f"exported to {out}: 3 records of 2 apps in 2 files\n")
    assert (
        f"exporting {topic} from 2026-01-01T00:00:00Z up to 2026-02-01T00:00:00Z; times without a zone are "
        "taken as UTC" in result.stderr
    )
    assert (out / "usage-crm-0001.csv").read_bytes().decode() == (
        "app,timestamp,email,eventName\r\n"
        "crm,1700000000000,first@x.co,open\r\ncrm,1700000000000,last@x.co,open\r\n"
    )
    groups = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_consumer_groups().result(30).valid
    assert not [group.group_id for group in groups if group.group_id.startswith(topic)]


@pytest.mark.real_kafka
def test_bad_records_are_named_and_the_rest_is_exported(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 1, retention_ms=-1)
    bad = [(0, NEW_YEAR, b"{")] * 22
    produce(kafka, topic, *bad, (0, NEW_YEAR, event("a@x.co")))
    times = ("--from", "2026-01-01T00:00Z", "--to", "2026-01-02T00:00Z")
    result = export(tmp_path, kafka.bootstrap, topic, *times, "--format", "ndjson")
    out = tmp_path / "out"
    assert result.exit_code == 1
    assert result.stdout == (
        f"exported to {out}: 1 records of 1 apps in 1 files; bad records, in rejects.ndjson: 22\n"
    )
    assert "partition 0, offset 19: the value is not JSON from character 1 on" in result.stderr
    assert "offset 20" not in result.stderr
    assert result.stderr.count("more bad records: see rejects.ndjson") == 1
    assert "UTC" not in result.stderr
    assert len((out / "rejects.ndjson").read_text().splitlines()) == 22
    assert json.loads((out / "usage-crm-0001.ndjson").read_text()) == event("a@x.co")


@pytest.mark.real_kafka
def test_strict_stops_and_leaves_no_file(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 1, retention_ms=-1)
    produce(kafka, topic, (0, NEW_YEAR, event("a@x.co")), (0, NEW_YEAR, b"{"))
    result = export(tmp_path, kafka.bootstrap, topic, *JANUARY, "--strict")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "stopped: partition 0, offset 1: the value is not JSON" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.real_kafka
def test_options_reach_the_files(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 1, retention_ms=-1)
    produce(kafka, topic, *((0, NEW_YEAR, event(f"{number}@x.co")) for number in range(4)))

    def files(*options: str) -> list[str]:
        assert export(tmp_path, kafka.bootstrap, topic, *JANUARY, *options).exit_code == 0
        return sorted(path.name for path in (tmp_path / "out").glob("usage-*"))

    assert files("--max-file-records", "3") == ["usage-crm-0001.csv", "usage-crm-0002.csv"]
    with pytest.raises(ConfigError, match="holds an earlier export"):
        files()
    assert files("--overwrite") == ["usage-crm-0001.csv"]
    assert len(files("--overwrite", "--max-file-bytes", "10")) == 4


@pytest.mark.real_kafka
def test_records_are_decoded_as_the_sink_is_told(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 1, retention_ms=-1)
    value = event("a@x.co")
    del value["app"]
    produce(kafka, topic, (0, NEW_YEAR, value))
    assert export(tmp_path, kafka.bootstrap, topic, *JANUARY).exit_code == 1
    app_of = '{"from": "constant", "value": "Slack"}'
    environment = {"BRIDGE_SINKS__USAGE__APP": app_of, "BRIDGE_APPS__NAMES": '{"Slack": "8f14"}'}
    config, out = str(tmp_path / "bridge.yaml"), str(tmp_path / "out")
    arguments = ["export", "usage", *JANUARY, "-c", config, "--output", out, "--overwrite"]
    result = CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0
    assert (tmp_path / "out" / "usage-8f14-0001.csv").exists()


@pytest.mark.real_kafka
def test_registered_apps_have_files_by_their_ids(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.create_topic("usage", 1, retention_ms=-1)
    memory = kafka.create_topic("applications", 1, cleanup_policy="compact")
    RegisteredApps({"bootstrap.servers": kafka.bootstrap}, memory).write(RegisteredApp("crm", "8f14", ""))
    produce(kafka, topic, (0, NEW_YEAR, event("a@x.co")))
    assert export(tmp_path, kafka.bootstrap, topic, *JANUARY, memory=memory).exit_code == 0
    assert (tmp_path / "out" / "usage-8f14-0001.csv").exists()


def test_a_topic_that_is_not_there_is_named(tmp_path: Path, mock_kafka: Cluster[Broker]) -> None:
    with pytest.raises(BridgeError, match="topic nowhere does not exist"):
        export(tmp_path, mock_kafka.bootstrap, "nowhere", *JANUARY)


@pytest.mark.parametrize(
    ("begin", "end"), [("2026-01-02", "2026-01-01"), ("2026-01-01", "2026-01-01T00:00Z")]
)
def test_a_range_of_nothing_is_named(tmp_path: Path, begin: str, end: str) -> None:
    with pytest.raises(ConfigError, match=r"--from \(2026-.*\) is not before --to \(2026-01-01T00:00:00Z\)"):
        export(tmp_path, "localhost:1", "nowhere", "--from", begin, "--to", end)
    assert not (tmp_path / "out").exists()


def test_a_time_that_is_none_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--to: 'later' is no time"):
        export(tmp_path, "localhost:1", "nowhere", "--from", "2026-01-01", "--to", "later")


def test_a_stream_that_does_not_exist_is_named(tmp_path: Path) -> None:
    arguments = ["export", "usge", *JANUARY, "--output", str(tmp_path / "out")]
    with pytest.raises(ConfigError, match="'usge' is no stream; the streams are"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_help_warns_of_formulas() -> None:
    assert "formula" in CliRunner().invoke(app, ["export", "--help"]).stdout
