"""What a cell came to."""

from dataclasses import dataclass, field

from tests.matrix.cells import Cell


@dataclass(frozen=True, slots=True)
class Result:
    """What a cell came to; times in seconds. `wrongs` are sentences, none if all is well.

    `struck` is how often a fault of the API struck, `twice` how many records went out or were put aside once
    more than needed, `samples` how often offsets were held against what was settled.
    """

    cell: Cell
    records: int = 0
    struck: int = 0
    lost: int = 0
    twice: int = 0
    allowed_twice: int = 0
    in_doubt: int = 0
    dead: int = 0
    samples: int = 0
    recovered_in: float = 0.0
    took: float = 0.0
    wrongs: list[str] = field(default_factory=list)
