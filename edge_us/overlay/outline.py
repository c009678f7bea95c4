"""Contour and callipers of one finding, drawn just outside its edge.

The lesion's polygon is grown by a few pixels, and only the rim of the grown shape is drawn; then every pixel of
the lesion itself is taken out of the drawing. So whatever the shape (spiculated, touching the picture's edge, a
few pixels large), the line neither fills the lesion nor covers its margin, which is what a reader looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edge_us.measure.axes import Axes, Point
from edge_us.overlay.planes import Bgr, Planes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHIFT = 4
"""Fractional bits of the coordinates that cv2 takes."""
_SMOOTHING = 3
"""Contour points to either side that the display line is averaged over: the pixel staircase goes."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Sizes in px, chosen once per picture size."""

    gap: int
    """Distance of the line's middle from the lesion's edge."""
    strokes: int
    """Thickness of the line."""
    cross: int
    """Half the size of a calliper's cross."""

    @property
    def reach(self) -> int:
        """How far from the lesion's edge the contour and its halo extend."""
        return self.gap + self.strokes + 1

    @staticmethod
    def of(width: int, height: int) -> Pen:
        """Sizes for a picture: thin lines that stay visible when a large screen is seen from afar."""
        strokes = max(1, round(min(width, height) / 500))
        return Pen(2 + strokes, strokes, 2 + 2 * strokes)


def polygon_of(contour: NDArray[np.float32], box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """The contour, or the box as a polygon where there is no usable contour; shape (n, 2)."""
    import numpy as np

    if len(contour) >= 3:
        return contour
    x1, y1, x2, y2 = box
    # A box has the pixels' outer edges, a contour their centres.
    return np.array(((x1, y1), (x2 - 1, y1), (x2 - 1, y2 - 1), (x1, y2 - 1)), np.float32)


def draw_outline(
    planes: Planes, polygon: NDArray[np.float32], axes: Axes | None, pen: Pen, colour: Bgr, held: bool
) -> None:
    """Draw one finding's contour and callipers.

    Parameters
    ----------
    planes : Planes
    polygon : ndarray of float32, shape (n, 2)
        Closed, through the centres of the outermost pixels, as `Finding.contour` is.
    axes : Axes or None
        Where the callipers stand; None draws none.
    pen : Pen
    colour : (int, int, int)
        Blue, green, red.
    held : bool
        The finding was not seen on this frame: dashed and dimmer.
    """
    import cv2
    import numpy as np

    height, width = planes.y.shape
    polygon = np.asarray(polygon, np.float32)
    left, top, w, h = cv2.boundingRect(polygon)
    if left < 0 or top < 0 or left + w > width or top + h > height:
        polygon = np.clip(polygon, 0, np.array((width - 1, height - 1), np.float32))
        left, top, w, h = cv2.boundingRect(polygon)
    margin = pen.gap + pen.strokes + pen.cross + 2
    x, y = (left - margin) & ~1, (top - margin) & ~1
    shape = ((top + h + margin + 2 - y) & ~1, (left + w + margin + 2 - x) & ~1)

    lesion = np.zeros(shape, np.uint8)
    fixed = np.rint(polygon * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(lesion, [fixed], 255, cv2.LINE_8, _SHIFT, (-x << _SHIFT, -y << _SHIFT))
    line = np.zeros(shape, np.uint8)
    for growth in range(pen.strokes):
        rim = _rim(lesion, pen.gap + growth)
        if rim is not None:
            cv2.polylines(line, [rim], True, 255, 1, cv2.LINE_AA, _SHIFT)
            if held:
                _dash(line, rim, pen)
    if axes is not None:
        ends = (axes.long, axes.long[::-1], axes.short, axes.short[::-1])
        arms = np.array([arm for end, other in ends for arm in _cross(end, other, (x, y), pen)])
        fixed = np.rint(arms * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(line, list(fixed), False, 255, pen.strokes, cv2.LINE_AA, _SHIFT)
    planes.stroke(line, lesion, x, y, colour, strength=0.6 if held else 1.0)


def _rim(lesion: NDArray[np.uint8], growth: int) -> NDArray[np.int32] | None:
    """Smooth outline of the lesion grown by ``growth`` px, in fixed point."""
    import cv2
    import numpy as np

    grown = cv2.dilate(lesion, _disc(growth))
    found, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return None
    rim: NDArray[Any] = max(found, key=len).astype(np.float32)
    if len(rim) > 2 * _SMOOTHING:
        reach = _SMOOTHING
        closed = cv2.copyMakeBorder(rim, reach, reach, 0, 0, cv2.BORDER_WRAP)
        rim = cv2.blur(closed, (1, 2 * reach + 1))[reach:-reach]
    fixed: NDArray[np.int32] = (rim * (1 << _SHIFT)).astype(np.int32)
    return fixed


@lru_cache(maxsize=16)
def _disc(radius: int) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _dash(line: NDArray[np.uint8], rim: NDArray[np.int32], pen: Pen) -> None:
    """Cut round gaps into the line; rim points lie about one pixel apart."""
    import cv2

    radius = 1 + 2 * pen.strokes
    count = max(4, len(rim) // (5 * radius))
    for index in range(count):
        column, row = rim[index * len(rim) // count, 0]
        cv2.circle(line, (int(column) >> _SHIFT, int(row) >> _SHIFT), radius, 0, cv2.FILLED)


def _cross(end: Point, other: Point, origin: tuple[int, int], pen: Pen) -> list[tuple[Point, Point]]:
    """Both arms of a cross on the displayed contour, where the axis that comes from ``other`` leaves the lesion."""
    dx, dy = end[0] - other[0], end[1] - other[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
    dx, dy = dx / length, dy / length
    x, y = end[0] + dx * pen.gap - origin[0], end[1] + dy * pen.gap - origin[1]
    return [
        ((x - ax * pen.cross, y - ay * pen.cross), (x + ax * pen.cross, y + ay * pen.cross))
        for ax, ay in ((dx, dy), (-dy, dx))
    ]
