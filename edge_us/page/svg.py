"""Small SVG charts, made as text: no plotting library, no script, nothing to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 42
INK, GRID, LINE, ACCENT = "#222", "#ddd", "#1f5fa8", "#c2410c"

Range = tuple[float, float]
Point = tuple[float, float]


def curve(
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    x_range: Range = (0.0, 1.0),
    y_range: Range = (0.0, 1.0),
    marks: Sequence[Point] = (),
    diagonal: bool = False,
    steps: bool = False,
) -> str:
    """A line chart.

    Parameters
    ----------
    points : sequence of (x, y)
        Points outside of the ranges are clipped to the frame's edge.
    x_label, y_label : str
    x_range, y_range : (float, float)
    marks : sequence of (x, y)
        Points to be marked with a dot.
    diagonal : bool
        Draw the line from corner to corner: chance, or perfect calibration.
    steps : bool
        Go right, then up, between points, as empirical curves do.
    """
    place = _Place(x_range, y_range)
    inside = [point for point in points if x_range[0] <= point[0] <= x_range[1]]
    path: list[str] = []
    for index, (x, y) in enumerate(inside):
        if steps and index:
            path.append(place.at(x, inside[index - 1][1]))
        path.append(place.at(x, y))
    if steps and inside:
        path.append(place.at(x_range[1], inside[-1][1]))
    parts = [_axes(place, x_label, y_label)]
    if diagonal:
        parts.append(_polyline([place.at(x_range[0], y_range[0]), place.at(x_range[1], y_range[1])], GRID))
    if path:
        parts.append(_polyline(path, LINE))
    for x, y in marks:
        where = place.at(x, y).split(",")
        parts.append(f'<circle cx="{where[0]}" cy="{where[1]}" r="4" fill="{ACCENT}"/>')
    return _svg(parts, f"{y_label} against {x_label}")


def histogram(values: Iterable[float], *, bins: int, x_label: str, y_label: str, x_range: Range = (0.0, 1.0)) -> str:
    """A histogram of equal bins; the upper edge belongs to the last bin."""
    counts = [0] * bins
    for value in values:
        share = (value - x_range[0]) / (x_range[1] - x_range[0])
        counts[min(max(int(share * bins), 0), bins - 1)] += 1
    place = _Place(x_range, (0.0, _round_up(max([*counts, 1]))))
    parts = [_axes(place, x_label, y_label)]
    step = (x_range[1] - x_range[0]) / bins
    for index, count in enumerate(counts):
        left, top = (float(part) for part in place.at(x_range[0] + index * step, count).split(","))
        right, bottom = (float(part) for part in place.at(x_range[0] + (index + 1) * step, 0).split(","))
        parts.append(
            f'<rect x="{left + 0.5:.1f}" y="{top:.1f}" width="{right - left - 1:.1f}" height="{bottom - top:.1f}" '
            f'fill="{LINE}"><title>{count}</title></rect>'
        )
    return _svg(parts, f"{y_label} by {x_label}")


def _round_up(count: int) -> float:
    """The next number whose fifth is a round one, so that the axis has whole ticks."""
    power = 10 ** max(0, len(str(count)) - 1)
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= count and step * power >= 5))


class _Place:
    """From values to positions in the drawing."""

    def __init__(self, x_range: Range, y_range: Range) -> None:
        self.x_range, self.y_range = x_range, y_range

    def at(self, x: float, y: float) -> str:
        right = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        right, up = min(max(right, 0.0), 1.0), min(max(up, 0.0), 1.0)
        return f"{LEFT + right * (WIDTH - LEFT - RIGHT):.1f},{HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM):.1f}"


def _axes(place: _Place, x_label: str, y_label: str) -> str:
    parts = []
    for step in range(6):
        x = place.x_range[0] + (place.x_range[1] - place.x_range[0]) * step / 5
        y = place.y_range[0] + (place.y_range[1] - place.y_range[0]) * step / 5
        column = place.at(x, 0).split(",")[0]
        row = place.at(0, y).split(",")[1]
        parts.append(f'<path d="M{column} {TOP}V{HEIGHT - BOTTOM}M{LEFT} {row}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        parts.append(f'<text x="{column}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{x:g}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{float(row) + 4:.1f}" text-anchor="end">{y:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    upright = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="14" y="{upright}" text-anchor="middle" transform="rotate(-90 14 {upright})">{escape(y_label)}</text>'
    )
    return "".join(parts)


def _polyline(points: Sequence[str], colour: str) -> str:
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="11" fill="{INK}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )
