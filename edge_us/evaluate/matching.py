"""Which finding belongs to which lesion: boxes of mask components, overlap, greedy matching by score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""COCO's 0.50 .. 0.95; the first one alone decides hits, misses and false alarms."""
SPECK_SHARE = 1e-4
"""Mask components smaller than this share of the picture are drawing errors, not lesions. In the masks at hand
second components are either below 0.6e-4 or above 1.4e-3."""

MOST_NUMBERED = 16
"""A mask whose brightest value is no more than this numbers its lesions, or is 1 for all of them."""


@dataclass(frozen=True, slots=True)
class Lesion:
    """One connected component of a lesion mask.

    ``box`` is ``x1, y1, x2, y2`` in px with exclusive right and bottom edges, ``share`` its area as share of the
    picture.
    """

    box: tuple[float, float, float, float]
    share: float


def lesion_pixels(stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    """The lesions' pixels in a mask as it is stored: above half of its brightest value.

    Masks that were smoothed or saved as JPEG have grey edges, which are half inside; in masks that number their lesions
    every value but 0 counts.

    Parameters
    ----------
    stored : ndarray of uint8 or bool, shape (height, width) or (height, width, channels)
    """
    values = np.asarray(stored, np.uint8)
    grey = values if values.ndim == 2 else values.max(axis=2)
    brightest = int(grey.max(initial=0))
    return np.asarray(grey > (brightest / 2 if brightest > MOST_NUMBERED else 0))


def lesions_of(mask: NDArray[np.bool_]) -> tuple[Lesion, ...]:
    """Lesions of a mask: its 8-connected components without specks, the largest one always kept.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
    """
    return number_lesions(mask)[0]


def number_lesions(mask: NDArray[np.bool_]) -> tuple[tuple[Lesion, ...], NDArray[np.uint8]]:
    """`lesions_of`, and where each of them lies.

    Returns
    -------
    lesions : tuple of Lesion
        Largest first; at most 255.
    labels : ndarray of uint8, shape (height, width)
        1 on the pixels of the first lesion, 2 on those of the second and so on, 0 elsewhere.
    """
    import cv2

    count, components, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    found: list[Lesion] = []
    numbers = np.zeros(count, np.uint8)
    for index in order[:255]:
        x, y, width, height, area = stats[index].tolist()
        share = area / mask.size
        if not found or share >= SPECK_SHARE:
            found.append(Lesion((float(x), float(y), float(x + width), float(y + height)), share))
            numbers[index] = len(found)
    return tuple(found), np.asarray(numbers[components], np.uint8)


def box_iou(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of every box with every other box: shapes (n, 4) and (m, 4) give (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    other_areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    union = areas[:, None] + other_areas[None, :] - inner
    return np.asarray(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0), np.float64)


def match(scores: Floats, iou: Floats, threshold: float) -> NDArray[np.int64]:
    """Greedy matching as in COCO: best score first, each takes the free lesion that it overlaps most.

    What a finding gets does not depend on weaker findings, so one matching serves every score threshold.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    iou : ndarray, shape (n, m)
        Overlap of every finding with every lesion.
    threshold : float
        Smallest overlap that is a hit.

    Returns
    -------
    ndarray of int, shape (n,)
        Index of the lesion, or -1.
    """
    result = np.full(len(scores), -1, np.int64)
    if iou.size == 0:
        return result
    free = np.ones(iou.shape[1], bool)
    for row in np.argsort(-scores, kind="stable"):
        overlap = np.where(free, iou[row], -1.0)
        best = int(overlap.argmax())
        if overlap[best] >= threshold:
            result[row] = best
            free[best] = False
    return result


def dice(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks; two empty masks agree."""
    total = int(mask.sum()) + int(other.sum())
    return 2 * int((mask & other).sum()) / total if total else 1.0


def mask_iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; two empty masks agree."""
    union = int((mask | other).sum())
    return int((mask & other).sum()) / union if union else 1.0
