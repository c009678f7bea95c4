"""`Planes`: Y, U and V of one I420 buffer, and the few blends that the overlay is made of.

Every blend works on a small region of interest in place. Drawing into the planes that the encoder takes saves
two conversions of the whole frame (I420 to BGR and back), which together cost more than all the drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edge_us.colour import yuv_of
from edge_us.frame import Colorimetry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[Any]
    """uint8, shape (h, w); OpenCV's stubs do not keep the dtype."""

_BACKING = 0.25
"""How much of the picture shines through behind text."""
_HALO = 0.7
"""How much of the picture's light is lost beside a line."""


Bgr = tuple[int, int, int]
"""A colour as full-range blue, green, red."""
WHITE: Bgr = (255, 255, 255)
BLACK: Bgr = (0, 0, 0)

_codes = lru_cache(maxsize=64)(yuv_of)


@dataclass(frozen=True, slots=True)
class Planes:
    """Views into one compact I420 buffer.

    Attributes
    ----------
    y : ndarray of uint8, shape (height, width)
    u, v : ndarray of uint8, shape (height / 2, width / 2)
    colorimetry : Colorimetry
    """

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]
    colorimetry: Colorimetry

    @staticmethod
    def of(pixels: NDArray[np.uint8], width: int, height: int, colorimetry: Colorimetry) -> Planes:
        """View ``pixels`` (compact I420, even size) as three planes."""
        flat, luma, chroma = pixels.reshape(-1), width * height, width * height // 4
        half = (height // 2, width // 2)
        return Planes(
            flat[:luma].reshape(height, width),
            flat[luma : luma + chroma].reshape(half),
            flat[luma + chroma : luma + 2 * chroma].reshape(half),
            colorimetry,
        )

    def write(self, mask: Mask, x: int, y: int, colour: Bgr) -> None:
        """Draw a text bitmap on a darkened backing; parts outside the picture are left out.

        Parameters
        ----------
        mask : ndarray of uint8, shape (h, w)
            Coverage of the ink; even size.
        x, y : int
            Left and top in px; even.
        colour : (int, int, int)
            Blue, green, red.
        """
        import cv2

        height, width = self.y.shape
        mask = mask[max(0, -y) : max(0, height - y), max(0, -x) : max(0, width - x)]
        x, y, (rows, columns) = max(0, x), max(0, y), mask.shape
        if rows < 2 or columns < 2:
            return
        ink, ink_u, ink_v = _codes(colour, self.colorimetry)
        black, _, _ = _codes(BLACK, self.colorimetry)
        luma = self.y[y : y + rows, x : x + columns]
        _write(luma, mask, _through(mask), ink, black)
        half = cv2.resize(mask, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        half = cv2.convertScaleAbs(half, alpha=1.5)  # thin strokes keep their colour
        through = _through(half)
        for plane, value in ((self.u, ink_u), (self.v, ink_v)):
            _write(plane[y // 2 : (y + rows) // 2, x // 2 : (x + columns) // 2], half, through, value, 128)

    def stroke(self, line: Mask, keep_out: Mask, x: int, y: int, colour: Bgr, strength: float) -> None:
        """Draw a line with a soft dark halo, sparing all pixels of ``keep_out``.

        Parameters
        ----------
        line : ndarray of uint8, shape (h, w)
            Coverage of the line; even size; overwritten.
        keep_out : ndarray of uint8, shape (h, w)
            255 where no plane may change, 0 elsewhere: a chroma sample is spared if any of its four pixels is.
        x, y : int
            Left and top in px; even; may lie outside the picture.
        colour : (int, int, int)
            Blue, green, red.
        strength : float
            Opacity of the line, 0..1.
        """
        import cv2

        height, width = self.y.shape
        rows, columns = slice(max(0, -y), max(0, height - y)), slice(max(0, -x), max(0, width - x))
        halo = cv2.dilate(line, _square())  # one pixel all around
        halo = cv2.subtract(halo, keep_out)[rows, columns]
        line = cv2.subtract(line, keep_out, dst=line)[rows, columns]
        keep_out = keep_out[rows, columns]
        x, y, (h, w) = max(0, x), max(0, y), line.shape
        if h < 2 or w < 2:
            return
        ink, ink_u, ink_v = _codes(colour, self.colorimetry)
        black, _, _ = _codes(BLACK, self.colorimetry)
        luma = self.y[y : y + h, x : x + w]
        # halo: the picture loses 70 % of its light; line: it is replaced, by as much as `strength` says.
        rest = cv2.min(_rest(halo, _HALO), _rest(line, strength))
        _blend(luma, line, rest, ink, strength)
        if black:
            cv2.addWeighted(luma, 1, cv2.subtract(halo, line), _HALO * black / 255, 0, dst=luma)
        size = (w // 2, h // 2)
        spared = cv2.resize(keep_out, size, interpolation=cv2.INTER_AREA)
        # Twice the mean coverage: a line of one pixel keeps its colour although chroma is shared by four.
        half = cv2.convertScaleAbs(cv2.resize(line, size, interpolation=cv2.INTER_AREA), alpha=2)
        half = cv2.subtract(half, cv2.convertScaleAbs(spared, alpha=4))
        rest = _rest(half, strength)
        for plane, value in ((self.u, ink_u), (self.v, ink_v)):
            _blend(plane[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2], half, rest, value, strength)


@lru_cache(maxsize=1)
def _square() -> Mask:
    import numpy as np

    return np.ones((3, 3), np.uint8)


def _through(coverage: Mask) -> Mask:
    """How much of the picture is seen through text and backing, 0..255."""
    import cv2

    return cv2.convertScaleAbs(coverage, alpha=-_BACKING, beta=_BACKING * 255)


def _write(plane: NDArray[np.uint8], coverage: Mask, through: Mask, ink: int, backing: int) -> None:
    """Where there is ink, ``ink``; elsewhere ``backing`` with a quarter of the picture's contrast; in place."""
    import cv2

    cv2.multiply(plane, through, dst=plane, scale=1 / 255)
    rest = (1 - _BACKING) * backing
    cv2.addWeighted(plane, 1, coverage, (ink - rest) / 255, rest, dst=plane)


def _rest(coverage: Mask, strength: float) -> Mask:
    """How much of the picture is left beside ``coverage`` (0..255) times ``strength``, 0..255."""
    import cv2

    return cv2.convertScaleAbs(coverage, alpha=-strength, beta=255)


def _blend(plane: NDArray[np.uint8], coverage: Mask, rest: Mask, value: int, strength: float) -> None:
    """Mix ``value`` into ``plane`` in place, by ``coverage`` times ``strength``; ``rest`` is `_rest` of both."""
    import cv2

    cv2.multiply(plane, rest, dst=plane, scale=1 / 255)
    cv2.addWeighted(plane, 1, coverage, strength * value / 255, 0, dst=plane)
