"""What a node's section measures: the cortex all around the hilum, and where it is thickest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_us.nodes.segment import Section

PLACES = 128
"""Places on the capsule at which the cortex is measured."""
LEAST_USUAL = 0.1
"""Of the thickest: where the hilum touches the capsule all along one side the usual cortex is none."""
SMOOTH = 4
"""Neighbouring places to either side to which a parabola is fitted (Savitzky and Golay, Anal Chem 36:1627, 1964): one
speckle makes no bulge, and the top of a bulge is not cut off, as a mean would."""


@dataclass(frozen=True, slots=True, eq=False)
class Cortex:
    """The cortex of one node; lengths in the unit of the section.

    Attributes
    ----------
    thickest : float
        Greatest distance from the capsule to the hilum.
    usual : float
        Median distance.
    extent : float
        Share of the measured places that are nearer to the greatest distance than to the usual one.
    offset : float
        Of the hilum's centre from the node's across the node, in shares of half the node's height; 0 to 1.
    share : float
        Of the node's area that is hilum.
    ends : ((float, float), (float, float))
        The thickest place, on the capsule and on the hilum, in px of the frame.
    """

    thickest: float
    usual: float
    extent: float
    offset: float
    share: float
    ends: tuple[tuple[float, float], tuple[float, float]]

    @property
    def bulge(self) -> float:
        """How much thicker the thickest place is than the usual one, in shares of the latter."""
        return (self.thickest - self.usual) / max(self.usual, LEAST_USUAL * self.thickest, 1e-6)


def measure_cortex(section: Section) -> Cortex | None:
    """Thickness of the cortex around a hilum; None where there is no hilum.

    The thickness at a place of the capsule is its distance from the hilum. Places beyond the hilum's ends along the
    node's long axis are left out, as in measuring by hand, which is done across the node.
    """
    import cv2
    import numpy as np

    if not section.has_hilum:
        return None
    contours, _ = cv2.findContours(section.node, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = np.asarray(max(contours, key=len), np.float64)[:, 0]
    steps = np.concatenate(((0.0,), np.cumsum(np.hypot(*np.diff(np.concatenate((rim, rim[:1])), axis=0).T))))
    places = np.linspace(0.0, steps[-1], PLACES, endpoint=False)
    closed = np.concatenate((rim, rim[:1]))
    x, y = (np.interp(places, steps, closed[:, side]) for side in (0, 1))
    distance = cv2.distanceTransform(1 - section.hilum, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    columns, rows = np.rint(x).astype(int), np.rint(y).astype(int)
    thick = np.asarray(distance, np.float64)[rows, columns]
    away = np.arange(-SMOOTH, SMOOTH + 1)
    weights = 3 * SMOOTH * (SMOOTH + 1) - 1 - 5 * away**2
    wrapped = np.concatenate((thick[-SMOOTH:], thick, thick[:SMOOTH]))
    even = np.convolve(wrapped, weights / weights.sum(), "valid")
    own = np.flatnonzero(section.hilum.any(axis=0))
    facing = (x >= own[0]) & (x <= own[-1])
    if not facing.any():
        return None
    values = np.where(facing, even, -1.0)
    at = int(values.argmax())
    thickest, usual = float(values[at]), float(np.median(even[facing]))
    extent = float(np.mean(even[facing] > (thickest + usual) / 2))
    hila = np.argwhere(section.hilum > 0)
    near = hila[int(np.argmin(np.hypot(hila[:, 0] - y[at], hila[:, 1] - x[at])))]
    ends = (_frame(section, float(x[at]), float(y[at])), _frame(section, float(near[1]), float(near[0])))
    node = np.argwhere(section.node > 0)
    half = float(node[:, 0].max() - node[:, 0].min() + 1) / 2
    offset = abs(float(hila[:, 0].mean() - node[:, 0].mean())) / half
    return Cortex(thickest * section.step, usual * section.step, extent, offset, len(hila) / len(node), ends)


def _frame(section: Section, x: float, y: float) -> tuple[float, float]:
    (a, b, c), (d, e, f) = section.to_frame.tolist()
    return a * x + b * y + c, d * x + e * y + f
