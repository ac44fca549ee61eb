"""An export is the range, the whole range and nothing but the range, file by file."""

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NotRequired

import orjson
import pytest
from pydantic import Field
from typing_extensions import TypedDict

from bridge.core.errors import BridgeError, ConfigError
from bridge.core.record import Decoded, Deletion, Refused
from bridge.core.stream import Operation, SinkStream
from bridge.export.app_files import FileLimits
from bridge.export.export import Exported, Job, RecordRejected, export
from bridge.export.moment import Moment
from bridge.export.rows import FileFormat, json_line
from bridge.kafka import serde, topics
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.input_lines import csv_records
from bridge.kafka.refusal import SchemaRegistryUnavailable
from bridge.resources import folder
from bridge.streams import SINKS
from tests.export.topic_stub import NAME, consumer, event, job, values
from tests.kafka.records import GOOD, usage_topic


class Invoice(TypedDict):
    amount: Annotated[Decimal, Field(max_digits=38)]
    note: NotRequired[str]


INVOICES = SinkStream("usage", Operation.PUBLISH_SPEND, Invoice, ("amount",), resend_safe=True)


def exported(made: Job, *partitions: list[bytes], **options: Any) -> Exported:
    return export(made, consumer(*partitions), serde.decoder(made.stream, made.topic), **options)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_record_of_the_range_is_in_the_file_of_its_app(tmp_path: Path) -> None:
    first = values(*(event(number, "crm" if number % 2 else "a/b") for number in range(10)))
    second = values(*(event(number) for number in range(10, 16)))
    result = exported(job(tmp_path, begin=Moment(2), end=Moment(5)), first, second)
    odd, crm = result.files
    assert lines(tmp_path / crm.name) == [event(number) for number in (3, 12, 13, 14)]
    assert lines(tmp_path / odd.name) == [event(number, "a/b") for number in (2, 4)]
    assert (result.records, result.rejects, result.deletions) == (6, 0, 0)
    assert names(tmp_path) == sorted(["manifest.json", odd.name, "usage-crm-0001.ndjson"])


def test_csv_has_the_declared_fields_and_exact_decimals(tmp_path: Path) -> None:
    topic = usage_topic(app={"from": "constant", "value": "erp"})
    made = job(tmp_path, stream=INVOICES, topic=topic, file_format=FileFormat.CSV)
    amounts = ["0.1", "79228162514264337593543950335.0100", "-5"]
    result = exported(
        made, values(*({"amount": amount, "extra": 1} for amount in amounts), {"amount": "1", "note": "="})
    )
    [file] = result.files
    assert (tmp_path / file.name).read_bytes().decode() == (
        "app,amount,note\r\nerp,0.1,\r\nerp,79228162514264337593543950335.0100,\r\nerp,-5,\r\nerp,1,=\r\n"
    )


def test_ndjson_has_decimals_as_exact_numbers(tmp_path: Path) -> None:
    topic = usage_topic(app={"from": "constant", "value": "erp"})
    exported(
        job(tmp_path, stream=INVOICES, topic=topic), values({"amount": "79228162514264337593543950335.0100"})
    )
    [content] = [path.read_text() for path in tmp_path.glob("usage-*")]
    assert content == '{"app":"erp","amount":79228162514264337593543950335.0100}\n'


def test_full_files_are_followed_by_others(tmp_path: Path) -> None:
    held = values(*(event(number) for number in range(7)))
    made = job(tmp_path, file_format=FileFormat.CSV, limits=FileLimits(3, 10**9))
    result = exported(made, held)
    assert [(file.name, file.records) for file in result.files] == [
        ("usage-crm-0001.csv", 3),
        ("usage-crm-0002.csv", 3),
        ("usage-crm-0003.csv", 1),
    ]
    for file in result.files:
        assert (tmp_path / file.name).read_bytes().startswith(b"app,timestamp,email,eventName\r\n")


BAD = {**GOOD, "timestamp": 17}


def test_bad_records_are_named_and_the_rest_is_exported(tmp_path: Path) -> None:
    told: list[Refused] = []
    held = [values(event(0)), values(event(1), b"{", event(2), BAD)]
    result = exported(job(tmp_path), *held, on_reject=told.append)
    assert (result.records, result.rejects) == (3, 2)
    assert [(each.origin.partition(), each.origin.offset()) for each in told] == [(1, 1), (1, 3)]
    syntax, unit = lines(tmp_path / "rejects.ndjson")
    assert syntax == {
        "partition": 1,
        "offset": 1,
        "timestamp": 1,
        "reason": "undecodable",
        "detail": "the value is not JSON from character 1 on; send one JSON object",
    }
    assert (unit["offset"], unit["reason"]) == (3, "invalid")
    assert len(lines(tmp_path / "usage-crm-0001.ndjson")) == 3


def test_strict_stops_at_the_first_bad_record_and_leaves_nothing(tmp_path: Path) -> None:
    told: list[Refused] = []
    with pytest.raises(RecordRejected, match=r"^partition 0, offset 1: timestamp 17 is not a time"):
        exported(job(tmp_path, strict=True), values(event(0), BAD, b"{"), on_reject=told.append)
    assert len(told) == 1
    assert names(tmp_path) == []


class Deleting:
    """Takes the second record of each chunk for a deletion."""

    def decode(self, messages: Sequence[Any]) -> Decoded:
        docs: list[Any] = [{"email": f"{message.offset()}@example.com"} for message in messages]
        docs[1] = Deletion(docs[1])
        return Decoded(list(messages), ["crm"] * len(docs), docs, [1] * len(docs), [])


