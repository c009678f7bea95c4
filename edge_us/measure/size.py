"""Size and proportions of one lesion on one frame, from its contour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from edge_us.frame import Fan
from edge_us.measure.axes import EDGE_PX, Axes, long_and_short_axis
from edge_us.measure.beam import Unit, beam_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Size(NamedTuple):
    """What one contour measures.

    Attributes
    ----------
    axes : Axes
        Lengths in the unit given.
    area : float
        In the unit's square.
    height_to_width : float
        Extent along the beam over extent along the skin.
    long_axis_deg : float
        Angle between the long axis and the skin, 0..90.
    """

    axes: Axes
    area: float
    height_to_width: float
    long_axis_deg: float


def measure_size(contour: NDArray[np.float32], unit: Unit = (1.0, 1.0), fan: Fan | None = None) -> Size | None:
    """Measure a contour; None where it has no extent.

    Parameters
    ----------
    contour : ndarray of float32, shape (n, 2)
        Closed polygon in frame px through the centres of the outermost pixels, as `Finding.contour` is.
    unit : (float, float)
        Size of a pixel in x and y.
    fan : Fan or None
        How the beams of a curved probe run.
    """
    axes = long_and_short_axis(contour, unit)
    if axes is None:
        return None
    x, y = contour[:, 0], contour[:, 1]
    left, right, top, bottom = float(x.min()), float(x.max()), float(y.min()), float(y.max())
    down_x, down_y = beam_at((left + right) / 2, (top + bottom) / 2, unit, fan)
    if fan is None:
        width, height = (right - left + EDGE_PX) * unit[0], (bottom - top + EDGE_PX) * unit[1]
    else:
        px, py = x * unit[0], y * unit[1]
        along, across = px * down_x + py * down_y, px * down_y - py * down_x
        # A pixel's own extent in each direction, as in `long_and_short_axis`.
        height = float(along.max() - along.min()) + EDGE_PX * math.hypot(down_x * unit[0], down_y * unit[1])
        width = float(across.max() - across.min()) + EDGE_PX * math.hypot(down_y * unit[0], down_x * unit[1])
    (x0, y0), (x1, y1) = axes.long
    long_x, long_y = (x1 - x0) * unit[0], (y1 - y0) * unit[1]
    sine = abs(long_x * down_x + long_y * down_y) / max(math.hypot(long_x, long_y), 1e-9)
    area = pixel_area(contour) * unit[0] * unit[1]
    return Size(axes, area, height / width, math.degrees(math.asin(min(1.0, sine))))


def pixel_area(contour: NDArray[np.float32]) -> float:
    """Number of pixels of the mask that a contour was taken from, holes filled.

    Pick's theorem: a polygon through pixel centres holds ``A + B / 2 + 1`` of them, A its area, B those on its edge
    (Pick, 1899). An edge of `cv2.findContours` runs straight or diagonally, so B is its longer extent. The polygon's
    own area would be too small by half a pixel all around: 4 % of a lesion 50 px wide.
    """
    import numpy as np

    x, y = contour[:, 0].astype(np.float64), contour[:, 1].astype(np.float64)
    next_x, next_y = np.concatenate((x[1:], x[:1])), np.concatenate((y[1:], y[:1]))
    inside = abs(float(x @ next_y - y @ next_x)) / 2
    edge = float(np.maximum(np.abs(next_x - x), np.abs(next_y - y)).sum())
    return inside + edge / 2 + 1
