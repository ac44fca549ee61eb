"""`productiv-bridge apps` against a sandbox and the mock cluster."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import BridgeError, ConfigError
from bridge.productiv.questions import ApiError
from bridge.sandbox import SandboxServer
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


class Desk:
    """A configuration for commands, on a sandbox and a cluster."""

    def __init__(self, folder: Path, sandbox: SandboxServer, kafka: Cluster[Broker]) -> None:
        self.sandbox = sandbox
        self.config = folder / "bridge.yaml"
        self.settings: dict[str, Any] = {
            "productiv": {
                "api_url": sandbox.url,
                "token_url": f"{sandbox.url}/oauth2/token",
                "client_id": "sandbox",
                "client_secret": "sandbox-secret",
            },
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "create_topics": False,
                # The mock cluster gives the place of a member that left to the next one only after this time.
                "settings": {"session.timeout.ms": 6000},
            },
            "apps": {"topic": kafka.create_topic("applications", 1), "names": {"Mapped": "m-1"}},
        }

    def run(self, *arguments: str) -> Result:
        self.config.write_text(json.dumps(self.settings))
        command = ["apps", *arguments, "--config", str(self.config)]
        return CliRunner().invoke(app, command, catch_exceptions=False, env={"COLUMNS": "160"})

    def at_productiv(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.sandbox.url}/_sandbox/apps", timeout=10) as answer:
            items: list[dict[str, Any]] = json.load(answer)["items"]
        return items


@pytest.fixture
def desk(tmp_path: Path, mock_kafka: Cluster[Broker]) -> Any:
    with SandboxServer() as sandbox:
        yield Desk(tmp_path, sandbox, mock_kafka)


def test_applications_are_registered_once(desk: Desk) -> None:
    desk.settings["applications"] = {"CRM": {"category": "Sales", "url": "https://crm.example"}, "Wiki": None}
    first = desk.run("register")
    assert (first.exit_code, first.stdout) == (
        0,
        "CRM is registered now: app-1\nWiki is registered now: app-2\n",
    )
    assert desk.at_productiv() == [
        {"appId": "app-1", "appName": "CRM", "appCategory": "Sales", "appUrl": "https://crm.example"},
        {"appId": "app-2", "appName": "Wiki"},
    ]
    second = desk.run("register", "New", "CRM", "--json")
    assert json.loads(second.stdout) == [
        {"name": "New", "app_id": "app-3", "how": "registered"},
        {"name": "CRM", "app_id": "app-1", "how": "known"},
    ]
    assert len(desk.at_productiv()) == 3


def test_an_app_that_is_at_productiv_by_its_name_is_taken(desk: Desk) -> None:
    desk.run("register", "CRM")
    desk.settings["apps"]["topic"] += "-lost"
    with pytest.raises(BridgeError, match="-lost does not exist; create it"):
        desk.run("register", "CRM")
    desk.settings["apps"]["topic"] = desk.settings["apps"]["topic"].removesuffix("-lost")
    assert len(desk.at_productiv()) == 1


def test_the_list_shows_every_source(desk: Desk) -> None:
    desk.run("register", "[red]CRM")
    desk.settings["applications"] = {"New": {}}
    rows = json.loads(desk.run("list", "--json").stdout)
    assert [(row["name"], row["app_id"], row["configured"], row["status"]) for row in rows] == [
        ("Mapped", "m-1", True, None),
        ("New", None, True, None),
        ("[red]CRM", "app-1", False, "Approved"),
    ]
    shown = desk.run("list").stdout
    assert [line.split()[0] for line in shown.splitlines() if line.strip()][2:] == [
        "Mapped",
        "New",
        "[red]CRM",
    ]


def test_all_shows_the_rest_of_the_portfolio(desk: Desk) -> None:
    desk.run("register", "CRM")
    desk.settings["apps"] = {"topic": f"{desk.settings['apps']['topic']}-empty"}
    assert json.loads(desk.run("list", "--json").stdout) == []
    [row] = json.loads(desk.run("list", "--all", "--json").stdout)
    assert (row["name"], row["app_id"], row["registered_at"]) == ("CRM", "app-1", None)


def test_nothing_to_register_is_said(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="nothing to register"):
        desk.run("register")


def test_refused_credentials_are_said(desk: Desk) -> None:
    desk.settings["productiv"]["client_secret"] = "wrong-one"
    with pytest.raises(ApiError, match="cannot list the apps at Productiv: no access token") as error:
        desk.run("list")
    assert "wrong-one" not in str(error.value)


def test_missing_credentials_are_said(desk: Desk) -> None:
    del desk.settings["productiv"]["client_secret"]
    with pytest.raises(ConfigError, match=r"productiv\.client_secret: not given"):
        desk.run("register", "CRM")
