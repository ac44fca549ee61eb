"""Every command is in the README, and the commands that documents name exist."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer

from bridge.cli import app

pytestmark = pytest.mark.docs_agree

ROOT = Path(__file__).parents[2]
PROGRAM = "productiv-bridge"


def commands(command: Any, name: str = "") -> Iterator[str]:
    """The names of all commands under this one, which may be a group of them."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name
    for word, child in (children or {}).items():
        yield from commands(child, f"{name} {word}".strip())


COMMANDS = set(commands(typer.main.get_command(app)))
GROUPS = {command.partition(" ")[0] for command in COMMANDS if " " in command}


def named(text: str) -> set[str]:
    """The commands that a line of code names: `in-doubt list\\|show spend` are two."""
    words = text.removeprefix(f"{PROGRAM} ").replace("\\|", "|").split()
    choices = [word.split("|") for word in words[:2]]
    ways = {" ".join(way) for way in product(*choices)} | set(choices[0])
    return ways & COMMANDS


def test_every_command_is_in_the_table_of_the_readme() -> None:
    rows = re.findall(rf"^\| (`{PROGRAM} .*?) \| [^|]+ \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    listed = [named(code) for row in rows for code in re.findall(r"`(.+?)`", row)]
    assert set().union(*listed) == COMMANDS


@pytest.mark.parametrize("document", ["README.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))])
def test_a_command_that_a_document_names_exists(document: str) -> None:
    for code in re.findall(rf"`({PROGRAM} [a-z].*?)`", (ROOT / document).read_text()):
        assert named(code) or code.removeprefix(f"{PROGRAM} ") in GROUPS, code
