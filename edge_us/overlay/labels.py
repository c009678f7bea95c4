"""Where a label goes: near its lesion, never on a lesion, never outside the picture."""

from __future__ import annotations

from collections.abc import Sequence

from edge_us.frame import Rect

Box = tuple[float, float, float, float]


def place_label(
    size: tuple[int, int],
    box: Box,
    obstacles: Sequence[Rect],
    area: Rect,
    clearance: int,
    previous: int | None = None,
) -> tuple[Rect, int] | None:
    """Choose the first free place around ``box``.

    Parameters
    ----------
    size : (int, int)
        Width and height of the label in px; even.
    box : (float, float, float, float)
        The lesion's ``x1, y1, x2, y2`` in px.
    obstacles : sequence of Rect
        What must not be covered: the lesions, labels that already have their place.
    area : Rect
        Where labels may stand: the picture without HUD and notice.
    clearance : int
        Distance to the lesion in px.
    previous : int or None
        The place chosen on the last frame; it is kept while it is free, so that labels do not jump.

    Returns
    -------
    (Rect, int) or None
        Even position, and the number of the place; None if no place is free. A label that would cover a
        lesion is rather left out: its contour says that it is there.
    """
    width, height = size
    if width > area.width or height > area.height:
        return None
    x1, y1, x2, y2 = box
    above, below = y1 - clearance - height, y2 + clearance
    before, behind = x1 - clearance - width, x2 + clearance
    middle_x, middle_y = (x1 + x2 - width) / 2, (y1 + y2 - height) / 2
    places = (
        (behind, y1), (before, y1), (x1, above), (x2 - width, above), (x1, below), (x2 - width, below),
        (behind, middle_y), (before, middle_y), (middle_x, above), (middle_x, below),
        (behind, above), (before, above), (behind, below), (before, below),
        (area.x, area.y), (area.x + area.width, area.y),
        (area.x, area.y + area.height), (area.x + area.width, area.y + area.height),
    )  # fmt: skip
    order = list(range(len(places)))
    if previous is not None and previous in order:
        order.insert(0, previous)
    for number in order:
        x, y = places[number]
        left = min(max(int(x), area.x), area.x + area.width - width) & ~1
        top = min(max(int(y), area.y), area.y + area.height - height) & ~1
        label = Rect(left, top, width, height)
        if not any(overlap(label, other) for other in obstacles):
            return label, number
    return None


def overlap(a: Rect, b: Rect) -> bool:
    """Whether two rectangles share a pixel."""
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
