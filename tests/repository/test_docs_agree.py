"""What the documents list is what there is."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from bridge.core.outcome import Outcome
from bridge.telemetry.combined import LABEL
from tests.repository.metrics_page import page
from tests.telemetry.in_use import used

pytestmark = pytest.mark.docs_agree

ROOT = Path(__file__).parents[2]
OUTCOMES = [outcome.label for outcome in get_args(Outcome)]
METRICS = ROOT / "docs" / "metrics.md"


def labels_listed() -> dict[str, str]:
    """The table of labels: name to values."""
    text = METRICS.read_text().partition("## Labels")[2]
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))


def test_the_page_of_metrics_is_what_the_code_writes() -> None:
    assert METRICS.read_text() == page(), "run: python -m tests.repository.metrics_page > docs/metrics.md"


def test_every_metric_is_listed_and_no_other() -> None:
    """Said apart from the code that writes the page, as it would leave out what it does not see."""
    table = METRICS.read_text().partition("| --- |")[2].partition("\n\n")[0]
    shown = {
        re.sub("_(bucket|sum|count|created)$", "", sample.name)
        for metric in used()[0].registry.collect()
        for sample in metric.samples
    }
    counted = {name for name in shown if not name.endswith(("_total", "_info"))}
    # A counter's `_created` bears its bare name, which is not listed by itself.
    bare = {name.removesuffix("_total") for name in shown if name.endswith("_total")}
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert listed == {name for name in shown if name.endswith(("_total", "_info"))} | (counted - bare)


def test_every_label_is_explained_and_no_other() -> None:
    used_labels = {
        label
        for metric in used()[0].registry.collect()
        for sample in metric.samples
        for label in sample.labels
    }
    assert set(labels_listed()) == used_labels - {"le"} | {LABEL}


def test_all_outcomes_are_listed() -> None:
    assert re.findall(r"`(\w+)`", labels_listed()["outcome"]) == OUTCOMES


def test_all_results_of_a_round_are_listed() -> None:
    labels = {
        ast.unparse(node.args[0])
        for path in (ROOT / "bridge").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "RoundFailed"
    }
    listed = re.findall(r"`(\w+)`", labels_listed()["result"].partition("of a source's round: ")[2])
    own = {ast.literal_eval(label) for label in labels - {"error.outcome.label"}}
    assert {"done", *own} - {*OUTCOMES} == {*listed}
