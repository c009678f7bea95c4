"""Outlines of lesions: from masks to polygons, and back for tests and pictures.

Coordinates are in pixels with the origin at the image's upper left **corner**, so the centre of the first pixel is
(0.5, 0.5) and an image is ``width x height`` units wide and high. Ultralytics' normalised labels mean the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.evaluate.matching import lesion_pixels

Gray: TypeAlias = NDArray[np.uint8]
"""A grey picture, shape (height, width)."""

Outline: TypeAlias = NDArray[np.float32]
"""A closed polygon, shape (points, 2), x and y in px from the upper left corner."""

# cv2.findContours walks through pixel centres, half a pixel inside the edge. On lesions of 20 px that is 10 % of the
# area, and the network learns it. On a mask enlarged eightfold the same error is a sixteenth of a pixel.
_ENLARGE = 8


def outlines_of(mask: NDArray[np.generic], min_area_px: float = 30.0, tolerance_px: float = 0.35) -> list[Outline]:
    """Trace every connected region of a mask.

    Parameters
    ----------
    mask
        Shape (height, width); what counts as lesion, `lesion_pixels` says.
    min_area_px
        Smaller regions are specks of a brush or of resampling, not lesions.
    tolerance_px
        How far the simplified polygon may lie from the traced edge.

    Returns
    -------
    list of Outline
        Largest first. Holes are filled: a lesion has none.
    """
    binary = lesion_pixels(mask).astype(np.uint8)
    large = cv2.resize(binary, None, fx=_ENLARGE, fy=_ENLARGE, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found: list[tuple[float, Outline]] = []
    for contour in contours:
        area = cv2.contourArea(contour) / _ENLARGE**2
        if area < min_area_px:
            continue
        simple = cv2.approxPolyDP(contour, tolerance_px * _ENLARGE, True).reshape(-1, 2)
        if len(simple) >= 3:
            found.append((area, ((simple + 0.5) / _ENLARGE).astype(np.float32)))
    return [outline for _, outline in sorted(found, key=lambda item: -item[0])]


def fill(outlines: Iterable[Outline], width: int, height: int) -> Gray:
    """Fill outlines: the inverse of `outlines_of`, 255 inside and 0 outside, shape (height, width)."""
    large = np.zeros((height * 4, width * 4), np.uint8)
    for outline in outlines:
        cv2.fillPoly(large, [np.rint(outline * 4 - 0.5).astype(np.int32)], 255)
    small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return np.where(small > 127, 255, 0).astype(np.uint8)


def box_of(outlines: Iterable[Outline]) -> tuple[float, float, float, float] | None:
    """Smallest box (x1, y1, x2, y2) around all outlines, or None where there are none."""
    points = [outline for outline in outlines if len(outline)]
    if not points:
        return None
    stacked = np.concatenate(points)
    low, high = stacked.min(axis=0), stacked.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def yolo_line(outline: Outline, width: int, height: int) -> str:
    """One line of a YOLO segmentation label: class 0 and the polygon in shares of width and height."""
    shares = np.clip(outline / np.array([width, height], np.float32), 0.0, 1.0)
    return "0 " + " ".join(f"{value:.5f}" for value in shares.reshape(-1))
