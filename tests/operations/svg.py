"""Lines over time as a small SVG that fits light and dark pages; dashes tell them apart without colour."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 480, 150  # of the plot itself, in pixels
LEFT, TOP, LINE = 46, 26, 15
COLORS = ("#3b82c4", "#d9822b", "#3d9970", "#b35ba5", "#c0443c", "#8a8d91", "#7a6fd0", "#9a8a2e")
DASHES = ("none", "6 2", "2 2", "8 2 2 2")
STYLE = (
    "text { font: 11px sans-serif; fill: #444; } .grid { stroke: #8886; }"
    " @media (prefers-color-scheme: dark) { text { fill: #ccc; } }"
)

Points = Sequence[tuple[float, float]]
"""Seconds, and a value."""


def plot(title: str, lines: Mapping[str, Points], seconds: float) -> str:
    """The picture of these lines, each from 0 to `seconds`, with their names below it."""
    top = _round_up(max((value for points in lines.values() for _, value in points), default=0.0))
    parts = [f'<text x="0" y="14" font-weight="bold">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = TOP + HEIGHT * (1 - share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 4:g}" text-anchor="end">{top * share:g}</text>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x, said = LEFT + WIDTH * share, f"{seconds * share:.0f} s"
        parts.append(f'<text x="{x:g}" y="{TOP + HEIGHT + LINE}" text-anchor="{anchor}">{said}</text>')
    for number, (name, points) in enumerate(lines.items()):
        path = " ".join(
            f"{LEFT + WIDTH * at / seconds:.1f},{TOP + HEIGHT * (1 - value / top):.1f}"
            for at, value in points
        )
        stroke = f'stroke="{COLORS[number % len(COLORS)]}" stroke-dasharray="{DASHES[number % len(DASHES)]}"'
        parts.append(f'<polyline fill="none" stroke-width="1.6" {stroke} points="{path}"/>')
        y = TOP + HEIGHT + LINE * (number // 2 + 2)
        x = LEFT + WIDTH / 2 * (number % 2)
        parts.append(
            f'<line stroke-width="2" {stroke} x1="{x:g}" x2="{x + 24:g}" y1="{y - 4}" y2="{y - 4}"/>'
        )
        parts.append(f'<text x="{x + 30:g}" y="{y}">{escape(name)}</text>')
    width, height = LEFT + WIDTH + 10, TOP + HEIGHT + LINE * ((len(lines) + 1) // 2 + 1) + 8
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    body = "\n".join([f"<style>{STYLE}</style>", *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'


def _round_up(value: float) -> float:
    """The next number of one digit that is 1, 2 or 5, times a power of ten."""
    power = 10.0 ** len(str(int(value))) if value >= 1 else 1.0
    steps = [power * step for step in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)]
    return min(step for step in steps if step >= value)
