"""The source's states and the steps between them that make sense."""

from __future__ import annotations

from edge_us.finding import SourceState as S

ALLOWED: dict[S, frozenset[S]] = {
    S.CONNECTING: frozenset({S.RUNNING, S.FAILED, S.ENDED}),
    S.RUNNING: frozenset({S.STALLED, S.NO_SIGNAL, S.RECONNECTING, S.ENDED, S.FAILED}),
    S.STALLED: frozenset({S.RUNNING, S.NO_SIGNAL, S.RECONNECTING, S.ENDED, S.FAILED}),
    S.NO_SIGNAL: frozenset({S.RUNNING, S.RECONNECTING, S.ENDED, S.FAILED}),
    S.RECONNECTING: frozenset({S.RUNNING, S.FAILED, S.ENDED}),
    S.FAILED: frozenset({S.ENDED}),
    S.ENDED: frozenset(),
}


def step(old: S, new: S) -> S:
    """Return ``new`` if it may follow ``old``; staying is always allowed.

    Raises
    ------
    ValueError
        The step makes no sense: a defect of the source, not of its input.
    """
    if new is old or new in ALLOWED[old]:
        return new
    raise ValueError(f"a source cannot go from {old.value} to {new.value}")


class BackOff:
    """Waiting times between attempts: they double from the first to the last, and start anew after a success."""

    def __init__(self, first_s: float = 0.25, last_s: float = 2.0) -> None:
        self._first_s, self._last_s = first_s, last_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        wait, self._next_s = self._next_s, min(self._next_s * 2, self._last_s)
        return wait

    def reset(self) -> None:
        """The last attempt succeeded."""
        self._next_s = self._first_s
