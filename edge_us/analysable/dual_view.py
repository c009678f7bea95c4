"""Are there two images side by side? Then there is a straight cut from top to bottom that tissue never shows.

Either the two images touch, and along one column the picture jumps in most rows; or a black gutter lies between them.
A shadow, however deep, has soft flanks and a bright near field above it; a calliper line or the frame of a colour box
jumps there and back again and spans only a part of the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORK_WIDTH_PX, WORK_ROWS = 480, 160
MIDDLE = (0.3, 0.7)
"""Where a cut may lie, as shares of the width."""
JUMP = 2.0
"""A row jumps where it changes by more than this times what is usual around."""
JUMP_REACH_PX = 30
CUT_ROWS = 0.6
"""Share of the rows that must jump at a cut. Three real dual views: 0.76 to 0.79; single images at most 0.57, but for
callipers' frames and dropped-out scan lines, which the next number tells apart."""
UNLIKE = 1.5
"""How much less alike the columns on both sides of a cut are than columns so far apart elsewhere. Real dual views:
2.2 and more."""
BLACK = 10
"""Full-range grey up to which a gutter is black."""
GUTTER_ROWS, GUTTER_SHARE = 0.97, 0.008
"""A gutter's columns are black in this share of the rows, and it is at least so wide a share of the picture."""
LIT, LIT_SHARE = 16, 0.35
"""Both sides show an image: brighter than this in at least this share of the pixels."""


def shows_two_views(gray: NDArray[np.uint8]) -> bool:
    """Whether the image region shows two images beside each other.

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
        The image region, full range.
    """
    import cv2

    if min(gray.shape) < 64:
        return False
    width = min(WORK_WIDTH_PX, gray.shape[1])
    small = np.asarray(cv2.resize(gray, (width, WORK_ROWS), interpolation=cv2.INTER_AREA), np.int16)
    cut = _gutter(small) or _seam(small)
    return cut is not None and all(_is_image(side) for side in (small[:, : cut[0]], small[:, cut[1] :]))


def _is_image(side: NDArray[np.int16]) -> bool:
    return side.size > 0 and float((side > LIT).mean()) >= LIT_SHARE


def _middle(width: int) -> tuple[int, int]:
    return round(MIDDLE[0] * width), round(MIDDLE[1] * width)


def _gutter(gray: NDArray[np.int16]) -> tuple[int, int] | None:
    """First and one past the last column of the widest black gutter in the middle."""
    width = gray.shape[1]
    first, last = _middle(width)
    black = np.concatenate([[False], (gray <= BLACK).mean(axis=0) >= GUTTER_ROWS, [False]])
    edges = np.flatnonzero(black[1:] != black[:-1]).reshape(-1, 2)
    inside = [(int(a), int(b)) for a, b in edges if first <= (a + b) / 2 < last and b - a >= GUTTER_SHARE * width]
    return max(inside, key=lambda gap: gap[1] - gap[0], default=None)


def _seam(gray: NDArray[np.int16]) -> tuple[int, int] | None:
    """Columns left and right of the sharpest cut between two images that touch."""
    import cv2

    change = np.abs(gray[:, 2:] - gray[:, :-2]).astype(np.float32)
    usual = np.asarray(cv2.blur(change, (2 * JUMP_REACH_PX + 1, 1)))
    rows = (change > JUMP * (usual + 1)).mean(axis=0)
    first, last = _middle(gray.shape[1])
    column = first + int(np.argmax(rows[first:last]))
    if rows[column] < CUT_ROWS:
        return None
    # The picture beyond a line that is drawn over it goes on as before; beyond a seam it is another one.
    left, right = column - 2, column + 4
    gap = right - left
    apart = np.abs(gray[:, gap:] - gray[:, :-gap]).astype(np.float32).mean(axis=0)
    around = np.concatenate(
        [apart[max(0, left - JUMP_REACH_PX) : left - gap], apart[right + 1 : right + JUMP_REACH_PX]]
    )
    return (left, right) if apart[left] >= UNLIKE * float(np.median(around)) else None
