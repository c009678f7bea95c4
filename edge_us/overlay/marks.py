"""Shapes around a lesion, as pure geometry: outline outside the margin, callipers, dashes, label places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


def outline(contour: Points, offset_px: float) -> Points:
    """The contour moved outward by about ``offset_px`` and smoothed, so that the margin itself stays visible.

    Parameters
    ----------
    contour : ndarray of float32, shape (n, 2)
        Closed polygon.
    offset_px : float

    Returns
    -------
    ndarray of float32, shape (m, 2)
        Closed polygon, evenly spaced.
    """
    if len(contour) < 3:
        return contour
    points = resample(contour, spacing_px=3.0)
    count = len(points)
    window = min(5, count | 1)
    kernel = np.ones(window) / window
    padded = np.concatenate([points[-(window // 2) :], points, points[: window // 2]])
    smooth = np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)
    tangent = np.roll(smooth, -1, axis=0) - np.roll(smooth, 1, axis=0)
    length = np.hypot(tangent[:, 0], tangent[:, 1])
    length[length == 0] = 1
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) / length[:, None]
    # The sign of the area tells which side is outside (y points down).
    if signed_area(smooth) < 0:
        normal = -normal
    return np.asarray(smooth + normal * offset_px, np.float32)


def resample(contour: Points, spacing_px: float) -> Points:
    """Points about ``spacing_px`` apart along a closed polygon; at least 8."""
    closed = np.concatenate([contour, contour[:1]])
    step = np.hypot(*np.diff(closed, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(step)])
    count = max(8, int(along[-1] / spacing_px))
    at = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def signed_area(polygon: NDArray[np.floating]) -> float:
    """Shoelace area of a closed polygon; positive when it turns from x towards y."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def axes(contour: Points) -> tuple[Points, Points]:
    """Long axis (greatest distance of two contour points) and the widest chord at a right angle to it.

    Returns
    -------
    (ndarray, ndarray) of float32, each of shape (2, 2)
        End points in frame px. The short axis is the extent at a right angle, drawn through its two extreme points'
        mean position along the long axis.
    """
    import cv2

    hull = cv2.convexHull(np.asarray(contour, np.float32)).reshape(-1, 2)
    gap = hull[:, None] - hull[None, :]
    one, other = np.unravel_index(int((gap**2).sum(axis=2).argmax()), (len(hull), len(hull)))
    long_axis = np.stack([hull[one], hull[other]]).astype(np.float32)
    direction = long_axis[1] - long_axis[0]
    norm = float(np.hypot(*direction))
    if norm == 0:
        return long_axis, long_axis
    direction = direction / norm
    across = np.array([-direction[1], direction[0]], np.float32)
    offset = (hull - long_axis[0]) @ across
    middle = float(np.mean((hull[[offset.argmin(), offset.argmax()]] - long_axis[0]) @ direction))
    base = long_axis[0] + middle * direction
    short_axis = np.stack([base + offset.min() * across, base + offset.max() * across]).astype(np.float32)
    return long_axis, short_axis


def crosses(axis: Points, arm_px: float) -> list[Points]:
    """Callipers: a small upright cross at each end of an axis, as segments."""
    segments = []
    for x, y in axis:
        segments.append(np.array([[x - arm_px, y], [x + arm_px, y]], np.float32))
        segments.append(np.array([[x, y - arm_px], [x, y + arm_px]], np.float32))
    return segments


def dashes(polygon: Points, on: int = 2, off: int = 2) -> list[Points]:
    """Every run of ``on`` points of a closed, evenly spaced polygon, leaving ``off`` out."""
    closed = np.concatenate([polygon, polygon[:1]])
    return [closed[start : start + on + 1] for start in range(0, len(closed) - 1, on + off)]


def label_place(
    box: tuple[float, float, float, float], size: tuple[int, int], picture: tuple[int, int], gap_px: int
) -> tuple[int, int]:
    """Upper left corner of a label that does not cover the box: above, below, right or left of it, inside the picture.

    Where the box fills the picture, the label goes to the picture's upper edge.
    """
    width, height = size
    x1, y1, x2, y2 = box
    x = int(min(max(x1, 0), max(0, picture[0] - width)))
    if y1 - gap_px - height >= 0:
        return x, int(y1 - gap_px - height)
    if y2 + gap_px + height <= picture[1]:
        return x, int(y2 + gap_px)
    y = int(min(max(y1, 0), max(0, picture[1] - height)))
    if x2 + gap_px + width <= picture[0]:
        return int(x2 + gap_px), y
    if x1 - gap_px - width >= 0:
        return int(x1 - gap_px - width), y
    return x, 0
