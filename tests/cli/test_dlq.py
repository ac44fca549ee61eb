"""`productiv-bridge dlq` as an operator meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from bridge.core.record import Refused
from bridge.kafka.registered_apps import RegisteredApp, RegisteredApps
from bridge.kafka.topics import Topic
from tests.kafka.letters import bury, committed, refused, stage_topic
from tests.kafka.records import GOOD
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


class Desk:
    """A usage topic with dead letters, and the command at work on it."""

    def __init__(self, folder: Path, kafka: Cluster[Broker]) -> None:
        self.kafka = kafka
        self.topic: Topic = stage_topic(kafka)
        self.config = folder / "bridge.yaml"
        self.settings: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "create_topics": False,
                "decisions_topic": kafka.create_topic("decisions", 1),
            },
            "apps": {"topic": kafka.create_topic("applications", 1), "names": {"CRM": "500123"}},
            "sinks": {
                "usage": {
                    "topic": self.topic.topic,
                    "dead_letter_topic": self.topic.dead_letters.topic,
                    "format": "json",
                }
            },
        }

    def refused(self, offset: int, value: Any, reason: str = "invalid", **message: Any) -> Refused:
        return refused(self.topic.topic, offset, value, reason, **{"key": b"k", **message})

    def bury(self, *letters: Refused) -> None:
        bury(self.kafka, self.topic, *letters)

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        self.config.write_text(json.dumps(self.settings))
        command = ["dlq", *arguments, "--config", str(self.config)]
        return CliRunner().invoke(app, command, input=answer, catch_exceptions=False, env={"COLUMNS": "160"})

    def back(self) -> list[dict[str, Any]]:
        return [json.loads(each.value() or b"") for each in committed(self.kafka, self.topic.topic)]


@pytest.fixture
def desk(tmp_path: Path, mock_kafka: Cluster[Broker]) -> Desk:
    return Desk(tmp_path, mock_kafka)


SECONDS = {**GOOD, "timestamp": 1_700_000_000, "app": "CRM"}


def test_list_counts_by_reason_and_app(desk: Desk) -> None:
    desk.bury(desk.refused(1, SECONDS), desk.refused(2, SECONDS), desk.refused(3, b"\xff", "undecodable"))
    desk.bury(desk.refused(1, SECONDS), refused("another", 4, GOOD))
    listed = desk.run("list", "usage", "--json")
    rows = json.loads(listed.stdout)
    assert [(row["stream"], row["reason"], row["app"], row["records"]) for row in rows] == [
        ("usage", "invalid", "CRM", 2),
        ("usage", "undecodable", "", 1),
    ]
    assert all(row["first"] <= row["last"] and row["first"].endswith("Z") for row in rows)
    note = "usage: waiting 3; replayed 0; discarded 0; from other topics, and left out 1"
    assert note in listed.stderr
    table = desk.run("list")
    assert [line.split()[:4] for line in table.stdout.splitlines() if "CRM" in line] == [
        ["usage", "invalid", "CRM", "2"]
    ]
    assert "spend: topic productiv.spend.dead-letters does not exist" in table.stderr


def test_list_of_a_stream_without_its_topic_says_so(desk: Desk) -> None:
    with pytest.raises(BridgeError, match=r"topic productiv\.spend\.dead-letters does not exist"):
        desk.run("list", "spend")
    with pytest.raises(ConfigError, match="'usge' is no stream"):
        desk.run("list", "usge")


def test_show_prints_records_reasons_and_origins(desk: Desk) -> None:
    noise = desk.refused(2, b"\xff\xfe", "undecodable", key=b"\xff")
    desk.bury(
        desk.refused(1, {**SECONDS, "email": "x\x9b\u202e@y"}), noise, desk.refused(3, b"{", "undecodable")
    )
    shown = desk.run("show", "usage", "--limit", "9").stdout
    assert "\x9b" not in shown
    assert "\u202e" not in shown
    first, *_ = lines = sorted(map(json.loads, shown.splitlines()), key=lambda line: line["from"]["offset"])
    assert first["record"]["timestamp"] == 1_700_000_000
    assert first["reason"] == "invalid"
    assert first["detail"] == "invalid for a test"
    assert first["app"] == "CRM"
    assert first["status"] == "waiting"
    assert first["from"] == {
        "topic": desk.topic.topic,
        "partition": 0,
        "offset": 1,
        "timestamp": 1767225600001,
    }
    assert [line.get("value") for line in lines] == [None, {"base64": "//4="}, "{"]
    assert lines[1]["key"] == {"base64": "/w=="}
    assert len(desk.run("show", "usage", "--limit", "1").stdout.splitlines()) == 1
    [only] = desk.run(
        "show", "usage", "--reason", "undecodable", "--offset", lines[1]["place"]
    ).stdout.splitlines()
    assert json.loads(only) == lines[1]


def test_replay_mends_what_it_can_and_leaves_the_rest(desk: Desk) -> None:
    desk.bury(
        desk.refused(1, SECONDS),
        desk.refused(2, {**SECONDS, "email": "x"}),
        desk.refused(3, b"{", "undecodable"),
    )
    mend = ("replay", "usage", "--all", "--set", "timestamp=1700000000000")
    dry = desk.run(*mend, "--dry-run")
    assert dry.exit_code == 1
    assert '- {"timestamp": 1700000000}\n+ {"timestamp": 1700000000000}\n' in dry.stderr
    assert dry.stderr.count("left, ") == 2
    assert "email does not have the right form" in dry.stderr
    assert "the value is not JSON" in dry.stderr
    assert desk.back() == []
    assert desk.run(*mend, answer="n\n").exit_code == 1
    assert desk.back() == []
    done = desk.run(*mend, answer="y\n")
    assert done.exit_code == 1
    assert f"replayed to {desk.topic.topic}: 1 records of usage\n" in done.stdout
    assert desk.back() == [{**SECONDS, "timestamp": 1_700_000_000_000}]
    again = desk.run(*mend)
    assert "already replayed: 1\n" in again.stderr
    assert again.stdout == ""
    assert len(desk.back()) == 1


def test_replay_goes_by_the_filters_and_by_registered_names(desk: Desk) -> None:
    memory = RegisteredApps({"bootstrap.servers": desk.kafka.bootstrap}, desk.settings["apps"]["topic"])
    memory.write(RegisteredApp("Wiki", "w-1", ""))
    desk.settings["apps"]["unknown"] = "dead_letter"
    letters = [
        desk.refused(n, {**GOOD, "app": name}, "unknown_app") for n, name in enumerate(["wikki", "CRM"])
    ]
    desk.bury(*letters)
    arguments = ("replay", "usage", "--app", "wikki", "--reason", "unknown_app", "--rate", "50", "--yes")
    assert "field app holds an app that" in desk.run(*arguments, "--set", "app=Wikki").stderr
    done = desk.run(*arguments, "--set", "app=Wiki")
    assert done.exit_code == 0
    assert [record["app"] for record in desk.back()] == ["Wiki"]
    assert [row["app"] for row in json.loads(desk.run("list", "usage", "--json").stdout)] == ["CRM"]


def test_discard_takes_letters_off_the_list_and_keeps_why(desk: Desk) -> None:
    desk.bury(desk.refused(1, SECONDS), desk.refused(2, b"{", "undecodable"))
    done = desk.run("discard", "usage", "--reason", "undecodable", "--why", "a test of theirs", "--yes")
    assert done.exit_code == 0
    assert done.stdout == "discarded for good: 1 records of usage\n"
    [decision] = committed(desk.kafka, desk.settings["kafka"]["decisions_topic"])
    assert json.loads(decision.value() or b"")["reason"] == "a test of theirs"
    assert "waiting 1; replayed 0; discarded 1" in desk.run("list", "usage").stderr
    assert len(desk.run("show", "usage").stdout.splitlines()) == 1
    assert len(desk.run("show", "usage", "--all").stdout.splitlines()) == 2
    again = desk.run("replay", "usage", "--all", "--yes")
    assert "already discarded: 1" in again.stderr
    assert [record["app"] for record in desk.back()] == ["CRM"]


def test_nothing_is_decided_without_saying_which_or_where_to_remember(desk: Desk) -> None:
    desk.bury(desk.refused(1, SECONDS))
    for arguments in (["replay", "usage"], ["replay", "usage", "--all", "--app", "CRM"]):
        with pytest.raises(ConfigError, match="say which dead letters"):
            desk.run(*arguments, "--yes")
    desk.settings["kafka"]["decisions_topic"] = "nowhere"
    assert desk.run("show", "usage").stdout
    with pytest.raises(BridgeError, match="topic nowhere does not exist; create it with cleanup"):
        desk.run("replay", "usage", "--all", "--yes")
    assert desk.back() == []


def test_an_ordered_stream_warns_of_what_came_since(desk: Desk) -> None:
    desk.settings["sinks"] = {"users": desk.settings["sinks"]["usage"]}
    desk.bury(desk.refused(1, {"app": "CRM", "email": "ada@example.com"}))
    told = desk.run("replay", "users", "--all", "--dry-run").stderr
    assert "users keeps the last word of each key" in told


@pytest.mark.real_kafka
def test_the_memory_is_made_where_that_is_allowed(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    desk = Desk(tmp_path, kafka)
    desk.settings["kafka"] |= {"create_topics": True, "decisions_topic": kafka.unique("memory")}
    desk.bury(desk.refused(1, SECONDS))
    assert desk.run("discard", "usage", "--all", "--why", "x", "--yes").exit_code == 0
    assert "waiting 0; replayed 0; discarded 1" in desk.run("list", "usage").stderr


@pytest.mark.real_kafka
def test_letters_are_shown_by_time(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    desk = Desk(tmp_path, kafka)
    desk.bury(desk.refused(1, SECONDS))
    assert (
        len(desk.run("show", "usage", "--from", "2026-01-01", "--to", "9999-01-01").stdout.splitlines()) == 1
    )
    assert desk.run("show", "usage", "--to", "2026-01-01").stdout == ""
