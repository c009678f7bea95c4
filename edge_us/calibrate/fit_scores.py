"""`fit_scores`: from a site's labelled pictures to a `ScoreCalibration`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_us.calibrate.score_calibration import Cases, ScoreCalibration
from edge_us.calibrate.temperature import fit_temperature, temper
from edge_us.errors import InputError, UsageError
from edge_us.inference.backend import BackendName, Precision

if TYPE_CHECKING:
    from edge_us.classify.model import ClassifierModel
    from edge_us.evaluate.observe import Observation, Progress

NEEDED_LESION_GROUPS = 50
"""Patients with a lesion. A sensitivity near 0.93 is then known to within 0.07 either way (95 %); with fewer, the
operating point is a matter of luck."""
NEEDED_IMAGES = 100
"""Pictures altogether: at 0.1 false alarms a picture, ten of them decide where the threshold lies."""
NEEDED_OF_EACH_CLASS = 30
"""Detected benign and detected malignant lesions, for the temperature of a classifier."""
FITTED_FROM = 0.05
"""Raw score from which findings take part in the fit of the temperature. Thousands lie below, all false, none ever
shown; they would decide alone."""


def fit_scores(
    manifest: Path,
    split: str | None = None,
    model: str = "default",
    *,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    region: str = "auto",
    datasets: Sequence[str] = (),
    false_positives: float = 0.1,
    progress: Progress | None = None,
) -> ScoreCalibration:
    """Fit temperature and operating point of a model on labelled stills.

    The threshold is the lowest one with at most ``false_positives`` false alarms per picture.

    Parameters
    ----------
    manifest : Path
        As for `evaluate.evaluate`; these pictures must not be those that the result is judged by.
    split, model, backend, precision, threads, region, datasets
        As for `evaluate.evaluate`.
    false_positives : float
        False alarms per picture that are put up with.
    progress : callable, optional
        Called with the number of pictures done and their total.

    Raises
    ------
    InputError
        There are too few cases; the message says how many are needed.
    EdgeUsError
        The manifest, a picture, the model or the backend cannot be used.
    """
    from edge_us.evaluate.evaluation import observe_manifest
    from edge_us.evaluate.manifest import read_manifest
    from edge_us.evaluate.summary import Bootstrap, Sample

    if not 0 < false_positives <= 1:
        raise UsageError(
            f"cannot aim at {false_positives:g} false positives per picture", "Give a number above 0 and up to 1."
        )
    rows = read_manifest(manifest, split, datasets)
    _check_enough(
        len({(case.dataset, case.group) for case in rows.cases if not case.is_normal}), len(rows.cases), manifest
    )
    loaded, info, observations, network = observe_manifest(
        rows.cases,
        model,
        backend=backend,
        precision=precision,
        threads=threads,
        region=region,
        progress=progress,
    )
    temperature = _temperature(observations)
    threshold = operating_point(observations, false_positives, temperature)
    malignancy, reason = _malignancy_temperature(observations, network)
    # Order is kept by the temperature, so the raw threshold gives the same findings.
    sample = Sample(observations, float(temper(threshold, 1 / temperature)), Bootstrap(resamples=1, seed=0))
    counts = sample.counts()
    return ScoreCalibration(
        schema="edge-us/score-calibration/1",
        model=loaded.name,
        model_sha256=loaded.sha256,
        precision=info.precision,
        score_temperature=round(temperature, 4),
        threshold=threshold,
        classifier_sha256=None if network is None else network.sha256,
        malignancy_temperature=malignancy,
        malignancy_reason=reason,
        false_positives_per_image=round(sample.false_positives().value or 0.0, 4),
        sensitivity=round(sample.sensitivity().value or 0.0, 4),
        normals_quiet=None if not counts["normals"] else round(sample.specificity().value or 0.0, 4),
        cases=Cases(manifest=rows.path.name, manifest_sha256=rows.sha256, split=split, **counts),
    )


def operating_point(observations: Sequence[Observation], false_positives: float, temperature: float = 1.0) -> float:
    """The lowest threshold, after the temperature, with at most so many false alarms per picture.

    Rounded up to 4 decimals; halfway to the next weaker false alarm where that is closer.
    """
    alarms = np.concatenate([each.scores[~each.hits()] for each in observations])
    alarms = np.sort(temper(alarms, temperature))[::-1]
    allowed = math.floor(false_positives * len(observations) + 1e-9)
    if allowed >= len(alarms):
        return 0.01
    # The first alarm that is one too many must lie below.
    above = float(alarms[allowed - 1]) if allowed else 1.0
    first = float(alarms[allowed])
    return min(0.9999, math.ceil(10_000 * (first + min(0.005, (above - first) / 2)) + 1e-9) / 10_000)


def _temperature(observations: Sequence[Observation]) -> float:
    scores = np.concatenate([each.scores for each in observations])
    hits = np.concatenate([each.hits() for each in observations])
    chosen = scores >= FITTED_FROM
    try:
        return round(fit_temperature(scores[chosen], hits[chosen]), 4)
    except ValueError:
        raise InputError(
            "the findings are all right or all wrong: no temperature can be fitted",
            "Check that the masks belong to the pictures, and that this is the right model.",
        ) from None


def _malignancy_temperature(
    observations: Sequence[Observation], network: ClassifierModel | None
) -> tuple[float | None, str | None]:
    """Temperature of the classifier on detected lesions, or why there is none."""
    if network is None:
        return None, "there is no classifier"
    chances, malignant = [], []
    for each in observations:
        for chance in each.malignancy[each.hits() & ~np.isnan(each.malignancy)]:
            chances.append(float(chance))
            malignant.append(each.case.label == "malignant")
    fewest = min(sum(malignant), len(malignant) - sum(malignant))
    if fewest < NEEDED_OF_EACH_CLASS:
        return None, f"{fewest} detected lesions of the rarer class, {NEEDED_OF_EACH_CLASS} are needed"
    return round(network.temperature * fit_temperature(chances, malignant), 4), None


def _check_enough(lesion_groups: int, images: int, manifest: Path) -> None:
    if lesion_groups < NEEDED_LESION_GROUPS or images < NEEDED_IMAGES:
        raise InputError(
            f"{manifest.name} has {lesion_groups} patients with a lesion and {images} pictures: "
            f"{NEEDED_LESION_GROUPS} and {NEEDED_IMAGES} are needed at least",
            "Label more of your own pictures, normal ones too; a threshold from fewer is a matter of luck.",
        )
