"""`Engine`: the networks of a run, compiled once and shared out to its sources."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_us.classify.classifier import Classifier
from edge_us.classify.model import ClassifierModel, Task
from edge_us.errors import ModelError, one_line
from edge_us.inference.backend import Backend, BackendName, Concurrency, Lane, Precision

if TYPE_CHECKING:
    from edge_us.inference.backend import BackendInfo, Network
    from edge_us.inference.model import Model

MOST_STREAMS = 4
"""Frames of a recording that are inferred at the same time. Everything else of a frame happens in one Python thread,
which is busy with four."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one source gets of an engine: lanes of its own on the detector and, if there is one, on the classifier."""

    model: Model
    lanes: Sequence[Lane]
    classifier: Classifier | None
    plugins: Mapping[Task, Classifier] = field(default_factory=dict)


class Engine:
    """Detector and classifiers, compiled and warm; opened with `open_engine`.

    Attributes
    ----------
    model : Model
    info : BackendInfo
        Of the detector.
    classifiers : mapping of Task to ClassifierModel
    """

    def __init__(
        self, model: Model, detector: Backend, classifiers: Mapping[Task, tuple[ClassifierModel, Backend]], sources: int
    ) -> None:
        self.model = model
        self.info: BackendInfo = detector.info
        self.classifiers = {task: found for task, (found, _) in classifiers.items()}
        self._detector, self._others, self._sources = detector, classifiers, sources

    @property
    def classifier(self) -> ClassifierModel | None:
        """Benign / malignant."""
        return self.classifiers.get(Task.MALIGNANCY)

    @property
    def plugins(self) -> Mapping[Task, ClassifierModel]:
        """A site's own classifiers."""
        return {task: found for task, found in self.classifiers.items() if task is not Task.MALIGNANCY}

    def share(self, number: int = 0) -> Share:
        """The share of one of the sources, counted from 0."""
        lanes = self._detector.lanes[number :: self._sources]
        own = {task: Classifier(found, backend.lanes[number]) for task, (found, backend) in self._others.items()}
        return Share(self.model, lanes, own.pop(Task.MALIGNANCY, None), own)

    def close(self) -> None:
        """Release the networks; may be called more than once."""
        self._detector.close()
        for _, backend in self._others.values():
            backend.close()


def divide(cores: int, *, waits: bool, sources: int = 1) -> Concurrency:
    """How the detector's backend divides the machine.

    A live picture waits for its result: one inference at a time gets all cores. Recordings are a matter of throughput:
    an inference on few threads wastes less than one on many, so several run beside each other, and as many again wait
    for a stream, so that none stands still while a result is drawn and recorded (two lanes more for two streams:
    1.15 to 1.25 times the rate, medians of 3 interleaved runs).

    Parameters
    ----------
    cores : int
        Or the number of threads that inference may have.
    waits : bool
        Whether somebody waits for each single result.
    sources : int
        Sources that share the backend.
    """
    if waits:
        return Concurrency(streams=1, lanes=sources)
    streams = max(1, min(cores, MOST_STREAMS))
    return Concurrency(streams, lanes=sources * max(2, -(-2 * streams // sources)))


def open_engine(
    model: Model,
    classifier: ClassifierModel | None = None,
    plugins: Sequence[ClassifierModel] = (),
    *,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    waits: bool = True,
    sources: int = 1,
) -> Engine:
    """Compile the networks and run each once or twice on black, so that the first real frame is not the slow one.

    Parameters
    ----------
    model : Model
    classifier : ClassifierModel, optional
        See `classify.choose.choose_classifier`.
    plugins : sequence of ClassifierModel
        A site's own, see `classify.plugin.choose_plugin`.
    backend, precision, threads
        As for a run.
    waits, sources
        See `divide`.

    Raises
    ------
    EdgeUsError
        Backend and precision cannot be had here, or a network cannot be compiled.
    """
    from edge_us.inference.backends import open_backend

    concurrency = divide(threads or _cores(), waits=waits, sources=sources)
    with ExitStack() as stack:
        detector = stack.enter_context(closing(open_backend(model, backend, precision, threads, concurrency)))
        warm_up(model, detector)
        others: dict[Task, tuple[ClassifierModel, Backend]] = {}
        for each in (*filter(None, (classifier,)), *plugins):
            # A crop is small work that comes now and then: beside other streams it gets one thread.
            few = threads if waits else 1
            # These belong to the detector's file; a classifier has a file and a precision of its own.
            own = Precision.AUTO if precision in (Precision.INT8, Precision.FP16) else precision
            second = open_backend(each, backend, own, few, Concurrency(lanes=sources))
            stack.enter_context(closing(second))
            warm_up(each, second)
            others[each.task] = (each, second)
        stack.pop_all()
        return Engine(model, detector, others, sources)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up(network: Network, backend: Backend) -> None:
    """Run every lane once, the first one twice; raises `ModelError` where the network cannot be computed."""
    import numpy as np

    width, height = network.input_size
    black = np.zeros((height, width) if network.is_grey else (height, width, 3), np.uint8)
    try:
        for lane in (backend.lanes[0], *backend.lanes):
            lane.infer(black)
    except Exception as error:  # each backend raises kinds of its own
        raise ModelError(
            f"{network.path} cannot be computed by {backend.info.name}: {one_line(error)}",
            "Export the network again, or try another --backend.",
        ) from None
