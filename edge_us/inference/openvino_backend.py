"""OpenVINO on the CPU: the embedded default.

Measured choices: the LATENCY hint with one stream and blocking inference; the precision is always set explicitly,
because OpenVINO otherwise takes bf16 on its own where the CPU has it; uint8 goes in, and scaling, channel order
and (for grey models) the copy to three channels are part of the compiled graph.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_us.errors import ModelError
from edge_us.inference.backend import BackendInfo, Precision

if TYPE_CHECKING:
    from edge_us.inference.backend import Network

_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.FP16: "f16"}


class OpenVinoBackend:
    """A network compiled by OpenVINO for the CPU.

    Parameters
    ----------
    model : Network
    precision : Precision
        FP32 or BF16: arithmetic of the compiled graph.
    threads : int or None
        Inference threads; None leaves it to OpenVINO (all physical cores).
    """

    def __init__(self, model: Network, precision: Precision, threads: int | None = None) -> None:
        import openvino as ov

        logging.getLogger("openvino").setLevel(logging.ERROR)
        config: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
        }
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            graph = _with_uint8_input(ov, ov.Core().read_model(str(model.path)), model)
            self._compiled = ov.Core().compile_model(graph, "CPU", config)
        except RuntimeError as error:
            first = str(error).strip().splitlines()[-1][:200]
            raise ModelError(
                f"OpenVINO cannot compile {model.path}: {first}", "Use --backend onnxruntime for this model."
            ) from None
        self._request = self._compiled.create_infer_request()
        self._outputs = [self._request.get_output_tensor(number) for number in range(len(self._compiled.outputs))]
        self._shape = tuple(self._compiled.input(0).shape)
        self.info = BackendInfo("openvino", precision.value, f"CPU (OpenVINO {ov.__version__.split('-')[0]})")

    def infer(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Run the network on one letterboxed picture; see `Backend.infer`."""
        import openvino as ov

        self._request.set_input_tensor(0, ov.Tensor(image.reshape(self._shape), shared_memory=True))
        self._request.infer()
        return tuple(np.asarray(tensor.data) for tensor in self._outputs)

    def close(self) -> None:
        """Release the network."""
        self._outputs = []


def _with_uint8_input(ov: Any, graph: Any, model: Network) -> Any:
    """Replace the float NCHW input by uint8 NHWC; the arithmetic on the way moves into the graph."""
    ops = ov.opset8
    width, height = model.input_size
    grey = model.is_grey or model.channels == 1
    picture = ops.parameter([1, height, width, 1 if grey else 3], np.uint8, name="picture")
    value = ops.multiply(ops.convert(picture, "f32"), np.float32(1 / 255))
    if grey:
        value = ops.reshape(value, np.array([1, 1, height, width], np.int64), special_zero=False)
        if model.channels == 3:
            value = ops.concat([value, value, value], axis=1)
    else:
        value = ops.gather(value, np.array([2, 1, 0], np.int64), np.array(3, np.int64))
        value = ops.transpose(value, np.array([0, 3, 1, 2], np.int64))
    old = graph.input(0)
    for consumer in old.get_target_inputs():
        consumer.replace_source_output(value.output(0))
    return ov.Model(graph.get_results(), [picture], model.name)
