"""`Detector`: frames in, untracked findings in frame pixels out; several may be on their way."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_us.calibrate.temperature import temper
from edge_us.colour import to_bgr, to_gray
from edge_us.errors import ModelError
from edge_us.finding import LOOKED_FOR, Exam, Finding, FindingKind
from edge_us.frame import Frame, Rect
from edge_us.inference.decode import NMS_IOU, mask_contour, select
from edge_us.inference.letterbox import PADDING, Letterbox

if TYPE_CHECKING:
    from edge_us.inference.backend import Lane
    from edge_us.inference.model import Model


@dataclass(frozen=True, slots=True)
class Job:
    """One frame on its way through the network."""

    lane: Lane
    letterbox: Letterbox
    size: tuple[int, int]
    preprocess_ns: int
    started_ns: int


class _Input:
    """A lane's own input picture, made anew (with a clean border) only when the region changes."""

    def __init__(self, model: Model) -> None:
        self._size = model.input_size
        width, height = model.input_size
        self._shape = (height, width) if model.is_grey else (height, width, 3)
        self._letterbox: Letterbox | None = None
        self.pixels: NDArray[np.uint8] = np.empty(0, np.uint8)

    def fit(self, region: Rect) -> Letterbox:
        if self._letterbox is None or self._letterbox.region != region:
            self._letterbox = Letterbox.fit(region, self._size)
            self.pixels = np.full(self._shape, PADDING, np.uint8)
        return self._letterbox


class Detector:
    """Region crop, letterbox, network and decoding.

    `start` begins with a frame, `finish` fetches the findings of the frame that was begun first. As many frames may be
    on their way as there are lanes.

    Parameters
    ----------
    model : Model
    lanes : sequence of Lane
        Of a backend compiled from the same model; nobody else's.
    floor : float
        Lowest score that is returned, after the model's temperature.
    nms_iou : float
        Overlap from which the weaker of two boxes goes.
    exam : Exam
        Classes that it does not look for count as nothing.
    """

    def __init__(
        self,
        model: Model,
        lanes: Sequence[Lane],
        floor: float,
        nms_iou: float = NMS_IOU,
        exam: Exam = Exam.BREAST,
    ) -> None:
        self._model = model
        self._wanted = wanted_classes(model, exam)
        # The network's own score that this comes from; decoding cuts there, before anything dear.
        self._floor = floor
        if model.score_temperature != 1:
            self._floor = float(temper(floor, 1 / model.score_temperature))
        self._nms_iou = nms_iou
        self._least_logit = math.log(model.mask_threshold / (1 - model.mask_threshold))
        self._free = deque((lane, _Input(model)) for lane in lanes)
        self._busy: deque[tuple[Lane, _Input]] = deque()
        self.stages_ns: Mapping[str, int] = {}
        """Time that each stage of the last frame took; ``infer`` is from its start until it was fetched."""

    @property
    def lanes(self) -> int:
        """Number of frames that may be on their way."""
        return len(self._free) + len(self._busy)

    def start(self, frame: Frame, region: Rect | None) -> Job:
        """Begin with one frame.

        Parameters
        ----------
        frame : Frame
        region : Rect or None
            Part of the frame that is looked at; None is all of it.
        """
        started_ns = time.monotonic_ns()
        lane, buffer = self._free[0]
        letterbox = buffer.fit(Rect(0, 0, frame.width, frame.height) if region is None else region)
        pixels = to_gray(frame, region) if self._model.is_grey else to_bgr(frame, region)
        image = letterbox.apply(pixels, buffer.pixels)
        prepared_ns = time.monotonic_ns()
        lane.start(image)
        self._busy.append(self._free.popleft())
        return Job(lane, letterbox, frame.size, prepared_ns - started_ns, prepared_ns)

    def finish(self, job: Job) -> tuple[Finding, ...]:
        """Findings of the frame that was begun first, best score first, with ``track`` None."""
        # Before the wait: where inference fails, the lane is free again for another try.
        self._free.append(self._busy.popleft())
        heads = job.lane.wait()
        inferred_ns = time.monotonic_ns()
        findings = self._decode(heads, job.letterbox, job.size)
        self.stages_ns = {
            "preprocess": job.preprocess_ns,
            "infer": inferred_ns - job.started_ns,
            "decode": time.monotonic_ns() - inferred_ns,
        }
        return findings

    def _decode(
        self, heads: tuple[NDArray[np.float32], ...], letterbox: Letterbox, size: tuple[int, int]
    ) -> tuple[Finding, ...]:
        model = self._model
        prototypes = heads[model.prototype_output][0]
        head, count = heads[1 - model.prototype_output][0], len(model.classes)
        found = select(head, model.head, count, self._floor, self._nms_iou, self._wanted)
        scores = found.scores
        if model.score_temperature != 1:
            scores = temper(scores, model.score_temperature).astype(np.float32)
        width, height = size
        boxes = letterbox.to_frame(found.boxes)
        # Edge boxes are clipped, never dropped: a lesion at the margin reaches past it by a fraction of a pixel.
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        return tuple(
            Finding(
                kind=kind_of_class(model.classes[label]),
                box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                score=float(score),
                contour=mask_contour(box, coefficients, prototypes, letterbox, size, self._least_logit),
            )
            for box, score, label, coefficients in zip(boxes, scores, found.classes, found.coefficients, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        )


def kind_of_class(name: str) -> FindingKind:
    """What a class of a network stands for; every class but ``node`` is a lesion."""
    return FindingKind.NODE if name == FindingKind.NODE.value else FindingKind.LESION


def wanted_classes(model: Model, exam: Exam) -> tuple[int, ...]:
    """The classes of a network that an exam looks for.

    Raises
    ------
    ModelError
        It has none of what the exam is about.
    """
    kinds = [kind_of_class(name) for name in model.classes]
    needed = FindingKind.NODE if exam is Exam.AXILLA else FindingKind.LESION
    if needed not in kinds:
        raise ModelError(
            f"the model {model.name} has no class for a {needed.value}, which the exam {exam.value} looks for",
            "Give a model with a class named `node` for --exam axilla, and one with any other class for the breast.",
        )
    return tuple(number for number, kind in enumerate(kinds) if kind in LOOKED_FOR[exam])
