"""Margin: circumscribed or not.

The lexicon: the margin of a circumscribed mass is well defined all around, with an abrupt transition to the tissue; it
is not circumscribed where any part is indistinct, angular, microlobulated or spiculated. Number: the share of 24
directions in which the edge is sharp and the outline smooth.

Sharp: somewhere within `SHIFT` of the given outline, because an outline is never exact, grey levels change by enough
between two narrow strips (`contrast_db`), and by most of what they change between wide ones. Smooth: the outline's
radius follows a curve of a few gentle undulations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_us.describe.patch import DARK_GREY, Patch
from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CIRCUMSCRIBED, NOT_CIRCUMSCRIBED = "circumscribed", "not circumscribed"
WORDS = (CIRCUMSCRIBED, NOT_CIRCUMSCRIBED)
SHARE = "circumscribed_share"
THRESHOLDS = {
    SHARE: Threshold(0.42, 0.08, "measured: docs/measurements.md, phantoms with sharp and with soft, angular margins")
}
DIRECTIONS, LEVELS = 24, 16
BIN = 1 / 32
"""Distance from the outline is counted in steps of this share of the lesion's diameter."""
REACH, STRIP, SHIFT = 8, 3, 2
"""Steps: how far is looked to either side, width of a narrow strip, and how far off the outline may be."""
LEAST_DB = 4.0
MOST_BLACK = 0.08
"""Share of black pixels just outside, from which the gain is too low to see a transition."""
ABRUPT, ENOUGH_DB = 0.6, 12.0
"""Share of the whole contrast that lies between the narrow strips; of a contrast larger than this, of so much."""
ORDERS = 3
"""Undulations of a smooth outline: the lexicon allows an oval two or three."""
ROUGH = 0.06
"""Departure from the smooth outline, as a share of the mean radius, that is an angle or a lobule."""


def look(patch: Patch, contour: NDArray[np.float32], unit: tuple[float, float]) -> dict[str, float]:
    """Number of one lesion; empty where too little of its margin is in the picture."""
    import numpy as np

    step = BIN * patch.diameter
    outside = patch.grey[patch.lit & (patch.distance > STRIP * step) & (patch.distance < REACH * step)]
    if np.mean(outside <= DARK_GREY) > MOST_BLACK:
        return {}
    sharp, seen = _sharp(patch)
    smooth = _smooth(contour, unit)
    if np.count_nonzero(seen) < DIRECTIONS // 2:
        return {}
    return {SHARE: float(np.count_nonzero(sharp & smooth & seen)) / float(np.count_nonzero(seen))}


def word(numbers: Numbers) -> str:
    """The word for the numbers."""
    return (NOT_CIRCUMSCRIBED, UNCERTAIN, CIRCUMSCRIBED)[THRESHOLDS[SHARE].side(numbers[SHARE]) + 1]


def _sharp(patch: Patch) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """In which directions the edge is abrupt, and which can be seen; shape (DIRECTIONS,) each."""
    import numpy as np

    steps = np.floor(patch.distance / (BIN * patch.diameter)).astype(np.int64)
    # Inside a lesion black is no want of a picture: it may be a cyst.
    near = (steps >= -REACH) & (steps < REACH) & (patch.lit | (steps < 0))
    rows, columns = np.nonzero(near)
    grey = patch.grey[rows, columns]
    # Levels by rank among the pixels near the margin: a grey map changes none of them.
    counts = np.bincount(grey, minlength=256)
    level = ((np.cumsum(counts) - 0.5 * counts) / max(len(grey), 1) * LEVELS).astype(np.int64)
    middle_x, middle_y = (patch.left + patch.right) / 2, (patch.top + patch.bottom) / 2
    turn = np.arctan2(rows - middle_y, columns - middle_x)
    direction = ((turn / (2 * np.pi) + 0.5) * DIRECTIONS).astype(np.int64) % DIRECTIONS
    flat = (direction * 2 * REACH + steps[rows, columns] + REACH) * LEVELS + level[grey]
    table = np.bincount(flat, minlength=DIRECTIONS * 2 * REACH * LEVELS).astype(np.float64)
    table = table.reshape(DIRECTIONS, 2 * REACH, LEVELS)
    table = table + np.roll(table, 1, axis=0) + np.roll(table, -1, axis=0)  # neighbours help: fewer pixels, more noise
    sums = np.concatenate((np.zeros((DIRECTIONS, 1, LEVELS)), np.cumsum(table, axis=1)), axis=1)
    places = range(REACH - SHIFT, REACH + SHIFT + 1)
    narrow = np.stack([_contrast(sums[:, p] - sums[:, p - STRIP], sums[:, p + STRIP] - sums[:, p]) for p in places])
    inner, outer = sums[:, STRIP] - sums[:, 0], sums[:, -1] - sums[:, -1 - STRIP]
    wide = _contrast(inner, outer)
    seen = (outer.sum(axis=-1) > 0) & np.isfinite(wide)
    best = np.nanmax(np.where(np.isfinite(narrow), narrow, -math.inf), axis=0)
    return (best >= LEAST_DB) & (best >= ABRUPT * np.minimum(wide, ENOUGH_DB)), seen


def _contrast(inner: NDArray[np.float64], outer: NDArray[np.float64]) -> NDArray[np.float64]:
    """Contrast in dB over the last axis of histograms, either way; NaN where one is empty."""
    import numpy as np

    n, m = inner.sum(axis=-1), outer.sum(axis=-1)
    darker = np.cumsum(inner, axis=-1) - 0.5 * inner
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.clip((outer * darker).sum(axis=-1) / (n * m), 0.003, 0.997)
    decibels: NDArray[np.float64] = np.abs(10 * np.log10(p / (1 - p)))
    return decibels


def _smooth(contour: NDArray[np.float32], unit: tuple[float, float]) -> NDArray[np.bool_]:
    """In which directions the outline follows a few gentle undulations; shape (DIRECTIONS,)."""
    import numpy as np

    points = contour.astype(np.float64) * unit
    # As many points on each part of the outline: a contour has them where it bends.
    ends = np.concatenate((points, points[:1]))
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(ends, axis=0).T))))
    along = np.linspace(0.0, length[-1], 8 * DIRECTIONS, endpoint=False)
    x, y = np.interp(along, length, ends[:, 0]), np.interp(along, length, ends[:, 1])
    middle_x, middle_y = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    # An ellipse becomes a circle, so that only what is no ellipse is left as an undulation.
    points = np.stack((x - x.mean(), y - y.mean()))
    whiten = np.linalg.inv(np.linalg.cholesky(points @ points.T / points.shape[1] + 1e-9 * np.eye(2)))
    u, v = whiten @ points
    turn, radius = np.arctan2(v, u), np.hypot(u, v)
    waves = [np.ones_like(turn)]
    for order in range(1, ORDERS + 1):
        waves += [np.cos(order * turn), np.sin(order * turn)]
    basis = np.stack(waves, axis=1)
    fitted = basis @ np.linalg.solve(basis.T @ basis + 1e-6 * np.eye(basis.shape[1]), basis.T @ radius)
    rough = np.abs(radius - fitted) > ROUGH * radius.mean()
    direction = np.arctan2(y - middle_y, x - middle_x) / (2 * np.pi) + 0.5
    smooth = np.ones(DIRECTIONS, bool)
    smooth[(direction[rough] * DIRECTIONS).astype(np.int64) % DIRECTIONS] = False
    return smooth
