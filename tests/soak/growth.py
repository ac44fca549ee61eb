"""Whether a process keeps growing."""

from collections.abc import Sequence
from statistics import median

from tests.soak.meter import Sample

LEAST_SECONDS = 600.0
MOST = 1.5
"""Times as much in the last quarter of a process's life as in the second; in the first it warms up."""


def memory(samples: Sequence[Sample], process: tuple[str, int]) -> list[tuple[float, int]]:
    """Resident bytes of a process by seconds."""
    return [(each.when, each.resident[process]) for each in samples if process in each.resident]


def quarters(samples: Sequence[Sample], process: tuple[str, int]) -> tuple[float, float]:
    """The median of resident bytes in the second and in the last quarter of a process's life."""
    resident = [size for _, size in memory(samples, process)]
    quarter = max(1, len(resident) // 4)
    return median(resident[quarter : 2 * quarter] or [0]), median(resident[-quarter:] or [0])


def grown(samples: Sequence[Sample], process: tuple[str, int]) -> list[str]:
    """Says so if a process that was there for long enough has grown too much."""
    life = memory(samples, process)
    before, after = quarters(samples, process)
    if not life or life[-1][0] - life[0][0] < LEAST_SECONDS or after <= MOST * before:
        return []
    return [f"memory grew from {before / 2**20:.0f} to {after / 2**20:.0f} MiB"]
