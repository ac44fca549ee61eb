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

    def __add__(self, other: "Result") -> "Result":
        """The same cell, played twice: figures are summed, of times to recover the longest counts."""
        return Result(
            self.cell,
            records=self.records + other.records,
            struck=self.struck + other.struck,
            lost=self.lost + other.lost,
            twice=self.twice + other.twice,
            allowed_twice=self.allowed_twice + other.allowed_twice,
            in_doubt=self.in_doubt + other.in_doubt,
            dead=self.dead + other.dead,
            samples=self.samples + other.samples,
            recovered_in=max(self.recovered_in, other.recovered_in),
            took=self.took + other.took,
            wrongs=self.wrongs + other.wrongs,
        )
