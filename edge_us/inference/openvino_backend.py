"""OpenVINO on the CPU: the embedded default.

Measured choices: streams and threads are said, not hinted at; one stream waits for its own result (a live picture),
several share the cores of a recording, where an inference on one thread costs two thirds of the CPU time that it costs
on two. The precision is always set explicitly, because OpenVINO otherwise takes bf16 on its own where the CPU has it;
uint8 goes in, and scaling, channel order and (for grey models) the copy to three channels are part of the graph.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_us.errors import ModelError, one_line
from edge_us.inference.backend import ONE_AT_A_TIME, BackendInfo, Concurrency, Lane, Precision
from edge_us.inference.libraries import load_openvino
from edge_us.inference.signal_stack import keeping_signal_stack

if TYPE_CHECKING:
    from edge_us.inference.backend import Network

_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.FP16: "f16"}


class OpenVinoBackend:
    """A network compiled by OpenVINO for the CPU.

    Parameters
    ----------
    model : Network
    precision : Precision
        FP32 or BF16: arithmetic of the compiled graph; INT8 for a quantised file, whose Q/DQ pairs become int8 kernels.
    threads : int or None
        Inference threads of all streams together; None leaves it to OpenVINO (all physical cores).
    concurrency : Concurrency
    floats : Precision, optional
        For a quantised file the arithmetic of what is not quantised: FP32 or BF16.
    """

    def __init__(
        self,
        model: Network,
        precision: Precision,
        threads: int | None = None,
        concurrency: Concurrency = ONE_AT_A_TIME,
        floats: Precision | None = None,
    ) -> None:
        ov = load_openvino()
        logging.getLogger("openvino").setLevel(logging.ERROR)
        config: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY" if concurrency.streams == 1 else "THROUGHPUT",
            "NUM_STREAMS": str(concurrency.streams),
            "INFERENCE_PRECISION_HINT": _HINTS[floats or precision],
        }
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            with keeping_signal_stack():
                graph = _with_uint8_input(ov, ov.Core().read_model(str(model.path)), model)
                self._compiled = ov.Core().compile_model(graph, "CPU", config)
            self.lanes = [_OpenVinoLane(self._compiled) for _ in range(concurrency.lanes)]
        except Exception as error:  # RuntimeError mostly, and what names that are not UTF-8 raise
            raise ModelError(
                f"OpenVINO cannot compile {model.path}: {one_line(error, last=True)}",
                "Use --backend onnxruntime for this model.",
            ) from None
        rest = "" if floats is None else f", {floats.value} where not quantised"
        device = f"CPU (OpenVINO {ov.__version__.split('-')[0]}{rest})"
        self.info = BackendInfo("openvino", precision.value, device)

    def close(self) -> None:
        """Release the network."""
        for lane in self.lanes:
            lane.settle()
        self.lanes = []


class _OpenVinoLane(Lane):
    """An infer request; the requests of one compiled model queue up inside OpenVINO."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._outputs = [self._request.get_output_tensor(number) for number in range(len(compiled.outputs))]
        self._shape = tuple(compiled.input(0).shape)
        self._image: NDArray[np.uint8] | None = None

    def start(self, image: NDArray[np.uint8]) -> None:
        self._image = image  # lent to OpenVINO until the result is there
        self._request.set_input_tensor(0, load_openvino().Tensor(image.reshape(self._shape), shared_memory=True))
        self._request.start_async()

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        try:
            self._request.wait()
        finally:
            self._image = None
        return tuple(np.asarray(tensor.data) for tensor in self._outputs)

    def settle(self) -> None:
        """Let a computation that nobody will fetch come to its end: it reads memory of ours."""
        if self._image is not None:
            with contextlib.suppress(RuntimeError):
                self._request.wait()
            self._image = None
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
