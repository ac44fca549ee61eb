"""`productiv-bridge resume` as an operator meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from tests.kafka.letters import committed
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


def run(folder: Path, kafka: Cluster[Broker], topic: str, *arguments: str, **settings: Any) -> Result:
    file = folder / "bridge.yaml"
    told = {
        "bootstrap_servers": kafka.bootstrap,
        "create_topics": False,
        "decisions_topic": topic,
        **settings,
    }
    file.write_text(json.dumps({"kafka": told}))
    return CliRunner().invoke(app, ["resume", *arguments, "--config", str(file)], catch_exceptions=False)


def test_it_writes_an_order_for_each_stream_and_says_what_to_look_at(
    tmp_path: Path, mock_kafka: Cluster[Broker]
) -> None:
    topic = mock_kafka.create_topic("decisions", 1)
    done = run(tmp_path, mock_kafka, topic, "usage", "spend", "--reason", "the app is known now")
    assert done.exit_code == 0
    assert f"ordered for usage, spend, in topic {topic}\n" in done.stdout
    assert "cannot be seen from here" in done.stdout
    orders = {each.key(): json.loads(each.value() or b"") for each in committed(mock_kafka, topic)}
    assert orders.keys() == {b"resume:productiv-bridge.usage", b"resume:productiv-bridge.spend"}
    assert {order["reason"] for order in orders.values()} == {"the app is known now"}
    assert "usage, users, spend, org_chart" in run(tmp_path, mock_kafka, topic, "--all").stdout


def test_it_wants_streams_to_the_api(tmp_path: Path, mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic("decisions", 1)
    for arguments in ([], ["usage", "--all"]):
        with pytest.raises(ConfigError, match="say which streams, or --all"):
            run(tmp_path, mock_kafka, topic, *arguments)
    with pytest.raises(ConfigError, match="'audit_events' is no stream to the API; those are usage, users"):
        run(tmp_path, mock_kafka, topic, "usage", "audit_events")
    assert committed(mock_kafka, topic) == []


@pytest.mark.real_kafka
def test_the_topic_is_made_where_that_is_allowed(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    topic = kafka.unique("decisions")
    with pytest.raises(BridgeError, match=f"topic {topic} did not take the order"):
        run(tmp_path, kafka, topic, "usage")
    assert run(tmp_path, kafka, topic, "usage", create_topics=True).exit_code == 0
    assert len(committed(kafka, topic)) == 1
