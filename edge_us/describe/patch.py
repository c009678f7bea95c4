"""`Patch`: a lesion with its surroundings, beams running straight down, at a size at which looking is cheap.

Pixels are picked, never averaged: a mean of grey levels would change with gamma, a choice of them does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.colour import gray_of, with_luma
from edge_us.frame import Frame, Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Gray = NDArray[np.uint8]
    Grid = NDArray[np.float64]

LESION_PX = 44
"""Diameter of a lesion in its patch, or what it has in the frame if that is less: 44 px give windows of 5 px, for
which OpenCV's median is several times faster than for larger ones. With 36, 56 or 72 px instead the numbers of 250 real
lesions change by 0.3 dB or less in the median, those between a lesion's parts by 0.5 dB."""
LEAST_PX = 12
"""A smaller lesion in the frame has too few pixels to be described."""
ABOVE, BELOW, BESIDE = 2.5, 1.2, 1.0
"""How far a patch reaches: up (to the skin at most) and down in diameters, to either side in widths of the lesion."""
SKIN_MM = 2.5
"""The lexicon calls skin thickened from 2 mm on; its lower edge is bright and blurred."""
SKIN_SHARE = 0.05
"""The same where the scale is unknown, as a share of the image's height, which is usually 40 to 50 mm."""
DARK_GREY, LIT_REACH = 2, 15
"""Outside of a sector there is black. In tissue there is brighter speckle than this on all sides within reach (px of
the patch): grey closing fills the gaps between speckle, and keeps the sector's edge."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One lesion at about `LESION_PX`.

    Attributes
    ----------
    grey : ndarray of uint8, shape (rows, columns)
        Full range; rows along the beams, columns across.
    local : ndarray of uint8
        Median over an eighth of the lesion's diameter.
    distance : ndarray of float32
        From the lesion's edge in px of the patch: positive outside, negative inside.
    lit : ndarray of bool
        Where there is an image.
    diameter : float
        Of the circle of equal area, in px of the patch.
    left, top, right, bottom : int
        Box of the lesion; right and bottom are exclusive.
    tissue : int
        First row below the skin.
    apex : float
        Row, below 0, at which the beams of a curved probe meet; minus infinity for straight beams.
    """

    grey: Gray
    local: Gray
    distance: NDArray[np.float32]
    lit: NDArray[np.bool_]
    diameter: float
    left: int
    top: int
    right: int
    bottom: int
    tissue: int
    apex: float


def make_patch(
    frame: Frame, contour: NDArray[np.float32], area_px: float, region: Rect | None, skin: float
) -> Patch | None:
    """Cut a lesion out; None where it is too small or not in the image.

    Parameters
    ----------
    frame : Frame
    contour : ndarray of float32, shape (n, 2)
        In px of the frame.
    area_px : float
        Pixels inside the contour.
    region : Rect or None
        The image region; None is the whole frame.
    skin : float
        First row of tissue in px of the frame; not used where the frame's geometry has a fan.
    """
    import cv2
    import numpy as np

    geometry, bounds = frame.geometry, region or Rect(0, 0, frame.width, frame.height)
    unit = geometry.mm_per_px or (1.0, 1.0)
    size_px = math.sqrt(4 * area_px / math.pi)
    if len(contour) < 3 or size_px < LEAST_PX:
        return None
    diameter = size_px * math.sqrt(unit[0] * unit[1])
    step = max(unit[1], diameter / LESION_PX)
    fan = geometry.fan
    x, y = contour[:, 0].astype(np.float64) * unit[0], contour[:, 1].astype(np.float64) * unit[1]
    if fan is None:
        across, along, radius = x, y, 0.0
        face, floor = skin * unit[1], (bounds.y + bounds.height - 1) * unit[1]
    else:
        x, y = x - fan.x * unit[0], y - fan.y * unit[1]
        along = np.hypot(x, y)
        radius = float(along.min() + along.max()) / 2
        across = np.arctan2(x, y) * radius
        face, floor = fan.face * unit[1], (bounds.y + bounds.height - 1 - fan.y) * unit[1]
    low_a, high_a, low_b, high_b = (float(v) for v in (across.min(), across.max(), along.min(), along.max()))
    wide = BESIDE * (high_a - low_a + step)
    start_a, end_a = low_a - wide, high_a + wide
    if fan is None:
        start_a, end_a = max(start_a, bounds.x * unit[0]), min(end_a, (bounds.x + bounds.width - 1) * unit[0])
    start_b, end_b = max(face, low_b - ABOVE * diameter), min(floor, high_b + BELOW * diameter)
    if end_a - start_a < 4 * step or end_b - start_b < 4 * step:
        return None
    grid_a, grid_b = (
        np.arange(low, high, step, dtype=np.float64) for low, high in ((start_a, end_a), (start_b, end_b))
    )
    grey = _pick(frame, unit, grid_a, grid_b, radius)
    points = np.stack(((across - start_a) / step, (along - start_b) / step), axis=1)
    inside = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(points * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    if int(inside.sum()) < 0.5 * (diameter / step) ** 2 * math.pi / 4:
        return None  # most of it lies outside of the image
    outer = np.asarray(cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3), np.float32)
    inner = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3), np.float32)
    size = diameter / step
    window = min(max(3, int(size / 8) | 1), 255)
    lit = np.asarray(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((LIT_REACH, LIT_REACH), np.uint8))) > DARK_GREY
    thick = SKIN_MM if geometry.mm_per_px else SKIN_SHARE * bounds.height * unit[1]
    return Patch(
        grey=grey,
        local=np.asarray(cv2.medianBlur(grey, window), np.uint8),
        distance=outer - inner,
        lit=lit,
        diameter=size,
        left=max(0, int((low_a - start_a) / step)),
        top=max(0, int((low_b - start_b) / step)),
        right=min(grey.shape[1], int((high_a - start_a) / step) + 1),
        bottom=min(grey.shape[0], int((high_b - start_b) / step) + 1),
        apex=-math.inf if fan is None else -start_b / step,
        tissue=max(0, math.ceil((face + thick - start_b) / step)),
    )


def _pick(frame: Frame, unit: tuple[float, float], across: Grid, along: Grid, radius: float) -> Gray:
    """The pixels nearest to a grid in the frame; around a fan's apex ``across`` is the arc at ``radius``."""
    import cv2
    import numpy as np

    # Picked first, made grey then: of a large lesion only one pixel in many is needed.
    pixels, fan = with_luma(frame), frame.geometry.fan
    if fan is None:
        columns = np.clip(np.rint(across / unit[0]).astype(int), 0, frame.width - 1)
        rows = np.clip(np.rint(along / unit[1]).astype(int), 0, frame.height - 1)
        return np.ascontiguousarray(gray_of(frame, pixels[rows[:, None], columns]))
    angle = (across / radius)[None, :]
    x = (fan.x + along[:, None] * np.sin(angle) / unit[0]).astype(np.float32)
    y = (fan.y + along[:, None] * np.cos(angle) / unit[1]).astype(np.float32)
    picked = cv2.remap(pixels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0))
    # Outside of the frame there is black in every range.
    gray = gray_of(frame, np.asarray(picked, np.uint8))
    inside = (x > -0.5) & (y > -0.5) & (x < frame.width - 0.5) & (y < frame.height - 0.5)
    return np.where(inside, gray, 0).astype(np.uint8)
