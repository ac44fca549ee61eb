"""`productiv-bridge export`: a range of a stream's topic as files, for the batch file upload."""

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge import config, wiring
from bridge.cli.plain import say
from bridge.cli.progress import counted
from bridge.core.errors import ConfigError
from bridge.core.record import Refused
from bridge.export.app_files import FileLimits
from bridge.export.export import DELETIONS, REJECTS, Exported, Job, RecordRejected, place
from bridge.export.export import export as export_range
from bridge.export.moment import Moment, moment
from bridge.export.rows import FileFormat
from bridge.kafka import serde
from bridge.kafka.range_reader import range_consumer
from bridge.kafka.topics import Topic
from bridge.streams import SINKS
from bridge.telemetry import logs

SHOWN_REJECTS = 20


def export(
    stream: Annotated[str, typer.Argument(help="Stream whose topic is read, such as usage.")],
    begin: Annotated[
        str, typer.Option("--from", help="First Kafka timestamp: ISO 8601 or a date; UTC if it has no zone.")
    ],
    end: Annotated[str, typer.Option("--to", help="Timestamp to stop before, written likewise.")],
    output: Annotated[Path, typer.Option(help="Directory for the files; made if it does not exist.")],
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="How the files are written.")
    ] = FileFormat.CSV,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
    ] = None,
    max_file_records: Annotated[
        int, typer.Option(help="Records in one file at most; a new one follows.", min=1)
    ] = 1_000_000,
    max_file_bytes: Annotated[
        int, typer.Option(help="Bytes of one file at most; a new one follows.", min=1)
    ] = 500_000_000,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier export in the directory.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first bad record, and leave no file.")
    ] = False,
) -> None:
    """Writes the records of a stream's topic from one time to another to files, one series for each app.

    The times are those that Kafka keeps for its records, not those within them. Only committed records are
    read; no consumer group takes part, and no offset is committed. Bad records are named in rejects.ndjson by
    partition, offset and reason, and the rest is exported. manifest.json, which is written last, lists files
    with checksums. The exit code is 0 only if there was no bad record.

    Values are written as they are. In a spreadsheet, a cell that begins with = + - or @ is a formula: do not
    open a CSV there unless you trust who wrote the records.
    """
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    first, last = _range(begin, end)
    topic = wiring.sink_topics(settings, [stream])[stream]
    settings = asyncio.run(wiring.with_app_ids(settings))
    job = Job(
        stream=SINKS[stream],
        topic=topic,
        begin=first,
        end=last,
        output=output,
        file_format=file_format,
        limits=FileLimits(max_file_records, max_file_bytes),
        strict=strict,
        overwrite=overwrite,
    )
    console = Console(stderr=True)
    say(console, _introduction(job))
    try:
        exported = _run(settings, job, console)
    except RecordRejected as rejected:
        say(console, f"stopped: {rejected}")
        raise typer.Exit(1) from None
    typer.echo(_summary(job, exported))
    raise typer.Exit(1 if exported.rejects else 0)


def _range(begin: str, end: str) -> tuple[Moment, Moment]:
    first, last = moment(begin, "--from"), moment(end, "--to")
    if first.ms >= last.ms:
        raise ConfigError(f"--from ({first}) is not before --to ({last}), so there is nothing between them")
    return first, last


def _run(settings: config.Settings, job: Job, console: Console) -> Exported:
    decoder = _decoder(settings, job.topic)
    group = f"{settings.kafka.group_prefix}.export"
    consumer = range_consumer(settings.kafka.client_settings(), group)
    with closing(consumer), counted(console, "exporting", "offsets") as on_progress:
        return export_range(job, consumer, decoder, on_progress=on_progress, on_reject=_naming(console))


def _decoder(settings: config.Settings, topic: Topic) -> serde.TopicDecoder:
    """What the stream's sink decodes with."""
    registry = settings.schema_registry.client_settings()
    return serde.decoder(
        SINKS[topic.stream],
        topic,
        names=settings.apps.names,
        unknown=settings.apps.unknown,
        registry=serde.registry_client(registry) if registry else None,
        max_record_bytes=settings.sinks[topic.stream].max_record_bytes,
    )


def _naming(console: Console) -> Callable[[Refused], None]:
    """Shows the first bad records; the file has them all."""
    left = iter(range(SHOWN_REJECTS, -1, -1))

    def name(refused: Refused) -> None:
        match next(left, None):
            case None:
                pass
            case 0:
                say(console, f"more bad records: see {REJECTS}")
            case _:
                say(console, f"{place(refused)}: {refused.detail}")

    return name


def _introduction(job: Job) -> str:
    assumed = job.begin.assumed_utc or job.end.assumed_utc
    note = "; times without a zone are taken as UTC" if assumed else ""
    return f"exporting {job.topic.topic} from {job.begin} up to {job.end}{note}"


def _summary(job: Job, exported: Exported) -> str:
    apps = len({file.app for file in exported.files})
    parts = [
        f"exported to {job.output}: {exported.records:,} records of {apps:,} apps in "
        f"{len(exported.files):,} files"
    ]
    if exported.deletions:
        parts.append(f"deletions, which files cannot say, in {DELETIONS}: {exported.deletions:,}")
    if exported.rejects:
        parts.append(f"bad records, in {REJECTS}: {exported.rejects:,}")
    return "; ".join(parts)
