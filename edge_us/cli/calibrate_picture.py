"""What the calibrating commands share: rectangles in options, and the picture that is shown first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge_us.errors import PipelineError, UsageError
from edge_us.frame import Frame, Rect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


def black_but(frame: Frame, shown: Sequence[Rect], hidden: Sequence[Rect] = ()) -> NDArray[np.uint8]:
    """BGR of a frame, black outside of some rectangles, and in those that are hidden.

    Parameters
    ----------
    frame : Frame
    shown, hidden : sequence of Rect
        In px of the frame.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    import numpy as np

    from edge_us.colour import to_bgr

    whole = to_bgr(frame)
    picture = np.zeros_like(whole)
    for x, y, width, height in shown:
        picture[y : y + height, x : x + width] = whole[y : y + height, x : x + width]
    for x, y, width, height in hidden:
        picture[y : y + height, x : x + width] = 0
    return picture


def outline(picture: NDArray[np.uint8], rect: Rect, colour: tuple[int, int, int], thickness: int) -> None:
    """Draw a rectangle's outermost pixels."""
    import cv2

    x, y, width, height = rect
    cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), colour, thickness)


@contextmanager
def shown_until_refused(picture: NDArray[np.uint8], path: Path) -> Iterator[None]:
    """A PNG that only its owner can read; gone again where what follows raises, as a refusal does.

    Raises
    ------
    PipelineError
        It cannot be written.
    """
    import cv2

    _, encoded = cv2.imencode(".png", picture)
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            if path.is_file():
                os.fchmod(file.fileno(), 0o600)  # one that was there keeps its own mode
            file.write(encoded.tobytes())
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another --picture.") from None
    try:
        yield
    except BaseException:
        if path.is_file():
            path.unlink()
        raise
