"""`SampleLedger`: a run's ledger that keeps every frame and stage, so that any part of the run can be looked at."""

from __future__ import annotations

import time
from array import array

import numpy as np
from numpy.typing import NDArray

from edge_us.runtime.ledger import Ledger
from edge_us.runtime.machine import cpu_ns

Stamps = NDArray[np.int64]


class SampleLedger(Ledger):
    """Counts as the ledger of a run does, and keeps a row for each frame: 32 bytes and 16 a stage."""

    def __init__(self) -> None:
        super().__init__()
        self._frames = array("q")
        self._stages: dict[str, array[int]] = {}

    def stage(self, name: str, duration_ns: int) -> None:
        """Keep the time that one stage took, and when."""
        super().stage(name, duration_ns)
        self._stages.setdefault(name, array("q")).extend((time.monotonic_ns(), duration_ns))

    def show(self, captured_ns: int, done_ns: int, *, own_result: bool) -> None:
        """Keep the frame's stamps and the process's CPU time until then."""
        super().show(captured_ns, done_ns, own_result=own_result)
        self._frames.extend((captured_ns, done_ns, int(own_result), cpu_ns()))

    @property
    def frames(self) -> Stamps:
        """Captured, shown, whether with its own result, CPU time so far; shape (frames, 4), times in ns."""
        return np.array(self._frames, np.int64).reshape(-1, 4)

    @property
    def stage_samples(self) -> dict[str, Stamps]:
        """For each stage when it ended and how long it took; shape (n, 2), in ns."""
        return {name: np.array(values, np.int64).reshape(-1, 2) for name, values in self._stages.items()}
