"""`render_still`: one picture of lesions and nodes that are placed and made as told, for tests of what is concluded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Fan, Geometry
from edge_us.phantom.lesion import Look, Pose
from edge_us.phantom.node import Node
from edge_us.phantom.probe import fan_of, make_beams
from edge_us.phantom.render import PhantomFrame, scan
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
    return _render(spec, ((spec.look, spec.pose),), 0.0)


@dataclass(frozen=True, slots=True)
class NodeStill:
    """One node under the middle of a probe.

    Attributes
    ----------
    node : Node
        Its centre's x is counted from the middle of the probe, z from the skin, in mm.
    probe : Probe
    depth_mm : float
        Imaging depth.
    width, height : int
        Picture size in px.
    gain_db : float
        By which the whole picture is brighter.
    seed : int
    """

    node: Node
    probe: Probe = Probe.LINEAR
    depth_mm: float = 40.0
    width: int = 640
    height: int = 480
    gain_db: float = 0.0
    seed: int = 1


def render_node(spec: NodeStill) -> PhantomFrame:
    """Synthesise the picture of a node, with the masks of node and hilum; the same spec gives the same bytes."""
    return _render(spec, (spec.node,), spec.gain_db)


def _render(spec: StillSpec | NodeStill, placed: tuple[tuple[Look, Pose] | Node, ...], gain_db: float) -> PhantomFrame:
    beams = make_beams(spec.probe, spec.depth_mm, spec.width, spec.height)
    rng = np.random.default_rng(spec.seed)
    tissue = make_tissue(rng, (), beams.half_width_mm, spec.depth_mm, placed)
    tissue.level_db[...] += np.float32(gain_db)
    return scan(beams, tissue, 0.0, 0.0, True, 0)


def ellipse_mask(spec: StillSpec, mm_per_px: tuple[float, float]) -> NDArray[np.bool_]:
    """The pixels whose centres lie inside an ellipse of the spec's pose: exact to the pixel, without speckle.

    The ellipse lies in the picture itself, not in tissue that gives way to a curved probe. Pixels need not be square.
    """
    fan = spec.fan
    x0 = 0.5 * (spec.width - 1) if fan is None else fan.x
    z0 = -0.5 if fan is None else fan.y + fan.face
    pose, reach = spec.pose, max(spec.pose.semi_x_mm, spec.pose.semi_z_mm)
    dx = (np.arange(spec.width) - x0) * mm_per_px[0] - pose.center_x_mm
    dz = (np.arange(spec.height) - z0) * mm_per_px[1] - pose.center_z_mm
    columns, rows = np.abs(dx) <= reach, np.abs(dz) <= reach
    across, down = dx[None, columns], dz[rows, None]
    cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
    u, v = (across * cos + down * sin) / pose.semi_x_mm, (down * cos - across * sin) / pose.semi_z_mm
    mask = np.zeros((spec.height, spec.width), bool)
    mask[np.ix_(rows, columns)] = np.hypot(u, v) < 1.0
    return mask
