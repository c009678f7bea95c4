"""Descriptors on real stills: stable under gain and gamma, and different where diagnoses differ."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.describe import margin, shape
from edge_us.describe.describe import DESCRIPTORS, describe, look
from edge_us.describe.threshold import UNCERTAIN
from edge_us.finding import Unknown
from edge_us.frame import Frame, PixelFormat
from tests.describe.lesions import contour_of, regained

Outlined = tuple[str, NDArray[np.uint8], NDArray[np.float32]]


@cache
def outlined(folder: Path) -> list[Outlined]:
    """Benign and malignant lesions of the training part with their readers' outlines, thirty of each."""
    with (folder / "data" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == "busbra" and row["split"] == "train"]
    some = []
    for label in ("benign", "malignant"):
        for row in [each for each in rows if each["label"] == label][::19][:30]:
            gray, mask = (
                np.asarray(cv2.imread(str(folder / "data" / row[name]), cv2.IMREAD_GRAYSCALE), np.uint8)
                for name in ("image", "mask")
            )
            some.append((label, gray, contour_of(mask > 127)))
    return some


def frame_of(gray: NDArray[np.uint8]) -> Frame:
    return Frame(gray, PixelFormat.GRAY8, gray.shape[1], gray.shape[0], 0, 0, 0)


@pytest.mark.parametrize(("gain_db", "gamma"), [(6.0, 1.0), (-6.0, 1.0), (0.0, 0.7), (0.0, 1.4)])
def test_no_gain_and_no_gamma_turns_a_word_about_a_real_lesion_into_another(
    shared_dir: Path, gain_db: float, gamma: float
) -> None:
    flips = []
    for _, gray, contour in outlined(shared_dir):
        before = describe(look(frame_of(gray), contour, None, 0.0))
        after = describe(look(frame_of(regained(gray, gain_db, gamma)), contour, None, 0.0))
        for term in DESCRIPTORS:
            one, other = before[term.name], after[term.name]
            if not isinstance(one, Unknown) and not isinstance(other, Unknown) and UNCERTAIN not in (one, other):
                flips += [(term.name, one, other)] if one != other else []
    assert len(flips) <= 1, flips


def test_outlines_of_malignant_lesions_are_less_elliptic_and_less_sharp(shared_dir: Path) -> None:
    numbers = [(label, look(frame_of(gray), contour, None, 0.0)) for label, gray, contour in outlined(shared_dir)]
    for name, more in ((shape.DEVIATION, "malignant"), (margin.SHARE, "benign")):
        medians = {
            label: np.median([each[name] for its, each in numbers if its == label and name in each])
            for label in ("benign", "malignant")
        }
        assert max(medians, key=lambda label: float(medians[label])) == more, medians
