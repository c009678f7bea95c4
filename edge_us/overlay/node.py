"""What the picture says of a node: the hilum's edge, where the cortex is thickest, a label and the block's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.finding import Assessment, Finding, FindingKind, Unknown
from edge_us.nodes.criteria import CORTEX
from edge_us.nodes.reading import SHARE, USUAL, Reading

if TYPE_CHECKING:
    from edge_us.overlay.planes import Bgr, Planes

MOST_AGE_NS = 400_000_000
"""Stream time after which the inside of a node is no longer drawn: a look is due every 200 ms; the plane moves on."""
STRENGTH = 0.7
"""Fainter than the node's own outline, since it lies on what a reader looks at."""
_SHIFT = 4


def reading_of(found: Finding) -> Reading | None:
    """What is known of a node; None of anything else, and where nothing was read."""
    if found.kind is not FindingKind.NODE or found.node is None or not found.node.criteria:
        return None
    return found.node


def draw_inside(planes: Planes, found: Finding, now_ns: int, colour: Bgr) -> None:
    """Draw the hilum's edge and the thickest place of the cortex, if they were seen lately.

    Parameters
    ----------
    planes : Planes
    found : Finding
    now_ns : int
        Stream time of the picture.
    colour : (int, int, int)
        Blue, green, red.
    """
    import cv2
    import numpy as np

    reading = reading_of(found)
    sketch = None if reading is None else reading.sketch
    if sketch is None or found.unseen or not 0 <= now_ns - sketch.pts_ns <= MOST_AGE_NS:
        return
    outline, ends = sketch.placed(found.box)
    points = np.concatenate((outline, ends))
    if len(points) < 3:
        return
    low, high = np.floor(points.min(axis=0)).astype(int) - 3, np.ceil(points.max(axis=0)).astype(int) + 4
    x, y = int(low[0]) & ~1, int(low[1]) & ~1
    shape = ((int(high[1]) - y + 1) & ~1, (int(high[0]) - x + 1) & ~1)
    line = np.zeros(shape, np.uint8)
    for polygon, closed in ((outline, True), (ends, False)):
        if len(polygon) > 1:
            fixed = np.rint((polygon - (x, y)) * (1 << _SHIFT)).astype(np.int32)
            cv2.polylines(line, [fixed], closed, 255, 1, cv2.LINE_AA, _SHIFT)
    planes.stroke(line, np.zeros(shape, np.uint8), x, y, colour, strength=STRENGTH)


def node_words(reading: Reading) -> str:
    """What the label says behind the score, such as ``cortex 4.2 mm  2 of 5 criteria``."""
    return f" cortex {_thickness(reading)}  {reading.summary}"


def assessed(said: Assessment | Unknown | None, what: str) -> tuple[str, ...]:
    """What a site's classifier says, such as ``classifier 0.83 suspicious``; nothing where it may not be shown."""
    if not isinstance(said, Assessment) or said.hidden:
        return ()
    return (f" {what} {said.probability:.2f}{' suspicious' if said.is_suspicious else ''}",)


def node_lines(reading: Reading) -> tuple[str, ...]:
    """The block's lines below the sizes."""
    values = reading.values
    usual, share, pattern = values.get(USUAL), values.get(SHARE), values.get("pattern")
    cortex = f"cortex {_thickness(reading)}"
    if isinstance(usual, float):
        cortex += f", usually {usual:.1f} mm"
    hilum = f"hilum {values['hilum']}"
    if isinstance(share, float):
        hilum += f", {100 * share:.0f} % of the node"
    lines = [cortex, hilum, f"pattern: {pattern.reason if isinstance(pattern, Unknown) else pattern}"]
    met = [each.criterion.name for each in reading.criteria if each.met and each.criterion.counts]
    lines.append(reading.summary + (":" if met else ""))
    lines += [f"  {name}" for name in met]
    return tuple(lines)


def _thickness(reading: Reading) -> str:
    value = reading.values.get(CORTEX)
    return f"{value:.1f} mm" if isinstance(value, float) else "n/a"
