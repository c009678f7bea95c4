"""Finding the image on a cart's screen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_us.capture.open import open_source
from edge_us.colour import to_gray
from edge_us.frame import Rect
from edge_us.phantom.render import render
from edge_us.phantom.spec import LesionKind, PhantomSpec, Probe
from edge_us.region.finder import RegionFinder, find_region, iou

SIZES = ((1280, 720), (800, 600), (1024, 768), (640, 480))
LESIONS: tuple[tuple[LesionKind, ...], ...] = (
    (LesionKind.BENIGN,), (LesionKind.CYST,), (LesionKind.MALIGNANT,), (),
)  # fmt: skip


def overlap_on_screen(seed: int) -> float:
    """IoU of found and true region; -1 where the finder was unsure."""
    width, height = SIZES[(seed // 3) % 4]
    probe = list(Probe)[seed % 3]
    spec = PhantomSpec(probe, LESIONS[seed % 4], width, height, frames=91, seed=seed, screen=True)
    finder = RegionFinder()
    for made in render(spec):
        estimate = finder.update(np.asarray(cv2.cvtColor(made.image, cv2.COLOR_BGR2GRAY), np.uint8))
        if finder.finished:
            break
    if not estimate.confident:
        return -1.0
    return iou(estimate.rect or Rect(0, 0, width, height), made.region)


@pytest.mark.slow
def test_the_region_is_found_on_200_seeded_cart_screens() -> None:
    overlaps = np.array([overlap_on_screen(seed) for seed in range(1000, 1200)])
    assert overlaps.min() >= 0.95, f"{np.sum(overlaps < 0.95)} below, worst seed {1000 + int(overlaps.argmin())}"


def test_a_still_is_never_certain() -> None:
    estimate = find_region([np.random.default_rng(0).integers(0, 255, (300, 400), dtype=np.uint8)] * 20)
    assert not estimate.confident
    assert estimate.rect is None
    assert "unsure" in find_region([np.zeros((300, 400), np.uint8)] * 120).reason


# Determined by eye on the pictures, checked against where their pixels are brighter than 25 in a second of frames.
REAL = {
    "lung/Reg_Image_181206_crop.mp4": Rect(3, 0, 203, 234),
    "lung/Reg_Image_18122_crop.mp4": Rect(3, 0, 202, 208),
    "lung/Reg_Image_182340_crop.mp4": Rect(33, 0, 367, 356),
    "plus/BoneUltrasound_L14.igs.mha": Rect(176, 1, 467, 580),
}


@pytest.mark.parametrize("clip", sorted(REAL))
def test_the_region_is_found_on_real_clips(shared_dir: Path, clip: str) -> None:
    with open_source(str(shared_dir / "clips" / clip)) as source:
        grays = [to_gray(frame) for frame in source]
    estimate = find_region(grays)
    assert estimate.confident
    height, width = grays[0].shape
    assert iou(estimate.rect or Rect(0, 0, width, height), REAL[clip]) >= 0.95


def test_a_nearly_static_real_screen_is_left_whole_and_said_to_be_unsure(shared_dir: Path) -> None:
    path = shared_dir / "clips" / "plus" / "USTC_FrameGrabber_ProbeTranslationData.igs.mha"
    with open_source(str(path)) as source:
        estimate = find_region([to_gray(frame) for frame in source])
    assert estimate.rect is None
    assert "unsure" in estimate.reason
