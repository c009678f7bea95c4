"""`StillWatch`: is the picture frozen? Noise does not count as change, nor do callipers on a frozen picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCKS = 32
"""The picture is compared as means over this many blocks along its longer side, which a grabber's noise hardly moves:
noise of 10 grey levels moves 0.4 % of the blocks of a 640 px picture by more than `STEP`."""
STEP = 2.0
"""Grey levels by which a block's mean must change."""
LIT = 12
"""Only blocks brighter than this count, before or after; the rest of a screen is black."""
STILL_SHARE, MOVED_SHARE = 0.03, 0.08
"""A picture stands still while at most the first share of its lit blocks has changed, and moves again from the second
on: in between lie the callipers and numbers that are set on a frozen picture. Within a second, 21 % of the blocks and
more change in the quietest stretches of real clips."""
FEWEST_BLOCKS = 12


FREEZE_NS = 1_000_000_000
FREEZE_PICTURES = 5
"""A picture is frozen once it has stood still for so long, in stream time, and over so many pictures."""


class StillWatch:
    """Compare each picture with the one at which standing still began, so that slow drift adds up to change."""

    def __init__(self) -> None:
        self._anchor: NDArray[np.float32] | None = None
        self.since_ns = 0
        self._pictures = 0
        self._frozen = False

    def update(self, gray: NDArray[np.uint8], now_ns: int) -> bool:
        """Take one more picture and return whether it is frozen; `since_ns` is when it began to stand still.

        Parameters
        ----------
        gray : ndarray of uint8, shape (height, width)
            The image region, full range, of any size that stays the same.
        now_ns : int
            Stream time, rising.
        """
        blocks = _block_means(gray)
        limit = MOVED_SHARE if self._frozen else STILL_SHARE
        if self._anchor is None or _changed(self._anchor, blocks) > limit:
            self._anchor, self.since_ns, self._pictures, self._frozen = blocks, now_ns, 0, False
            return False
        self._pictures += 1
        self._frozen |= now_ns - self.since_ns >= FREEZE_NS and self._pictures >= FREEZE_PICTURES
        return self._frozen


def _block_means(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    height, width = gray.shape
    scale = BLOCKS / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(gray.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)


def _changed(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Share of the lit blocks that differ; 1 where there are too few to tell."""
    lit = np.maximum(one, other) > LIT
    count = int(lit.sum())
    if count < FEWEST_BLOCKS:
        return 1.0
    return int((np.abs(one - other)[lit] > STEP).sum()) / count
