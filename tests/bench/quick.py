"""`make bench-quick`: how much CPU time the bridge takes for an event, as a ratio to both floors.

Ratios hardly depend on the machine, so those that were accepted last are kept in the repository, beside this
file: a change that makes the bridge slower shows, wherever it is measured.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.bridge_run import BRIDGE
from tests.bench.contestants import FLOOR, FLOOR_AND_POST, contestants
from tests.bench.figures import summarize
from tests.bench.ground import Ground, progress
from tests.bench.job import Format, Job
from tests.bench.rounds import run
from tests.bench.tables import spread

ACCEPTED = Path(__file__).with_name("accepted.json")
EVENTS, APPS, PARTITIONS, ROUNDS = 160_000, 8, 6, 5
WORSE = 1.15  # by this factor a ratio shows: the median of five rounds varies by half of it

Ratios = Mapping[str, float]
"""By format and floor, such as `json to consume and decode`."""


COLUMNS = ("CPU time of an event", "ratio", "bridge µs", "floor µs")


def measure(ground: Ground) -> tuple[Ratios, Sequence[Sequence[str]]]:
    """The ratios, and rows of a table that has them with what they are made of."""
    ratios: dict[str, float] = {}
    rows = []
    for format in Format:
        job = Job.of_full_batches(EVENTS, APPS, PARTITIONS, format)
        with progress(job.events) as show:
            result = run(ground.kafka, job, ROUNDS, ground.folder, show, contestants(), verified=False)
        for floor in (FLOOR, FLOOR_AND_POST):
            found = {summary.name: summary for summary in summarize(result.runs, floor)}
            name = f"{format} to {floor}"
            ratios[name] = round(found[BRIDGE].cpu_ratio.median, 3)
            micros = [spread(found[each].cpu_micros, ".2f") for each in (BRIDGE, floor)]
            rows.append([name, spread(found[BRIDGE].cpu_ratio, ".2f"), *micros])
    return ratios, rows


def accepted(path: Path = ACCEPTED) -> Ratios:
    """Those that were accepted last."""
    ratios: Ratios = json.loads(path.read_text(encoding="utf-8"))
    return ratios


def accept(ratios: Ratios, path: Path = ACCEPTED) -> None:
    """Takes them for what is to be expected from now on."""
    path.write_text(json.dumps(ratios, indent=2) + "\n", encoding="utf-8")


def worse(ratios: Ratios, expected: Ratios) -> list[str]:
    """What is worse than accepted by more than `WORSE` allows, or was not measured, in a line each."""
    found = []
    for name, last in expected.items():
        if name not in ratios:
            found.append(f"{name}: not measured")
        elif ratios[name] > last * WORSE:
            found.append(f"{name}: {ratios[name]:.2f} where {last:.2f} was accepted")
    return found
