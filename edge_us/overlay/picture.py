"""`Picture`: the composed image that goes to recording and display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.frame import Colorimetry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Picture:
    """A composed picture in I420, the one format that sinks take.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height * 3 // 2, width)
        Compact planar I420. Sinks must not keep it: it is reused for the next frame, so they copy.
    width, height : int
        Even; an odd frame is padded by repeating its last column or row.
    colorimetry : Colorimetry
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    colorimetry: Colorimetry


@dataclass(frozen=True, slots=True)
class Hud:
    """Numbers that the HUD shows; None is shown as unknown.

    ``dropped`` counts frames captured and never shown, ``skipped`` those shown without their own inference.
    """

    fps: float | None
    dropped: int
    skipped: int
    model: str
