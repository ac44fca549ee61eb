"""Records as the rows of a file: CSV or NDJSON."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import orjson

from bridge.core.record import Doc

# Beyond so many zeros a decimal keeps its exponent: 1E+1000000 has a few bytes on the topic, and must not
# have a million in the file.
MAX_ZEROS = 64


class FileFormat(StrEnum):
    """How the records are written in the files."""

    CSV = "csv"
    NDJSON = "ndjson"


class Rows(Protocol):
    """One format: what a file begins with, and the bytes of each record, end of line included."""

    head: bytes

    def of(self, app: str, docs: Iterable[Doc]) -> list[bytes]:
        """The rows of an app's records."""
        ...


def rows(file_format: FileFormat, fields: Sequence[str]) -> Rows:
    """The rows of a stream with these fields."""
    return CsvRows(fields) if file_format is FileFormat.CSV else JsonRows()


class CsvRows:
    """RFC 4180 in UTF-8 with a header row: the app, then the stream's fields as it declares them.

    A field without a value is an empty cell; lists and objects are JSON within their cell. Values stand as
    they are: one that begins with = + - or @ is a formula to a spreadsheet.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = [field for field in fields if field != "app"]
        self._lines: list[bytes] = []
        self._writer = csv.writer(self)
        self._writer.writerow(["app", *self._fields])
        [self.head] = self._taken()

    def of(self, app: str, docs: Iterable[Doc]) -> list[bytes]:
        """The rows of an app's records."""
        fields = self._fields
        self._writer.writerows([app, *(_cell(doc.get(field)) for field in fields)] for doc in docs)
        return self._taken()

    def write(self, line: str) -> None:
        """Takes a line from the CSV writer, which hands over each as a whole."""
        self._lines.append(line.encode())

    def _taken(self) -> list[bytes]:
        lines, self._lines = self._lines, []
        return lines


class JsonRows:
    """One JSON object a line, the app first among its fields. Decimals are numbers, to the last digit."""

    head = b""

    def of(self, app: str, docs: Iterable[Doc]) -> list[bytes]:
        """The rows of an app's records."""
        return [json_line({"app": app, **doc}) for doc in docs]


def json_line(document: dict[str, Any]) -> bytes:
    """One object as a line of JSON."""
    return orjson.dumps(document, default=_json_number, option=orjson.OPT_APPEND_NEWLINE)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=_json_number).decode()
    return value


def _json_number(value: object) -> orjson.Fragment:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return orjson.Fragment(_digits(value))


def _digits(value: Decimal) -> str:
    """All digits, none more and none less; binary floats never come near it."""
    exponent = value.as_tuple().exponent
    plain = isinstance(exponent, int) and abs(exponent) <= MAX_ZEROS
    return format(value, "f") if plain else str(value)
