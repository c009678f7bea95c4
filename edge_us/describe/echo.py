"""Echo pattern, against the fat beside and above the lesion.

The lexicon: anechoic has no internal echoes; hypo-, iso- and hyperechoic are relative to subcutaneous fat; complex
cystic and solid has anechoic and echogenic parts; heterogeneous is a mixture of patterns in a solid mass.

Fat is the darker tissue of the breast beside and above the lesion: neighbouring pixels whose local median lies in the
`FAT` quantiles of the surroundings. Darker ones are shadows and ducts, brighter ones gland and ligaments. In a breast
without fat in the picture the darker gland stands in, and a lesion reads darker than it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.describe.patch import DARK_GREY, Patch
from edge_us.describe.ranks import contrast_db, histogram, ranks
from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ANECHOIC, HYPO, ISO, HYPER = "anechoic", "hypoechoic", "isoechoic", "hyperechoic"
COMPLEX, HETEROGENEOUS = "complex cystic and solid", "heterogeneous"
WORDS = (ANECHOIC, HYPO, ISO, HYPER, COMPLEX, HETEROGENEOUS)
ECHO, BRIGHTEST, PARTS, DARK = "echo_db", "brightest_echo_rank", "parts_db", "anechoic_share"
BLACK = "black_share"
DARKER, BRIGHTER = "echo_db_dark", "echo_db_bright"
THRESHOLDS = {
    DARKER: Threshold(-2.5, 1.0, "lexicon: darker than fat; 2.5 dB is what two places of the same fat differ by"),
    BRIGHTER: Threshold(2.5, 1.0, "lexicon: brighter than fat; 2.5 dB is what two places of the same fat differ by"),
    BRIGHTEST: Threshold(
        0.04, 0.015, "measured: docs/measurements.md, phantoms and 142 real cysts against solid masses"
    ),
    PARTS: Threshold(12.0, 1.5, "measured: docs/measurements.md, phantoms of one and of several echogenicities"),
    DARK: Threshold(0.15, 0.05, "measured: docs/measurements.md, phantoms with an anechoic half"),
    BLACK: Threshold(0.3, 0.0, "measured: docs/measurements.md, words that a gain 6 dB lower flips on real pictures"),
}
FAT = (0.10, 0.40)
CORE, AWAY = 0.08, 0.10
"""The lesion's inside begins, and its surroundings begin, so far from its edge, in diameters."""
EMPTY = 0.01
"""Rank among the surrounding tissue below which a part of the lesion has no echoes."""
LEAST_PIXELS = 60


def look(patch: Patch) -> dict[str, float]:
    """Numbers of one lesion; empty where there is too little of it or of its surroundings."""
    import numpy as np

    around = (patch.distance > AWAY * patch.diameter) & patch.lit
    around[: patch.tissue] = False
    around[patch.bottom :] = False
    core = patch.distance < -CORE * patch.diameter
    local = patch.local[around]
    if np.count_nonzero(core) < LEAST_PIXELS or len(local) < 4 * LEAST_PIXELS:
        return {}
    low, high = np.quantile(local, FAT, method="nearest")
    grey = patch.grey[around]
    fat = histogram(grey[(local >= low) & (local <= high)])
    inside, tissue = patch.grey[core], ranks(histogram(grey))
    brightest = int(np.quantile(inside, 0.9, method="nearest"))
    parts, dark = _parts(patch, core, tissue)
    return {
        ECHO: contrast_db(histogram(inside), fat),
        BRIGHTEST: float(tissue[brightest]),
        PARTS: parts,
        DARK: dark,
        BLACK: max(float(np.mean(each <= DARK_GREY)) for each in (inside, grey)),
    }


def _parts(patch: Patch, core: NDArray[np.bool_], tissue: NDArray[np.float64]) -> tuple[float, float]:
    """Contrast between the brightest and darkest third of the lesion in dB, and the share of it that is anechoic.

    Thirds are those of the median over a quarter of the diameter: smaller windows tell speckle from speckle.
    """
    import cv2
    import numpy as np

    window = max(3, int(patch.diameter / 4) | 1)
    box = np.ascontiguousarray(patch.grey[patch.top : patch.bottom, patch.left : patch.right])
    inner = core[patch.top : patch.bottom, patch.left : patch.right]
    broad = np.asarray(cv2.medianBlur(box, min(window, 255)), np.uint8)[inner]
    grey = box[inner]
    low, high = np.quantile(broad, (1 / 3, 2 / 3), method="nearest")
    parts = contrast_db(histogram(grey[broad >= high]), histogram(grey[broad <= low]))
    return parts, float(np.mean(tissue[broad] < EMPTY))


def word(numbers: Numbers) -> str:
    """The word for the numbers.

    Where the gain is so low that much of the lesion or of the tissue is black, its parts may differ by more than can be
    seen: then nothing is said that a higher gain could take back.
    """
    mixed, dark = THRESHOLDS[PARTS].side(numbers[PARTS]), THRESHOLDS[DARK].side(numbers[DARK])
    empty = THRESHOLDS[BRIGHTEST].side(numbers[BRIGHTEST])
    if empty < 0:
        return ANECHOIC
    if mixed > 0 and dark > 0:
        return COMPLEX
    if mixed == 0 or empty == 0 or THRESHOLDS[BLACK].side(numbers[BLACK]) > 0:
        return UNCERTAIN
    if mixed > 0:
        return HETEROGENEOUS if dark < 0 else UNCERTAIN
    echo = numbers[ECHO]
    below, above = THRESHOLDS[DARKER].side(echo), THRESHOLDS[BRIGHTER].side(echo)
    if below < 0:
        return HYPO
    if above > 0:
        return HYPER
    return ISO if below > 0 and above < 0 else UNCERTAIN
