"""`Analyser`: one frame in, one `FrameResult` out: region, detector, tracker; several frames may be on their way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from edge_us.finding import AiState, Exam, Finding, FrameResult, SourceState
from edge_us.frame import Frame, Rect

if TYPE_CHECKING:
    from edge_us.analysable.judge import Judge
    from edge_us.region.finder import RegionFinder
    from edge_us.tracking.tracker import Tracker


INTERRUPTION_NS = 1_000_000_000
"""Stream time without a frame after which the probe may be anywhere: a track from before says nothing."""
INTERRUPTION_INTERVALS = 5
"""An interruption is also this many times the interval before it, so that a slow source is not one for ever."""


class RegionPolicy(str, Enum):
    """Where the image region comes from."""

    FULL = "full"
    GIVEN = "given"
    DECLARED_OR_FOUND = "auto"


class FrameDetector(Protocol):
    """What the analyser needs of a detector."""

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Time that each stage of the last frame took."""
        ...

    @property
    def lanes(self) -> int:
        """Number of frames that may be on their way."""
        ...

    def start(self, frame: Frame, region: Rect | None) -> Any:
        """Begin with one frame; returns what `finish` takes."""
        ...

    def finish(self, job: Any) -> tuple[Finding, ...]:
        """Untracked findings of the frame that was begun first, in px of the full frame."""
        ...


