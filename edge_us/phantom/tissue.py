"""The tissue: echogenicity, attenuation, scatterers and lesions on a grid in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.phantom.spec import LesionKind
from edge_us.phantom.speckle import scatterers

GRID_MM = 0.08
LESION_SPACING_MM = 45.0
LARGEST_SEMI_AXIS_MM = 14.0
BASE_ATTENUATION_DB_MM = 0.35
"""One way, at the centre frequency; the time gain compensation takes out just this."""

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tissue:
    """A slab of breast; row 0 is the skin, column 0 lies at ``x0_mm``.

    Attributes
    ----------
    level_db : ndarray of float32, shape (rows, columns)
        Echogenicity relative to full scale.
    excess_db_mm : ndarray of float32, shape (rows, columns)
        Attenuation beyond `BASE_ATTENUATION_DB_MM`, one way.
    noise : ndarray of float32, shape (rows, columns, 4)
        Two independent complex scatterer fields; mixing them moves the scan plane in elevation.
    lesions : ndarray of uint8, shape (rows, columns)
        1 for the first lesion, 2 for the second, …; 0 elsewhere.
    x0_mm : float
    """

    level_db: Field
    excess_db_mm: Field
    noise: Field
    lesions: NDArray[np.uint8]
    x0_mm: float


def make_tissue(
    rng: np.random.Generator, kinds: tuple[LesionKind, ...], half_width_mm: float, depth_mm: float
) -> Tissue:
    """Build a slab that reaches ``half_width_mm`` to either side of the path of the probe's centre."""
    margin = half_width_mm + 2
    reach = sweep_reach_mm(len(kinds), half_width_mm)
    rows = int(depth_mm / GRID_MM) + 40
    columns = int(2 * (reach + margin) / GRID_MM)
    x0 = -(reach + margin)
    x = (x0 + np.arange(columns, dtype=np.float32) * GRID_MM)[None, :]
    z = (np.arange(rows, dtype=np.float32) * GRID_MM)[:, None]
    level, excess = _layers(rng, x, z, depth_mm)
    lesions = np.zeros((rows, columns), np.uint8)
    for number, kind in enumerate(kinds):
        center_x = (number - (len(kinds) - 1) / 2) * LESION_SPACING_MM
        _grow(rng, kind, number + 1, center_x, depth_mm, x, z, level, excess, lesions)
    return Tissue(level, excess, scatterers(rng, (rows, columns), looks=2), lesions, x0)


def sweep_reach_mm(lesions: int, half_width_mm: float) -> float:
    """How far the probe moves to either side, so that every lesion enters and leaves the picture."""
    return half_width_mm + LARGEST_SEMI_AXIS_MM + max(lesions - 1, 0) * LESION_SPACING_MM / 2


def _smooth(rng: np.random.Generator, shape: tuple[int, int], size_mm: tuple[float, float]) -> Field:
    """Smooth random field of unit variance with structures of about ``size_mm`` in x and z."""
    import cv2

    rows = max(4, int(shape[0] * GRID_MM / size_mm[1]) + 3)
    columns = max(4, int(shape[1] * GRID_MM / size_mm[0]) + 3)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    field = np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)
    return field / max(float(field.std()), 1e-6)


def _layers(rng: np.random.Generator, x: Field, z: Field, depth_mm: float) -> tuple[Field, Field]:
    """Skin, subcutaneous fat with ligaments, glandular tissue, retromammary fat and muscle."""
    shape = (z.size, x.size)
    scale = depth_mm / 40.0
    line = (1, x.size)
    fat_top = 1.6
    gland_top = (8.0 + 1.8 * _smooth(rng, line, (18, 1))) * scale
    gland_bottom = (24.5 + 1.5 * _smooth(rng, line, (25, 1))) * scale
    muscle_top = gland_bottom + (3.0 + 0.4 * _smooth(rng, line, (20, 1))) * scale
    texture = _smooth(rng, shape, (3.5, 1.3))
    wide = _smooth(rng, shape, (14, 6))
    fine = _smooth(rng, shape, (1.2, 0.7))
    level = np.full(shape, -37.0, np.float32) + 2.0 * wide + 1.5 * fine
    gland = (z >= gland_top) & (z < gland_bottom)
    level = np.where(gland, -26.0 + 3.2 * texture + 2.5 * wide + 1.2 * fine, level)
    striations = 3.5 * np.sin(2 * np.pi * (z - muscle_top + 0.25 * _smooth(rng, shape, (20, 8))) / 1.5)
    level = np.where(z >= muscle_top, -35.0 + striations + 2.0 * wide, level)
    # Cooper's ligaments and fascia: thin bright curves between the layers.
    ligaments = np.exp(-((np.abs(_smooth(rng, shape, (9, 7))) / 0.06) ** 2))
    level = np.where((z > fat_top) & (z < gland_top), np.maximum(level, level + 11 * ligaments), level)
    for border, gain in ((gland_top, 7.0), (muscle_top, 9.0)):
        level = level + gain * np.exp(-(((z - border) / 0.35) ** 2))
    level = np.where(z < fat_top, -20.0 + 2.0 * fine, level)
    excess = np.where(gland, 0.03, 0.0) + 0.02 * wide
    return level.astype(np.float32), np.broadcast_to(excess, shape).astype(np.float32).copy()


def _grow(
    rng: np.random.Generator,
    kind: LesionKind,
    number: int,
    center_x: float,
    depth_mm: float,
    x: Field,
    z: Field,
    level: Field,
    excess: Field,
    lesions: NDArray[np.uint8],
) -> None:
    """Put one lesion into the slab, in place."""
    scale = depth_mm / 40.0
    center_z = (16.0 + rng.uniform(-1.0, 1.0)) * scale
    semi_x, semi_z, harmonics = {
        LesionKind.CYST: (6.0, 4.6, 0.0),
        LesionKind.BENIGN: (7.5, 4.4, 0.02),
        LesionKind.MALIGNANT: (5.2, 6.8, 0.12),
    }[kind]
    semi_x, semi_z = (side * scale * rng.uniform(0.85, 1.15) for side in (semi_x, semi_z))
    angle = np.arctan2((z - center_z) / semi_z, (x - center_x) / semi_x)
    bumps = sum(
        rng.normal(0, harmonics / np.sqrt(order)) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
        for order in range(2, 10)
    )
    radius = np.hypot((x - center_x) / semi_x, (z - center_z) / semi_z) / (1 + bumps)
    edge_mm = (radius - 1) * min(semi_x, semi_z)
    inside = radius < 1
    blend = np.clip(0.5 - edge_mm / (0.3 if harmonics < 0.1 else 0.9), 0, 1)
    inner = {LesionKind.CYST: -75.0, LesionKind.BENIGN: -45.0, LesionKind.MALIGNANT: -48.0}[kind]
    content = inner + 1.8 * _smooth(rng, level.shape, (2.5, 1.5))
    level[...] = level * (1 - blend) + content * blend
    rim_db, rim_mm = (4.0, 0.25) if kind is not LesionKind.MALIGNANT else (5.0, 0.9)
    level += (rim_db * np.exp(-(((edge_mm - rim_mm) / rim_mm) ** 2)) * (radius > 1)).astype(np.float32)
    loss = {LesionKind.CYST: -0.3, LesionKind.BENIGN: -0.12, LesionKind.MALIGNANT: 0.75}[kind]
    excess[...] = np.where(inside, loss, excess)
    lesions[inside] = number
