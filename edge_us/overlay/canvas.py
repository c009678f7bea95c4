"""`Canvas`: lines and text drawn straight into the I420 planes that the encoder takes.

Converting a frame to BGR, drawing, and converting back costs several times the drawing itself. Luma is drawn at
full size, chroma at half size; colours are code values of the picture's own colorimetry.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import yuv_of
from edge_us.frame import Colorimetry

SHIFT = 3
"""Sub-pixel bits of drawn coordinates: eighths of a pixel."""
Bgr = tuple[int, int, int]


class Canvas:
    """A compact I420 picture that can be drawn on.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height * 3 // 2, width)
        Drawn on in place.
    width, height : int
        Even.
    colorimetry : Colorimetry
    """

    def __init__(self, pixels: NDArray[np.uint8], width: int, height: int, colorimetry: Colorimetry) -> None:
        self.width, self.height = width, height
        self._colorimetry = colorimetry
        chroma = pixels[height:].reshape(2, height // 2, width // 2)
        self._y, self._u, self._v = pixels[:height], chroma[0], chroma[1]

    def polyline(self, points: NDArray[np.float32], color: Bgr, thickness: int, *, closed: bool) -> None:
        """Draw an anti-aliased line through ``points`` (n, 2), pixel centres at whole numbers."""
        import cv2

        y, u, v = yuv_of(color, self._colorimetry)
        fine = np.rint(points * (1 << SHIFT)).astype(np.int32)
        cv2.polylines(self._y, [fine], closed, y, thickness, cv2.LINE_AA, SHIFT)
        # A chroma cell covers two luma pixels: its centre lies between them.
        half = np.rint((points - 0.5) / 2 * (1 << SHIFT)).astype(np.int32)
        thin = max(1, round(thickness / 2))
        cv2.polylines(self._u, [half], closed, u, thin, cv2.LINE_8, SHIFT)
        cv2.polylines(self._v, [half], closed, v, thin, cv2.LINE_8, SHIFT)

    def lines(self, segments: list[NDArray[np.float32]], color: Bgr, thickness: int) -> None:
        """Draw separate line segments, each (2, 2)."""
        for segment in segments:
            self.polyline(segment, color, thickness, closed=False)

    def text(self, text: str, x: int, y: int, height: int, color: Bgr) -> None:
        """Write ``text`` with its upper left corner at (x, y), on a dark backing, clipped to the picture."""
        ink, _ = text_bitmap(text, height)
        rows, columns = ink.shape
        x, y = x & ~1, y & ~1
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + columns, self.width), min(y + rows, self.height)
        if right <= left or bottom <= top:
            return
        part = ink[top - y : bottom - y, left - x : right - x].astype(np.int32)
        value, u, v = yuv_of(color, self._colorimetry)
        black = yuv_of((0, 0, 0), self._colorimetry)[0]
        area = self._y[top:bottom, left:right]
        backing = (area.astype(np.int32) + 2 * black) // 3
        area[...] = backing + ((value - backing) * part >> 8)
        self._u[top // 2 : bottom // 2, left // 2 : right // 2] = (u + 128) // 2
        self._v[top // 2 : bottom // 2, left // 2 : right // 2] = (v + 128) // 2


@lru_cache(maxsize=512)
def text_bitmap(text: str, height: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Ink (0..255) of a line of text with a small margin, and its size (width, height); both even."""
    import cv2

    font = cv2.FONT_HERSHEY_SIMPLEX
    cap = max(6, height - 6)
    scale = cap / 21.0  # Hershey Simplex: capitals are 21 units high at scale 1
    thickness = max(1, round(cap / 12))
    (width, _), _ = cv2.getTextSize(text, font, scale, thickness)
    columns, rows = (width + 8) & ~1, (cap + cap // 3 + 5) & ~1
    ink = np.zeros((rows, columns), np.uint8)
    cv2.putText(ink, text, (3, cap + 2), font, scale, 255, thickness, cv2.LINE_AA)
    return ink, (columns, rows)
