"""Reads records from lines of text, NDJSON or CSV, one at a time, whatever the length of the file."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from bridge.core.errors import ConfigError
from bridge.core.json_text import exact_json
from bridge.kafka.avro_schema import Schema
from bridge.kafka.refusal import Refusal, undecodable

# No record comes near it; a file without line ends would be read into memory as one line otherwise.
MAX_LINE_BYTES = 4 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class InputRecord:
    """A record and the number of the line that it ends on, from 1; or why the line holds none."""

    line: int
    record: Any = None
    refusal: Refusal | None = None


def lines_of(file: BinaryIO, on_bytes: Callable[[int], None] = lambda read: None) -> Iterator[bytes]:
    """The lines of a file, each with its end; of one longer than 4 MiB no more than that and a byte.

    `on_bytes` is told how many bytes of the file each line took.
    """
    first = True
    while line := file.readline(MAX_LINE_BYTES + 1):
        read, part = len(line), line
        while not part.endswith(b"\n") and (part := file.readline(MAX_LINE_BYTES)):
            read += len(part)
        on_bytes(read)
        yield line.removeprefix(_BOM) if first else line
        first = False


def ndjson_records(lines: Iterable[bytes], exact: bool = False) -> Iterator[InputRecord]:
    """Records from lines of JSON; empty lines are passed over. `exact` keeps every digit of a fraction."""
    loads = exact_json if exact else orjson.loads
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_BYTES:
            yield InputRecord(number, refusal=undecodable(f"the line has more than {MAX_LINE_BYTES} bytes"))
        elif line.strip():
            try:
                yield InputRecord(number, loads(line))
            except ValueError as error:
                place = getattr(error, "pos", 0)
                detail = f"the line is not JSON from character {place} on; send one JSON object a line"
                yield InputRecord(number, refusal=undecodable(detail))


def csv_records(lines: Iterable[bytes], schema: Schema, needed: Sequence[str]) -> Iterator[InputRecord]:
    """Records from CSV with a header row; cells become numbers where `schema` has them, empty ones are none.

    Raises:
        ConfigError: the header lacks one of the columns `needed`.
    """
    # Bytes that are no UTF-8 become what validation refuses, so that such a line is named like any other.
    reader = csv.reader(line.decode(errors="surrogateescape") for line in lines)
    header = [name.strip() for name in next(reader, [])]
    if missing := [name for name in needed if name not in header]:
        raise ConfigError(
            f"the CSV's header row lacks the column {missing[0]!r}; it needs {', '.join(needed)}"
        )
    convert = {field["name"]: cell_reader(field["type"]) for field in schema["fields"]}
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield InputRecord(reader.line_num, refusal=undecodable(f"the line is not CSV: {error}"))
            continue
        if row is None:
            return
        if len(row) > len(header):
            detail = f"the line has {len(row)} cells where the header row has {len(header)}"
            yield InputRecord(reader.line_num, refusal=undecodable(detail))
        elif row:
            cells = zip(header, row, strict=False)
            record = {name: convert.get(name, str)(cell) for name, cell in cells if cell != ""}
            yield InputRecord(reader.line_num, record)


def cell_reader(kind: Any) -> Callable[[str], Any]:
    """How a cell becomes a value of an Avro type; what does not fit stays text, which validation names."""
    kinds = {
        part["type"] if isinstance(part, dict) else part
        for part in (kind if isinstance(kind, list) else [kind])
    }
    if kinds & {"int", "long"}:
        return lambda cell: int(cell) if _WHOLE_NUMBER.fullmatch(cell.strip()) else cell
    if kinds & {"float", "double"}:
        return _number
    if "boolean" in kinds:
        return lambda cell: _BOOLEANS.get(cell.strip().lower(), cell)
    return str


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell
