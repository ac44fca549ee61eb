"""Bars as an SVG: a panel for each job, a bar for each contestant."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, NAMES, RIGHT = 900, 190, 90
TOP, BAR, GAP, TITLE = 40, 16, 5, 34
OURS, FLOOR, OTHERS = "#1f6feb", "#b8c0cc", "#e08a3c"


@dataclass(frozen=True, slots=True)
class Bar:
    """One contestant's figure; the line across goes from the least to the most of the rounds."""

    name: str
    value: float
    least: float
    most: float
    colour: str = OTHERS


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars of one job, on a scale that all panels share."""

    title: str
    bars: Sequence[Bar]


def svg(title: str, panels: Sequence[Panel], format: str) -> str:
    """The picture; `format` is how values are written beside their bars."""
    longest = max((bar.most for panel in panels for bar in panel.bars), default=0.0) or 1.0
    scale = (WIDTH - NAMES - RIGHT) / longest
    parts, y = [_text(10, 22, title, "start", "bold")], float(TOP)
    for panel in panels:
        parts.append(_text(10, y + 20, panel.title, "start"))
        y += TITLE
        for bar in panel.bars:
            parts.append(_drawn(bar, y, scale, format))
            y += BAR + GAP
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10:.0f}" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        f"{body}\n</svg>\n"
    )


def _drawn(bar: Bar, y: float, scale: float, format: str) -> str:
    middle = y + BAR / 2
    least, most = NAMES + bar.least * scale, NAMES + bar.most * scale
    size = f'width="{bar.value * scale:.1f}" height="{BAR}"'
    return (
        _text(NAMES - 8, y + 12, bar.name, "end")
        + f'<rect x="{NAMES}" y="{y:.0f}" {size} fill="{bar.colour}"/>'
        + f'<path d="M{least:.1f} {middle:.1f}H{most:.1f}" stroke="#333"/>'
        + _text(most + 6, y + 12, f"{bar.value:{format}}", "start")
    )


def _text(x: float, y: float, text: str, anchor: str, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )
