"""`Networks`: the engine that a run looks through, and another one when it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_us.capture.source import SourceKind
from edge_us.classify.model import Task
from edge_us.config import Fallback, Mode, RunConfig
from edge_us.errors import EdgeUsError, ModelError
from edge_us.finding import Exam
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.registry import AXILLA_NAME, DEFAULT_NAME, find_entry
from edge_us.runtime.build import build_analyser

if TYPE_CHECKING:
    from edge_us.calibrate.preset import Preset
    from edge_us.runtime.analyser import Analyser
    from edge_us.runtime.engine import Engine

OTHER_CPU = {"openvino": BackendName.ONNXRUNTIME}
"""Where a backend goes that cannot be had again; all others go to OpenVINO."""
GPU_BACKENDS = frozenset({BackendName.TENSORRT.value, BackendName.ONNXRUNTIME_CUDA.value})
PATIENCE = 3
"""Which restart within the budget goes to the fallback."""

PLUGINS_OF = {Exam.BREAST: (Task.NODAL_RISK,), Exam.AXILLA: (Task.NODE,)}
"""A site's own classifiers that an exam has a use for."""


class Networks:
    """The engine of one run.

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
        self._own: Engine | None = None if shared is not None else open_engine_for(config)
        self._engine = shared or self._own
        # ``auto`` is settled once: a GPU that goes missing is a failure, and no reason to take the CPU without a word.
        if self.engine.info.name in GPU_BACKENDS:
            self._config = self._config.model_copy(update={"backend": BackendName(self.engine.info.name)})
        self.warnings: list[str] = []

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
        config = self._config.model_copy(update={"exam": exam})
        before, after = self._own, open_engine_for(config)
        self._config, self._number = config, 0
        self._own = self._engine = after
        if before is not None:
            before.close()
        return self.analyser(kind)

    def renew(self, cause: str, *, hanging: bool, attempt: int) -> None:
        """Open another engine instead of the one that failed.

        Where the backend cannot be had again, or fails a third time, and a fallback is allowed, another CPU backend
        takes over, and `warnings` say so.

        Parameters
        ----------
        cause : str
            Why the present one failed.
        hanging : bool
            A thread is still in it: it is left alone, since closing it would hang as well.
        attempt : int
            Restarts lately, this one included.

        Raises
        ------
        EdgeUsError
            No engine can be opened.
        """
        failed, self._number = self.engine.info.name, 0
        if self._own is not None and not hanging:
            self._own.close()
        may_fall_back = self._config.fallback is Fallback.CPU
        if not (may_fall_back and attempt >= PATIENCE):
            try:
                self._own = self._engine = open_engine_for(self._config)
            except EdgeUsError as error:
                if not may_fall_back:
                    raise
                cause = error.message
            else:
                return
        # Int8 is another file of the model, and every CPU backend computes it; other precisions are a backend's own.
        precision = Precision.INT8 if self._config.precision is Precision.INT8 else Precision.AUTO
        other = {"backend": OTHER_CPU.get(failed, BackendName.OPENVINO), "precision": precision}
        self._config = self._config.model_copy(update=other)
        self._own = self._engine = open_engine_for(self._config)
        info = self._engine.info
        self.warnings.append(f"{failed} failed ({cause}): {info.name} {info.precision} took over")

    def close(self) -> None:
        """Release the run's own engine."""
        if self._own is not None:
            self._own.close()


def model_name(config: RunConfig) -> str:
    """The model that a configuration means: the default one is another for each exam.

    Raises
    ------
    ModelError
        No shipped model finds nodes.
    """
    if config.model != DEFAULT_NAME or config.exam is Exam.BREAST:
        return config.model
    if find_entry(AXILLA_NAME) is None:
        raise ModelError("no shipped model finds nodes", "Give one with a class named `node`: --model FILE.onnx.")
    return AXILLA_NAME


def open_engine_for(config: RunConfig, sources: int = 1, waits: bool | None = None) -> Engine:
    """The networks that a configuration asks for.

    ``sources`` runs share them; ``waits`` (see `engine.divide`) by default follows from the configuration's source and
    mode.
    """
    from edge_us.calibrate.score_calibration import calibrated
    from edge_us.capture.open import kind_of
    from edge_us.classify.choose import choose_classifier
    from edge_us.classify.plugin import choose_plugin
    from edge_us.inference.detector import wanted_classes
    from edge_us.inference.model import load_model
    from edge_us.runtime.engine import open_engine
    from edge_us.runtime.probing import check_networks

    if config.build:
        from edge_us.runtime.prebuilding import build_missing

        build_missing(config)
    check_networks(config)
    model = calibrated(load_model(model_name(config), config.precision), config.calibration)
    wanted_classes(model, config.exam)
    # Those of the other exam as well: what is wrong with them is better said now than when the exam changes.
    choices = ((Task.NODE, config.node_classifier), (Task.NODAL_RISK, config.nodal_risk))
    plugins = {task: found for task, choice in choices if (found := choose_plugin(choice, task)) is not None}
    if config.min_score is not None:
        model = replace(model, threshold=config.min_score)
    if waits is None:
        waits = config.mode is Mode.LIVE or kind_of(config.source) is SourceKind.LIVE
    return open_engine(
        model,
        choose_classifier(config.classifier, model, config.calibration),
        [plugins[task] for task in PLUGINS_OF[config.exam] if task in plugins],
        backend=config.backend,
        precision=config.precision,
        threads=config.threads,
        waits=waits,
        sources=sources,
    )
