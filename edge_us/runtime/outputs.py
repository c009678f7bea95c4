"""`Outputs`: all sinks of a run; one that fails stops alone and is remembered."""

from __future__ import annotations

from collections.abc import Mapping

from edge_us.errors import EdgeUsError, PipelineError
from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.log import EventLog
from edge_us.overlay.picture import Picture
from edge_us.sinks.sink import Sees, Sink


class Outputs:
    """Write every shown frame to every sink that still works.

    Parameters
    ----------
    sinks : list of Sink
        Closed by `close`.
    source : str
        For the log.
    """

    def __init__(self, sinks: list[Sink], source: str = "") -> None:
        self._working = list(sinks)
        self._all = list(sinks)
        self._log = EventLog(source)
        self.failures: list[EdgeUsError] = []

    def wants(self, sees: Sees) -> bool:
        """Whether composing this picture is of use to anybody."""
        return any(sink.sees is sees for sink in self._working)

    @property
    def dropped(self) -> dict[str, int]:
        """Shown frames that a sink had no room for, by sink."""
        return {sink.name: sink.dropped for sink in self._all if sink.dropped}

    def write(self, frame: Frame, result: FrameResult, pictures: Mapping[Sees, Picture]) -> None:
        """Hand one shown frame to every working sink, each with the picture that it sees."""
        self._write(tuple(self._working), frame, result, pictures)

    def write_again(self, frame: Frame, result: FrameResult, pictures: Mapping[Sees, Picture]) -> None:
        """Hand a picture of an earlier frame to the sinks that show pictures; it is no shown frame of its own."""
        self._write(tuple(sink for sink in self._working if sink.sees in pictures), frame, result, pictures)

    def close(self) -> None:
        """Finish all sinks; a failure to finish is remembered like any other."""
        for sink in self._all:
            try:
                sink.close()
            except Exception as error:
                self._give_up(sink, error)

    def _write(
        self, sinks: tuple[Sink, ...], frame: Frame, result: FrameResult, pictures: Mapping[Sees, Picture]
    ) -> None:
        for sink in sinks:
            try:
                sink.write(frame, result, pictures.get(sink.sees))
            except Exception as error:  # whatever fails in one sink must not take the others along
                self._give_up(sink, error)

    def _give_up(self, sink: Sink, error: Exception) -> None:
        if not isinstance(error, EdgeUsError):
            message = f"the {sink.name} stopped: {type(error).__name__}: {error}"
            error = PipelineError(message, "The run goes on without it. Please report this.")
        if sink in self._working:
            self._working.remove(sink)
        self.failures.append(error)
        self._log.warning("output stopped", output=sink.name, reason=error.message)
