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
"""Least range of a pixel, in grey levels, that counts as moving: above the noise of grabbers and codecs.

Otsu's threshold in its place cut 12 rows of a quiet near field off a real clip.
"""
DECIDE_AT = (6, 12, 20, 30, 45, 60, 90)
"""Frames after which the map is looked at; after the last one it starts anew."""
PATIENCE_STRIDE = 8
"""Once the first round ended unsure (a frozen picture), only every so manieth frame is looked at."""
MARGIN = 10
CLOSE_PX, OPEN_PX = 9, 7
"""Dark and anechoic places hardly change and are closed over; what hangs on by a thread is cut off."""
REGROW_PX = 8
"""How far the pointed corners of a sector, which opening cuts off, are followed back out."""
STRIP_SHARE = 0.04
"""Strips beside the image, cut off from it by still rows, are at most this share of its height or width."""
AGREEMENT = 0.96
"""Two looks in a row must overlap by this (IoU) to be believed."""
LEAST_SHARE = 0.03
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
    """Collect frames until the image region is certain.

    A picture that stands still is never certain: after the first round the finder says so, and goes on looking at a
    fraction of the frames, so that a cart that was frozen at the start is still found once it scans.
    """

    def __init__(self) -> None:
        self._low: NDArray[np.uint8] | None = None
        self._high: NDArray[np.uint8] | None = None
        self._seen = 0
        self._frames = 0
        self._stride = 1
        self._last: Rect | None = None
        self._estimate = RegionEstimate(None, False, "looking for the image region")
        self.finished = False

    def update(self, gray: NDArray[np.uint8]) -> RegionEstimate:
        """Take one more frame of the same size, shape (height, width), and return what is known now."""
        self._seen += 1
        if self.finished or self._seen % self._stride:
            return self._estimate
        import cv2

        height, width = gray.shape
        scale = min(1.0, WORK_SIDE_PX / max(height, width))
        small = gray
        if scale < 1:
            size = (round(width * scale), round(height * scale))
            small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        small = np.asarray(cv2.blur(small, (3, 3)), np.uint8)  # a grabber's noise goes, speckle stays
        if self._low is None or self._high is None:
            self._low, self._high = small.copy(), small.copy()
        else:
            np.minimum(self._low, small, out=self._low)
            np.maximum(self._high, small, out=self._high)
        self._frames += 1
        if self._frames in DECIDE_AT:
            self._decide(self._high - self._low, (width, height))
        return self._estimate

    def _decide(self, change: NDArray[np.uint8], size: tuple[int, int]) -> None:
        found = moving_rect(change)
        agrees = found is not None and self._last is not None and iou(found, self._last) >= AGREEMENT
        self._last = found
        if agrees and found is not None:
            self.finished = True
            self._estimate = _to_picture(found, change.shape, size, self._seen)
            self._low = self._high = None
        elif self._frames == DECIDE_AT[-1]:
            self._estimate = RegionEstimate(None, False, "unsure where the image is, using the full picture")
            self._low = self._high = self._last = None
            self._frames, self._stride = 0, PATIENCE_STRIDE


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
    # The margin keeps closing from eating into an image that reaches the picture's edge.
    padded = cv2.copyMakeBorder(moving, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=0)
    closed = np.asarray(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((CLOSE_PX, CLOSE_PX), np.uint8)))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((OPEN_PX, OPEN_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.asarray(opened, np.uint8), connectivity=4)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    width, height, area = (int(value) for value in stats[best, cv2.CC_STAT_WIDTH :])
    if area < LEAST_SHARE * change.size or area < 0.35 * width * height:
        return None
    # Back out into the corners, but only over what is joined without closing: a bar below the image is not.
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    piece = np.asarray(labels == best, np.uint8)
    for _ in range(REGROW_PX):
        piece = np.asarray(cv2.dilate(piece, np.ones((3, 3), np.uint8)), np.uint8) & (piece | np.asarray(joined))
    top, bottom = _span(piece, np.asarray(padded, np.uint8), axis=1)
    left, right = _span(piece, np.asarray(padded, np.uint8), axis=0)
    x0, y0 = max(left - MARGIN, 0), max(top - MARGIN, 0)
    x1, y1 = min(right - MARGIN, change.shape[1]), min(bottom - MARGIN, change.shape[0])
    return Rect(x0, y0, x1 - x0, y1 - y0)


def _span(piece: NDArray[np.uint8], moving: NDArray[np.uint8], axis: int) -> tuple[int, int]:
    """First and one past the last row (``axis`` 1) or column (0) of a piece, without thin strips beside it.

    A strip beyond rows that stand still from end to end, such as a cine bar, was joined by closing alone.
    """
    filled = np.flatnonzero(piece.sum(axis=axis) >= 2)
    first, last = int(filled[0]), int(filled[-1]) + 1
    still = np.flatnonzero((moving & piece).sum(axis=axis)[first:last] <= 1) + first
    reach = STRIP_SHARE * (last - first)
    before, after = still[still < first + reach], still[still >= last - reach]
    return int(before[-1]) + 1 if len(before) else first, int(after[0]) if len(after) else last


def iou(one: Rect, other: Rect) -> float:
    """Intersection over union of two rectangles."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    inner = width * height
    return inner / (one.width * one.height + other.width * other.height - inner)


def _to_picture(found: Rect, shape: tuple[int, ...], size: tuple[int, int], frames: int) -> RegionEstimate:
    if found.width >= FULL_SHARE * shape[1] and found.height >= FULL_SHARE * shape[0]:
        return RegionEstimate(None, True, f"the whole picture is image, seen in {frames} frames")
    scale_x, scale_y = size[0] / shape[1], size[1] / shape[0]
    x0, y0 = round(found.x * scale_x), round(found.y * scale_y)
    x1, y1 = round((found.x + found.width) * scale_x), round((found.y + found.height) * scale_y)
    rect = Rect(x0, y0, x1 - x0, y1 - y0).clip(*size)
    return RegionEstimate(rect, True, f"found {rect.width}x{rect.height}+{rect.x}+{rect.y} in {frames} frames")
