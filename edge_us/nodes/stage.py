"""`ReadNode`: the opinion on a node, formed over a few looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_us.finding import Finding, FindingKind
from edge_us.nodes.reading import Reading, Sketch, conclude, look, unknown
from edge_us.tracking.looks import Mean

if TYPE_CHECKING:
    from edge_us.frame import Frame, Rect


@dataclass(slots=True)
class Seen:
    """Mean of each number over the looks at a node, how many gave it, and the last sketch."""

    means: dict[str, Mean] = field(default_factory=dict)
    looks: int = 0
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
        seen.looks += 1
        numbers, sketch = look(frame, found)
        for name, number in numbers.items():
            seen.means.setdefault(name, Mean()).add(number)
        seen.sketch = sketch

    def value(self, seen: Seen) -> Reading:
        """The reading of the mean numbers; one that most looks did not give is one plane's, not the node's."""
        usual = {name: mean.value for name, mean in seen.means.items() if 2 * mean.count >= seen.looks}
        return conclude(usual, seen.sketch, scaled=seen.unit is not None)

    def unknown(self, reason: str) -> Reading:
        """No reading, with the reason."""
        return unknown(reason)
