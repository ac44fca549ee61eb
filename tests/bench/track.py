"""What every contestant gets."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.job import Job
from tests.bench.load import Loaded

START_SECONDS = 60.0
RUN_SECONDS = 900.0  # a million events at a thousandth of a second each, nearly
STOP_SECONDS = 60.0

Progress = Callable[[int], None]
"""Told how many events are done."""


@dataclass(frozen=True, slots=True)
class Track:
    """The job on its topic, an API, and a folder for files."""

    job: Job
    loaded: Loaded
    api_url: str
    folder: Path
