"""Nodes for tests: of two grey levels, so that nothing but geometry matters, and phantoms as findings."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_us.finding import Finding, FindingKind
from edge_us.frame import Frame, Geometry, PixelFormat, Rect
from edge_us.nodes.proof import make, outline_of
from edge_us.phantom.node import Node

Image = NDArray[np.uint8]


def finding(contour: NDArray[np.float32], track: int | None = 4) -> Finding:
    (x1, y1), (x2, y2) = contour.min(axis=0).tolist(), contour.max(axis=0).tolist()
    return Finding(FindingKind.NODE, (x1, y1, x2 + 1, y2 + 1), 0.8, contour, track=track)


def frame_of(image: Image, mm_per_px: tuple[float, float] | None, index: int = 0) -> Frame:
    height, width = image.shape
    geometry = Geometry() if mm_per_px is None else Geometry(Rect(0, 0, width, height), mm_per_px, "")
    return Frame(image, PixelFormat.GRAY8, width, height, index, index * 200_000_000, 0, geometry=geometry)


def phantom(number: int, *, scaled: bool = True) -> tuple[Node, Frame, Finding]:
    node, made = make(number)
    unit = (made.mm_per_px, made.mm_per_px) if scaled else None
    return node, frame_of(made.image, unit), finding(outline_of(made.masks[0]))


def drawn(
    long_mm: float, short_mm: float, cortex_mm: float, tilt: float, mm_per_px: tuple[float, float], hilum: bool = True
) -> tuple[Frame, Finding]:
    """An oval of the given axes with an even cortex, noise free but for a little grain."""
    import cv2

    fine = min(mm_per_px) / 4
    side = math.ceil(1.4 * long_mm / fine)
    y, x = (np.mgrid[:side, :side] - side / 2) * fine
    u, v = x * math.cos(tilt) + y * math.sin(tilt), y * math.cos(tilt) - x * math.sin(tilt)
    node = (np.hypot(2 * u / long_mm, 2 * v / short_mm) < 1).astype(np.uint8)
    depth = np.asarray(cv2.distanceTransform(node, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)) * fine
    inner = (depth > cortex_mm) & hilum
    rows, columns = (
        np.arange(int(side * fine / step)) * (step / fine) + step / fine / 2 for step in (mm_per_px[1], mm_per_px[0])
    )
    at = np.ix_(rows.astype(int), columns.astype(int))
    grain = np.random.default_rng(1).integers(-12, 13, (len(rows), len(columns)))
    image = np.where(node[at] > 0, np.where(inner[at], 170, 60), 110) + grain
    return frame_of(image.astype(np.uint8), mm_per_px), finding(outline_of(node[at] > 0))
