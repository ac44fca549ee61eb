"""A process that keeps growing is found, and no other."""

import pytest

from tests.soak.growth import LEAST_SECONDS, grown
from tests.soak.meter import Sample

PROCESS = ("bridge-0", 1)
OTHER = ("bridge-1", 2)


def samples(*mebibytes: int, every: float = LEAST_SECONDS / 4) -> list[Sample]:
    return [
        Sample(number * every, {PROCESS: size * 2**20, OTHER: number * 2**30}, 0, 0)
        for number, size in enumerate(mebibytes)
    ]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ((50, 50, 100, 100, 110, 105, 110, 110), []),
        ((90, 90, 90, 90, 900, 90, 90, 90), []),
        ((50, 50, 100, 100, 120, 140, 160, 180), ["memory grew from 100 to 170 MiB"]),
    ],
)
def test_it_is_the_second_quarter_against_the_last(sizes: tuple[int, ...], found: list[str]) -> None:
    assert grown(samples(*sizes), PROCESS) == found


def test_a_short_life_tells_nothing() -> None:
    assert grown(samples(50, 100, 200, 400, every=1.0), PROCESS) == []
    assert grown([], PROCESS) == []
