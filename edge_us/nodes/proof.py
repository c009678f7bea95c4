"""Phantom nodes, read as a run reads them, against what they are by construction: proves geometry, not medicine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_us.nodes.pattern import NodePattern

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_us.inference.detector import Detector
    from edge_us.phantom.node import Node
    from edge_us.phantom.render import PhantomFrame

TOLERANCE_MM, TOLERANCE_PX = 0.3, 1.0
"""The larger of both is what a thickness may be off by."""
GAIN_DB = 6.0
WAVES = 6


@dataclass(frozen=True, slots=True)
class Read:
    """One phantom node and what was read of it.

    Attributes
    ----------
    node : Node
    said : str or None
        The pattern's word; None where there was none.
    has_hilum : bool or None
        None where nothing was read.
    error_mm : float or None
        Thickness read minus thickness by construction; None where either has none.
    mm_per_px : float
    """

    node: Node
    said: str | None
    has_hilum: bool | None
    error_mm: float | None
    mm_per_px: float

    @property
    def is_close(self) -> bool:
        """Whether the thickness is within the tolerance; also where there is none to read, and none was."""
        if self.error_mm is None:
            return not self.node.has_hilum and self.has_hilum is False
        return abs(self.error_mm) <= max(TOLERANCE_MM, TOLERANCE_PX * self.mm_per_px)


def make(number: int) -> tuple[Node, PhantomFrame]:
    """The phantom of a number: patterns in turn; place, size, tilt, echoes, gain and speckle drawn from it."""
    import numpy as np

    from edge_us.phantom.node import draw_node
    from edge_us.phantom.still import NodeStill, render_node

    rng = np.random.default_rng([number, 7])
    patterns = list(NodePattern)
    node = draw_node(rng, patterns[number % len(patterns)], 0.0, 40.0)
    return node, render_node(NodeStill(node, gain_db=float(rng.uniform(-GAIN_DB, GAIN_DB)), seed=number))


def read(number: int, rough_px: float = 0.0, detector: Detector | None = None) -> Read:
    """Make a phantom node and read it once.

    Parameters
    ----------
    number : int
    rough_px : float
        Standard deviation by which the node's own outline is off, in long waves, as a network's is.
    detector : Detector, optional
        Of nodes; the outline is then that of its best one. Where it finds none, nothing is read.
    """
    import numpy as np

    from edge_us.finding import Finding, FindingKind
    from edge_us.frame import Frame, Geometry, PixelFormat
    from edge_us.nodes.criteria import CORTEX
    from edge_us.nodes.reading import conclude, look

    node, made = make(number)
    height, width = made.image.shape
    unit = (made.mm_per_px, made.mm_per_px)
    frame = Frame(made.image, PixelFormat.GRAY8, width, height, 0, 0, 0, geometry=Geometry(made.region, unit, ""))
    contour = roughened(outline_of(made.masks[0]), rough_px, np.random.default_rng([number, 13]))
    (x1, y1), (x2, y2) = contour.min(axis=0).tolist(), contour.max(axis=0).tolist()
    nodes = [Finding(FindingKind.NODE, (x1, y1, x2, y2), 1.0, contour)]
    if detector is not None:
        nodes = [each for each in detector.finish(detector.start(frame, None)) if each.kind is FindingKind.NODE]
    if not nodes:
        return Read(node, None, None, None, made.mm_per_px)
    reading = conclude(*look(frame, nodes[0]), scaled=True)
    thick, said, hilum = (reading.values[name] for name in (CORTEX, "pattern", "hilum"))
    truth = node.thickest_mm
    return Read(
        node=node,
        said=said if isinstance(said, str) else None,
        has_hilum=hilum == "present" if isinstance(hilum, str) else None,
        error_mm=thick - truth if isinstance(thick, float) and truth is not None else None,
        mm_per_px=made.mm_per_px,
    )


def outline_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A mask's outline through the centres of its outermost pixels, as the detector gives it; shape (n, 2)."""
    import cv2
    import numpy as np

    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(max(found, key=cv2.contourArea), np.float32)[:, 0]


def roughened(contour: NDArray[np.float32], px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """An outline that is off by waves of ``px`` in all, in and out."""
    import numpy as np

    if px == 0:
        return contour
    away = contour - contour.mean(axis=0)
    angle = np.arctan2(away[:, 1], away[:, 0])
    off = np.zeros(len(contour))
    for order in range(WAVES):
        phase = float(rng.uniform(0, 2 * np.pi))
        off += rng.normal(0, px / np.sqrt(WAVES)) * np.sqrt(2) * np.cos(order * angle + phase)
    outward = away / np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(contour + outward * off[:, None], np.float32)


def summary(reads: Iterable[Read]) -> dict[str, Any]:
    """Shares of what was right, and errors in mm, over all nodes and by pattern."""
    every = list(reads)
    parts = {each.value: [one for one in every if one.node.pattern is each] for each in NodePattern}
    return {"all": _summary(every), **{name: _summary(part) for name, part in parts.items() if part}}


def _summary(reads: list[Read]) -> dict[str, Any]:
    import numpy as np

    errors = np.array([one.error_mm for one in reads if one.error_mm is not None])
    thick = [one for one in reads if one.node.has_hilum]
    return {
        "nodes": len(reads),
        "hilum_right": round(float(np.mean([one.has_hilum == one.node.has_hilum for one in reads])), 4),
        "pattern_right": round(float(np.mean([one.said == one.node.pattern.value for one in reads])), 4),
        "thickness_close": round(float(np.mean([one.is_close for one in thick])), 4) if thick else None,
        "thickness_error_mm": {
            "mean": round(float(errors.mean()), 3),
            "sd": round(float(errors.std()), 3),
            "p95": round(float(np.quantile(np.abs(errors), 0.95)), 3),
            "worst": round(float(np.abs(errors).max()), 3),
        }
        if len(errors)
        else None,
    }
