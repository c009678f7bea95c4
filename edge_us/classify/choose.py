"""Which classifier a run gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_us.calibrate.score_calibration import read_score_calibration
from edge_us.classify.model import Task, load_classifier
from edge_us.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edge_us.classify.model import ClassifierModel
    from edge_us.inference.model import Model

AUTO, OFF = "auto", "off"


def choose_classifier(choice: str, model: Model, calibration: Path | None = None) -> ClassifierModel | None:
    """The classifier that goes with a run.

    Parameters
    ----------
    choice : str
        ``off``; ``auto`` for the one that the manifest names for ``model``, none for a user's own model, which may be
        of another organ; else the name of a shipped classifier or the path of an ONNX file.
    model : Model
        The detector.
    calibration : Path, optional
        Score calibration; its temperature is taken if it was fitted for this classifier.

    Raises
    ------
    ModelError
        Unknown name, missing or corrupt file, or of another task.
    """
    name = model.classifier if choice == AUTO else None if choice == OFF else choice
    if name is None:
        return None
    found = load_classifier(name)
    if found.task is not Task.MALIGNANCY:
        raise ModelError(
            f"{found.path} is a classifier for {found.task.value}, not for malignancy",
            "Give it as --node-classifier or --nodal-risk.",
        )
    if calibration is not None:
        site = read_score_calibration(calibration)
        if site.malignancy_temperature is not None and site.classifier_sha256 == found.sha256:
            found = replace(found, temperature=site.malignancy_temperature)
    return found
