"""`InferenceWorker`: the one thread that looks at frames in live mode, and what happens when that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.runtime.analyser import Analyser
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.slot import Slot

JOIN_TIMEOUT_S = 5.0
HANG_S = 2.0
"""An inference that takes longer hangs: the slowest machine that this is for needs a tenth of it."""

Restart = Callable[[str, bool, int], Analyser]
"""From the cause of a failure, whether a thread still hangs in the old networks, and how many restarts there were
lately, this one included, to an analyser on new ones."""


class InferenceWorker:
    """Analyse whatever the slot holds and keep the newest result.

    An inference that raises or hangs costs its networks: they are built anew in the worker's thread, within a budget,
    while frames go on without findings. A thread that hangs cannot be ended; it is left alone, and whatever it still
    delivers is thrown away.

    Parameters
    ----------
    analyser : Analyser
        Used by this worker's thread alone.
    on_result : callable
        Called in the worker's thread with every result and the time of each of its stages in ns.
    restart : callable
        See `Restart`; may raise, which counts as another failure.
    budget : RestartBudget
    hang_s : float
    """

    def __init__(
        self,
        analyser: Analyser,
        on_result: Callable[[FrameResult, Mapping[str, int]], None],
        restart: Restart,
        budget: RestartBudget,
        hang_s: float = HANG_S,
    ) -> None:
        self._on_result = on_result
        self._restart = restart
        self._budget = budget
        self._hang_ns = round(hang_s * 1e9)
        self._slot = Slot()
        self._changed = threading.Condition()
        self._newest: FrameResult | None = None
        self._failure = ""
        self._done_index = -1
        self._begun_ns: int | None = None
        self._working = True
        self._generation = 0
        self._next: Callable[[], Analyser] | None = None
        self.restarts: dict[str, int] = {}
        """How often the networks were built anew, by cause."""
        self._thread = self._start(analyser, "")

    def offer(self, frame: Frame) -> None:
        """Hand over a frame; never blocks. An older frame that was not begun yet is passed over."""
        self._slot.put(frame)

    def replace(self, build: Callable[[], Analyser]) -> None:
        """Go on with another analyser, built in the worker's thread before the next frame; never blocks.

        Where building fails, the present one goes on.
        """
        with self._changed:
            self._next = build

    def newest(self, index: int, deadline_ns: int) -> tuple[FrameResult | None, str]:
        """Return the newest result and the reason of a failure (empty if none).

        Waits for the result of frame ``index`` until ``deadline_ns`` on the monotonic clock, but not for networks that
        are being built.
        """
        with self._changed:
            while self._done_index < index and self._working:
                left_ns = deadline_ns - time.monotonic_ns()
                if left_ns <= 0:
                    break
                self._changed.wait(left_ns / 1e9)
            if self._begun_ns is not None and time.monotonic_ns() - self._begun_ns > self._hang_ns:
                self._leave_hanging()
            return self._newest, self._failure

    def close(self) -> None:
        """Stop after the frame in hand."""
        self._slot.close()
        self._thread.join(JOIN_TIMEOUT_S)

    def _start(self, analyser: Analyser | None, cause: str) -> threading.Thread:
        thread = threading.Thread(
            target=self._work, args=(self._generation, analyser, cause), name="edge-us-inference", daemon=True
        )
        thread.start()
        return thread

    def _leave_hanging(self) -> None:
        """Go on with another thread; the condition is held."""
        self._begun_ns = None
        self._working = False
        self._generation += 1
        cause = f"inference hangs for more than {self._hang_ns / 1e9:g} s"
        self._failure = f"{cause}; restarting"
        self._thread = self._start(None, cause)

    def _work(self, generation: int, analyser: Analyser | None, cause: str) -> None:
        if analyser is None:
            analyser = self._rebuild(generation, cause, hanging=True)
        while analyser is not None:
            frame = self._slot.take()
            if frame is None:
                return
            with self._changed:
                if generation != self._generation:
                    return
                self._begun_ns = time.monotonic_ns()
            failure = ""
            analyser = self._replaced(analyser)
            try:
                result = analyser.analyse(frame)
                if not self._deliver(generation, frame, result, analyser.stages_ns):
                    return
                analyser.learn()  # the result is out: nobody waits for this
            except Exception as error:  # whatever fails here must never take the live picture along
                failure = f"{type(error).__name__}: {error}"
            with self._changed:
                if generation != self._generation:
                    return
                self._begun_ns = None
                if failure:
                    self._working, self._failure = False, f"{failure}; restarting"
                    self._done_index = frame.index
                    self._changed.notify_all()
            if failure:
                analyser = self._rebuild(generation, failure, hanging=False)

    def _replaced(self, analyser: Analyser) -> Analyser:
        """The analyser that somebody asked for, or the present one."""
        with self._changed:
            build, self._next = self._next, None
            if build is None:
                return analyser
            # Nobody waits for a frame while networks are built, and building is no hanging.
            self._working, self._begun_ns = False, None
        try:
            return build()
        except Exception:  # whoever asked was told by `build`
            return analyser
        finally:
            with self._changed:
                self._working, self._begun_ns = True, time.monotonic_ns()

    def _deliver(self, generation: int, frame: Frame, result: FrameResult, stages_ns: Mapping[str, int]) -> bool:
        """Hand a result over; False where the thread was given up meanwhile."""
        with self._changed:
            if generation != self._generation:
                return False
            self._working, self._failure = True, ""
            self._newest, self._done_index = result, frame.index
            self._on_result(result, stages_ns)
            self._changed.notify_all()
            return True

    def _rebuild(self, generation: int, cause: str, *, hanging: bool) -> Analyser | None:
        """Another analyser, as soon as one can be had within the budget; None if there is none."""
        while self._budget.take(time.monotonic_ns()):
            with self._changed:
                kind = "hang" if hanging else "error"
                self.restarts[kind] = self.restarts.get(kind, 0) + 1
            try:
                analyser = self._restart(cause, hanging, self._budget.recent(time.monotonic_ns()))
            except Exception as error:  # the next try, until the budget is used up
                cause, hanging = f"{type(error).__name__}: {error}", False
                continue
            with self._changed:
                self._working = generation == self._generation
            return analyser
        with self._changed:
            self._failure = f"{cause}; off after {self._budget}"
        return None
