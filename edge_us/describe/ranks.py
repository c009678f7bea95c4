"""Comparisons of grey levels that no monotone change of them alters: gain, gamma, a grey map.

Which of two places is brighter stays true whatever the sonographer does to the picture's brightness, as long as nothing
is clipped. So places are compared by the probability p that a pixel of the one is brighter than a pixel of the other
(Mann and Whitney, 1947). For fully developed speckle, whose intensity is exponentially distributed (Wagner et al., IEEE
Trans Sonics Ultrason 30:156, 1983), two places whose mean echoes differ by a factor r give p = r / (1 + r); so 10
log10(p / (1 - p)) is the contrast in decibels. Compounding and smoothing make speckle narrower and this number larger
than the true contrast.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_DB = 25.0
"""Contrast beyond which two places do not overlap, in dB."""


def histogram(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How often each of the 256 levels occurs."""
    import numpy as np

    return np.bincount(grey.ravel(), minlength=256).astype(np.float64)


def ranks(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each level the share of the pixels that are darker, equal ones counting half; shape (256,)."""
    total = float(counts.sum())
    shares: NDArray[np.float64] = (counts.cumsum() - 0.5 * counts) / max(total, 1.0)
    return shares


def contrast_db(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How much brighter ``one`` is than ``other``, both given by their histograms, in dB of speckle; NaN if one is
    empty."""
    n, m = float(one.sum()), float(other.sum())
    if n == 0 or m == 0:
        return math.nan
    return decibel(float(one @ ranks(other)) / n)


def decibel(probability: float) -> float:
    """The contrast at which a pixel is brighter with this probability, within ``MOST_DB``."""
    least = 1.0 / (1.0 + 10 ** (MOST_DB / 10))
    p = min(max(probability, least), 1.0 - least)
    return 10.0 * math.log10(p / (1.0 - p))
