"""Each promise on the page of promises has tests, and they exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs_agree

ROOT = Path(__file__).parents[2]
PROMISES = (ROOT / "docs" / "promises.md").read_text().split("\n## ")[1:]


def test_there_are_ten_and_each_has_tests() -> None:
    assert len(PROMISES) == 10
    assert [promise for promise in PROMISES if not _named(promise)] == []


def test_the_tests_are_there() -> None:
    """Collected, and not only looked for as text: a test that pytest does not see guards nothing."""
    named = {name for promise in PROMISES for name in _named(promise)}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    files = sorted({name.partition("::")[0] for name in named})
    told = subprocess.run(
        [*command, *files], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert named - {line.partition("[")[0] for line in told.stdout.splitlines()} == set()


def _named(promise: str) -> list[str]:
    return re.findall(r"^- `(tests/\S+::test_\w+)`$", promise, re.MULTILINE)
