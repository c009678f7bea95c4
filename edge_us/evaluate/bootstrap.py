"""Cluster bootstrap: groups are resampled, never pictures, because pictures of one patient are not independent.

A resample is a row of weights, one for each group: how often it was drawn. Every metric is a function of such
weights, so that all resamples are computed at once with matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From weights, shape (resamples, groups), to values, shape (resamples,); NaN where undefined."""

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its interval.

    ``value`` is NaN where the metric is undefined; ``low`` and ``high`` are None where there are fewer than two
    groups or the metric is undefined in more than one resample of twenty.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, object]:
        """``{"value": ..., "ci95": [low, high]}`` with null for what is unknown."""
        value = None if np.isnan(self.value) else round(self.value, 6)
        interval = None if self.low is None or self.high is None else [round(self.low, 6), round(self.high, 6)]
        return {"value": value, "ci95": interval}


def draw_weights(groups: int, resamples: int, seed: int) -> Floats:
    """How often each group is drawn when as many are drawn as there are, with replacement.

    Returns
    -------
    ndarray of float, shape (resamples, groups)
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1.0 / groups), size=resamples).astype(np.float64)


def estimate(statistic: Statistic, weights: Floats) -> Estimate:
    """Value on the data as they are, and the percentile interval over the resamples.

    Parameters
    ----------
    statistic : Statistic
    weights : ndarray, shape (resamples, groups)
    """
    groups = weights.shape[1]
    value = float(statistic(np.ones((1, groups)))[0])
    if np.isnan(value) or groups < 2:
        return Estimate(value)
    values = statistic(weights)
    values = values[~np.isnan(values)]
    if len(values) < 0.95 * len(weights):
        return Estimate(value)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def ratio(top: NDArray[np.generic], bottom: NDArray[np.generic]) -> Statistic:
    """Sum over sum, as means and shares are: both given for each group, shape (groups,)."""
    above, below = np.asarray(top, np.float64), np.asarray(bottom, np.float64)

    def statistic(weights: Floats) -> Floats:
        return divide(weights @ above, weights @ below)

    return statistic


def median(values: Floats, groups: NDArray[np.int64]) -> Statistic:
    """Median of values that belong to groups, both of shape (n,); the mean of the middle two of an even number."""
    order = np.argsort(values, kind="stable")
    ranked = np.append(values[order], np.nan)

    def statistic(weights: Floats) -> Floats:
        drawn = weights[:, groups[order]].cumsum(axis=1)
        half = drawn[:, -1:] / 2 if len(values) else np.zeros((len(weights), 1))
        low, high = (drawn < half).sum(axis=1), (drawn <= half).sum(axis=1)
        return np.asarray((ranked[low] + ranked[high]) / 2, np.float64)

    return statistic


def divide(top: Floats, bottom: Floats) -> Floats:
    """Quotient of two arrays of the same shape, NaN where the divisor is not positive."""
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0), np.float64)


def sum_by_group(groups: NDArray[np.int64], values: NDArray[np.generic] | None, count: int) -> Floats:
    """Sum of ``values`` (of ones if None) in each of ``count`` groups."""
    weights = None if values is None else np.asarray(values, np.float64)
    return np.asarray(np.bincount(groups, weights=weights, minlength=count), np.float64)
