"""Section: what is bound by time and not by CPU: a slow API, a limit of requests, hardly any events."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median

import orjson
from confluent_kafka import Producer

from bridge.config.sinks import Batch
from tests.bench import api
from tests.bench.api import Counting
from tests.bench.bridge_run import STREAM, Variant, run_bridge, started
from tests.bench.chapter import Chapter
from tests.bench.counting_server import Manner
from tests.bench.figures import Measured
from tests.bench.ground import Ground, console, progress
from tests.bench.job import Format, Job, event
from tests.bench.least import BATCH_RECORDS
from tests.bench.load import empty, loaded
from tests.bench.tables import grid, shown
from tests.bench.track import RUN_SECONDS, STOP_SECONDS, Track

APPS, PARTITIONS = 8, 6
PACE_COLUMNS = ("", "events/s", "of what the API allows", "events/request")
TRICKLE_COLUMNS = ("`max_age_seconds`", "least s", "median s", "most s")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried; `ages` are settings of the batch's greatest age, of which the first is the default."""

    events: int
    delay: float
    in_flight: Sequence[int]
    requests_per_second: int
    trickle_seconds: int
    ages: Sequence[float]


@dataclass(frozen=True, slots=True)
class Pace:
    """Throughput where the API allows so many events a second."""

    name: str
    rate: float
    allowed: float
    batch: float


@dataclass(frozen=True, slots=True)
class Trickle:
    """Seconds from produce to acceptance of single events, by the greatest age of a batch."""

    age: float
    delays: Sequence[float]


@dataclass(frozen=True, slots=True)
class Latency:
    """All of it."""

    plan: Plan
    slow_api: Sequence[Pace]
    limited: Pace
    trickles: Sequence[Trickle]


def measure(ground: Ground, plan: Plan) -> Latency:
    """Runs the bridge again and again over one topic, and then over one that fills slowly."""
    job = Job.of_full_batches(plan.events, APPS, PARTITIONS, Format.JSON)
    with api.counting(ground.folder) as counting, progress(job.events) as show:
        with loaded(ground.kafka, job, partial(show, "produce")) as topics:
            track = Track(job, topics, counting.url, ground.folder)

            def paced(name: str, allowed: float, settings: Mapping[str, object], delay: float) -> Pace:
                counting.forget()
                counting.behave(Manner(delay))
                usage, began = run_bridge(
                    track, counting.events, partial(show, name), Variant(settings=settings)
                )
                found = Measured.of(counting.arrivals(), usage, began)
                return Pace(name, found.rate, allowed, found.batch)

            slow_api = [
                paced(_name(number), number * BATCH_RECORDS / plan.delay, _concurrent(number), plan.delay)
                for number in plan.in_flight
            ]
            each = plan.requests_per_second
            limit = {"productiv": {"requests_per_second": each}}
            limited = paced(f"{each} requests a second", each * BATCH_RECORDS, limit, 0.0)
        trickles = [_trickle(ground, counting, age, plan.trickle_seconds) for age in plan.ages]
    found = Latency(plan, slow_api, limited, trickles)
    console.print(shown("a slow API", PACE_COLUMNS, [*map(_pace, slow_api), _pace(limited)]))
    console.print(shown("one event a second", TRICKLE_COLUMNS, [*map(_delays, trickles)]))
    return found


def _name(in_flight: int) -> str:
    return f"{in_flight} in flight"


def _concurrent(in_flight: int) -> dict[str, object]:
    # Of one app no more than by default, as the bridge has it.
    return {"sinks": {STREAM: {"in_flight": in_flight, "in_flight_per_app": min(in_flight, 4)}}}


def _trickle(ground: Ground, counting: Counting, age: float, seconds: int) -> Trickle:
    """An event a second, each with the second of its produce, held against when the API took it."""
    with empty(ground.kafka, 1) as topics:
        track = Track(Job(seconds, 1, 1, Format.JSON), topics, counting.url, ground.folder)
        settings = {"sinks": {STREAM: {"batch": {"max_age_seconds": age}}}}
        counting.forget()
        with started(track, Variant(settings=settings)) as running:
            producer = Producer({"bootstrap.servers": topics.bootstrap, "linger.ms": 0})
            _produce(producer, topics.topic, 0)  # once this has come, the group is joined
            running.process.wait_until(lambda: counting.events() == 1, RUN_SECONDS)
            counting.forget()
            produced = []
            for number in range(1, seconds + 1):
                produced.append(time.monotonic())
                _produce(producer, topics.topic, number)
                time.sleep(max(0.0, produced[0] + number - time.monotonic()))
            running.process.wait_until(lambda: counting.events() == seconds, RUN_SECONDS)
            running.process.stop(STOP_SECONDS)
    return Trickle(age, counting.arrivals().delays(produced))


def _produce(producer: Producer, topic: str, number: int) -> None:
    producer.produce(topic, orjson.dumps(event(number, 1)), partition=0)
    producer.flush(RUN_SECONDS)


def chapter(found: Latency, command: str, machine: Mapping[str, str], load: float) -> Chapter:
    """As it stands on the page."""
    plan = found.plan
    by_default = Batch().max_age_seconds
    text = f"""\
## Where time is the bound

{plan.events:,} events of {APPS} apps in JSON are on the topic beforehand, and the API takes
{plan.delay * 1000:.0f} ms to answer. Each request in flight could then bring
{BATCH_RECORDS / plan.delay:,.0f} events a second, as far as the CPU goes along; the bridge has as many as
`in_flight` says at most:

{grid(PACE_COLUMNS, [*map(_pace, found.slow_api)])}

With an API that answers at once and `requests_per_second: {plan.requests_per_second}`, which allows
{plan.requests_per_second * BATCH_RECORDS:,} events a second, while there is a backlog:

{grid(PACE_COLUMNS, [_pace(found.limited)])}

One event a second on an empty topic, for {plan.trickle_seconds} seconds: seconds from its produce until the
API has accepted it. A batch closes at `max_age_seconds` after its first record ({by_default:g} by default),
so that bounds the delay:

{grid(TRICKLE_COLUMNS, [*map(_delays, found.trickles)])}"""
    return Chapter("latency", command, machine, load, text, asdict(found))


def _pace(pace: Pace) -> list[str]:
    return [pace.name, f"{pace.rate:,.0f}", f"{pace.rate / pace.allowed * 100:.0f} %", f"{pace.batch:.0f}"]


def _delays(trickle: Trickle) -> list[str]:
    delays = trickle.delays
    return [f"{trickle.age:g}", *(f"{found:.2f}" for found in (min(delays), median(delays), max(delays)))]
