"""`Slot`: one place between capture and inference; the newest frame wins."""

from __future__ import annotations

import threading

from edge_us.frame import Frame


class Slot:
    """Hand frames from the capture thread to the inference thread, keeping only the newest.

    A queue here would add its length times the frame interval to every result's age; with one place, a slow
    network skips frames instead of falling behind.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._frame: Frame | None = None
        self._closed = False

    def put(self, frame: Frame) -> None:
        """Place a frame, replacing one that was not yet taken."""
        with self._condition:
            self._frame = frame
            self._condition.notify()

    def take(self) -> Frame | None:
        """Wait for a frame and take it; None once the slot is closed."""
        with self._condition:
            while self._frame is None and not self._closed:
                self._condition.wait()
            if self._closed:
                return None
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Wake whoever waits, for good."""
        with self._condition:
            self._closed = True
            self._frame = None
            self._condition.notify_all()
