"""`find_ruler`: the ticks of a cart's depth ruler, as far as they are certain.

Ticks are short lines (or dots) below each other, equally far apart, of any colour that is not that of what they stand
on. Every column of the strip is looked at for itself; the one with the most ticks wins, because the shorter minor ticks
reach into fewer columns than the major ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.finding import Unknown
from edge_us.frame import Rect

FEWEST = 5
LEAST_CONTRAST = 12.0
"""Grey levels, in any colour, by which a tick stands out; the mean of `reference.FRAMES` pictures has noise of 1."""
CONTRAST_SHARE = 0.2
"""A mark is a tick from this share of the column's strongest on: minor ticks may be drawn fainter."""
THICKEST_PX, CLOSEST_PX = 5, 6.0
OFF_PX = 1.1
"""How far a tick may lie from where it should: carts draw them in whole rows."""
SPAN = 0.4
"""A ruler reaches over this share of its strip at least."""
MISSING_SHARE = 0.2
"""A focus mark may hide a tick; where more are missing, the marks may be something else."""
SAME_STEP = 0.01
STRAYS = 3
"""Marks at either end of a column that may be something else."""
FINER_GREY = 6.0
"""Mean contrast between the ticks from which there are finer ones that were not found."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """Ticks that were found.

    Attributes
    ----------
    columns : (int, int)
        First and one past the last column in which all of them stand, in px of the screen.
    rows : tuple of float
        Centre of each tick, from above, in px of the screen.
    step_px : float
        Distance of two neighbours, fitted over all; `error_px` is its standard error.
    error_px : float
    """

    columns: tuple[int, int]
    rows: tuple[float, ...]
    step_px: float
    error_px: float

    def number(self, row: float) -> int:
        """Which tick a row is, counted from 0; ticks that are hidden count as well."""
        return round((row - self.rows[0]) / self.step_px)


def find_ruler(picture: NDArray[np.float32], strip: Rect) -> Ruler | Unknown:
    """Find the ticks of the one ruler in a strip, or why there is no telling.

    Parameters
    ----------
    picture : ndarray of float32, shape (height, width, 3)
        Full-range BGR of the whole screen, the mean of some frames.
    strip : Rect
        Where to look; as high as the ruler, more or less.
    """
    part = picture[strip.y : strip.y + strip.height, strip.x : strip.x + strip.width]
    contrast = np.abs(part - np.median(part, axis=0, keepdims=True)).max(axis=2)
    combs = [_comb(contrast[:, column]) for column in range(contrast.shape[1])]
    best = max((comb for comb in combs if comb is not None), key=lambda comb: len(comb.rows), default=None)
    if best is None:
        return Unknown(f"no {FEWEST} ticks in a row that are equally far apart")
    if any(comb is not None and not _is_same_ruler(comb, best) for comb in combs):
        return Unknown("there are two rulers, or something that looks like one")
    if best.rows[-1] - best.rows[0] < SPAN * strip.height:
        return Unknown("the ticks reach over too small a part of the image's height")
    with_all = [number for number, comb in enumerate(combs) if comb is not None and len(comb.rows) == len(best.rows)]
    if _has_finer_marks(contrast, best):
        return Unknown("there are other marks between the ticks")
    columns = strip.x + with_all[0], strip.x + with_all[-1] + 1
    return Ruler(columns, tuple(strip.y + row for row in best.rows), best.step, best.error)


@dataclass(frozen=True, slots=True)
class _Comb:
    rows: tuple[float, ...]
    step: float
    error: float


def _comb(contrast: NDArray[np.float32]) -> _Comb | None:
    """The marks of one column, if they are equally far apart."""
    limit = max(LEAST_CONTRAST, CONTRAST_SHARE * float(contrast.max(initial=0.0)))
    lit = np.concatenate([[False], contrast > limit, [False]])
    edges = np.flatnonzero(lit[1:] != lit[:-1]).reshape(-1, 2)
    thin = edges[:, 1] - edges[:, 0] <= THICKEST_PX
    rows = np.array([np.average(np.arange(a, b), weights=contrast[a:b]) for a, b in edges[thin]])
    # Words above and below the ruler may stand in the same column.
    cuts = [(start, len(rows) - end) for start in range(STRAYS + 1) for end in range(STRAYS + 1)]
    found = (_regular(rows[start:end]) for start, end in cuts)
    return max((comb for comb in found if comb is not None), key=lambda comb: len(comb.rows), default=None)


def _regular(rows: NDArray[np.float64]) -> _Comb | None:
    if len(rows) < FEWEST:
        return None
    step = float(np.median(np.diff(rows)))
    if step < CLOSEST_PX:
        return None
    # From each to the next: counted from the first, an error of the median would add up.
    numbers = np.concatenate([[0.0], np.cumsum(np.rint(np.diff(rows) / step))])
    if numbers[-1] - len(rows) + 1 > MISSING_SHARE * len(rows) or np.any(np.diff(numbers) < 1):
        return None
    fitted, first = np.polyfit(numbers, rows, 1)
    off = rows - (first + fitted * numbers)
    if np.abs(off).max() > OFF_PX:
        return None
    spread = float(np.sqrt((off**2).sum() / max(1, len(rows) - 2)))
    error = spread / float(np.sqrt(((numbers - numbers.mean()) ** 2).sum()))
    return _Comb(tuple(float(row) for row in rows), float(fitted), error)


def _is_same_ruler(comb: _Comb, best: _Comb) -> bool:
    """The same ticks, or the longer ones among them; or another ruler of the same step."""
    if abs(comb.step / best.step - 1) <= SAME_STEP:
        return True
    there = np.array(best.rows)
    return all(float(np.abs(there - row).min()) <= OFF_PX for row in comb.rows)


def _has_finer_marks(contrast: NDArray[np.float32], comb: _Comb) -> bool:
    """Whether in a column in which all ticks stand anything else stands between them, at odds or however faint.

    Minor ticks begin where the major ones do: what was found is not the finest there is.
    """
    rows = np.rint(comb.rows).astype(int)
    near = np.maximum.reduce([contrast[np.clip(rows + off, 0, len(contrast) - 1)] for off in (-1, 0, 1)])
    inside = np.arange(rows[0], rows[-1] + 1)
    apart = np.abs(inside[:, None] - np.array(comb.rows)[None]).min(axis=1) > THICKEST_PX / 2
    phase = ((inside - comb.rows[0]) % comb.step)[apart].astype(int)
    counts = np.bincount(phase)
    for column in contrast[inside][apart][:, (near > LEAST_CONTRAST).all(axis=0)].T:
        lit = column > max(LEAST_CONTRAST, CONTRAST_SHARE * float(contrast.max()))
        marks = int((lit[1:] & ~lit[:-1]).sum())
        folded = np.bincount(phase, weights=column)[counts > 0] / counts[counts > 0]
        if marks > MISSING_SHARE * len(rows) or folded.max(initial=0.0) > FINER_GREY:
            return True
    return False
