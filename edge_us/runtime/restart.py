"""`RestartBudget`: how often something that fails may be begun anew before it stays off."""

from __future__ import annotations

from collections import deque

MOST = 5
WITHIN_S = 60.0
BACK_OFF_S = 0.5
"""Pause before the second restart; each further one waits twice as long. What did not come back at once needs time: a
GPU that is reset, memory that another program gives back."""


class RestartBudget:
    """At most ``most`` restarts in any ``within_s`` seconds, or one after the other without success; then never again.

    Time is passed in. What fails six times in a minute is broken, and a picture that says so is worth more than one
    whose outlines come and go.
    """

    def __init__(self, most: int = MOST, within_s: float = WITHIN_S, back_off_s: float = BACK_OFF_S) -> None:
        self._most, self._within_ns, self._back_off_s = most, round(within_s * 1e9), back_off_s
        self._taken: deque[int] = deque(maxlen=most)
        self._in_vain = 0
        self.used_up = False
        self._is_frequent = False

    def take(self, now_ns: int) -> bool:
        """Whether another restart may be made now; if so, it is counted."""
        oldest = self._taken[0] if len(self._taken) == self._most else None
        self._is_frequent = self._is_frequent or (oldest is not None and now_ns - oldest < self._within_ns)
        self.used_up = self.used_up or self._is_frequent or self._in_vain == self._most
        if not self.used_up:
            self._taken.append(now_ns)
            self._in_vain += 1
        return not self.used_up

    def worked(self) -> None:
        """What was begun anew works."""
        self._in_vain = 0

    def recent(self, now_ns: int) -> int:
        """Restarts within the last ``within_s``."""
        return sum(now_ns - taken < self._within_ns for taken in self._taken)

    def pause_s(self, now_ns: int) -> float:
        """How long the restart that was just taken waits before it is made; the first one waits for nothing."""
        recent = self.recent(now_ns)
        return 0.0 if recent < 2 else self._back_off_s * 2.0 ** (recent - 2)

    def __str__(self) -> str:
        if self._in_vain == self._most and not self._is_frequent:
            return f"{self._most} restarts in vain"
        return f"{self._most} restarts in {self._within_ns / 1e9:g} s"
