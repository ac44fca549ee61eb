"""`productiv-bridge tail`: what sources wrote, decoded, one JSON object a line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from bridge.core.polling import Emission, Write
from bridge.kafka.emitting import Emitter
from bridge.kafka.fenced_producer import FencedProducer, ProducerRecord
from bridge.kafka.serde import output_wire
from bridge.kafka.topics import load_outputs, overridden_output
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

NEW_YEAR = 1_767_225_600_000
APP = {"applicationId": "slack", "appName": "Slåck", "extra": {"owner": '"ada"'}}


class Desk:
    """A configuration whose apps go onto a topic of their own, and what writes them there."""

    def __init__(self, folder: Path, kafka: Cluster[Broker]) -> None:
        self.config = folder / "bridge.yaml"
        self.topic = kafka.create_topic("apps", retention_ms=-1)
        self.config.write_text(
            json.dumps(
                {
                    "kafka": {"bootstrap_servers": kafka.bootstrap},
                    "sources": {"apps": {"topics": {"apps": self.topic}}},
                }
            )
        )
        described = overridden_output(load_outputs()["apps"], self.topic, None)
        self.emitter = Emitter("apps", "openapi", {"apps": described}, {"apps": output_wire(described)})
        self.producer = FencedProducer({"bootstrap.servers": kafka.bootstrap}, kafka.unique("source"))
        self.producer.open()

    def emit(self, *emissions: Emission) -> None:
        assert self.producer.write(self.emitter.records(Write(emissions, {}), NEW_YEAR)) is None

    def tail(self, *arguments: str) -> Result:
        command = ["tail", *arguments, "--config", str(self.config)]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        result = self.tail("apps", *arguments)
        assert result.exit_code == 0
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def desk(tmp_path: Path, any_kafka: Cluster[Broker]) -> Desk:
    return Desk(tmp_path, any_kafka)


def known(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


def test_records_are_decoded_and_what_is_gone_is_said(desk: Desk) -> None:
    desk.emit(Emission("apps", "slack", APP, NEW_YEAR - 1), Emission("apps", "slack", None))
    first, second = desk.lines()
    assert known(first.pop("record")) == APP
    assert first == {"key": "slack", "time": "2025-12-31T23:59:59.999Z"}
    assert second == {"key": "slack", "time": "2026-01-01T00:00:00Z", "deleted": True}


def test_headers_are_shown_on_demand(desk: Desk) -> None:
    desk.emit(Emission("apps", "slack", None))
    [line] = desk.lines("--headers")
    assert line["headers"] == {
        "bridge.source": "apps",
        "bridge.fetched-at": "2026-01-01T00:00:00.000Z",
        "bridge.contract": "openapi",
    }


def test_the_newest_or_all_are_shown(desk: Desk) -> None:
    for number in range(15):
        desk.emit(Emission("apps", f"app {number}", None, NEW_YEAR - 100 + number))
    assert [line["key"] for line in desk.lines()] == [f"app {number}" for number in range(5, 15)]
    assert [line["key"] for line in desk.lines("-n", "2")] == ["app 13", "app 14"]
    assert {line["key"] for line in desk.lines("--from-beginning")} == {f"app {n}" for n in range(15)}


def test_a_record_that_cannot_be_read_does_not_hide_the_others(desk: Desk) -> None:
    desk.producer.write([ProducerRecord(desk.topic, b"junk", b"\xff", timestamp=NEW_YEAR)])
    desk.emit(Emission("apps", "slack", APP, NEW_YEAR + 1))
    assert {line["key"]: "record" in line for line in desk.lines()} == {"junk": False, "slack": True}
    assert "Avro schema" in desk.tail("apps").stdout


def test_what_no_source_writes_is_refused_with_what_there_is(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"'usage' is nothing that a source writes; that is .*audit_events"):
        desk.tail("usage")


def test_a_topic_that_is_not_there_is_named(tmp_path: Path, mock_kafka: Cluster[Broker]) -> None:
    desk = Desk(tmp_path, mock_kafka)
    with pytest.raises(BridgeError, match=r"topic productiv\.workflows does not exist"):
        desk.tail("workflows")
