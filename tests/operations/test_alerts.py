"""Each alert fires when it should and is silent when not, as promtool judges."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operations.prometheus import binary
from tests.operations.queries import ALERTS, ALERTS_FILE

CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in yaml.safe_load(Path(__file__).with_name("alerts_test.yaml").read_text())["tests"]
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_case_says(name: str, tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(ALERTS_FILE)], "evaluation_interval": "1m", "tests": [CASES[name]]}
        )
    )
    done = subprocess.run([binary("promtool"), "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_with_the_rules() -> None:
    done = subprocess.run([binary("promtool"), "check", "rules", str(ALERTS_FILE)], capture_output=True)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


@pytest.mark.docs_agree
def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    assert sorted(CASES) == sorted(f"{name} {ending}" for name in ALERTS for ending in ("fires", "is silent"))
    for name, case in CASES.items():
        alert, _, ending = name.partition(" ")
        [check] = case["promql_expr_test"]
        fired = {sample["labels"] for sample in check.get("exp_samples", [])}
        assert bool(fired) == (ending == "fires"), name
        assert all(f'alertname="{alert}"' in labels for labels in fired or {check["expr"]}), name
