"""Run as a program where libcuda is played: a live run whose GPU hangs for good after its first results.

``python -m tests.cuda.hanging_gpu PROVIDER none|cpu`` prints the run's report.
"""

from __future__ import annotations

import json
import sys
import time
from unittest.mock import patch

import edge_us
from edge_us.cuda.driver import Provider, open_driver
from edge_us.finding import SHOWING, FrameResult
from edge_us.inference.backend import Backend, Network, Precision
from edge_us.inference.tensorrt_backend import TensorRtBackend
from tests.cuda.fake_engine import FakeEngine, ready
from tests.cuda.played_gpu import Played
from tests.inference.test_gpu_choice import WHOLE

SOURCE = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=20&seed=1&loop=1"
BEFORE, AFTER = 10, 20
"""Frames that are shown before the GPU hangs, and after the run has dealt with it."""
WAIT_S = 120.0
"""As long as this whoever waits for the GPU would wait: it is seen, on a slow machine too."""
JOIN_S = 1.0
"""How long the run waits in the end for a thread that hangs in the GPU."""
LIMIT_S = 240.0


def main() -> None:
    """One run."""
    provider, fallback = Provider(sys.argv[1]), sys.argv[2]
    played = Played()
    hung_ns: int | None = None

    def opened(model: Network, precision: Precision, lanes: int) -> Backend:
        return TensorRtBackend(model, ready(FakeEngine(model.path, played)), open_driver(provider), lanes)

    def is_dealt_with(result: FrameResult) -> bool:
        if hung_ns is None:
            return False
        if fallback == "none":
            return "inference hangs" in result.reason
        return result.ai_state in SHOWING and result.captured_ns is not None and result.captured_ns > hung_ns

    with (
        patch("edge_us.inference.backends.open_tensorrt", opened),
        patch("edge_us.inference.backends.probe_gpu", lambda _name: WHOLE),
        patch("edge_us.inference.backends.unready_engine", lambda _model, _precision: ""),
        patch("edge_us.runtime.worker.JOIN_TIMEOUT_S", JOIN_S if fallback == "none" else WAIT_S),
        patch("edge_us.runtime.engine.CLOSE_S", WAIT_S),
    ):
        run = edge_us.run(SOURCE, mode="live", classifier="off", fallback=fallback)
        gaps, after = [], 0
        begun = last = time.monotonic()
        for number, (_, result) in enumerate(run):
            now = time.monotonic()
            gaps.append(now - last if number else 0.0)
            last = now
            if number == BEFORE:
                played.hangs()
                hung_ns = time.monotonic_ns()
            after += is_dealt_with(result)
            if after == AFTER or last - begun > LIMIT_S:
                run.stop()
        ended = time.monotonic() - last
    figures = {"after": after, "longest_gap_s": max(gaps), "seconds_after_the_last_frame": ended}
    print(json.dumps({**(run.report or {}), **figures}))


if __name__ == "__main__":
    main()
