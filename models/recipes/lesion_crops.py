"""Lesion crops to train a classifier on: cut as the runtime cuts them, shaken and augmented, drawn evenly."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import physics
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.evaluate.manifest import Case, read_manifest
from edge_us.evaluate.matching import lesion_pixels, lesions_of

Gray = NDArray[np.uint8]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sample:
    """One lesion: its picture, box and label."""

    gray: Gray
    box: Box
    is_malignant: bool
    dataset: str


def read_samples(
    manifest: Path, split: str | None, *, exclude: frozenset[str] = frozenset(), datasets: Sequence[str] = ()
) -> list[Sample]:
    """All lesions of a split, or of every split, with their labels; pictures without one are left out."""
    found = []
    for case in read_manifest(manifest, split, datasets).cases:
        if case.mask is None or case.is_normal or case.dataset in exclude:
            continue
        gray = cv2.imread(str(case.image), cv2.IMREAD_GRAYSCALE)
        found += [
            Sample(np.asarray(gray, np.uint8), box, case.label == "malignant", case.dataset) for box in _boxes(case)
        ]
    return found


def _boxes(case: Case) -> list[Box]:
    mask = cv2.imread(str(case.mask), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    return [lesion.box for lesion in lesions_of(lesion_pixels(mask))]


def shake(box: Box, rng: np.random.Generator) -> Box:
    """The box as a detector might have drawn it: centre and sides off by up to a tenth."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    x, y = (x1 + x2) / 2 + rng.uniform(-0.1, 0.1) * width, (y1 + y2) / 2 + rng.uniform(-0.1, 0.1) * height
    width, height = width * rng.uniform(0.85, 1.2), height * rng.uniform(0.85, 1.2)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def augment(gray: Gray, rng: np.random.Generator) -> Gray:
    """A crop as another scanner or hand would show it; never upside down, never squeezed."""
    if rng.random() < 0.5:
        gray = np.ascontiguousarray(gray[:, ::-1])
    angle, scale = rng.uniform(-8, 8), rng.uniform(0.85, 1.15)
    side = len(gray)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), angle, scale)
    turn = turn + np.array([[0, 0, 1], [0, 0, 1]]) * rng.uniform(-0.06, 0.06, (2, 1)) * side
    gray = np.asarray(
        cv2.warpAffine(gray, turn, (side, side), borderMode=cv2.BORDER_CONSTANT, borderValue=114), np.uint8
    )
    if rng.random() < 0.7:
        gray = physics.tone(gray, float(rng.uniform(0.65, 1.5)), float(rng.uniform(48, 75)))
    if rng.random() < 0.5:
        gray = physics.add_db(gray, np.full(gray.shape, rng.uniform(-6, 6), np.float32))
    if rng.random() < 0.3:
        slope = np.linspace(-1, 1, side, dtype=np.float32)[:, None] * rng.uniform(-5, 5)
        gray = physics.add_db(gray, np.broadcast_to(slope, gray.shape).astype(np.float32))
    if rng.random() < 0.3:
        gray = physics.smooth(gray, float(rng.uniform(0.4, 1.4)), float(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.25:
        gray = physics.coarsen(gray, float(rng.uniform(0.4, 0.9)))
    if rng.random() < 0.2:
        x, y = rng.integers(0, side - side // 5, 2)
        gray = gray.copy()
        gray[y : y + side // 5, x : x + side // 5] = int(gray.mean())
    return gray


def draw_weights(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Probability of each sample: labels evenly within a data set, data sets by the root of their size."""
    cells = [(sample.dataset, sample.is_malignant) for sample in samples]
    sizes = {dataset: sum(cell[0] == dataset for cell in cells) for dataset in {cell[0] for cell in cells}}
    counts = {cell: cells.count(cell) for cell in set(cells)}
    weights = np.array([math.sqrt(sizes[cell[0]]) / counts[cell] for cell in cells])
    return np.asarray(weights / weights.sum(), np.float64)
