"""Each step of a frame alone, over sizes and counts, so that growth shows."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import count as numbers

import numpy as np
import pytest
from conftest import Measured
from numpy.typing import NDArray
from scenes import SIZES, heads, lesion_boxes, picture, shown

from edge_us.colour import to_bgr, to_gray, to_i420
from edge_us.describe.describe import look
from edge_us.finding import Finding, FindingKind
from edge_us.frame import Frame, Geometry, PixelFormat, Rect
from edge_us.inference.backend import Lane
from edge_us.inference.decode import HeadLayout, mask_contour, select
from edge_us.inference.detector import Detector, Job
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.model import Model
from edge_us.measure.stage import Measure
from edge_us.nodes import proof
from edge_us.nodes.reading import look as read_node
from edge_us.overlay.overlay import Overlay
from edge_us.overlay.picture import Hud
from edge_us.tracking.tracker import Tracker

INPUTS = (320, 416, 640)
LESIONS = (0, 1, 5, 20)
each_size = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
each_input = pytest.mark.parametrize("side", INPUTS)
each_count = pytest.mark.parametrize("count", LESIONS)


@each_size
@each_input
def test_letterbox(measured: Measured, size: tuple[int, int], side: int) -> None:
    letterbox = Letterbox.fit(Rect(0, 0, *size), (side, side))
    gray = np.ascontiguousarray(to_gray(picture(size)))
    measured(letterbox.apply, gray, np.full((side, side), 114, np.uint8))


@each_size
@pytest.mark.parametrize("what", [to_gray, to_bgr, to_i420], ids=lambda function: function.__name__)
@pytest.mark.parametrize("pixel_format", list(PixelFormat), ids=lambda each: each.value)
def test_colour(measured: Measured, size: tuple[int, int], what: object, pixel_format: PixelFormat) -> None:
    assert callable(what)
    measured(what, picture(size, pixel_format))


@each_input
@each_count
def test_select(measured: Measured, side: int, count: int) -> None:
    head, _ = heads(count, side)
    found = measured(select, head[0], HeadLayout.RAW, 1, 0.1)
    assert len(found.scores) == count


@each_input
@pytest.mark.parametrize("count", LESIONS[1:])
def test_masks(measured: Measured, side: int, count: int) -> None:
    head, prototypes = heads(count, side)
    letterbox = Letterbox.fit(Rect(0, 0, 800, 600), (side, side))
    found = select(head[0], HeadLayout.RAW, 1, 0.1)
    boxes = np.clip(letterbox.to_frame(found.boxes), 0, np.array([800, 600] * 2, np.float32))

    def masks() -> list[object]:
        return [
            mask_contour(box, coefficients, prototypes[0], letterbox, (800, 600))
            for box, coefficients in zip(boxes, found.coefficients, strict=True)
        ]

    assert sum(len(contour) > 3 for contour in measured(masks)) >= count - 1


@each_count
def test_tracker(measured: Measured, count: int) -> None:
    tracker = Tracker(0.25)
    boxes = lesion_boxes(count, 320)
    nowhere = np.zeros((0, 2), np.float32)
    findings = tuple(
        Finding(FindingKind.LESION, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), 0.8, nowhere)
        for box in boxes
    )
    for _ in range(10):
        tracker.update(findings, 1)
    assert len(measured(tracker.update, findings, 1)) == count


class Known(Lane):
    """A lane whose result is there already."""

    def __init__(self, side: int, count: int) -> None:
        self.heads = heads(count, side)

    def start(self, image: object) -> None:
        """Nothing to compute."""

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        return self.heads


@each_input
@each_count
def test_post_processing(measured: Measured, model: Model, side: int, count: int) -> None:
    """Decode, NMS, masks and tracking of one frame."""
    lane = Known(side, count)
    detector = Detector(replace(model, input_size=(side, side), prototype_output=1), [lane], 0.1)
    tracker = Tracker(0.25)
    letterbox = Letterbox.fit(Rect(0, 0, 800, 600), (side, side))
    jobs: deque[Job] = deque()

    def one() -> tuple[Finding, ...]:
        detector._busy.append(detector._free.popleft())
        return tracker.update(detector.finish(jobs[0]), 1)

    jobs.append(Job(lane, letterbox, (800, 600), 0, 0))
    for _ in range(10):
        one()
    assert len(measured(one)) >= count - 1


@each_size
@each_count
def test_measure(measured: Measured, size: tuple[int, int], count: int) -> None:
    """Every tracked lesion of one frame."""
    frame = replace(picture(size), geometry=Geometry(mm_per_px=(0.08, 0.08), reason=""))
    stage, findings = Measure(stills=False), shown(count, size).findings
    assert len(measured(stage.apply, frame, findings, None, None)) == count


@each_size
def test_describe(measured: Measured, size: tuple[int, int]) -> None:
    """One look at one lesion, which is the most that a frame takes."""
    (finding,) = shown(1, size).findings
    assert "echo_db" in measured(look, picture(size), finding.contour, None, 0.0)


def test_read_node(measured: Measured) -> None:
    """One look at one node, which is the most that a frame takes."""
    _, made = proof.make(2)
    height, width = made.image.shape
    geometry = Geometry(made.region, (made.mm_per_px, made.mm_per_px), "")
    frame = Frame(made.image, PixelFormat.GRAY8, width, height, 0, 0, 0, geometry=geometry)
    contour = proof.outline_of(made.masks[0])
    (x1, y1), (x2, y2) = contour.min(axis=0), contour.max(axis=0)
    finding = Finding(FindingKind.NODE, (x1, y1, x2 + 1, y2 + 1), 0.9, contour, track=1)
    numbers, _ = measured(read_node, frame, finding)
    assert numbers


@each_size
@each_count
def test_overlay_with_measurements(measured: Measured, size: tuple[int, int], count: int) -> None:
    """Callipers, millimetres and the block of one lesion."""
    frame, overlay, ages = (
        replace(picture(size), geometry=Geometry(mm_per_px=(0.08, 0.08), reason="")),
        Overlay(),
        numbers(1),
    )
    stage, result = Measure(stills=False), shown(count, size)
    result = replace(result, findings=stage.apply(frame, result.findings, None, None))

    def draw() -> object:
        aged = replace(result, shown_ns=(next(ages) % 50) * 1_000_000)
        return overlay.draw(frame, aged, Hud(29.9, 0, 0, "lesion-fast"))

    measured(draw)


@each_size
@each_count
def test_overlay(measured: Measured, size: tuple[int, int], count: int) -> None:
    """A new age in every picture, as in a run."""
    frame, overlay, ages = picture(size), Overlay(), numbers(1)
    result = shown(count, size)

    def draw() -> object:
        aged = replace(result, shown_ns=(next(ages) % 50) * 1_000_000)
        return overlay.draw(frame, aged, Hud(29.9, 0, 0, "lesion-fast"))

    measured(draw)
