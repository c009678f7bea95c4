"""ONNX Runtime on a GPU: the backend for GPUs without an engine.

Heads are bound to buffers that stay, on the device, and come down when they are waited for. TF32, which ONNX Runtime
switches on for fp32, is off: what is called fp32 is computed in fp32.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_us.cuda.driver import STICKY, STICKY_HINT
from edge_us.errors import GpuLostError, MissingDependencyError, ModelError, PipelineError, one_line
from edge_us.inference.backend import BackendInfo, Lane, Precision
from edge_us.inference.libraries import load_onnxruntime
from edge_us.inference.onnxruntime_backend import fill_input

if TYPE_CHECKING:
    from edge_us.inference.backend import Network

PROVIDER = "CUDAExecutionProvider"
_FAILED_HINT = (
    "End other programs that use the GPU, or take a smaller model; --fallback cpu goes on without the GPU. "
    "Look for Xid messages with `sudo dmesg | grep -i xid`."
)
OPTIONS = {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}
_TYPES: dict[str, type[np.generic]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxRuntimeCudaBackend:
    """A network run by ONNX Runtime's CUDA provider.

    Parameters
    ----------
    model : Network
    precision : Precision
        That lies in the file; it is what is computed in, and what is reported.
    gpu : str
        Name of the GPU, for reports.
    lanes : int
        Each has buffers of its own; it computes when it is waited for.

    Raises
    ------
    MissingDependencyError
        ONNX Runtime has no CUDA provider, or the provider's libraries (CUDA, cuDNN) are not there.
    ModelError
        It cannot load the network.
    """

    def __init__(self, model: Network, precision: Precision, gpu: str, lanes: int = 1) -> None:
        ort = load_onnxruntime()

        if PROVIDER not in ort.get_available_providers():
            raise MissingDependencyError(
                "this ONNX Runtime has no CUDA provider",
                "pip uninstall onnxruntime && pip install onnxruntime-gpu",
            )
        _load_libraries(ort)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(str(model.path), options, providers=[(PROVIDER, OPTIONS)])
        except Exception as error:
            raise ModelError(
                f"ONNX Runtime cannot load {model.path} for the GPU: {one_line(error)}",
                "Check the file with `edge-us models show`.",
            ) from None
        if PROVIDER not in session.get_providers():  # it falls back to the CPU without an error
            raise MissingDependencyError(
                "ONNX Runtime cannot load its CUDA provider: libraries of CUDA or cuDNN are missing",
                "pip install 'onnxruntime-gpu[cuda,cudnn]', or use --backend openvino.",
            )
        with _told():
            self._bound = [BoundLane(session, model, "cuda") for _ in range(lanes)]
        self.lanes: Sequence[Lane] = self._bound
        self.info = BackendInfo(
            "onnxruntime-cuda", precision.value, f"{gpu} (ONNX Runtime {ort.__version__}, TF32 off)"
        )

    def close(self) -> None:
        """Release the network and its buffers, whoever still holds a lane; may be called more than once."""
        for lane in self._bound:
            lane.release()
        self.lanes, self._bound = (), []


def _load_libraries(ort: Any) -> None:
    """CUDA and cuDNN may have come with pip, where the system's loader does not look."""
    if hasattr(ort, "preload_dlls"):
        with redirect_stdout(io.StringIO()):  # it prints what it does not find; whether that matters shows below
            ort.preload_dlls()


@contextmanager
def _told() -> Iterator[None]:
    """Turn what ONNX Runtime raises over a GPU into errors of ours."""
    try:
        yield
    except Exception as error:  # kinds of its own, which its module does not name
        message = f"ONNX Runtime failed on the GPU: {one_line(error)}"
        number = re.search(r"CUDA failure (\d+)", str(error))
        if number is not None and int(number[1]) in STICKY.values():
            raise GpuLostError(message, STICKY_HINT) from None
        raise PipelineError(message, _FAILED_HINT) from None


class BoundLane(Lane):
    """A session whose input and outputs lie in fixed buffers on a device.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    model : Network
    device : str
        ``cuda``; the tests bind to ``cpu``.
    """

    def __init__(self, session: Any, model: Network, device: str) -> None:
        ort = load_onnxruntime()

        width, height = model.input_size
        self._session: Any = session
        self._grey = model.is_grey or model.channels == 1
        source = session.get_inputs()[0]
        self._floats = np.empty((1, model.channels, height, width), np.float32)
        self._input = self._floats.astype(_TYPES[source.type])
        self._bound: Any = ort.OrtValue.ortvalue_from_numpy(self._input, device, 0)
        self._binding: Any = session.io_binding()
        self._binding.bind_ortvalue_input(source.name, self._bound)
        self._heads: list[Any] = []
        for output in session.get_outputs():
            head = ort.OrtValue.ortvalue_from_shape_and_type(
                [side if isinstance(side, int) else 1 for side in output.shape], _TYPES[output.type], device, 0
            )
            self._binding.bind_ortvalue_output(output.name, head)
            self._heads.append(head)

    def start(self, image: NDArray[np.uint8]) -> None:
        """Begin with one letterboxed picture."""
        fill_input(image, self._floats, self._grey)
        np.copyto(self._input, self._floats, casting="same_kind")
        with _told():
            self._bound.update_inplace(self._input)

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        """Compute and fetch."""
        with _told():
            self._session.run_with_iobinding(self._binding)
            return tuple(np.asarray(head.numpy(), np.float32) for head in self._heads)

    def release(self) -> None:
        """Let go of the session and of everything on the device; the lane is of no use any more."""
        # The binding before what is bound, and the session, which owns the device's memory, at last.
        self._binding = None
        self._bound, self._heads = None, []
        self._session = None
