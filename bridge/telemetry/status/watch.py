"""Gathers the facts once a second, in the event loop, for whoever shows them from another thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bridge.core.outcome import Denied, Outcome
from bridge.telemetry.status.cause import Cause, Section, merged
from bridge.telemetry.status.causes import causes
from bridge.telemetry.status.facts import (
    Answer,
    Facts,
    NoToken,
    SinkView,
    SourceView,
    safe,
    sink_facts,
    source_facts,
)
from bridge.telemetry.status.history import History


@dataclass(frozen=True, slots=True)
class Status:
    """The facts of one moment, and what is wrong by them, the worst first."""

    facts: Facts
    causes: tuple[Cause, ...] = ()


class Watch:
    """What a process shows of itself. `wall` gives seconds since 1970, `clock` monotonic seconds."""

    def __init__(
        self, versions: Mapping[str, str], wall: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._versions = versions
        self._wall = wall
        self._clock = clock
        self._began = clock()
        self._sinks: dict[str, tuple[SinkView, History]] = {}
        self._sources: dict[str, tuple[SourceView, History]] = {}
        self._answers: dict[str, Answer] = {}
        self._since: dict[tuple[tuple[str, ...], Section], float] = {}
        self._no_token: dict[str, NoToken] = {}
        self.latest = Status(Facts(wall(), clock(), 0.0, versions))

    def sink(self, name: str, view: SinkView) -> None:
        """Shows a sink from now on."""
        self._sinks[name] = view, History()

    def source(self, name: str, view: SourceView) -> None:
        """Shows a source from now on."""
        self._sources[name] = view, History()

    def request(self, operation: str, outcome: Outcome, seconds: float) -> None:
        """Notes what a request to the API came to; the last one of each operation is kept."""
        status = getattr(outcome, "status", None)
        self._answers[operation] = Answer(operation, outcome.label, status, seconds, self._clock())

    def token(self, stream: str, failure: Outcome | None) -> None:
        """Notes why a stream has no access token; None if it has one."""
        self._no_token.pop(stream, None)
        if failure is not None:
            words = safe(getattr(failure, "reason", "the token endpoint asks us to slow down"))
            self._no_token[stream] = NoToken(words, isinstance(failure, Denied))

    def beat(self) -> None:
        """Looks at everything; to be called about once a second."""
        wall, now = self._wall(), self._clock()
        for view, history in self._sinks.values():
            books, outstanding = view.engine.shown
            pending = outstanding > view.engine.gathering + view.engine.batching
            history.note(now, books.settled, view.lag, pending)
        for source, history in self._sources.values():
            behind = None if source.position is None else max(0.0, wall - source.position)
            history.note(now, sum(source.emitted.values()), behind, pending=False)
        facts = Facts(
            wall=wall,
            now=now,
            uptime=now - self._began,
            versions=self._versions,
            sinks=[sink_facts(name, *each) for name, each in self._sinks.items()],
            sources=[source_facts(name, *each, wall) for name, each in self._sources.items()],
            answers=list(self._answers.values()),
            no_token=dict(self._no_token),
        )
        found = causes(facts)
        self._since = {each.key: self._since.get(each.key, wall) for each in found}
        self.latest = Status(facts, merged(replace(each, since=self._since[each.key]) for each in found))
