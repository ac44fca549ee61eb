"""Lines of NDJSON and CSV become records, each with its line number, whatever the lines are like."""

from io import BytesIO

import orjson
import pytest

from bridge.core.errors import ConfigError
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.input_lines import MAX_LINE_BYTES, InputRecord, csv_records, lines_of, ndjson_records
from tests.kafka.records import GOOD, usage_topic

SCHEMA = load_schema(usage_topic().schema_path)
HEADER = b"timestamp,email,eventName,app\n"
ROW = b"1700000000000,ada@example.com,document.opened,slack\n"


def ndjson(content: bytes) -> list[InputRecord]:
    return list(ndjson_records(lines_of(BytesIO(content))))


def from_csv(content: bytes) -> list[InputRecord]:
    return list(csv_records(lines_of(BytesIO(content)), SCHEMA, ["timestamp", "app"]))


def details(records: list[InputRecord]) -> list[tuple[int, str]]:
    return [(each.line, each.refusal.detail) for each in records if each.refusal is not None]


def test_each_line_of_json_is_a_record_and_empty_lines_are_none() -> None:
    line = orjson.dumps(GOOD)
    records = ndjson(b"\xef\xbb\xbf" + line + b"\r\n\n  \n[1]\n" + line)
    assert records == [InputRecord(1, GOOD), InputRecord(4, [1]), InputRecord(5, GOOD)]


def test_a_line_that_is_not_json_is_named_and_the_next_is_read() -> None:
    records = ndjson(b'{"a":\n{}\n\xff\n')
    assert [each.record for each in records if each.refusal is None] == [{}]
    assert [line for line, _ in details(records)] == [1, 3]
    assert details(records)[1][1] == "the line is not JSON from character 0 on; send one JSON object a line"


@pytest.mark.parametrize("longer", [0, 1, MAX_LINE_BYTES, 2 * MAX_LINE_BYTES + 1])
def test_a_line_of_any_length_takes_bounded_memory(longer: int) -> None:
    read: list[int] = []
    content = b"1" * (MAX_LINE_BYTES - 1 + longer) + b"\n{}\n"
    lines = list(lines_of(BytesIO(content), read.append))
    assert max(map(len, lines)) == MAX_LINE_BYTES + (longer > 0)
    assert lines[-1] == b"{}\n"
    assert read == [len(content) - 3, 3]


def test_a_line_that_is_too_long_is_named_and_the_next_is_read() -> None:
    records = ndjson(b'"' + b"a" * MAX_LINE_BYTES + b'"\n{}\n')
    assert details(records) == [(1, "the line has more than 4194304 bytes")]
    assert records[1] == InputRecord(2, {})


def test_rows_become_records_with_numbers() -> None:
    assert from_csv(HEADER + ROW) == [InputRecord(2, GOOD)]


def test_columns_may_come_in_any_order_with_others_between_them() -> None:
    content = b"\xef\xbb\xbfapp, ip ,eventName,email,timestamp\r\nslack,10.0.0.1,open,ada@example.com,17\r\n"
    (record,) = from_csv(content)
    assert record.record == {
        "app": "slack",
        "ip": "10.0.0.1",
        "eventName": "open",
        "email": "ada@example.com",
        "timestamp": 17,
    }


def test_empty_cells_and_cells_that_lack_are_no_fields() -> None:
    records = from_csv(HEADER + b",ada@example.com,,\n17,ada@example.com\n\n")
    assert [each.record for each in records] == [
        {"email": "ada@example.com"},
        {"timestamp": 17, "email": "ada@example.com"},
    ]


def test_what_is_no_number_stays_text_for_validation_to_name() -> None:
    cells = [b"yesterday", b"1.5", b"1e3", "१७".encode(), b"9" * 5000, b" 17 ", b"-17"]
    records = from_csv(HEADER + b"".join(cell + b",,,\n" for cell in cells))
    given = [each.record["timestamp"] for each in records]
    assert given == [*(cell.decode() for cell in cells[:5]), 17, -17]


def test_numbers_and_booleans_follow_the_schema() -> None:
    kinds = {"n": ["null", {"type": "double"}], "b": "boolean", "s": {"type": "array", "items": "string"}}
    schema = {"fields": [{"name": name, "type": kind} for name, kind in kinds.items()]}
    lines = [b"n,b,s\n", b"1.5, TRUE,1\n", b"x,false,2\n", b"2,maybe,3\n"]
    assert [each.record for each in csv_records(lines, schema, [])] == [
        {"n": 1.5, "b": True, "s": "1"},
        {"n": "x", "b": False, "s": "2"},
        {"n": 2.0, "b": "maybe", "s": "3"},
    ]


def test_a_quoted_cell_may_span_lines_and_counts_by_its_last() -> None:
    records = from_csv(HEADER + b'17,"a\nb",x,y\n' + ROW)
    assert [(each.line, each.record["email"]) for each in records] == [(3, "a\nb"), (4, "ada@example.com")]


def test_a_row_that_is_none_is_named_and_the_next_is_read() -> None:
    records = from_csv(HEADER + b"1,2,3,4,5\n" + b"a" * 200_000 + b"\n" + ROW)
    assert details(records) == [
        (2, "the line has 5 cells where the header row has 4"),
        (3, "the line is not CSV: field larger than field limit (131072)"),
    ]
    assert records[-1] == InputRecord(4, GOOD)


def test_a_quote_that_never_ends_takes_bounded_memory() -> None:
    records = from_csv(HEADER + b'17,"' + b"a\n" * 100_000)
    assert any("field larger than field limit" in detail for _, detail in details(records))


def test_bytes_that_are_no_text_are_left_for_validation_to_name() -> None:
    (record,) = from_csv(HEADER + b"17,\xff@example.com,x,y\n")
    with pytest.raises(UnicodeEncodeError):
        record.record["email"].encode()


@pytest.mark.parametrize("content", [b"", b"email,app\n"])
def test_a_header_that_lacks_a_column_ends_it(content: bytes) -> None:
    with pytest.raises(ConfigError, match="header row lacks the column 'timestamp'; it needs timestamp, app"):
        from_csv(content)
