"""Lymph nodes: a dark cortex around a bright hilum, with the thickness that each has by construction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.nodes.pattern import NodePattern
from edge_us.phantom.field import GRID_MM, Field, smooth_field

SOFT_MM = 0.2
"""Width of the transition between cortex and hilum, and at the capsule."""


@dataclass(frozen=True, slots=True)
class Hilum:
    """A bright oval of its own, for a hilum that does not follow the capsule; lengths in mm.

    ``shift_mm`` is along the node's short axis, away from the probe where it is positive.
    """

    semi_long_mm: float
    semi_short_mm: float
    shift_mm: float


@dataclass(frozen=True, slots=True)
class Bulge:
    """A place at which the cortex is thicker.

    Attributes
    ----------
    angle : float
        Where on the oval, in rad: 0 is the end of the long axis, pi / 2 the deep side.
    out_mm, in_mm : float
        How far it lifts the capsule, and how far it dents the hilum.
    width_mm : float
        Standard deviation along the capsule.
    """

    angle: float
    out_mm: float
    in_mm: float
    width_mm: float


@dataclass(frozen=True, slots=True)
class Node:
    """One node; lengths in mm, angles in rad.

    Attributes
    ----------
    pattern : NodePattern
    center_x_mm, center_z_mm : float
    semi_long_mm, semi_short_mm : float
    tilt : float
        From along the skin towards the depth.
    cortex_mm : float
        Thickness of the even cortex; of no meaning with ``hilum``.
    bulge : Bulge or None
    hilum : Hilum or None
        A hilum that does not follow the capsule.
    gate_mm : float
        Width of the gap on the deep side in which the hilum reaches the capsule; 0 for none.
    cortex_db, hilum_db : float
        Echogenicity.
    """

    pattern: NodePattern
    center_x_mm: float
    center_z_mm: float
    semi_long_mm: float
    semi_short_mm: float
    tilt: float
    cortex_mm: float
    bulge: Bulge | None = None
    hilum: Hilum | None = None
    gate_mm: float = 0.0
    cortex_db: float = -50.0
    hilum_db: float = -33.0

    @property
    def has_hilum(self) -> bool:
        """Whether there is one."""
        return self.pattern is not NodePattern.LOST

    @property
    def thickest_mm(self) -> float | None:
        """Greatest distance of the capsule from the hilum; None without a hilum."""
        if not self.has_hilum:
            return None
        if self.hilum is not None:
            return self.semi_short_mm + abs(self.hilum.shift_mm) - self.hilum.semi_short_mm
        if self.bulge is None:
            return self.cortex_mm
        # From the top of a bulge the hilum may be nearer sideways than straight down: it curves away from the capsule,
        # but is dented less there.
        bulge, a, b = self.bulge, self.semi_long_mm, self.semi_short_mm
        radius = math.hypot(a * math.sin(bulge.angle), b * math.cos(bulge.angle)) ** 3 / (a * b)
        aside = np.linspace(0.0, 2 * bulge.width_mm, 100)
        sag = aside**2 / (2 * max(radius - self.cortex_mm, 1.0))
        down = bulge.out_mm + self.cortex_mm + sag + bulge.in_mm * np.exp(-0.5 * (aside / bulge.width_mm) ** 2)
        return float(np.hypot(aside, down).min())


def draw_node(rng: np.random.Generator, pattern: NodePattern, center_x_mm: float, depth_mm: float) -> Node:
    """A node such as one of this pattern may be, in the upper half of the picture."""
    tilt = float(rng.uniform(-0.45, 0.45))
    cortex, ratio = float(rng.uniform(1.2, 2.4)), float(rng.uniform(2.2, 3.0))
    short = cortex + float(rng.uniform(1.7, 2.6))
    bulge = hilum = None
    gate = float(rng.uniform(1.5, 3.0)) if rng.random() < 0.4 else 0.0
    if pattern is NodePattern.DIFFUSE:
        cortex = float(rng.uniform(3.6, 4.6))
        short, ratio = cortex + float(rng.uniform(1.6, 2.3)), float(rng.uniform(1.75, 2.2))
    elif pattern is NodePattern.FOCAL:
        height, share = float(rng.uniform(1.8, 2.8)), float(rng.uniform(0.3, 0.7))
        inward = min(height * (1 - share), short - cortex - 0.9)
        # On the near or the far side, not at a pole; a gate would lie in its way on the far side.
        side, away = (-1.0, 1.0)[int(rng.integers(2))], float(rng.uniform(-0.5, 0.5))
        bulge = Bulge(side * (math.pi / 2 + away), height - inward, inward, float(rng.uniform(1.5, 2.2)))
        gate = 0.0 if side > 0 else gate
    elif pattern is NodePattern.DISPLACED:
        short, ratio = float(rng.uniform(3.8, 5.2)), float(rng.uniform(1.9, 2.6))
        side = (-1.0, 1.0)[int(rng.integers(2))]
        half = short * float(rng.uniform(0.3, 0.38))
        hilum = Hilum(0.6 * ratio * short, half, side * (short - half - float(rng.uniform(0.4, 0.9))))
        cortex, gate = 0.0, 0.0
    elif pattern is NodePattern.LOST:
        short, ratio, gate = float(rng.uniform(3.0, 6.0)), float(rng.uniform(1.2, 2.6)), 0.0
    elif pattern is NodePattern.ROUND:
        cortex = float(rng.uniform(1.4, 2.8))
        short, ratio = cortex + float(rng.uniform(2.0, 3.2)), float(rng.uniform(1.0, 1.25))
    center = min(max(0.42 * depth_mm, short + 5.0), depth_mm - short - 6.0) + float(rng.uniform(-2.0, 2.0))
    echo, contrast = float(rng.uniform(-52.0, -48.0)), float(rng.uniform(13.0, 18.0))
    return Node(
        *(pattern, center_x_mm, center, ratio * short, short, tilt, cortex, bulge, hilum, gate, echo, echo + contrast)
    )


def grow_node(
    rng: np.random.Generator,
    node: Node,
    number: int,
    x: Field,
    z: Field,
    level: Field,
    excess: Field,
    lesions: NDArray[np.uint8],
    hila: NDArray[np.uint8],
) -> None:
    """Put one node into the slab, in place; ``lesions`` gets its number inside the capsule, ``hila`` in the hilum."""
    reach = node.semi_long_mm + 4.0
    columns = np.flatnonzero(np.abs(x[0] - node.center_x_mm) <= reach)
    rows = np.flatnonzero(np.abs(z[:, 0] - node.center_z_mm) <= reach)
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    dx, dz = x[:, part[1]] - node.center_x_mm, z[part[0]] - node.center_z_mm
    along = dx * np.float32(math.cos(node.tilt)) + dz * np.float32(math.sin(node.tilt))
    across = dz * np.float32(math.cos(node.tilt)) - dx * np.float32(math.sin(node.tilt))
    edge, inner = _layout(node, along, across)

    gz, gx = np.gradient(edge, np.float32(GRID_MM))
    facing = np.abs(gz) / (np.hypot(gx, gz) + 1e-3)
    shape = (len(rows), len(columns))
    cortex = node.cortex_db + 0.7 * smooth_field(rng, shape, (1.6, 1.0))
    bright = node.hilum_db + 1.5 * smooth_field(rng, shape, (2.0, 1.0))
    hilum = np.clip(np.float32(0.5) - inner / np.float32(SOFT_MM), 0.0, 1.0)
    content = cortex + hilum * (bright - cortex)
    blend = np.clip(np.float32(0.5) - edge / np.float32(SOFT_MM), 0.0, 1.0)
    here = level[part]
    here += (blend * (content - here)).astype(np.float32)
    wall = np.exp(-(((edge - 0.15) / 0.15) ** 2)) * facing**2
    here[...] = np.maximum(here, -34.0 + 5.0 * wall - 60.0 * (1.0 - wall))
    excess[part] += (blend * (0.0 - excess[part])).astype(np.float32)
    inside = edge < 0.0
    lesions[part][inside] = number
    hila[part][inside & (inner < 0.0)] = number


def _layout(node: Node, along: Field, across: Field) -> tuple[Field, Field]:
    """Signed distance in mm from the capsule and from the hilum's edge, negative inside."""
    oval = _distance(np.hypot(along / node.semi_long_mm, across / node.semi_short_mm) < 1.0)
    edge, inner = oval, oval + np.float32(node.cortex_mm)
    if node.hilum is not None:
        own = node.hilum
        inner = _distance(np.hypot(along / own.semi_long_mm, (across - own.shift_mm) / own.semi_short_mm) < 1.0)
    if node.bulge is not None:
        weight = _bump(node, node.bulge, along, across)
        edge = edge - np.float32(node.bulge.out_mm) * weight
        inner = inner + np.float32(node.bulge.in_mm) * weight
    if node.gate_mm:
        gate = np.maximum(np.abs(along) - np.float32(node.gate_mm / 2), -across)
        inner = np.minimum(inner, gate.astype(np.float32))
    if not node.has_hilum:
        inner = np.full_like(edge, 1e3)
    return edge, np.maximum(inner, edge)


