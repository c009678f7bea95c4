"""`InferenceWorker`: the one thread that looks at frames in live mode, and what happens when that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.runtime.analyser import Analyser
from edge_us.runtime.failure import Failure
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.slot import Slot

JOIN_TIMEOUT_S = 5.0
HANG_S = 2.0
"""An inference that takes longer hangs: the slowest machine that this is for needs a tenth of it."""
BUILD_S = 20.0
"""So does opening networks that takes longer; the slowest machine needs a quarter of it."""
_HANG_HINT = "Start edge-us again; --fallback cpu lets another backend take over."

Restart = Callable[[Failure, int], Analyser]
"""From why the old networks do not work, and how many restarts there were lately, this one included, to an analyser on
new ones."""


class InferenceWorker:
    """Analyse whatever the slot holds and keep the newest result.

    An inference that raises or hangs costs its networks: they are built anew in the worker's thread, within a budget,
    while frames go on without findings. A thread that hangs, in an inference or while it builds networks, cannot be
    ended; it is left alone, and whatever it still delivers is thrown away.

    Parameters
    ----------
    analyser : Analyser
        Used by this worker's thread alone.
    on_result : callable
        Called in the worker's thread with every result and the time of each of its stages in ns.
    restart : callable
        See `Restart`; may raise, which counts as another failure.
    budget : RestartBudget
    hang_s, build_s : float
        See `HANG_S` and `BUILD_S`.
    on_off : callable
        Called in the worker's thread with why the AI stays off, and what to do about it.
    """

    def __init__(
        self,
        analyser: Analyser,
        on_result: Callable[[FrameResult, Mapping[str, int]], None],
        restart: Restart,
        budget: RestartBudget,
        hang_s: float = HANG_S,
        build_s: float = BUILD_S,
        on_off: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_result = on_result
        self._restart = restart
        self._budget = budget
        self._hang_ns, self._build_ns = round(hang_s * 1e9), round(build_s * 1e9)
        self._on_off = on_off
        self._slot = Slot()
        self._changed = threading.Condition()
        self._ends = threading.Event()
        self._newest: FrameResult | None = None
        self._failure = ""
        self._done_index = -1
        # When the present thread began an inference, and when it began to build; None where it does neither.
        self._begun_ns: int | None = None
        self._builds_ns: int | None = None
        self._working = True
        self._generation = 0
        self._next: Callable[[], Analyser] | None = None
        self.restarts: dict[str, int] = {}
        """How often the networks were built anew, by cause."""
        self.is_off = False
        """Whether nothing is built anew any more."""
        self._thread = self._start(analyser, Failure(""))

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
            now_ns = time.monotonic_ns()
            if self._begun_ns is not None and now_ns - self._begun_ns > self._hang_ns:
                self._leave_hanging(f"inference hangs for more than {self._hang_ns / 1e9:g} s")
            elif self._builds_ns is not None and now_ns - self._builds_ns > self._build_ns:
                self._leave_hanging(f"building the networks anew hangs for more than {self._build_ns / 1e9:g} s")
            return self._newest, self._failure

    @property
    def failure(self) -> str:
        """Why there are no results at the moment; empty where there are."""
        with self._changed:
            return self._failure

    def close(self) -> bool:
        """Stop after the frame in hand; whether no thread is left in the networks."""
        self._ends.set()
        self._slot.close()
        self._thread.join(JOIN_TIMEOUT_S)
        return not self._thread.is_alive()

    def _start(self, analyser: Analyser | None, failure: Failure) -> threading.Thread:
        thread = threading.Thread(
            target=self._work, args=(self._generation, analyser, failure), name="edge-us-inference", daemon=True
        )
        thread.start()
        return thread

    def _leave_hanging(self, cause: str) -> None:
        """Go on with another thread; the condition is held."""
        self._begun_ns = self._builds_ns = None
        self._working = False
        self._generation += 1
        self._failure = f"{cause}; restarting"
        self._thread = self._start(None, Failure(cause, _HANG_HINT, hangs=True))

    def _work(self, generation: int, analyser: Analyser | None, failure: Failure | None) -> None:
        if analyser is None and failure is not None:
            analyser = self._rebuild(generation, failure)
        while analyser is not None:
            frame = self._slot.take()
            if frame is None:
                return
            with self._changed:
                if generation != self._generation:
                    return
                self._begun_ns = time.monotonic_ns()
            failure = None
            analyser = self._replaced(generation, analyser)
            try:
                result = analyser.analyse(frame)
                if not self._deliver(generation, frame, result, analyser.stages_ns):
                    return
                analyser.learn()  # the result is out: nobody waits for this
            except Exception as error:  # whatever fails here must never take the live picture along
                failure = Failure.of(error)
            with self._changed:
                if generation != self._generation:
                    return
                self._begun_ns = None
                if failure is not None:
                    self._working, self._failure = False, f"{failure.message}; restarting"
                    self._done_index = frame.index
                    self._changed.notify_all()
            if failure is not None:
                analyser = self._rebuild(generation, failure)

    def _replaced(self, generation: int, analyser: Analyser) -> Analyser:
        """The analyser that somebody asked for, or the present one."""
        with self._changed:
            build, self._next = self._next, None
            if build is None:
                return analyser
            # Nobody waits for a frame while networks are built.
            self._working, self._begun_ns, self._builds_ns = False, None, time.monotonic_ns()
        try:
            return build()
        except Exception:  # whoever asked was told by `build`
            return analyser
        finally:
            with self._changed:
                if generation == self._generation:
                    self._working, self._begun_ns, self._builds_ns = True, time.monotonic_ns(), None

    def _deliver(self, generation: int, frame: Frame, result: FrameResult, stages_ns: Mapping[str, int]) -> bool:
        """Hand a result over; False where the thread was given up meanwhile."""
        with self._changed:
            if generation != self._generation:
                return False
            self._working, self._failure = True, ""
            self._budget.worked()
            self._newest, self._done_index = result, frame.index
            self._on_result(result, stages_ns)
            self._changed.notify_all()
            return True

    def _rebuild(self, generation: int, failure: Failure) -> Analyser | None:
        """Another analyser, as soon as one can be had within the budget; None if there is none."""
        while self._budget.take(time.monotonic_ns()):
            if self._ends.wait(self._budget.pause_s(time.monotonic_ns())):
                return None
            kind, lasted, analyser = "hang" if failure.hangs else "error", failure.lasts, None
            with self._changed:
                if generation != self._generation:
                    return None
                self._builds_ns = time.monotonic_ns()
                if not lasted:
                    self._count(kind)
            try:
                analyser = self._restart(failure, self._budget.recent(time.monotonic_ns()))
            except Exception as error:  # the next try, until the budget is used up
                failure = Failure.of(error)
            with self._changed:
                if generation != self._generation:
                    return None
                self._builds_ns = None
                if analyser is not None:
                    self._working = True
                    if lasted:  # others could be had: only now it is a restart
                        self._count(kind)
                    return analyser
            if failure.lasts:
                self._stay_off(failure, "off until edge-us is started again")
                return None
        self._stay_off(failure, f"off after {self._budget}")
        return None

    def _count(self, kind: str) -> None:
        self.restarts[kind] = self.restarts.get(kind, 0) + 1

    def _stay_off(self, failure: Failure, until: str) -> None:
        with self._changed:
            self._failure, self.is_off = f"{failure.message}; {until}", True
        self._on_off(f"the AI is {until}: {failure}")
