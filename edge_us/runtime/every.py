"""Mode `every`: each frame waits for its own inference."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from edge_us.errors import EdgeUsError, PipelineError
from edge_us.finding import FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.runtime.analyser import Begun
from edge_us.runtime.composer import Captured
from edge_us.runtime.present import present
from edge_us.runtime.way import Shown, Way

T = TypeVar("T")


def every(way: Way) -> Shown:
    """Walk over a recording: captured = inferred = shown.

    With several lanes the next frames are inferred while this one is drawn and recorded; the order is kept.
    """
    begun: deque[tuple[Captured, Begun]] = deque()
    ledger = way.ledger
    try:
        for frame in way.source:
            if way.exam_changes:
                while begun:
                    yield _finish(way, *begun.popleft())
                way.change_exam()
            captured = way.capture(frame)
            begun.append((captured, _inferring(frame.index, partial(way.analyser.begin, captured.frame))))
            if len(begun) == way.analyser.lanes:
                yield _finish(way, *begun.popleft())
            if way.is_stopped() or ledger.captured == way.config.max_frames:
                break
        while begun:
            yield _finish(way, *begun.popleft())
    finally:
        ledger.drop("run broken off", ledger.captured - ledger.shown)


def _finish(way: Way, captured: Captured, begun: Begun) -> tuple[Frame, FrameResult]:
    frame = captured.frame
    result = _inferring(frame.index, partial(way.analyser.finish, begun))
    way.count(way.analyser.stages_ns)
    way.beat()
    now_ns = time.monotonic_ns()
    return way.show(captured, present(frame, result, SourceState.RUNNING, now_ns, float("inf"), captured.withheld))


def _inferring(index: int, step: Callable[[], T]) -> T:
    """Do one step of inference; what is not one of our own errors becomes one."""
    try:
        return step()
    except EdgeUsError:
        raise
    except Exception as error:
        raise PipelineError(
            f"inference failed on frame {index}: {type(error).__name__}: {error}",
            "Try another --backend; everything shown until here is on disk.",
        ) from error
