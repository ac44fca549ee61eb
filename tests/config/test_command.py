"""`productiv-bridge config` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

from bridge.config.example import example


def config(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "config", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_show_takes_file_and_environment(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text("http: {port: 1}\nproductiv: {client_secret: hunter2}")
    done = config("show", "--config", str(path), BRIDGE_LOG__LEVEL="debug")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"port: 1 # {path}:1" in lines
    assert "level: debug # environment variable BRIDGE_LOG__LEVEL" in lines
    assert "hunter2" not in done.stdout


def test_show_works_without_credentials_and_with_the_file_named_in_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text("http: {port: 1}")
    assert f"# {path}:1" in config("show", BRIDGE_CONFIG=str(path)).stdout


def test_show_tells_what_is_wrong_without_a_traceback() -> None:
    done = config("show", BRIDGE_HTTP__PORT="x")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "environment variable BRIDGE_HTTP__PORT: http.port: 'x' is given, but a whole number is needed"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_schema_prints_json() -> None:
    done = config("schema")
    assert json.loads(done.stdout)["title"] == "Settings"


def test_example_prints_the_example() -> None:
    assert config("example").stdout == example()
