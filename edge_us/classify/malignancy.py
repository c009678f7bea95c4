"""`Malignancy`: which findings get a probability, how often they are looked at, and why the others get none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_us.colour import to_gray
from edge_us.finding import Finding, FindingKind, Unknown

if TYPE_CHECKING:
    from edge_us.classify.classifier import Classifier
    from edge_us.frame import Frame, Rect

LOOK_EVERY_NS = 200_000_000
"""Stream time between two looks at one track. Neighbouring frames say the same thing; other planes say more."""
LEAST_LOOKS = 3
"""Looks before a probability is shown: one plane decides nothing."""
MEMORY_LOOKS = 10
"""The mean over a track forgets what is older than about so many looks."""
TOO_FEW = Unknown("too few looks")
NOT_A_LESION = Unknown("only lesions are classified")
TOO_WEAK = Unknown("below the operating threshold")


@dataclass(slots=True)
class _Seen:
    """What is known of a track: mean logit over its looks."""

    mean: float = 0.0
    looks: int = 0
    due_ns: int = 0


class Malignancy:
    """Give findings their probability of malignancy.

    On stills each finding is looked at once. In a sequence one track at most is looked at in a frame, the one that has
    waited longest, so that the cost is bounded; its probability is that of the mean logit over its looks.

    Parameters
    ----------
    classifier : Classifier
    stills : bool
        Whether the source is a set of independent stills.
    threshold : float
        Score from which a still's finding is looked at; weaker ones are never shown.
    """

    def __init__(self, classifier: Classifier, *, stills: bool, threshold: float) -> None:
        self._classifier = classifier
        self._stills = stills
        self._threshold = threshold
        self._tracks: dict[int, _Seen] = {}

    def apply(
        self, frame: Frame, findings: Sequence[Finding], region: Rect | None, withheld: str | None
    ) -> tuple[Finding, ...]:
        """The findings with their probability, or with the reason why there is none.

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
            return tuple(replace(found, malignancy=Unknown(f"not analysable: {withheld}")) for found in findings)
        if self._stills:
            return tuple(self._still(frame, found, region) for found in findings)
        self._tracks = {
            found.track: self._tracks.get(found.track, _Seen()) for found in findings if found.track is not None
        }
        self._look(frame, findings, region)
        return tuple(self._tracked(found) for found in findings)

    def _still(self, frame: Frame, found: Finding, bounds: Rect | None) -> Finding:
        if found.kind is not FindingKind.LESION:
            return replace(found, malignancy=NOT_A_LESION)
        if found.score < self._threshold:
            return replace(found, malignancy=TOO_WEAK)
        logit = self._classifier.logit(to_gray(frame, None), found.box, bounds)
        return replace(found, malignancy=self._classifier.probability(logit))

    def _look(self, frame: Frame, findings: Sequence[Finding], bounds: Rect | None) -> None:
        """Look at the track that is due and has waited longest."""
        waiting = [
            (self._tracks[found.track].due_ns, found.track, found)
            for found in findings
            if found.track is not None and found.unseen == 0 and found.kind is FindingKind.LESION
        ]
        due = [each for each in waiting if each[0] <= frame.pts_ns]
        if not due:
            return
        _, number, found = min(due, key=lambda each: each[:2])
        seen = self._tracks[number]
        logit = self._classifier.logit(to_gray(frame, None), found.box, bounds)
        seen.looks += 1
        seen.mean += (logit - seen.mean) / min(seen.looks, MEMORY_LOOKS)
        seen.due_ns = frame.pts_ns + LOOK_EVERY_NS

    def _tracked(self, found: Finding) -> Finding:
        if found.kind is not FindingKind.LESION:
            return replace(found, malignancy=NOT_A_LESION)
        seen = self._tracks.get(found.track) if found.track is not None else None
        if seen is None or seen.looks < LEAST_LOOKS:
            return replace(found, malignancy=TOO_FEW)
        return replace(found, malignancy=self._classifier.probability(seen.mean))
