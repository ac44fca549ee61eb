"""Lines for a terminal, as they are."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

TOO_DEEP = "nested too deeply to be shown"


def plain(text: str) -> str:
    """The text without characters that a terminal might act on."""
    return "".join(char if char.isprintable() else "�" for char in text)


def json_line(told: Mapping[str, Any]) -> str:
    """What is told of a message, as JSON; its `record` may be anything that a decoder read."""
    try:
        return json.dumps(told, default=str, ensure_ascii=False)
    except RecursionError:
        return json.dumps({**told, "record": TOO_DEEP}, default=str, ensure_ascii=False)


def say(console: Console, text: str) -> None:
    """Writes a line, above a bar if there is one."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
