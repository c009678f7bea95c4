"""What a scanner's knobs and tissue do to the grey levels of a B-mode picture.

A B-mode picture is log-compressed: one decibel is the same number of grey levels everywhere. So gain, time-gain
compensation, attenuation and shadow all *add* to the grey level, and the dynamic range *scales* it. Every function is
pure: it takes the values that it applies, and `augment` draws them.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from outlines import Gray

LEVELS_PER_DB = 255 / 60
"""Grey levels per decibel at 60 dB of dynamic range, the middle of what scanners offer for the breast."""

_BLACK = 12.0


def add_db(gray: Gray, offset_db: NDArray[np.float32]) -> Gray:
    """Add decibels to a picture.

    Parameters
    ----------
    gray
        Shape (height, width).
    offset_db
        Shape (height, width), (height, 1), (1, width) or (1, 1).

    Notes
    -----
    Black stays black: outside the sector there is nothing to amplify, and a cyst's centre rises with the gain only
    as far as there is an echo. The offset is faded in over the darkest grey levels.
    """
    levels = gray.astype(np.float32)
    fade = np.minimum(levels * np.float32(1 / _BLACK), np.float32(1))
    levels += fade * (offset_db * np.float32(LEVELS_PER_DB))
    return _to_gray(levels)


def depth_curve(height: int, sliders_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """A time-gain-compensation curve: slider values spread evenly over the depth, shape (height, 1)."""
    depth = np.linspace(0, len(sliders_db) - 1, height)
    return np.asarray(np.interp(depth, np.arange(len(sliders_db)), sliders_db)[:, None], np.float32)


def attenuation(height: int, total_db: float) -> NDArray[np.float32]:
    """Uncompensated attenuation (positive `total_db` darkens), growing linearly with depth, shape (height, 1)."""
    return np.asarray(np.linspace(0, -total_db, height)[:, None], np.float32)


def shadow(
    height: int, width: int, x: float, top: float, half_width: float, spread: float, depth_db: float
) -> NDArray[np.float32]:
    """An acoustic shadow (negative `depth_db` makes enhancement), shape (height, width), in decibels.

    Parameters
    ----------
    x, top
        Where it starts, in shares of width and height.
    half_width
        In shares of the width, at its top.
    spread
        By how much of its half width it widens from its top to the picture's bottom.
    depth_db
        How dark it gets. It sets in over a tenth of the height, as behind a real reflector.
    """
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    below = np.clip((rows - np.float32(top)) * np.float32(10), 0, 1)
    reach = np.float32(half_width) * (1 + np.float32(spread) * np.maximum(rows - np.float32(top), 0))
    across = np.clip((reach - np.abs(columns - np.float32(x))) / (np.float32(0.35) * reach), 0, 1)
    return np.asarray(below * across * np.float32(-depth_db), np.float32)


def tone(gray: Gray, gamma: float, dynamic_range_db: float, white: float = 255.0) -> Gray:
    """Change the grey map: another dynamic range below white, then a gamma curve.

    A smaller dynamic range than 60 dB makes a harder picture, a larger one a softer one.
    """
    levels = np.arange(256, dtype=np.float32)
    scaled = np.clip(white - (white - levels) * (60.0 / dynamic_range_db), 0, 255)
    table = _to_gray(255.0 * (scaled / 255.0) ** gamma)
    table[0] = 0  # outside the sector stays black in every grey map
    return np.asarray(cv2.LUT(gray, table), np.uint8)


def harden(gray: Gray, contrast: float, middle: float) -> Gray:
    """A hard picture, as an old scanner or a small dynamic range makes it: white clips, and so does black.

    Parameters
    ----------
    gray
        Shape (height, width).
    contrast
        What differences of grey level are multiplied by.
    middle
        Grey level that the picture's mean echo gets.
    """
    echoes = gray[gray > _BLACK]
    mean = float(echoes.mean()) if echoes.size else 0.0
    table = _to_gray(middle + contrast * (np.arange(256, dtype=np.float32) - mean))
    table[0] = 0
    return np.asarray(cv2.LUT(gray, table), np.uint8)


def speckle_bank(rng: np.random.Generator, size: int = 768) -> NDArray[np.float32]:
    """A field of log-compressed Rayleigh speckle to cut pieces from, shape (size, size), in decibels, mean zero.

    Drawing it once and cutting at random places costs a hundredth of drawing it for every picture. The point-spread
    function is wider across than along the beam, as in every B-mode picture.
    """
    real = cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigmaX=1.8, sigmaY=0.9)
    imaginary = cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigmaX=1.8, sigmaY=0.9)
    field = 20 * np.log10(np.maximum(np.hypot(real, imaginary), 1e-6))
    return np.asarray(np.clip(field - field.mean(), -15, 10), np.float32)


def speckle(gray: Gray, bank: NDArray[np.float32], x: int, y: int, strength: float, grain: float = 1.0) -> Gray:
    """Add speckle cut from `bank` at (x, y); at a `strength` of 1 it is fully developed, `grain` >= 1 enlarges it."""
    height, width = gray.shape
    piece = bank[y : y + math.ceil(height / grain), x : x + math.ceil(width / grain)]
    if grain != 1:
        piece = np.asarray(cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return add_db(gray, piece * np.float32(strength))


def smooth(gray: Gray, sigma_x: float, sigma_y: float) -> Gray:
    """A wider point-spread function: lower frequency, larger depth, or the speckle filter of a scanner."""
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y), np.uint8)


def despeckle(gray: Gray) -> Gray:
    """An edge-preserving speckle filter (a median over 5 px)."""
    return np.asarray(cv2.medianBlur(gray, 5), np.uint8)


def enhance_edges(gray: Gray, strength: float) -> Gray:
    """Unsharp masking, the scanner's edge enhancement."""
    levels = gray.astype(np.float32)
    return _to_gray(levels + strength * (levels - cv2.GaussianBlur(levels, (0, 0), 1.5)))


def coarsen(gray: Gray, factor: float) -> Gray:
    """Lose resolution as a small frame grabber does: shrink by `factor` < 1 and enlarge again."""
    height, width = gray.shape
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def compress(gray: Gray, quality: int) -> Gray:
    """JPEG at `quality`: recordings and grabbers are rarely lossless."""
    done, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if done else gray
    return np.asarray(decoded, np.uint8)


def _to_gray(levels: ArrayLike) -> Gray:
    return np.clip(np.asarray(levels, np.float32), 0, 255).astype(np.uint8)
