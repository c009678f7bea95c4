"""`render`: a `PhantomSpec` becomes pictures with exact masks, one frame at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect
from edge_us.phantom.field import GRID_MM
from edge_us.phantom.probe import Beams, make_beams
from edge_us.phantom.screen import Layout, compose, make_layout
from edge_us.phantom.spec import PhantomSpec
from edge_us.phantom.speckle import envelope, log_compress, point_spread
from edge_us.phantom.tissue import Tissue, make_tissue, sweep_reach_mm

DYNAMIC_RANGE_DB = 58.0
SWEEP_FRAMES = 300
"""Frames of one sweep there and back."""
ELEVATION_FRAMES = 140
SHADOW_BLUR_BEAMS = 5
"""A wide aperture looks around the edge of a shadow."""
NOISE_DB = -66.0
NOISE_DB_PER_MM = 0.22
"""Receiver noise at the skin relative to full scale, and how the time gain compensation raises it with depth."""


@dataclass(frozen=True, slots=True, eq=False)
class PhantomFrame:
    """One synthetic picture and what is true of it.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width) or, for screens, (height, width, 3) BGR
    masks : tuple of ndarray of bool, each (height, width)
        Every lesion that is in the picture, then every node, in the order of the spec.
    region : Rect
        Tight bounding rectangle of the ultrasound image.
    mm_per_px : float
    """

    image: NDArray[np.uint8]
    masks: tuple[NDArray[np.bool_], ...]
    region: Rect
    mm_per_px: float
    hila: tuple[NDArray[np.bool_], ...] = ()
    """For each mask the hilum within; empty for lesions, and for nodes without one."""


def render(spec: PhantomSpec) -> Iterator[PhantomFrame]:
    """Synthesise all frames of a spec, in order; the same spec gives the same bytes."""
    if spec.cart:
        from edge_us.phantom.cart import render_cart  # which takes `scan` from here

        yield from render_cart(spec)
        return
    layout = make_layout(spec) if spec.screen else None
    width, height = (layout.image.width, layout.image.height) if layout else (spec.width, spec.height)
    beams = make_beams(spec.probe, spec.imaging_depth_mm, width, height)
    rng = np.random.default_rng(spec.seed)
    tissue = make_tissue(rng, spec.lesions, beams.half_width_mm, spec.imaging_depth_mm, nodes=spec.nodes)
    reach = sweep_reach_mm(len(spec.lesions) + len(spec.nodes), beams.half_width_mm)
    for index in range(spec.frames):
        # A frozen picture keeps showing the moment at which it was frozen.
        moment = spec.freeze[0] if spec.freeze[0] <= index < spec.freeze[1] else index
        position = -reach * float(np.cos(2 * np.pi * moment / SWEEP_FRAMES))
        elevation = 0.9 * float(np.sin(2 * np.pi * moment / ELEVATION_FRAMES))
        contact = not spec.no_contact[0] <= moment < spec.no_contact[1]
        yield _frame(scan(beams, tissue, position, elevation, contact, moment), beams, layout, index)


def _frame(scanned: PhantomFrame, beams: Beams, layout: Layout | None, index: int) -> PhantomFrame:
    if layout is None:
        return scanned
    screen = compose(layout, scanned.image, beams, index)
    place, inner = layout.image, beams.region

    def on_screen(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        big = np.zeros(screen.shape[:2], bool)
        big[place.y : place.y + place.height, place.x : place.x + place.width] = mask
        return big

    masks, hila = (tuple(on_screen(mask) for mask in each) for each in (scanned.masks, scanned.hila))
    region = Rect(inner.x + place.x, inner.y + place.y, inner.width, inner.height)
    return PhantomFrame(screen, masks, region, beams.mm_per_px, hila)


def scan(
    beams: Beams, tissue: Tissue, position_mm: float, elevation: float, contact: bool, moment: int
) -> PhantomFrame:
    """Image the tissue under a probe at ``position_mm``; without contact only reverberations remain."""
    import cv2

    columns = (beams.x_mm + (position_mm - tissue.x0_mm)) / GRID_MM
    rows = beams.z_mm / GRID_MM
    # Nearest, not linear: interpolating white noise would take away its variance.
    noise = np.asarray(cv2.remap(tissue.noise, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT))
    field = math.cos(elevation) * noise[..., :2] + math.sin(elevation) * noise[..., 2:]
    step_mm = float(beams.range_mm[1, 0] - beams.range_mm[0, 0])
    if contact:
        level = _sample(tissue.level_db, columns, rows)
        excess = _sample(tissue.excess_db_mm, columns, rows)
        path = cv2.blur(np.cumsum(excess, axis=0), (SHADOW_BLUR_BEAMS, 1))
        level = level - 2 * step_mm * np.asarray(path, np.float32)
    else:
        ringing = np.cos(2 * np.pi * beams.range_mm / 1.7) ** 8
        level = np.broadcast_to(-18 - 5.5 * beams.range_mm + 9 * ringing, beams.x_mm.shape)
    amplitude = np.power(10.0, level / 20, dtype=np.float32)
    echo = point_spread(field * amplitude[..., None], beams.axial_px, beams.lateral_px)
    echo += _receiver_noise(beams, tissue, moment)
    polar = log_compress(envelope(echo) / np.float32(np.sqrt(2)), DYNAMIC_RANGE_DB)
    gray = cv2.remap(polar, beams.map_x, beams.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    masks: dict[int, NDArray[np.bool_]] = {}
    hila: dict[int, NDArray[np.bool_]] = {}
    if contact and tissue.lesions.any():
        masks = label_masks(beams, tissue.lesions, columns, rows)
        hila = label_masks(beams, tissue.hila, columns, rows)
    empty = np.zeros(gray.shape, bool)
    within = tuple(hila.get(number, empty) for number in masks)
    return PhantomFrame(np.asarray(gray, np.uint8), tuple(masks.values()), beams.region, beams.mm_per_px, within)


def label_masks(
    beams: Beams, labels: NDArray[np.uint8], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> dict[int, NDArray[np.bool_]]:
    """Where in the picture the numbered structures of a slab lie; those outside of it are left out.

    Parameters
    ----------
    beams : Beams
    labels : ndarray of uint8, shape (rows, columns) of the slab
        As in `Tissue`.
    columns, rows : ndarray of float32, shape (samples, beams)
        Where in the slab the probe's samples lie.
    """
    import cv2

    masks: dict[int, NDArray[np.bool_]] = {}
    seen = np.asarray(cv2.remap(labels, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT))
    for number in range(1, int(labels.max()) + 1):
        one = np.asarray(seen == number, np.float32)
        if one.any():
            inside = cv2.remap(one, beams.map_x, beams.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            mask = np.asarray(inside) > 0.5
            if mask.any():
                masks[number] = mask
    return masks


def _receiver_noise(beams: Beams, tissue: Tissue, moment: int) -> NDArray[np.float32]:
    """Noise of the electronics, new in every frame: another part of the scatterers' field, taken as it lies."""
    pool, shape = tissue.noise.reshape(-1), (*beams.x_mm.shape, 2)
    length = math.prod(shape)
    start = int(np.random.default_rng([moment, 11]).integers(0, pool.size - length))
    noise = pool[start : start + length].reshape(shape)
    gain = np.power(10.0, (NOISE_DB + NOISE_DB_PER_MM * beams.range_mm) / 20, dtype=np.float32)
    return np.asarray(noise * gain[..., None], np.float32)


def _sample(
    values: NDArray[np.float32], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    import cv2

    sampled = cv2.remap(values, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
