"""`Sink`: where shown frames go."""

from __future__ import annotations

from typing import Protocol

from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.overlay.picture import Picture


class Sink(Protocol):
    """Takes every shown frame. It starts no Python thread; the runtime decides who calls it."""

    name: str
    needs_picture: bool
    """Whether `write` gets a composed picture; composing is left out when nobody needs it."""

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
