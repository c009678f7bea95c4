"""From observations to numbers: every metric of a set of pictures with its interval, and the strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.evaluate import classification
from edge_us.evaluate.bootstrap import Estimate, Floats, Statistic, draw_weights, estimate, ratio, sum_by_group
from edge_us.evaluate.detection import FALSE_POSITIVES_PER_IMAGE, Ranking, rank
from edge_us.evaluate.manifest import Manifest
from edge_us.evaluate.matching import IOU_THRESHOLDS
from edge_us.evaluate.observe import Observation

SIZE_SHARES = (0.03, 0.10)
"""Limits between small, medium and large: share of the picture that the largest lesion covers. The pictures give no
millimetres."""
MALIGNANCY_THRESHOLD = 0.5
FROC_POINTS = 200
"""Points of the curve in the report; each of them is exact."""
NO_CLASSIFIER = "the model has no classifier"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made: number of resamples and seed."""

    resamples: int
    seed: int


class Sample:
    """A set of observations with its groups, rankings and resamples; every metric is a method.

    Parameters
    ----------
    observations : sequence of Observation
    threshold : float
        Operating threshold of the score.
    bootstrap : Bootstrap
    """

    def __init__(self, observations: Sequence[Observation], threshold: float, bootstrap: Bootstrap) -> None:
        self.observations = observations
        self.threshold = threshold
        # Groups are named by data set too: two sets may both have a patient 1.
        names = [f"{each.case.dataset}/{each.case.group}" for each in observations]
        unique, numbers = np.unique(names, return_inverse=True)
        self.groups: NDArray[np.int64] = numbers.astype(np.int64)
        self.group_count = len(unique)
        self.weights = draw_weights(self.group_count, bootstrap.resamples, bootstrap.seed)

    def counts(self) -> dict[str, int]:
        """Pictures, lesions, normal pictures and groups."""
        return {
            "images": len(self.observations),
            "lesions": sum(len(each.lesions) for each in self.observations),
            "normals": sum(not each.lesions for each in self.observations),
            "groups": self.group_count,
        }

    def ranking(self, step: int = 0) -> Ranking:
        """All findings ranked, with hits at the IoU threshold with this number."""
        return rank(
            [each.scores for each in self.observations],
            [each.hits(step) for each in self.observations],
            [len(each.lesions) for each in self.observations],
            self.groups,
        )

    def estimate(self, top: Sequence[float], bottom: Sequence[float]) -> Estimate:
        """Sum over sum of two values that each picture has, as a share or mean with its interval."""
        return estimate(ratio(self._by_group(top), self._by_group(bottom)), self.weights)

    def ap50(self) -> Estimate:
        """Average precision at IoU 0.5."""
        return estimate(self.ranking().average_precision, self.weights)

    def ap50_95(self) -> Estimate:
        """Average precision, mean over IoU 0.50 .. 0.95."""
        rankings = [self.ranking(step) for step in range(len(IOU_THRESHOLDS))]

        def mean(weights: Floats) -> Floats:
            return np.asarray(np.mean([ranking.average_precision(weights) for ranking in rankings], axis=0))

        return estimate(mean, self.weights)

    def sensitivity(self) -> Estimate:
        """Share of lesions hit at the operating threshold."""
        found = [float((each.hits() & (each.scores >= self.threshold)).sum()) for each in self.observations]
        return self.estimate(found, [float(len(each.lesions)) for each in self.observations])

    def false_positives(self) -> Estimate:
        """False alarms per picture at the operating threshold."""
        alarms = [float((~each.hits() & (each.scores >= self.threshold)).sum()) for each in self.observations]
        return self.estimate(alarms, [1.0] * len(alarms))

    def dice(self) -> Estimate:
        """Mean Dice over all pictures with a lesion; a miss counts 0."""
        return self._mean([each.dice for each in self.observations], [bool(o.lesions) for o in self.observations])

    def iou(self) -> Estimate:
        """Mean mask IoU over all pictures with a lesion; a miss counts 0."""
        return self._mean([each.iou for each in self.observations], [bool(o.lesions) for o in self.observations])

    def dice_detected(self) -> Estimate:
        """Mean Dice over the pictures on which a lesion is hit at the operating threshold."""
        values = [each.dice for each in self.observations]
        return self._mean(values, [len(each.missed(self.threshold)) < len(each.lesions) for each in self.observations])

    def specificity(self) -> Estimate:
        """Share of normal pictures without any finding at the operating threshold."""
        quiet = [float(not (each.scores >= self.threshold).any()) for each in self.observations]
        return self._mean(quiet, [not each.lesions for each in self.observations])

    def _mean(self, values: Sequence[float], where: Sequence[bool]) -> Estimate:
        chosen = [float(each) for each in where]
        return self.estimate([value * each for value, each in zip(values, chosen, strict=True)], chosen)

    def _by_group(self, values: Sequence[float]) -> Floats:
        return sum_by_group(self.groups, np.asarray(values), self.group_count)


