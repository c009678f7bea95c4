"""Is there colour flow on the picture? Red and blue spots that lie on speckle, and no tint, calliper, text or button.

Looks at the chroma planes as they come, at half the picture's size. A colour map that tints all of B-mode gives every
grey level one chroma, so the usual chroma of a pixel's grey level is taken off first. What is left must be a spot of
at least 3x3 chroma samples (callipers and letters are thinner) and be surrounded by speckle (buttons, logos and the
colour bar are surrounded by flat grey or black). Single specks of flow are therefore missed: 7 of 36 real pictures.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import planes
from edge_us.frame import ColorRange, Frame, PixelFormat, Rect

Image = NDArray[np.uint8]

WORK_SIDE_PX = 480
"""Longest side of the chroma planes that are looked at."""
EXCESS = 22
"""Full-range chroma above the picture's tint that is colour: the violet body marks of real carts stay below 20, the
palest flow of real Doppler pictures reaches 40."""
YELLOW = 0.9
"""Flow is red or blue: red whose lack of blue is larger than this times its excess is yellow or green, and blue with
as large a lack of red is cyan. These are the usual colours of callipers, text and boxes."""
LEAST_SHARE = 1.2e-4
"""Colour on less than this share of the picture is not believed."""
SPECKLE_STEP = 3
"""Least difference to the neighbouring pixels, in grey levels, that speckle shows nearly everywhere."""
SPECKLE_SHARE = 0.5
"""Share of a spot's surroundings that must be speckle."""
RING_PX = 4
"""How far the surroundings of a spot reach, in pixels of the half-size picture."""
TINT_BIN = 16
"""Grey levels that share one estimate of the tint."""
CORE_PX = 3
"""A spot is at least so many pixels of the half-size picture wide and high."""
PEAK_PX, PEAK_SHARE = 7, 0.55
"""Colour counts where it reaches this share of the strongest in a neighbourhood of so many pixels."""
SPOTS = 24
"""Only so many spots are looked at, the largest first."""
MOVED, MOVED_SHARE = 16, 0.25
"""A spot stands still where less than this share of its pixels differs by more than so many chroma levels from the last
look. Markers of 10 px through H.264: at most 0.22."""
LARGE_PX, LARGE_MOVED, LARGE_SHARE = 64, 5, 0.05
"""A spot of more pixels of the half-size picture is no marker; only what stands still altogether is a logo. Through
H.264: at most 0.01."""
NEW_PICTURE = 0.5
"""Mean difference of brightness, in grey levels, from which a picture is another one than at the last look."""


class Flow(Enum):
    """What the colour on a picture is."""

    NONE = "none"
    FLOW = "flow"
    GRAPHIC = "graphic"
    """It stands still while the picture moves: a probe marker, a logo."""


def shows_colour_flow(frame: Frame, region: Rect | None = None) -> bool:
    """Whether colour flow lies on the image.

    Parameters
    ----------
    frame : Frame
        GRAY8 never shows any.
    region : Rect or None
        The image region in px; None is the whole picture.
    """
    if frame.format is PixelFormat.GRAY8:
        return False
    y, u, v = _half_size(frame, region)
    excess = _excess(frame)
    if _is_grey(u, v, excess):
        return False
    hot = _coloured(y, u, v, excess)
    return hot is not None and _spot_area(hot, y) >= _least_area(hot)


class FlowWatch:
    """Colour flow in a sequence: it differs from look to look; a probe marker or a logo on the image stands still."""

    def __init__(self) -> None:
        self._before: tuple[Image, Image, Image] | None = None
        self._verdict = Flow.NONE

    def look(self, frame: Frame, region: Rect | None) -> Flow:
        """Look at one more picture; parameters as for `shows_colour_flow`.

        Without another picture before it, colour counts as flow. A picture that is the same as the last one says
        nothing new.
        """
        if frame.format is PixelFormat.GRAY8:
            return Flow.NONE
        y, u, v = _half_size(frame, region)
        excess = _excess(frame)
        if _is_grey(u, v, excess):
            self._before, self._verdict = None, Flow.NONE
            return Flow.NONE
        before, self._before = self._before, (y.copy(), u.copy(), v.copy())
        known = before is not None and before[0].shape == y.shape
        if before is not None and known and np.abs(y.astype(np.int16) - before[0]).mean() < NEW_PICTURE:
            return self._verdict
        hot = _coloured(y, u, v, excess)
        self._verdict = Flow.NONE
        if hot is not None and _spot_area(hot, y) >= _least_area(hot):
            moved = None
            if before is not None and known:
                blue, red = (np.abs(now.astype(np.int16) - then) for now, then in zip((u, v), before[1:], strict=True))
                moved = np.maximum(blue, red)
            flows = moved is None or _spot_area(hot, y, moved) >= _least_area(hot)
            self._verdict = Flow.FLOW if flows else Flow.GRAPHIC
        return self._verdict


def _excess(frame: Frame) -> float:
    full = frame.format is PixelFormat.BGR or frame.colorimetry.range is ColorRange.FULL
    return EXCESS if full else EXCESS * 224 / 255


def _is_grey(u: Image, v: Image, excess: float) -> bool:
    return int(u.max(initial=0)) <= 128 + excess and int(v.max(initial=0)) <= 128 + excess


def _least_area(hot: Image) -> float:
    return max(4, LEAST_SHARE * hot.size)


