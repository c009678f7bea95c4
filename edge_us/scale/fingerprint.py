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
"""Grey levels by which any block may be off. On phantom screens (`bench/scale_watch.py`) noise of 6 grey levels and
H.264 move a block by 11 at most; the least change, one digit in dark grey on mid grey, moves one by 20."""
LEAST_CONTRAST = 40.0
"""A strip whose blocks differ by less says nothing that could change."""
STEP = 4
"""Grey levels of one step of what is kept."""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

Blocks = NDArray[np.float32]


def block_px(screen: tuple[int, int]) -> int:
    """Side of a block on a screen of this width and height."""
    return max(SMALLEST_BLOCK_PX, round(screen[1] / LINES_A_PX))


def count(strip: Rect, screen: tuple[int, int]) -> int:
    """How many blocks a strip has."""
    side = block_px(screen)
    return -(-strip.width // side) * -(-strip.height // side)


def look(frame: Frame, strips: Sequence[Rect]) -> Blocks:
    """Mean grey of all blocks of all strips, shape (n,), full range. The strips lie in the frame."""
    import cv2

    side = block_px(frame.size)
    means = []
    for strip in strips:
        gray = to_gray(frame, strip)
        size = -(-strip.width // side), -(-strip.height // side)
        more = size[1] * side - strip.height, size[0] * side - strip.width
        if any(more):
            gray = np.asarray(cv2.copyMakeBorder(gray, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE), np.uint8)
        means.append(np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8).reshape(-1))
    return np.concatenate(means).astype(np.float32)


def encode(blocks: Blocks) -> str:
    """One character a block, in steps of `STEP` grey levels."""
    return "".join(ALPHABET[int(value) // STEP] for value in np.clip(np.rint(blocks), 0, 255))


def decode(text: str) -> Blocks:
    """What `encode` wrote, to half a step; raises ValueError where it did not."""
    return np.array([ALPHABET.index(letter) * STEP + (STEP - 1) / 2 for letter in text], np.float32)


def differs(one: Blocks, other: Blocks) -> bool:
    """Whether any block is another one."""
    return bool(np.abs(one - other).max() > LIMIT)
