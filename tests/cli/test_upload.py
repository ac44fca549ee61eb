"""`productiv-bridge upload` against a sandbox: names, manifests, exit codes, and nothing secret shown."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli import app
from bridge.core.errors import ConfigError
from bridge.kafka.registered_apps import RegisteredApp, RegisteredApps
from bridge.sandbox import SandboxServer
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster


class Desk:
    """A configuration for uploads to a sandbox, and files to send."""

    def __init__(self, folder: Path, sandbox: SandboxServer) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.settings: dict[str, Any] = {
            "productiv": {
                "api_url": sandbox.url,
                "token_url": f"{sandbox.url}/oauth2/token",
                "client_id": "sandbox",
                "client_secret": "sandbox-secret",
            },
            "kafka": {"bootstrap_servers": "127.0.0.1:1"},
            "apps": {"names": {"CRM": "app-7"}},
        }

    def file(self, name: str, content: str = "a,b\n") -> str:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(content)
        return str(self.folder / name)

    def run(self, *arguments: str) -> Result:
        config = self.folder / "bridge.yaml"
        config.write_text(json.dumps(self.settings))
        command = ["upload", *arguments, "--config", str(config)]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    def fault(self, **fault: Any) -> None:
        body = json.dumps(fault).encode()
        with urllib.request.urlopen(f"{self.sandbox.url}/_sandbox/faults", body, timeout=10):
            pass

    def stored(self, app_id: str) -> set[str]:
        url = f"{self.sandbox.url}/_sandbox/uploads?app={app_id}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return {item["filename"] for item in json.load(answer)["items"]}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with SandboxServer() as sandbox:
        yield Desk(tmp_path, sandbox)


def test_files_are_uploaded_once(desk: Desk) -> None:
    one, two = desk.file("data/one.csv"), desk.file("data/two.csv", "c\n")
    first = desk.run("CRM", one, two)
    assert (first.exit_code, first.stdout) == (0, "uploaded: 2 (6 bytes)\n")
    assert desk.stored("app-7") == {"one.csv", "two.csv"}
    assert (desk.folder / "data" / "productiv-uploads.json").exists()
    desk.file("data/two.csv", "changed\n")
    second = desk.run("CRM", one, two)
    assert second.stdout == "uploaded: 1 (8 bytes); unchanged since the last upload: 1\n"


def test_the_manifest_may_be_elsewhere(desk: Desk) -> None:
    file, manifest = desk.file("one.csv"), desk.folder / "m.json"
    desk.run("CRM", file, "--manifest", str(manifest))
    assert [each["app"] for each in json.loads(manifest.read_text())["uploads"]] == ["app-7"]
    assert not (desk.folder / "productiv-uploads.json").exists()
    with pytest.raises(ConfigError, match=r"one\.csv: is the manifest"):
        desk.run("CRM", file, "--manifest", file)


def test_a_file_that_failed_is_named_and_makes_the_exit_code(desk: Desk) -> None:
    desk.fault(kind="status", status=413, operation="put_upload", times=1)
    result = desk.run("CRM", desk.file("one.csv"), desk.file("two.csv"), "--at-once", "1")
    assert (result.exit_code, result.stdout) == (1, "uploaded: 1 (4 bytes); failed: 1\n")
    assert "one.csv: 127.0.0.1 answered 413" in result.stderr
    assert "signature" not in result.stderr
    assert desk.run("CRM", desk.file("one.csv"), desk.file("two.csv")).exit_code == 0


def test_an_id_needs_no_kafka(desk: Desk) -> None:
    assert desk.run("app-9", desk.file("one.csv"), "--id").exit_code == 0
    assert desk.stored("app-9") == {"one.csv"}


def test_a_registered_name_is_resolved(desk: Desk, mock_kafka: Cluster[Broker]) -> None:
    topic = mock_kafka.create_topic("applications", 1)
    memory = RegisteredApps({"bootstrap.servers": mock_kafka.bootstrap}, topic)
    memory.write(RegisteredApp("Wiki", "app-3", "2026-01-01T00:00:00+00:00"))
    memory.write(RegisteredApp("CRM", "another", "2026-01-01T00:00:00+00:00"))
    desk.settings["kafka"]["bootstrap_servers"] = mock_kafka.bootstrap
    desk.settings["apps"] |= {"topic": topic, "unknown": "dead_letter"}
    assert desk.run("Wiki", desk.file("one.csv")).exit_code == 0
    assert desk.stored("app-3") == {"one.csv"}
    with pytest.raises(
        ConfigError, match="no application is known as 'Wikki'; register it, or give its app id"
    ):
        desk.run("Wikki", desk.file("one.csv"))


def test_nothing_is_sent_if_a_file_cannot_be(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read: No such file"):
        desk.run("CRM", desk.file("one.csv"), str(desk.folder / "none.csv"))
    with pytest.raises(ConfigError, match="same name at Productiv"):
        desk.run("CRM", desk.file("one.csv"), desk.file("data/one.csv"))
    assert desk.stored("app-7") == set()
