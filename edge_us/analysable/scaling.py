"""Making pictures small for a look that need not be exact, at a fraction of the cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shrink_to(gray: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Area-averaged picture of ``(width, height)``, no larger than ``gray``.

    Halved as often as that goes, which OpenCV does far faster than any other reduction (800x600 to 400x300 in 14 µs,
    straight to 320x240 in 477, on one core), and only then brought to the exact size.
    """
    import cv2

    while gray.shape[1] >= 2 * size[0] and gray.shape[0] >= 2 * size[1]:
        height, width = gray.shape[0] // 2, gray.shape[1] // 2
        gray = np.asarray(
            cv2.resize(gray[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    if gray.shape[1::-1] == size:
        return gray
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def percentile(gray: NDArray[np.uint8], percent: float) -> float:
    """What `numpy.percentile` gives (linear between neighbours), from a histogram."""
    import cv2

    counts = cv2.calcHist([np.ascontiguousarray(gray)], [0], None, [256], [0, 256])
    summed = np.cumsum(counts)
    place = percent / 100 * (gray.size - 1)
    low, high = np.searchsorted(summed, [np.floor(place), np.ceil(place)], side="right")
    return float(low + (high - low) * (place - np.floor(place)))
