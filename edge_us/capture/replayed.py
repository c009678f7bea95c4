"""`Replayed`: a recording at another rate, or again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge_us.capture.source import Source
from edge_us.finding import SourceState
from edge_us.frame import Frame

DEFAULT_INTERVAL_NS = 40_000_000


class Replayed(Source):
    """Frames of a recording with new stream times; at its end it may be opened again.

    Indices and stream times go on over the seam, one frame interval after the last frame.

    Parameters
    ----------
    open_again : callable
        Opens the recording; called once at first.
    fps : float or None
        Rate that the frames are played at; None keeps their own times.
    loop : bool
        Start again at the end, until somebody stops reading.
    """

    def __init__(self, open_again: Callable[[], Source], *, fps: float | None = None, loop: bool = False) -> None:
        self._open_again = open_again
        self._fps = fps
        self._loop = loop
        self._source = open_again()
        info = self._source.info
        self.info = replace(info, fps=fps or info.fps, frames=None if loop else info.frames)
        self._interval_ns = round(1e9 / self.info.fps) if self.info.fps else DEFAULT_INTERVAL_NS
        self._index = 0
        self._last_pts_ns: int | None = None
        self._shift_ns = 0
        self._delivered_this_time = False
        self._closed = False

    @property
    def state(self) -> SourceState:
        """State of the recording; at its end, while it is to start again, running."""
        state = self._source.state
        again = self._loop and self._delivered_this_time and not self._closed
        return SourceState.RUNNING if state is SourceState.ENDED and again else state

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the recording, this time."""
        return self._source.warnings

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame; opens the recording again where it has ended and is to be looped."""
        frame = self._source.read(timeout_s)
        if frame is None and self._source.state is SourceState.ENDED and self.state is SourceState.RUNNING:
            self._source.close()
            self._source = self._open_again()
            self._delivered_this_time = False
            frame = self._source.read(timeout_s)
        return None if frame is None else self._stamp(frame)

    def close(self) -> None:
        """Close the recording, for good."""
        self._closed = True
        self._source.close()

    def _stamp(self, frame: Frame) -> Frame:
        if not self._delivered_this_time:
            self._delivered_this_time = True
            if self._last_pts_ns is not None:
                self._shift_ns = self._last_pts_ns + self._interval_ns - frame.pts_ns
        index, self._index = self._index, self._index + 1
        pts_ns = frame.pts_ns + self._shift_ns if self._fps is None else round(index * 1e9 / self._fps)
        self._last_pts_ns = pts_ns
        return replace(frame, index=index, pts_ns=pts_ns)
