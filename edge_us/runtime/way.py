"""`Way`: what the frames of a run go through, whichever mode they go in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.finding import FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.runtime.composer import Captured, Composer

if TYPE_CHECKING:
    from edge_us.capture.source import Source
    from edge_us.config import RunConfig
    from edge_us.privacy.keep import Redactor
    from edge_us.replay.writer import BundleWriter
    from edge_us.runtime.analyser import Analyser
    from edge_us.runtime.controls import Controls
    from edge_us.runtime.exams import ExamSwitch
    from edge_us.runtime.ledger import Ledger
    from edge_us.runtime.networks import Networks
    from edge_us.runtime.status import Status
    from edge_us.scale.watch import ScaleWatch

DEFAULT_FPS = 30.0
"""Of a source that does not say its rate."""

Shown = Iterator[tuple[Frame, FrameResult]]
"""Frames as they are shown, each with its result."""


@dataclass
class Way:
    """Everything that was opened for one run; made by `Run`, walked by `every` or `live`.

    Attributes
    ----------
    analyser : Analyser
        The present one: another after a change of the exam or a restart.
    is_stopped : callable
        Whether somebody asked for the end.
    beat : callable
        Says that the run is not stuck.
    bundle : BundleWriter or None
    """

    config: RunConfig
    source: Source
    networks: Networks
    analyser: Analyser
    redactor: Redactor
    scale: ScaleWatch
    composer: Composer
    ledger: Ledger
    status: Status
    exams: ExamSwitch
    controls: Controls
    is_stopped: Callable[[], bool]
    beat: Callable[[], None]
    bundle: BundleWriter | None = None

    @property
    def fps(self) -> float:
        """Nominal rate of the source."""
        return self.source.info.fps or DEFAULT_FPS

    def capture(self, frame: Frame) -> Captured:
        """Take in one frame, with its scale; what may not leave the process goes no further than the local screen."""
        self.ledger.captured += 1
        frame = self.scale.measure(frame)  # here, where the strips that it looks at are still in the picture
        kept, withheld = self.redactor.redact(frame)
        return Captured(kept, frame, withheld)

    def count(self, stages_ns: Mapping[str, int]) -> None:
        """One more frame was inferred, in this time a stage."""
        self.ledger.inferred += 1
        for name, duration_ns in stages_ns.items():
            self.ledger.stage(name, duration_ns)

    def show(self, captured: Captured, shown: FrameResult) -> tuple[Frame, FrameResult]:
        """Hand a frame with what is shown on it to all sinks."""
        self.composer.show(captured, shown)
        self.status.shows(shown)
        self.controls.shows(shown)
        return captured.frame, shown

    def show_again(self, last: Captured, state: SourceState) -> None:
        """Show the last frame once more, with its age and without findings."""
        self.status.shows(self.composer.show_again(last, state))

    @property
    def exam_changes(self) -> bool:
        """Whether another exam is wanted than the networks are for."""
        return self.exams.wanted is not self.networks.exam

    def change_exam(self) -> Analyser:
        """Go on with the exam that is wanted, if it can be had."""
        changed = self.exams.apply(self.networks, self.source.info.kind)
        if changed is not None:
            self.analyser = changed
            self.tell_networks()
        return self.analyser

    def tell_networks(self) -> None:
        """Say which network looks, and on what."""
        info, name = self.networks.engine.info, self.networks.engine.model.name
        self.status.runs_on(name, info.name, info.precision)
        self.composer.runs_on(name)
