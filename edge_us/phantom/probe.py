"""Beam geometry: where each sample of each beam lies in the tissue, and the scan conversion to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_us.frame import Fan, Rect
from edge_us.phantom.spec import Probe
from edge_us.phantom.speckle import AXIAL_SIGMA_MM, LATERAL_SIGMA_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AXIAL_STEP_MM = 0.075
_LATERAL_STEP_MM = 0.16
_CONTACT_MM = 15.0
"""Depth over which soft tissue that was bent around a curved probe returns to its own shape."""
_RADIUS_MM = {Probe.CONVEX: 45.0, Probe.SECTOR: 9.0}
_HALF_ANGLE = {Probe.CONVEX: np.deg2rad(31.0), Probe.SECTOR: np.deg2rad(40.0)}


@dataclass(frozen=True, slots=True)
class Beams:
    """A probe at rest over the tissue coordinate x = 0.

    Attributes
    ----------
    x_mm, z_mm : ndarray of float32, shape (samples, beams)
        Tissue coordinates of the samples; z is 0 at the skin.
    range_mm : ndarray of float32, shape (samples, 1)
        Distance from the probe's face along the beam.
    map_x, map_y : ndarray of float32, shape (height, width)
        For every pixel of the picture the beam and the sample, for ``cv2.remap``; -2 outside the image.
    picture_x_mm : ndarray of float32, shape (height, width)
        Tissue x of every pixel.
    region : Rect
        Tight bounding rectangle of the image in the picture.
    mm_per_px : float
    axial_px, lateral_px : float
        Point-spread function in samples and beams.
    """

    x_mm: NDArray[np.float32]
    z_mm: NDArray[np.float32]
    range_mm: NDArray[np.float32]
    map_x: NDArray[np.float32]
    map_y: NDArray[np.float32]
    picture_x_mm: NDArray[np.float32]
    region: Rect
    mm_per_px: float
    axial_px: float
    lateral_px: float

    @property
    def half_width_mm(self) -> float:
        """Half of what the probe sees in x, at its widest."""
        return float(np.max(self.x_mm))


def make_beams(probe: Probe, depth_mm: float, width: int, height: int) -> Beams:
    """Fit a probe of the given depth into a ``width`` x ``height`` picture with square pixels."""
    if probe is Probe.LINEAR:
        return _linear(depth_mm, width, height)
    return _curved(_RADIUS_MM[probe], float(_HALF_ANGLE[probe]), depth_mm, width, height)


def fan_of(probe: Probe, depth_mm: float, width: int, height: int) -> Fan | None:
    """How the beams of the probe run in a ``width`` x ``height`` picture; None for straight ones."""
    if probe is Probe.LINEAR:
        return None
    radius, half_angle = _RADIUS_MM[probe], float(_HALF_ANGLE[probe])
    mm_per_px, top, used = _fit(radius, half_angle, depth_mm, width, height)
    return Fan(0.5 * (width - 1), 0.5 * (height - used - 1) - top / mm_per_px, radius / mm_per_px)


def _fit(radius_mm: float, half_angle: float, depth_mm: float, width: int, height: int) -> tuple[float, float, float]:
    """Pixel size in mm, height above the apex in mm at which the face's corners lie, and rows that are used."""
    far = radius_mm + depth_mm
    top = radius_mm * float(np.cos(half_angle))
    mm_per_px = max((far - top) / height, 2 * far * float(np.sin(half_angle)) / width)
    return mm_per_px, top, (far - top) / mm_per_px


def _samples(depth_mm: float) -> NDArray[np.float32]:
    return np.linspace(0.0, depth_mm, round(depth_mm / _AXIAL_STEP_MM), dtype=np.float32)[:, None]


def _linear(depth_mm: float, width: int, height: int) -> Beams:
    mm_per_px = depth_mm / height
    half = 0.5 * width * mm_per_px
    ranges = _samples(depth_mm)
    beams = max(round(2 * half / _LATERAL_STEP_MM), 16)
    lateral = np.linspace(-half, half, beams, dtype=np.float32)[None, :]
    x, z = np.broadcast_arrays(lateral, ranges)
    picture_x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) * mm_per_px - half
    picture_z = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * mm_per_px
    px, pz = np.broadcast_arrays(picture_x, picture_z)
    return Beams(
        x_mm=np.ascontiguousarray(x),
        z_mm=np.ascontiguousarray(z),
        range_mm=ranges,
        map_x=((px + half) / (2 * half) * (beams - 1)).astype(np.float32),
        map_y=(pz / depth_mm * (len(ranges) - 1)).astype(np.float32),
        picture_x_mm=np.ascontiguousarray(px),
        region=Rect(0, 0, width, height),
        mm_per_px=mm_per_px,
        axial_px=AXIAL_SIGMA_MM * (len(ranges) - 1) / depth_mm,
        lateral_px=LATERAL_SIGMA_MM * (beams - 1) / (2 * half),
    )


def _curved(radius_mm: float, half_angle: float, depth_mm: float, width: int, height: int) -> Beams:
    far = radius_mm + depth_mm
    mm_per_px, top, used = _fit(radius_mm, half_angle, depth_mm, width, height)
    ranges = _samples(depth_mm)
    mid_mm = radius_mm + 0.45 * depth_mm
    beams = round(2 * half_angle * mid_mm / _LATERAL_STEP_MM)
    angles = np.linspace(-half_angle, half_angle, beams, dtype=np.float32)[None, :]
    x = (radius_mm + ranges) * np.sin(angles)
    z = (radius_mm + ranges) * np.cos(angles) - radius_mm
    z = z + radius_mm * (1.0 - np.cos(angles)) * np.exp(-ranges / _CONTACT_MM)

    px = (np.arange(width, dtype=np.float64)[None, :] + 0.5 - 0.5 * width) * mm_per_px
    py = (np.arange(height, dtype=np.float64)[:, None] + 0.5 - 0.5 * (height - used)) * mm_per_px + top
    angle, reach = np.arctan2(px, py), np.hypot(px, py)
    inside = (np.abs(angle) <= half_angle) & (reach >= radius_mm) & (reach <= far)
    map_x = np.where(inside, (angle + half_angle) / (2 * half_angle) * (beams - 1), -2.0)
    map_y = np.where(inside, (reach - radius_mm) / depth_mm * (len(ranges) - 1), -2.0)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    x0, y0 = int(columns[0]), int(rows[0])
    return Beams(
        x_mm=x.astype(np.float32),
        z_mm=z.astype(np.float32),
        range_mm=ranges,
        map_x=map_x.astype(np.float32),
        map_y=map_y.astype(np.float32),
        picture_x_mm=np.ascontiguousarray(np.broadcast_to(px, inside.shape), dtype=np.float32),
        region=Rect(x0, y0, int(columns[-1]) + 1 - x0, int(rows[-1]) + 1 - y0),
        mm_per_px=float(mm_per_px),
        axial_px=AXIAL_SIGMA_MM * (len(ranges) - 1) / depth_mm,
        lateral_px=LATERAL_SIGMA_MM * (beams - 1) / (2 * half_angle * mid_mm),
    )
