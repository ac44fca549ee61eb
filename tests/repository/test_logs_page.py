"""docs/logs.md lists the events that the code logs."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.telemetry.repetition import REPEATING

pytestmark = pytest.mark.docs_agree

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logs.md").read_text()
SEVERITIES = {"debug", "info", "warning", "error", "critical", "exception"}


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """The calls that log something."""
    for path in sorted((ROOT / "bridge").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            of = node.func if isinstance(node, ast.Call) else None
            if (
                isinstance(of, ast.Attribute)
                and ast.unparse(of.value) in ("log", "logger")
                and of.attr in SEVERITIES
            ):
                assert isinstance(node, ast.Call)
                yield path, node


def logged() -> dict[str, tuple[set[str], set[str]]]:
    """The severities and the fields of each event."""
    events: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for path, call in calls():
        name = ast.literal_eval(call.args[0])  # a name that is made up as it goes could not be listed
        assert re.fullmatch("[a-z_]+", name), (path, name)
        assert len(call.args) == 1, f"{path}: {name} has values without names"
        severities, fields = events[name]
        severities.add(getattr(call.func, "attr", "").replace("exception", "error"))
        fields |= {keyword.arg or "…" for keyword in call.keywords}
    return events


def listed() -> dict[str, tuple[set[str], set[str]]]:
    """What the table says of each event."""
    rows = re.findall(r"^\| `(\w+)`(?: ↻)? \| ([\w, ]+) \|(.*?)\| .+\. \|$", PAGE, re.MULTILINE)
    return {
        name: (set(levels.split(", ")), set(fields.replace("`", "").split())) for name, levels, fields in rows
    }


def test_every_event_is_listed_as_it_is_and_no_other() -> None:
    assert listed() == logged()


def test_they_are_in_order() -> None:
    assert list(listed()) == sorted(listed())


def test_every_one_that_repeats_is_marked_and_no_other() -> None:
    assert set(re.findall(r"^\| `(\w+)` ↻", PAGE, re.MULTILINE)) == REPEATING
