"""``bundle:FOLDER``: the frames of a bundle as a source, with the faults that the source had then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.finding import SourceState
from edge_us.frame import Frame
from edge_us.replay.bundle import Happening, Header
from edge_us.replay.reader import read_bundle


def kind_of_bundle(header: Header) -> SourceKind:
    """What a bundle is as a source that nobody hurries: a live one has become a recording."""
    return SourceKind.FILE if header.kind is SourceKind.LIVE else header.kind


class BundleSource(Source):
    """Plays a bundle.

    Parameters
    ----------
    folder : Path
    realtime : bool
        Deliver each frame when it came then, and be in the states that the source was in then: stalls, lost signals
        and returns happen again. Otherwise frames come as fast as they are read.
    now_ns : callable
        Monotonic clock in ns.
    sleep : callable
        Takes seconds.

    Raises
    ------
    InputError
        It is no bundle, or its pixels cannot be had.
    """

    def __init__(
        self, folder: Path, *, realtime: bool, now_ns: Callable[[], int], sleep: Callable[[float], None]
    ) -> None:
        bundle = read_bundle(folder)
        header = bundle.header
        kind = SourceKind.LIVE if realtime else kind_of_bundle(header)
        self.info = SourceInfo(f"bundle:{folder}", kind, header.fps, len(bundle.lines))
        self._realtime, self._now_ns, self._sleep = realtime, now_ns, sleep
        self._frames = bundle.frames()
        self._states = deque(
            (event.at_ns, event.state)
            for event in bundle.events
            if event.event is Happening.SOURCE and event.state is not None and event.at_ns is not None
        )
        self._state = SourceState.RUNNING
        self._missing = bundle.missing
        self._shift_ns: int | None = None
        self._index = 0
        self._next = self._fetch()

    @property
    def state(self) -> SourceState:
        """Running, or, in real time, what the source was in then."""
        return self._state

    @property
    def warnings(self) -> tuple[str, ...]:
        """That pixels were not kept."""
        return (f"{self._missing} frames of the bundle have no pixels",) if self._missing else ()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, in real time once its time has come, or None after ``timeout_s``."""
        frame = self._next
        if frame is None or self._state is SourceState.ENDED:
            self._state = SourceState.ENDED
            return None
        captured_ns = self._now_ns()
        if self._realtime:
            if self._shift_ns is None:
                self._shift_ns = captured_ns - frame.captured_ns
            due_ns = frame.captured_ns + self._shift_ns
            until_ns = min(due_ns, captured_ns + int(timeout_s * 1e9))
            if until_ns > captured_ns:
                self._sleep((until_ns - captured_ns) / 1e9)
            self._move_states(self._now_ns() - self._shift_ns)
            if due_ns > self._now_ns():
                return None
            captured_ns, self._state = due_ns, SourceState.RUNNING
        index, self._index = self._index, self._index + 1
        self._next = self._fetch()
        return replace(frame, index=index, captured_ns=captured_ns)

    def close(self) -> None:
        """Stop reading."""
        self._state = SourceState.ENDED
        self._frames.close()

    def _move_states(self, then_ns: int) -> None:
        while self._states and self._states[0][0] <= then_ns:
            self._state = self._states.popleft()[1]
            if self._state in (SourceState.ENDED, SourceState.FAILED):
                self._state = SourceState.RUNNING

    def _fetch(self) -> Frame | None:
        return next((frame for _, frame in self._frames if frame is not None), None)
