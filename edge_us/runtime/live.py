"""Mode `live`: each frame is shown on time, whatever the network does."""

from __future__ import annotations

import time
from collections.abc import Mapping

from edge_us.capture.state import OVER
from edge_us.finding import FrameResult, SourceState
from edge_us.replay.bundle import Happening
from edge_us.runtime.analyser import Analyser
from edge_us.runtime.composer import Captured
from edge_us.runtime.failure import Failure
from edge_us.runtime.present import present
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.way import Shown, Way
from edge_us.runtime.worker import InferenceWorker

READ_TIMEOUT_S = 0.05
"""How often the clock is looked at while no frame comes."""


def live(way: Way) -> Shown:
    """Walk over a source that does not wait: this thread captures, presents and draws, one more infers."""
    config, source, bundle = way.config, way.source, way.bundle
    wait_ms = 1e3 / way.fps if config.max_wait_ms is None else config.max_wait_ms

    def restart(failure: Failure, attempt: int) -> Analyser:
        way.networks.renew(failure, attempt)
        way.tell_networks()
        if bundle is not None:
            bundle.note(Happening.RESTARTED)
        way.analyser = way.networks.analyser(source.info.kind)
        return way.analyser

    def count(result: FrameResult, stages_ns: Mapping[str, int]) -> None:
        way.count(stages_ns)
        if bundle is not None:
            bundle.note(Happening.INFERRED, frame=result.frame_index)

    def off(why: str) -> None:
        way.networks.warnings.append(why)
        way.status.warns(why, about="ai")

    worker = InferenceWorker(way.analyser, count, restart, RestartBudget(), on_off=off)
    way.ledger.restarts = worker.restarts
    last: Captured | None = None
    state = SourceState.RUNNING
    try:
        while source.state not in OVER:
            frame = source.read(READ_TIMEOUT_S)
            way.beat()
            way.ledger.lost = source.dropped
            if source.state is not state and bundle is not None:
                bundle.note(Happening.SOURCE, state=source.state)
            state = source.state
            way.status.source_is(state)
            if frame is None:
                if way.is_stopped():
                    return
                if last is not None and state is not SourceState.RUNNING:
                    way.show_again(last, state)
                continue
            last = captured = way.capture(frame)
            frame = captured.frame
            if way.exam_changes:
                worker.replace(way.change_exam)
            worker.offer(frame)
            newest, failure = worker.newest(frame.index, frame.captured_ns + int(wait_ms * 1e6))
            failure = captured.withheld or failure
            shown = present(frame, newest, source.state, time.monotonic_ns(), config.max_age_ms, failure)
            yield way.show(captured, shown)
            if way.is_stopped() or way.ledger.shown == config.max_frames:
                return
    finally:
        if not worker.close():
            way.networks.close(hanging=True)
        if worker.failure and not worker.is_off:
            way.networks.warnings.append(f"the AI was off at the end: {worker.failure}")