def _bump(node: Node, bulge: Bulge, along: Field, across: Field) -> Field:
    """1 below and above the middle of the bulge, falling along the capsule; 0 on the node's other side."""
    at = (node.semi_long_mm * math.cos(bulge.angle), node.semi_short_mm * math.sin(bulge.angle))
    normal = (math.cos(bulge.angle) / node.semi_long_mm, math.sin(bulge.angle) / node.semi_short_mm)
    length = math.hypot(*normal)
    nx, ny = normal[0] / length, normal[1] / length
    sideways = (along - np.float32(at[0])) * np.float32(-ny) + (across - np.float32(at[1])) * np.float32(nx)
    weight = np.exp(-0.5 * (sideways / np.float32(bulge.width_mm)) ** 2)
    return np.asarray(np.where(along * np.float32(nx) + across * np.float32(ny) > 0, weight, 0.0), np.float32)


def _distance(inside: NDArray[np.bool_]) -> Field:
    """Signed distance from the edge of a region in mm, negative inside; exact to a third of a grid step."""
    import cv2

    mask = inside.astype(np.uint8)
    outer = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inner = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # From pixel centre to pixel centre the edge lies half a step before the nearest pixel of the other side.
    signed = np.where(inside, 0.5 - np.asarray(inner), np.asarray(outer) - 0.5)
    return np.asarray(signed * GRID_MM, np.float32)
