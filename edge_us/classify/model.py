"""`ClassifierModel`: what is known of a benign / malignant network before it is compiled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge_us.errors import ModelError
from edge_us.inference.backend import Precision
from edge_us.inference.built import stored_precision
from edge_us.inference.model import read_onnx
from edge_us.inference.registry import ClassifierEntry, checked_file, find_classifier

HINT = "A classifier takes a grey crop (1, 1, side, side) and gives a logit; see models/recipes/train_classifier.py."
DEFAULT_THRESHOLD = 0.5


class Task(str, Enum):
    """What a classifier tells apart; the metadata ``task`` of its file."""

    MALIGNANCY = "edge-us/malignancy"
    """Benign or malignant, from a lesion's crop."""
    NODE = "edge-us/node"
    """Whether a node is affected, from its crop."""
    NODAL_RISK = "edge-us/nodal-risk"
    """Whether nodes are affected, from the primary lesion's crop (Zhou et al. 2020, Zheng et al. 2020)."""


PHANTOM_ORIGIN = "phantom"
"""Metadata ``origin`` of what was trained on no person."""


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
    task : Task
        Files that name none are taken for `Task.MALIGNANCY`.
    calibrated_by : str or None
        The site whose labelled patients temperature and threshold come from, as the file says; None where none did.
    is_phantom : bool
        Trained on phantoms alone.
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
    task: Task = Task.MALIGNANCY
    calibrated_by: str | None = None
    is_phantom: bool = False


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
    try:
        task = Task(metadata.get("task", Task.MALIGNANCY.value))
    except ValueError:
        raise ModelError(f"{path} is for {metadata['task'][:80]!r}, which is not known here", HINT) from None
    site, temperature, threshold = _calibration(path, metadata.get("calibration"))
    return ClassifierModel(
        name=path.stem if entry is None else entry.name,
        path=path,
        sha256=sha256,
        input_size=(int(shape[3]), int(shape[2])),
        temperature=temperature if entry is None else entry.temperature,
        threshold=threshold if entry is None else entry.threshold,
        licence="unknown" if entry is None else entry.licence,
        data_rights="unknown" if entry is None else entry.data_rights,
        stored=stored_precision(path, metadata),
        task=task,
        calibrated_by=site,
        is_phantom=metadata.get("origin") == PHANTOM_ORIGIN,
    )


def _calibration(path: Path, text: str | None) -> tuple[str | None, float, float]:
    """Site, temperature and threshold that a file was calibrated with; no site, 1 and the default where it was not."""
    if text is None:
        return None, 1.0, DEFAULT_THRESHOLD
    try:
        content = json.loads(text)
        site, temperature, threshold = (content[name] for name in ("site", "temperature", "threshold"))
        if not (isinstance(site, str) and site and 0.05 <= temperature <= 20 and 0 <= threshold <= 1):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelError(f"the calibration in {path} is not understood", HINT) from None
    return site, float(temperature), float(threshold)
