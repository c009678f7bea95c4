"""Lesions: their outlines, and what they do to echogenicity and attenuation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.phantom.field import GRID_MM, Field, smooth_field
from edge_us.phantom.spec import LesionKind


@dataclass(frozen=True, slots=True)
class Look:
    """What a kind of lesion is made of; lengths for 40 mm of depth.

    Attributes
    ----------
    semi_x_mm, semi_z_mm : float
        Mean semi-axes.
    waviness : float
        Variation of the radius, as a fraction of it.
    corners : int
        Angular corners of the margin.
    echo_db, texture_db : float
        Echogenicity and how much it varies inside.
    loss_db_mm : float
        Attenuation, one way, relative to the time gain compensation.
    soft_mm : float
        Width of the transition at the margin.
    rim_db, rim_mm : float
        Gain of the tissue just outside, and how far it reaches.
    capsule_db : float
        Gain of the thin wall where the beam meets it at a right angle.
    right_echo_db, right_loss_db_mm : float or None
        Echogenicity and attenuation of the lesion's right half where it differs from the left: a lesion of two parts.
    """

    semi_x_mm: float
    semi_z_mm: float
    waviness: float
    corners: int
    echo_db: float
    texture_db: float
    loss_db_mm: float
    soft_mm: float
    rim_db: float
    rim_mm: float
    capsule_db: float
    right_echo_db: float | None = None
    right_loss_db_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a lesion lies in the tissue: centre, semi-axes in mm, and how far it is turned, in rad.

    ``tilt`` turns the first semi-axis from along the skin towards the depth.
    """

    center_x_mm: float
    center_z_mm: float
    semi_x_mm: float
    semi_z_mm: float
    tilt: float = 0.0


LOOKS = {
    LesionKind.CYST: Look(6.0, 4.6, 0.0, 0, -75.0, 0.0, -0.34, 0.25, 0.0, 0.3, 9.0),
    LesionKind.BENIGN: Look(7.5, 4.4, 0.025, 0, -45.0, 1.6, -0.14, 0.3, 1.5, 0.4, 8.0),
    LesionKind.MALIGNANT: Look(5.0, 6.6, 0.09, 6, -47.0, 2.5, 0.52, 0.8, 5.0, 1.1, 0.0),
}


def draw_pose(rng: np.random.Generator, look: Look, center_x_mm: float, depth_mm: float) -> Pose:
    """A pose such as a lesion of this kind has it."""
    scale = depth_mm / 40.0
    center_z = (16.0 + rng.uniform(-1.0, 1.0)) * scale
    semi_x, semi_z = (side * scale * rng.uniform(0.85, 1.15) for side in (look.semi_x_mm, look.semi_z_mm))
    return Pose(center_x_mm, center_z, semi_x, semi_z, rng.uniform(-0.15, 0.15))


def grow(
    rng: np.random.Generator,
    look: Look,
    pose: Pose,
    number: int,
    depth_mm: float,
    x: Field,
    z: Field,
    level: Field,
    excess: Field,
    lesions: NDArray[np.uint8],
) -> None:
    """Put one lesion into the slab, in place; ``lesions`` gets its number inside the margin."""
    scale = depth_mm / 40.0
    reach = 2.0 * max(pose.semi_x_mm, pose.semi_z_mm)
    columns = np.flatnonzero(np.abs(x[0] - pose.center_x_mm) <= reach)
    rows = np.flatnonzero(np.abs(z[:, 0] - pose.center_z_mm) <= reach)
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    dx, dz = x[:, part[1]] - pose.center_x_mm, z[part[0]] - pose.center_z_mm
    u = (dx * np.cos(pose.tilt) + dz * np.sin(pose.tilt)) / pose.semi_x_mm
    v = (dz * np.cos(pose.tilt) - dx * np.sin(pose.tilt)) / pose.semi_z_mm
    radius = np.hypot(u, v) / _outline(rng, look, np.arctan2(v, u))

    gz, gx = np.gradient(radius, GRID_MM)
    slope = np.hypot(gx, gz) + 1e-3
    edge_mm = np.clip((radius - 1.0) / slope, -20.0, 20.0)
    across, along = np.abs(gz) / slope, np.abs(gx) / slope
    inside = radius < 1.0
    blend = np.clip(0.5 - edge_mm / look.soft_mm, 0.0, 1.0)
    shape = (len(rows), len(columns))
    content = look.echo_db + look.texture_db * smooth_field(rng, shape, (2.2 * scale, 1.4 * scale))
    loss: float | NDArray[np.float32] = look.loss_db_mm
    if look.right_echo_db is not None:
        content = np.where(dx > 0, content + np.float32(look.right_echo_db - look.echo_db), content)
    if look.right_loss_db_mm is not None:
        loss = np.where(dx > 0, look.right_loss_db_mm, look.loss_db_mm).astype(np.float32)
    here = level[part]
    here += (blend * (content - here)).astype(np.float32)
    here += (look.rim_db * np.exp(-np.maximum(edge_mm, 0.0) / look.rim_mm) * (1.0 - blend)).astype(np.float32)
    if look.capsule_db:
        wall = np.exp(-(((edge_mm - 0.1) / 0.2) ** 2)) * across**3
        here[...] = np.maximum(here, -29.0 + look.capsule_db * wall - 60.0 * (1.0 - wall))
        # A smooth wall refracts: thin shadows run down from both of its sides.
        sides = np.exp(-((edge_mm / 0.4) ** 2)) * np.clip((along - 0.9) / 0.1, 0.0, 1.0)
        excess[part] += (0.35 * sides).astype(np.float32)
    excess[part] += (blend * (loss - excess[part])).astype(np.float32)
    lesions[part][inside] = number


def _outline(rng: np.random.Generator, look: Look, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radius over the polar angle, about 1."""
    radius = np.ones_like(angle)
    for order in range(2, 12):
        height = rng.normal(0, look.waviness / np.sqrt(order))
        radius += height * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    places = (np.arange(look.corners) + rng.uniform(-0.3, 0.3, look.corners)) * 2 * np.pi / max(look.corners, 1)
    for place in places:
        away = np.angle(np.exp(1j * (angle - place)))
        radius += rng.uniform(0.12, 0.3) * np.exp(-((away / rng.uniform(0.1, 0.22)) ** 2))
    return np.maximum(radius, 0.5)
