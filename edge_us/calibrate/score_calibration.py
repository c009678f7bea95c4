"""`ScoreCalibration`: a temperature and an operating point, fitted at one site for one model, in a JSON file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_us.calibrate.temperature import HIGHEST, LOWEST
from edge_us.errors import InputError, PipelineError

if TYPE_CHECKING:
    from edge_us.inference.model import Model

MAX_FILE_BYTES = 1 << 20
REMAKE_HINT = "Make it anew: edge-us calibrate scores MANIFEST.csv --model MODEL --out FILE.json"


class Cases(BaseModel):
    """What a calibration was fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: str = Field(description="Name of the manifest.")
    manifest_sha256: str
    split: str | None
    images: int
    normals: int = Field(description="Pictures without a lesion.")
    lesions: int
    groups: int = Field(description="Patients or clusters.")


class ScoreCalibration(BaseModel):
    """What `edge-us calibrate scores` writes and ``run`` and ``evaluate`` take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: Literal["edge-us/score-calibration/1"] = Field("edge-us/score-calibration/1", alias="schema")
    model: str
    model_sha256: str = Field(description="The calibration holds for this file and no other.")
    precision: str = Field(description="Arithmetic that it was fitted with.")
    score_temperature: float = Field(ge=LOWEST, le=HIGHEST, description="Divides the logit of every finding's score.")
    threshold: float = Field(gt=0, lt=1, description="Score, after the temperature, from which a finding is shown.")
    classifier_sha256: str | None = Field(None, description="Classifier that malignancy_temperature holds for.")
    malignancy_temperature: float | None = Field(
        None, ge=LOWEST, le=HIGHEST, description="Divides the classifier's logit; null where it was not fitted."
    )
    malignancy_reason: str | None = Field(None, description="Why malignancy_temperature is null.")
    false_positives_per_image: float = Field(ge=0, description="On the cases; the operating point was chosen by it.")
    sensitivity: float = Field(ge=0, le=1, description="On the cases that it was fitted on, hence optimistic.")
    normals_quiet: float | None = Field(description="Share of normal pictures without a finding; null without any.")
    cases: Cases

    def write(self, path: Path) -> None:
        """Write the file; raises `PipelineError` where that is not possible."""
        try:
            path.write_text(json.dumps(self.model_dump(by_alias=True), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another --out.") from None


def read_score_calibration(path: Path) -> ScoreCalibration:
    """Read and check a calibration file.

    Raises
    ------
    InputError
        It cannot be read, or is not a score calibration.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the score calibration {path}: {error.strerror}", REMAKE_HINT) from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path} is not a score calibration: it is too large", REMAKE_HINT)
    try:
        return ScoreCalibration.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(f"{path} is not a score calibration: {where}: {first['msg']}", REMAKE_HINT) from None


def calibrated(model: Model, path: Path | None) -> Model:
    """The model with the calibration of this file, or as it is without one.

    Raises
    ------
    InputError
        The file cannot be used, or was made for another model file.
    """
    if path is None:
        return model
    found = read_score_calibration(path)
    if found.model_sha256 != model.sha256:
        raise InputError(
            f"{path} was made for {found.model} (sha256 {found.model_sha256[:12]}…), "
            f"not for {model.name} (sha256 {model.sha256[:12]}…)",
            REMAKE_HINT,
        )
    return replace(model, threshold=found.threshold, score_temperature=found.score_temperature)


def precision_note(path: Path | None, precision: str) -> str | None:
    """What to say of a calibration that was fitted in another arithmetic than this; None if it was not."""
    if path is None:
        return None
    fitted = read_score_calibration(path).precision
    if fitted == precision:
        return None
    return f"{path.name} was fitted in {fitted}, this runs in {precision}: scores may differ slightly"
