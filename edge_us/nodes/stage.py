"""`ReadNode`: the opinion on a node, formed over a few looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_us.finding import Finding, FindingKind
from edge_us.nodes.reading import Reading, Sketch, conclude, look, unknown
from edge_us.tracking.looks import Means

if TYPE_CHECKING:
    from edge_us.frame import Frame, Rect


@dataclass(slots=True)
class Seen:
    """The mean numbers of a node, and what was seen last."""

    means: Means = field(default_factory=Means)
    sketch: Sketch | None = None
    unit: tuple[float, float] | None = None


class ReadNode:
    """Cortex, hilum and criteria of a node."""

    field = "node"
    kind = FindingKind.NODE
    others = "only nodes are read"
    measures = True

    def begin(self) -> Seen:
        """No look yet."""
        return Seen()

    def look(self, frame: Frame, found: Finding, region: Rect | None, seen: Seen) -> None:
        """Take the numbers of a node from one picture."""
        seen.unit = frame.geometry.mm_per_px
        numbers, seen.sketch = look(frame, found)
        seen.means.add(numbers)

    def value(self, seen: Seen) -> Reading:
        """The reading of the mean numbers."""
        return conclude(seen.means.usual(), seen.sketch, scaled=seen.unit is not None)

    def unknown(self, reason: str) -> Reading:
        """No reading, with the reason."""
        return unknown(reason)
