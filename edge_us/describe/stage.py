"""`Describe`: the opinion on a lesion in the words of the lexicon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge_us.describe.describe import describe, look, unknown
from edge_us.finding import Finding, FindingKind, Value
from edge_us.frame import Frame
from edge_us.measure.stage import skin_above
from edge_us.tracking.looks import Means

if TYPE_CHECKING:
    from edge_us.frame import Rect


class Describe:
    """The descriptors of a lesion: words of the mean numbers over its looks."""

    field = "descriptors"
    kind = FindingKind.LESION
    others = "only lesions are described"
    measures = True

    def begin(self) -> Means:
        """No look yet."""
        return Means()

    def look(self, frame: Frame, found: Finding, region: Rect | None, seen: Means) -> None:
        """Take the numbers of a lesion from one picture."""
        if len(found.contour) < 3:
            seen.add({})
        else:
            seen.add(look(frame, found.contour, region, float(skin_above(frame, found, region))))

    def value(self, seen: Means) -> Mapping[str, Value]:
        """Each descriptor's number and word."""
        return describe(seen.usual())

    def unknown(self, reason: str) -> Mapping[str, Value]:
        """All descriptors, unknown for one reason."""
        return unknown(reason)