def metrics(sample: Sample, malignancy_threshold: float | None = MALIGNANCY_THRESHOLD) -> dict[str, Any]:
    """All metrics of a set, as they stand in the report; without a classifier there is no malignancy threshold."""
    ranking = sample.ranking()
    sensitivity_at = {
        f"{rate:g}": estimate(partial(ranking.sensitivity_at, rate), sample.weights)
        for rate in FALSE_POSITIVES_PER_IMAGE
    }
    classified, reason = classify(sample, malignancy_threshold)
    return {
        "detection": {
            "ap50": sample.ap50().as_json(),
            "ap50_95": sample.ap50_95().as_json(),
            "sensitivity_at_fp_per_image": {rate: value.as_json() for rate, value in sensitivity_at.items()},
            "froc": _thin(ranking.froc()),
        },
        "operating_point": {
            "threshold": sample.threshold,
            "sensitivity": sample.sensitivity().as_json(),
            "false_positives_per_image": sample.false_positives().as_json(),
        },
        "segmentation": {
            "dice_mean": sample.dice().as_json(),
            "iou_mean": sample.iou().as_json(),
            "dice_detected": sample.dice_detected().as_json(),
        },
        "normals": {"specificity": sample.specificity().as_json()},
        "classification": classified,
        "classification_reason": reason,
    }


def _thin(points: Floats) -> list[list[float]]:
    """At most `FROC_POINTS` points of a curve, first and last among them."""
    if len(points) > FROC_POINTS:
        points = points[np.linspace(0, len(points) - 1, FROC_POINTS).round().astype(np.int64)]
    return [[round(float(value), 4) for value in point] for point in points]


def detected_lesions(sample: Sample) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Probability, truth and group of every lesion that was hit at the operating threshold.

    The probability is NaN where it was withheld, because the picture is not analysable.
    """
    rows = [
        (float(each.malignancy[index]), each.case.label == "malignant", int(group))
        for each, group in zip(sample.observations, sample.groups, strict=True)
        for index in np.flatnonzero(each.hits() & (each.scores >= sample.threshold))
    ]
    return (
        np.array([row[0] for row in rows], np.float64),
        np.array([row[1] for row in rows], bool),
        np.array([row[2] for row in rows], np.int64),
    )


def classified_lesions(sample: Sample) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """`detected_lesions` without those whose probability was withheld."""
    chances, malignant, groups = detected_lesions(sample)
    known = ~np.isnan(chances)
    return chances[known], malignant[known], groups[known]


def classify(sample: Sample, at: float | None = MALIGNANCY_THRESHOLD) -> tuple[dict[str, Any] | None, str | None]:
    """Classification metrics on detected lesions at a probability, or None and the reason; None is no classifier."""
    detected = len(detected_lesions(sample)[0])
    chances, malignant, groups = classified_lesions(sample)
    withheld = detected - len(chances)
    if at is None:
        return None, NO_CLASSIFIER
    if not detected:
        return None, "no lesion was detected"
    if not len(chances):
        return None, f"no detected lesion was classified; {withheld} withheld as not analysable"
    if malignant.all() or not malignant.any():
        label = "malignant" if malignant.all() else "benign"
        told = f"; {withheld} withheld as not analysable" if withheld else ""
        return None, f"all classified lesions ({len(chances)}) are {label}{told}"
    weights = sample.weights[:, : int(groups.max()) + 1]
    statistics: dict[str, Statistic] = {
        "auc": classification.auc(chances, malignant, groups),
        "sensitivity": classification.sensitivity(chances, malignant, groups, at),
        "specificity": classification.specificity(chances, malignant, groups, at),
        "ece": classification.ece(chances, malignant, groups),
        "brier": classification.brier(chances, malignant, groups),
    }
    values: dict[str, Any] = {name: estimate(each, weights).as_json() for name, each in statistics.items()}
    return {"threshold": at, "lesions": len(chances), "withheld": withheld, **values}, None


def strata(observations: Sequence[Observation], manifest: Manifest) -> dict[str, dict[str, list[Observation]]]:
    """Observations by kind of stratum and its value; kinds without a value are left out."""
    kinds: dict[str, dict[str, list[Observation]]] = {}
    for each in observations:
        for kind, value in _strata_of(each, manifest.flags_known).items():
            kinds.setdefault(kind, {}).setdefault(value, []).append(each)
    return {kind: dict(sorted(values.items())) for kind, values in sorted(kinds.items())}


def _strata_of(each: Observation, flags_known: Mapping[str, frozenset[str]]) -> dict[str, str]:
    case = each.case
    found = {"dataset": case.dataset, "label": case.label}
    if case.scanner:
        found["scanner"] = case.scanner
    if case.birads:
        found["birads"] = case.birads
    if each.lesions:
        found["size"] = _size(each)
    known = flags_known.get(case.dataset, frozenset())
    if "marks" in known:
        # Only where somebody looked for callipers and body marks does their absence mean anything.
        found["callipers"] = "with marks" if "marks" in case.flags else "calliper-free"
    if "doppler" in known:
        found["doppler"] = "with colour" if "doppler" in case.flags else "without colour"
    return found


def _size(each: Observation) -> str:
    share = max(lesion.share for lesion in each.lesions)
    small, large = (f"{100 * limit:g} %" for limit in SIZE_SHARES)
    if share < SIZE_SHARES[0]:
        return f"1 small (< {small} of the picture)"
    return f"2 medium ({small} to {large})" if share < SIZE_SHARES[1] else f"3 large (> {large})"


def stratum_metrics(sample: Sample) -> dict[str, Any]:
    """The few metrics that every stratum gets."""
    classified, _ = classify(sample)
    unknown = {"value": None, "ci95": None}
    return {
        **sample.counts(),
        "ap50": sample.ap50().as_json(),
        "dice_mean": sample.dice().as_json(),
        "sensitivity": sample.sensitivity().as_json(),
        "false_positives_per_image": sample.false_positives().as_json(),
        "specificity": sample.specificity().as_json(),
        "malignancy_auc": unknown if classified is None else classified["auc"],
        "malignancy_ece": unknown if classified is None else classified["ece"],
    }
