"""Metrics of a malignancy probability on detected lesions, for any weights of the groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_us.evaluate.bootstrap import Floats, Statistic, divide, ratio, sum_by_group

ECE_BINS = 15


def auc(probabilities: Floats, malignant: NDArray[np.bool_], groups: NDArray[np.int64]) -> Statistic:
    """Area under the ROC curve: share of pairs in which the malignant lesion has the higher probability, ties half."""
    count = int(groups.max()) + 1 if len(groups) else 0
    positive, negative = probabilities[malignant], probabilities[~malignant]
    wins = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    by_group = np.zeros((count, count))
    np.add.at(by_group, (groups[malignant][:, None], groups[~malignant][None, :]), wins)
    positives = sum_by_group(groups[malignant], None, count)
    negatives = sum_by_group(groups[~malignant], None, count)

    def statistic(weights: Floats) -> Floats:
        won = ((weights @ by_group) * weights).sum(axis=1)
        return divide(won, (weights @ positives) * (weights @ negatives))

    return statistic


def ece(probabilities: Floats, malignant: NDArray[np.bool_], groups: NDArray[np.int64]) -> Statistic:
    """Expected calibration error: mean gap between probability and share of malignant, over 15 equal bins."""
    count = int(groups.max()) + 1 if len(groups) else 0
    bins = np.minimum((probabilities * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gap = np.zeros((count, ECE_BINS))
    np.add.at(gap, (groups, bins), probabilities - malignant)
    sizes = sum_by_group(groups, None, count)

    def statistic(weights: Floats) -> Floats:
        return divide(np.abs(weights @ gap).sum(axis=1), weights @ sizes)

    return statistic


def brier(probabilities: Floats, malignant: NDArray[np.bool_], groups: NDArray[np.int64]) -> Statistic:
    """Mean squared difference between probability and truth."""
    return _mean((probabilities - malignant) ** 2, np.ones(len(groups), bool), groups)


def sensitivity(
    probabilities: Floats, malignant: NDArray[np.bool_], groups: NDArray[np.int64], threshold: float
) -> Statistic:
    """Share of malignant lesions with at least the threshold's probability."""
    return _mean((probabilities >= threshold).astype(np.float64), malignant, groups)


def specificity(
    probabilities: Floats, malignant: NDArray[np.bool_], groups: NDArray[np.int64], threshold: float
) -> Statistic:
    """Share of benign lesions below the threshold's probability."""
    return _mean((probabilities < threshold).astype(np.float64), ~malignant, groups)


def roc(probabilities: Floats, malignant: NDArray[np.bool_]) -> Floats:
    """Points of the ROC curve from (0, 0) to (1, 1): false positive rate, true positive rate; needs both classes."""
    thresholds = np.concatenate([[np.inf], np.unique(probabilities)[::-1]])
    reached = probabilities[None, :] >= thresholds[:, None]
    rates = [reached[:, which].mean(axis=1) for which in (~malignant, malignant)]
    return np.stack(rates, axis=1)


def reliability(probabilities: Floats, malignant: NDArray[np.bool_]) -> Floats:
    """Non-empty bins of the reliability diagram: mean probability, share of malignant, number of lesions."""
    bins = np.minimum((probabilities * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    rows = [
        (probabilities[bins == number].mean(), malignant[bins == number].mean(), (bins == number).sum())
        for number in range(ECE_BINS)
        if (bins == number).any()
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def _mean(values: Floats, where: NDArray[np.bool_], groups: NDArray[np.int64]) -> Statistic:
    count = int(groups.max()) + 1 if len(groups) else 0
    chosen = where.astype(np.float64)
    return ratio(
        sum_by_group(groups, values * chosen, count),
        sum_by_group(groups, chosen, count),
    )