class Conclusion(Protocol):
    """What the analyser needs of a stage that adds to the tracked findings."""

    def apply(
        self, frame: Frame, findings: Sequence[Finding], region: Rect | None, withheld: str | None
    ) -> tuple[Finding, ...]:
        """The findings with what is concluded, or with the reason why nothing is.

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
        ...

    def learn(self) -> None:
        """Do what the last frame gave occasion for, but its result need not wait for; else the next `apply` does it."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A frame whose inference was begun.

    ``is_new_picture`` says that nothing which was learnt before holds for it: another size, another region, or a scale
    that is not what it was.
    """

    frame: Frame
    region: Rect | None
    job: Any
    is_new_picture: bool


class Analyser:
    """The way of one frame through region crop, network, decoding, tracking and the verdict on the picture itself.

    Results do not depend on how many frames are on their way: what `begin` finds out about a frame takes effect when
    that frame is finished.

    Parameters
    ----------
    detector : FrameDetector
    tracker : Tracker or None
        None for independent stills: every finding stands alone.
    policy : RegionPolicy
    given : Rect or None
        The region for `RegionPolicy.GIVEN`.
    judge : Judge or None
        Says which pictures are not analysable; None takes all of them.
    conclusions : mapping of str to Conclusion
        Stages that conclude something from the tracked findings, in their order, by the name that their time is
        reported under: malignancy, measurements, descriptors, nodes.
    exam : Exam
        What the detector looks for.
    model, classifier : str or None
        sha256 of the detector's network, and of the classifier's if there is one.
    """

    def __init__(
        self,
        detector: FrameDetector,
        tracker: Tracker | None,
        policy: RegionPolicy,
        given: Rect | None = None,
        judge: Judge | None = None,
        conclusions: Mapping[str, Conclusion] | None = None,
        exam: Exam = Exam.BREAST,
        model: str | None = None,
        classifier: str | None = None,
    ) -> None:
        self._detector = detector
        self._tracker = tracker
        self._policy = policy
        self._given = given
        self._judge = judge
        self._conclusions = dict(conclusions or {})
        self._exam, self._model, self._classifier = exam, model, classifier
        self._own_stages_ns: dict[str, int] = {}
        self._learnt_ns: dict[str, int] = {}
        self._finder: RegionFinder | None = None
        self._found: Rect | None = None
        self._size: tuple[int, int] | None = None
        self._mm_per_px: tuple[float, float] | None = None
        self._last_index: int | None = None
        self._last_pts_ns: int | None = None
        self._interval_ns = 0
        self.region_note = policy.value
        """How the region was come by, in words, for the report."""

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Time that each stage took for the last frame; what it learnt before it, after the frame before, included."""
        return {**self._detector.stages_ns, **self._own_stages_ns}

    @property
    def lanes(self) -> int:
        """Number of frames that may be begun and not finished."""
        return self._detector.lanes

    def analyse(self, frame: Frame) -> FrameResult:
        """Look at one frame; call it with rising ``index``. Runs for as long as inference takes."""
        return self.finish(self.begin(frame))

    def begin(self, frame: Frame) -> Begun:
        """Find the region and begin inference; call it with rising ``index``, and `finish` in the same order."""
        changed = frame.size != self._size
        if changed or self._tracker is None:
            # Another picture geometry: nothing that was learnt about the old one holds.
            self._size = frame.size
            self._finder, self._found = None, None
        before = self._found
        region = self.region_of(frame)
        # A scale that comes back finds tracks of the very picture that it holds for.
        rescaled = self._mm_per_px is not None and frame.geometry.mm_per_px != self._mm_per_px
        self._mm_per_px = frame.geometry.mm_per_px
        is_new = changed or rescaled or self._found != before
        return Begun(frame, region, self._detector.start(frame, region), is_new)

    def finish(self, begun: Begun) -> FrameResult:
        """Result of the frame that was begun first."""
        frame, region = begun.frame, begun.region
        if (self._interrupted(frame) or begun.is_new_picture) and self._tracker is not None:
            self._tracker.reset()
        findings = self._detector.finish(begun.job)
        detected_ns = time.monotonic_ns()
        cause = None if self._judge is None else self._judge.judge(frame, region, region_known=self._knows(region))
        if cause is not None and not cause.shows_tissue:
            findings = ()
            if self._tracker is not None:
                self._tracker.reset()
        if self._tracker is not None:
            elapsed = 1 if self._last_index is None else max(1, frame.index - self._last_index)
            findings = self._tracker.update(findings, elapsed)
        self._last_index = frame.index
        before_ns = time.monotonic_ns()
        self._own_stages_ns = {"judge and track": before_ns - detected_ns}
        withheld = None if cause is None else cause.value
        learnt_ns, self._learnt_ns = self._learnt_ns, {}
        for name, stage in self._conclusions.items():
            findings = stage.apply(frame, findings, region, withheld)
            after_ns = time.monotonic_ns()
            self._own_stages_ns[name] = after_ns - before_ns + learnt_ns.get(name, 0)
            before_ns = after_ns
        return FrameResult(
            frame_index=frame.index,
            captured_ns=frame.captured_ns,
            source_state=SourceState.RUNNING,
            ai_state=AiState.ON if cause is None else AiState.NOT_ANALYSABLE,
            findings=findings if cause is None or cause.keeps_outlines else (),
            reason="" if cause is None or self._judge is None else self._judge.describe(cause, frame),
            mm_per_px=frame.geometry.mm_per_px,
            exam=self._exam,
            model=self._model,
            classifier=self._classifier,
        )

    def learn(self) -> None:
        """Do what the conclusions put off until the last result is out; else the next `finish` does it."""
        for name, stage in self._conclusions.items():
            before_ns = time.monotonic_ns()
            stage.learn()
            self._learnt_ns[name] = time.monotonic_ns() - before_ns

    def _interrupted(self, frame: Frame) -> bool:
        """Whether frames were missing before this one for so long that nothing follows from the last."""
        if self._last_pts_ns is None:
            self._last_pts_ns = frame.pts_ns
            return False
        gap, usual = frame.pts_ns - self._last_pts_ns, self._interval_ns
        self._last_pts_ns, self._interval_ns = frame.pts_ns, gap
        return gap > max(INTERRUPTION_NS, INTERRUPTION_INTERVALS * usual)

    def region_of(self, frame: Frame) -> Rect | None:
        """The image region to look at; None is the whole picture."""
        if self._policy is RegionPolicy.FULL:
            return None
        if self._policy is RegionPolicy.GIVEN:
            assert self._given is not None
            clipped = self._given.clip(frame.width, frame.height)
            return clipped if min(clipped.width, clipped.height) >= 16 else None
        if frame.geometry.region is not None:
            self.region_note = "declared by the source"
            return frame.geometry.region
        return self._find_region(frame)

    def _knows(self, region: Rect | None) -> bool:
        """Whether the region is the image and nothing else; an unsure finder leaves panels in the picture."""
        return region is not None or self._policy is RegionPolicy.FULL or self._tracker is None

    def _find_region(self, frame: Frame) -> Rect | None:
        from edge_us.colour import to_gray
        from edge_us.region.finder import RegionFinder

        if self._finder is None:
            self._finder = RegionFinder()
        if not self._finder.finished:
            estimate = self._finder.update(to_gray(frame))
            self.region_note = f"auto: {estimate.reason}"
            self._found = estimate.rect if estimate.confident else None
        return self._found
