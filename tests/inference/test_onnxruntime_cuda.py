"""ONNX Runtime on a GPU, as far as it can be judged without one: bound buffers, and clear errors."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import onnxruntime as ort
import pytest

from edge_us.errors import MissingDependencyError
from edge_us.inference.backend import Precision
from edge_us.inference.model import load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from edge_us.inference.onnxruntime_cuda_backend import OPTIONS, PROVIDER, BoundLane, OnnxRuntimeCudaBackend


def test_bound_buffers_give_what_the_cpu_backend_gives() -> None:
    model = load_model("default")
    width, height = model.input_size
    shape = (height, width) if model.is_grey else (height, width, 3)
    pictures = np.random.default_rng(0).integers(0, 255, (2, *shape), dtype=np.uint8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
    first, second = BoundLane(session, model, "cpu"), BoundLane(session, model, "cpu")
    with closing(OnnxRuntimeBackend(model, threads=1)) as backend:
        first.start(pictures[0])
        second.start(pictures[1])
        for lane, picture in ((first, pictures[0]), (second, pictures[1])):
            for found, expected in zip(lane.wait(), backend.lanes[0].infer(picture), strict=True):
                np.testing.assert_allclose(found, expected, atol=1e-4)


def test_without_the_provider_it_is_a_clear_error() -> None:
    if PROVIDER in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has the CUDA provider")
    with pytest.raises(MissingDependencyError, match="has no CUDA provider"):
        OnnxRuntimeCudaBackend(load_model("default"), Precision.FP32, "a GPU")


def test_a_provider_that_cannot_be_loaded_is_an_error_and_never_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("default")
    monkeypatch.setattr(ort, "get_available_providers", lambda: [PROVIDER, "CPUExecutionProvider"])
    session = ort.InferenceSession

    def falls_back(path: str, options: object, providers: list[tuple[str, dict[str, str]]]) -> object:
        assert providers == [(PROVIDER, OPTIONS)]
        assert providers[0][1]["use_tf32"] == "0"
        return session(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", falls_back)
    with pytest.raises(MissingDependencyError, match="libraries of CUDA or cuDNN are missing"):
        OnnxRuntimeCudaBackend(model, Precision.FP32, "a GPU")
