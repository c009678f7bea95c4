"""`Composer`: from a frame and its result to the pictures that the sinks get."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.overlay.overlay import Overlay
from edge_us.overlay.picture import Hud, Picture
from edge_us.runtime.ledger import Ledger, RecentFps
from edge_us.runtime.outputs import Outputs
from edge_us.runtime.present import present_again
from edge_us.sinks.sink import Sees


@dataclass(frozen=True, slots=True)
class Captured:
    """One captured frame.

    Attributes
    ----------
    frame : Frame
        As it may leave the process: what is analysed, recorded and told.
    screen : Frame
        As it was captured, for the local display alone; the same object where all of it may leave.
    withheld : str
        Why nothing of the picture may leave; empty where something may.
    """

    frame: Frame
    screen: Frame
    withheld: str = ""


class Composer:
    """Draws shown frames, hands them to the sinks and counts them.

    Parameters
    ----------
    outputs : Outputs
    ledger : Ledger
    model : str
        Name for the HUD.
    selected : callable
        The track whose details are shown; None is the largest.
    """

    def __init__(
        self, outputs: Outputs, ledger: Ledger, model: str, selected: Callable[[], int | None] = lambda: None
    ) -> None:
        self._outputs = outputs
        self._ledger = ledger
        self._model = model
        self._selected = selected
        self._overlays = {Sees.KEPT: Overlay(), Sees.SCREEN: Overlay()}
        self._recent = RecentFps()
        self._fps: float | None = None

    def runs_on(self, model: str) -> None:
        """Another network looks from now on."""
        self._model = model

    def show(self, captured: Captured, result: FrameResult) -> None:
        """Give every sink its picture of one captured frame."""
        frame, ledger = captured.frame, self._ledger
        started_ns = time.monotonic_ns()
        pictures = self._draw(frame, captured.screen, result)
        drawn_ns = time.monotonic_ns()
        if pictures:
            ledger.stage("overlay", drawn_ns - started_ns)
        self._outputs.write(frame, result, pictures)
        done_ns = time.monotonic_ns()
        ledger.stage("sinks", done_ns - drawn_ns)
        ledger.show(frame.captured_ns, done_ns, own_result=result.frame_index == frame.index)
        self._fps = self._recent.tick(done_ns)

    def show_again(self, last: Captured, state: SourceState) -> FrameResult:
        """While no frame comes, say so in the picture: a screen that just stands looks like a quiet scan.

        Returns what is shown on it.
        """
        now_ns = time.monotonic_ns()
        frame, result = present_again(last.frame, state, now_ns)
        screen = frame if last.screen is last.frame else present_again(last.screen, state, now_ns)[0]
        self._outputs.write_again(frame, result, self._draw(frame, screen, result))
        return result

    def _draw(self, frame: Frame, screen: Frame, result: FrameResult) -> dict[Sees, Picture]:
        """The pictures that somebody wants; without findings where those cannot be drawn."""
        try:
            return self._drawn(frame, screen, result)
        except Exception as error:  # whatever a finding is like, the picture goes on
            reason = f"drawing failed: {type(error).__name__}: {error}"
            return self._drawn(frame, screen, replace(result, ai_state=AiState.OFF, findings=(), reason=reason))

    def _drawn(self, frame: Frame, screen: Frame, result: FrameResult) -> dict[Sees, Picture]:
        """One picture serves both where all of the screen may leave."""
        hud = Hud(self._fps, sum(self._ledger.all_dropped().values()), self._ledger.skipped, self._model)
        wanted = {Sees.KEPT: frame, Sees.SCREEN: screen}
        if screen is frame and any(self._outputs.wants(sees) for sees in wanted):
            picture = self._overlays[Sees.KEPT].draw(frame, result, hud, self._selected())
            return dict.fromkeys(wanted, picture)
        return {
            sees: self._overlays[sees].draw(each, result, hud, self._selected())
            for sees, each in wanted.items()
            if self._outputs.wants(sees)
        }
