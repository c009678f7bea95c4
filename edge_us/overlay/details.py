"""What is known of one lesion, in a compact block: sizes with their spread, and words.

One lesion only, the selected or else the largest: a block for each would cover the picture. Its label carries the
same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from edge_us.finding import Finding, Unknown
from edge_us.frame import Rect
from edge_us.overlay.labels import overlap
from edge_us.overlay.node import node_lines, reading_of
from edge_us.overlay.text import line_height, line_width, text_mask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Lines = tuple[str, ...]
MOST_SHARE = 0.15
"""Share of the picture that the block may cover; on smaller pictures there is none."""
STAY = 1.25
"""So many times larger must another lesion's box be for the block to change over to it."""
_ROWS = (
    (("shape", "shape"), ("orientation", "orientation"), ("margin", "margin")),
    (("echo_pattern", "echo"),),
    (("posterior_features", "posterior"),),
)
"""Descriptors by row, each with the term that stands for it where it is uncertain."""
_WORDS = {
    "none": "no posterior features",
    "enhancement": "posterior enhancement",
    "shadowing": "posterior shadowing",
    "combined": "combined posterior features",
}


def chosen(findings: Sequence[Finding], previous: int | None, selected: int | None = None) -> Finding | None:
    """The lesion to tell of: the selected track, or else the largest that is tracked and measured, or the previous one
    while it is nearly that."""
    measured = [
        found for found in findings if found.track is not None and found.axes is not None and found.measurements
    ]
    if not measured:
        return None
    for found in measured:
        if found.track == selected:
            return found
    largest = max(measured, key=_box_area)
    same = next((found for found in measured if found.track == previous), largest)
    return largest if _box_area(largest) > STAY * _box_area(same) else same


def detail_lines(found: Finding, why: str = "largest") -> Lines:
    """The block's lines: what it tells of and why, measurements with their units, words, and what is uncertain."""
    values = found.measurements
    lines = [f"#{found.track} {why}: mean ± SD"]
    long, short = _number(found, "long_axis_mm", ".1f"), _number(found, "short_axis_mm", ".1f")
    if long and short:
        lines.append(f"{long} x {short} mm")
        lines.append(f"area {_number(found, 'area_mm2', '.1f')} sq mm")
        lines.append(f"depth {_number(found, 'depth_mm', '.1f')} mm")
    else:
        size = values.get("long_axis_mm")
        lines.append(f"size: {size.reason if isinstance(size, Unknown) else 'not measured'}")
    reading = reading_of(found)
    if reading is not None:
        return (*lines, *node_lines(reading))
    lines.append(f"height/width {_number(found, 'height_to_width', '.2f')}")
    reasons = [value.reason for value in found.descriptors.values() if isinstance(value, Unknown)]
    uncertain: list[str] = []
    worded = len(lines)
    for row in _ROWS:
        said = [(term, found.descriptors.get(name)) for name, term in row]
        uncertain += [term for term, value in said if value == "uncertain"]
        known = [_WORDS.get(value, value) for _, value in said if isinstance(value, str) and value != "uncertain"]
        if known:
            lines.append(", ".join(known))
    if len(lines) == worded and not uncertain and reasons:
        lines.append(f"descriptors: {reasons[0]}")
    if uncertain:
        lines.append(f"uncertain: {', '.join(uncertain)}")
    return tuple(lines)


def _number(found: Finding, name: str, form: str) -> str:
    """A measurement with its spread, such as ``12.3 ± 0.4``; empty where it is unknown."""
    value, spread = found.measurements.get(name), found.measurements.get(f"{name}_spread")
    if not isinstance(value, float):
        return ""
    return f"{value:{form}} ± {spread:{form}}" if isinstance(spread, float) else f"{value:{form}}"


def _box_area(found: Finding) -> float:
    x1, y1, x2, y2 = found.box
    return (x2 - x1) * (y2 - y1)


@lru_cache(maxsize=64)
def block_mask(lines: Lines, px: int) -> NDArray[np.uint8]:
    """Coverage of several lines below each other, shape (height, width), even; read-only."""
    import numpy as np

    width, step = max(line_width(line, px) for line in lines), line_height(px)
    mask = np.zeros((step * len(lines), width), np.uint8)
    for number, line in enumerate(lines):
        row = text_mask(line, px)
        mask[number * step : (number + 1) * step, : row.shape[1]] = row
    mask.setflags(write=False)
    return mask


def place_block(
    size: tuple[int, int], area: Rect, obstacles: Sequence[Rect], previous: int | None
) -> tuple[Rect, int] | None:
    """A free corner of ``area`` for a block of this width and height, and its number; None if none is free.

    The previous corner is kept while it is free, so that the block does not jump.
    """
    width, height = size
    if width > area.width or height > area.height:
        return None
    left, right = (area.x + 1) & ~1, (area.x + area.width - width) & ~1
    top, bottom = (area.y + 1) & ~1, (area.y + area.height - height) & ~1
    corners = ((right, bottom), (left, bottom), (right, top), (left, top))
    order = list(range(len(corners)))
    if previous is not None:
        order.insert(0, previous)
    for number in order:
        place = Rect(*corners[number], width, height)
        if not any(overlap(place, other) for other in obstacles):
            return place, number
    return None