def _half_size(frame: Frame, region: Rect | None) -> tuple[Image, Image, Image]:
    """Y, U and V of the region at the chroma planes' size or smaller."""
    import cv2

    area = (region or Rect(0, 0, frame.width, frame.height)).clip(frame.width, frame.height)
    width, height = max(1, area.width // 2), max(1, area.height // 2)
    scale = min(1.0, WORK_SIDE_PX / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if frame.format is PixelFormat.BGR:
        pixels = frame.pixels[area.y : area.y + area.height, area.x : area.x + area.width]
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        y, v, u = cv2.split(cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb))
        return np.asarray(y, np.uint8), np.asarray(u, np.uint8), np.asarray(v, np.uint8)
    y, u, v = planes(frame)
    x0, y0 = area.x // 2, area.y // 2
    part = (slice(y0, y0 + height), slice(x0, x0 + width))
    y = y[2 * y0 : 2 * (y0 + height) : 2, 2 * x0 : 2 * (x0 + width) : 2]
    if scale < 1:
        y, u, v = (
            np.asarray(cv2.resize(np.ascontiguousarray(each), size, interpolation=cv2.INTER_AREA), np.uint8)
            for each in (y, u[part], v[part])
        )
        return y, u, v
    return y, u[part], v[part]


def _coloured(y: Image, u: Image, v: Image, excess: float) -> Image | None:
    """Mask (0 or 1) of red and blue pixels beyond the tint, or None without any."""
    import cv2

    rows, columns = np.nonzero((u > 128 + excess) | (v > 128 + excess))
    if not len(rows):
        return None
    gray = y[rows, columns]
    blue = u[rows, columns] - _tint(y, u)[gray]
    red = v[rows, columns] - _tint(y, v)[gray]
    kept = ((blue > excess) & (blue > -YELLOW * red)) | ((red > excess) & (red > -YELLOW * blue))
    strength = np.zeros(u.shape, np.uint8)
    strength[rows[kept], columns[kept]] = np.maximum(blue, red)[kept].clip(0, 255)
    # The blurred flanks of thin graphics are as wide as a small vessel: only what comes near the peak counts.
    peak = np.asarray(cv2.dilate(strength, np.ones((PEAK_PX, PEAK_PX), np.uint8)))
    return np.asarray((strength > 0) & (strength >= PEAK_SHARE * peak), np.uint8)


def _tint(y: Image, chroma: Image) -> NDArray[np.float32]:
    """Usual chroma of each of the 256 grey levels: the median of the pixels of that level."""
    levels, values = y[::4, ::4].reshape(-1) // TINT_BIN, chroma[::4, ::4].reshape(-1)
    bins = 256 // TINT_BIN
    counts = np.bincount(levels.astype(np.int64) * 256 + values, minlength=bins * 256).reshape(bins, 256)
    summed = counts.cumsum(axis=1)
    filled = np.flatnonzero(summed[:, -1] >= 8)
    if not len(filled):
        return np.full(256, 128, np.float32)
    medians = (summed[filled] * 2 >= summed[filled, -1:]).argmax(axis=1)
    centres = filled * TINT_BIN + TINT_BIN / 2
    return np.asarray(np.interp(np.arange(256), centres, medians), np.float32)


def _spot_area(hot: Image, y: Image, moved: NDArray[np.int16] | None = None) -> int:
    """Pixels of all spots that lie on speckle and, where chroma differences are given, do not stand still."""
    import cv2

    opened = np.asarray(cv2.morphologyEx(hot, cv2.MORPH_OPEN, np.ones((CORE_PX, CORE_PX), np.uint8)), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    largest = 1 + np.argsort(-stats[1:count, cv2.CC_STAT_AREA], kind="stable")[:SPOTS]
    total = 0
    for label in largest:
        left, top, width, height, area = (int(value) for value in stats[label])
        rows = slice(max(0, top - RING_PX - 1), top + height + RING_PX + 1)
        columns = slice(max(0, left - RING_PX - 1), left + width + RING_PX + 1)
        spot = np.asarray(labels[rows, columns] == label, np.uint8)
        if moved is not None and _stands_still(moved[rows, columns][spot > 0]):
            continue
        if _on_speckle(spot, hot[rows, columns], y[rows, columns]):
            total += area
    return total


def _stands_still(moved: NDArray[np.int16]) -> bool:
    """Whether a spot with these chroma differences to the last look is a graphic."""
    if float((moved > MOVED).mean()) >= MOVED_SHARE:
        return False
    return moved.size <= LARGE_PX or float((moved > LARGE_MOVED).mean()) < LARGE_SHARE


def _on_speckle(spot: Image, hot: Image, y: Image) -> bool:
    """Whether the surroundings of a spot, given with its neighbourhood, are speckle."""
    import cv2

    side = 2 * RING_PX + 1
    near = np.asarray(cv2.dilate(spot, np.ones((side, side), np.uint8)))
    coloured = np.asarray(cv2.dilate(hot, np.ones((3, 3), np.uint8)))
    ring = (near > 0) & (coloured == 0)
    if not ring.any():
        return False
    gray = y.astype(np.int16)
    step = np.zeros(gray.shape, np.int16)
    step[:, :-1] += np.abs(np.diff(gray, axis=1))
    step[:-1] += np.abs(np.diff(gray, axis=0))
    return float((step[ring] >= SPECKLE_STEP).mean()) >= SPECKLE_SHARE
