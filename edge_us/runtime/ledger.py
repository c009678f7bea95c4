"""Latency ledger: monotonic stamps become histograms of fixed size, so a clinic day costs no memory."""

from __future__ import annotations

import numpy as np

STEP_NS = 10_000
"""Resolution of the histograms: 0.01 ms."""
STEPS = 200_000
"""Up to 2 s; anything slower is counted in the last step, and the maximum is kept exactly."""

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


class Histogram:
    """Durations in ns, counted in steps of 0.01 ms."""

    def __init__(self) -> None:
        self._counts = np.zeros(STEPS, np.int64)
        self._total = 0
        self._sum_ns = 0
        self._max_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration; negative ones count as 0."""
        duration_ns = max(duration_ns, 0)
        self._counts[min(duration_ns // STEP_NS, STEPS - 1)] += 1
        self._total += 1
        self._sum_ns += duration_ns
        self._max_ns = max(self._max_ns, duration_ns)

    @property
    def count(self) -> int:
        """Number of durations counted."""
        return self._total

    @property
    def mean_ms(self) -> float | None:
        """Arithmetic mean in ms; None when empty."""
        return self._sum_ns / self._total / 1e6 if self._total else None

    def summary(self) -> dict[str, float | None]:
        """Quantiles (nearest rank, rounded up to the step) and maximum in ms; None when empty."""
        if not self._total:
            return dict.fromkeys((*QUANTILES, "max"))
        cumulated = np.cumsum(self._counts)
        result: dict[str, float | None] = {}
        for name, share in QUANTILES.items():
            rank = max(1, int(np.ceil(share * self._total)))
            step = int(np.searchsorted(cumulated, rank))
            result[name] = round(min((step + 1) * STEP_NS, self._max_ns) / 1e6, 3)
        result["max"] = round(self._max_ns / 1e6, 3)
        return result


class Ledger:
    """Everything that the report counts: frames by fate, latencies by stage, CPU and wall time.

    Times are passed in, so that a replay counts alike.
    """

    def __init__(self) -> None:
        self.captured = 0
        self.inferred = 0
        self.shown = 0
        self.skipped = 0
        self.dropped: dict[str, int] = {}
        self.restarts: dict[str, int] = {}
        """How often the networks were built anew, by cause."""
        self.capture_to_shown = Histogram()
        self.stages: dict[str, Histogram] = {}
        self.first_shown_ns: int | None = None
        self.last_shown_ns: int | None = None

    def stage(self, name: str, duration_ns: int) -> None:
        """Count the time that one stage took for one frame."""
        if name not in self.stages:
            self.stages[name] = Histogram()
        self.stages[name].add(duration_ns)

    def show(self, captured_ns: int, done_ns: int, *, own_result: bool) -> None:
        """Count a frame that reached the sinks at ``done_ns``."""
        self.shown += 1
        if not own_result:
            self.skipped += 1
        self.capture_to_shown.add(done_ns - captured_ns)
        if self.first_shown_ns is None:
            self.first_shown_ns = done_ns
        self.last_shown_ns = done_ns

    def drop(self, cause: str, count: int = 1) -> None:
        """Count frames that were captured and never shown."""
        if count:
            self.dropped[cause] = self.dropped.get(cause, 0) + count

    @property
    def fps(self) -> float | None:
        """Shown frames per second from the first to the last; None before the second."""
        if self.shown < 2 or self.first_shown_ns is None or self.last_shown_ns is None:
            return None
        span_ns = self.last_shown_ns - self.first_shown_ns
        return (self.shown - 1) / (span_ns / 1e9) if span_ns > 0 else None


class RecentFps:
    """Frames per second over about the last second, for the HUD."""

    def __init__(self, window_ns: int = 1_000_000_000) -> None:
        self._window_ns = window_ns
        self._start_ns: int | None = None
        self._frames = 0
        self._fps: float | None = None

    def tick(self, now_ns: int) -> float | None:
        """Count one shown frame; returns the rate of the last full window, None before the first is full."""
        if self._start_ns is None:
            self._start_ns = now_ns
            return None
        self._frames += 1
        span_ns = now_ns - self._start_ns
        if span_ns >= self._window_ns:
            self._fps = self._frames / (span_ns / 1e9)
            self._start_ns, self._frames = now_ns, 0
        return self._fps
