"""The source's states, the steps between them that make sense, and when a live source takes them."""

from __future__ import annotations

from edge_us.finding import SourceState as S

ALLOWED: dict[S, frozenset[S]] = {
    S.CONNECTING: frozenset({S.RUNNING, S.FAILED, S.ENDED}),
    S.RUNNING: frozenset({S.STALLED, S.NO_SIGNAL, S.RECONNECTING, S.ENDED, S.FAILED}),
    S.STALLED: frozenset({S.RUNNING, S.NO_SIGNAL, S.RECONNECTING, S.ENDED, S.FAILED}),
    S.NO_SIGNAL: frozenset({S.RUNNING, S.STALLED, S.RECONNECTING, S.ENDED, S.FAILED}),
    S.RECONNECTING: frozenset({S.RUNNING, S.FAILED, S.ENDED}),
    S.FAILED: frozenset({S.ENDED}),
    S.ENDED: frozenset(),
}

OVER = frozenset({S.FAILED, S.ENDED})
"""States after which no frame comes."""

STALL_S = 0.2
"""A live source without a picture for this long, and for three frame intervals, is stalled ..."""
LOST_S = 2.0
"""... and for this long, and for ten frame intervals, is torn down and rebuilt."""
UNANSWERED_S = 1.2
"""A server that was lost and does not answer within this time is asked anew: a network that swallowed the question
would only repeat it seconds later. One that answers gets as long as a first connection."""


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


def after_silence(state: S, silent_s: float, fps: float | None, has_signal: bool | None) -> S:
    """State of a connected live source that has delivered nothing for ``silent_s``.

    Parameters
    ----------
    state : SourceState
        The present one.
    silent_s : float
        Seconds since the last picture.
    fps : float or None
        Nominal frame rate, so that a slow source is not taken for a stalled one.
    has_signal : bool or None
        What the capture card says of its input; None where it says nothing. A card without signal is waited for:
        rebuilding it would not bring the signal back.
    """
    interval_s = 1 / fps if fps else 0.0
    if silent_s <= max(STALL_S, 3 * interval_s):
        return state
    if has_signal is False:
        return S.NO_SIGNAL
    if silent_s > max(LOST_S, 10 * interval_s):
        return S.RECONNECTING
    return S.STALLED


class BackOff:
    """Waiting times between attempts: they double from the first to the last, and start anew after a success.

    The last is short: a signal that is back is to be seen within two seconds, connecting included.
    """

    def __init__(self, first_s: float = 0.25, last_s: float = 0.5) -> None:
        self._first_s, self._last_s = first_s, last_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        wait, self._next_s = self._next_s, min(self._next_s * 2, self._last_s)
        return wait

    def reset(self) -> None:
        """The last attempt succeeded."""
        self._next_s = self._first_s
