"""Decoding, on heads with known content and against recorded results of Ultralytics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.decode import HeadLayout, mask_contour, select
from edge_us.inference.detector import Detector
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.model import load_model

GOLDEN = Path(__file__).parent.parent / "golden" / "ultralytics_lesion_fast.json"


def raw_head(rows: list[tuple[float, ...]], classes: int, anchors: int = 50) -> NDArray[np.float32]:
    """Each row: cx, cy, w, h, class, score; coefficients count up with the row."""
    head = np.zeros((4 + classes + 2, anchors), np.float32)
    for column, (cx, cy, w, h, label, score) in enumerate(rows):
        head[:4, column] = cx, cy, w, h
        head[4 + int(label), column] = score
        head[4 + classes :, column] = column + 1, -(column + 1)
    return head


ROWS: list[tuple[float, ...]] = [
    (100, 100, 40, 20, 0, 0.5),
    (102, 100, 40, 20, 0, 0.9),
    (200, 200, 30, 30, 1, 0.8),
    (201, 200, 30, 30, 0, 0.7),
    (50, 50, 10, 10, 0, 0.05),
]


def test_a_weaker_box_of_the_same_class_is_suppressed_and_another_class_is_not() -> None:
    found = select(raw_head(ROWS, 2), HeadLayout.RAW, 2, floor=0.1)
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert found.classes.tolist() == [0, 1, 0]
    assert found.boxes[0].tolist() == [82, 90, 122, 110]
    assert found.coefficients[0].tolist() == [2, -2]


def test_both_layouts_say_the_same() -> None:
    raw = select(raw_head([ROWS[1], ROWS[2]], 2), HeadLayout.RAW, 2, floor=0.1)
    end = np.zeros((300, 8), np.float32)
    end[0] = [82, 90, 122, 110, 0.9, 0, 1, -1]
    end[1] = [185, 185, 215, 215, 0.8, 1, 2, -2]
    other = select(end, HeadLayout.END2END, 2, floor=0.1)
    assert np.array_equal(raw.boxes, other.boxes)
    assert np.array_equal(raw.classes, other.classes)
    assert np.array_equal(raw.coefficients, other.coefficients)


def test_an_empty_picture_gives_empty_arrays_of_the_right_shape() -> None:
    found = select(raw_head([], 1), HeadLayout.RAW, 1, floor=0.1)
    assert found.boxes.shape == (0, 4)
    assert found.coefficients.shape == (0, 2)


def test_the_contour_is_the_edge_of_the_mask_where_the_prototype_is_positive() -> None:
    rows, columns = np.mgrid[0:80, 0:80]
    disc = (10.0 - np.hypot(columns + 0.5 - 40, rows + 0.5 - 35)).astype(np.float32)
    letterbox = Letterbox.fit(Rect(100, 50, 640, 640), (320, 320))
    box = np.array([100 + 8 * 28, 50 + 8 * 23, 100 + 8 * 52, 50 + 8 * 47], np.float32)
    contour = mask_contour(box, np.ones(1, np.float32), disc[None], letterbox, (1000, 800))
    center, radius = cv2.minEnclosingCircle(contour)
    # Prototype cells are 8 frame px wide: disc of radius 10 cells around (40, 35), plus the region's corner.
    assert center == pytest.approx((100 + 8 * 40 - 0.5, 50 + 8 * 35 - 0.5), abs=1.0)
    assert radius == pytest.approx(80, abs=2.0)


def test_a_mask_that_misses_its_box_gives_an_empty_contour() -> None:
    letterbox = Letterbox.fit(Rect(0, 0, 320, 320), (320, 320))
    box = np.array([10, 10, 50, 50], np.float32)
    contour = mask_contour(box, np.ones(1, np.float32), -np.ones((1, 80, 80), np.float32), letterbox, (320, 320))
    assert contour.shape == (0, 2)


def filled(contour: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.uint8)
    if len(contour):
        cv2.fillPoly(mask, [np.rint(contour).astype(np.int32)], 1)
    return mask.astype(bool)


def test_results_agree_with_ultralytics_on_the_same_weights_and_images(shared_dir: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    model = replace(load_model(golden["weights"]), mask_threshold=0.5)  # Ultralytics' own
    backend = open_backend(model, BackendName.ONNXRUNTIME, Precision.FP32)
    detector = Detector(model, backend.lanes, golden["conf"], nms_iou=golden["iou"])
    overlaps = []
    for record in golden["images"]:
        gray = cv2.imread(str(shared_dir / "data" / record["image"]), cv2.IMREAD_GRAYSCALE)
        assert gray is not None
        bgr = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
        height, width = gray.shape
        found = detector.finish(detector.start(Frame(bgr, PixelFormat.BGR, width, height, 0, 0, 0), None))
        assert len(found) == len(record["detections"]), record["image"]
        for ours, theirs in zip(found, record["detections"], strict=True):
            assert ours.score == pytest.approx(theirs["score"], abs=2e-3)
            assert np.abs(np.array(ours.box) - theirs["box"]).max() < 1.0
            mask = filled(ours.contour, gray.shape)
            other = unpack(theirs["runs"], gray.shape)
            overlaps.append(float((mask & other).sum() / (mask | other).sum()))
    assert len(overlaps) >= 20
    assert min(overlaps) >= 0.98, sorted(overlaps)[:5]


def unpack(runs: list[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask from run lengths in row order, starting with the background."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(shape)
