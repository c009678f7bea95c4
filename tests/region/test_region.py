"""Finding the image on a cart's screen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

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


def screen(seed: int, frames: int = 91) -> PhantomSpec:
    """The screen of a cart; a shallow image, because synthesis is what takes the time here."""
    width, height = SIZES[(seed // 3) % 4]
    probe = list(Probe)[seed % 3]
    return PhantomSpec(probe, LESIONS[seed % 4], width, height, frames=frames, seed=seed, screen=True, depth_mm=23.0)


def to_luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def overlap_on_screen(seed: int) -> float:
    """IoU of found and true region; -1 where the finder was unsure."""
    spec, finder = screen(seed), RegionFinder()
    for made in render(spec):
        estimate = finder.update(to_luma(made.image))
        if finder.finished:
            break
    if not estimate.confident:
        return -1.0
    return iou(estimate.rect or Rect(0, 0, spec.width, spec.height), made.region)


@pytest.mark.slow
def test_the_region_is_found_on_200_seeded_cart_screens() -> None:
    # The finder was tuned on seeds 1000 to 1119; none of these was looked at before.
    overlaps = np.array([overlap_on_screen(seed) for seed in range(5000, 5200)])
    assert overlaps.min() >= 0.95, f"{np.sum(overlaps < 0.95)} below, worst seed {5000 + int(overlaps.argmin())}"


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_noise_of_a_grabber_does_not_hide_where_the_image_is(seed: int) -> None:
    rng, made = np.random.default_rng(seed), list(render(screen(seed, frames=30)))
    noisy = [np.clip(to_luma(f.image) + rng.normal(0, 5, f.image.shape[:2]), 0, 255).astype(np.uint8) for f in made]
    estimate = find_region(noisy)
    assert estimate.rect is not None
    assert iou(estimate.rect, made[0].region) >= 0.95


def test_a_cart_that_was_frozen_at_first_is_found_once_it_scans() -> None:
    made = list(render(screen(11, frames=260)))
    finder = RegionFinder()
    for _ in range(95):
        estimate = finder.update(to_luma(made[0].image))
    assert not estimate.confident
    assert "unsure" in estimate.reason
    for frame in made:
        estimate = finder.update(to_luma(frame.image))
        if finder.finished:
            break
    assert estimate.rect is not None
    assert iou(estimate.rect, made[0].region) >= 0.95


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
