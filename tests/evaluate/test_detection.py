"""Average precision and FROC: cases computed by hand, and a slow reference that counts everything."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.evaluate.detection import Ranking, rank

ONE = np.ones((1, 1))


def ranking(
    scores: list[list[float]], hits: list[list[bool]], lesions: list[int], groups: list[int] | None = None
) -> Ranking:
    return rank(
        [np.array(each, np.float64) for each in scores],
        [np.array(each, bool) for each in hits],
        lesions,
        np.array(groups if groups is not None else [0] * len(scores), np.int64),
    )


def test_perfect_findings_have_an_average_precision_of_one() -> None:
    assert ranking([[0.9], [0.8]], [[True], [True]], [1, 1]).average_precision(ONE)[0] == pytest.approx(1)


def test_average_precision_of_one_alarm_between_two_hits() -> None:
    """Recall 0.5 at precision 1, recall 1 at precision 2/3: 51 points at 1 and 50 at 2/3."""
    result = ranking([[0.9, 0.5], [0.3]], [[True, False], [True]], [1, 1]).average_precision(ONE)[0]
    assert result == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_a_missed_lesion_caps_recall() -> None:
    result = ranking([[0.9], []], [[True], []], [1, 1]).average_precision(ONE)[0]
    assert result == pytest.approx(51 / 101)


def test_alarms_below_the_weakest_hit_cost_nothing() -> None:
    with_tail = ranking([[0.9, 0.1, 0.05]], [[True, False, False]], [1])
    assert with_tail.average_precision(ONE)[0] == pytest.approx(1)


def test_no_findings_are_zero_and_no_lesions_are_undefined() -> None:
    assert ranking([[]], [[]], [1]).average_precision(ONE)[0] == 0
    assert ranking([[]], [[]], [1]).sensitivity_at(1.0, ONE)[0] == 0
    assert np.isnan(ranking([[0.5]], [[False]], [0]).average_precision(ONE)[0])
    assert np.isnan(ranking([[0.5]], [[False]], [0]).sensitivity_at(1.0, ONE)[0])


def test_sensitivity_at_a_rate_counts_normal_pictures_too() -> None:
    """One alarm above the second hit, four pictures: 0.25 false positives a picture buy the second hit."""
    result = ranking([[0.9], [0.4], [0.5], []], [[True], [True], [False], []], [1, 1, 0, 0])
    assert result.sensitivity_at(0.1, ONE)[0] == 0.5
    assert result.sensitivity_at(0.25, ONE)[0] == 1.0


def test_an_alarm_with_the_score_of_a_hit_comes_first() -> None:
    tied = ranking([[0.5], [0.5]], [[True], [False]], [1, 0])
    assert tied.average_precision(ONE)[0] == pytest.approx(0.5)
    assert tied.sensitivity_at(0.4, ONE)[0] == 0


def test_froc_points_run_from_strict_to_lenient() -> None:
    points = ranking([[0.9, 0.5], [0.3]], [[True, False], [True]], [1, 1]).froc()
    np.testing.assert_allclose(points, [[0.0, 0.5, 0.9], [0.5, 1.0, 0.3]])


def reference(
    scores: list[NDArray[np.float64]], hits: list[NDArray[np.bool_]], lesions: list[int], drawn: list[int]
) -> tuple[float, float]:
    """AP and sensitivity at 0.25 false positives a picture, by copying the drawn pictures and counting."""
    found = sorted(
        ((score, bool(hit)) for index in drawn for score, hit in zip(scores[index], hits[index], strict=True)),
        key=lambda each: (-each[0], each[1]),
    )
    total = sum(lesions[index] for index in drawn)
    if total == 0:
        return float("nan"), float("nan")
    true = false = 0
    curve = []
    for _, hit in found:
        true, false = true + hit, false + (not hit)
        curve.append((true / total, true / (true + false), false / len(drawn)))
    points = np.linspace(0, 1, 101)
    best = [max((precision for recall, precision, _ in curve if recall >= p - 1e-12), default=0.0) for p in points]
    sensitivity = max((recall for recall, _, rate in curve if rate <= 0.25 + 1e-12), default=0.0)
    return float(np.mean(best)), sensitivity


def test_weights_give_what_copying_the_drawn_pictures_gives() -> None:
    rng = np.random.default_rng(4)
    pictures = 30
    lesions = rng.integers(0, 3, pictures).tolist()
    scores: list[NDArray[np.float64]] = []
    hits: list[NDArray[np.bool_]] = []
    for count in lesions:
        found = rng.integers(0, 6)
        each = np.sort(rng.random(found))[::-1]
        hit = np.zeros(found, bool)
        hit[rng.permutation(found)[: rng.integers(0, count + 1)]] = True
        scores.append(each)
        hits.append(hit)
    groups = rng.integers(0, 8, pictures)
    groups[:8] = np.arange(8)
    weights = rng.multinomial(8, [1 / 8] * 8, size=40).astype(np.float64)
    ranked = rank(scores, hits, lesions, groups)
    for row, ap, sensitivity in zip(
        weights, ranked.average_precision(weights), ranked.sensitivity_at(0.25, weights), strict=True
    ):
        drawn = [index for index in range(pictures) for _ in range(int(row[groups[index]]))]
        expected_ap, expected_sensitivity = reference(scores, hits, lesions, drawn)
        assert ap == pytest.approx(expected_ap, nan_ok=True)
        assert sensitivity == pytest.approx(expected_sensitivity, nan_ok=True)
