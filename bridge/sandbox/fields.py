"""Shapes of fields as the API description states them."""

import re
from typing import Any

# Shape only: one @, no blanks, no empty label in the domain. RFC 5321 (4.5.3.1.3) allows 254 characters.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)*")
is_email_shaped = _EMAIL.fullmatch
EMAIL_LENGTH = 254

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def email_problem(record: dict[str, Any], name: str) -> str | None:
    """What is wrong with an e-mail field that must be there, or None."""
    value = record.get(name)
    if value is None:
        return f"{name} is required"
    if type(value) is not str:
        return f"{name} must be a string"
    if len(value) > EMAIL_LENGTH or not is_email_shaped(value):
        return f"{name} is not an e-mail address"
    return None


def text_problem(record: dict[str, Any], *names: str) -> str | None:
    """What is wrong with the first bad one of some optional text fields, or None."""
    for name in names:
        if not isinstance(record.get(name), str | None):
            return f"{name} must be a string"
    return None
