"""`RestartBudget`: how often something that fails may be begun anew before it stays off."""

from __future__ import annotations

from collections import deque

MOST = 5
WITHIN_S = 60.0


class RestartBudget:
    """At most ``most`` restarts in any ``within_s`` seconds; once that is used up, never again.

    Time is passed in. What fails six times in a minute is broken, and a picture that says so is worth more than one
    whose outlines come and go.
    """

    def __init__(self, most: int = MOST, within_s: float = WITHIN_S) -> None:
        self._most, self._within_ns = most, round(within_s * 1e9)
        self._taken: deque[int] = deque(maxlen=most)
        self.used_up = False

    def take(self, now_ns: int) -> bool:
        """Whether another restart may be made now; if so, it is counted."""
        oldest = self._taken[0] if len(self._taken) == self._most else None
        self.used_up = self.used_up or (oldest is not None and now_ns - oldest < self._within_ns)
        if not self.used_up:
            self._taken.append(now_ns)
        return not self.used_up

    def recent(self, now_ns: int) -> int:
        """Restarts within the last ``within_s``."""
        return sum(now_ns - taken < self._within_ns for taken in self._taken)

    def __str__(self) -> str:
        return f"{self._most} restarts in {self._within_ns / 1e9:g} s"
