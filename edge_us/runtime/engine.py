"""`Engine`: the networks of a run, compiled once and shared out to its sources."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_us.classify.classifier import Classifier
from edge_us.classify.model import ClassifierModel, Task
from edge_us.errors import EdgeUsError, ModelError, one_line
from edge_us.inference.backend import ON_GPU, Backend, BackendName, Concurrency, Lane, Precision
from edge_us.log import LOGGER

if TYPE_CHECKING:
    from edge_us.inference.backend import BackendInfo, Network
    from edge_us.inference.model import Model

MOST_STREAMS = 4
"""Frames of a recording that are inferred at the same time. Everything else of a frame happens in one Python thread,
which is busy with four."""
CLOSE_S = 5.0
"""How long a GPU may take to give back what it computes on. One that hangs never does."""
DETECTOR = "detector"
"""Name of the detector where networks are told apart by what they do; classifiers have that of their `Task`."""


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
    infos : mapping of str to BackendInfo
        Of every network, by what it does: `DETECTOR`, or the value of a `Task`.
    classifiers : mapping of Task to ClassifierModel
    """

    def __init__(
        self, model: Model, detector: Backend, classifiers: Mapping[Task, tuple[ClassifierModel, Backend]], sources: int
    ) -> None:
        self.model = model
        self.info: BackendInfo = detector.info
        self.infos: Mapping[str, BackendInfo] = {
            DETECTOR: detector.info, **{task.value: backend.info for task, (_, backend) in classifiers.items()}
        }  # fmt: skip
        self.classifiers = {task: found for task, (found, _) in classifiers.items()}
        self._detector, self._others, self._sources = detector, classifiers, sources
        self._is_abandoned = False

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

    @property
    def is_on_gpu(self) -> bool:
        """Whether one of the networks is."""
        return any(info.name in ON_GPU for info in self.infos.values())

    @property
    def unused_gpu(self) -> str:
        """Why a GPU with TensorRT that is here is not used for all networks, and the commands; empty elsewhere."""
        reasons = [info.unused_gpu for info in self.infos.values() if info.unused_gpu]
        return f"the GPU is not used: {'; '.join(dict.fromkeys(reasons))}" if reasons else ""

    def close(self) -> None:
        """Release the networks; may be called more than once. A GPU that hangs is waited for `CLOSE_S` long."""
        if self._is_abandoned:
            return
        backends = (self._detector, *(backend for _, backend in self._others.values()))
        on_gpu = [backend.close for backend in backends if backend.info.name in ON_GPU]
        for backend in backends:
            if backend.info.name not in ON_GPU:
                backend.close()
        if on_gpu and not _done_within(CLOSE_S, on_gpu):
            self._is_abandoned = True
            LOGGER.warning("GPU not given back", extra={"fields": {"reason": f"it hangs for more than {CLOSE_S:g} s"}})

    def abandon(self) -> None:
        """Leave networks alone in which a thread hangs: they are never closed.

        Those on a GPU are never freed either. Their destructors wait for the GPU and hold Python's lock meanwhile, and
        the thread, should it come back, reads their memory.
        """
        if self.is_on_gpu and not self._is_abandoned:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        self._is_abandoned = True


def _done_within(seconds: float, steps: Sequence[Callable[[], None]]) -> bool:
    """Take steps in a thread of their own; False where they hang, and the thread is left alone."""

    def work() -> None:
        for step in steps:
            step()

    thread = threading.Thread(target=work, name="edge-us-close", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


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
    settled: Mapping[str, BackendName] | None = None,
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
    settled : mapping of str to BackendName, optional
        Backends of single networks, by their names in `Engine.infos`, that count more than ``backend``.

    Raises
    ------
    EdgeUsError
        Backend and precision cannot be had here, or a network cannot be compiled.
    """
    from edge_us.inference.backends import open_backend

    settled = settled or {}
    concurrency = divide(threads or _cores(), waits=waits, sources=sources)
    with ExitStack() as stack:
        detector = stack.enter_context(
            closing(open_backend(model, settled.get(DETECTOR, backend), precision, threads, concurrency))
        )
        warm_up(model, detector)
        others: dict[Task, tuple[ClassifierModel, Backend]] = {}
        for each in (*filter(None, (classifier,)), *plugins):
            # A crop is small work that comes now and then: beside other streams it gets one thread.
            few = threads if waits else 1
            name, own = settled.get(each.task.value, backend), precision_of_classifiers(precision)
            second = open_backend(each, name, own, few, Concurrency(lanes=sources))
            stack.enter_context(closing(second))
            warm_up(each, second)
            others[each.task] = (each, second)
        stack.pop_all()
        return Engine(model, detector, others, sources)


def precision_of_classifiers(asked: Precision) -> Precision:
    """Int8 and fp16 belong to the detector's file; a classifier has a file and a precision of its own."""
    return Precision.AUTO if asked in (Precision.INT8, Precision.FP16) else asked


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm_up(network: Network, backend: Backend) -> None:
    """Run every lane once, the first one twice.

    Raises
    ------
    EdgeUsError
        What the backend says; a `ModelError` where it says nothing of ours: the network cannot be computed.
    """
    import numpy as np

    width, height = network.input_size
    black = np.zeros((height, width) if network.is_grey else (height, width, 3), np.uint8)
    try:
        for lane in (backend.lanes[0], *backend.lanes):
            lane.infer(black)
    except EdgeUsError:
        raise
    except Exception as error:  # each backend raises kinds of its own
        raise ModelError(
            f"{network.path} cannot be computed by {backend.info.name}: {one_line(error)}",
            "Export the network again, or try another --backend.",
        ) from None
