"""`Stamps`: when a sample was captured and where it stands in the stream, never going back."""

from __future__ import annotations

from typing import Any

from edge_us.capture.samples import time_in_segment

USUAL_FPS = 25.0
"""Of a recording that says neither times nor rate."""


class Stamps:
    """Gives each sample its capture stamp and its stream time; both in ns.

    Attributes
    ----------
    last_pts_ns : int
        Stream time of the last sample; -1 before the first.
    """

    def __init__(self) -> None:
        self.last_pts_ns = -1
        self._epoch_ns: int | None = None
        self._last_captured_ns = 0

    def of_live(self, sample: Any, now_ns: int, base_time_ns: int | None) -> tuple[int, int]:
        """When it arrived, not when somebody asked for it: base time + running time on GStreamer's clock, which is the
        monotonic one. Stream time counts from the first sample.

        Parameters
        ----------
        sample : Gst.Sample
        now_ns : int
        base_time_ns : int or None
            Monotonic time of running time 0, where there still is a pipeline.
        """
        arrived_ns = now_ns
        running_ns = time_in_segment(sample, "to_running_time")
        if running_ns is not None and base_time_ns is not None:
            arrived_ns = min(base_time_ns + running_ns, now_ns)
        captured_ns = self._last_captured_ns = max(arrived_ns, self._last_captured_ns)
        if self._epoch_ns is None:
            self._epoch_ns = captured_ns
        return captured_ns, self._step(captured_ns - self._epoch_ns)

    def of_file(self, sample: Any, now_ns: int, fps: float | None) -> tuple[int, int]:
        """Now, and the sample's own stream time, or the last one and an interval where it has none."""
        pts_ns = time_in_segment(sample, "to_stream_time")
        if pts_ns is None:
            pts_ns = self.last_pts_ns + int(1e9 / (fps or USUAL_FPS))
        return now_ns, self._step(pts_ns)

    def _step(self, pts_ns: int) -> int:
        self.last_pts_ns = max(pts_ns, self.last_pts_ns + 1)
        return self.last_pts_ns
