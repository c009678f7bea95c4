"""What a screen looks like while it is calibrated: its mean, and what its strips keep saying."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import to_bgr
from edge_us.finding import Unknown
from edge_us.frame import Frame, Rect
from edge_us.scale.fingerprint import LEAST_CONTRAST, LIMIT, encode, look

FRAMES, FEWEST_FRAMES = 24, 5
STEADY = 0.75 * LIMIT
"""Grey levels by which a strip may move while it is calibrated: less than what ends a scale."""


def mean_picture(frames: Sequence[Frame]) -> NDArray[np.float32]:
    """Mean of frames of one size, full-range BGR, shape (height, width, 3)."""
    total = np.zeros((frames[0].height, frames[0].width, 3), np.float32)
    for frame in frames:
        total += to_bgr(frame)
    total /= len(frames)
    return total


def fingerprint_of(frames: Sequence[Frame], strips: Sequence[Rect]) -> str | Unknown:
    """The fingerprint of strips that stand still and say something, or which of them does not."""
    prints = []
    for strip in strips:
        looks = np.stack([look(frame, [strip]) for frame in frames])
        mean = looks.mean(axis=0)
        where = ",".join(map(str, strip))
        if np.abs(looks - mean).max() > STEADY:
            return Unknown(f"what stands at {where} changes while nobody changes it")
        if mean.max() - mean.min() < LEAST_CONTRAST:
            return Unknown(f"nothing that can be told apart stands at {where}")
        prints.append(encode(mean.astype(np.float32)))
    return "".join(prints)
