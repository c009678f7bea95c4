"""A frame counter as a picture: drawn into an output, read back from a capture input, through any scaler and codec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 6, 4
"""Of the code's cells: 16 bits of the counter, 8 bits of its check sum."""
TOP, LEFT, HEIGHT, WIDTH = 0.25, 0.2, 0.5, 0.6
"""Where the code lies, as shares of the picture: in the middle, away from what a cart or an overlay writes."""
MODULUS = 1 << 16
LEAST_CONTRAST = 60
"""Grey levels between dark and bright cells; less is no code."""

Gray = NDArray[np.uint8]


def draw_counter(value: int, width: int, height: int) -> Gray:
    """A grey picture with the code of ``value % 65536`` on a mid-grey ground; shape (height, width)."""
    bits = _bits(value % MODULUS)
    picture = np.full((height, width), 90, np.uint8)
    for number, bit in enumerate(bits):
        y0, y1, x0, x1 = _cell(number, width, height, 0.0)
        picture[y0:y1, x0:x1] = 225 if bit else 30
    return picture


def read_counter(gray: Gray) -> int | None:
    """The value of the code in a picture, or None where there is none or its check sum is wrong."""
    height, width = gray.shape
    if min(width, height) < 24:
        return None
    means = []
    for number in range(COLUMNS * ROWS):
        y0, y1, x0, x1 = _cell(number, width, height, 0.25)
        means.append(float(gray[y0:y1, x0:x1].mean()))
    low, high = min(means), max(means)
    if high - low < LEAST_CONTRAST:
        return None
    bits = [mean > (low + high) / 2 for mean in means]
    value = sum(bit << place for place, bit in enumerate(bits[:16]))
    return value if _bits(value) == bits else None


def _bits(value: int) -> list[bool]:
    """16 bits of the value and 8 of its check sum, low bits first; never all alike, so that contrast is known."""
    check = ((value ^ (value >> 8)) * 29 + 0x5A) & 0xFF
    bits = [bool(value >> place & 1) for place in range(16)]
    return bits + [bool(check >> place & 1) for place in range(8)]


def _cell(number: int, width: int, height: int, inset: float) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a cell in px, made smaller on each side by a share of its size."""
    row, column = divmod(number, COLUMNS)
    cell_height, cell_width = HEIGHT * height / ROWS, WIDTH * width / COLUMNS
    y, x = TOP * height + row * cell_height, LEFT * width + column * cell_width
    return (
        round(y + inset * cell_height), round(y + (1 - inset) * cell_height),
        round(x + inset * cell_width), round(x + (1 - inset) * cell_width),
    )  # fmt: skip
