"""Resampling of groups: intervals that are as wide as the number of patients says."""

from __future__ import annotations

import numpy as np
import pytest

from edge_us.evaluate.bootstrap import Estimate, draw_weights, estimate, median, ratio


def test_every_resample_draws_as_many_groups_as_there_are() -> None:
    weights = draw_weights(7, 500, seed=1)
    assert weights.shape == (500, 7)
    assert set(weights.sum(axis=1)) == {7.0}
    assert weights.mean() == 1.0


def test_the_same_seed_draws_the_same_resamples() -> None:
    np.testing.assert_array_equal(draw_weights(7, 50, seed=1), draw_weights(7, 50, seed=1))
    assert (draw_weights(7, 50, seed=1) != draw_weights(7, 50, seed=2)).any()


def test_the_interval_of_a_mean_has_the_width_that_theory_says() -> None:
    values = np.random.default_rng(0).normal(0, 1, 400)
    result = estimate(ratio(values, np.ones(400)), draw_weights(400, 4000, seed=0))
    assert result.low is not None
    assert result.high is not None
    assert result.value == pytest.approx(values.mean())
    assert result.high - result.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_pictures_of_one_group_stay_together() -> None:
    """Ten pictures each of four patients: as many patients, not pictures, decide the width."""
    patients = np.array([0.0, 0.0, 1.0, 1.0])
    weights = draw_weights(4, 4000, seed=0)
    many = estimate(ratio(patients * 10, np.full(4, 10.0)), weights)
    one = estimate(ratio(patients, np.ones(4)), weights)
    assert many == one
    assert (many.low, many.high) == (0.0, 1.0)


def test_a_group_with_more_pictures_counts_more() -> None:
    assert estimate(ratio(np.array([9.0, 0.0]), np.array([9.0, 1.0])), draw_weights(2, 200, 0)).value == 0.9


def test_one_group_has_no_interval() -> None:
    assert estimate(ratio(np.array([3.0]), np.array([4.0])), draw_weights(1, 100, 0)) == Estimate(0.75)


def test_what_is_undefined_is_null_in_the_report() -> None:
    result = estimate(ratio(np.zeros(3), np.zeros(3)), draw_weights(3, 100, 0))
    assert result.as_json() == {"value": None, "ci95": None}
    assert Estimate(0.5, 0.25, 0.75).as_json() == {"value": 0.5, "ci95": [0.25, 0.75]}


def test_no_interval_where_many_resamples_are_undefined() -> None:
    """Only one of five patients has a lesion: a third of the resamples holds none."""
    counts = np.array([1.0, 0, 0, 0, 0])
    assert estimate(ratio(counts, counts), draw_weights(5, 500, 0)) == Estimate(1.0)


def test_the_median_of_a_resample_is_that_of_the_values_drawn() -> None:
    values, groups = np.array([4.0, 1.0, 9.0, 2.0, 7.0]), np.array([0, 1, 1, 2, 3])
    weights = np.vstack([np.ones(4), draw_weights(4, 50, seed=0)])
    drawn = [np.repeat(values, row[groups].astype(int)) for row in weights]
    assert any(len(each) % 2 for each in drawn)
    assert any(len(each) % 2 == 0 for each in drawn)
    np.testing.assert_allclose(median(values, groups)(weights), [np.median(each) for each in drawn])


def test_there_is_no_median_of_nothing() -> None:
    nothing = median(np.zeros(0), np.zeros(0, np.int64))
    assert np.isnan(nothing(np.ones((3, 2)))).all()
    assert np.isnan(median(np.array([1.0]), np.array([0]))(np.array([[0.0, 2.0]]))).all()
