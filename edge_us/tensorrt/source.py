"""The ONNX file that an engine is built from: the model's own, or a cast of it that is kept beside the engine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.errors import PipelineError, UsageError
from edge_us.inference.backend import Precision

if TYPE_CHECKING:
    from edge_us.inference.backend import Network

ENGINE_PRECISIONS = (Precision.FP32, Precision.FP16, Precision.INT8)


def engine_precision(network: Network, asked: Precision) -> Precision:
    """The precision of a model's engine.

    Parameters
    ----------
    network : Network
    asked : Precision
        AUTO gives what lies in the file, and FP16 for an FP32 file: half the time on a GPU, scores within 0.004.

    Raises
    ------
    UsageError
        It cannot be made from the file: only FP32 can be cast, and INT8 is made with calibration and gate.
    """
    stored = network.stored
    if asked is Precision.AUTO:
        return Precision.FP16 if stored is Precision.FP32 else stored
    if asked is stored or (asked is Precision.FP16 and stored is Precision.FP32):
        return asked
    if asked is Precision.INT8:
        raise UsageError(
            f"{network.path} holds {stored.value}: an int8 engine is built from an int8 file",
            f"Make one that TensorRT takes: edge-us models build {network.name} --precision int8 --signed …",
        )
    if asked not in ENGINE_PRECISIONS:
        raise UsageError(f"engines are built in fp32, fp16 or int8, not {asked.value}", "Use --precision fp16.")
    raise UsageError(
        f"{network.path} holds {stored.value}, which is not what {asked.value} is made from",
        "Use --precision auto, or the fp32 file that it was made from.",
    )


def source_file(network: Network, precision: Precision, folder: Path) -> Path:
    """The ONNX file to build from, in ``precision`` and with a batch of one.

    What had to be cast is written to ``folder`` as NAME-PRECISION.onnx, so that the very file that became the engine
    can be run and judged on any backend.

    Raises
    ------
    ModelError
        The file is not a whole ONNX model.
    MissingDependencyError
        It must be cast and the extra ``build`` is not installed.
    PipelineError
        The folder cannot be written.
    """
    from edge_us.inference.model import read_onnx

    is_fixed = all(isinstance(shape[0], int) for shape in read_onnx(network.path)[0] if shape)
    if precision is network.stored and is_fixed:
        return network.path
    from edge_us.builder.fp16 import cast_to_fp16
    from edge_us.builder.graph import read_graph, write_graph

    graph = read_graph(network.path)
    _fix_batch(graph)
    if precision is not network.stored:
        graph = cast_to_fp16(graph)
    out = folder / f"{network.name}-{precision.value}.onnx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{out.stem}-") as beside:
            part = Path(beside) / out.name
            write_graph(graph, part, f"{network.name} in {precision.value}, for an engine", _kept(network, precision))
            part.replace(out)
    except OSError as error:
        raise PipelineError(
            f"cannot write {out}: {error.strerror}", "Make room, or name another folder: EDGE_US_ENGINES=DIR"
        ) from None
    return out


def _kept(network: Network, precision: Precision) -> dict[str, str]:
    """Metadata with which the cast file runs like its source."""
    from edge_us.inference.built import PREFIX, Inherited
    from edge_us.inference.model import Model

    if not isinstance(network, Model):
        return {f"{PREFIX}precision": precision.value, f"{PREFIX}source_sha256": network.sha256}
    kept = Inherited(
        network.is_grey,
        network.threshold,
        network.mask_threshold,
        network.licence,
        network.data_rights,
        network.classifier,
    )
    return kept.as_metadata(precision, network.sha256)


def _fix_batch(graph: Any) -> None:
    """A batch of any size becomes one picture."""
    for value in (*graph.graph.input, *graph.graph.output):
        first = value.type.tensor_type.shape.dim[:1]
        if first and not first[0].HasField("dim_value"):
            first[0].dim_value = 1
    graph.graph.ClearField("value_info")
