"""`Latch`: a yes or no that does not flicker."""

from __future__ import annotations


class Latch:
    """On after being seen for ``on_ns`` without a gap, off after not being seen for ``off_ns`` without a gap.

    The first observation counts at once: there is nothing before it that could flicker, and it may be the only one.

    Parameters
    ----------
    on_ns, off_ns : int
        In stream time. At least two sightings in a row are needed, however far apart they are.
    """

    def __init__(self, on_ns: int, off_ns: int) -> None:
        self._on_ns = on_ns
        self._off_ns = off_ns
        self._against_since_ns: int | None = None
        self._is_new = True
        self.on = False

    def update(self, seen: bool, now_ns: int) -> bool:
        """Take one observation and return the state."""
        if self._is_new:
            self.on, self._is_new = seen, False
        elif seen == self.on:
            self._against_since_ns = None
        elif self._against_since_ns is None:
            self._against_since_ns = now_ns
        elif now_ns - self._against_since_ns >= (self._off_ns if self.on else self._on_ns):
            self.on = seen
            self._against_since_ns = None
        return self.on
