"""What a strip of a screen looks like, kept as one mean grey for each block of 4 x 4 px and more.

A tick that moves or a digit that changes moves a block's mean by far more than noise and compression do (`LIMIT`).
Letters of the size that carts write settings in are two or three blocks high: they cannot be read any more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import to_gray
from edge_us.frame import Frame, Rect

SMALLEST_BLOCK_PX = 4
LINES_A_PX = 180
"""A block has a pixel for so many lines of the screen: a larger screen has larger letters."""
LIMIT = 16.0
"""Grey levels by which any block may be off. On phantom screens (`bench/scale_watch.py`) noise of 4 grey levels and
H.264 move a block by 10.5 at most; the least of 360 changes moved one by 35.5."""
STROKE_GREY, STROKE_SHARE = 60, 0.032
"""See `strokes_differ`: 3 pixels of a window of 8 x 8. At 3 Mbit/s and noise of 6 grey levels 2 pixels are off at most;
a 6 that becomes an 8 in letters of 12 px and more changes 3 and more."""
LEAST_CONTRAST = 24.0
"""A strip whose blocks differ by less says nothing that would be missed: what leaves a block must move it beyond
`LIMIT`."""
STEP = 4
"""Grey levels of one step of what is kept."""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

Blocks = NDArray[np.float32]
Gray = NDArray[np.uint8]


def block_px(screen: tuple[int, int]) -> int:
    """Side of a block on a screen of this width and height."""
    return max(SMALLEST_BLOCK_PX, round(screen[1] / LINES_A_PX))


def count(strip: Rect, screen: tuple[int, int]) -> int:
    """How many blocks a strip has."""
    columns, rows = _grid(strip.width, strip.height, block_px(screen))
    return columns * rows


def cut(frame: Frame, strips: Sequence[Rect]) -> tuple[Gray, ...]:
    """Full-range grey of strips that lie in the frame."""
    return tuple(to_gray(frame, strip) for strip in strips)


def means(grays: Sequence[Gray], side: int) -> Blocks:
    """Mean grey of all blocks of what was cut, shape (n,)."""
    return np.concatenate([_by_block(gray, side).reshape(-1) for gray in grays]).astype(np.float32)


def look(frame: Frame, strips: Sequence[Rect]) -> Blocks:
    """Mean grey of all blocks of all strips, shape (n,), full range."""
    return means(cut(frame, strips), block_px(frame.size))


def encode(blocks: Blocks) -> str:
    """One character a block, in steps of `STEP` grey levels."""
    return "".join(ALPHABET[int(value) // STEP] for value in np.clip(np.rint(blocks), 0, 255))


def decode(text: str) -> Blocks:
    """What `encode` wrote, to half a step; raises ValueError where it did not."""
    return np.array([ALPHABET.index(letter) * STEP + (STEP - 1) / 2 for letter in text], np.float32)


def differs(one: Blocks, other: Blocks) -> bool:
    """Whether any block is another one."""
    return bool(np.abs(one - other).max() > LIMIT)


def strokes_differ(grays: Sequence[Gray], others: Sequence[Gray], side: int) -> bool:
    """Whether in any window of two blocks' side more than `STROKE_SHARE` of the pixels are off by `STROKE_GREY`.

    Of noise and compression that is hardly ever one pixel, of another digit it is a part of a stroke.
    """
    import cv2

    for gray, other in zip(grays, others, strict=True):
        _, off = cv2.threshold(cv2.absdiff(gray, other), STROKE_GREY, 255, cv2.THRESH_BINARY)
        if cv2.countNonZero(off) <= STROKE_SHARE * (2 * side) ** 2:
            continue  # as nearly always
        share = cv2.blur(off, (2 * side, 2 * side), borderType=cv2.BORDER_CONSTANT)
        if float(np.asarray(share).max()) > 255 * STROKE_SHARE:
            return True
    return False


def _by_block(gray: Gray, side: int) -> Gray:
    """Means over whole blocks; up to a block's side is left out at the right and below."""
    import cv2

    height, width = gray.shape
    columns, rows = _grid(width, height, side)
    whole = gray[: rows * side, : columns * side]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _grid(width: int, height: int, side: int) -> tuple[int, int]:
    return max(1, width // side), max(1, height // side)
