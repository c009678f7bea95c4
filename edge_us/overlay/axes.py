"""Long and short axis of a lesion, where the callipers stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Point = tuple[float, float]


class Axes(NamedTuple):
    """End points of both axes in frame px; lengths in mm, or in px where the scale is unknown."""

    long: tuple[Point, Point]
    short: tuple[Point, Point]
    long_length: float
    short_length: float


def long_and_short_axis(contour: NDArray[np.float32], mm_per_px: tuple[float, float] | None = None) -> Axes | None:
    """Find the longest diameter and the longest chord perpendicular to it.

    This is how breast lesions are measured (ACR BI-RADS ultrasound: longest axis, then the axis perpendicular
    to it in the same plane). Both are taken on the convex hull, so that callipers stand on the outermost edge.

    A contour runs through the centres of the outermost pixels, so half a pixel is added at each end.

    Parameters
    ----------
    contour : ndarray of float32, shape (n, 2)
        Closed polygon in frame px.
    mm_per_px : (float, float) or None
        Pixel size in x and y; with it, right angles and lengths are those of the tissue.

    Returns
    -------
    Axes or None
        None for contours without extent.
    """
    import cv2
    import numpy as np

    if len(contour) < 3:
        return None
    scale = np.array(mm_per_px or (1.0, 1.0), np.float32)
    hull = cv2.convexHull(contour * scale)[:, 0]
    # |a - b|² = |a|² + |b|² - 2 a·b, centred so that float32 is exact enough: a third of the time of differences.
    centred = hull - hull.mean(axis=0)
    norms = np.einsum("ij,ij->i", centred, centred)
    squares = norms[:, None] - 2 * (centred @ centred.T)
    squares += norms
    first, last = divmod(int(squares.argmax()), len(hull))
    if first > last:
        first, last = last, first
    start = hull[first]
    along = hull[last] - start
    length = float(np.hypot(*along))
    if length <= 0:
        return None
    along /= length
    u = (hull - start) @ along
    v = hull @ np.array((-along[1], along[0]), np.float32)
    v0 = v[first]
    # The long axis cuts the hull into two chains; between them the width is piecewise linear in u and concave,
    # so its maximum lies at a vertex.
    one = np.arange(first, last + 1)
    two = np.concatenate((np.arange(last, len(hull)), np.arange(first + 1)))[::-1]
    v_one = np.interp(u, u[one], v[one])
    v_two = np.interp(u, u[two], v[two])
    widest = int(np.abs(v_one - v_two).argmax())
    normal = np.array((-along[1], along[0]))
    foot = start + along * u[widest]
    ends = [(foot + normal * (value - v0)) / scale for value in (v_one[widest], v_two[widest])]
    return Axes(
        (_point(hull[first] / scale), _point(hull[last] / scale)),
        (_point(ends[0]), _point(ends[1])),
        length + float(np.hypot(*(along * scale))),
        float(abs(v_one[widest] - v_two[widest]) + np.hypot(*(normal * scale))),
    )


def _point(xy: NDArray[np.floating]) -> Point:
    return float(xy[0]), float(xy[1])
