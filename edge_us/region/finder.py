"""`RegionFinder`: the ultrasound image on a screen is what moves, all over and in one piece.

Speckle changes everywhere in the image as soon as probe or patient move; text, rulers, logos and frozen second
images do not, and counters, clocks and cursors are small. So the range (maximum - minimum) of every pixel over about
a second of frames separates them without any knowledge of the cart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect

WORK_SIDE_PX = 512
"""Longest side of the picture that is worked on."""
CHANGE_GREY = 12
"""Least range of a pixel, in grey levels, that counts as moving: above the noise of grabbers and codecs."""
DECIDE_AT = (6, 12, 20, 30, 45, 60, 90)
"""Frames after which the map is looked at."""
MARGIN = 10
AGREEMENT = 0.96
"""Two looks in a row must overlap by this (IoU) to be believed."""
LEAST_SHARE = 0.08
"""An image region smaller than this share of the picture is not believed."""
FULL_SHARE = 0.94
"""From this share of width and height on, the picture is all image: nothing is cut off."""


@dataclass(frozen=True, slots=True)
class RegionEstimate:
    """Where the image lies.

    Attributes
    ----------
    rect : Rect or None
        In px of the full picture; None is the whole picture.
    confident : bool
        Whether `rect` may be used; otherwise take the whole picture.
    reason : str
        What was seen, in words.
    """

    rect: Rect | None
    confident: bool
    reason: str


class RegionFinder:
    """Collect frames until the image region is certain, or until it is clear that it will not be."""

    def __init__(self) -> None:
        self._low: NDArray[np.uint8] | None = None
        self._high: NDArray[np.uint8] | None = None
        self._frames = 0
        self._last: Rect | None = None
        self._estimate = RegionEstimate(None, False, "looking for the image region")
        self.finished = False

    def update(self, gray: NDArray[np.uint8]) -> RegionEstimate:
        """Take one more frame of the same size, shape (height, width), and return what is known now."""
        if self.finished:
            return self._estimate
        import cv2

        height, width = gray.shape
        scale = min(1.0, WORK_SIDE_PX / max(height, width))
        small = gray
        if scale < 1:
            size = (round(width * scale), round(height * scale))
            small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        if self._low is None or self._high is None:
            self._low, self._high = small.copy(), small.copy()
        else:
            np.minimum(self._low, small, out=self._low)
            np.maximum(self._high, small, out=self._high)
        self._frames += 1
        if self._frames in DECIDE_AT:
            self._decide((width, height), scale)
        return self._estimate

    def _decide(self, size: tuple[int, int], scale: float) -> None:
        assert self._low is not None
        assert self._high is not None
        found = moving_rect(self._high - self._low)
        agrees = found is not None and self._last is not None and iou(found, self._last) >= AGREEMENT
        self._last = found
        if agrees and found is not None:
            self.finished = True
            self._estimate = _to_picture(found, self._low.shape, size, scale, self._frames)
        elif self._frames == DECIDE_AT[-1]:
            self.finished = True
            self._estimate = RegionEstimate(None, False, "unsure where the image is, using the full picture")


def find_region(frames: Sequence[NDArray[np.uint8]]) -> RegionEstimate:
    """The image region of a sequence of grey frames; a still, which shows no motion, is never certain."""
    finder = RegionFinder()
    estimate = RegionEstimate(None, False, "no frames")
    for gray in frames:
        estimate = finder.update(gray)
        if finder.finished:
            break
    return estimate


def moving_rect(change: NDArray[np.uint8]) -> Rect | None:
    """Bounding rectangle of the largest moving piece of a range map, or None where nothing large moves."""
    import cv2

    moving = np.asarray(change >= CHANGE_GREY, np.uint8)
    # Dark and anechoic places hardly change: close over them. Then cut off what hangs on by a thread.
    # The margin keeps closing from eating into an image that reaches the picture's edge.
    padded = cv2.copyMakeBorder(moving, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    opened = np.asarray(opened)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    count, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(opened, np.uint8), connectivity=4)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height, area = (int(value) for value in stats[best])
    if area < LEAST_SHARE * change.size or area < 0.35 * width * height:
        return None
    return Rect(x, y, width, height)


def iou(one: Rect, other: Rect) -> float:
    """Intersection over union of two rectangles."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    inner = width * height
    return inner / (one.width * one.height + other.width * other.height - inner)


def _to_picture(
    found: Rect, shape: tuple[int, ...], size: tuple[int, int], scale: float, frames: int
) -> RegionEstimate:
    if found.width >= FULL_SHARE * shape[1] and found.height >= FULL_SHARE * shape[0]:
        return RegionEstimate(None, True, f"the whole picture is image, seen in {frames} frames")
    x0, y0 = round(found.x / scale), round(found.y / scale)
    x1, y1 = round((found.x + found.width) / scale), round((found.y + found.height) / scale)
    rect = Rect(x0, y0, x1 - x0, y1 - y0).clip(*size)
    return RegionEstimate(rect, True, f"found {rect.width}x{rect.height}+{rect.x}+{rect.y} in {frames} frames")
