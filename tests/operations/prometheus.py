"""Prometheus and promtool as Debian ships them, for the length of a test."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flows.process import PATIENCE, eventually
from tests.kafka_broker.ports import free_port

SCRAPE_SECONDS = 1


def binary(name: str) -> str:
    """The path of one of its programs; skips the test where it is not installed.

    With REQUIRE_REAL_KAFKA=1, which stands for a machine that has everything, that is a failure.
    """
    path = shutil.which(name)
    if path is None:
        missing = f"no {name} on this machine; the Debian package `prometheus` has it"
        if os.environ.get("REQUIRE_REAL_KAFKA") == "1":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return path


class Prometheus:
    """One that scrapes these targets, and evaluates the rules of a file, each second.

    What it scrapes gets the label `namespace="test"`, as it would in a cluster.
    """

    def __init__(self, folder: Path, targets: Sequence[str], rules: Path) -> None:
        static = [{"targets": list(targets), "labels": {"namespace": "test"}}]
        configuration = {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "bridge", "metrics_path": "/metrics", "static_configs": static}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        address = f"127.0.0.1:{free_port()}"
        self._url = f"http://{address}"
        self._log = (folder / "prometheus.log").open("wb")
        command = [
            binary("prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        eventually(self._ready, f"Prometheus is ready; see {self._log.name}")

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()

    def query(self, expression: str) -> list[float]:
        """The values of all series of an expression, now; fails if it is not to be understood."""
        found = self._ask("query", query=expression)["result"]
        assert isinstance(found, list), f"a scalar: {expression}"
        values = [float(series["value"][1]) for series in found]
        return [value for value in values if not isnan(value)]

    def range(self, expression: str, begin: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of an expression from `begin` to `end`, all in seconds."""
        found = self._ask("query_range", query=expression, start=begin, end=end, step=step)
        series: list[dict[str, Any]] = found["result"]
        return series

    def rules(self) -> list[dict[str, Any]]:
        """The rules and how they fare."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=10):
                return True
        except OSError:
            assert self._process.poll() is None, f"Prometheus ended at once; see {self._log.name}"
            return False

    def _ask(self, what: str, **parameters: Any) -> dict[str, Any]:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        return data
