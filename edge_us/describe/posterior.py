"""Posterior features: none, enhancement, shadowing or a combined pattern.

The lexicon: what lies below the lesion is brighter or darker than the tissue beside it at the same depth. Number:
contrast of each of six strips along the beams below the lesion with the tissue on both sides in the same rows; their
mean, and the means of the two darkest and the two brightest for the combined pattern. The outer parts are left out: the
edges of a smooth lesion refract, and the thin shadows there are no posterior feature in the lexicon's sense.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from edge_us.describe.patch import DARK_GREY, Patch
from edge_us.describe.ranks import contrast_db, histogram
from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
BANDS = 4
"""Depths that are compared apart: two kinds of tissue at once, above and below a border, would hide a shadow."""
LEAST_PIXELS = 30
"""Beside the lesion in one band."""
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
    grey, lit = _levelled(patch, first, last)
    near, far = round(BESIDE[0] * width), round(BESIDE[1] * width)
    sides = np.zeros(grey.shape[1], bool)
    sides[max(0, patch.left - far) : max(0, patch.left - near)] = True
    sides[patch.right + near : patch.right + far] = True
    inset = (1 - MIDDLE) / 2 * width
    edges = np.rint(np.linspace(patch.left + inset, patch.right - inset, STRIPS + 1)).astype(int).tolist()
    bands = []
    for low, high in pairwise(np.rint(np.linspace(0, last - first, BANDS + 1)).astype(int).tolist()):
        here, seen = grey[low:high], lit[low:high]
        beside = here[:, sides][seen[:, sides]]
        if len(beside) < LEAST_PIXELS:
            continue
        if np.mean(beside <= DARK_GREY) > MOST_BLACK:
            return {}  # not only this band left out: then the gain would choose which depths are compared
        reference = histogram(beside)
        bands.append([contrast_db(histogram(here[:, a:b]), reference) for a, b in pairwise(edges)])
    if len(bands) < BANDS / 2 or edges[-1] - edges[0] < STRIPS:
        return {}
    strips = sorted(float(value) for value in np.mean(bands, axis=0))
    return {MEAN: sum(strips) / STRIPS, DARKEST: sum(strips[:2]) / 2, BRIGHTEST: sum(strips[-2:]) / 2}


def _levelled(patch: Patch, first: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pixels and whether they are lit, rows at one depth: below a curved probe tissue lies in planes, not in arcs.

    Layers that a probe has bent return to their own shape some 15 mm deep; compared along arcs, a layer's border that
    lies across the beam at the middle made shadows and enhancements of 4 dB on phantoms without any.
    """
    import numpy as np

    if math.isinf(patch.apex):
        return patch.grey[first:last], patch.lit[first:last]
    middle_x, middle_y = (patch.left + patch.right) / 2, (patch.top + patch.bottom) / 2
    turn = (np.arange(patch.grey.shape[1]) + 0.5 - middle_x) / (middle_y - patch.apex)
    reach = (np.arange(first, last) - patch.apex)[:, None] / np.cos(np.clip(turn, -1.0, 1.0))
    rows = np.rint(reach + patch.apex).astype(np.int64)
    inside = rows < patch.grey.shape[0]
    rows = np.minimum(rows, patch.grey.shape[0] - 1)
    columns = np.arange(patch.grey.shape[1])
    return patch.grey[rows, columns], patch.lit[rows, columns] & inside


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
