"""Lines over time as an SVG, which a browser draws without anything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

WIDTH, HEIGHT = 900, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 40, 45
TICKS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """Points of x and y, drawn in a colour."""

    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.0


def svg(title: str, x_label: str, y_label: str, lines: Sequence[Line], shaded: tuple[float, float]) -> str:
    """The picture, with the stretch `shaded` in grey; both axes begin at 0."""
    points = [point for line in lines for point in line.points]
    x_step, y_step = _step(max(x for x, _ in points)), _step(max(y for _, y in points))
    x_top, y_top = max(x for x, _ in points), y_step * (max(y for _, y in points) // y_step + 1)

    def x_at(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / x_top

    def y_at(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / y_top

    parts = [_box(x_at(shaded[0]), x_at(shaded[1]))]
    for tick in _ticks(x_step, x_top):
        parts.append(_text(x_at(tick), HEIGHT - BOTTOM + 18, f"{tick:g}", "middle"))
    for tick in _ticks(y_step, y_top):
        parts.append(
            f'<path d="M{LEFT} {y_at(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            + _text(LEFT - 8, y_at(tick) + 4, f"{tick:g}", "end")
        )
    for line in lines:
        drawn = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in line.points)
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{line.colour}" stroke-width="{line.width}"/>'
        )
    parts += [
        _text(LEFT, 20, title, "start"),
        _text(WIDTH - RIGHT, HEIGHT - 8, x_label, "end"),
        _text(LEFT - 8, TOP - 8, y_label, "middle"),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _box(left: float, right: float) -> str:
    height = HEIGHT - TOP - BOTTOM
    return f'<rect x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{height}" fill="#f0f0f0"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _ticks(step: float, top: float) -> list[float]:
    return [step * number for number in range(int(top / step + 1e-9) + 1)]


def _step(top: float) -> float:
    """A round distance of 1, 2 or 5 times a power of ten, so that about `TICKS` of them make up the whole."""
    least = max(top, 1e-9) / TICKS
    power = 10.0 ** floor(log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
