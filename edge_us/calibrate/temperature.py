"""Temperature scaling: one number that makes probabilities mean what they say, without changing their order.

Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1, where the logit has no value."""
LOWEST, HIGHEST = 0.05, 20.0
"""A temperature outside says that the probabilities carry no information, or that there are too few cases."""


def temper(probability: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return sigmoid(logit(p) / temperature), same shape as ``probability``.

    Parameters
    ----------
    probability : array-like of float
        In 0..1.
    temperature : float
        Greater than 0; above 1 pulls towards 0.5, and its reciprocal undoes it.
    """
    return _sigmoid(_logit(probability) / temperature)


def fit_temperature(probability: ArrayLike, truth: ArrayLike) -> float:
    """Return the temperature with the least negative log-likelihood.

    Parameters
    ----------
    probability : array-like of float, shape (n,)
        In 0..1.
    truth : array-like of bool, shape (n,)

    Raises
    ------
    ValueError
        No case, or all of one class.
    """
    logits = _logit(probability)
    sign = np.where(np.asarray(truth, bool), 1.0, -1.0)
    if np.unique(sign).size < 2:
        raise ValueError("cases of both classes are needed")

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -sign * logits / np.exp(log_temperature)).mean())

    # The loss is convex in 1/T, so it has one minimum in log T too: golden-section search finds it.
    low, high = float(np.log(LOWEST)), float(np.log(HIGHEST))
    golden = (5**0.5 - 1) / 2
    for _ in range(60):
        span = golden * (high - low)
        left, right = high - span, low + span
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def _logit(probability: ArrayLike) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(probability, np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))
