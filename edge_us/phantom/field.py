"""Random fields on the tissue's grid: smooth ones, and the thin bright sheets between structures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID_MM = 0.08

Field = NDArray[np.float32]


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], size_mm: tuple[float, float]) -> Field:
    """Smooth random field of unit variance with structures of about ``size_mm`` in x and z."""
    import cv2

    rows = max(4, int(shape[0] * GRID_MM / size_mm[1]) + 3)
    columns = max(4, int(shape[1] * GRID_MM / size_mm[0]) + 3)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    # Twice over: cubic interpolation alone leaves the coarse grid visible in the zeros of the field.
    finer = cv2.resize(coarse, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    middle = np.asarray(cv2.GaussianBlur(finer, (0, 0), 1.2), np.float32)
    field = np.asarray(cv2.resize(middle, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray(field / np.float32(max(float(np.std(middle)), 1e-6)), np.float32)


def interfaces(field: Field, thickness_mm: float, power: float) -> Field:
    """Sheets of even thickness along the zeros of a field, 0..1.

    A sheet reflects like a mirror: its echo falls with the angle between its normal and the beam, as the cosine to
    the given power.
    """
    gz, gx = (np.asarray(g, np.float32) for g in np.gradient(field, np.float32(GRID_MM)))
    slope = np.hypot(gx, gz) + np.float32(1e-4)
    sheet = np.exp(-((field / slope / np.float32(thickness_mm)) ** 2))
    return np.asarray(sheet * (np.abs(gz) / slope) ** np.float32(power), np.float32)