def test_a_deletion_is_no_row_of_a_file(tmp_path: Path) -> None:
    """As a row it would be the opposite: a record of what is gone."""
    made = job(tmp_path)
    result = export(made, consumer(values(1, 2, 3)), Deleting())
    assert [line["email"] for line in lines(tmp_path / "usage-crm-0001.ndjson")] == [
        "0@example.com",
        "2@example.com",
    ]
    assert lines(tmp_path / "deletions.ndjson") == [{"app": "crm", "email": "1@example.com"}]
    assert (result.records, result.deletions) == (2, 1)
    assert json.loads((tmp_path / "manifest.json").read_bytes())["deletions"] == 1


def test_the_manifest_says_what_was_exported(tmp_path: Path) -> None:
    made = job(tmp_path, begin=Moment(1), end=Moment(3), limits=FileLimits(1, 10**9))
    result = exported(made, values(event(0), event(1), b"{", event(3)), values(event(5)))
    first = (tmp_path / "usage-crm-0001.ndjson").read_bytes()
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == {
        "stream": "usage",
        "topic": "productiv.usage",
        "format": "ndjson",
        "from": "1970-01-01T00:00:00.001Z",
        "to": "1970-01-01T00:00:00.003Z",
        "partitions": [{"partition": 0, "begin": 1, "end": 3}, {"partition": 1, "begin": 1, "end": 1}],
        "records": 1,
        "rejects": 1,
        "deletions": 0,
        "files": [
            {
                "name": "usage-crm-0001.ndjson",
                "app": "crm",
                "records": 1,
                "bytes": len(first),
                "sha256": sha256(first).hexdigest(),
            }
        ],
    }
    assert len(result.files) == 1


def test_an_export_repeated_is_the_same_to_the_byte(tmp_path: Path) -> None:
    held = [values(*(event(number, f"App-{number % 3}") for number in range(50))) for _ in range(3)]
    for name in ("one", "two"):
        exported(job(tmp_path / name, limits=FileLimits(7, 10**9)), *held)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert len(one) > 3


def test_a_range_without_records_is_a_manifest_without_files(tmp_path: Path) -> None:
    result = exported(job(tmp_path, begin=Moment(50)), values(event(0)), [])
    assert (result.records, result.files, names(tmp_path)) == (0, [], ["manifest.json"])


def test_progress_counts_offsets_to_the_last(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    held = values(*(event(number) for number in range(6_000)))
    made = job(tmp_path, begin=Moment(10), limits=FileLimits(10**6, 10**9))
    exported(made, held, held, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 11_980) for done in (0, 5_000, 5_990, 10_990, 11_980)]


def test_nothing_is_asked_of_kafka_where_the_directory_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("old")
    made = job(tmp_path)
    with pytest.raises(ConfigError, match="holds an earlier export"):
        export(made, None, serde.decoder(made.stream, made.topic))  # type: ignore[arg-type]


def test_an_earlier_export_is_replaced_if_told_so(tmp_path: Path) -> None:
    exported(job(tmp_path), values(event(0, "old"), b"{"))
    exported(job(tmp_path, overwrite=True), values(event(0, "new")))
    assert names(tmp_path) == ["manifest.json", "usage-new-0001.ndjson"]


@pytest.mark.parametrize("stream", SINKS)
def test_every_stream_is_exported_as_it_declares_itself(stream: str, tmp_path: Path) -> None:
    topic = topics.overridden(topics.load_all()[stream], {"format": "json", "topic": NAME})
    made = job(tmp_path / "ndjson", stream=SINKS[stream], topic=topic)
    examples = (folder("schemas") / "examples" / f"{stream}.valid.ndjson").read_bytes().splitlines()
    decoded = serde.decoder(made.stream, topic).decode(consumer(examples).consume(len(examples), 0))
    result = exported(made, examples)
    found = b"".join((made.output / file.name).read_bytes() for file in result.files).splitlines()
    wanted = [{"app": app, **doc} for app, doc in zip(decoded.apps, decoded.docs, strict=True)]
    assert (result.records, result.rejects) == (len(examples), 0)
    assert sorted(found) == sorted(json_line(record).strip() for record in wanted)
    tables = exported(replace(made, output=tmp_path / "csv", file_format=FileFormat.CSV), examples).files
    read = [list(csv.reader((tmp_path / "csv" / file.name).open(newline=""))) for file in tables]
    assert [table[0] for table in read] == [["app", *made.stream.record.__annotations__]] * len(tables)
    assert sum(len(table) - 1 for table in read) == len(examples)


def test_a_csv_file_can_be_sent_again(tmp_path: Path) -> None:
    events = [event(0), {**event(1), "eventName": '=1+1,"\r\n🦆'}]
    [file] = exported(job(tmp_path, file_format=FileFormat.CSV), values(*events)).files
    with (tmp_path / file.name).open("rb") as lines_of_file:
        read = list(csv_records(lines_of_file, load_schema(usage_topic().schema_path), ["app"]))
    assert [each.record for each in read] == events


def test_all_files_are_on_the_disk_when_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = set(), os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    exported(job(tmp_path, limits=FileLimits(1, 10**9)), values(event(0), event(1), b"{"))
    assert names(tmp_path)[-1] == "usage-crm-0002.ndjson"
    assert {path.stat().st_ino for path in tmp_path.iterdir()} <= synced


class Failing:
    def decode(self, messages: Sequence[Any]) -> Decoded:
        raise SchemaRegistryUnavailable("the schema registry did not give a schema")


def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="did not give a schema"):
        export(job(tmp_path), consumer([orjson.dumps(GOOD)]), Failing())
    assert names(tmp_path) == []
