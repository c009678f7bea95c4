"""ONNX Runtime on a GPU, as far as it can be judged without one: bound buffers, and clear errors."""

from __future__ import annotations

import weakref
from contextlib import closing

import numpy as np
import onnxruntime as ort
import pytest

from edge_us.errors import GpuLostError, MissingDependencyError, PipelineError
from edge_us.inference import onnxruntime_cuda_backend as module
from edge_us.inference.backend import Precision
from edge_us.inference.model import load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from edge_us.inference.onnxruntime_cuda_backend import OPTIONS, PROVIDER, BoundLane, OnnxRuntimeCudaBackend
from edge_us.runtime.engine import warm_up


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


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime with a CUDA provider that is its CPU provider under another name."""
    session = ort.InferenceSession

    def opened(path: str, options: object, providers: object) -> object:
        made = session(path, options, providers=["CPUExecutionProvider"])
        made.get_providers = lambda: [PROVIDER]
        return made

    monkeypatch.setattr(ort, "get_available_providers", lambda: [PROVIDER])
    monkeypatch.setattr(ort, "InferenceSession", opened)
    monkeypatch.setattr(module, "BoundLane", lambda session, model, _device: BoundLane(session, model, "cpu"))


@pytest.mark.usefixtures("on_the_cpu")
def test_closing_lets_go_of_the_session_and_all_buffers_whoever_still_holds_a_lane() -> None:
    backend = OnnxRuntimeCudaBackend(load_model("default"), Precision.FP32, "a GPU", lanes=2)
    lanes = list(backend._bound)  # the analyser of a network that failed still holds them
    held = [weakref.ref(part) for lane in lanes for part in (lane._session, lane._binding, lane._bound, *lane._heads)]
    backend.close()
    backend.close()
    assert [part() for part in held] == [None] * len(held)
    assert len(lanes) == 2
    assert not backend.lanes


class Broken:
    """A binding's session that fails as ONNX Runtime does."""

    def __init__(self, says: str) -> None:
        self.says = says

    def run_with_iobinding(self, binding: object) -> None:
        raise RuntimeError(self.says)


SAYS = "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. "


@pytest.mark.usefixtures("on_the_cpu")
@pytest.mark.parametrize(
    ("says", "kind", "hint"),
    [
        (f"{SAYS}CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR ; GPU=0", PipelineError, "--fallback cpu"),
        (f"{SAYS}CUDA failure 2: out of memory ; GPU=0", PipelineError, "End other programs"),
        (
            f"{SAYS}CUDA failure 700: an illegal memory access was encountered ; GPU=0",
            GpuLostError,
            "start edge-us again",
        ),
    ],
)
def test_what_fails_on_the_gpu_is_an_error_of_ours_with_a_hint(says: str, kind: type[PipelineError], hint: str) -> None:
    model = load_model("default")
    with closing(OnnxRuntimeCudaBackend(model, Precision.FP32, "a GPU")) as backend:
        backend._bound[0]._session = Broken(says)
        with pytest.raises(PipelineError, match="ONNX Runtime failed on the GPU") as caught:
            warm_up(model, backend)
    assert type(caught.value) is kind
    assert hint in caught.value.hint


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
