"""`InferenceWorker`: the one thread that looks at frames in live mode."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.runtime.analyser import Analyser
from edge_us.runtime.slot import Slot

JOIN_TIMEOUT_S = 5.0


class InferenceWorker:
    """Analyse whatever the slot holds and keep the newest result.

    Parameters
    ----------
    analyser : Analyser
        Used by this worker's thread alone.
    on_result : callable
        Called in the worker's thread with every result and the time of each of its stages in ns.
    """

    def __init__(self, analyser: Analyser, on_result: Callable[[FrameResult, Mapping[str, int]], None]) -> None:
        self._analyser = analyser
        self._on_result = on_result
        self._slot = Slot()
        self._changed = threading.Condition()
        self._newest: FrameResult | None = None
        self._failure = ""
        self._done_index = -1
        self._thread = threading.Thread(target=self._work, name="edge-us-inference", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame) -> None:
        """Hand over a frame; never blocks. An older frame that was not begun yet is passed over."""
        self._slot.put(frame)

    def newest(self, index: int, deadline_ns: int) -> tuple[FrameResult | None, str]:
        """Return the newest result and the reason of a failure (empty if none).

        Waits for the result of frame ``index`` until ``deadline_ns`` on the monotonic clock.
        """
        with self._changed:
            while self._done_index < index:
                left_ns = deadline_ns - time.monotonic_ns()
                if left_ns <= 0:
                    break
                self._changed.wait(left_ns / 1e9)
            return self._newest, self._failure

    def close(self) -> None:
        """Stop after the frame in hand."""
        self._slot.close()
        self._thread.join(JOIN_TIMEOUT_S)

    def _work(self) -> None:
        while True:
            frame = self._slot.take()
            if frame is None:
                return
            result: FrameResult | None = None
            failure = ""
            try:
                result = self._analyser.analyse(frame)
            except Exception as error:  # whatever fails here must never take the live picture along
                failure = f"{type(error).__name__}: {error}"
            if result is not None:
                self._on_result(result, self._analyser.stages_ns)
            with self._changed:
                self._failure = failure
                self._newest = result if result is not None else self._newest
                self._done_index = frame.index
                self._changed.notify_all()
