"""`Run`: the whole way from a source to its sinks, in the order in which the frames take it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from edge_us.capture.source import SourceKind
from edge_us.capture.state import OVER
from edge_us.capture.uri import without_credentials
from edge_us.config import Mode, RunConfig
from edge_us.errors import EdgeUsError, InputError, PipelineError, UsageError
from edge_us.finding import FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.replay.bundle import Happening
from edge_us.runtime.analyser import Analyser, Begun
from edge_us.runtime.composer import Captured, Composer
from edge_us.runtime.exams import ExamSwitch
from edge_us.runtime.ledger import Ledger
from edge_us.runtime.machine import cpu_ns
from edge_us.runtime.metrics import serving
from edge_us.runtime.networks import Networks
from edge_us.runtime.outputs import Outputs
from edge_us.runtime.present import present
from edge_us.runtime.report import build_report, write_report
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.status import Status
from edge_us.runtime.worker import InferenceWorker
from edge_us.scale.watch import ScaleWatch

if TYPE_CHECKING:
    from edge_us.capture.source import Source
    from edge_us.privacy.keep import Redactor
    from edge_us.replay.writer import BundleWriter
    from edge_us.runtime.engine import Engine

T = TypeVar("T")
READ_TIMEOUT_S = 0.05
DEFAULT_FPS = 30.0


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
        self.exams = ExamSwitch(config)
        self._ledger = ledger or Ledger()
        self.status = Status(without_credentials(config.source), self._ledger)
        self._beat = beat
        self._bundle: BundleWriter | None = None
        self._outputs: Outputs
        self._composer: Composer
        self._analyser: Analyser
        self._scale: ScaleWatch

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
            redactor = build_redactor(config, source.info, preset)
            self._scale = ScaleWatch(preset, stills=source.info.kind is SourceKind.STILLS, tell=self.status.scale_is)
            mode = _mode(config.mode, source.info.kind)
            if config.bundle is not None:
                from edge_us.replay.make import open_bundle

                whole = redactor.keeps_all
                self._bundle = open_bundle(config, source.info, networks.engine, mode, whole=whole, preset=preset)
            self._outputs = build_outputs(config, source.info.fps or DEFAULT_FPS, mode, self._bundle)
            self._composer = Composer(self._outputs, self._ledger, networks.engine.model.name)
            before_ns = cpu_ns()
            self.status.source_is(source.state)
            walk = self._live if mode is Mode.LIVE else self._every
            try:
                yield from walk(source, networks, redactor)
            finally:
                self._outputs.close()
                self._finish(source, mode, networks, before_ns)

    def stop(self) -> None:
        """End after the frame in hand, with every file whole; may be called from a signal handler."""
        self.stopped = True

    def _change_exam(self, networks: Networks, kind: SourceKind) -> Analyser:
        """Go on with the exam that is wanted, if it can be had."""
        self._analyser = self.exams.apply(networks, kind) or self._analyser
        info, name = networks.engine.info, networks.engine.model.name
        self.status.runs_on(name, info.name, info.precision)
        self._composer.runs_on(name)
        return self._analyser

    def _done(self) -> bool:
        return self.stopped or self._ledger.shown == self.config.max_frames

    def _every(self, source: Source, networks: Networks, redactor: Redactor) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame waits for its own inference: captured = inferred = shown.

        With several lanes the next frames are inferred while this one is drawn and recorded; the order is kept.
        """
        analyser = self._analyser = networks.analyser(source.info.kind)
        begun: deque[tuple[Captured, Begun]] = deque()
        try:
            for frame in source:
                if self.exams.wanted is not networks.exam:
                    while begun:
                        yield self._finish_and_show(*begun.popleft(), analyser)
                    analyser = self._change_exam(networks, source.info.kind)
                captured = self._capture(frame, redactor)
                begun.append((captured, _inferring(frame.index, partial(analyser.begin, captured.frame))))
                if len(begun) == analyser.lanes:
                    yield self._finish_and_show(*begun.popleft(), analyser)
                if self.stopped or self._ledger.captured == self.config.max_frames:
                    break
            while begun:
                yield self._finish_and_show(*begun.popleft(), analyser)
        finally:
            self._ledger.drop("run broken off", self._ledger.captured - self._ledger.shown)

    def _finish_and_show(self, captured: Captured, begun: Begun, analyser: Analyser) -> tuple[Frame, FrameResult]:
        frame = captured.frame
        result = _inferring(frame.index, partial(analyser.finish, begun))
        self._count(result, analyser.stages_ns)
        now_ns = time.monotonic_ns()
        shown = present(frame, result, SourceState.RUNNING, now_ns, float("inf"), captured.withheld)
        self._composer.show(captured, shown)
        self.status.shows(shown)
        self._beat()
        return frame, shown

    def _live(self, source: Source, networks: Networks, redactor: Redactor) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame is shown on time, whatever the network does."""
        config, kind = self.config, source.info.kind
        wait_ms = config.max_wait_ms
        if wait_ms is None:
            wait_ms = 1e3 / (source.info.fps or DEFAULT_FPS)

        def restart(cause: str, hanging: bool, attempt: int) -> Analyser:
            networks.renew(cause, hanging=hanging, attempt=attempt)
            info = networks.engine.info
            self.status.runs_on(networks.engine.model.name, info.name, info.precision)
            if self._bundle is not None:
                self._bundle.note(Happening.RESTARTED)
            self._analyser = networks.analyser(kind)
            return self._analyser

        def count(result: FrameResult, stages_ns: Mapping[str, int]) -> None:
            self._count(result, stages_ns)
            if self._bundle is not None:
                self._bundle.note(Happening.INFERRED, frame=result.frame_index)

        self._analyser = networks.analyser(kind)
        worker = InferenceWorker(self._analyser, count, restart, RestartBudget())
        self._ledger.restarts = worker.restarts
        last: Captured | None = None
        state = SourceState.RUNNING
        try:
            while source.state not in OVER:
                frame = source.read(READ_TIMEOUT_S)
                self._beat()
                self._ledger.lost = source.dropped
                if source.state is not state and self._bundle is not None:
                    self._bundle.note(Happening.SOURCE, state=source.state)
                state = source.state
                self.status.source_is(state)
                if frame is None:
                    if self.stopped:
                        return
                    if last is not None and source.state is not SourceState.RUNNING:
                        self.status.shows(self._composer.show_again(last, source.state))
                    continue
                last = captured = self._capture(frame, redactor)
                frame = captured.frame
                if self.exams.wanted is not networks.exam:
                    worker.replace(partial(self._change_exam, networks, kind))
                worker.offer(frame)
                newest, failure = worker.newest(frame.index, frame.captured_ns + int(wait_ms * 1e6))
                failure = captured.withheld or failure
                shown = present(frame, newest, source.state, time.monotonic_ns(), config.max_age_ms, failure)
                self._composer.show(captured, shown)
                self.status.shows(shown)
                yield frame, shown
                if self._done():
                    return
        finally:
            worker.close()

    def _capture(self, frame: Frame, redactor: Redactor) -> Captured:
        """Take in one frame, with its scale; what may not leave the process goes no further than the local screen."""
        self._ledger.captured += 1
        frame = self._scale.measure(frame)  # here, where the strips that it looks at are still in the picture
        kept, withheld = redactor.redact(frame)
        return Captured(kept, frame, withheld)

    def _count(self, _result: FrameResult, stages_ns: Mapping[str, int]) -> None:
        self._ledger.inferred += 1
        for name, duration_ns in stages_ns.items():
            self._ledger.stage(name, duration_ns)

    def _finish(self, source: Source, mode: Mode, networks: Networks, before_ns: int) -> None:
        outputs, engine = self._outputs, networks.engine
        self.failures = outputs.failures
        self.status.source_is(source.state)
        self._ledger.lost = source.dropped
        self._ledger.settle()
        warnings = [*source.warnings, *networks.warnings, *(error.message for error in outputs.failures)]
        warnings += [f"{name}: {count} shown frames not written" for name, count in outputs.dropped.items()]
        self.report = build_report(
            source=source.info.uri,
            mode=mode.value,
            model=engine.model,
            classifier=engine.classifier,
            plugins=engine.plugins,
            described=self.config.measure,
            exam=networks.exam,
            backend=engine.info,
            region=self._analyser.region_note,
            scale=self._scale,
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


def _inferring(index: int, step: Callable[[], T]) -> T:
    """Do one step of inference; what is not one of our own errors becomes one."""
    try:
        return step()
    except EdgeUsError:
        raise
    except Exception as error:
        raise PipelineError(
            f"inference failed on frame {index}: {type(error).__name__}: {error}",
            "Try another --backend; everything shown until here is on disk.",
        ) from error
