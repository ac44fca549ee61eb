"""Section: what an event costs in each step between consumer and request, in one thread.

There is no broker and no network. Each step is timed by itself, by the CPU time of the thread, over polls as
large as those of the bridge. The least of many rounds counts: whatever else the machine does only adds to it.
"""

import gc
import gzip
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Message

from bridge.core.backoff import Backoff
from bridge.core.batcher import BatchLimits
from bridge.core.engine import Engine, EngineLimits
from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted
from bridge.core.sender import SendLimits
from bridge.kafka import serde
from bridge.kafka.apps import Apps
from bridge.kafka.direct_json import direct_json
from bridge.kafka.topics import Topic, WireFormat, load_all
from bridge.kafka.validation import Validator
from bridge.productiv.client import GZIP_LEVEL
from bridge.productiv.contracts import CONTRACTS
from bridge.sink import POLL_RECORDS
from bridge.streams import SINKS
from bridge.wiring.memory import OBJECTS_BETWEEN_COLLECTIONS
from tests.bench.chapter import Chapter
from tests.bench.ground import console
from tests.bench.job import Format, Job
from tests.bench.tables import grid, shown

STREAM = SINKS["usage"]
CALL = CONTRACTS["openapi"].calls[STREAM.operation]
LIMITS = EngineLimits(
    BatchLimits(1000, 4_000_000, 5.0),
    SendLimits(16, 4, Backoff(1.0, 60.0), start=16),
    FloodLimits(None, None, 10_000),
    max_outstanding_records=100_000,
    max_outstanding_bytes=2**26,
)

PARTITIONS = 6
PARTS = ("of it parse and validate", "find apps")
COLUMNS = ("CPU ns/event", "take in", "decode", *PARTS, "batch", "write", "settle")

GZIP, BODY, PACKED = "gzip", "bytes as it is", "bytes by gzip"
COMPRESSION_COLUMNS = ("", BODY, PACKED, "CPU ns")

Clock = dict[str, int]
"""CPU nanoseconds by step, and bytes of the bodies with and without compression."""

Steps = Mapping[str, Mapping[str, float]]
"""The same an event, by job; those of `PARTS` are parts of `decode`, and `GZIP` is no part of the default."""


def measure(events: int, apps: Sequence[int], formats: Sequence[Format], rounds: int) -> Steps:
    """Every step with every wire format and number of apps."""
    jobs = [Job.of_full_batches(events, each, PARTITIONS, format) for format in formats for each in apps]
    found = {_named(job): _least(job, rounds) for job in jobs}
    console.print(shown("steps", COLUMNS, _rows(found)))
    return found


def chapter(found: Steps, command: str, machine: Mapping[str, str], load: float) -> Chapter:
    """As it stands on the page."""
    text = f"""\
## Steps

What an event costs between the consumer and the request, step by step and in one thread, without broker and
network. The least of many rounds counts, as whatever else the machine does can only add to it. What the
throughput above costs beyond the sum goes to librdkafka, to the HTTP client and to the event loop.

{grid(COLUMNS, _rows(found))}

What `compression: gzip` makes of the body of a request, and what it costs, for each event:

{grid(COMPRESSION_COLUMNS, _compression(found))}"""
    return Chapter("steps", command, machine, load, text, found)


def _named(job: Job) -> str:
    return f"{job.format}, {job.apps} app{'s' if job.apps > 1 else ''}"


def _rows(found: Steps) -> list[list[str]]:
    return [[name, *(f"{steps[step]:,.0f}" for step in COLUMNS[1:])] for name, steps in found.items()]


def _compression(found: Steps) -> list[list[str]]:
    figures = (BODY, PACKED, GZIP)
    return [[name, *(f"{steps[figure]:,.0f}" for figure in figures)] for name, steps in found.items()]


def _least(job: Job, rounds: int) -> dict[str, float]:
    polls, topic = _polls(job), load_all()["usage"].model_copy(update={"format": WireFormat(job.format)})
    least: dict[str, float] = {}
    thresholds = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # as the bridge does
    try:
        for _ in range(rounds):
            clock: Clock = defaultdict(int)
            _cross(polls, job.partitions, topic, clock)
            _decode_in_parts(polls, topic, clock)
            least = {step: min(spent / job.events, least.get(step, 1e9)) for step, spent in clock.items()}
    finally:
        gc.set_threshold(*thresholds)
    return least


def _polls(job: Job) -> list[list[Message]]:
    """The events as a consumer would give them out: of each partition a stretch in turn."""
    partitions: list[list[Message]] = [[] for _ in range(job.partitions)]
    for partition, value in job.values():
        offset, time_ms = len(partitions[partition]), (1, 1_767_225_600_000)
        partitions[partition].append(
            Message(topic="usage", partition=partition, offset=offset, value=value, timestamp=time_ms)
        )
    stretch = POLL_RECORDS // job.partitions
    longest = max(map(len, partitions))
    return [
        [message for log in partitions for message in log[begin : begin + stretch]]
        for begin in range(0, longest, stretch)
    ]


@contextmanager
def _timed(clock: Clock, step: str) -> Iterator[None]:
    began = time.thread_time_ns()
    yield
    clock[step] += time.thread_time_ns() - began


def _cross(polls: Sequence[list[Message]], partitions: int, topic: Topic, clock: Clock) -> None:
    """All events through the engine, by an API that accepts each batch at once."""
    engine = Engine(STREAM, "usage", LIMITS, draw=lambda: 0.5)
    engine.offsets.assign(range(partitions))
    decoder = serde.decoder(STREAM, topic)
    for poll in polls:
        with _timed(clock, "take in"):
            engine.offsets.fresh(poll)
        with _timed(clock, "decode"):
            decoded = decoder.decode(poll)
        with _timed(clock, "batch"):
            engine.receive(decoded, 0.0)
        while (batch := engine.take(0.0)) is not None:
            with _timed(clock, "write"):
                body = CALL.body(batch.docs, {})
            with _timed(clock, GZIP):
                packed = gzip.compress(body, GZIP_LEVEL)
            clock[BODY] += len(body)
            clock[PACKED] += len(packed)
            with _timed(clock, "settle"):
                engine.returned(batch, Accepted(), 0.0)


def _decode_in_parts(polls: Sequence[list[Message]], topic: Topic, clock: Clock) -> None:
    parser, validator, apps = serde.wire(STREAM, topic), Validator(STREAM.record), Apps(topic.app)
    direct = direct_json(STREAM.record, topic.app.name) if topic.format is WireFormat.JSON else None
    for poll in polls:
        values = [message.value() or b"" for message in poll]
        with _timed(clock, PARTS[0]):
            if direct is None:
                records = parser.read_many(poll, values)
                validator.many(records)
            else:
                records = direct.many(values)
        with _timed(clock, PARTS[1]):
            apps.of(poll, records)
