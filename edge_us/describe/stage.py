"""`Describe`: the opinion on a lesion in the words of the lexicon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_us.describe.describe import describe, look, unknown
from edge_us.finding import Finding, FindingKind, Value
from edge_us.frame import Frame
from edge_us.measure.stage import skin_above
from edge_us.tracking.looks import Mean

if TYPE_CHECKING:
    from edge_us.frame import Rect


@dataclass(slots=True)
class Numbers:
    """Mean of each number over the looks at a lesion; not every look has every number."""

    means: dict[str, Mean] = field(default_factory=dict)
    looks: int = 0


class Describe:
    """The descriptors of a lesion: words of the mean numbers over its looks."""

    field = "descriptors"
    kind = FindingKind.LESION
    others = "only lesions are described"
    measures = True

    def begin(self) -> Numbers:
        """No look yet."""
        return Numbers()

    def look(self, frame: Frame, found: Finding, region: Rect | None, seen: Numbers) -> None:
        """Take the numbers of a lesion from one picture."""
        seen.looks += 1
        if len(found.contour) < 3:
            return
        skin = float(skin_above(frame, found, region))
        for name, number in look(frame, found.contour, region, skin).items():
            seen.means.setdefault(name, Mean()).add(number)

    def value(self, seen: Numbers) -> Mapping[str, Value]:
        """Each descriptor's number and word."""
        # A number that most looks did not have would be one plane's, not the track's.
        return describe({name: mean.value for name, mean in seen.means.items() if 2 * mean.count >= seen.looks})

    def unknown(self, reason: str) -> Mapping[str, Value]:
        """All descriptors, unknown for one reason."""
        return unknown(reason)
