"""From scatterers to grey levels: point-spread function, envelope and log compression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AXIAL_SIGMA_MM = 0.12
LATERAL_SIGMA_MM = 0.3
"""Standard deviations of the Gaussian point-spread function."""


def scatterers(rng: np.random.Generator, shape: tuple[int, int], looks: int = 1) -> NDArray[np.float32]:
    """Return circular complex Gaussian noise, real and imaginary parts as the last axis, unit variance each.

    ``looks`` independent fields lie one after the other: shape ``(rows, columns, 2 * looks)``.
    """
    return rng.standard_normal((*shape, 2 * looks), dtype=np.float32)


def point_spread(field: NDArray[np.float32], axial_px: float, lateral_px: float) -> NDArray[np.float32]:
    """Blur the real and imaginary parts with a Gaussian that keeps the variance of white noise at 1.

    Parameters
    ----------
    field : ndarray of float32, shape (samples, beams, 2)
    axial_px, lateral_px : float
        Standard deviations in samples and beams.
    """
    import cv2

    size = (2 * int(3 * lateral_px + 1) + 1, 2 * int(3 * axial_px + 1) + 1)
    kernels = [cv2.getGaussianKernel(n, s, cv2.CV_32F) for n, s in zip(size, (lateral_px, axial_px), strict=True)]
    # Energy, not sum, is 1: homogeneous tissue keeps its level whatever the sampling is.
    x, z = (k / np.sqrt(np.sum(k * k)) for k in kernels)
    return np.asarray(cv2.sepFilter2D(field, cv2.CV_32F, x, z, borderType=cv2.BORDER_REFLECT), np.float32)


def envelope(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Magnitude of a complex field given as ``(..., 2)``: Rayleigh where the tissue is homogeneous."""
    import cv2

    return np.asarray(cv2.magnitude(field[..., 0], field[..., 1]), np.float32)


def log_compress(magnitude: NDArray[np.float32], dynamic_range_db: float) -> NDArray[np.uint8]:
    """Map ``-dynamic_range_db .. 0`` dB (magnitude 1) to grey 0 .. 255, clipped."""
    import cv2

    level = np.asarray(cv2.log(np.maximum(magnitude, np.float32(1e-6))), np.float32)
    scale = np.float32(255.0 * 20.0 / (np.log(10.0) * dynamic_range_db))
    return np.asarray(cv2.convertScaleAbs(np.maximum(level * scale + np.float32(255.0), np.float32(0.0))), np.uint8)
