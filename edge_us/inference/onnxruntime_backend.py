"""ONNX Runtime on the CPU: the fallback that takes graphs which OpenVINO cannot compile.

Spinning is off: measured at a 30 fps pace, ONNX Runtime's waiting threads burn 125 % CPU where OpenVINO burns 52 %,
and they starve the encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_us.errors import ModelError, one_line
from edge_us.inference.backend import BackendInfo, Lane, Precision
from edge_us.inference.libraries import load_onnxruntime

if TYPE_CHECKING:
    from edge_us.inference.backend import Network


class OnnxRuntimeBackend:
    """A network run by ONNX Runtime's CPU provider: Q/DQ files in int8, all others in fp32.

    Parameters
    ----------
    model : Network
    threads : int or None
        Inference threads; None leaves it to ONNX Runtime (all physical cores).
    lanes : int
        Each computes when it is waited for, on all threads: as a fallback it need not overlap.
    precision : Precision
        FP32, or INT8 for a quantised file: follows from the file, and is what is reported.
    """

    def __init__(
        self, model: Network, threads: int | None = None, lanes: int = 1, precision: Precision = Precision.FP32
    ) -> None:
        ort = load_onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            session = ort.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(
                f"ONNX Runtime cannot load {model.path}: {one_line(error)}",
                "Check the file with `edge-us models show`.",
            ) from None
        self.lanes = [_OnnxRuntimeLane(session, model) for _ in range(lanes)]
        self.info = BackendInfo("onnxruntime", precision.value, f"CPU (ONNX Runtime {ort.__version__})")

    def close(self) -> None:
        """Nothing to release beyond the object itself."""


class _OnnxRuntimeLane(Lane):
    def __init__(self, session: Any, model: Network) -> None:
        width, height = model.input_size
        self._session = session
        self._grey = model.is_grey or model.channels == 1
        self._name = session.get_inputs()[0].name
        self._input = np.empty((1, model.channels, height, width), np.float32)

    def start(self, image: NDArray[np.uint8]) -> None:
        fill_input(image, self._input, self._grey)

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        heads = self._session.run(None, {self._name: self._input})
        return tuple(np.asarray(head, np.float32) for head in heads)


def fill_input(image: NDArray[np.uint8], out: NDArray[np.float32], grey: bool) -> None:
    """Write a letterboxed picture into the network's input; calibration sees the very same numbers.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey, or BGR.
    out : ndarray of float32, shape (1, channels, height, width)
        Filled with 0..1, colour as RGB, grey repeated on every channel.
    grey : bool
    """
    scale = np.float32(1 / 255)
    if grey:
        np.multiply(image, scale, out=out[0, 0], casting="unsafe")
        out[0, 1:] = out[0, 0]
    else:
        np.multiply(image[..., ::-1].transpose(2, 0, 1), scale, out=out[0], casting="unsafe")
