"""Whether two backends find the same."""

from __future__ import annotations

from collections.abc import Sequence

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


def phantoms(count: int = 6) -> list[Frame]:
    """Frames with lesions."""
    spec = PhantomSpec(width=640, height=480, frames=count)
    return [
        Frame(each.image, PixelFormat.GRAY8, 640, 480, index=number, pts_ns=0, captured_ns=0)
        for number, each in enumerate(render(spec))
    ]


def detect(model: Model, backend: Backend, frames: Sequence[Frame]) -> list[tuple[Finding, ...]]:
    """Findings of each frame."""
    detector = Detector(model, backend.lanes[:1], FLOOR)
    return [detector.finish(detector.start(frame, None)) for frame in frames]


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
    for ours, theirs in zip(found, expected, strict=True):
        for one, others in [(each, theirs) for each in ours] + [(each, ours) for each in theirs]:
            if one.score < FLOOR + score:
                continue
            like = [each for each in others if np.abs(np.subtract(one.box, each.box)).max() <= box_px]
            assert like, f"no box like {one.box} in {[each.box for each in others]}"
            assert min(abs(one.score - each.score) for each in like) <= score
            assert max(_iou(one, each) for each in like) >= LEAST_IOU


def _iou(one: Finding, other: Finding) -> float:
    first, second = _mask(one), _mask(other)
    either = np.count_nonzero(first | second)
    return 1.0 if not either else np.count_nonzero(first & second) / either


def _mask(finding: Finding) -> NDArray[np.bool_]:
    canvas = np.zeros((480, 640), np.uint8)
    if len(finding.contour):
        cv2.fillPoly(canvas, [np.rint(finding.contour).astype(np.int32)], 1)
    return canvas.astype(bool)
