"""Run as a program where libcuda is played: the whole of `bench/gpu.py`, with engines that ONNX Runtime computes.

Its arguments are those of the benchmark. Played are the GPU, TensorRT, and where tensors of ONNX Runtime lie: the
figures mean nothing, but each of them is measured in the way of a GPU's.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import gpu
import gpu_figures
import gpu_live
import gpu_networks

import edge_us.inference.backends as backends
import edge_us.tensorrt.prebuild
from edge_us.cuda.driver import open_driver
from edge_us.cuda.probe import probe_driver
from edge_us.inference.backend import Backend, BackendInfo, Lane, Network, Precision
from edge_us.inference.gpu import Gpu
from edge_us.inference.libraries import load_onnxruntime
from edge_us.inference.onnxruntime_cuda_backend import BoundLane
from edge_us.inference.tensorrt_backend import TensorRtBackend
from tests.cuda.agreement import phantoms
from tests.cuda.fake_engine import FakeEngine, ready
from tests.cuda.played_gpu import Played

PLAYED = Played()
SIZES = (320, 416, 224)
"""Of the shipped networks, and one that is made on the way; a large one proves no more."""
PHANTOMS = 2
"""The last of the sweep, with a lesion in the middle."""


class OnCpu:
    """ONNX Runtime's bound lanes, bound to the CPU."""

    def __init__(self, model: Network, precision: Precision, lanes: int) -> None:
        ort = load_onnxruntime()
        session = ort.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])
        self.lanes: list[Lane] = [BoundLane(session, model, "cpu") for _ in range(lanes)]
        self.info = BackendInfo("onnxruntime-cuda", precision.value, "a GPU that is played")

    def close(self) -> None:
        """Release the network."""
        self.lanes = []


def open_engine(model: Network, precision: Precision, lanes: int) -> Backend:
    """The model's file as an engine of that precision."""
    made = ready(FakeEngine(model.path, PLAYED))
    return TensorRtBackend(
        model, replace(made, info=replace(made.info, precision=precision.value)), open_driver(), lanes
    )


def main() -> None:
    """Exchange what needs a GPU, and measure."""
    here: Any = backends
    here.open_tensorrt = open_engine
    here.open_onnxruntime_cuda = OnCpu
    here.probe_gpu = lambda name=None: Gpu(probe_driver(), "cuda-bindings", True)
    here.unready_engine = lambda model, precision: ""
    edge_us.tensorrt.prebuild.prebuild = lambda *_: None  # type: ignore[assignment]
    gpu_networks.DEVICE = "cpu"
    gpu_networks.SIZES = SIZES
    gpu_networks.__dict__["phantoms"] = partial(phantoms, PHANTOMS)
    gpu_figures.WARM_UP = 1
    gpu_networks.LANES = gpu_live.SETTLING = 2
    gpu.main()


if __name__ == "__main__":
    main()
