"""`Detector`: one frame in, untracked findings in frame pixels out."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_us.calibrate.temperature import temper
from edge_us.colour import to_bgr, to_gray
from edge_us.finding import Finding, FindingKind
from edge_us.frame import Frame, Rect
from edge_us.inference.decode import NMS_IOU, mask_contour, select
from edge_us.inference.letterbox import PADDING, Letterbox

if TYPE_CHECKING:
    from edge_us.inference.backend import Backend
    from edge_us.inference.model import Model


class Detector:
    """Region crop, letterbox, network and decoding, one frame at a time.

    Parameters
    ----------
    model : Model
    backend : Backend
        Compiled from the same model.
    floor : float
        Lowest score that is returned, after the model's temperature.
    nms_iou : float
        Overlap from which the weaker of two boxes goes.
    """

    def __init__(self, model: Model, backend: Backend, floor: float, nms_iou: float = NMS_IOU) -> None:
        self._model = model
        self._backend = backend
        # The network's own score that this comes from; decoding cuts there, before anything dear.
        self._floor = floor
        if model.score_temperature != 1:
            self._floor = float(temper(floor, 1 / model.score_temperature))
        self._nms_iou = nms_iou
        self._least_logit = math.log(model.mask_threshold / (1 - model.mask_threshold))
        self._letterbox: Letterbox | None = None
        self._input: NDArray[np.uint8] | None = None
        self.stages_ns: Mapping[str, int] = {}
        """Time that each stage of the last `detect` took."""

    def detect(self, frame: Frame, region: Rect | None) -> tuple[Finding, ...]:
        """Findings of one frame, best score first, with ``track`` None.

        Parameters
        ----------
        frame : Frame
        region : Rect or None
            Part of the frame that is looked at; None is all of it.
        """
        started_ns = time.monotonic_ns()
        box = Rect(0, 0, frame.width, frame.height) if region is None else region
        letterbox = self._fit(box)
        pixels = to_gray(frame, region) if self._model.is_grey else to_bgr(frame, region)
        image = letterbox.apply(pixels, self._input)
        prepared_ns = time.monotonic_ns()
        heads = self._backend.infer(image)
        inferred_ns = time.monotonic_ns()
        findings = self._decode(heads, letterbox, frame.size)
        self.stages_ns = {
            "preprocess": prepared_ns - started_ns,
            "infer": inferred_ns - prepared_ns,
            "decode": time.monotonic_ns() - inferred_ns,
        }
        return findings

    def _fit(self, region: Rect) -> Letterbox:
        """The letterbox of this region, made anew (with a clean border) only when the region changes."""
        if self._letterbox is None or self._letterbox.region != region:
            width, height = self._model.input_size
            channels = () if self._model.is_grey else (3,)
            self._letterbox = Letterbox.fit(region, self._model.input_size)
            self._input = np.full((height, width, *channels), PADDING, np.uint8)
        return self._letterbox

    def _decode(
        self, heads: tuple[NDArray[np.float32], ...], letterbox: Letterbox, size: tuple[int, int]
    ) -> tuple[Finding, ...]:
        model = self._model
        prototypes = heads[model.prototype_output][0]
        found = select(heads[1 - model.prototype_output][0], model.head, len(model.classes), self._floor, self._nms_iou)
        scores = found.scores
        if model.score_temperature != 1:
            scores = temper(scores, model.score_temperature).astype(np.float32)
        width, height = size
        boxes = letterbox.to_frame(found.boxes)
        # Edge boxes are clipped, never dropped: a lesion at the margin reaches past it by a fraction of a pixel.
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        return tuple(
            Finding(
                kind=FindingKind.NODE if model.classes[label] == "node" else FindingKind.LESION,
                box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                score=float(score),
                contour=mask_contour(box, coefficients, prototypes, letterbox, size, self._least_logit),
            )
            for box, score, label, coefficients in zip(boxes, scores, found.classes, found.coefficients, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        )
