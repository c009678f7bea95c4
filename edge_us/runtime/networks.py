"""`Networks`: the engine that a run looks through, and another one when it fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_us.capture.source import SourceKind
from edge_us.config import Fallback, Mode, RunConfig
from edge_us.errors import EdgeUsError, GpuLostError, PipelineError
from edge_us.finding import Exam
from edge_us.inference.backend import ON_GPU, BackendName, Precision
from edge_us.runtime.build import build_analyser
from edge_us.runtime.wanted import wanted_networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_us.calibrate.preset import Preset
    from edge_us.runtime.analyser import Analyser
    from edge_us.runtime.engine import Engine
    from edge_us.runtime.failure import Failure

OTHER_CPU = {"openvino": BackendName.ONNXRUNTIME}
"""Where a backend goes that cannot be had again; all others go to OpenVINO."""
PATIENCE = 3
"""Which restart within the budget goes to the fallback."""


class Networks:
    """The engine of one run.

    Engines are opened in the thread that asks. A thread that hangs over it may be given up and another one sent:
    whatever the first one still opens is closed again.

    Parameters
    ----------
    config : RunConfig
    shared : Engine or None
        Of several runs, and closed by whoever opened it; None opens one of the run's own.
    number : int
        Which share of a shared engine is this run's.
    preset : Preset or None
        That of the configuration, read once: a file that is changed under a run does not change the run.

    Raises
    ------
    EdgeUsError
        The networks cannot be opened.
    """

    def __init__(self, config: RunConfig, shared: Engine | None, number: int, preset: Preset | None = None) -> None:
        # Engines are built before a run, and never in the midst of one.
        self._config = config.model_copy(update={"build": False})
        self._preset = preset
        self._number = number
        self._lock = threading.Lock()
        self._turn = 0
        self._own: Engine | None = None if shared is not None else open_engine_for(config)
        self._engine = shared or self._own
        # ``auto`` is settled once: a GPU that goes missing is a failure, and no reason to take the CPU without a word.
        self._settled = _on_gpu(self.engine)
        self.warnings: list[str] = []
        self._warn_of_unused_gpu(self.engine)

    @property
    def engine(self) -> Engine:
        """The one that is in use."""
        assert self._engine is not None
        return self._engine

    def analyser(self, kind: SourceKind) -> Analyser:
        """A new analyser on the present engine, that has seen nothing yet."""
        share = self.engine.share(self._number)
        return build_analyser(self._config, share, kind, share.model.threshold, preset=self._preset)

    @property
    def exam(self) -> Exam:
        """What the present engine looks for."""
        return self._config.exam

    def change_exam(self, exam: Exam, kind: SourceKind) -> Analyser:
        """Open the engine of another exam, and only then leave the present one; the analyser has seen nothing yet.

        Raises
        ------
        EdgeUsError
            No engine can be opened: everything stays as it was.
        """
        config, turn = self._config.model_copy(update={"exam": exam}), self._begin_turn()
        after, before = open_engine_for(config, settled=self._settled), self._own
        self._adopt(turn, config, after, self._settled)
        if before is not None:
            before.close()
        return self.analyser(kind)

    def renew(self, failure: Failure, attempt: int) -> None:
        """Open another engine instead of the one that failed.

        Where a fallback is allowed, another CPU backend takes over from one that cannot be had again or fails a third
        time, and at once from a GPU that hangs or is lost for this process; `warnings` say so.

        Parameters
        ----------
        failure : Failure
            Of the present one. Where a thread hangs in it, it is left alone: closing it would hang as well.
        attempt : int
            Restarts lately, this one included.

        Raises
        ------
        EdgeUsError
            No engine can be opened.
        """
        failed, config, turn = self.engine, self._config, self._begin_turn()
        may_fall_back, cause = config.fallback is Fallback.CPU, failure.message
        self._leave(failure.hangs)
        if failure.lasts and not may_fall_back:
            raise GpuLostError(failure.message, failure.hint)
        in_vain = attempt >= PATIENCE or (failed.is_on_gpu and (failure.hangs or failure.lasts))
        if not (may_fall_back and in_vain):
            try:
                engine = open_engine_for(config, settled=self._settled)
            except EdgeUsError as error:
                if not may_fall_back:
                    raise
                cause = error.message
            else:
                self._adopt(turn, config, engine, self._settled)
                return
        # Int8 is another file of the model, and every CPU backend computes it; other precisions are a backend's own.
        precision = Precision.INT8 if config.precision is Precision.INT8 else Precision.AUTO
        other = BackendName.OPENVINO if failed.is_on_gpu else OTHER_CPU.get(failed.info.name, BackendName.OPENVINO)
        config = config.model_copy(update={"backend": other, "precision": precision})
        engine = open_engine_for(config)
        self._adopt(turn, config, engine, {})
        took_over = f"{engine.info.name} {engine.info.precision} took over"
        self.warnings.append(f"{failed.info.name} failed ({cause}): {took_over}")

    def close(self, *, hanging: bool = False) -> None:
        """Release the run's own engine, or leave it alone where a thread hangs in it; may be called more than once."""
        self._begin_turn()
        self._leave(hanging)

    def _begin_turn(self) -> int:
        """From now on, whatever is being opened comes too late."""
        with self._lock:
            self._turn += 1
            return self._turn

    def _leave(self, hanging: bool) -> None:
        own, self._own = self._own, None
        if hanging:
            self.engine.abandon()
        elif own is not None:
            own.close()

    def _adopt(self, turn: int, config: RunConfig, engine: Engine, settled: Mapping[str, BackendName]) -> None:
        """Go on with an engine that was opened, unless it comes too late."""
        with self._lock:
            is_late = turn != self._turn
            if not is_late:
                self._config, self._number = config, 0
                self._own = self._engine = engine
                self._settled = {**settled, **_on_gpu(engine)}
        if is_late:
            engine.close()
            raise PipelineError("the networks were opened too late", "Others are in their place, or the run is over.")
        self._warn_of_unused_gpu(engine)

    def _warn_of_unused_gpu(self, engine: Engine) -> None:
        if engine.unused_gpu and engine.unused_gpu not in self.warnings:
            self.warnings.append(engine.unused_gpu)


def _on_gpu(engine: Engine) -> dict[str, BackendName]:
    """Which networks are on a GPU, and through which backend."""
    return {name: BackendName(info.name) for name, info in engine.infos.items() if info.name in ON_GPU}


def open_engine_for(
    config: RunConfig,
    sources: int = 1,
    waits: bool | None = None,
    settled: Mapping[str, BackendName] | None = None,
) -> Engine:
    """The networks that a configuration asks for.

    ``sources`` runs share them; ``waits`` (see `engine.divide`) by default follows from the configuration's source and
    mode; ``settled`` as for `engine.open_engine`.
    """
    from edge_us.capture.open import kind_of
    from edge_us.runtime.engine import open_engine
    from edge_us.runtime.probing import check_networks

    if config.build:
        from edge_us.runtime.prebuilding import build_missing

        build_missing(config)
    check_networks(config)
    wanted = wanted_networks(config)
    model = wanted.detector
    if config.min_score is not None:
        model = replace(model, threshold=config.min_score)
    if waits is None:
        waits = config.mode is Mode.LIVE or kind_of(config.source) is SourceKind.LIVE
    return open_engine(
        model,
        wanted.classifier,
        wanted.plugins,
        backend=config.backend,
        precision=config.precision,
        threads=config.threads,
        waits=waits,
        sources=sources,
        settled=settled,
    )
