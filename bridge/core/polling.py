"""The words between a source's logic and the loop that carries it out.

A round is a generator: it yields steps, and is sent what each came to. It asks no clock and no network, so
tests play both sides of it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.core.record import Doc
from bridge.core.shape import Object
from bridge.core.stream import Operation

Json = dict[str, Any]
"""A JSON object."""

Cursor = Mapping[str, Json]
"""How far a source has got: entries by name, as the cursor topic holds them. The loop keeps it up to date."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to the API; `place` holds the ids in its address, by the contract's names for them.

    Comes to a `Page`, or to None where what was asked for is not there (404).
    """

    operation: Operation
    place: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of an answer under our names, and the token of the page behind it, if any."""

    rows: list[Doc]
    next_page: str | None = None


@dataclass(frozen=True, slots=True)
class Emission:
    """One record for an output topic.

    `doc` None says that the record of this key is gone. `at` is when it happened, in milliseconds since 1970;
    None: nobody knows. `late` is by how many seconds it lies before what had been read when it came; None: it
    does not, or nobody knows.
    """

    output: str
    key: str
    doc: Doc | None
    at: int | None = None
    late: float | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Records and what to remember of them, in one transaction; None forgets an entry.

    `window` is the stretch of time they were asked for: begin and end in milliseconds since 1970, half-open.
    `rows` is how many rows of the API's answers were looked at since the last write.
    """

    emissions: Sequence[Emission]
    remember: Mapping[str, Json | None]
    window: tuple[int, int] | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """The API no longer has what happened from `begin` to `end`, in milliseconds since 1970."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Shortened:
    """So many ids came that only those since `begin` are remembered: what comes later than that is missed.

    Told in each round for as long as that lasts.
    """

    begin: int


Step = Sequence[Ask] | Write | Gap | Shortened
Round = Generator[Step, Sequence[Page | None], None]
"""One round of a source. Questions of one step are asked side by side and answered in order; all other steps
are answered by nothing, once they are done."""

Poll = Callable[[Any, Cursor, int], Round]
"""Begins a round with the stream's options, its cursor, and the time in milliseconds since 1970."""


class RoundFailed(Exception):
    """The round cannot go on; what was written stays, and the next round begins from the cursor.

    `label` is a short stable code for metrics, the message a sentence without any content of an answer.
    """

    def __init__(self, label: str, message: str) -> None:
        super().__init__(message)
        self.label = label


@dataclass(frozen=True, slots=True)
class SourceStream:
    """One kind of record going from the API to Kafka.

    `outputs` are the topics it fills, by the names of their files in `topics/`, each with the form of its
    records. `options` is a pydantic model of settings that this stream alone has, each described; they become
    part of its section of the configuration. `poll` begins a round. `position` reads from a cursor up to
    which time everything was read, in milliseconds since 1970; None where there is no such time. `moved` is
    what to change in a cursor for the next round to begin at a given time (None forgets an entry), and raises
    BridgeError if a newer version wrote it; None where rounds do not begin at times.
    """

    name: str
    operation: Operation
    outputs: Mapping[str, Object]
    options: type
    poll: Poll
    interval_seconds: float
    position: Callable[[Cursor], int | None] = lambda cursor: None
    moved: Callable[[Cursor, int], Mapping[str, Json | None]] | None = None
