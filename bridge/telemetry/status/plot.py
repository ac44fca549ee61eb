"""A small plot as inline SVG, which says in words what it shows."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from bridge.telemetry.status.elements import el

WIDTH, HEIGHT = 120, 24


def plot(values: Sequence[float | None], label: str) -> Element:
    """An area from the oldest value on the left to the newest on the right, from 0 to the greatest.

    Where a value is None there is a hole.
    """
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    step = WIDTH / max(len(values) - 1, 1)
    areas, run = [], list[str]()
    for index, value in enumerate([*values, None]):
        if value is not None:
            run.append(f"{index * step:.1f} {HEIGHT - value / top * (HEIGHT - 1):.1f}")
        elif run:
            begin, end = run[0].split()[0], run[-1].split()[0]
            areas.append(f"M{begin} {HEIGHT}L{'L'.join(run)}L{end} {HEIGHT}Z")
            run = []
    return el(
        "svg",
        el("path", d="".join(areas)),
        class_="plot",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
