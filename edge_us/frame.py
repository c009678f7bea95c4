"""`Frame`: one picture from the scanner, with its times, colour meaning and geometry."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PixelFormat(str, Enum):
    """Memory layout of `Frame.pixels`, all ``uint8`` and C-contiguous."""

    GRAY8 = "GRAY8"
    """``(height, width)``"""
    BGR = "BGR"
    """``(height, width, 3)``"""
    I420 = "I420"
    """``(height * 3 // 2, width)``: Y, then U, then V, each compact; even sizes only."""
    NV12 = "NV12"
    """``(height * 3 // 2, width)``: Y, then interleaved UV; even sizes only."""


class ColorRange(str, Enum):
    """Which code values mean black and white."""

    FULL = "full"
    """0..255"""
    LIMITED = "limited"
    """luma 16..235, chroma 16..240"""


class ColorMatrix(str, Enum):
    """Luma and chroma weights of planar formats; meaningless for grey."""

    BT601 = "bt601"
    BT709 = "bt709"


@dataclass(frozen=True, slots=True)
class Colorimetry:
    """What the code values mean. A range error in grey B-mode is a contrast shift that the network sees."""

    range: ColorRange
    matrix: ColorMatrix


FULL_RANGE = Colorimetry(ColorRange.FULL, ColorMatrix.BT601)
"""GRAY8 and BGR are always full range: whoever makes such a frame has expanded it."""
LIMITED_BT601 = Colorimetry(ColorRange.LIMITED, ColorMatrix.BT601)


class Rect(NamedTuple):
    """A pixel-aligned rectangle: left, top, width, height in px; right and bottom edges are exclusive."""

    x: int
    y: int
    width: int
    height: int

    def clip(self, width: int, height: int) -> Rect:
        """Intersection with a ``width`` x ``height`` picture; may have zero size."""
        x0, y0 = min(max(self.x, 0), width), min(max(self.y, 0), height)
        x1 = min(max(self.x + self.width, x0), width)
        y1 = min(max(self.y + self.height, y0), height)
        return Rect(x0, y0, x1 - x0, y1 - y0)


@dataclass(frozen=True, slots=True)
class UltrasoundRegion:
    """One entry of DICOM's Sequence of Ultrasound Regions, or the like from another header.

    ``mm_per_px`` is ``(x, y)``, or None with ``reason`` where the header's unit is not a length.
    """

    rect: Rect
    mm_per_px: tuple[float, float] | None = None
    reason: str | None = None
    is_tissue: bool = True


class Fan(NamedTuple):
    """Beams of a curved probe: they run away from one point, and the probe's face is an arc around it.

    Attributes
    ----------
    x, y : float
        The point, in px of the frame (pixel centres at whole numbers); usually above the picture.
    face : float
        Distance of the face from the point along the vertical, in px.
    """

    x: float
    y: float
    face: float


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where in the picture the ultrasound image lies, and how large a pixel is.

    Attributes
    ----------
    region : Rect or None
        The image region that the source itself knows (DICOM, preset, phantom); None if unknown.
    mm_per_px : (float, float) or None
        Pixel size in x and y in mm; None if unknown.
    reason : str
        Why ``mm_per_px`` is None; empty when it is known.
    regions : tuple of UltrasoundRegion
        All regions that the source declares.
    fan : Fan or None
        How the beams of a curved probe run; None for straight beams, and where nobody knows.
    """

    region: Rect | None = None
    mm_per_px: tuple[float, float] | None = None
    reason: str = "uncalibrated"
    regions: tuple[UltrasoundRegion, ...] = field(default=())
    fan: Fan | None = None


UNKNOWN_GEOMETRY = Geometry()


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured picture; never modified after it was made.

    Attributes
    ----------
    pixels : ndarray of uint8
        Shape as `PixelFormat` says. Read-only for everybody downstream.
    format : PixelFormat
    width, height : int
        Picture size in px.
    index : int
        Position in the stream, counted from 0 over all frames that the source delivered.
    pts_ns : int
        Stream time of the picture.
    captured_ns : int
        ``time.monotonic_ns()`` when the source delivered it (for stills and files: when it was read).
    colorimetry : Colorimetry
    geometry : Geometry
    name : str or None
        File name for stills.
    """

    pixels: NDArray[np.uint8]
    format: PixelFormat
    width: int
    height: int
    index: int
    pts_ns: int
    captured_ns: int
    colorimetry: Colorimetry = FULL_RANGE
    geometry: Geometry = UNKNOWN_GEOMETRY
    name: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """``(width, height)`` in px."""
        return self.width, self.height
