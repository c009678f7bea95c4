"""Augmentation changes the picture as ultrasound does, and the outlines go with it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from .recipes import augment, burned_in, geometry, outlines, physics

NEVER = dict.fromkeys(augment.Settings().__dict__, 0.0)


def tissue(width: int = 300, height: int = 220) -> outlines.Gray:
    """Speckle that darkens with depth, and a black disc as lesion."""
    rng = np.random.default_rng(4)
    noise = cv2.GaussianBlur(rng.uniform(60, 200, (height, width)).astype(np.float32), (0, 0), 2)
    gray = noise * np.linspace(1.2, 0.5, height, dtype=np.float32)[:, None]
    cv2.circle(gray, (110, 90), 28, 10.0, cv2.FILLED)
    return np.asarray(np.clip(gray, 0, 255), np.uint8)


def disc(x: float = 110.5, y: float = 90.5, radius: float = 28.5) -> outlines.Outline:
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1).astype(np.float32)


def darkness_overlap(gray: outlines.Gray, found: list[outlines.Outline]) -> float:
    """How well the outline covers what is dark within its surroundings."""
    height, width = gray.shape
    inside = outlines.fill(found, width, height) > 0
    near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    dark = (cv2.GaussianBlur(gray, (0, 0), 1) < 45) & near
    return float(np.count_nonzero(dark & inside) / np.count_nonzero(dark | inside))


def test_the_same_generator_gives_the_same_picture_and_another_one_gives_another() -> None:
    augmenter = augment.Augmenter(augment.Settings(), 320)
    first, outline = augmenter(tissue(), [disc()], np.random.default_rng(11))
    second, same = augmenter(tissue(), [disc()], np.random.default_rng(11))
    other, _ = augmenter(tissue(), [disc()], np.random.default_rng(12))
    assert np.array_equal(first, second)
    assert np.array_equal(outline[0], same[0])
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_given_picture_is_not_written_to() -> None:
    gray, outline = tissue(), disc()
    before, points = gray.copy(), outline.copy()
    augmenter = augment.Augmenter(augment.Settings(untouched=0.0), 320)
    for seed in range(40):
        augmenter(gray, [outline], np.random.default_rng(seed))
    assert np.array_equal(gray, before)
    assert np.array_equal(outline, points)


@pytest.mark.parametrize("change", ["crop", "probe", "screen", "bend"])
def test_the_outline_stays_on_the_lesion(change: str) -> None:
    augmenter = augment.Augmenter(augment.Settings(**{**NEVER, change: 1.0}), 320)
    for seed in range(25):
        gray, found = augmenter(tissue(), [disc()], np.random.default_rng(seed))
        assert darkness_overlap(gray, found) > 0.85, seed


@pytest.mark.parametrize("seed", range(30))
def test_depth_stays_down_and_the_lesion_stays_round(seed: int) -> None:
    settings = augment.Settings(**{**NEVER, "crop": 0.5, "probe": 0.2, "screen": 0.4})
    _, found = augment.Augmenter(settings, 320)(tissue(), [disc(), disc(y=160)], np.random.default_rng(seed))
    upper, lower = found
    assert upper[:, 1].mean() < lower[:, 1].mean(), "flipped upside down"
    width, height = np.ptp(upper, axis=0)
    assert width / height == pytest.approx(1.0, abs=0.02), "one axis squeezed"


@pytest.mark.parametrize("size", [(300, 220), (275, 353), (220, 400)])
@pytest.mark.parametrize("half_angle", [0.12, 0.3, 0.5])
def test_bending_keeps_depth_and_changes_the_ratio_by_a_fifth_at_most(size: tuple[int, int], half_angle: float) -> None:
    width, height = size
    gray = np.full((height, width), 120, np.uint8)
    depths = [20.0, height / 4, height / 2, height * 3 / 4, height - 20.0]
    _, found = geometry.bend(gray, [disc(width / 2, depth, 15) for depth in depths], half_angle)
    centres = [float(each[:, 1].mean()) for each in found]
    assert centres == sorted(centres)
    for outline in found:
        wide, high = np.ptp(outline, axis=0)
        assert 0.78 < wide / high < 1.22


def test_the_longer_side_is_what_was_asked_for() -> None:
    augmenter = augment.Augmenter(augment.Settings(), 320)
    for seed in range(30):
        gray, _ = augmenter(tissue(), [disc()], np.random.default_rng(seed))
        assert max(gray.shape) == 320
        assert gray.dtype == np.uint8


def test_cropping_never_cuts_a_lesion() -> None:
    gray, (outline,) = geometry.crop(tissue(), [disc()], (0.6, 0.6, 0.6, 0.6))
    assert outline.min() >= 0
    assert (outline.max(axis=0) <= (gray.shape[1], gray.shape[0])).all()


def test_a_probe_mask_that_would_cut_the_lesion_is_not_applied() -> None:
    gray, _ = geometry.mask_to_probe(tissue(), [disc(30, 30)], 0.4, 0.05)
    assert np.array_equal(gray, tissue())


def test_gain_is_additive_in_log_compressed_pictures_and_black_stays_black() -> None:
    gray = np.array([[0, 60, 120]], np.uint8)
    brighter = physics.add_db(gray, np.full((1, 1), 6, np.float32))
    assert brighter[0, 0] == 0
    assert brighter[0, 1] - 60 == pytest.approx(6 * physics.LEVELS_PER_DB, abs=1)
    assert int(brighter[0, 2]) - 120 == int(brighter[0, 1]) - 60


def test_attenuation_and_shadow_darken_with_depth() -> None:
    flat = np.full((100, 80), 150, np.uint8)
    faded = physics.add_db(flat, physics.attenuation(100, 10))
    assert (np.diff(faded[:, 0].astype(int)) <= 0).all()
    assert faded[-1, 0] < faded[0, 0] - 30
    shaded = physics.add_db(flat, physics.shadow(100, 80, x=0.5, top=0.4, half_width=0.1, spread=0.2, depth_db=15))
    assert (shaded[:38] == 150).all()
    assert shaded[-1, 40] < 100
    assert (shaded[:, :20] == 150).all()


def test_a_smaller_dynamic_range_makes_a_harder_picture() -> None:
    gray = tissue()
    assert physics.tone(gray, 1.0, 45).std() > gray.std() > physics.tone(gray, 1.0, 80).std()


def test_a_hard_picture_clips_at_both_ends_and_black_outside_stays_black() -> None:
    gray = tissue()
    gray[:, :40] = 0
    hard = physics.harden(gray, contrast=2.5, middle=110)
    assert not hard[:, :40].any()
    assert (hard[:, 40:] == 255).any()
    assert (hard[80:100, 100:120] == 0).all()  # inside the lesion
    assert physics.harden(np.zeros((4, 4), np.uint8), 2.0, 120).max() == 0


def test_grain_enlarges_speckle_and_a_grain_of_one_leaves_it() -> None:
    flat = np.full((200, 200), 120, np.uint8)
    bank = physics.speckle_bank(np.random.default_rng(0))

    def roughness(grain: float) -> float:
        made = physics.speckle(flat, bank, 3, 5, 0.5, grain).astype(float)
        return float(np.abs(np.diff(made, axis=1)).mean() / made.std())

    assert roughness(2.0) < 0.7 * roughness(1.0)
    assert np.array_equal(physics.speckle(flat, bank, 3, 5, 0.5, 1.0), physics.speckle(flat, bank, 3, 5, 0.5))


def test_hard_pictures_come_only_where_they_are_asked_for() -> None:
    gray, outline = tissue(), [disc()]
    never, always = (augment.Augmenter(augment.Settings(**{**NEVER, "hard": hard}), 320) for hard in (0.0, 1.0))
    plain, _ = never(gray, outline, np.random.default_rng(2))
    hard, same = always(gray, outline, np.random.default_rng(2))
    assert not np.array_equal(plain, hard)
    assert np.array_equal(same[0], never(gray, outline, np.random.default_rng(2))[1][0])  # the outline stays
    assert hard.shape == plain.shape


def test_the_speckle_bank_is_rayleigh_in_decibels() -> None:
    bank = physics.speckle_bank(np.random.default_rng(0))
    assert abs(float(bank.mean())) < 0.5
    assert float(bank.std()) == pytest.approx(5.57, abs=0.6)  # log-compressed Rayleigh: 20/ln(10)*pi/sqrt(24) dB


def test_callipers_touch_the_lesion_or_stand_anywhere() -> None:
    blank = np.zeros((220, 300), np.uint8)
    rng = np.random.default_rng(0)
    on, off = blank.copy(), blank.copy()
    for _ in range(40):
        burned_in.callipers(on, [disc()], rng, on_lesion=True)
        burned_in.callipers(off, [disc()], rng, on_lesion=False)
    reach = cv2.dilate(outlines.fill([disc()], 300, 220), np.ones((13, 13), np.uint8)) > 0
    assert not on[~reach].any()
    assert np.count_nonzero(off[~reach]) > 5 * np.count_nonzero(off[reach])


def test_marks_fit_into_small_pictures() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        gray = np.zeros((64, 40 + seed), np.uint8)
        for mark in (burned_in.text, burned_in.ruler, burned_in.grey_bar, burned_in.body_mark):
            mark(gray, rng)
        assert gray.any()
