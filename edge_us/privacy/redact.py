"""`redact`: a frame with everything black that may not leave the process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_us.frame import ColorRange, Frame, PixelFormat, Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLANAR = frozenset({PixelFormat.I420, PixelFormat.NV12})


@dataclass(frozen=True, slots=True)
class Keep:
    """What of a picture may leave.

    Attributes
    ----------
    rects : tuple of Rect
        Only what lies in one of them ...
    hide : tuple of Rect
        ... and in none of these.
    size : (int, int) or None
        The picture size that they were named for: of a picture of another size nothing is kept. None is any size.
    """

    rects: tuple[Rect, ...]
    hide: tuple[Rect, ...] = ()
    size: tuple[int, int] | None = None

    def fits(self, frame: Frame) -> bool:
        """Whether the rectangles were named for pictures such as this one."""
        return self.size is None or self.size == frame.size


def redact(frame: Frame, keep: Keep) -> Frame:
    """Return the frame with everything else black, so that not one pixel of it can be told.

    In planar formats a chroma sample belongs to 2 x 2 pixels: kept rectangles shrink and hidden ones grow to even
    edges.
    """
    pixels = _black(frame)
    if keep.fits(frame):
        for rect in keep.rects:
            for source, target in zip(
                _views(frame, frame.pixels, rect, 1), _views(frame, pixels, rect, 1), strict=True
            ):
                target[...] = source
        for rect in keep.hide:
            black = _black(frame)
            for source, target in zip(_views(frame, black, rect, -1), _views(frame, pixels, rect, -1), strict=True):
                target[...] = source
    pixels.setflags(write=False)
    return replace(frame, pixels=pixels)


def _black(frame: Frame) -> NDArray[np.uint8]:
    import numpy as np

    pixels = np.zeros_like(frame.pixels)
    if frame.format in PLANAR:
        if frame.colorimetry.range is ColorRange.LIMITED:
            pixels[: frame.height] = 16
        pixels[frame.height :] = 128
    return pixels


def _views(frame: Frame, pixels: NDArray[np.uint8], rect: Rect, inward: int) -> Iterator[NDArray[np.uint8]]:
    """The parts of all planes that a rectangle covers; ``inward`` 1 shrinks it to whole chroma samples, -1 grows it."""
    clipped = rect.clip(frame.width, frame.height)
    x0, y0, x1, y1 = clipped.x, clipped.y, clipped.x + clipped.width, clipped.y + clipped.height
    if frame.format not in PLANAR:
        yield pixels[y0:y1, x0:x1]
        return
    up = 1 if inward > 0 else 0
    x0, y0, x1, y1 = (x0 + up) & ~1, (y0 + up) & ~1, (x1 + 1 - up) & ~1, (y1 + 1 - up) & ~1
    x1, y1 = max(x0, x1), max(y0, y1)
    yield pixels[: frame.height][y0:y1, x0:x1]
    rows, columns = slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2)
    half = (frame.height // 2, frame.width // 2)
    chroma = pixels[frame.height :].reshape(-1)
    if frame.format is PixelFormat.NV12:
        yield chroma.reshape(*half, 2)[rows, columns]
        return
    for plane in chroma.reshape(2, *half):
        yield plane[rows, columns]
