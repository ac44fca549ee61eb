"""`productiv-bridge topics`: what is missing is told and created, what differs is told and left."""

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import ConfigError
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


class Desk:
    """A configuration in which the topics of usage, and what all streams share, have names of their own."""

    def __init__(self, folder: Path, bootstrap: str, name: str) -> None:
        self.name = name
        self.config = folder / "bridge.yaml"
        asides = {key: f"{name}.{key}" for key in ("dead_letter_topic", "parked_topic")}
        shared = {key: f"{name}.{key}" for key in ("journal_topic", "cursors_topic", "decisions_topic")}
        self.config.write_text(
            json.dumps(
                {
                    "kafka": {"bootstrap_servers": bootstrap, "replication_factor": 1, **shared},
                    "sinks": {"usage": {"topic": name, **asides}},
                    "apps": {"topic": f"{name}.apps"},
                }
            )
        )

    def run(self, *arguments: str) -> Result:
        command = ["topics", *arguments, "--config", str(self.config)]
        return CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.fixture
def desk(tmp_path: Path, kafka: Cluster[Broker]) -> Desk:
    return Desk(tmp_path, kafka.bootstrap, kafka.unique("usage"))


def states(result: Result) -> dict[str, str]:
    """Topic to what was said of it."""
    lines = [line.split(None, 1) for line in result.stdout.splitlines()]
    return {name: state for name, state in lines if name != "created"}


@pytest.mark.real_kafka
def test_what_is_missing_is_told_and_then_created(desk: Desk) -> None:
    before = desk.run("plan", "--only", "usage")
    name = desk.name
    assert before.exit_code == 1
    assert states(before) == {
        name: "missing, to get 6 partitions",
        f"{name}.dead_letter_topic": "missing, to get 1 partition",
        f"{name}.parked_topic": "missing, to get 12 partitions",
        f"{name}.journal_topic": "missing, to get 6 partitions",
        f"{name}.decisions_topic": "missing, to get 1 partition",
        f"{name}.apps": "missing, to get 1 partition",
    }
    applied = desk.run("apply", "--only", "usage")
    assert (applied.exit_code, applied.stdout.splitlines()[-1]) == (0, "created 6 of 6 topics")
    after = desk.run("plan", "--only", "usage")
    assert (after.exit_code, set(states(after).values())) == (0, {"as described"})
    assert desk.run("apply", "--only", "usage").stdout.splitlines()[-1] == "created 0 of 6 topics"


@pytest.mark.real_kafka
def test_what_differs_is_told_and_left(desk: Desk, kafka: Cluster[Broker]) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    new = NewTopic(desk.name, 3, 1, config={"cleanup.policy": "compact", "retention.ms": "604800000"})
    admin.create_topics([new])[desk.name].result(30)
    said = "it has 3 partitions, not 6; cleanup.policy is compact, not delete"
    for command in ("plan", "apply", "plan"):
        result = desk.run(command, "--only", "usage")
        assert states(result)[desk.name] == said
        assert result.exit_code == (command == "plan")
    assert kafka.partitions(desk.name) == 3


@pytest.mark.real_kafka
def test_partitions_may_differ_from_the_files(desk: Desk, kafka: Cluster[Broker]) -> None:
    assert desk.run("apply", "--only", "usage", "--partitions", "usage=2").exit_code == 0
    assert kafka.partitions(desk.name) == 2
    assert desk.run("plan", "--only", "usage", "--partitions", "usage=2").exit_code == 0


@pytest.mark.real_kafka
def test_copies_are_compared(desk: Desk) -> None:
    desk.run("apply", "--only", "usage")
    desk.config.write_text(
        desk.config.read_text().replace('"replication_factor": 1', '"replication_factor": 3')
    )
    assert states(desk.run("plan", "--only", "usage"))[desk.name] == "it has 1 copies, not 3"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "usages"], "'usages' is no stream"),
        (["--partitions", "usage"], "--partitions usage: write it as NAME=NUMBER"),
        (["--partitions", "usage=0"], "--partitions usage=0: write it as NAME=NUMBER"),
        (["--only", "usage", "--partitions", "spend=3"], "'spend' is no topic here; there are usage"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Desk(tmp_path, "127.0.0.1:1", "usage").run("plan", *arguments)
