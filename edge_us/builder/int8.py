"""INT8: Q/DQ pairs around the convolutions, their ranges measured on calibration pictures.

Inputs of convolutions and residual additions and the weights are quantised, outputs are not: between a convolution and
its activation function a second rounding would cost accuracy (prototypes 1.1 off instead of 0.5) and the fusion of the
two (0.72 of fp32's time instead of 0.62).
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_us.builder.graph import name_nodes, quantised_nodes, read_graph
from edge_us.builder.packages import load_onnx, load_package
from edge_us.errors import ModelError
from edge_us.inference.onnxruntime_backend import fill_input

if TYPE_CHECKING:
    from edge_us.inference.model import Model

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each tensor, by its name in the graph."""
OPERATORS = ("Conv", "Add")
CHUNK = 8
"""Pictures whose tensors are in memory together: about 60 MB each at 320 px."""
LARGEST_RANGE = 1e6
"""No activation of a sound network comes near; beyond, weights are broken."""


class CalibrationMethod(str, Enum):
    """How a tensor's range follows from the values that it took."""

    MINMAX = "minmax"
    """From the smallest to the largest."""
    PERCENTILE = "percentile"
    """Without the outermost values."""
    ENTROPY = "entropy"
    """The range whose rounded histogram is nearest to the real one (Kullback-Leibler), with ONNX Runtime's 128 bins:
    only what lies beyond the first pictures' range is cut. Measured on lesion-fast with 300 pictures, mean change of a
    picture's best score on `val`: 0.014; minmax 0.026, percentile 99.99 0.024, 99.999 0.014; entropy with 512 bins
    0.028."""


@dataclass(frozen=True, slots=True)
class Int8Settings:
    """What a quantised file depends on besides its source and its pictures.

    Attributes
    ----------
    method : CalibrationMethod
    percentile : float
        For PERCENTILE: per cent of the values that lie inside the range.
    keep_float : tuple of str
        Nodes whose names contain one of these texts are not quantised.
    signed : bool
        Activations as int8 around zero instead of uint8 with a zero point. TensorRT takes nothing else; OpenVINO
        2026.4.1 computes such graphs wrongly (no finding at all on lesion-fast, where ONNX Runtime agrees with fp32).
    """

    method: CalibrationMethod = CalibrationMethod.ENTROPY
    percentile: float = 99.99
    keep_float: tuple[str, ...] = ()
    signed: bool = False


def measure_ranges(
    model: Model,
    pictures: Iterable[NDArray[np.uint8]],
    settings: Int8Settings,
    progress: Callable[[int], None] | None = None,
) -> dict[str, tuple[float, float]]:
    """Run the calibration pictures through the float model on ONNX Runtime and measure its tensors.

    Parameters
    ----------
    model : Model
        Float.
    pictures : iterable of ndarray of uint8, shape (height, width) or (height, width, 3)
        As `pictures.letterboxed` gives them.
    settings : Int8Settings
    progress : callable, optional
        Called with the number of pictures done.

    Returns
    -------
    dict
        Name of the tensor to its lowest and highest value.

    Raises
    ------
    ModelError
        The graph cannot be read, or its tensors are not finite.
    MissingDependencyError
        The extra ``build`` is not installed.
    """
    load_onnx()
    quantization = load_package("onnxruntime.quantization", "onnx")
    methods = quantization.CalibrationMethod
    method, options = {
        CalibrationMethod.MINMAX: (methods.MinMax, {}),
        CalibrationMethod.PERCENTILE: (methods.Percentile, {"percentile": settings.percentile}),
        CalibrationMethod.ENTROPY: (methods.Entropy, {}),
    }[settings.method]
    waiting = _inputs(model, pictures, progress)
    # The calibrators print to standard output, which is a user's.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        calibrator = quantization.create_calibrator(
            str(model.path),
            list(OPERATORS),
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=method,
            extra_options=options,
        )
        # In chunks: a calibrator keeps every tensor of every picture that it is given at once.
        while chunk := list(islice(waiting, CHUNK)):
            calibrator.collect_data(_Reader(chunk))
        measured = calibrator.compute_data()
    ranges = {}
    for name, data in measured.items():
        low, high = (float(np.min(side)) for side in data.range_value)
        if not (np.isfinite(low) and np.isfinite(high) and abs(low) < LARGEST_RANGE and abs(high) < LARGEST_RANGE):
            raise ModelError(
                f"{model.path}: the tensor {name} takes values from {low:g} to {high:g}", "The weights are broken."
            )
        ranges[name] = (low, high)
    return ranges


def quantise(model: Model, ranges: Ranges, settings: Int8Settings) -> Any:
    """The ONNX model with Q/DQ pairs: weights int8 per channel, activations uint8 (or int8, if signed).

    Parameters
    ----------
    model : Model
        Float.
    ranges : mapping
        As `measure_ranges` gives them.
    settings : Int8Settings

    Raises
    ------
    ModelError
        The graph cannot be read, has nothing to quantise, or the ranges are another graph's.
    """
    quantization = load_package("onnxruntime.quantization", "onnx")
    calibrate = load_package("onnxruntime.quantization.calibrate", "onnx")  # before 1.24 the class is here alone
    graph = read_graph(model.path)
    name_nodes(graph)
    nodes = quantised_nodes(graph, OPERATORS, settings.keep_float)
    inputs = {name for node in graph.graph.node if node.name in set(nodes) for name in node.input[:1]}
    if unknown := sorted(inputs - set(ranges)):
        raise ModelError(
            f"there is no range for {len(unknown)} tensors of {model.path}, {unknown[0]} among them",
            "Calibrate anew: --calibration MANIFEST.csv.",
        )
    data = {name: tuple(np.array(side, np.float32) for side in pair) for name, pair in ranges.items()}
    kind = quantization.QuantType
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # advice to preprocess: batch norms are folded at export already
    try:
        quantizer = quantization.QDQQuantizer(
            graph,
            per_channel=True,
            reduce_range=False,
            weight_qType=kind.QInt8,
            activation_qType=kind.QInt8 if settings.signed else kind.QUInt8,
            tensors_range=calibrate.TensorsData(quantization.CalibrationMethod.MinMax, data),
            nodes_to_quantize=nodes,
            nodes_to_exclude=[],
            op_types_to_quantize=list(OPERATORS),
            extra_options={
                "ActivationSymmetric": settings.signed,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": list(OPERATORS),
            },
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    finally:
        logging.disable(level)
    return quantizer.model.model


class _Reader:
    """A chunk of inputs, one after the other, as ONNX Runtime's calibrators ask for them."""

    def __init__(self, chunk: list[dict[str, NDArray[np.float32]]]) -> None:
        self._rest = iter(chunk)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._rest, None)


def _inputs(
    model: Model, pictures: Iterable[NDArray[np.uint8]], progress: Callable[[int], None] | None
) -> Iterator[dict[str, NDArray[np.float32]]]:
    name = read_graph(model.path).graph.input[0].name
    width, height = model.input_size
    for number, picture in enumerate(pictures, 1):
        tensor = np.empty((1, model.channels, height, width), np.float32)
        fill_input(picture, tensor, model.is_grey or model.channels == 1)
        yield {name: tensor}
        if progress is not None:
            progress(number)
