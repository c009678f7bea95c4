"""`Run`: the whole way from a source to its sinks, in the order in which the frames take it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from edge_us.capture.source import SourceKind
from edge_us.config import Mode, RunConfig
from edge_us.errors import EdgeUsError, InputError, PipelineError
from edge_us.finding import FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.overlay.picture import Hud
from edge_us.runtime.analyser import Analyser, Begun
from edge_us.runtime.ledger import Ledger, RecentFps
from edge_us.runtime.machine import cpu_ns
from edge_us.runtime.outputs import Outputs
from edge_us.runtime.present import present, present_again
from edge_us.runtime.report import build_report, write_report
from edge_us.runtime.worker import InferenceWorker

if TYPE_CHECKING:
    from edge_us.capture.source import Source
    from edge_us.overlay.overlay import Overlay
    from edge_us.runtime.engine import Engine

T = TypeVar("T")
READ_TIMEOUT_S = 0.25
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

    Attributes
    ----------
    report : dict or None
        The report (schema ``edge-us/report/1``), once the run is over.
    failures : list of EdgeUsError
        Sinks that stopped on the way.
    stopped : bool
        Whether `stop` was called.
    """

    def __init__(
        self, config: RunConfig, engine: Engine | None = None, number: int = 0, ledger: Ledger | None = None
    ) -> None:
        self.config = config
        self._engine = engine
        self._number = number
        self.report: dict[str, Any] | None = None
        self.failures: list[EdgeUsError] = []
        self.stopped = False
        self._ledger = ledger or Ledger()
        self._recent = RecentFps()
        self._fps: float | None = None

    def __iter__(self) -> Iterator[tuple[Frame, FrameResult]]:
        from edge_us.capture.open import open_source
        from edge_us.runtime.build import build_analyser, build_outputs, check_outputs

        config = self.config
        check_outputs(config)
        with ExitStack() as stack:
            engine = self._engine
            if engine is None:
                engine = stack.enter_context(closing(open_engine_for(config)))
            with open_source(
                config.source,
                connect_timeout_s=config.connect_timeout_s,
                realtime=True if config.mode is Mode.LIVE else None,
                fps=config.play_fps,
                loop=config.loop,
            ) as source:
                mode = config.mode or _default_mode(source.info.kind)
                share = engine.share(self._number)
                analyser = build_analyser(config, share, source.info.kind, share.model.threshold)
                outputs, overlay = build_outputs(config, source.info.fps or DEFAULT_FPS, mode)
                before_ns = cpu_ns()
                walk = self._live if mode is Mode.LIVE else self._every
                try:
                    yield from walk(source, analyser, outputs, overlay, share.model.name)
                finally:
                    outputs.close()
                    self._finish(source, mode, engine, analyser, outputs, before_ns)

    def stop(self) -> None:
        """End after the frame in hand, with every file whole; may be called from a signal handler."""
        self.stopped = True

    def _done(self) -> bool:
        return self.stopped or self._ledger.shown == self.config.max_frames

    def _every(
        self, source: Source, analyser: Analyser, outputs: Outputs, overlay: Overlay, model: str
    ) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame waits for its own inference: captured = inferred = shown.

        With several lanes the next frames are inferred while this one is drawn and recorded; the order is kept.
        """
        begun: deque[Begun] = deque()
        try:
            for frame in source:
                self._ledger.captured += 1
                begun.append(_inferring(frame.index, partial(analyser.begin, frame)))
                if len(begun) == analyser.lanes:
                    yield self._finish_and_show(begun.popleft(), analyser, outputs, overlay, model)
                if self.stopped or self._ledger.captured == self.config.max_frames:
                    break
            while begun:
                yield self._finish_and_show(begun.popleft(), analyser, outputs, overlay, model)
        finally:
            self._ledger.drop("run broken off", self._ledger.captured - self._ledger.shown)

    def _finish_and_show(
        self, begun: Begun, analyser: Analyser, outputs: Outputs, overlay: Overlay, model: str
    ) -> tuple[Frame, FrameResult]:
        frame = begun.frame
        result = _inferring(frame.index, partial(analyser.finish, begun))
        self._count(result, analyser.stages_ns)
        shown = present(frame, result, SourceState.RUNNING, time.monotonic_ns(), float("inf"), "")
        self._show(frame, shown, outputs, overlay, model)
        return frame, shown

    def _live(
        self, source: Source, analyser: Analyser, outputs: Outputs, overlay: Overlay, model: str
    ) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame is shown on time, whatever the network does."""
        config = self.config
        wait_ms = config.max_wait_ms
        if wait_ms is None:
            wait_ms = 1e3 / (source.info.fps or DEFAULT_FPS)
        worker = InferenceWorker(analyser, self._count)
        last: Frame | None = None
        try:
            while source.state not in (SourceState.ENDED, SourceState.FAILED):
                frame = source.read(READ_TIMEOUT_S)
                if frame is None:
                    if self.stopped:
                        return
                    if last is not None and source.state is not SourceState.RUNNING:
                        self._show_again(last, source.state, outputs, overlay, model)
                    continue
                last = frame
                self._ledger.captured += 1
                worker.offer(frame)
                newest, failure = worker.newest(frame.index, frame.captured_ns + int(wait_ms * 1e6))
                shown = present(frame, newest, source.state, time.monotonic_ns(), config.max_age_ms, failure)
                self._show(frame, shown, outputs, overlay, model)
                yield frame, shown
                if self._done():
                    return
        finally:
            worker.close()

    def _count(self, _result: FrameResult, stages_ns: Mapping[str, int]) -> None:
        self._ledger.inferred += 1
        for name, duration_ns in stages_ns.items():
            self._ledger.stage(name, duration_ns)

    def _show_again(self, last: Frame, state: SourceState, outputs: Outputs, overlay: Overlay, model: str) -> None:
        """While no frame comes, say so in the picture: a screen that just stands looks like a quiet scan."""
        if not outputs.need_picture:
            return
        frame, result = present_again(last, state, time.monotonic_ns())
        outputs.write_picture(frame, result, overlay.draw(frame, result, self._hud(model)))

    def _show(self, frame: Frame, result: FrameResult, outputs: Outputs, overlay: Overlay, model: str) -> None:
        ledger = self._ledger
        picture = None
        started_ns = time.monotonic_ns()
        if outputs.need_picture:
            picture = overlay.draw(frame, result, self._hud(model))
            drawn_ns = time.monotonic_ns()
            ledger.stage("overlay", drawn_ns - started_ns)
            started_ns = drawn_ns
        outputs.write(frame, result, picture)
        done_ns = time.monotonic_ns()
        ledger.stage("sinks", done_ns - started_ns)
        ledger.show(frame.captured_ns, done_ns, own_result=result.frame_index == frame.index)
        self._fps = self._recent.tick(done_ns)

    def _hud(self, model: str) -> Hud:
        return Hud(self._fps, sum(self._ledger.dropped.values()), self._ledger.skipped, model)

    def _finish(
        self,
        source: Source,
        mode: Mode,
        engine: Engine,
        analyser: Analyser,
        outputs: Outputs,
        before_ns: int,
    ) -> None:
        self.failures = outputs.failures
        for cause, count in source.dropped.items():
            self._ledger.drop(cause, count)
            self._ledger.captured += count
        warnings = [*source.warnings, *(error.message for error in outputs.failures)]
        warnings += [f"{name}: {count} shown frames not written" for name, count in outputs.dropped.items()]
        self.report = build_report(
            source=source.info.uri,
            mode=mode.value,
            model=engine.model,
            classifier=engine.classifier,
            described=self.config.measure,
            backend=engine.info,
            region=analyser.region_note,
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


def open_engine_for(config: RunConfig, sources: int = 1, waits: bool | None = None) -> Engine:
    """The networks that a configuration asks for.

    ``sources`` runs share them; ``waits`` (see `engine.divide`) by default follows from the configuration's source and
    mode.
    """
    from edge_us.calibrate.score_calibration import calibrated
    from edge_us.capture.open import kind_of
    from edge_us.classify.choose import choose_classifier
    from edge_us.inference.model import load_model
    from edge_us.runtime.engine import open_engine

    model = calibrated(load_model(config.model), config.calibration)
    if config.min_score is not None:
        model = replace(model, threshold=config.min_score)
    if waits is None:
        waits = config.mode is Mode.LIVE or kind_of(config.source) is SourceKind.LIVE
    return open_engine(
        model,
        choose_classifier(config.classifier, model, config.calibration),
        backend=config.backend,
        precision=config.precision,
        threads=config.threads,
        waits=waits,
        sources=sources,
    )


def _default_mode(kind: SourceKind) -> Mode:
    return Mode.LIVE if kind is SourceKind.LIVE else Mode.EVERY


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


def run(source: str, **options: Any) -> Run:
    """Run the whole pipeline over ``source``; iterate the result to get ``(frame, result)`` pairs.

    Parameters
    ----------
    source : str
        File, folder or URI, as on the command line.
    **options
        Any field of `RunConfig`, such as ``record="out.mp4"`` or ``mode="live"``.

    Raises
    ------
    UsageError
        An option is unknown or has a value that is not allowed.
    """
    from edge_us.config import load_config

    config = load_config({"source": source, **options})
    return Run(config)
