"""`Paced`: a recording played at the pace of its stream times, as a live source would deliver it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edge_us.capture.source import Source
from edge_us.finding import SourceState
from edge_us.frame import Frame


class Paced(Source):
    """Hold each frame of another source back until its time has come.

    A frame that the reader asks for too late is released at once with the stamp of its due time: as on a capture
    card, the picture was there, and the wait counts as latency.

    Parameters
    ----------
    source : Source
        Closed together with this one.
    now_ns : callable
        Monotonic clock in ns.
    sleep : callable
        Takes seconds.
    """

    def __init__(self, source: Source, now_ns: Callable[[], int], sleep: Callable[[float], None]) -> None:
        self._source = source
        self._now_ns = now_ns
        self._sleep = sleep
        self._offset_ns: int | None = None
        self._held: Frame | None = None
        self.info = source.info

    @property
    def state(self) -> SourceState:
        """State of the source behind; a held frame keeps it running."""
        return SourceState.RUNNING if self._held is not None else self._source.state

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the source behind."""
        return self._source.warnings

    @property
    def dropped(self) -> Mapping[str, int]:
        """Losses of the source behind."""
        return self._source.dropped

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame once its time has come, or None after ``timeout_s``."""
        deadline_ns = self._now_ns() + int(timeout_s * 1e9)
        if self._held is None:
            self._held = self._source.read(timeout_s)
        frame = self._held
        if frame is None:
            return None
        if self._offset_ns is None:
            self._offset_ns = self._now_ns() - frame.pts_ns
        due_ns = frame.pts_ns + self._offset_ns
        wait_ns = min(due_ns, deadline_ns) - self._now_ns()
        if wait_ns > 0:
            self._sleep(wait_ns / 1e9)
        if due_ns > self._now_ns():
            return None
        self._held = None
        return replace(frame, captured_ns=due_ns)

    def close(self) -> None:
        """Close the source behind."""
        self._held = None
        self._source.close()
