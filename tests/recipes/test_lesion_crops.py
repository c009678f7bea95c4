"""Crops for the classifier: boxes as a detector draws them, tissue that stays upright, labels drawn evenly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from tests.evaluate.cases import write_case, write_manifest
from tests.recipes.recipes import lesion_crops

GRAY = np.zeros((8, 8), np.uint8)


def sample(dataset: str, is_malignant: bool) -> lesion_crops.Sample:
    return lesion_crops.Sample(GRAY, (1, 1, 5, 5), is_malignant, dataset)


def test_labels_are_drawn_evenly_within_a_data_set_and_large_sets_do_not_drown_small_ones() -> None:
    samples = [sample("large", False)] * 700 + [sample("large", True)] * 200
    samples += [sample("small", False)] * 30 + [sample("small", True)] * 70
    weights = lesion_crops.draw_weights(samples)
    assert weights.sum() == 1 or abs(weights.sum() - 1) < 1e-9
    mass: Counter[tuple[str, bool]] = Counter()
    for each, weight in zip(samples, weights, strict=True):
        mass[each.dataset, each.is_malignant] += weight
    assert abs(mass["large", True] - mass["large", False]) < 1e-9
    assert abs(mass["small", True] - mass["small", False]) < 1e-9
    assert abs(mass["large", True] / mass["small", True] - 3) < 1e-6  # the root of 900 / 100


def test_a_shaken_box_still_overlaps_well() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x1, y1, x2, y2 = lesion_crops.shake((100, 100, 180, 150), rng)
        across = max(0.0, min(x2, 180) - max(x1, 100)) * max(0.0, min(y2, 150) - max(y1, 100))
        union = (x2 - x1) * (y2 - y1) + 80 * 50 - across
        assert across / union > 0.5


def test_augmentation_keeps_depth_downwards_and_is_seeded() -> None:
    rows = np.linspace(250, 20, 160)[:, None]
    gray = np.broadcast_to(rows, (160, 160)).astype(np.uint8).copy()
    for seed in range(40):
        seen = lesion_crops.augment(gray, np.random.default_rng(seed))
        assert seen.shape == gray.shape
        assert seen[20:60, 40:120].mean() > seen[100:140, 40:120].mean()
        assert (seen == lesion_crops.augment(gray, np.random.default_rng(seed))).all()


def test_every_lesion_of_a_split_is_a_sample_and_normal_pictures_are_none(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        write_case(tmp_path, name, lesion=name != "d")
    rows = [
        "one,images/a.png,masks/a.png,benign,,p1,,train",
        "two,images/b.png,masks/b.png,malignant,,p2,,train",
        "one,images/c.png,masks/c.png,benign,,p3,,val",
        "one,images/d.png,,normal,,p4,,train",
    ]
    manifest = write_manifest(tmp_path, rows)
    found = lesion_crops.read_samples(manifest, "train")
    assert [(each.dataset, each.is_malignant) for each in found] == [("one", False), ("two", True)]
    assert len(lesion_crops.read_samples(manifest, "train", exclude=frozenset({"one"}))) == 1
    everywhere = lesion_crops.read_samples(manifest, None, datasets=["one"])
    assert [each.is_malignant for each in everywhere] == [False, False], "every split of that data set"
