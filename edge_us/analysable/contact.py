"""Does the probe touch? In air only the reverberations of the first centimetre are bright, and all below is dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_us.analysable.scaling import percentile

NEAR_SHARE = 0.35
"""Upper share of the image where reverberations lie."""
NEAR_CONTRAST = 32
"""Grey levels by which the near field must outshine the darkest places; a picture darker than that says nothing."""
ECHO_SHARE, ECHO_LEAST = 0.15, 10
"""An echo is brighter than the darkest places by this share of the near field's brightness, at least by so many grey
levels."""
DEEP_SHARE = 0.02
"""With less than this share of echoes below the near field there is no contact. The least of 3310 real breast pictures
is 0.03, then 0.05; phantoms with the probe in air have none."""


def lacks_contact(gray: NDArray[np.uint8]) -> bool:
    """Whether the probe seems to be in air.

    Parameters
    ----------
    gray : ndarray of uint8, shape (height, width)
        The image region, full range, of any size.
    """
    share = deep_echoes(gray)
    return share is not None and share < DEEP_SHARE


def deep_echoes(gray: NDArray[np.uint8]) -> float | None:
    """Share of the pixels below the near field that show an echo; None where the near field shows none either."""
    import cv2

    smooth = np.asarray(cv2.blur(gray, (3, 3)), np.uint8)
    border = round(NEAR_SHARE * len(smooth))
    near, deep = smooth[:border], smooth[border:]
    if not near.size or not deep.size:
        return None
    dark = percentile(deep, 1)
    contrast = percentile(near, 99) - dark
    if contrast < NEAR_CONTRAST:
        return None
    return float((deep > dark + max(ECHO_LEAST, ECHO_SHARE * contrast)).mean())
