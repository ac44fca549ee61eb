"""What a row of the API's answer becomes as a record: known fields typed, everything else kept as it came.

A form reads one value. What is unknown, or does not fit its form, is never lost and never an error: it stands
as JSON text in the map `extra` of the object it came in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.core.json_text import json_text
from bridge.core.record import Doc

EXTRA = "extra"
_INT64 = range(-(2**63), 2**63)


class Misfit(ValueError):
    """A value has another form than described."""


class Form(Protocol):
    """How a value must look."""

    def read(self, value: Any) -> Any:
        """The value as it goes onto a topic; raises Misfit if it does not fit."""
        ...


class _Text:
    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Misfit
        return value


class _Whole:
    def read(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in _INT64:
            raise Misfit
        return value


class _Number:
    def read(self, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Misfit
        try:
            number = float(value)
        except OverflowError:
            raise Misfit from None
        if number != value:  # beyond 2^53 it may be another number
            raise Misfit
        return number


class _Moment:
    def read(self, value: Any) -> int:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise Misfit from None
        if moment.tzinfo is None:  # nobody knows whose clock it was
            raise Misfit
        return round(moment.timestamp() * 1000)


class _Json:
    def read(self, value: Any) -> str:
        try:
            return json_text(value, sort_keys=True).decode()  # a record must not change with an order
        except TypeError:  # hundreds of levels: no answer of use, and no reason to stop all others
            return '"nested too deeply to be kept"'


TEXT, WHOLE, NUMBER = _Text(), _Whole(), _Number()
MOMENT = _Moment()
"""A time in ISO 8601 with its zone; becomes milliseconds since 1970."""
JSON = _Json()
"""Anything; becomes JSON text."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one form."""

    form: Form

    def read(self, value: Any) -> list[Any]:
        """Each value read; one that does not fit makes the list unfit, so that nothing of it is lost."""
        if not isinstance(value, list):
            raise Misfit
        return [self.form.read(each) for each in value]


@dataclass(frozen=True, slots=True)
class Object:
    """An object with these fields, each of which may be absent."""

    fields: Mapping[str, Form]

    def read(self, value: Any) -> Doc:
        """The fields that fit, without those that are null, and under `extra` all else as JSON text."""
        if not isinstance(value, dict):
            raise Misfit
        read: Doc = {}
        extra: dict[str, str] = {}
        for name, raw in value.items():
            try:
                if raw is not None:
                    read[name] = self.fields[name].read(raw)
            except (KeyError, Misfit):
                extra[name] = JSON.read(raw)
        return {**read, EXTRA: extra} if extra else read
