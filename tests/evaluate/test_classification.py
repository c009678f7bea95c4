"""AUC, calibration error, Brier: by hand, and AUC against counting pairs."""

from __future__ import annotations

import numpy as np
import pytest

from edge_us.evaluate import classification
from edge_us.evaluate.bootstrap import Statistic

ONE_EACH = np.arange(4)
CHANCES = np.array([0.9, 0.4, 0.6, 0.1])
MALIGNANT = np.array([True, True, False, False])


def value(statistic: Statistic, groups: int = 4) -> float:
    return float(statistic(np.ones((1, groups)))[0])


def test_auc_counts_the_pairs_in_the_right_order() -> None:
    """Of four pairs only (0.4, 0.6) is wrong."""
    assert value(classification.auc(CHANCES, MALIGNANT, ONE_EACH)) == 0.75


def test_ties_count_half() -> None:
    assert value(classification.auc(np.full(4, 0.5), MALIGNANT, ONE_EACH)) == 0.5


def test_auc_of_one_class_is_undefined() -> None:
    assert np.isnan(value(classification.auc(CHANCES, np.ones(4, bool), ONE_EACH)))


def test_auc_with_weights_is_that_of_the_copied_lesions() -> None:
    rng = np.random.default_rng(2)
    chances, malignant, groups = rng.random(40).round(1), rng.random(40) < 0.4, rng.integers(0, 9, 40)
    groups[:9] = np.arange(9)
    weights = rng.multinomial(9, [1 / 9] * 9, size=20).astype(np.float64)
    for row, result in zip(weights, classification.auc(chances, malignant, groups)(weights), strict=True):
        copies = np.repeat(np.arange(40), row[groups].astype(int))
        pairs = [
            1.0 if chances[i] > chances[j] else 0.5 if chances[i] == chances[j] else 0.0
            for i in copies
            for j in copies
            if malignant[i] and not malignant[j]
        ]
        assert result == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True)


def test_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    """Bin 13 of 15 holds 0.9 and 0.9 with one malignant (gap 0.4), bin 1 holds 0.1 and benign (gap 0.1)."""
    chances, malignant = np.array([0.9, 0.9, 0.1]), np.array([True, False, False])
    assert value(classification.ece(chances, malignant, np.arange(3)), 3) == pytest.approx((2 * 0.4 + 0.1) / 3)


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    assert value(classification.ece(np.array([1.0]), np.array([True]), np.array([0])), 1) == 0


def test_brier_is_the_mean_squared_difference() -> None:
    expected = (0.1**2 + 0.6**2 + 0.6**2 + 0.1**2) / 4
    assert value(classification.brier(CHANCES, MALIGNANT, ONE_EACH)) == pytest.approx(expected)


def test_sensitivity_and_specificity_at_a_threshold() -> None:
    assert value(classification.sensitivity(CHANCES, MALIGNANT, ONE_EACH, 0.4)) == 1.0
    assert value(classification.sensitivity(CHANCES, MALIGNANT, ONE_EACH, 0.5)) == 0.5
    assert value(classification.specificity(CHANCES, MALIGNANT, ONE_EACH, 0.4)) == 0.5


def test_the_roc_curve_goes_from_corner_to_corner_and_its_area_is_the_auc() -> None:
    points = classification.roc(CHANCES, MALIGNANT)
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]
    widths, heights = np.diff(points[:, 0]), (points[1:, 1] + points[:-1, 1]) / 2
    assert float((widths * heights).sum()) == pytest.approx(0.75)


def test_reliability_lists_the_bins_that_hold_lesions() -> None:
    rows = classification.reliability(np.array([0.9, 0.9, 0.1]), np.array([True, False, False]))
    np.testing.assert_allclose(rows, [[0.1, 0, 1], [0.9, 0.5, 2]])
