"""Writes a range of a topic to files, one pass, in memory that does not grow with the range."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer

from bridge.core.errors import BridgeError
from bridge.core.record import Decoder, Deletion, Doc, Refused
from bridge.core.stream import SinkStream
from bridge.export.app_files import AppFiles, FileLimits, WrittenFile
from bridge.export.file_names import FileNames
from bridge.export.moment import Moment
from bridge.export.output import Output
from bridge.export.part_file import PartFile
from bridge.export.rows import FileFormat, Rows, json_line, rows
from bridge.kafka.offset_range import OffsetRange, offset_ranges
from bridge.kafka.range_reader import Piece, read_ranges
from bridge.kafka.topics import Topic

REJECTS = "rejects.ndjson"
DELETIONS = "deletions.ndjson"


class RecordRejected(BridgeError):
    """A strict export met a record that cannot be exported; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to export, and how. `begin` is in the range, `end` is not."""

    stream: SinkStream
    topic: Topic
    begin: Moment
    end: Moment
    output: Path
    file_format: FileFormat
    limits: FileLimits
    strict: bool = False
    overwrite: bool = False


@dataclass(slots=True)
class Exported:
    """What an export came to. The counts are of Kafka records."""

    ranges: list[OffsetRange]
    files: list[WrittenFile] = field(default_factory=list)
    records: int = 0
    rejects: int = 0
    deletions: int = 0


def export(
    job: Job,
    consumer: Consumer,
    decoder: Decoder,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    on_reject: Callable[[Refused], None] = lambda refused: None,
) -> Exported:
    """Exports the range, and returns once files and manifest are on the disk.

    `on_progress` is told how many offsets of how many are done; `on_reject` each record that cannot be
    exported. A deletion is no record of a file: it goes to one of its own, and is counted.

    Raises:
        ConfigError: the output directory cannot be used.
        RecordRejected: `job.strict`, and there is such a record. No file is left.
        BridgeError: Kafka, the schema registry or the disk failed. No file is left.
    """
    output = Output(job.output)
    with output.opened(job.overwrite):
        ranges = offset_ranges(consumer, job.topic, job.begin.ms, job.end.ms)
        writing = _Writing(job, Exported(ranges))
        done, total, begins = 0, sum(map(len, ranges)), {each.partition: each.begin for each in ranges}
        on_progress(done, total)
        for piece in read_ranges(consumer, job.topic.topic, ranges):
            writing.take(piece, decoder, on_reject)
            done += piece.reached - begins[piece.partition]
            begins[piece.partition] = piece.reached
            on_progress(done, total)
        exported, names = writing.end()
        output.complete(names, _manifest(job, exported))
    return exported


class _Writing:
    """The files of one export while it runs."""

    def __init__(self, job: Job, exported: Exported) -> None:
        self._job = job
        self._exported = exported
        self._rows: Rows = rows(job.file_format, list(job.stream.record.__annotations__))
        names = FileNames(job.stream.name, job.file_format.value)
        self._apps = AppFiles(job.output, names, self._rows.head, job.limits)
        self._beside: dict[str, PartFile] = {}

    def take(self, piece: Piece, decoder: Decoder, on_reject: Callable[[Refused], None]) -> None:
        """Decodes and writes records."""
        decoded = decoder.decode(piece.messages)
        for refused in decoded.refused:
            on_reject(refused)
            if self._job.strict:
                raise RecordRejected(f"{place(refused)}: {refused.detail}")
        self._reject(decoded.refused)
        by_app: dict[str, list[Doc]] = {}
        deletions: list[bytes] = []
        for app, doc in zip(decoded.apps, decoded.docs, strict=True):
            if isinstance(doc, Deletion):
                deletions.append(json_line({"app": app, **doc}))
            else:
                by_app.setdefault(app, []).append(doc)
        for app, docs in by_app.items():
            self._apps.append(app, self._rows.of(app, docs))
        self._write_beside(DELETIONS, deletions)
        self._exported.deletions += len(deletions)
        self._exported.records += len(decoded.docs) - len(deletions)

    def end(self) -> tuple[Exported, list[str]]:
        """Completes all files; returns what came of it, and the names to give."""
        for file in self._beside.values():
            file.sync()
        self._exported.files = self._apps.end()
        return self._exported, [*(file.name for file in self._exported.files), *self._beside]

    def _reject(self, refused: Iterable[Refused]) -> None:
        lines = [
            json_line(
                {
                    "partition": each.origin.partition(),
                    "offset": each.origin.offset(),
                    "timestamp": each.origin.timestamp()[1],
                    "reason": each.reason,
                    "detail": each.detail,
                }
            )
            for each in refused
        ]
        self._write_beside(REJECTS, lines)
        self._exported.rejects += len(lines)

    def _write_beside(self, name: str, lines: list[bytes]) -> None:
        if not lines:
            return
        if name not in self._beside:
            self._beside[name] = PartFile(self._job.output, name)
        self._beside[name].append(lines)


def place(refused: Refused) -> str:
    """Where on its topic a refused record stands."""
    return f"partition {refused.origin.partition()}, offset {refused.origin.offset()}"


def _manifest(job: Job, exported: Exported) -> bytes:
    """What was exported, as JSON; the same export gives the same text again."""
    manifest: dict[str, Any] = {
        "stream": job.stream.name,
        "topic": job.topic.topic,
        "format": job.file_format.value,
        "from": str(job.begin),
        "to": str(job.end),
        "partitions": [asdict(each) for each in exported.ranges],
        "records": exported.records,
        "rejects": exported.rejects,
        "deletions": exported.deletions,
        "files": [asdict(each) for each in exported.files],
    }
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
