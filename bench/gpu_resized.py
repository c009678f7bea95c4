"""A shipped network at another picture size: for timing where no network of that size is shipped.

A YOLO export is convolutional; the size is written in a few constants only (shapes of the attention and of the box
distances, the cells' centres and strides). They are computed anew, after those of the old size were found to be what
they must be. Nothing was trained at the new size: times are those of such a network, findings are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.builder.graph import read_graph, write_graph
from edge_us.builder.packages import load_onnx
from edge_us.errors import ModelError
from edge_us.inference.backend import Precision
from edge_us.inference.built import Inherited
from edge_us.inference.model import Model, load_model

STRIDES = (8, 16, 32)
PROTOTYPE_STRIDE = 4


def resized(model: Model, side: int, folder: Path) -> Model:
    """The network as a file of its own for pictures of ``side`` x ``side`` px.

    Raises
    ------
    ModelError
        ``side`` is no multiple of 32, or the file is no such export.
    MissingDependencyError
        ``onnx`` is not installed.
    """
    graph = read_graph(model.path)
    resize_graph(graph, max(model.input_size), side)
    name = f"{model.name}-{side}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    what = f"{model.name} for {side} px, for timing alone"
    write_graph(graph, path, what, kept(model, Precision.FP32))
    return load_model(str(path))


def kept(model: Model, precision: Precision) -> dict[str, str]:
    """Metadata with which a file that is made from the model's runs like it."""
    same = Inherited(
        model.is_grey, model.threshold, model.mask_threshold, model.licence, model.data_rights, model.classifier
    )
    return same.as_metadata(precision, model.sha256)


def resize_graph(graph: Any, old: int, new: int) -> None:
    """Exchange what depends on the picture's size, in place.

    Parameters
    ----------
    graph : onnx.ModelProto
        A segmentation network of Ultralytics' with square pictures.
    old, new : int
        Sides in px, multiples of 32.
    """
    if old % STRIDES[-1] or new % STRIDES[-1]:
        raise ModelError(f"{old} or {new} px is no multiple of {STRIDES[-1]}", "Use 320, 416 or 640.")
    numpy_helper = load_onnx().numpy_helper
    shapes = {node.input[1] for node in graph.graph.node if node.op_type == "Reshape"}
    cells = len(_places(old)[1])
    exchanged = 0
    for node in graph.graph.node:
        if node.op_type != "Constant" or node.attribute[0].name != "value":
            continue
        before = numpy_helper.to_array(node.attribute[0].t)
        if node.output[0] in shapes:
            after = _shape(before, old, new)
        elif before.ndim > 1 and before.shape[-1] == cells:
            after = _of_cells(before, old, new)
            exchanged += 1
        else:
            continue
        node.attribute[0].t.CopyFrom(numpy_helper.from_array(after.astype(before.dtype)))
    if not exchanged:
        raise ModelError(f"the network holds no cells of {old} px pictures as constants", "Give an Ultralytics export.")
    graph.graph.ClearField("value_info")
    now = len(_places(new)[1])
    sides = {old: new, cells: now, old // PROTOTYPE_STRIDE: new // PROTOTYPE_STRIDE}
    for value in (*graph.graph.input, *graph.graph.output):
        for dimension in list(value.type.tensor_type.shape.dim)[2:]:
            dimension.dim_value = sides[dimension.dim_value]


def _shape(before: NDArray[Any], old: int, new: int) -> NDArray[Any]:
    """Shape of a Reshape: its last numbers are cells of all strides, or those of the coarsest, flat or as a square."""
    after: NDArray[Any] = before.copy()
    coarse, fine = old // STRIDES[-1], new // STRIDES[-1]
    if list(before[-2:]) == [coarse, coarse]:
        after[-2:] = fine
    elif before[-1] == coarse**2:
        after[-1] = fine**2
    elif before[-1] == len(_places(old)[1]):
        after[-1] = len(_places(new)[1])
    return after


def _of_cells(before: NDArray[Any], old: int, new: int) -> NDArray[Any]:
    for was, now in zip(_places(old), _places(new), strict=True):
        if before.size == was.size and np.array_equal(before.reshape(was.shape), was):
            return now.reshape((*before.shape[:-1], -1))
    raise ModelError(
        f"a constant of {list(before.shape)} is neither centres nor strides of cells", "Use another model."
    )


def _places(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres (x and y, in cells), shape (2, cells), and strides in px, shape (cells,), of all cells."""
    centres, strides = [], []
    for stride in STRIDES:
        at = np.arange(side // stride, dtype=np.float32) + 0.5
        y, x = np.meshgrid(at, at, indexing="ij")
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(at.size**2, stride, np.float32))
    return np.concatenate(centres, axis=1), np.concatenate(strides)
