"""Detection metrics on ranked findings: average precision and FROC, for any weights of the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.evaluate.bootstrap import Floats, Statistic, sum_by_group

FALSE_POSITIVES_PER_IMAGE = (0.05, 0.1, 0.25, 0.5, 1.0)
RECALL_POINTS = np.linspace(0, 1, 101)
"""COCO's interpolation."""
CHUNK = 250
"""Resamples computed at once: bounds memory."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """All findings of a set of pictures, ranked by score.

    Precision and recall only matter where a hit is gained, so only these ranks are kept. Where a hit and a false
    alarm have the same score, the false alarm comes first.

    Attributes
    ----------
    hits : ndarray, shape (groups, k)
        Hits of each group up to and including the k-th hit.
    false_alarms : ndarray, shape (groups, k)
        False alarms of each group ranked before the k-th hit.
    scores : ndarray, shape (k,)
        Score of the k-th hit.
    lesions, images : ndarray, shape (groups,)
        Lesions and pictures of each group.
    """

    hits: Floats
    false_alarms: Floats
    scores: Floats
    lesions: Floats
    images: Floats

    def average_precision(self, weights: Floats) -> Floats:
        """Area under the interpolated precision-recall curve (COCO, 101 points); NaN without lesions."""
        return self._by_chunks(self._average_precision, weights)

    def sensitivity_at(self, false_positives: float, weights: Floats) -> Floats:
        """Largest sensitivity with at most so many false positives per picture; NaN without lesions."""
        return self._by_chunks(lambda part: self._sensitivity_at(false_positives, part), weights)

    def froc(self) -> Floats:
        """Points of the FROC curve, best score first: false positives per picture, sensitivity, score."""
        ones = np.ones((1, len(self.lesions)))
        recall, per_image = self._recall(ones)[0], (ones @ self.false_alarms)[0] / max(1.0, float(self.images.sum()))
        return np.stack([per_image, recall, self.scores], axis=1)

    def _average_precision(self, weights: Floats) -> Floats:
        hits, false_alarms = weights @ self.hits, weights @ self.false_alarms
        found = hits + false_alarms
        precision = np.divide(hits, found, out=np.zeros_like(hits), where=found > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        envelope = np.concatenate([envelope, np.zeros((len(weights), 1))], axis=1)
        recall = self._recall(weights)
        # Recall rises along a row, so the first rank that reaches a recall is the number of ranks below it.
        total = np.zeros(len(weights))
        rows = np.arange(len(weights))
        for point in RECALL_POINTS:
            total += envelope[rows, (recall < point - 1e-12).sum(axis=1)]
        total /= len(RECALL_POINTS)
        return np.where(weights @ self.lesions > 0, total, np.nan)

    def _sensitivity_at(self, false_positives: float, weights: Floats) -> Floats:
        allowed = false_positives * (weights @ self.images)[:, None] + 1e-9
        reached = np.where(weights @ self.false_alarms <= allowed, self._recall(weights), 0.0)
        best = reached.max(axis=1, initial=0.0)
        return np.where(weights @ self.lesions > 0, best, np.nan)

    def _recall(self, weights: Floats) -> Floats:
        lesions = (weights @ self.lesions)[:, None]
        hits = weights @ self.hits
        return np.divide(hits, lesions, out=np.zeros_like(hits), where=lesions > 0)

    @staticmethod
    def _by_chunks(function: Statistic, weights: Floats) -> Floats:
        parts = [function(weights[start : start + CHUNK]) for start in range(0, len(weights), CHUNK)]
        return np.concatenate(parts)


def rank(
    scores: Sequence[Floats], hits: Sequence[NDArray[np.bool_]], lesions: Sequence[int], groups: NDArray[np.int64]
) -> Ranking:
    """Rank the findings of pictures.

    Parameters
    ----------
    scores, hits : sequence of ndarray, shape (n,)
        For each picture the scores of its findings, and which of them hit a lesion.
    lesions : sequence of int
        Lesions in each picture.
    groups : ndarray of int, shape (pictures,)
        Number of each picture's group, from 0.
    """
    count = int(groups.max()) + 1 if len(groups) else 0
    owner = np.repeat(groups, [len(each) for each in scores])
    all_scores = np.concatenate([*scores, np.zeros(0)])
    all_hits = np.concatenate([*hits, np.zeros(0, bool)])
    order = np.lexsort((all_hits, -all_scores))
    owner, all_scores, all_hits = owner[order], all_scores[order], all_hits[order]
    at = np.flatnonzero(all_hits)
    gained = np.zeros((count, len(at)))
    gained[owner[at], np.arange(len(at))] = 1
    alarms = np.zeros((count, len(at) + 1))
    misses = np.flatnonzero(~all_hits)
    np.add.at(alarms, (owner[misses], np.searchsorted(at, misses)), 1)
    return Ranking(
        hits=gained.cumsum(axis=1),
        false_alarms=alarms[:, :-1].cumsum(axis=1),
        scores=all_scores[at],
        lesions=sum_by_group(groups, np.asarray(lesions), count),
        images=sum_by_group(groups, None, count),
    )
