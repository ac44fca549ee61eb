"""Rows: whatever a record holds comes out again as it went in."""

import csv
import io
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.export.rows import CsvRows, FileFormat, JsonRows, json_line, rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# What would go wrong first: quotes, separators, line ends of all kinds, formulas, blanks at the edge.
ODD = st.lists(st.sampled_from(['"', ",", "\r", "\n", "\r\n", "=", "+", "-", "@", " ", "a", "\0", "🦆"]))
CELLS = TEXT | ODD.map("".join)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), CELLS)
def test_text_goes_through_csv_unchanged(cells: list[tuple[str, str]], app: str) -> None:
    made = CsvRows(["one", "two"])
    lines = made.of(app, [{"one": one, "two": two} for one, two in cells])
    assert len(lines) == len(cells)
    assert all(line.endswith(b"\r\n") for line in [made.head, *lines])
    assert read_csv(made.head + b"".join(lines)) == [
        ["app", "one", "two"],
        *([app, one, two] for one, two in cells),
    ]


@given(
    st.lists(st.fixed_dictionaries({"one": CELLS, "two": st.integers(-(2**63), 2**63 - 1)}), max_size=5),
    CELLS,
)
def test_json_goes_through_unchanged(docs: list[dict[str, Any]], app: str) -> None:
    lines = JsonRows().of(app, docs)
    assert [line.count(b"\n") for line in lines] == [1] * len(docs)
    assert [json.loads(line) for line in lines] == [{"app": app, **doc} for doc in docs]


@given(DECIMALS)
def test_decimals_keep_every_digit(amount: Decimal) -> None:
    [cell] = CsvRows(["amount"]).of("a", [{"amount": amount}])
    [line] = JsonRows().of("a", [{"amount": amount}])
    written = read_csv(cell)[0][1]
    assert Decimal(written) == amount
    assert json.loads(line, parse_float=Decimal, parse_int=Decimal)["amount"] == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("12.30", "12.30"),
        ("-0.0000001", "-0.0000001"),
        ("1E+2", "100"),
        ("79228162514264337593543950335.01", "79228162514264337593543950335.01"),
        ("1E+1000000", "1E+1000000"),
        ("1E-1000000", "1E-1000000"),
    ],
)
def test_decimals_are_written_out_unless_that_takes_a_flood_of_zeros(amount: str, text: str) -> None:
    assert CsvRows(["amount"]).of("a", [{"amount": Decimal(amount)}]) == [f"a,{text}\r\n".encode()]
    assert JsonRows().of("a", [{"amount": Decimal(amount)}]) == [f'{{"app":"a","amount":{text}}}\n'.encode()]


def test_what_is_no_number_is_not_written_as_json() -> None:
    for value in (Decimal("NaN"), Decimal("Infinity"), object()):
        with pytest.raises(TypeError):
            json_line({"amount": value})


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, b""),
        (True, b"true"),
        (False, b"false"),
        (0, b"0"),
        (date(2026, 1, 31), b"2026-01-31"),
        (datetime(2026, 1, 31, 9, 30), b"2026-01-31T09:30:00"),
        (time(9, 30), b"09:30:00"),
        (["a", "b"], b'"[""a"",""b""]"'),
        ({"a": Decimal("1.10")}, b'"{""a"":1.10}"'),
    ],
)
def test_csv_cells_of_all_kinds(value: object, cell: bytes) -> None:
    assert CsvRows(["field"]).of("crm", [{"field": value}]) == [b"crm," + cell + b"\r\n"]


def test_columns_are_the_declared_fields_in_their_order() -> None:
    made = rows(FileFormat.CSV, ["two", "one"])
    assert made.head == b"app,two,one\r\n"
    assert made.of("a", [{"one": 1, "two": 2}, {"one": 3}]) == [b"a,2,1\r\n", b"a,,3\r\n"]


def test_a_field_called_app_does_not_make_a_second_column() -> None:
    assert CsvRows(["app", "one"]).head == b"app,one\r\n"


def test_ndjson_has_no_header() -> None:
    assert rows(FileFormat.NDJSON, ["one"]).head == b""
