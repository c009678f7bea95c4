"""`Run`: everything that one source needs, opened in order, and told of when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from edge_us.calibrate.score_calibration import precision_note
from edge_us.capture.source import SourceKind
from edge_us.capture.uri import without_credentials
from edge_us.config import Mode, RunConfig
from edge_us.errors import EdgeUsError, InputError, UsageError
from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.runtime.composer import Composer
from edge_us.runtime.controls import Controls
from edge_us.runtime.every import every
from edge_us.runtime.exams import ExamSwitch
from edge_us.runtime.ledger import Ledger
from edge_us.runtime.live import live
from edge_us.runtime.machine import cpu_ns
from edge_us.runtime.metrics import serving
from edge_us.runtime.networks import Networks
from edge_us.runtime.outputs import Outputs
from edge_us.runtime.report import build_report, write_report
from edge_us.runtime.status import Status
from edge_us.runtime.way import DEFAULT_FPS, Way
from edge_us.scale.watch import ScaleWatch

if TYPE_CHECKING:
    from edge_us.runtime.engine import Engine

STILLS_HAVE_NO_SCALE = "the preset's scale is not used: on independent stills nothing shows for sure that it holds"


class Run:
    """One run over one source. Iterate it once; each step is a frame that was shown, with its result.

    Parameters
    ----------
    config : RunConfig
    engine : Engine, optional
        Shared with other runs and closed by whoever opened it; by default the run opens its own.
    number : int
        Which of the engine's shares is this run's.
    ledger : Ledger, optional
        Where the run counts; a benchmark listens here.
    beat : callable, optional
        Called at least four times a second while the run is not stuck.

    Attributes
    ----------
    report : dict or None
        The report (schema ``edge-us/report/1``), once the run is over.
    failures : list of EdgeUsError
        Sinks that stopped on the way.
    stopped : bool
        Whether `stop` was called.
    status : Status
        Where the run stands; may be read from any thread.
    exams : ExamSwitch
        What is examined; ``exams.change(Exam.AXILLA)`` changes it.
    controls : Controls
        What somebody at the screen may change; ``controls.selected = 3`` shows the details of track 3.
    """

    def __init__(
        self,
        config: RunConfig,
        engine: Engine | None = None,
        number: int = 0,
        ledger: Ledger | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self._engine = engine
        self._number = number
        self.report: dict[str, Any] | None = None
        self.failures: list[EdgeUsError] = []
        self.stopped = False
        self._ledger = ledger or Ledger()
        self.status = Status(without_credentials(config.source), self._ledger)
        self._notes: list[str] = []
        self.exams = ExamSwitch(config, self.status.warns)
        self.controls = Controls(self.exams, self.status)
        self._beat = beat

    def __iter__(self) -> Iterator[tuple[Frame, FrameResult]]:
        from edge_us.capture.open import open_source
        from edge_us.runtime.build import build_outputs, build_redactor, check_outputs, read_preset_of
        from edge_us.runtime.probing import probing

        config = self.config
        check_outputs(config)
        preset = read_preset_of(config)
        with ExitStack() as stack:
            if self._engine is None:
                stack.enter_context(serving(config, [self.status]))
            # The child opens the file while this process compiles the networks.
            probe = stack.enter_context(probing(config))
            networks = stack.enter_context(closing(Networks(config, self._engine, self._number, preset)))
            probe.result()
            info = networks.engine.info
            self.status.runs_on(networks.engine.model.name, info.name, info.precision)
            if (note := precision_note(config.calibration, info.precision)) is not None:
                self._notes.append(note)
                self.status.warns(note, about="calibration")
            for text in networks.warnings:
                self.status.warns(text, about="networks")
            source = stack.enter_context(
                open_source(
                    config.source,
                    connect_timeout_s=config.connect_timeout_s,
                    realtime=True if config.mode is Mode.LIVE else None,
                    fps=config.play_fps,
                    loop=config.loop,
                )
            )
            for text in source.warnings:
                self.status.warns(text)
            watched = preset
            if preset is not None and preset.mm_per_px is not None and source.info.kind is SourceKind.STILLS:
                watched = None
                self._notes.append(STILLS_HAVE_NO_SCALE)
                self.status.warns(STILLS_HAVE_NO_SCALE)
            redactor = build_redactor(config, source.info, preset)
            mode = _mode(config.mode, source.info.kind)
            bundle = None
            if config.bundle is not None:
                from edge_us.replay.make import open_bundle

                whole = redactor.keeps_all
                bundle = open_bundle(config, source.info, networks.engine, mode, whole=whole, preset=preset)
            outputs = build_outputs(config, source.info.fps or DEFAULT_FPS, mode, bundle, self.controls.press)
            before_ns = cpu_ns()
            self.status.source_is(source.state)
            way = Way(
                config, source, networks, networks.analyser(source.info.kind), redactor,
                ScaleWatch(watched, tell=self.status.scale_is),
                Composer(outputs, self._ledger, networks.engine.model.name, lambda: self.controls.selected),
                self._ledger, self.status, self.exams, self.controls, lambda: self.stopped, self._beat, bundle,
            )  # fmt: skip
            try:
                yield from live(way) if mode is Mode.LIVE else every(way)
            finally:
                outputs.close()
                self._finish(way, outputs, mode, before_ns)

    def stop(self) -> None:
        """End after the frame in hand, with every file whole; may be called from a signal handler."""
        self.stopped = True

    def _finish(self, way: Way, outputs: Outputs, mode: Mode, before_ns: int) -> None:
        source, networks, engine = way.source, way.networks, way.networks.engine
        self.failures = outputs.failures
        self.status.source_is(source.state)
        self._ledger.lost = source.dropped
        self._ledger.settle()
        warnings = [*self._notes, *source.warnings, *networks.warnings, *(error.message for error in outputs.failures)]
        warnings += [f"{name}: {count} shown frames not written" for name, count in outputs.dropped.items()]
        self.report = build_report(
            source=source.info.uri,
            mode=mode.value,
            model=engine.model,
            classifier=engine.classifier,
            plugins=engine.plugins,
            described=self.config.measure,
            exam=networks.exam,
            backends=engine.infos,
            region=way.analyser.region_note,
            scale=way.scale,
            ledger=self._ledger,
            # Of a process that other runs share nobody can say what this one used.
            cpu_ns=cpu_ns() - before_ns if self._engine is None else None,
            warnings=warnings,
        )
        if self.config.report is not None:
            write_report(self.report, self.config.report)
        if not self._ledger.captured:
            raise InputError(
                f"{source.info.uri} delivered no frame",
                "Check that it is a video or an image folder and that it is not empty.",
            )


def _mode(asked: Mode | None, kind: SourceKind) -> Mode:
    if kind is not SourceKind.LIVE:
        return asked or Mode.EVERY
    if asked is Mode.EVERY:
        # Nothing but live mode looks at the clock while no frame comes, and so sees that the signal is lost.
        raise UsageError("a live source does not wait for its inference", "Leave out --mode every.")
    return Mode.LIVE
