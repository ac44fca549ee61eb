"""`productiv-bridge cursors`: where sources stand, and how they are sent elsewhere."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from bridge.core.polling import Json
from bridge.core.ports import Fenced
from bridge.kafka.cursor_topic import CursorTopic
from bridge.streams import SOURCES
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

NEW_YEAR = 1_767_225_600_000
DAY = 86_400_000
EVENTS = SOURCES["audit_events"]
ENTRY = {"format": 1}


class Desk:
    """A configuration with a cursor topic of its own, and a running bridge that owns the sources."""

    def __init__(self, folder: Path, kafka: Cluster[Broker]) -> None:
        self.config = folder / "bridge.yaml"
        group, topic = kafka.unique("group"), kafka.create_topic("cursors", cleanup_policy="compact")
        settings = {"bootstrap_servers": kafka.bootstrap, "group_prefix": group, "cursors_topic": topic}
        self.config.write_text(json.dumps({"kafka": settings}))
        self.running = CursorTopic({"bootstrap.servers": kafka.bootstrap}, topic, group)

    def remember(self, source: str, entries: Mapping[str, Json | None]) -> None:
        self.running.take_over(source)
        assert self.running.write(source, [], entries) is None

    def kept(self, source: str) -> Mapping[str, Json]:
        kept = self.running.read()
        return kept[source].cursor() if source in kept else {}

    def run(self, *arguments: str, answer: str = "") -> Result:
        command = ["cursors", *arguments, "--config", str(self.config)]
        wide = {"COLUMNS": "160"}
        result = CliRunner().invoke(app, command, input=answer, env=wide, catch_exceptions=False)
        structlog.reset_defaults()  # the log of `running` does not go where the command's went
        return result


@pytest.fixture
def desk(tmp_path: Path, any_kafka: Cluster[Broker]) -> Desk:
    return Desk(tmp_path, any_kafka)


def moved(at: int) -> dict[str, Json]:
    assert EVENTS.moved is not None
    return {name: entry for name, entry in EVENTS.moved({}, at).items() if entry is not None}


def test_the_list_shows_every_source(desk: Desk) -> None:
    desk.remember("audit_events", {**moved(NEW_YEAR), "one more": ENTRY})
    desk.remember("apps", {"slack": ENTRY})
    rows: dict[str, Any] = {row["source"]: row for row in json.loads(desk.run("list", "--json").stdout)}
    assert rows.keys() == SOURCES.keys()
    events = rows["audit_events"]
    assert (events["position"], events["entries"]) == ("2026-01-01T00:00:00Z", len(moved(NEW_YEAR)) + 1)
    assert events["age_seconds"] > 0
    assert (rows["apps"]["position"], rows["apps"]["entries"]) == (None, 1)
    assert (rows["workflows"]["entries"], rows["workflows"]["partitions"]) == (0, [])
    shown = desk.run("list").stdout
    assert re.search(r"audit_events +2026-01-01T00:00:00Z +\d+ d +\d+ +\d", shown)


@pytest.mark.parametrize(
    ("at", "means"),
    [
        ("2025-12-31", "goes back from 2026-01-01T00:00:00Z to 2025-12-31T00:00:00Z: .* goes out once more$"),
        ("2026-01-01", "goes back from 2026-01-01T00:00:00Z to 2026-01-01T00:00:00Z: .* goes out once more$"),
        ("2026-01-02", "jumps from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z: .* between is never read$"),
    ],
)
def test_a_source_is_sent_to_a_time(mock_desk: Desk, at: str, means: str) -> None:
    mock_desk.remember("audit_events", {**moved(NEW_YEAR), "one more": ENTRY})
    result = mock_desk.run("set", "audit_events", at, "--yes")
    assert result.exit_code == 0
    assert re.search(means, result.stderr, re.MULTILINE)
    assert EVENTS.position(mock_desk.kept("audit_events")) == NEW_YEAR + DAY * (int(at[-2:]) % 31 - 1)
    assert "one more" not in mock_desk.kept("audit_events")


@pytest.mark.parametrize(
    ("at", "means"),
    [
        ("2025-12-31", "goes out once more, but for the 2 that it remembers: of these only changes go out"),
        ("2026-01-02", "between is never read; the 2 that it remembers are followed as before"),
    ],
)
def test_executions_stay_known_wherever_they_are_sent(mock_desk: Desk, at: str, means: str) -> None:
    kept: dict[str, Json] = {"execution/w/1": ENTRY, "execution/w/2": ENTRY}
    mock_desk.remember("executions", {**moved(NEW_YEAR), **kept})
    assert means in mock_desk.run("set", "executions", at, "--yes").stderr
    now = mock_desk.kept("executions")
    assert SOURCES["executions"].position(now) != NEW_YEAR
    assert {**now, **kept} == now


@pytest.mark.parametrize("source", ["audit_events", "executions", "apps"])
def test_a_cursor_of_a_newer_version_can_be_listed_and_reset(mock_desk: Desk, source: str) -> None:
    newer: dict[str, Json] = {"head": {"format": 2, "at": "noon"}, "item/1": {"format": 2}}
    mock_desk.remember(source, newer)
    rows = {row["source"]: row for row in json.loads(mock_desk.run("list", "--json").stdout)}
    assert (rows[source]["position"], rows[source]["entries"]) == (None, 2)
    if SOURCES[source].moved is not None:
        with pytest.raises(BridgeError, match=r"'head' has format 2, .* or reset the cursor"):
            mock_desk.run("set", source, "2026-01-01", "--yes")
    assert mock_desk.kept(source) == newer
    assert f"{source} forgets its 2 entries" in mock_desk.run("reset", source, "--yes").stderr
    assert mock_desk.kept(source) == {}


@pytest.fixture
def mock_desk(tmp_path: Path, mock_kafka: Cluster[Broker]) -> Desk:
    return Desk(tmp_path, mock_kafka)


def test_a_source_that_never_ran_may_be_told_where_to_begin(mock_desk: Desk) -> None:
    result = mock_desk.run("set", "audit_events", "2026-01-01", "--yes")
    assert "has no position yet; it will begin at 2026-01-01T00:00:00Z" in result.stderr
    assert mock_desk.kept("audit_events") == moved(NEW_YEAR)


def test_nothing_happens_without_a_yes(mock_desk: Desk) -> None:
    mock_desk.remember("audit_events", moved(NEW_YEAR))
    for command in (("set", "audit_events", "2025-01-01"), ("reset", "audit_events")):
        assert mock_desk.run(*command, answer="n\n").exit_code == 1
    assert mock_desk.kept("audit_events") == moved(NEW_YEAR)
    assert mock_desk.running.write("audit_events", [], {"still": ENTRY}) is None  # nobody fenced it
    assert mock_desk.run("reset", "audit_events", answer="y\n").exit_code == 0
    assert mock_desk.kept("audit_events") == {}


def test_a_reset_says_what_goes_out_again(mock_desk: Desk) -> None:
    mock_desk.remember("audit_events", {**moved(NEW_YEAR), "one more": ENTRY})
    mock_desk.remember("apps", {"slack": ENTRY, "wiki": ENTRY})
    events, apps = (mock_desk.run("reset", source, "--yes").stderr for source in ("audit_events", "apps"))
    assert (
        "begins where its settings say (sources.audit_events). It has read up to 2026-01-01T00:00:00Z"
        in events
    )
    assert "apps forgets its 2 entries: with the next round all records go out once more" in apps
    assert mock_desk.kept("audit_events") == mock_desk.kept("apps") == {}
    assert mock_desk.run("reset", "apps").stdout == "apps has no cursor; nothing to do\n"


@pytest.mark.real_kafka
def test_a_running_bridge_writes_no_more_by_the_old_cursor(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    desk = Desk(tmp_path, kafka)
    desk.remember("audit_events", moved(NEW_YEAR))
    assert desk.run("reset", "audit_events", "--yes").exit_code == 0
    with pytest.raises(Fenced):
        desk.running.write("audit_events", [], moved(NEW_YEAR + DAY))
    assert desk.running.take_over("audit_events") == {}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("set", "usage", "2026-01-01"), "'usage' is no source; the sources are audit_events, "),
        (("reset", "usage"), "'usage' is no source"),
        (("set", "apps", "2026-01-01"), "apps reads a whole list each time, and begins at no time; use"),
        (("set", "audit_events", "soon"), "TIME: 'soon' is no time; write it like"),
        (("set", "audit_events", "2999-01-01"), "TIME: 2999-01-01T00:00:00Z is in the future"),
    ],
)
def test_what_cannot_be_is_said(mock_desk: Desk, arguments: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        mock_desk.run(*arguments)


@pytest.mark.real_kafka
def test_a_topic_that_is_not_there_is_said(tmp_path: Path, kafka: Cluster[Broker]) -> None:
    desk = Desk(tmp_path, kafka)
    nowhere = {"bootstrap_servers": kafka.bootstrap, "cursors_topic": "no-cursors"}
    desk.config.write_text(json.dumps({"kafka": nowhere}))
    with pytest.raises(BridgeError, match="topic no-cursors does not exist"):
        desk.run("list")
