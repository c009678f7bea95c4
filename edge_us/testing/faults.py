"""Faults on a schedule, for tests and soaks: of sources (silent, black, resized) and networks (failing, hanging)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.source import Source
from edge_us.capture.state import after_silence, step
from edge_us.errors import PipelineError
from edge_us.finding import SourceState
from edge_us.frame import Frame, PixelFormat
from edge_us.inference.backend import Lane

if TYPE_CHECKING:
    import random


class FaultKind(str, Enum):
    """What goes wrong."""

    SILENCE = "silence"
    """The source delivers nothing: a pulled cable, a dead server."""
    BLACK = "black"
    FROZEN = "frozen"
    """The same picture again and again."""
    RESIZED = "resized"
    """Pictures of half the size."""
    CLOCK_JUMP = "clock jump"
    """Stream times jump by an hour."""
    RAISES = "raises"
    OUT_OF_MEMORY = "out of memory"
    NOT_A_NUMBER = "not a number"
    HANGS = "hangs"
    SLOW = "slow"
    """Each inference takes 0.15 s more."""


OF_SOURCE = frozenset({FaultKind.SILENCE, FaultKind.BLACK, FaultKind.FROZEN, FaultKind.RESIZED, FaultKind.CLOCK_JUMP})
SLOWER_S = 0.15
JUMP_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, from ``at_s`` for ``lasts_s`` seconds."""

    kind: FaultKind
    at_s: float
    lasts_s: float

    def holds(self, now_s: float) -> bool:
        """Whether it is there now."""
        return self.at_s <= now_s < self.at_s + self.lasts_s


class Schedule:
    """Which faults hold, by the time since `start`.

    Parameters
    ----------
    faults : sequence of Fault
    now : callable
        Monotonic time in s.
    """

    def __init__(self, faults: Sequence[Fault], now: Callable[[], float] = time.monotonic) -> None:
        self.faults = tuple(faults)
        self._now = now
        self._started: float | None = None

    def start(self) -> None:
        """Time 0 is now; before it nothing goes wrong."""
        self._started = self._started or self._now()

    def holds(self, kind: FaultKind) -> bool:
        """Whether such a fault is there now."""
        if self._started is None:
            return False
        at = self._now() - self._started
        return any(fault.kind is kind and fault.holds(at) for fault in self.faults)


def draw_faults(seconds: float, rng: random.Random, every_s: float = 12.0) -> list[Fault]:
    """Faults of every kind at random times, one after the other with pauses between them."""
    kinds = list(FaultKind)
    faults, at = [], 3.0
    while at < seconds - 8.0:
        kind = rng.choice(kinds)
        lasts = rng.uniform(0.05, 0.3) if kind in NETWORK_AT_ONCE else rng.uniform(0.3, 4.0)
        faults.append(Fault(kind, at, lasts))
        at += lasts + rng.uniform(0.5, 2.0) * every_s
    return faults


NETWORK_AT_ONCE = frozenset({FaultKind.RAISES, FaultKind.OUT_OF_MEMORY, FaultKind.NOT_A_NUMBER, FaultKind.HANGS})


class FaultySource(Source):
    """A source with faults; it takes the states that a live source takes."""

    def __init__(self, source: Source, schedule: Schedule) -> None:
        self._source, self._schedule = source, schedule
        self.info = source.info
        self._state = source.state
        self._last: Frame | None = None
        self._silent_since: float | None = None
        self._lost = 0
        self._index = 0
        self._jumped_ns = 0
        self._jumps = False

    @property
    def state(self) -> SourceState:
        """Running, or what silence makes of a live source."""
        return self._source.state if self._silent_since is None else self._state

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of the source."""
        return self._source.warnings

    @property
    def dropped(self) -> Mapping[str, int]:
        """Of the source."""
        return self._source.dropped

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, as the faults leave it."""
        frame = self._source.read(timeout_s)
        if frame is not None:
            self._schedule.start()
        if self._schedule.holds(FaultKind.SILENCE):
            now = time.monotonic()
            if self._silent_since is None:
                self._silent_since, self._state = now, SourceState.RUNNING
            state = after_silence(self._state, now - self._silent_since, self.info.fps, None)
            self._state = step(self._state, state) if self._state is not SourceState.RECONNECTING else self._state
            return None
        self._silent_since = None
        if frame is None:
            return None
        index, self._index = self._index, self._index + 1
        return self._changed(replace(frame, index=index))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _changed(self, frame: Frame) -> Frame:
        holds = self._schedule.holds
        jumps = holds(FaultKind.CLOCK_JUMP)
        if jumps and not self._jumps:
            self._jumped_ns += JUMP_NS
        self._jumps = jumps
        frame = replace(frame, pts_ns=frame.pts_ns + self._jumped_ns)
        if holds(FaultKind.FROZEN) and self._last is not None:
            return replace(frame, pixels=self._last.pixels, width=self._last.width, height=self._last.height)
        if holds(FaultKind.BLACK):
            frame = replace(frame, pixels=np.zeros_like(frame.pixels))
        elif holds(FaultKind.RESIZED) and frame.format in (PixelFormat.GRAY8, PixelFormat.BGR):
            half = np.ascontiguousarray(frame.pixels[::2, ::2])
            frame = replace(frame, pixels=half, width=half.shape[1], height=half.shape[0])
        self._last = frame
        return frame


class FaultyLane(Lane):
    """A lane that fails when its schedule says so."""

    def __init__(self, lane: Lane, schedule: Schedule) -> None:
        self._lane, self._schedule = lane, schedule

    def start(self, image: NDArray[np.uint8]) -> None:
        """As the lane."""
        self._lane.start(image)

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        """What the lane gives, or the fault."""
        holds = self._schedule.holds
        heads = self._lane.wait()
        if holds(FaultKind.RAISES):
            raise PipelineError("the device is lost", "It is not: this is a test.")
        if holds(FaultKind.OUT_OF_MEMORY):
            raise MemoryError("out of memory")
        if holds(FaultKind.NOT_A_NUMBER):
            return tuple(np.full_like(head, np.nan) for head in heads)
        if holds(FaultKind.HANGS):
            time.sleep(5.0)
        if holds(FaultKind.SLOW):
            time.sleep(SLOWER_S)
        return heads


@contextmanager
def faults(schedule: Schedule) -> Iterator[None]:
    """Within it, every source that is opened and every detector that is compiled has the faults of the schedule."""
    from edge_us.capture.open import open_source
    from edge_us.inference.backends import open_backend

    def source(*words: Any, **options: Any) -> Source:
        return FaultySource(open_source(*words, **options), schedule)

    def backend(*words: Any, **options: Any) -> Any:
        return _Faulty(open_backend(*words, **options), schedule)

    with (
        patch("edge_us.capture.open.open_source", source),
        patch("edge_us.inference.backends.open_backend", backend),
    ):
        yield


class _Faulty:
    """A backend with faulty lanes."""

    def __init__(self, backend: Any, schedule: Schedule) -> None:
        self._backend, self._schedule = backend, schedule
        self.info = backend.info

    @property
    def lanes(self) -> list[Lane]:
        return [FaultyLane(lane, self._schedule) for lane in self._backend.lanes]

    def close(self) -> None:
        self._backend.close()
