"""Charts of results as SVG, in the colours of the page, so that they read in light and dark and cost no request."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 12, 44
"""Margins between the axes and the rim, in the units of the picture."""
ROW = 26
LABELS = 170
"""The height of a row in a chart of dots, and the width of what stands before it."""


def legend(names: Sequence[str]) -> str:
    """Which colour stands for what, as HTML."""
    keys = "".join(f"<span><i class='series-{index}'></i>{escape(name)}</span>" for index, name in enumerate(names))
    return f"<p class='legend'>{keys}</p>"


def line_chart(title: str, labels: Sequence[str], lines: Mapping[str, Sequence[float]], across: str, up: str) -> str:
    """Lines over levels that stand at equal distances.

    Args:
        title: what it shows, for whoever cannot see it.
        labels: of the levels.
        lines: name and values, one for each level.
        across, up: what the axes are.
    """
    values = [value for line in lines.values() for value in line]
    step = 5
    low, high = int(min(values) // step * step), int(-(-max(values) // step) * step)

    def x(index: int) -> float:
        return LEFT + 12 + index * (WIDTH - LEFT - RIGHT - 24) / max(1, len(labels) - 1)

    def y(value: float) -> float:
        return TOP + (high - value) * (HEIGHT - TOP - BOTTOM) / max(1, high - low)

    parts = [
        f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y(mark):.1f}' y2='{y(mark):.1f}'/>"
        f"<text x='{LEFT - 6}' y='{y(mark) + 4:.1f}' text-anchor='end'>{mark}</text>"
        for mark in range(low, high + 1, step)
    ]
    parts += [
        f"<text x='{x(index):.1f}' y='{HEIGHT - BOTTOM + 18}' text-anchor='middle'>{escape(label)}</text>"
        for index, label in enumerate(labels)
    ]
    parts.append(f"<text x='{(LEFT + WIDTH) / 2:.0f}' y='{HEIGHT - 6}' text-anchor='middle'>{escape(across)}</text>")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f"<text transform='translate(12 {middle:.0f}) rotate(-90)' text-anchor='middle'>{escape(up)}</text>")
    for number, (name, line) in enumerate(lines.items()):
        points = " ".join(f"{x(index):.1f},{y(value):.1f}" for index, value in enumerate(line))
        dots = "".join(f"<circle cx='{x(index):.1f}' cy='{y(value):.1f}' r='3'/>" for index, value in enumerate(line))
        parts.append(f"<g class='series-{number}'><title>{escape(name)}</title><polyline points='{points}'/>{dots}</g>")
    return _chart(title, HEIGHT, parts, list(lines))


def dot_chart(title: str, rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str], across: str) -> str:
    """A line for each row, from its lowest to its highest value, with a dot for each of `names`."""
    values = [value for _, of_row in rows for value in of_row]
    step = 10
    low, high = int(min(values) // step * step), int(-(-max(values) // step) * step)
    height = TOP + ROW * len(rows) + BOTTOM

    def x(value: float) -> float:
        return LABELS + (value - low) * (WIDTH - LABELS - RIGHT - 6) / max(1, high - low)

    bottom = height - BOTTOM
    parts = [
        f"<line class='grid' x1='{x(mark):.1f}' x2='{x(mark):.1f}' y1='{TOP}' y2='{bottom}'/>"
        f"<text x='{x(mark):.1f}' y='{bottom + 18}' text-anchor='middle'>{mark}</text>"
        for mark in range(low, high + 1, step)
    ]
    for index, (label, of_row) in enumerate(rows):
        y = TOP + ROW * (index + 0.5)
        parts.append(f"<text x='{LABELS - 10}' y='{y + 4:.1f}' text-anchor='end'>{escape(label)}</text>")
        parts.append(f"<line class='span' x1='{x(min(of_row)):.1f}' x2='{x(max(of_row)):.1f}' y1='{y}' y2='{y}'/>")
        parts += [
            f"<g class='series-{number}'><title>{escape(name)}: {value:.1f}</title>"
            f"<circle cx='{x(value):.1f}' cy='{y}' r='5'/></g>"
            for number, (name, value) in enumerate(zip(names, of_row, strict=True))
        ]
    parts.append(f"<text x='{(LABELS + WIDTH) / 2:.0f}' y='{height - 6}' text-anchor='middle'>{escape(across)}</text>")
    return _chart(title, height, parts, names)


def _chart(title: str, height: int, parts: list[str], names: Sequence[str]) -> str:
    said = escape(title, quote=True)
    picture = f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{said}'>{''.join(parts)}</svg>"
    return f"<figure class='chart'><figcaption>{said}</figcaption>{picture}{legend(names)}</figure>"
