"""What is read of streams at work, once a second."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from bridge.core.flood_guard import FloodLimits
from bridge.core.outcome import Accepted, Denied, Outcome, Throttled, Unavailable
from bridge.core.polling import RoundFailed
from bridge.core.record import Refused
from bridge.telemetry.refused_kinds import MAX_KINDS, RefusedKind, RefusedKinds
from bridge.telemetry.status.facts import MAX_APPS, MAX_NAME, Apps, NoToken, safe
from bridge.telemetry.status.watch import Watch
from tests.core.records import At, decoded, engine, limits


@dataclass
class Sink:
    """A sink whose engine is a real one."""

    engine_limits: FloodLimits = field(default_factory=lambda: FloodLimits(2, None, 1))
    lag: int | None = 12
    in_doubt: list[float] | None = None
    kafka_trouble: str | None = None

    def __post_init__(self) -> None:
        self.engine = engine(limits(1, flood=self.engine_limits, park_after=1.0))
        self.dead_letters = RefusedKinds()

    def deliver(self, offset: int, outcome: Outcome, app: str = "a", now: float = 0.0) -> None:
        self.engine.receive(decoded((0, offset, app, offset)), now)
        batch = self.engine.take(now)
        assert batch is not None
        self.engine.returned(batch, outcome, now)


@dataclass
class Source:
    """A source that polls."""

    owned: bool = True
    emitted: Mapping[str, int] = field(default_factory=lambda: {"audit_events": 5})
    position: float | None = 900.0
    entries: int | None = 3
    failed: RoundFailed | None = None
    kafka_trouble: str | None = None


@dataclass
class Process:
    """A watch whose clocks are moved by hand."""

    wall: float = 1000.0
    now: float = 50.0

    def __post_init__(self) -> None:
        self.watch = Watch({"Python": "3"}, lambda: self.wall, lambda: self.now)

    def beat(self, after: float = 1.0) -> None:
        self.wall += after
        self.now += after
        self.watch.beat()


def test_a_sink_is_shown_as_it_is() -> None:
    process, sink = Process(), Sink()
    process.watch.sink("usage", sink)
    process.beat()
    sink.deliver(0, Accepted())
    sink.deliver(1, Unavailable("the API answered 503"), app="crm")
    process.beat()
    [shown] = process.watch.latest.facts.sinks
    assert (shown.name, shown.books.delivered, shown.outstanding, shown.lag) == ("usage", 1, 1, 12)
    assert (shown.partitions, shown.concurrency_limit, shown.in_flight) == (1, 16, 0)
    assert shown.waiting == Apps({"crm": "the API answered 503"}, 1)
    assert shown.flow.rate == 1.0
    sink.engine.park("crm")
    sink.in_doubt = [1.0, 2.0]
    process.beat()
    [shown] = process.watch.latest.facts.sinks
    assert (shown.parked, shown.in_doubt, shown.waiting.count) == (Apps({"crm": ""}, 1), 2, 0)


def test_a_tripped_guard_and_refused_credentials_are_shown() -> None:
    process, sink = Process(), Sink()
    process.watch.sink("usage", sink)
    sink.deliver(0, Denied(401, "no"))
    process.beat()
    assert process.watch.latest.facts.sinks[0].denied
    assert not sink.engine.admits(decoded(refused=((0, 5), (0, 6))))
    process.beat()
    assert process.watch.latest.facts.sinks[0].tripped == "2 records in a row were refused (limit 2)"


def test_only_what_has_something_to_do_stands_still() -> None:
    process, sink = Process(), Sink()
    sink.engine = engine(limits(10))
    process.watch.sink("usage", sink)
    sink.engine.receive(decoded((0, 0, "a", 0)), 0.0)  # in a batch that waits for its age
    process.beat()
    process.beat(100.0)
    assert process.watch.latest.facts.sinks[0].flow.still_seconds == 0
    sink.engine.close_open()
    process.beat(100.0)
    assert process.watch.latest.facts.sinks[0].flow.still_seconds == 100


def test_a_source_is_shown_as_it_is() -> None:
    process, source = Process(), Source(failed=RoundFailed("refused", "the API answered 400: ann"))
    process.watch.source("audit_events", source)
    process.beat()
    [shown] = process.watch.latest.facts.sources
    assert (shown.owned, shown.behind, shown.entries, shown.emitted) == (True, 101.0, 3, {"audit_events": 5})
    assert (shown.failed, shown.failed_label) == ("the API answered 400", "refused")


def test_the_last_answer_of_each_operation_is_kept() -> None:
    process = Process()
    for outcome in (Accepted(), Unavailable("down", 503), Throttled(429)):
        process.now += 1
        process.watch.request("publish", outcome, 0.5)
    process.watch.request("ask", Accepted(), 0.1)
    process.beat()
    answers = {
        each.operation: (each.outcome, each.status, each.at) for each in process.watch.latest.facts.answers
    }
    assert answers == {"publish": ("throttled", 429, 53.0), "ask": ("accepted", None, 53.0)}


def test_a_missing_token_is_said_until_there_is_one() -> None:
    process = Process()
    process.watch.token(
        "usage", Denied(401, "no access token: the endpoint answered 401 invalid_client: ann")
    )
    process.watch.token("users", Unavailable("no connection"))
    process.beat()
    assert process.watch.latest.facts.no_token == {
        "usage": NoToken("the endpoint answered 401 invalid_client", True),
        "users": NoToken("no connection", False),
    }
    process.watch.token("usage", None)
    process.beat()
    assert list(process.watch.latest.facts.no_token) == ["users"]


def test_a_cause_has_the_time_at_which_it_began() -> None:
    process, sink = Process(), Sink(kafka_trouble="no broker answers")
    process.watch.sink("usage", sink)
    for _ in range(3):
        process.beat()
    assert [cause.since for cause in process.watch.latest.causes] == [1001.0]
    sink.kafka_trouble = None
    process.beat()
    assert not process.watch.latest.causes
    sink.kafka_trouble = "again"
    process.beat()
    assert [cause.since for cause in process.watch.latest.causes] == [1005.0]


def test_uptime_and_time() -> None:
    process = Process()
    process.beat(30.0)
    facts = process.watch.latest.facts
    assert (facts.uptime, facts.wall, facts.now) == (30.0, 1030.0, 80.0)


def test_names_are_few_and_short_and_no_addresses() -> None:
    apps = Apps.of({f"{n:03}": "" for n in range(MAX_APPS + 1)} | {"ann@example.com": "", "x" * 100: ""})
    assert (len(apps.named), apps.count) == (MAX_APPS, MAX_APPS + 3)
    assert list(Apps.of({"ann@example.com": ""}).named) == ["[email]"]
    assert list(Apps.of({"x" * 100: ""}).named) == ["x" * MAX_NAME]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("the API answered 403 Forbidden: Ann may not", "the API answered 403 Forbidden"),
        ("no connection to h: [Errno 111] refused", "no connection to h: [Errno 111] refused"),
        ("cannot reach ann@example.com", "cannot reach [email]"),
        ("x" * 900, "x" * 200),
    ],
)
def test_what_an_answer_said_beside_its_status_is_not_shown(words: str, shown: str) -> None:
    assert safe(words) == shown


def test_kinds_of_dead_letters_are_counted_the_newest_first() -> None:
    kinds = RefusedKinds()
    kinds.note([Refused(At((0, 0)), "invalid", "ann", field="email")] * 2, 1.0)
    kinds.note([Refused(At((0, 0)), "rejected", "ann", status=400)], 2.0)
    kinds.note([Refused(At((0, 0)), "undecodable", "ann")], 3.0)
    kinds.note([Refused(At((0, 0)), "invalid", "bob", field="email")], 4.0)
    assert kinds.newest == [
        RefusedKind("invalid", "email", 3, 4.0),
        RefusedKind("undecodable", "", 1, 3.0),
        RefusedKind("rejected", "HTTP 400", 1, 2.0),
    ]


def test_kinds_are_bounded() -> None:
    kinds = RefusedKinds()
    kinds.note([Refused(At((0, 0)), "rejected", "", status=n) for n in range(1, MAX_KINDS + 10)], 1.0)
    assert len(kinds.newest) == MAX_KINDS
    assert kinds.newest[0].what == f"HTTP {MAX_KINDS + 9}"
