"""`Model`: what is known of a YOLO segmentation network before it is compiled."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge_us.errors import ModelError, one_line
from edge_us.inference.backend import Precision
from edge_us.inference.built import inherited, stored_precision
from edge_us.inference.decode import HeadLayout
from edge_us.inference.libraries import load_onnxruntime
from edge_us.inference.registry import Entry, checked_file, find_entry

T = TypeVar("T")
EXPORT_HINT = "Export with Ultralytics: yolo export model=your-seg.pt format=onnx imgsz=320 (static, task segment)."
MAX_SIDE = 4096
MAX_OUTPUT_VALUES = 1 << 26
MAX_NAMES_TEXT = 100_000
DEFAULT_THRESHOLD = 0.25
"""Score threshold of a model that brings none of its own."""


@dataclass(frozen=True, slots=True)
class Model:
    """A segmentation network in an ONNX file.

    Attributes
    ----------
    name : str
        Name in the manifest, or the file's stem.
    path : Path
    sha256 : str
        Of the ONNX file.
    input_size : (int, int)
        Width and height in px.
    channels : int
        Channels of the network's input, 1 or 3.
    is_grey : bool
        Trained on grey pictures: colour is dropped before the network sees it.
    classes : tuple of str
    head : HeadLayout
    prototype_output : int
        Which of the two outputs holds the mask prototypes.
    threshold : float
        Score from which a finding is shown.
    score_temperature : float
        Divides the logit of every score; 1 leaves the network's own.
    mask_threshold : float
        Probability from which a pixel belongs to a lesion's mask; Ultralytics' own is 0.5.
    classifier : str or None
        Name of the shipped classifier that goes with it.
    licence, data_rights : str
        As the manifest says; "unknown" for a user's own file.
    stored : Precision
        Precision that lies in the file: FP32, FP16 (cast) or INT8 (Q/DQ).
    """

    name: str
    path: Path
    sha256: str
    input_size: tuple[int, int]
    channels: int
    is_grey: bool
    classes: tuple[str, ...]
    head: HeadLayout
    prototype_output: int
    threshold: float
    licence: str
    data_rights: str
    score_temperature: float = 1.0
    mask_threshold: float = 0.5
    classifier: str | None = None
    stored: Precision = Precision.FP32


def load_model(name_or_path: str, precision: Precision = Precision.AUTO) -> Model:
    """Find, check and describe a model.

    Parameters
    ----------
    name_or_path : str
        Name of a shipped model (``default`` for the manifest's default), or the path of an ONNX file. A shipped model
        must have the sha256 of the manifest; the hash of a user's file is recorded as it is. A file that
        `edge-us models build` made from another keeps its threshold, classifier and rights; one that the recipes
        exported with a threshold brings them, too.
    precision : Precision
        INT8 takes a shipped model's quantised file, where it has one.

    Raises
    ------
    ModelError
        Unknown name, missing or corrupt file, or not a YOLO segmentation network; the message says what is missing.
    """
    entry = find_entry(name_or_path)
    if entry is not None and precision is Precision.INT8:
        entry = entry.quantised()
    path, sha256 = checked_file(name_or_path, entry, "model")
    return _describe(path, sha256, entry)


def _describe(path: Path, sha256: str, entry: Entry | None) -> Model:
    inputs, outputs, metadata = read_onnx(path)
    task = metadata.get("task", "segment")
    if task != "segment":
        raise ModelError(f"{path} is a YOLO network for {task!r}, not for segmentation: it has no masks", EXPORT_HINT)
    if len(inputs) != 1 or len(inputs[0]) != 4:
        raise ModelError(
            f"{path} is not a YOLO network: its input is not one picture (1, channels, height, width)", EXPORT_HINT
        )
    shape = inputs[0]
    if not all(isinstance(side, int) and side > 0 for side in shape[1:]) or shape[0] not in (1, "batch"):
        raise ModelError(
            f"{path} has the dynamic or batched input {shape}; a fixed picture size is needed", EXPORT_HINT
        )
    if max(shape[2:]) > MAX_SIDE:
        raise ModelError(
            f"{path} takes pictures of {shape[3]}x{shape[2]}; at most {MAX_SIDE} are supported", EXPORT_HINT
        )
    if shape[1] not in (1, 3):
        raise ModelError(f"{path} takes {shape[1]} channels; 1 or 3 are supported", EXPORT_HINT)
    classes = _class_names(metadata.get("names"))
    head, prototype_output, count = _layout(path, outputs, None if classes is None else len(classes))
    if classes is None:
        classes = tuple(f"class {number}" for number in range(count))
    known = entry or inherited(path, metadata)
    return Model(
        name=path.stem if entry is None else entry.name,
        path=path,
        sha256=sha256,
        input_size=(int(shape[3]), int(shape[2])),
        channels=int(shape[1]),
        is_grey=shape[1] == 1 if known is None else known.is_grey,
        classes=classes,
        head=head,
        prototype_output=prototype_output,
        threshold=DEFAULT_THRESHOLD if known is None else known.threshold,
        licence="unknown" if known is None else known.licence,
        data_rights="unknown" if known is None else known.data_rights,
        mask_threshold=0.5 if known is None else known.mask_threshold,
        classifier=None if known is None else known.classifier,
        stored=stored_precision(path, metadata),
    )


def read_onnx(path: Path) -> tuple[list[list[Any]], list[list[Any]], dict[str, str]]:
    """Shapes of inputs and outputs, and the metadata; nothing is optimised for that.

    Raises
    ------
    ModelError
        It is not an ONNX file that can be read.
    """

    def look(session: Any) -> tuple[list[list[Any]], list[list[Any]], dict[str, str]]:
        return (
            [list(each.shape) for each in session.get_inputs()],
            [list(each.shape) for each in session.get_outputs()],
            dict(session.get_modelmeta().custom_metadata_map),
        )

    return _look_into(path, look)


def output_names(path: Path) -> tuple[str, ...]:
    """Names of an ONNX file's outputs in its order; raises `ModelError` as `read_onnx` does."""
    return _look_into(path, lambda session: tuple(str(each.name) for each in session.get_outputs()))


def _look_into(path: Path, look: Callable[[Any], T]) -> T:
    """What ``look`` finds in a session that optimises and computes nothing."""
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        # Names and metadata that are not UTF-8 come to light only when they are asked for.
        return look(ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
    except Exception as error:
        raise ModelError(f"{path} cannot be read as an ONNX model: {one_line(error)}", EXPORT_HINT) from None


def _layout(path: Path, outputs: list[list[Any]], classes: int | None) -> tuple[HeadLayout, int, int]:
    """Head layout, index of the prototype output, and number of classes."""
    ranks = [len(shape) for shape in outputs]
    if sorted(ranks) != [3, 4]:
        missing = "mask prototypes (a 4-D output)" if 4 not in ranks else "a detection head (a 3-D output)"
        raise ModelError(f"{path} is not a YOLO segmentation network: it has no {missing}", EXPORT_HINT)
    for shape in outputs:
        if math.prod(side for side in shape if isinstance(side, int)) > MAX_OUTPUT_VALUES:
            raise ModelError(f"{path} has an impossible output of {shape}", EXPORT_HINT)
    prototypes = ranks.index(4)
    head_shape, coefficients = outputs[1 - prototypes], outputs[prototypes][1]
    if not all(isinstance(side, int) for side in (*head_shape[1:], coefficients)):
        raise ModelError(f"{path} has outputs of dynamic size {head_shape}; a static export is needed", EXPORT_HINT)
    rows, columns = head_shape[1], head_shape[2]
    if columns == 6 + coefficients and rows != 4 + (classes or 0) + coefficients:
        if classes is None:
            raise ModelError(f"{path} does not name its classes (metadata `names` is missing)", EXPORT_HINT)
        return HeadLayout.END2END, prototypes, classes
    found = rows - 4 - coefficients
    if found < 1 or columns < 2 or (classes is not None and found != classes):
        raise ModelError(
            f"{path} is not a YOLO segmentation network: its head {head_shape} does not fit "
            f"{classes if classes is not None else 'any number of'} classes and {coefficients} mask coefficients",
            EXPORT_HINT,
        )
    return HeadLayout.RAW, prototypes, found


def _class_names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    if len(text) > MAX_NAMES_TEXT:
        return None
    try:
        names = ast.literal_eval(text)
        if isinstance(names, dict):
            names = [names[key] for key in sorted(names)]
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # keys of several kinds; nested too deep
        return None
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) and names else None
