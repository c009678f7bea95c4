"""What the calibrating commands share: rectangles in options, and the picture that is shown first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_us.errors import PipelineError, UsageError
from edge_us.frame import Frame, Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COARSE_PX = 24
"""Side of the squares that everything outside the region is coarsened to: one can see where things stand, and read
nothing."""


def parse_rect(option: str, text: str) -> Rect:
    """``X,Y,W,H`` of an option; raises `UsageError`."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        x, y, width, height = -1, -1, 0, 0
    if min(x, y) < 0 or min(width, height) < 1:
        raise UsageError(
            f"{option} {text}: it takes four whole numbers X,Y,W,H in px", f"Write {option} 100,80,600,480."
        )
    return Rect(x, y, width, height)


def check_folder(out: Path) -> None:
    """Refuse an ``--out`` whose folder is missing, before anybody waits for anything."""
    if not out.parent.is_dir():
        raise UsageError(f"--out: the folder {out.parent} does not exist", f"Make it: mkdir -p {out.parent}")


def coarsened_but(frame: Frame, shown: Sequence[Rect]) -> NDArray[np.uint8]:
    """BGR of a frame with everything outside some rectangles coarsened until nothing of it can be read."""
    import cv2
    import numpy as np

    from edge_us.colour import to_bgr

    whole = to_bgr(frame)
    size = (-(-frame.width // COARSE_PX), -(-frame.height // COARSE_PX))
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    picture = np.asarray(cv2.resize(small, frame.size, interpolation=cv2.INTER_NEAREST), np.uint8)
    for x, y, width, height in shown:
        picture[y : y + height, x : x + width] = whole[y : y + height, x : x + width]
    return picture


def outline(picture: NDArray[np.uint8], rect: Rect, colour: tuple[int, int, int], thickness: int) -> None:
    """Draw a rectangle's outermost pixels."""
    import cv2

    x, y, width, height = rect
    cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), colour, thickness)


def write_picture(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG; raises `PipelineError`."""
    import cv2

    _, encoded = cv2.imencode(".png", picture)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another --picture.") from None
