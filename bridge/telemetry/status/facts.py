"""What the page shows, as plain values: nothing of it is personal, and all of it is bounded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bridge.core.books import Books
from bridge.core.engine import Engine
from bridge.core.polling import RoundFailed
from bridge.core.redact import redact
from bridge.telemetry.refused_kinds import RefusedKind, RefusedKinds
from bridge.telemetry.status.history import History, Plots

MAX_APPS = 10
"""How many apps are named of those that wait, and of those that are parked."""

MAX_NAME, MAX_WORDS = 60, 200  # characters of a name, and of what an API or a broker said


class SinkView(Protocol):
    """What a sink shows of itself."""

    engine: Engine
    in_doubt: list[float] | None
    dead_letters: RefusedKinds

    @property
    def lag(self) -> int | None: ...  # noqa: D102

    @property
    def kafka_trouble(self) -> str | None: ...  # noqa: D102


class SourceView(Protocol):
    """What a source shows of itself; `position` in seconds since 1970."""

    @property
    def owned(self) -> bool: ...  # noqa: D102

    @property
    def emitted(self) -> Mapping[str, int]: ...  # noqa: D102

    @property
    def position(self) -> float | None: ...  # noqa: D102

    @property
    def entries(self) -> int | None: ...  # noqa: D102

    @property
    def failed(self) -> RoundFailed | None: ...  # noqa: D102

    @property
    def kafka_trouble(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Apps:
    """Some apps by name, each with what is to be said of it, and how many there are in all."""

    named: Mapping[str, str] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def of(cls, apps: Mapping[str, str]) -> "Apps":
        """The first few of them."""
        few = sorted(apps.items())[:MAX_APPS]
        return cls({redact(app)[:MAX_NAME]: safe(why) for app, why in few}, len(apps))


@dataclass(frozen=True, slots=True)
class Flow:
    """What went through a stream: records a second now, the last hour, and for how many seconds
    there has been something to do and nothing has gone through.
    """

    rate: float = 0.0
    still_seconds: float = 0.0
    plots: Plots = field(default_factory=Plots)

    @classmethod
    def of(cls, history: History) -> "Flow":
        """As its history has it."""
        return cls(history.rate, history.still_seconds, history.plots)


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """One sink. `lag` is in offsets; `kafka_trouble` says why the cluster and we do not talk."""

    name: str
    books: Books = field(default_factory=Books)
    outstanding: int = 0
    gathering: int = 0
    lag: int | None = None
    flow: Flow = field(default_factory=Flow)
    in_flight: int = 0
    concurrency_limit: int = 0
    partitions: int = 0
    waiting: Apps = field(default_factory=Apps)
    parked: Apps = field(default_factory=Apps)
    denied: bool = False
    tripped: str | None = None
    in_doubt: int = 0
    kafka_trouble: str | None = None
    dead_letters: Sequence[RefusedKind] = ()


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One source. `behind` is seconds from its cursor to now."""

    name: str
    owned: bool = False
    emitted: Mapping[str, int] = field(default_factory=dict)
    position: float | None = None
    behind: float | None = None
    entries: int | None = None
    flow: Flow = field(default_factory=Flow)
    failed: str | None = None
    failed_label: str | None = None
    kafka_trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The last answer to one of the API's operations; `at` is monotonic seconds, `seconds` what it took."""

    operation: str
    outcome: str
    status: int | None
    seconds: float
    at: float


@dataclass(frozen=True, slots=True)
class NoToken:
    """Why a stream has no access token: because it was refused to us, or because nobody answered."""

    words: str
    denied: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. `wall` is seconds since 1970, `now` monotonic seconds, `no_token` by stream."""

    wall: float
    now: float
    uptime: float
    versions: Mapping[str, str]
    sinks: Sequence[SinkFacts] = ()
    sources: Sequence[SourceFacts] = ()
    answers: Sequence[Answer] = ()
    no_token: Mapping[str, NoToken] = field(default_factory=dict)


def sink_facts(name: str, view: SinkView, history: History) -> SinkFacts:
    """A sink as it is now."""
    engine = view.engine
    books, outstanding = engine.shown
    tripped = engine.tripped
    return SinkFacts(
        name=name,
        books=books,
        outstanding=outstanding,
        gathering=engine.gathering,
        lag=view.lag,
        flow=Flow.of(history),
        in_flight=engine.in_flight,
        concurrency_limit=engine.concurrency_limit,
        partitions=len(engine.offsets.partitions),
        waiting=Apps.of(engine.waiting),
        parked=Apps.of(dict.fromkeys(engine.parking.apps, "")),
        denied=engine.denied,
        tripped=tripped.why if tripped else None,
        in_doubt=len(view.in_doubt or ()),
        kafka_trouble=view.kafka_trouble,
        dead_letters=view.dead_letters.newest,
    )


def source_facts(name: str, view: SourceView, history: History, wall: float) -> SourceFacts:
    """A source as it is now."""
    failed = view.failed
    return SourceFacts(
        name=name,
        owned=view.owned,
        emitted=dict(view.emitted),
        position=view.position,
        behind=None if view.position is None else max(0.0, wall - view.position),
        entries=view.entries,
        flow=Flow.of(history),
        failed=None if failed is None else safe(str(failed)),
        failed_label=None if failed is None else failed.label,
        kafka_trouble=view.kafka_trouble,
    )


def safe(words: str) -> str:
    """Why something failed, without what an answer's body said of it: that may be about people."""
    # Of "no access token: the …" redaction would take "the" for the token.
    head, answered, said = words.removeprefix("no access token: ").partition(" answered ")
    return redact(head + answered + said.partition(": ")[0])[:MAX_WORDS]
