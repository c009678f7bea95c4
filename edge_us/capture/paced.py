"""`Paced`: a recording played at the pace of its stream times, as a live source would deliver it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from edge_us.capture.pipelines import LIVE_QUEUE
from edge_us.capture.source import Source
from edge_us.finding import SourceState
from edge_us.frame import Frame

SLOW_READ_NS = 5_000_000
"""Reading a recording that takes longer makes the recording late, not its reader."""


class Paced(Source):
    """Hold each frame of another source back until its time has come.

    ``captured_ns`` is the time at which a capture card would have delivered the frame, so a reader that comes late
    sees that as latency; a reader that is late by more frames than a live source's queue holds loses the oldest
    (``dropped["queue_full"]``). Where the recording itself cannot be read fast enough, the schedule moves on with it:
    frames are then never stamped earlier than they existed, and never played faster than recorded.

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
        self._queue: deque[Frame] = deque()
        self._delivered = 0
        self._queue_full = 0
        self.info = source.info

    @property
    def state(self) -> SourceState:
        """State of the source behind; a held frame keeps it running."""
        return SourceState.RUNNING if self._queue else self._source.state

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the source behind."""
        return self._source.warnings

    @property
    def dropped(self) -> Mapping[str, int]:
        """Losses of the source behind, and frames that the reader came too late for."""
        counts = dict(self._source.dropped)
        if self._queue_full:
            counts["queue_full"] = counts.get("queue_full", 0) + self._queue_full
        return counts

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame once its time has come, or None after ``timeout_s``."""
        asked_ns = self._now_ns()
        deadline_ns = asked_ns + int(timeout_s * 1e9)
        # What a live source's queue would hold by now, and the next frame to come.
        while not self._queue or self._due_ns(self._queue[-1]) <= asked_ns:
            frame = self._fetch(timeout_s)
            if frame is None:
                break
            self._queue.append(frame)
            if len(self._queue) > LIVE_QUEUE and self._due_ns(frame) <= asked_ns:
                self._queue.popleft()
                self._queue_full += 1
        if not self._queue:
            return None
        due_ns = self._due_ns(self._queue[0])
        wait_ns = min(due_ns, deadline_ns) - self._now_ns()
        if wait_ns > 0:
            self._sleep(wait_ns / 1e9)
        if due_ns > self._now_ns():
            return None
        index, self._delivered = self._delivered, self._delivered + 1
        return replace(self._queue.popleft(), index=index, captured_ns=due_ns)

    def close(self) -> None:
        """Close the source behind."""
        self._queue.clear()
        self._source.close()

    def _due_ns(self, frame: Frame) -> int:
        return frame.pts_ns + (self._offset_ns or 0)

    def _fetch(self, timeout_s: float) -> Frame | None:
        """The next frame of the recording; moves the schedule on where reading it made it late."""
        started_ns = self._now_ns()
        frame = self._source.read(timeout_s)
        if frame is None:
            return None
        ready_ns = self._now_ns()
        if self._offset_ns is None:
            self._offset_ns = ready_ns - frame.pts_ns
        late_ns = ready_ns - max(self._due_ns(frame), started_ns)
        if late_ns > SLOW_READ_NS:
            self._offset_ns += late_ns
        return frame
