"""Finds out which records of a batch the API named as bad.

No description of the API gives the shape of an error body, so common shapes are read leniently: a list, at
the top or under `error`, of objects with a position and a message, names compared without case or separators.
"""

from typing import Any

from bridge.core.outcome import ItemError
from bridge.core.redact import excerpt

_LISTS = ("errors", "itemerrors", "recorderrors", "failures", "faileditems", "failedrecords", "details")
# Only names that say a position counted from 0; a `row` or `line` may well count from 1.
_POSITIONS = ("index", "idx", "itemindex", "recordindex", "eventindex")
_REASONS = ("message", "reason", "error", "errormessage", "detail", "description", "code")
_REASON_CHARS = 200


def item_errors(body: object, records: int) -> tuple[ItemError, ...]:
    """The records named in a decoded answer to a batch of `records`, in order, each once; empty if none."""
    found: dict[int, str] = {}
    for item in _listed(body):
        fields = _plain(item)
        index = _position(fields)
        if index is not None and 0 <= index < records:
            found.setdefault(index, _reason(fields))
    return tuple(ItemError(index, found[index]) for index in sorted(found))


def _plain(value: object) -> dict[str, Any]:
    """An object with its names in lower case and without separators; empty for anything else."""
    if not isinstance(value, dict):
        return {}
    return {str(name).lower().replace("_", "").replace("-", ""): item for name, item in value.items()}


def _listed(body: object) -> list[Any]:
    fields = _plain(body)
    for holder in (fields, _plain(fields.get("error"))):
        for name in _LISTS:
            if isinstance(value := holder.get(name), list):
                return value
    return []


def _position(fields: dict[str, Any]) -> int | None:
    for name in _POSITIONS:
        value = fields.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
            return int(value)
    return None


def _reason(fields: dict[str, Any]) -> str:
    for name in _REASONS:
        if isinstance(value := fields.get(name), str) and value.strip():
            return excerpt(value, _REASON_CHARS)
    return "the API named this record as bad and gave no reason"
