"""`Controls`: what somebody at the screen may change while a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.errors import EdgeUsError
from edge_us.finding import Exam, FrameResult
from edge_us.runtime.failure import Failure

if TYPE_CHECKING:
    from edge_us.runtime.exams import ExamSwitch
    from edge_us.runtime.status import Status

NEXT_TRACK, LARGEST, OTHER_EXAM = "Tab", "Escape", "e"
"""Keys, by their X11 names."""


class Controls:
    """The selected track and the exam; may be used from any thread.

    Parameters
    ----------
    exams : ExamSwitch
    status : Status
        Is told what could not be done.

    Attributes
    ----------
    selected : int or None
        The track whose details are shown; None is the largest. A track that is gone counts as none.
    """

    def __init__(self, exams: ExamSwitch, status: Status) -> None:
        self._exams = exams
        self._status = status
        self._tracks: tuple[int, ...] = ()
        self.selected: int | None = None

    def shows(self, result: FrameResult) -> None:
        """These findings are on the screen now."""
        self._tracks = tuple(sorted(found.track for found in result.findings if found.track is not None))

    def press(self, key: str) -> None:
        """A key was pressed in the window; others than ours do nothing."""
        if key == NEXT_TRACK:
            self.selected = next_track(self._tracks, self.selected)
        elif key == LARGEST:
            self.selected = None
        elif key.lower() == OTHER_EXAM:
            self.change_exam()

    def change_exam(self) -> None:
        """From the breast to the axilla, or back; where that cannot be, the picture goes on and a warning says why."""
        other = Exam.BREAST if self._exams.wanted is Exam.AXILLA else Exam.AXILLA
        try:
            self._exams.change(other)
        except EdgeUsError as error:
            self._status.warns(f"the exam is still {self._exams.wanted.value}: {Failure.of(error)}")


def next_track(tracks: tuple[int, ...], selected: int | None) -> int | None:
    """The track after the selected one, by number, from the last to the first; None where there is none."""
    if not tracks:
        return None
    later = [track for track in tracks if selected is not None and track > selected]
    return later[0] if later else tracks[0]
