"""`Outputs`: all sinks of a run; one that fails stops alone and is remembered."""

from __future__ import annotations

from edge_us.errors import EdgeUsError
from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.overlay.picture import Picture
from edge_us.sinks.sink import Sink


class Outputs:
    """Write every shown frame to every sink that still works.

    Parameters
    ----------
    sinks : list of Sink
        Closed by `close`.
    """

    def __init__(self, sinks: list[Sink]) -> None:
        self._working = list(sinks)
        self._all = list(sinks)
        self.failures: list[EdgeUsError] = []

    @property
    def need_picture(self) -> bool:
        """Whether composing the picture is of use to anybody."""
        return any(sink.needs_picture for sink in self._working)

    @property
    def dropped(self) -> dict[str, int]:
        """Shown frames that a sink had no room for, by sink."""
        return {sink.name: sink.dropped for sink in self._all if sink.dropped}

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Hand one shown frame to every working sink."""
        self._write(tuple(self._working), frame, result, picture)

    def write_picture(self, frame: Frame, result: FrameResult, picture: Picture) -> None:
        """Hand a picture of an earlier frame to the sinks that show pictures; it is no shown frame of its own."""
        self._write(tuple(sink for sink in self._working if sink.needs_picture), frame, result, picture)

    def close(self) -> None:
        """Finish all sinks; a failure to finish is remembered like any other."""
        for sink in self._all:
            try:
                sink.close()
            except EdgeUsError as error:
                self._give_up(sink, error)

    def _write(self, sinks: tuple[Sink, ...], frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        for sink in sinks:
            try:
                sink.write(frame, result, picture)
            except EdgeUsError as error:
                self._give_up(sink, error)

    def _give_up(self, sink: Sink, error: EdgeUsError) -> None:
        if sink in self._working:
            self._working.remove(sink)
        self.failures.append(error)
