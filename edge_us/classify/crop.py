"""What the classifier sees of a lesion: its box with surroundings, aspect kept; training and runtime share this."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect
from edge_us.inference.letterbox import Letterbox

MARGIN = 0.3
"""Surroundings on every side, as share of the box's longer side: margin, halo and the start of the shadow are signs."""
LEAST_SIDE_PX = 16


def crop_region(box: tuple[float, float, float, float], bounds: Rect) -> Rect:
    """The square around a box with its surroundings, in whole px, clipped to the image.

    Parameters
    ----------
    box : (float, float, float, float)
        ``x1, y1, x2, y2`` in px.
    bounds : Rect
        The image region; what lies outside of it is no tissue.
    """
    x1, y1, x2, y2 = box
    side = max(x2 - x1, y2 - y1, LEAST_SIDE_PX / (1 + 2 * MARGIN)) * (1 + 2 * MARGIN)
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    right, bottom = left + round(side), top + round(side)
    left, top = max(left, bounds.x), max(top, bounds.y)
    right, bottom = min(right, bounds.x + bounds.width), min(bottom, bounds.y + bounds.height)
    return Rect(left, top, max(1, right - left), max(1, bottom - top))


def crop(
    gray: NDArray[np.uint8], box: tuple[float, float, float, float], side: int, bounds: Rect | None = None
) -> NDArray[np.uint8]:
    """The classifier's input for one lesion.

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
        The whole picture, full range.
    box : (float, float, float, float)
        ``x1, y1, x2, y2`` in px of it.
    side : int
        Of the network's square input, in px.
    bounds : Rect, optional
        The image region; default the whole picture.

    Returns
    -------
    ndarray of uint8, shape (side, side)
    """
    region = crop_region(box, bounds or Rect(0, 0, gray.shape[1], gray.shape[0]))
    pixels = gray[region.y : region.y + region.height, region.x : region.x + region.width]
    return Letterbox.fit(region, (side, side)).apply(pixels)
