"""The tissue: echogenicity, attenuation, scatterers and lesions on a grid in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.nodes.pattern import NodePattern
from edge_us.phantom.field import GRID_MM, Field, interfaces, smooth_field
from edge_us.phantom.lesion import LOOKS, Look, Pose, draw_pose, grow
from edge_us.phantom.node import Node, draw_node, grow_node
from edge_us.phantom.spec import LesionKind
from edge_us.phantom.speckle import scatterers

LESION_SPACING_MM = 45.0
LARGEST_SEMI_AXIS_MM = 14.0


@dataclass(frozen=True, slots=True)
class Tissue:
    """A slab of breast; row 0 is the skin, column 0 lies at ``x0_mm``.

    Attributes
    ----------
    level_db : ndarray of float32, shape (rows, columns)
        Echogenicity relative to full scale.
    excess_db_mm : ndarray of float32, shape (rows, columns)
        Attenuation, one way, beyond what the time gain compensation takes out.
    noise : ndarray of float32, shape (rows, columns, 4)
        Two independent complex scatterer fields; mixing them moves the scan plane in elevation.
    lesions : ndarray of uint8, shape (rows, columns)
        1 for the first lesion, 2 for the second, …; 0 elsewhere. Nodes count on after the lesions.
    hila : ndarray of uint8, shape (rows, columns)
        The node's number in its hilum; 0 elsewhere.
    x0_mm : float
    """

    level_db: Field
    excess_db_mm: Field
    noise: Field
    lesions: NDArray[np.uint8]
    hila: NDArray[np.uint8]
    x0_mm: float


def make_tissue(
    rng: np.random.Generator,
    kinds: tuple[LesionKind, ...],
    half_width_mm: float,
    depth_mm: float,
    placed: tuple[tuple[Look, Pose] | Node, ...] | None = None,
    nodes: tuple[NodePattern, ...] = (),
) -> Tissue:
    """Build a slab that reaches ``half_width_mm`` to either side of the path of the probe's centre.

    With ``placed`` the probe stands still over x = 0, and these lesions and nodes lie where they are told to. Where
    there are nodes it is an axilla: fat on muscle, without glandular tissue.
    """
    margin = half_width_mm + 2
    reach = sweep_reach_mm(len(kinds) + len(nodes), half_width_mm) if placed is None else 0.0
    axilla = bool(nodes) or any(isinstance(each, Node) for each in placed or ())
    rows = int(depth_mm / GRID_MM) + 40
    columns = int(2 * (reach + margin) / GRID_MM)
    x0 = -(reach + margin)
    x = (x0 + np.arange(columns, dtype=np.float32) * np.float32(GRID_MM))[None, :]
    z = (np.arange(rows, dtype=np.float32) * np.float32(GRID_MM))[:, None]
    level, excess = _layers(rng, x, z, depth_mm, axilla=axilla)
    lesions, hila = np.zeros((2, rows, columns), np.uint8)
    for number, kind in enumerate(kinds):
        center_x = (number - (len(kinds) + len(nodes) - 1) / 2) * LESION_SPACING_MM
        pose = draw_pose(rng, LOOKS[kind], center_x, depth_mm)
        grow(rng, LOOKS[kind], pose, number + 1, depth_mm, x, z, level, excess, lesions)
    for number, pattern in enumerate(nodes, start=len(kinds)):
        center_x = (number - (len(kinds) + len(nodes) - 1) / 2) * LESION_SPACING_MM
        node = draw_node(rng, pattern, center_x, depth_mm)
        grow_node(rng, node, number + 1, x, z, level, excess, lesions, hila)
    for number, each in enumerate(placed or (), start=len(kinds) + len(nodes) + 1):
        if isinstance(each, Node):
            grow_node(rng, each, number, x, z, level, excess, lesions, hila)
        else:
            grow(rng, *each, number, depth_mm, x, z, level, excess, lesions)
    return Tissue(level, excess, scatterers(rng, (rows, columns), looks=2), lesions, hila, x0)


def sweep_reach_mm(lesions: int, half_width_mm: float) -> float:
    """How far the probe moves to either side, so that every lesion enters and leaves the picture."""
    return half_width_mm + LARGEST_SEMI_AXIS_MM + max(lesions - 1, 0) * LESION_SPACING_MM / 2


def _layers(
    rng: np.random.Generator, x: Field, z: Field, depth_mm: float, *, axilla: bool = False
) -> tuple[Field, Field]:
    """Skin, fat lobules between Cooper's ligaments, glandular tissue, retromammary fat, muscle, chest wall.

    In the axilla there is fat where the gland would be.
    """
    shape = (z.size, x.size)
    scale = depth_mm / 40.0

    def noise(x_mm: float, z_mm: float) -> Field:
        return smooth_field(rng, shape, (x_mm, z_mm))

    def border(depth: float, broad_mm: float, broad: float, fine_mm: float, fine: float) -> Field:
        line = (1, x.size)
        wave = broad * smooth_field(rng, line, (broad_mm, 1)) + fine * smooth_field(rng, line, (fine_mm, 1))
        return np.asarray(depth + wave, np.float32)

    skin = border(1.5, 18, 0.08, 5, 0.03)
    fat = scale * border(8.0, 16, 1.6, 5, 0.4)
    gland = scale * border(25.0, 25, 1.3, 7, 0.3)
    retro = gland + scale * np.abs(border(2.6, 20, 0.4, 6, 0.1))
    muscle = scale * border(36.0, 40, 0.9, 12, 0.1)

    wide, fine = noise(14, 6), noise(1.2, 0.7)
    # Ligaments are the zeros of a broad field: thin sheets of even thickness, bright where the beam meets them.
    lobules = noise(11 * scale, 5 * scale) + 0.22 * noise(3.0, 1.6)
    septa = np.maximum(interfaces(lobules, 0.2, 0.9), 0.7 * interfaces(noise(13, 4), 0.16, 1.2))
    fat_db = -40.0 + 1.3 * wide + 1.2 * fine + 15.0 * septa
    strands = np.maximum(interfaces(noise(7, 1.7), 0.15, 0.7), interfaces(noise(5, 1.9), 0.15, 0.7))
    ducts = np.maximum(noise(5, 1.8) - 0.9, 0.0)
    gland_db = -31.0 + 2.4 * wide + 2.2 * noise(3.5, 1.3) + fine - 3.0 * ducts + 8.0 * strands
    fibres = interfaces(noise(14, 1.0) + 0.1 * wide, 0.15, 1.5)
    muscle_db = -39.0 + 1.5 * wide + 9.0 * fibres
    wall_db = -43.0 + 2.0 * wide - 0.5 * np.maximum(z - muscle, 0.0)

    level = np.broadcast_to(-23.0 + fine, shape).astype(np.float32).copy()
    excess = np.full(shape, 0.02, np.float32)
    ragged = gland if axilla else fat + 0.35 * scale * noise(3.0, 1.5)
    for start, soft_mm, layer_db, loss in (
        (skin, 0.2, fat_db, -0.04),
        (ragged, 0.5, gland_db, 0.03),
        (gland, 0.4, fat_db, -0.04),
        (retro, 0.3, muscle_db, 0.02),
        (muscle, 0.3, wall_db, 0.10),
    ):
        inside = np.clip((z - start) / np.float32(soft_mm) + np.float32(0.5), 0.0, 1.0)
        level += inside * (layer_db - level)
        excess += inside * (np.float32(loss) - excess)
    for depth, gain, thick_mm in (
        (np.float32(0.12), 9.0, 0.14),
        (skin, 8.0, 0.14),
        (gland, 6.0, 0.2),
        (retro, 11.0, 0.2),
        (muscle, 20.0, 0.3),
    ):
        sheen = 0.82 + 0.18 * smooth_field(rng, (1, x.size), (4, 1))
        level += np.float32(gain) * sheen * np.exp(-(((z - depth) / np.float32(thick_mm)) ** 2))
    return level, (excess + 0.012 * wide).astype(np.float32)
