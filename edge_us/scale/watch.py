"""`ScaleWatch`: does the scale of a preset hold for this frame?

The reference lies in the preset, not in the first frame: a preset made at 40 mm of depth is not used when a run begins
at 60 mm. Every frame is compared with it, and on the first that differs the scale is gone, before anything is drawn.
It comes back by itself once the screen has looked as it was calibrated on `HOLD_FRAMES` frames in a row. That is safe
because these are the places where ruler, depth and zoom stand: when they say what they said, a pixel is as large as it
was. The wait leaves out the moment in which a cart has redrawn its words and not yet its picture.

The fingerprint of the preset is coarse. So once the scale holds, the strips are also remembered as they are, in memory
and nowhere else, and a single digit that changes ends the scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from edge_us.frame import Frame, Geometry, Rect
from edge_us.scale.fingerprint import MEAN_LIMIT, block_px, cut, decode, differs, means, strokes_differ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_us.calibrate.preset import Preset
    from edge_us.scale.fingerprint import Blocks, Gray

HOLD_FRAMES = 10


class ScaleState(Enum):
    """Whether the scale of the preset holds; the value is the reason why not."""

    HOLDS = ""
    NOT_YET = "the screen is not as it was calibrated: go back or calibrate again"
    """It never held in this run."""
    CHANGED = "the picture's geometry changed: calibrate again or go back"


class ScaleWatch:
    """Gives every captured frame the scale of a preset, as long as it holds.

    Where the source itself says a scale, that one stays.

    Parameters
    ----------
    preset : Preset or None
    hold_frames : int
        Frames in a row that must look as calibrated; 1 leaves the finer comparison out, for tests of the coarse one.
    tell : callable
        Called with the new state where it changes.

    Attributes
    ----------
    state : ScaleState
    known, lost : int
        Frames with a scale, and how often it was lost.
    reason : str
        Why the last frame has none; empty where it has.
    """

    def __init__(
        self,
        preset: Preset | None,
        *,
        hold_frames: int = HOLD_FRAMES,
        tell: Callable[[ScaleState], None] = lambda _: None,
    ) -> None:
        self._preset = None if preset is None or preset.mm_per_px is None else preset
        self._needed = hold_frames
        self._tell = tell
        self._strips: tuple[Rect, ...] = ()
        self._reference: Blocks | None = None
        if self._preset is not None:
            self._strips = tuple(Rect(*strip) for strip in self._preset.watch)
            self._reference = decode(self._preset.fingerprint)
        self._alike = 0
        self._sums: tuple[NDArray[np.float32], ...] = ()
        self._clear: tuple[Gray, ...] | None = None
        self.state = ScaleState.NOT_YET
        self.known = self.lost = 0
        self.reason = "uncalibrated"
        self._last: tuple[Geometry, ScaleState, Geometry] | None = None

    def measure(self, frame: Frame) -> Frame:
        """The captured frame with the scale that holds for it, or with the reason why there is none."""
        if self._preset is not None and frame.geometry.mm_per_px is None:
            self._look(frame, self._preset)
            frame = replace(frame, geometry=self._geometry(frame.geometry, self._preset))
        self.known += frame.geometry.mm_per_px is not None
        self.reason = frame.geometry.reason
        return frame

    def _look(self, frame: Frame, preset: Preset) -> None:
        assert self._reference is not None
        alike = frame.size == preset.screen and self._is_alike(frame, self._reference)
        self._alike = self._alike + 1 if alike else 0
        before = self.state
        if self._alike >= self._needed:
            self.state = ScaleState.HOLDS
        elif not alike and before is ScaleState.HOLDS:
            self.state = ScaleState.CHANGED
            self.lost += 1
        if self.state is not before:
            self._tell(self.state)

    def _is_alike(self, frame: Frame, reference: Blocks) -> bool:
        grays, side = cut(frame, self._strips), block_px(frame.size)
        if differs(means(grays, side), reference):
            return False
        if self._needed == 1:
            return True
        if self._clear is not None:
            return not strokes_differ(grays, self._clear, side)
        return self._remember(grays, side, reference)

    def _remember(self, grays: tuple[Gray, ...], side: int, reference: Blocks) -> bool:
        """Take the mean of the frames on which the scale comes to hold, if it is what was calibrated."""
        sums = self._sums if self._alike else tuple(np.zeros(gray.shape, np.float32) for gray in grays)
        self._sums = tuple(total + gray for total, gray in zip(sums, grays, strict=True))
        if self._alike + 1 == self._needed:
            clear = tuple(np.rint(total / self._needed).astype(np.uint8) for total in self._sums)
            if differs(means(clear, side), reference, MEAN_LIMIT):
                return False
            self._clear = clear
        return True

    def _geometry(self, said: Geometry, preset: Preset) -> Geometry:
        """Kept as one object while nothing changes."""
        if self._last is None or self._last[0] is not said or self._last[1] is not self.state:
            if self.state is ScaleState.HOLDS:
                known = replace(said, mm_per_px=preset.mm_per_px, reason="", fan=preset.fan)
            else:
                known = replace(said, mm_per_px=None, reason=self.state.value, fan=None)
            self._last = said, self.state, known
        return self._last[2]
