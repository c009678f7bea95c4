"""Whether two backends find the same, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_us.finding import Finding
from edge_us.frame import Frame, PixelFormat
from edge_us.inference.backend import Backend
from edge_us.inference.detector import Detector
from edge_us.inference.model import Model
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec

FLOOR = 0.05
LEAST_IOU = 0.98
SWEEP = 60
"""Frames until the moving probe has passed the lesion; it comes into sight at about the 35th."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two lists of findings are apart at most.

    Attributes
    ----------
    findings : int
        Of both, those above the floor.
    alone : int
        Of those, the ones that have no like: no box of the other side overlaps.
    box_px, score : float
        Largest distance of a side of two boxes, and of two scores.
    mask_iou : float
        Smallest overlap of two outlines; 1 where nothing was found.
    """

    findings: int
    alone: int
    box_px: float
    score: float
    mask_iou: float


def phantoms(count: int = 6) -> list[Frame]:
    """Frames with a lesion, which every shipped detector for lesions finds in some of them."""
    spec = PhantomSpec(width=640, height=480, frames=SWEEP)
    images = [each.image for each in render(spec)][-4 * count :: 4]
    return [
        Frame(image, PixelFormat.GRAY8, 640, 480, index=number, pts_ns=0, captured_ns=0)
        for number, image in enumerate(images)
    ]


def detect(model: Model, backend: Backend, frames: Sequence[Frame]) -> list[tuple[Finding, ...]]:
    """Findings of each frame."""
    detector = Detector(model, backend.lanes[:1], FLOOR)
    return [detector.finish(detector.start(frame, None)) for frame in frames]


def measured(found: Sequence[Sequence[Finding]], expected: Sequence[Sequence[Finding]], margin: float) -> Agreement:
    """Compare each finding with the nearest box of the other side.

    Parameters
    ----------
    found, expected
        Findings of each frame.
    margin : float
        A finding whose score is no further than this above the floor may miss its like: it is not compared.
    """
    boxes, scores, overlaps, alone = [0.0], [0.0], [1.0], 0
    compared = 0
    for ours, theirs in zip(found, expected, strict=True):
        for one, others in [(each, theirs) for each in ours] + [(each, ours) for each in theirs]:
            if one.score < FLOOR + margin:
                continue
            compared += 1
            like = min(others, key=lambda other, one=one: _apart(one, other), default=None)  # type: ignore[misc]
            if like is None or not _meet(one, like):
                alone += 1
                continue
            boxes.append(_apart(one, like))
            scores.append(abs(one.score - like.score))
            overlaps.append(_iou(one, like))
    return Agreement(compared, alone, max(boxes), max(scores), min(overlaps))


def assert_same(
    found: Sequence[Sequence[Finding]], expected: Sequence[Sequence[Finding]], *, box_px: float, score: float
) -> None:
    """Every finding has its like; one whose score is at the floor may miss it.

    Parameters
    ----------
    found, expected
        Findings of each frame.
    box_px, score
        How far the sides of boxes and the scores may be apart.
    """
    assert sum(map(len, expected)), "there is something to find"
    apart = measured(found, expected, score)
    assert apart.alone == 0, apart
    assert apart.box_px <= box_px, apart
    assert apart.score <= score, apart
    assert apart.mask_iou >= LEAST_IOU, apart


def _apart(one: Finding, other: Finding) -> float:
    return float(np.abs(np.subtract(one.box, other.box)).max())


def _meet(one: Finding, other: Finding) -> bool:
    left, top = np.maximum(one.box[:2], other.box[:2])
    right, bottom = np.minimum(one.box[2:], other.box[2:])
    return bool(right > left and bottom > top)


def _iou(one: Finding, other: Finding) -> float:
    first, second = _mask(one), _mask(other)
    either = np.count_nonzero(first | second)
    return 1.0 if not either else float(np.count_nonzero(first & second) / either)


def _mask(finding: Finding) -> NDArray[np.bool_]:
    canvas = np.zeros((480, 640), np.uint8)
    if len(finding.contour):
        cv2.fillPoly(canvas, [np.rint(finding.contour).astype(np.int32)], 1)
    return canvas.astype(bool)
