"""`productiv-bridge send`: records from a file, or from standard input, onto a stream's topic."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bridge import config, wiring
from bridge.core.errors import BridgeError
from bridge.kafka.avro_schema import load_schema
from bridge.kafka.create_topics import create_missing
from bridge.kafka.input_lines import InputRecord, csv_records, lines_of, ndjson_records
from bridge.kafka.outgoing import OutgoingRecords
from bridge.kafka.sending import Sent, file_producer
from bridge.kafka.sending import send as send_records
from bridge.kafka.topics import Topic
from bridge.streams import SINKS
from bridge.telemetry import logs

CLUSTER_SECONDS = 10.0


class InputFormat(StrEnum):
    """How the records are written in the file."""

    NDJSON = "ndjson"
    CSV = "csv"


def send(
    stream: Annotated[str, typer.Argument(help="Stream whose topic takes the records, such as usage.")],
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(metavar="FILE|-", help="NDJSON or CSV file; - = standard input.")
    ],
    config_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file; else the one named by BRIDGE_CONFIG, if any."),
    ] = None,
    input_format: Annotated[
        InputFormat | None,
        typer.Option(help="How the file is written; else CSV if its name ends in .csv, NDJSON if not."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line.")] = False,
) -> None:
    """Puts records on a stream's topic in its wire format, checked by the rules the bridge reads them by.

    Bad lines are named on standard error by number and reason, and the rest is sent. The exit code is 0 only
    if every record is on the topic.
    """
    settings = config.load(config_file, os.environ)
    logs.configure("console", "error")
    if settings.apps.unknown == "dead_letter":
        settings = asyncio.run(wiring.with_app_ids(settings))
    topic = wiring.sink_topics(settings, [stream])[stream]
    outgoing = wiring.outgoing(settings, topic)
    console = Console(stderr=True)
    with _progress(console, file) as (progress, task):
        lines = lines_of(file, lambda read: progress.advance(task, read))
        records = _records(lines, topic, outgoing, input_format or _format_of(file.name))

        def bad(line: int, detail: str) -> None:
            console.print(f"line {line}: {detail}", markup=False, highlight=False, soft_wrap=True)

        producer = _producer(settings, topic)
        sent = send_records(producer, topic.topic, records, outgoing, strict=strict, on_bad=bad)
    typer.echo(_summary(sent, topic))
    raise typer.Exit(0 if sent.complete else 1)


def _records(
    lines: Iterator[bytes], topic: Topic, outgoing: OutgoingRecords, input_format: InputFormat
) -> Iterator[InputRecord]:
    if input_format is InputFormat.NDJSON:
        return ndjson_records(lines, SINKS[topic.stream].exact)
    return csv_records(lines, load_schema(topic.schema_path), outgoing.needed_fields)


def _format_of(name: str) -> InputFormat:
    return InputFormat.CSV if name.lower().endswith(".csv") else InputFormat.NDJSON


def _producer(settings: config.Settings, topic: Topic) -> Producer:
    """A producer that reached the cluster, and the topic there to produce to."""
    kafka = settings.kafka.client_settings()
    producer = file_producer(kafka)
    try:
        exists = topic.topic in producer.list_topics(timeout=CLUSTER_SECONDS).topics
    except KafkaException as error:
        raise BridgeError(
            f"Kafka at {settings.kafka.bootstrap_servers} does not answer: {error.args[0].str()}"
        ) from None
    if not exists and settings.kafka.create_topics:
        create_missing(AdminClient({**kafka}), [topic], settings.kafka.replication_factor)
    elif not exists:
        raise BridgeError(f"topic {topic.topic} does not exist; create it, or set kafka.create_topics")
    return producer


@contextmanager
def _progress(console: Console, file: BinaryIO) -> Iterator[tuple[Progress, TaskID]]:
    """A bar over the bytes of a file; over a pipe, whose length nobody knows, bytes and time only."""
    size = os.fstat(file.fileno()).st_size or None
    columns = [SpinnerColumn(), TextColumn("sending"), BarColumn(), DownloadColumn(), TimeElapsedColumn()]
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        yield progress, progress.add_task("sending", total=size)


def _summary(sent: Sent, topic: Topic) -> str:
    parts = [f"delivered to {topic.topic}: {sent.delivered:,}"]
    if sent.bad:
        parts.append(f"bad lines: {sent.bad:,}")
    if sent.undelivered:
        parts.append(f"not delivered: {sent.undelivered:,}")
    if sent.failure:
        parts.append(f"stopped, as {sent.failure}")
    return "; ".join(parts)
