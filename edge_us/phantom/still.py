"""`render_still`: one picture of one lesion that is placed and made as told, for tests of measures and descriptors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Fan, Geometry
from edge_us.phantom.field import GRID_MM
from edge_us.phantom.lesion import Look, Pose
from edge_us.phantom.probe import fan_of, make_beams
from edge_us.phantom.render import PhantomFrame, lesion_masks, scan
from edge_us.phantom.spec import Probe
from edge_us.phantom.tissue import make_tissue


@dataclass(frozen=True, slots=True)
class StillSpec:
    """One lesion under the middle of a probe.

    Attributes
    ----------
    look : Look
    pose : Pose
        Its centre's x is counted from the middle of the probe, z from the skin, in mm.
    probe : Probe
    depth_mm : float
        Imaging depth.
    width, height : int
        Picture size in px.
    seed : int
    """

    look: Look
    pose: Pose
    probe: Probe = Probe.LINEAR
    depth_mm: float = 40.0
    width: int = 640
    height: int = 480
    seed: int = 1

    def geometry(self, made: PhantomFrame) -> Geometry:
        """What a source would say of the picture."""
        return Geometry(made.region, (made.mm_per_px, made.mm_per_px), "", fan=self.fan)

    @property
    def fan(self) -> Fan | None:
        """How the beams run."""
        return fan_of(self.probe, self.depth_mm, self.width, self.height)


def render_still(spec: StillSpec) -> PhantomFrame:
    """Synthesise the picture; the same spec gives the same bytes."""
    beams = make_beams(spec.probe, spec.depth_mm, spec.width, spec.height)
    rng = np.random.default_rng(spec.seed)
    tissue = make_tissue(rng, (), beams.half_width_mm, spec.depth_mm, ((spec.look, spec.pose),))
    gray, masks = scan(beams, tissue, 0.0, 0.0, True, 0)
    return PhantomFrame(gray, tuple(masks), beams.region, beams.mm_per_px)


def render_ellipse(spec: StillSpec) -> PhantomFrame:
    """Only the mask of an elliptic lesion, on a black picture: geometry without speckle, a hundred times faster.

    The ellipse has the spec's pose in the picture itself, not in tissue that gives way to a curved probe.
    """
    beams = make_beams(spec.probe, spec.depth_mm, spec.width, spec.height)
    pose, reach = spec.pose, 1.1 * max(spec.pose.semi_x_mm, spec.pose.semi_z_mm)
    side = np.arange(-reach, reach, GRID_MM, dtype=np.float32)
    dx, dz = side[None, :], side[:, None]
    u = (dx * np.cos(pose.tilt) + dz * np.sin(pose.tilt)) / pose.semi_x_mm
    v = (dz * np.cos(pose.tilt) - dx * np.sin(pose.tilt)) / pose.semi_z_mm
    lesion: NDArray[np.uint8] = (np.hypot(u, v) < 1.0).astype(np.uint8)
    x, z = beams.x_mm, beams.z_mm
    if spec.fan is not None:
        # The picture's own millimetres: straight beams from the apex, without the bent near field of `Beams.z_mm`.
        radius = spec.fan.face * beams.mm_per_px
        sine = x / (radius + beams.range_mm)
        z = (radius + beams.range_mm) * np.sqrt(1.0 - sine**2) - radius
    columns, rows = (x - pose.center_x_mm + reach) / GRID_MM, (z - pose.center_z_mm + reach) / GRID_MM
    masks = lesion_masks(beams, lesion, columns.astype(np.float32), rows.astype(np.float32))
    return PhantomFrame(np.zeros((spec.height, spec.width), np.uint8), tuple(masks), beams.region, beams.mm_per_px)
