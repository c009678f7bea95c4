"""Temperature scaling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_us.calibrate.temperature import fit_temperature, temper


@given(st.floats(0.001, 0.999), st.floats(0.1, 10))
def test_the_reciprocal_undoes_a_temperature(probability: float, temperature: float) -> None:
    there = temper(probability, temperature)
    if 1e-5 < there < 1 - 1e-5:
        assert temper(there, 1 / temperature) == pytest.approx(probability, abs=1e-6)


def test_a_temperature_pulls_to_the_middle_and_keeps_order() -> None:
    probabilities = np.linspace(0.01, 0.99, 50)
    softer = temper(probabilities, 2.0)
    assert (np.diff(softer) > 0).all()
    assert (np.abs(softer - 0.5) <= np.abs(probabilities - 0.5)).all()
    assert temper(0.5, 7.0) == pytest.approx(0.5)


def test_an_overconfident_model_gets_the_temperature_that_it_was_spoilt_with() -> None:
    rng = np.random.default_rng(3)
    true = rng.uniform(0.02, 0.98, 20_000)
    happened = rng.random(len(true)) < true
    assert fit_temperature(temper(true, 1 / 2.5), happened) == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_the_minimum_of_a_fine_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.uniform(0.001, 0.999, 200)
    truth = rng.random(200) < temper(probabilities, rng.uniform(0.4, 4))

    def loss(temperature: float) -> float:
        p = np.clip(temper(probabilities, temperature), 1e-12, 1 - 1e-12)
        return float(-np.mean(np.where(truth, np.log(p), np.log(1 - p))))

    tried = np.geomspace(0.05, 20, 20_001)
    best = tried[np.argmin([loss(each) for each in tried])]
    assert fit_temperature(probabilities, truth) == pytest.approx(best, rel=1e-3)


def test_one_class_alone_has_no_temperature() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_temperature([0.2, 0.9], [True, True])
