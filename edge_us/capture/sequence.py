"""`SequenceSource`: pictures that a generator decodes one at a time, as a `Source`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.capture.source import Source, SourceInfo
from edge_us.finding import SourceState
from edge_us.frame import FULL_RANGE, UNKNOWN_GEOMETRY, Frame, Geometry, PixelFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_FRAME_PIXELS = 16 * 1024 * 1024
"""Largest picture that a header may declare: 4096 x 4096, twice the largest screen, still no allocation bomb: what
decoders and conversions hold at the same time stays below 1 GiB."""

UNKNOWN_RATE_STEP_NS = 40_000_000
"""Distance of stream times where a sequence does not say its rate: distinct times, so it can be recorded."""


def believable(fps: float | None) -> float | None:
    """The rate, or None where no recording can have it (NaN and infinity among them)."""
    return fps if fps is not None and 0.001 <= fps <= 100_000 else None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded picture on its way to becoming a `Frame`.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey or BGR, C-contiguous, full range.
    pts_ns : int
        Stream time.
    geometry : Geometry
    name : str or None
        File name for stills.
    """

    pixels: NDArray[np.uint8]
    pts_ns: int
    geometry: Geometry = UNKNOWN_GEOMETRY
    name: str | None = None


class SequenceSource(Source):
    """Turns decoded pictures into frames, stamped when the reader takes them.

    The first picture is decoded on construction, so a file that cannot be played at all is an error when it
    is opened and not half-way through a run.

    Parameters
    ----------
    info : SourceInfo
    pictures : iterator of Decoded
        Decodes on demand; appends to ``warnings`` and ends where it cannot go on. Generators are closed with
        the source, so their ``finally`` releases files.
    warnings : list of str
        Shared with the generator that fills it.
    clock : callable
        Monotonic time in ns.

    Raises
    ------
    EdgeUsError
        Whatever ``pictures`` raises for its first picture.
    """

    def __init__(
        self,
        info: SourceInfo,
        pictures: Iterator[Decoded],
        warnings: list[str],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.info = info
        self._pictures = pictures
        self._warnings = warnings
        self._clock = clock
        self._index = 0
        self._state = SourceState.RUNNING
        self._ahead = next(pictures, None)

    @property
    def state(self) -> SourceState:
        """RUNNING until the last picture was read, then ENDED."""
        return self._state

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong but survivable so far."""
        return tuple(self._warnings)

    @property
    def peeked(self) -> Decoded | None:
        """The picture decoded ahead; None once it was read, or where there is none at all."""
        return self._ahead

    def read(self, timeout_s: float) -> Frame | None:
        """Decode and return the next frame; None at the end. Files need no time limit: ``timeout_s`` is unused."""
        if self._state is SourceState.ENDED:
            return None
        decoded = self._ahead if self._ahead is not None else next(self._pictures, None)
        self._ahead = None
        if decoded is None:
            self.close()
            return None
        height, width = decoded.pixels.shape[:2]
        decoded.pixels.setflags(write=False)
        frame = Frame(
            pixels=decoded.pixels,
            format=PixelFormat.GRAY8 if decoded.pixels.ndim == 2 else PixelFormat.BGR,
            width=width,
            height=height,
            index=self._index,
            pts_ns=decoded.pts_ns,
            captured_ns=self._clock(),
            colorimetry=FULL_RANGE,
            geometry=decoded.geometry,
            name=decoded.name,
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Stop decoding and release the file."""
        self._state = SourceState.ENDED
        self._ahead = None
        stop = getattr(self._pictures, "close", None)
        if stop is not None:
            stop()
