"""How near the bridge comes to what it aims at, by the figures of the section `throughput`."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench.bridge_run import BRIDGE
from tests.bench.contestants import FLOOR, FLOOR_AND_POST
from tests.bench.tables import grid

TO_FLOOR, TO_ONE_APP = 1.5, 1.3
COLUMNS = ("", "CPU to floor", "CPU to the best other", "events/s to the best other")

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
"""The runs of each contestant, as they are kept."""


def goals(figures: Mapping[str, Any]) -> str:
    """A section of the page; empty where no other program took part."""
    results = [each for each in figures.get("results", ()) if _others(each["runs"])]
    if not results:
        return ""
    rows = [_row(each) for each in results]
    return f"""\
## Beside the goals

The bridge aims at no more than {TO_FLOOR} times the CPU time of the floor, at less than any other program, at
more events a second than any, and with many apps at no more than {TO_ONE_APP} times the CPU time of one. Of
medians; what falls short, and where the time goes, is told in
[performance](performance.md#where-it-falls-short).

{grid(COLUMNS, rows)}
{_many_apps(results)}"""


def _row(result: Mapping[str, Any]) -> list[str]:
    job, runs = result["job"], result["runs"]
    cpu, rate = _median(runs, "cpu_micros"), _median(runs, "rate")
    cheapest = min(_others(runs), key=cpu)
    quickest = max(_others(runs), key=rate)
    return [
        f"{job['format']}, {job['apps']} app{'s' if job['apps'] > 1 else ''}",
        f"{cpu(BRIDGE) / cpu(FLOOR):.2f}",
        f"{cpu(BRIDGE) / cpu(cheapest):.2f} ({cheapest})",
        f"{rate(BRIDGE) / rate(quickest):.2f} ({quickest})",
    ]


def _many_apps(results: Sequence[Mapping[str, Any]]) -> str:
    """CPU time of an event with the most apps, as a ratio to that with one, by wire format."""
    by_format: dict[str, dict[int, float]] = {}
    for each in results:
        cpu = _median(each["runs"], "cpu_micros")(BRIDGE)
        by_format.setdefault(each["job"]["format"], {})[each["job"]["apps"]] = cpu
    return "".join(
        f"\nIn {name} an event with {max(apps)} apps costs {apps[max(apps)] / apps[1]:.1f} times that with 1."
        for name, apps in by_format.items()
        if 1 in apps and len(apps) > 1
    )


def _others(runs: Runs) -> list[str]:
    return [name for name in runs if name not in {FLOOR, FLOOR_AND_POST} and not name.startswith(BRIDGE)]


def _median(runs: Runs, figure: str) -> Callable[[str], float]:
    return lambda name: median(run[figure] for run in runs[name])
