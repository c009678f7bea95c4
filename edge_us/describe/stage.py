"""`Describe`: the stage that gives stable lesions their descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_us.describe.describe import describe, look, unknown
from edge_us.finding import Finding, FindingKind, Value
from edge_us.frame import Frame
from edge_us.measure.stage import skin_above

if TYPE_CHECKING:
    from edge_us.frame import Rect

LOOK_EVERY_NS = 200_000_000
"""Stream time between two looks at one track. Neighbouring frames show the same speckle; other planes say more."""
LEAST_LOOKS = 3
"""Looks before words are shown: one plane decides nothing."""
MEMORY_LOOKS = 10
"""The mean over a track forgets what is older than about so many looks."""
TOO_FEW, NOT_A_LESION, TOO_WEAK = "too few looks", "only lesions are described", "below the operating threshold"


@dataclass(slots=True)
class _Seen:
    """Mean of each number over the looks at a track, how many had it, and what they say."""

    means: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    due_ns: int = 0
    written: Mapping[str, Value] = field(default_factory=dict)

    def take(self, numbers: Mapping[str, float]) -> None:
        self.looks += 1
        for name, number in numbers.items():
            count = self.counts[name] = self.counts.get(name, 0) + 1
            mean = self.means.get(name, 0.0)
            self.means[name] = mean + (number - mean) / min(count, MEMORY_LOOKS)
        # A number that most looks did not have would be one plane's, not the track's.
        usual = {name: mean for name, mean in self.means.items() if 2 * self.counts[name] >= self.looks}
        self.written = describe(usual) if self.looks >= LEAST_LOOKS else unknown(TOO_FEW)


class Describe:
    """Give lesions their descriptors.

    On stills each finding is looked at once. In a sequence one track at most is looked at in a frame, the one that has
    waited longest, so that the cost is bounded; its words are those of the mean numbers over its looks.

    Parameters
    ----------
    stills : bool
        Whether the source is a set of independent stills.
    threshold : float
        Score from which a still's finding is looked at; weaker ones are never shown.
    """

    def __init__(self, *, stills: bool, threshold: float) -> None:
        self._stills = stills
        self._threshold = threshold
        self._tracks: dict[int, _Seen] = {}

    def apply(
        self, frame: Frame, findings: Sequence[Finding], region: Rect | None, withheld: str | None
    ) -> tuple[Finding, ...]:
        """The findings with their descriptors, or with the reason why there are none.

        Parameters
        ----------
        frame : Frame
        findings : sequence of Finding
            After tracking.
        region : Rect or None
            The image region; None is the whole frame.
        withheld : str or None
            Why nothing may be concluded from this picture; None where it may.
        """
        if withheld is not None:
            # What was seen before still holds when the picture is live again: tracks are kept.
            return tuple(replace(found, descriptors=unknown(f"not analysable: {withheld}")) for found in findings)
        if self._stills:
            return tuple(replace(found, descriptors=self._still(frame, found, region)) for found in findings)
        tracks = self._tracks
        self._tracks = {found.track: tracks.get(found.track, _Seen()) for found in findings if found.track is not None}
        self._look(frame, findings, region)
        return tuple(replace(found, descriptors=self._tracked(found)) for found in findings)

    def _still(self, frame: Frame, found: Finding, region: Rect | None) -> Mapping[str, Value]:
        if found.kind is not FindingKind.LESION:
            return unknown(NOT_A_LESION)
        if found.score < self._threshold:
            return unknown(TOO_WEAK)
        return describe(_numbers(frame, found, region))

    def _look(self, frame: Frame, findings: Sequence[Finding], region: Rect | None) -> None:
        """Look at the track that is due and has waited longest."""
        due = [
            (self._tracks[found.track].due_ns, found.track, found)
            for found in findings
            if found.track is not None
            and found.unseen == 0
            and found.kind is FindingKind.LESION
            and self._tracks[found.track].due_ns <= frame.pts_ns
        ]
        if due:
            _, number, found = min(due, key=lambda each: each[:2])
            seen = self._tracks[number]
            seen.take(_numbers(frame, found, region))
            seen.due_ns = frame.pts_ns + LOOK_EVERY_NS

    def _tracked(self, found: Finding) -> Mapping[str, Value]:
        if found.kind is not FindingKind.LESION:
            return unknown(NOT_A_LESION)
        seen = self._tracks.get(found.track) if found.track is not None else None
        return seen.written if seen is not None and seen.looks else unknown(TOO_FEW)


def _numbers(frame: Frame, found: Finding, region: Rect | None) -> Mapping[str, float]:
    if len(found.contour) < 3:
        return {}
    return look(frame, found.contour, region, float(skin_above(frame, found, region)))
