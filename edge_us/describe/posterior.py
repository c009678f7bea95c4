"""Posterior features: none, enhancement, shadowing or a combined pattern.

The lexicon: what lies below the lesion is brighter or darker than the tissue beside it at the same depth. Number:
contrast of each of six strips along the beams below the lesion with the tissue on both sides in the same rows; their
mean, and the means of the two darkest and the two brightest for the combined pattern. The outer parts are left out: the
edges of a smooth lesion refract, and the thin shadows there are no posterior feature in the lexicon's sense.
"""

from __future__ import annotations

import math
from itertools import pairwise

from edge_us.describe.patch import DARK_GREY, Patch
from edge_us.describe.ranks import contrast_db, histogram
from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold

NONE, ENHANCEMENT, SHADOWING, COMBINED = "none", "enhancement", "shadowing", "combined"
WORDS = (NONE, ENHANCEMENT, SHADOWING, COMBINED)
MEAN, DARKEST, BRIGHTEST = "posterior_db", "posterior_darkest_db", "posterior_brightest_db"
SHADOW, GLOW = "posterior_db_dark", "posterior_db_bright"
_SOURCE = "measured: docs/measurements.md, phantoms with and without attenuation of their own"
THRESHOLDS = {SHADOW: Threshold(-3.0, 0.75, _SOURCE), GLOW: Threshold(3.0, 0.75, _SOURCE)}
STRIPS = 6
MIDDLE = 0.7
"""Share of the lesion's width that is looked below."""
GAP, DEEP = 0.08, 0.9
"""Where the tissue below begins, and how far it is looked, in diameters."""
BESIDE = (0.1, 0.8)
"""From where to where the tissue beside is looked at, in widths of the lesion from its edge."""
LEAST_ROWS = 0.25
"""Depth that must be left below the lesion, in diameters."""
LEAST_PIXELS = 120
MOST_BLACK = 0.15
"""Share of black pixels beside, from which the gain is too low to compare: a shadow cannot be darker than black."""


def look(patch: Patch) -> dict[str, float]:
    """Numbers of one lesion; empty where too little of the tissue below or beside it is in the picture."""
    import numpy as np

    size, width = patch.diameter, patch.right - patch.left
    first = patch.bottom + round(GAP * size)
    last = min(patch.grey.shape[0], first + round(DEEP * size))
    if last - first < LEAST_ROWS * size:
        return {}
    rows = slice(first, last)
    near, far = round(BESIDE[0] * width), round(BESIDE[1] * width)
    left = slice(max(0, patch.left - far), max(0, patch.left - near))
    right = slice(patch.right + near, patch.right + far)
    beside = np.concatenate([patch.grey[rows, side][patch.lit[rows, side]] for side in (left, right)])
    if len(beside) < LEAST_PIXELS or np.mean(beside <= DARK_GREY) > MOST_BLACK:
        return {}
    reference = histogram(beside)
    margin = (1 - MIDDLE) / 2 * width
    edges = np.rint(np.linspace(patch.left + margin, patch.right - margin, STRIPS + 1)).astype(int)
    strips = [contrast_db(histogram(patch.grey[rows, a:b]), reference) for a, b in pairwise(edges.tolist())]
    strips = sorted(each for each in strips if not math.isnan(each))
    if len(strips) < STRIPS:
        return {}
    return {MEAN: sum(strips) / STRIPS, DARKEST: sum(strips[:2]) / 2, BRIGHTEST: sum(strips[-2:]) / 2}


def word(numbers: Numbers) -> str:
    """The word for the numbers."""
    dark, bright = THRESHOLDS[SHADOW], THRESHOLDS[GLOW]
    shadow, glow = dark.side(numbers[DARKEST]) < 0, bright.side(numbers[BRIGHTEST]) > 0
    if shadow and glow:
        return COMBINED
    below, above = dark.side(numbers[MEAN]), bright.side(numbers[MEAN])
    if below < 0:
        return SHADOWING
    if above > 0:
        return ENHANCEMENT
    return NONE if below > 0 and above < 0 else UNCERTAIN
