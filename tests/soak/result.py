"""What a soak came to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.soak.meter import Sample


@dataclass(slots=True)
class Result:
    """What a soak came to; times in seconds, `wrongs` in sentences, none if all is well.

    `steady` is the name and id of the process that was there for longest, never ended on purpose. `struck` is
    how often a fault of the API struck, `looks` how often offsets were held against what was settled,
    `drained_in` how long it took without faults until nothing was left.
    """

    seed: int
    disturbed_seconds: float = 0.0
    drained_in: float = 0.0
    disturbances: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    looks: int = 0
    records: Counter[str] = field(default_factory=Counter)
    read: dict[str, int] = field(default_factory=dict)
    parked: int = 0
    dead: int = 0
    in_doubt: int = 0
    lost: int = 0
    paid_twice: int = 0
    twice: int = 0
    allowed_twice: int = 0
    allowed_in_doubt: int = 0
    steady: tuple[str, int] = ("", 0)
    samples: Sequence[Sample] = ()
    wrongs: list[str] = field(default_factory=list)
