"""`ClassifierModel`: what is known of a benign / malignant network before it is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_us.errors import ModelError
from edge_us.inference.backend import Precision
from edge_us.inference.built import stored_precision
from edge_us.inference.model import read_onnx
from edge_us.inference.registry import ClassifierEntry, checked_file, find_classifier

HINT = "A classifier takes a grey crop (1, 1, side, side) and gives a logit; see models/recipes/train_classifier.py."
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class ClassifierModel:
    """A classification network in an ONNX file; also a `backend.Network`.

    Attributes
    ----------
    name : str
        Name in the manifest, or the file's stem.
    path : Path
    sha256 : str
    input_size : (int, int)
        Width and height in px, equal.
    temperature : float
        Divides the logit.
    threshold : float
        Probability from which a lesion counts as malignant in reports; nothing on the screen depends on it.
    licence, data_rights : str
        "unknown" for a user's own file.
    stored : Precision
        Precision that lies in the file.
    """

    name: str
    path: Path
    sha256: str
    input_size: tuple[int, int]
    temperature: float
    threshold: float
    licence: str
    data_rights: str
    channels: int = 1
    is_grey: bool = True
    stored: Precision = Precision.FP32


def load_classifier(name_or_path: str) -> ClassifierModel:
    """Find, check and describe a classifier: the name of a shipped one, or the path of an ONNX file.

    Raises
    ------
    ModelError
        Unknown name, missing or corrupt file, or not a classifier; the message says what is wrong.
    """
    entry = find_classifier(name_or_path)
    path, sha256 = checked_file(name_or_path, entry, "classifier")
    return _describe(path, sha256, entry)


def _describe(path: Path, sha256: str, entry: ClassifierEntry | None) -> ClassifierModel:
    inputs, outputs, metadata = read_onnx(path)
    shape = inputs[0] if len(inputs) == 1 else []
    square = len(shape) == 4 and shape[:2] == [1, 1] and isinstance(shape[2], int) and shape[2] == shape[3]
    if not square or [list(each) for each in outputs] != [[1, 1]]:
        raise ModelError(f"{path} is not a classifier: inputs {inputs}, outputs {outputs}", HINT)
    return ClassifierModel(
        name=path.stem if entry is None else entry.name,
        path=path,
        sha256=sha256,
        input_size=(int(shape[3]), int(shape[2])),
        temperature=1.0 if entry is None else entry.temperature,
        threshold=DEFAULT_THRESHOLD if entry is None else entry.threshold,
        licence="unknown" if entry is None else entry.licence,
        data_rights="unknown" if entry is None else entry.data_rights,
        stored=stored_precision(path, metadata),
    )
