"""How far a build is: nested phases with steps, told as per cent of the outermost one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_us.tensorrt.api import Progress


@dataclass(slots=True)
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Phases:
    """The phases that are going on. Names are unique among them."""

    def __init__(self) -> None:
        self._open: dict[str, _Phase] = {}
        self._most: dict[str, int] = {}

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins."""
        known = parent if parent in self._open and parent != name else None
        if known is None:
            self._most.pop(name, None)
        self._open.pop(name, None)  # the newest phase comes last
        self._open[name] = _Phase(known, max(1, steps))

    def step(self, name: str, number: int) -> None:
        """Step ``number``, counted from 0, is done."""
        if name in self._open:
            self._open[name].done = number + 1

    def finish(self, name: str) -> None:
        """A phase ends, perhaps before all of its steps were done."""
        self._open.pop(name, None)

    def outermost(self) -> tuple[str, int] | None:
        """Name of the phase that holds the newest one, and how much of it is done in per cent; None between phases."""
        if not self._open:
            return None
        name, share = next(reversed(self._open)), 0.0
        for _ in range(len(self._open)):
            phase = self._open[name]
            share = min(1.0, (phase.done + share) / phase.steps)
            if phase.parent is None or phase.parent not in self._open:
                break
            name = phase.parent
        # Builders go over their steps more than once: what was told is not taken back.
        self._most[name] = max(self._most.get(name, 0), int(100 * share))
        return name, self._most[name]


def monitor(trt: Any, progress: Progress) -> Any:
    """A progress monitor for a builder's configuration; ``stopped`` holds what ended the build, else None.

    It is called from inside the builder, where an exception, Ctrl-C among them, would end the process: it is kept, the
    build is told to stop, and whoever started it raises it again.
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.stopped: BaseException | None = None
            self._phases = Phases()
            self._told: tuple[str, int] | None = None

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._phases.start(phase_name, parent_phase, num_steps)
            self._tell()

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._phases.step(phase_name, step)
            self._tell()
            return self.stopped is None

        def phase_finish(self, phase_name: str) -> None:
            self._phases.finish(phase_name)

        def _tell(self) -> None:
            try:
                now = self._phases.outermost()
                if now is not None and now != self._told:
                    self._told = now
                    progress(*now, 100)
            except BaseException as error:
                self.stopped = self.stopped or error

    return Monitor()
