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
from edge_us.inference.backend import Backend, Network, Precision
from edge_us.inference.tensorrt_backend import TensorRtBackend
from tests.cuda.fake_engine import FakeEngine, ready
from tests.cuda.played_gpu import Played
from tests.inference.test_gpu_choice import WHOLE

SOURCE = "phantom:?probe=linear&lesion=benign&size=640x480&frames=120&fps=20&seed=1"


def main() -> None:
    """One run."""
    provider, fallback = Provider(sys.argv[1]), sys.argv[2]
    played = Played()

    def opened(model: Network, precision: Precision, lanes: int) -> Backend:
        return TensorRtBackend(model, ready(FakeEngine(model.path, played)), open_driver(provider), lanes)

    with (
        patch("edge_us.inference.backends.open_tensorrt", opened),
        patch("edge_us.inference.backends.probe_gpu", lambda _name: WHOLE),
        patch("edge_us.inference.backends.unready_engine", lambda _model, _precision: ""),
    ):
        run = edge_us.run(SOURCE, mode="live", classifier="off", fallback=fallback)
        last = 0.0
        gaps = []
        for frame, _ in run:
            gaps.append(time.monotonic() - last if last else 0.0)
            last = time.monotonic()
            if frame.index == 30:
                played.hangs()
        ended = time.monotonic() - last
    print(json.dumps({**(run.report or {}), "longest_gap_s": max(gaps), "seconds_after_the_last_frame": ended}))


if __name__ == "__main__":
    main()
