"""Writes settings as YAML text, so that reading it gives the same settings again."""

import re
from pathlib import PurePath
from typing import Any

import yaml

MASK = "********"

# Text that the syntax of YAML leaves alone; whether it reads as text, and not as a number, is tried.
_PLAIN = re.compile(r"[\w./][\w./@%+,-]*(:[\w./@%+,-]+)*", re.ASCII)
# A password may hold a slash or an @ that should have been written as %2F or %40.
_USERINFO = re.compile(r"(?<=://)\S*@")


def scalar(value: Any) -> str:
    """One value as YAML: numbers without a needless fraction, text in quotes only where it needs them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    return _text(str(value) if isinstance(value, PurePath) else value)


def without_userinfo(text: str) -> str:
    """The text with the user names and passwords of the URLs in it masked."""
    return _USERINFO.sub(f"{MASK}@", text)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and yaml.safe_load(f"key: {text}") == {"key": text}:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', width=float("inf"), allow_unicode=True)
    return quoted.removesuffix("\n")
