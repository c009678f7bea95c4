"""`Looks`: an opinion on each track that is formed over a few pictures of it, at a bounded cost a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from edge_us.finding import Finding, FindingKind

if TYPE_CHECKING:
    from edge_us.frame import Frame, Rect

LOOK_EVERY_NS = 200_000_000
"""Stream time between two looks at one track. Neighbouring frames show the same speckle; other planes say more."""
LEAST_LOOKS = 3
"""Looks before an opinion is shown: one plane decides nothing."""
MEMORY_LOOKS = 10
"""A mean over a track forgets what is older than about so many looks."""
TOO_FEW, TOO_WEAK = "too few looks", "below the operating threshold"

Seen = TypeVar("Seen")


class Opinion(Protocol[Seen]):
    """What is thought of one finding, and what it is thought from (`Seen`)."""

    field: str
    """The field of `Finding` that it fills."""
    kind: FindingKind
    others: str
    """Why findings of another kind get none."""
    measures: bool
    """Whether what it sees depends on how large a pixel is: then it begins anew where that changes."""

    def begin(self) -> Seen:
        """What is known before the first look."""
        ...

    def look(self, frame: Frame, found: Finding, region: Rect | None, seen: Seen) -> None:
        """Look once at a finding in the picture that shows it, and add that to ``seen``."""
        ...

    def value(self, seen: Seen) -> Any:
        """What is thought after the looks so far; one of them at least."""
        ...

    def unknown(self, reason: str) -> Any:
        """What is written where there is no opinion."""
        ...


@dataclass(slots=True)
class Mean:
    """The mean over the looks at a track."""

    value: float = 0.0
    count: int = 0

    def add(self, number: float) -> None:
        """Take one more look's number in."""
        self.count += 1
        self.value += (number - self.value) / min(self.count, MEMORY_LOOKS)


@dataclass(slots=True)
class Means:
    """The mean of each number over the looks at a track; not every look has every number."""

    numbers: dict[str, Mean] = field(default_factory=dict)
    looks: int = 0

    def add(self, numbers: Mapping[str, float]) -> None:
        """Take one more look in."""
        self.looks += 1
        for name, number in numbers.items():
            self.numbers.setdefault(name, Mean()).add(number)

    def usual(self) -> dict[str, float]:
        """The means; a number that most looks did not have would be one plane's, not the track's."""
        return {name: mean.value for name, mean in self.numbers.items() if 2 * mean.count >= self.looks}


@dataclass(slots=True)
class _Track(Generic[Seen]):
    seen: Seen
    value: Any
    looks: int = 0
    due_ns: int = 0
    unit: tuple[float, float] | None = None


class Looks(Generic[Seen]):
    """Give findings an opinion; a `Conclusion` of the analyser.

    On stills each finding is looked at once. In a sequence one track at most is looked at in a frame, the one that has
    waited longest, so that the cost is bounded; and only after the frame's result is out, so that nobody waits for it:
    what a look says counts from the next frame on.

    Parameters
    ----------
    opinion : Opinion
    stills : bool
        Whether the source is a set of independent stills.
    threshold : float
        Score from which a still's finding is looked at; weaker ones are never shown.
    """

    def __init__(self, opinion: Opinion[Seen], *, stills: bool, threshold: float) -> None:
        self._opinion = opinion
        self._stills = stills
        self._threshold = threshold
        self._tracks: dict[int, _Track[Seen]] = {}
        self._due: tuple[Frame, Finding, Rect | None, _Track[Seen]] | None = None
        self._too_few = opinion.unknown(TOO_FEW)
        self._other = opinion.unknown(opinion.others)

    def apply(
        self, frame: Frame, findings: Sequence[Finding], region: Rect | None, withheld: str | None
    ) -> tuple[Finding, ...]:
        """The findings with the opinion on each, or with the reason why there is none; see `Conclusion`."""
        self.learn()
        if withheld is not None:
            # What was seen before still holds when the picture is live again: tracks are kept.
            value = self._opinion.unknown(f"not analysable: {withheld}")
            return tuple(self._with(found, value) for found in findings)
        if self._stills:
            return tuple(self._with(found, self._still(frame, found, region)) for found in findings)
        known, own = self._tracks, [each for each in findings if each.kind is self._opinion.kind]
        self._tracks = {
            each.track: known.get(each.track) or _Track(self._opinion.begin(), self._too_few)
            for each in own
            if each.track is not None
        }
        self._choose(frame, own, region)
        return tuple(self._with(found, self._tracked(found)) for found in findings)

    def learn(self) -> None:
        """Take the look that the last frame gave occasion for."""
        if self._due is None:
            return
        frame, found, region, track = self._due
        self._due = None
        unit = frame.geometry.mm_per_px
        if track.looks and unit != track.unit and self._opinion.measures:
            track.seen, track.value, track.looks = self._opinion.begin(), self._too_few, 0
        track.unit = unit
        self._opinion.look(frame, found, region, track.seen)
        track.looks += 1
        if track.looks >= LEAST_LOOKS:
            track.value = self._opinion.value(track.seen)

    def _with(self, found: Finding, value: Any) -> Finding:
        return replace(found, **{self._opinion.field: value})

    def _still(self, frame: Frame, found: Finding, region: Rect | None) -> Any:
        if found.kind is not self._opinion.kind:
            return self._other
        if found.score < self._threshold:
            return self._opinion.unknown(TOO_WEAK)
        seen = self._opinion.begin()
        self._opinion.look(frame, found, region, seen)
        return self._opinion.value(seen)

    def _choose(self, frame: Frame, findings: Sequence[Finding], region: Rect | None) -> None:
        """The next look is at the track that is due and has waited longest."""
        due = [
            (self._tracks[each.track].due_ns, each.track, each)
            for each in findings
            if each.track is not None and each.unseen == 0 and self._tracks[each.track].due_ns <= frame.pts_ns
        ]
        if due:
            _, number, found = min(due, key=lambda each: each[:2])
            track = self._tracks[number]
            track.due_ns = frame.pts_ns + LOOK_EVERY_NS
            self._due = (frame, found, region, track)

    def _tracked(self, found: Finding) -> Any:
        if found.kind is not self._opinion.kind:
            return self._other
        track = self._tracks.get(found.track) if found.track is not None else None
        return self._too_few if track is None else track.value
