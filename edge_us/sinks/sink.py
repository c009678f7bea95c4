"""`Sink`: where shown frames go."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.overlay.picture import Picture


class Sees(str, Enum):
    """What a sink gets of a shown frame."""

    RESULT = "result"
    """The result, and the frame as it may leave the process; no composed picture."""
    KEPT = "kept"
    """A composed picture of what may leave the process."""
    SCREEN = "screen"
    """A composed picture of all that was captured: only for what stays at the cart."""


class Sink(Protocol):
    """Takes every shown frame. It starts no Python thread; the runtime decides who calls it."""

    name: str
    sees: Sees
    """Composing is left out when nobody needs it."""

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Take one shown frame; raises `PipelineError` when the sink cannot go on."""
        ...

    @property
    def dropped(self) -> int:
        """Shown frames that this sink had no room for."""
        ...

    def close(self) -> None:
        """Finish and flush; may be called more than once."""
        ...
