"""`Smoothed`: a value over its track, causal, with its spread."""

from __future__ import annotations

import math

MEMORY_NS = 500_000_000
"""Time in which the weight of an old value falls to a third. A freehand sweep crosses a lesion of 10 mm in one to two
seconds: a longer mean would lag behind the plane that is shown."""


class Smoothed:
    """Exponentially weighted mean and standard deviation, weighted by the time between the values.

    The first values count alike, so that the mean is not held by where it began: the weight of value n is at least 1 /
    n (variance as in Finch, "Incremental calculation of weighted mean and variance", 2009).
    """

    __slots__ = ("_count", "_last_ns", "_variance", "mean")

    def __init__(self) -> None:
        self.mean = 0.0
        self._variance = 0.0
        self._count = 0
        self._last_ns = 0

    @property
    def spread(self) -> float | None:
        """Standard deviation of the single values about the mean; None before there are three."""
        return math.sqrt(self._variance) if self._count >= 3 else None

    def add(self, value: float, now_ns: int) -> None:
        """Take one more value, seen at stream time ``now_ns``."""
        self._count += 1
        gain = 1.0 / self._count
        if self._count > 1:
            gain = max(gain, 1.0 - math.exp(-max(0, now_ns - self._last_ns) / MEMORY_NS))
        self._last_ns = now_ns
        away = value - self.mean
        self.mean += gain * away
        self._variance = (1.0 - gain) * (self._variance + gain * away * away)
