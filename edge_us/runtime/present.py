"""Which result may be shown on which frame, and under which name."""

from __future__ import annotations

from dataclasses import replace

from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import Frame

ANOTHER_GEOMETRY = "the scale has changed since the newest result"


def present(
    frame: Frame, newest: FrameResult | None, state: SourceState, now_ns: int, max_age_ms: float, failure: str
) -> FrameResult:
    """Return what is shown on ``frame`` at ``now_ns``.

    Parameters
    ----------
    frame : Frame
    newest : FrameResult or None
        The newest result there is, of this frame or of an earlier one.
    state : SourceState
        Where the source stands now.
    now_ns : int
        Monotonic time; becomes the result's ``shown_ns``.
    max_age_ms : float
        A result of another frame that is older than this is withheld. A frame's own result is never stale:
        the picture that it is drawn on is the picture that it describes.
    failure : str
        Why inference does not work at the moment; empty when it does.

    Returns
    -------
    FrameResult
        With findings only when ``ai_state`` is one of `finding.SHOWING`.
    """
    if failure:
        return FrameResult(None, None, state, AiState.OFF, reason=failure, shown_ns=now_ns)
    if newest is None:
        return FrameResult(None, None, state, AiState.OFF, reason="waiting for the first result", shown_ns=now_ns)
    shown = replace(newest, source_state=state, shown_ns=now_ns)
    if newest.frame_index == frame.index:
        return shown
    if newest.mm_per_px != frame.geometry.mm_per_px:
        # Neither its millimetres nor its outlines fit this picture, however young it is.
        return replace(shown, ai_state=AiState.STALE, findings=(), reason=ANOTHER_GEOMETRY)
    age_ms = shown.age_ms
    if age_ms is None or age_ms > max_age_ms:
        return replace(
            shown,
            ai_state=AiState.STALE,
            findings=(),
            reason=f"the newest result is older than {max_age_ms:g} ms",
        )
    return shown


def present_again(last: Frame, state: SourceState, now_ns: int) -> tuple[Frame, FrameResult]:
    """Return what is shown while no frame comes: the last picture, without findings, and how old it is.

    Parameters
    ----------
    last : Frame
        The last one that was shown.
    state : SourceState
        What the source is in instead of running.
    now_ns : int
        Monotonic time.

    Returns
    -------
    Frame
        ``last`` at the stream time that it is by now, so that a recording lasts as long as the interruption.
    FrameResult
        ``ai_state`` OFF with the picture's age as the reason.
    """
    waited_ns = max(0, now_ns - last.captured_ns)
    reason = f"last picture {waited_ns / 1e9:.1f} s ago"
    again = replace(last, pts_ns=last.pts_ns + waited_ns)
    return again, FrameResult(None, None, state, AiState.OFF, reason=reason, shown_ns=now_ns)
