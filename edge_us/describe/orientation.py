"""Orientation: parallel to the skin or not.

The lexicon: parallel is wider than tall; taller than wide, oblique and round lesions are not parallel. Number: the
height along the beam over the width along the skin (`edge_us.measure.size`), the depth-to-width ratio of Stavros et
al., Radiology 196:123, 1995, from whom "taller than wide" comes.
"""

from __future__ import annotations

from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold

PARALLEL, NOT_PARALLEL = "parallel", "not parallel"
WORDS = (PARALLEL, NOT_PARALLEL)
RATIO = "height_to_width"
THRESHOLDS = {
    RATIO: Threshold(
        0.92,
        0.06,
        "taller than wide is 1 (Stavros 1995); below it, because the lexicon calls round lesions not parallel",
    )
}


def word(numbers: Numbers) -> str:
    """The word for the numbers."""
    return (PARALLEL, UNCERTAIN, NOT_PARALLEL)[THRESHOLDS[RATIO].side(numbers[RATIO]) + 1]
