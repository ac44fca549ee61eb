"""A source with all that surrounds it, in memory: rounds, an API, a log with the cursor, a group."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.polling import Ask, Cursor, Emission, Json, Page, Round, SourceStream, Step, Write
from bridge.core.stream import Operation
from bridge.productiv.client import Failed
from bridge.productiv.questions import ApiError
from bridge.source import Source, SourceTimes
from bridge.telemetry.metrics import Metrics
from tests.stand_ins import Changes, Topic

NAME = "audit_events"
OURS, NOT_OURS = 3, 4
NOW = 1_767_225_600.0
NOW_MS = int(NOW * 1000)


def details(*apps: str) -> list[Ask]:
    return [Ask(Operation.GET_APP_DETAILS, {"app": app}) for app in apps]


def written(key: str, **entries: Json | None) -> Write:
    return Write([Emission(NAME, key, {"eventId": key})], entries)


def fixed(*steps: Step) -> Callable[[Cursor, int], Iterator[Any]]:
    def round_of(cursor: Cursor, now: int) -> Iterator[Any]:
        yield from (step for step in steps)

    return round_of


@dataclass
class World:
    """A source with all that surrounds it. Its rounds are what the test says."""

    rounds: list[Callable[[Cursor, int], Iterator[Any]]] = field(default_factory=list)
    answers: dict[str, Failed | None] = field(default_factory=dict)  # by app; otherwise a row comes back
    kept: dict[str, Json] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)  # raised by the next commits
    slept: list[float] = field(default_factory=list)
    asked: list[tuple[Operation, Mapping[str, str], Mapping[str, Sequence[str]]]] = field(
        default_factory=list
    )
    taken_over: int = 0
    asking: int = 0
    most_asking: int = 0
    patient: asyncio.Event | None = None  # a commit waits for it
    silent: bool = False  # no question is ever answered
    writing: list[str] = field(default_factory=list)  # keys of the commits that wait

    def __post_init__(self) -> None:
        self.changes = Changes()
        self.topic = Topic(self.changes, [OURS])
        self.metrics = Metrics(lambda: NOW)
        stream = SourceStream(
            NAME,
            Operation.GET_AUDIT_EVENTS,
            {},
            dict,
            self.poll,
            60.0,
            lambda cursor: cursor["head"]["position"],
        )
        times = SourceTimes(60.0, 0.5, Backoff(1.0, 8.0))
        self.source = Source(
            stream,
            {},
            OURS,
            self.topic,
            self,
            2,
            self,
            times,
            self.metrics,
            draw=lambda: 0.5,
            wall=lambda: NOW,
            clock=lambda: 0.0,
            sleep=self.sleep,
        )

    def poll(self, options: Any, cursor: Cursor, now: int) -> Round:
        if self.rounds:
            yield from self.rounds.pop(0)(cursor, now)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.changes.happened()
        if not self.rounds:
            await asyncio.Event().wait()

    async def page(
        self,
        what: str,
        operation: Operation,
        place: Mapping[str, str],
        *,
        parameters: Mapping[str, Sequence[str]],
    ) -> Page:
        self.asked.append((operation, place, parameters))
        self.changes.happened()
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        await (asyncio.Event().wait() if self.silent else asyncio.sleep(0))
        self.asking -= 1
        failed = self.answers.get(place.get("app", ""))
        if failed is not None:
            raise ApiError(what, failed)
        return Page([{"applicationId": place.get("app")}])

    async def take_over(self) -> dict[str, Json]:
        self.taken_over += 1
        return dict(self.kept)

    async def commit(self, write: Write) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        begun = [emission.key for emission in write.emissions]
        self.writing += begun
        self.changes.happened()
        if self.patient is not None:
            await self.patient.wait()
        self.writing = [key for key in self.writing if key not in begun]
        self.keys += [emission.key for emission in write.emissions]
        for name, entry in write.remember.items():
            self.kept[name] = entry or {}
            if entry is None:
                del self.kept[name]

    def metric(self, name: str, **labels: str) -> float | None:
        found: float | None = self.metrics.registry.get_sample_value(name, {"stream": NAME, **labels})
        return found

    async def quiet(self, naps: int = 1) -> None:
        """Until the source has gone to sleep so often."""
        await self.changes.until(lambda: len(self.slept) >= naps)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[asyncio.Task[bool]]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(world.source.run())
        yield task
        world.source.stop()
