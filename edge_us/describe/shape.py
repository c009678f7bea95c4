"""Shape: oval, round or irregular.

The lexicon: oval is elliptical or egg-shaped and may have two or three gentle undulations, round is as deep as wide,
irregular is neither. Numbers: the share of the lesion's area by which it and the ellipse of the same moments differ (as
in Moon et al., J Digit Imaging 26:1091, 2013, and the overlap ratio of Byra et al., arXiv 1706.01855), and that
ellipse's axis ratio.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OVAL, ROUND, IRREGULAR = "oval", "round", "irregular"
WORDS = (OVAL, ROUND, IRREGULAR)
DEVIATION, AXIS_RATIO = "ellipse_deviation", "axis_ratio"
THRESHOLDS = {
    DEVIATION: Threshold(0.145, 0.02, "measured: docs/measurements.md, masks read as BI-RADS 2 and 3 against 5"),
    AXIS_RATIO: Threshold(0.87, 0.03, "lexicon: round is as deep as wide; below 1 by what an outline's error does"),
}
RASTER_PX = 64


def look(contour: NDArray[np.float32], unit: tuple[float, float]) -> dict[str, float]:
    """Numbers of one contour with pixels of the given size in x and y."""
    import cv2
    import numpy as np

    points = contour.astype(np.float64) * unit
    low, high = points.min(axis=0), points.max(axis=0)
    scale = RASTER_PX / max(float((high - low).max()), 1e-9)
    fixed = np.rint(((points - low) * scale + RASTER_PX / 4) * 16).astype(np.int32)
    side = RASTER_PX + RASTER_PX // 2
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [fixed], 1, cv2.LINE_8, 4)
    moments = cv2.moments(mask, binaryImage=True)
    area = moments["m00"]
    if area <= 0:
        return {}
    xx, yy, xy = moments["mu20"] / area, moments["mu02"] / area, moments["mu11"] / area
    middle, half = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    if middle - half <= 0:
        return {}
    long, short = 2 * math.sqrt(middle + half), 2 * math.sqrt(middle - half)
    turn = 0.5 * math.atan2(2 * xy, xx - yy)
    angle = np.linspace(0.0, 2 * np.pi, 72, endpoint=False)
    u, v = long * np.cos(angle), short * np.sin(angle)
    x = moments["m10"] / area + u * math.cos(turn) - v * math.sin(turn)
    y = moments["m01"] / area + u * math.sin(turn) + v * math.cos(turn)
    ellipse = np.zeros_like(mask)
    cv2.fillPoly(ellipse, [np.rint(np.stack((x, y), axis=1) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return {DEVIATION: float(np.count_nonzero(mask != ellipse)) / area, AXIS_RATIO: short / long}


def word(numbers: Numbers) -> str:
    """The word for the numbers."""
    irregular = THRESHOLDS[DEVIATION].side(numbers[DEVIATION])
    if irregular:
        is_round = THRESHOLDS[AXIS_RATIO].side(numbers[AXIS_RATIO])
        return IRREGULAR if irregular > 0 else (OVAL, UNCERTAIN, ROUND)[is_round + 1]
    return UNCERTAIN
