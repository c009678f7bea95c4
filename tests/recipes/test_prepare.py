"""The data set that training reads, made from a small synthetic manifest."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from .recipes import outlines, prepare

FIELDS = ["dataset", "image", "mask", "label", "patient", "group", "width", "height", "flags", "split"]


def write_manifest(folder: Path, rows: list[dict[str, str]], fields: list[str] | None = None) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields or FIELDS, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    plan = [
        ("busi", "a", True, "", "train"),
        ("busi", "b", False, "", "train"),
        ("busi", "c", True, "axilla", "train"),
        ("bus_uclm", "d", True, "marks", "train"),
        ("busbra", "e", True, "", "val"),
        ("busbra", "f", True, "", "test"),
        ("busbra", "g", True, "", "train"),
    ]
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for dataset, name, lesion, flags, split in plan:
        gray = rng.integers(30, 200, (300, 400), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), gray)
        if lesion:
            mask = np.zeros((300, 400), np.uint8)
            cv2.ellipse(mask, (300, 150), (40, 25), 0, 0, 360, 255, cv2.FILLED)
            cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), mask)
        mask_name = f"masks/{name}.png" if lesion else ""
        rows.append(
            {
                "dataset": dataset,
                "image": f"images/{name}.png",
                "mask": mask_name,
                "label": "benign" if lesion else "normal",
                "flags": flags,
                "split": split,
            }
        )
    return write_manifest(tmp_path, rows)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_splits_are_kept_the_test_split_and_the_axilla_are_left_out(manifest: Path, tmp_path: Path) -> None:
    report = prepare.prepare(manifest, tmp_path / "out", crops=0.0)
    names = {Path(name).stem for name in files(tmp_path / "out") if name.endswith(".png")}
    assert names == {"images__a", "images__b", "images__d", "images__e", "images__g"}
    assert report.left_out["axilla"] == 1
    assert (tmp_path / "out" / "val.txt").read_text() == "./images/val/images__e.png\n"


def test_normal_pictures_have_an_empty_label_and_lesions_a_polygon(manifest: Path, tmp_path: Path) -> None:
    prepare.prepare(manifest, tmp_path / "out")
    labels = tmp_path / "out" / "labels" / "train"
    assert (labels / "images__b.txt").read_text() == ""
    values = (labels / "images__a.txt").read_text().split()
    polygon = np.array(values[1:], np.float32).reshape(-1, 2) * (400, 300)
    mask = cv2.imread(str(manifest.parent / "masks" / "a.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    again = outlines.fill([polygon.astype(np.float32)], 400, 300)
    both, either = (again > 0) & (mask > 0), (again > 0) | (mask > 0)
    assert np.count_nonzero(both) / np.count_nonzero(either) > 0.97


def test_small_sets_and_normal_tissue_are_drawn_more_often(manifest: Path, tmp_path: Path) -> None:
    prepare.prepare(manifest, tmp_path / "out", crops=0.0)
    drawn = (tmp_path / "out" / "train.txt").read_text().splitlines()
    assert drawn.count("./images/train/images__g.png") == 1
    assert drawn.count("./images/train/images__b.png") == prepare.REPEATS["busi", False]
    assert drawn.count("./images/train/images__d.png") == prepare.REPEATS["bus_uclm", True]


def test_twice_the_same_manifest_gives_the_same_bytes(manifest: Path, tmp_path: Path) -> None:
    prepare.prepare(manifest, tmp_path / "out")
    first = files(tmp_path / "out")
    prepare.prepare(manifest, tmp_path / "out")
    assert files(tmp_path / "out") == first


def test_a_data_set_can_be_left_out(manifest: Path, tmp_path: Path) -> None:
    report = prepare.prepare(manifest, tmp_path / "out", frozenset({"busi"}))
    assert not any("busi" in key for key in report.images)
    assert json.loads((tmp_path / "out" / "prepared.json").read_text())["excluded"] == ["busi"]


def test_burned_in_marks_are_covered_in_training_and_left_in_validation() -> None:
    gray = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    gray[85:, 180:] = 255
    covered = prepare.cover_burned_in(gray, ((0.9, 0.85, 1.0, 1.0),))
    assert covered.max() < 200
    assert np.array_equal(covered[:85], gray[:85])
    assert gray.max() == 255


def test_a_lesion_free_crop_holds_no_lesion_and_keeps_the_speckle_size() -> None:
    gray = np.full((300, 400), 100, np.uint8)
    outline = np.array([[260, 100], [340, 100], [340, 180], [260, 180]], np.float32)
    cv2.fillPoly(gray, [outline.astype(np.int32)], 5)
    crop = prepare.lesion_free_crop(gray, [outline])
    assert crop is not None
    assert crop.min() == 100
    assert crop.shape[1] >= 0.75 * crop.shape[0]


def test_no_crop_is_taken_where_the_lesion_fills_the_picture() -> None:
    outline = np.array([[60, 60], [340, 60], [340, 240], [60, 240]], np.float32)
    assert prepare.lesion_free_crop(np.zeros((300, 400), np.uint8), [outline]) is None


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [], [name for name in FIELDS if name != "split"])
    with pytest.raises(SystemExit, match="split"):
        prepare.prepare(path, tmp_path / "out")


def test_a_black_mask_of_a_normal_picture_is_background_and_one_with_a_lesion_an_error(
    manifest: Path, tmp_path: Path
) -> None:
    def relabelled(label: str, mask: str) -> Path:
        row = {"dataset": "busi", "image": "images/b.png", "mask": mask, "label": label, "flags": "", "split": "train"}
        return write_manifest(tmp_path, [row])

    cv2.imwrite(str(tmp_path / "masks" / "black.png"), np.zeros((300, 400), np.uint8))
    report = prepare.prepare(relabelled("normal", "masks/black.png"), tmp_path / "out")
    assert report.images == {"train busi normal": 1}
    with pytest.raises(SystemExit, match=r"labelled normal, but its mask masks/a\.png holds a lesion"):
        prepare.prepare(relabelled("normal", "masks/a.png"), tmp_path / "out")
    with pytest.raises(SystemExit, match="is benign but has no mask"):
        prepare.prepare(relabelled("benign", ""), tmp_path / "out")
    with pytest.raises(SystemExit, match="the label 'tumour'"):
        prepare.prepare(relabelled("tumour", "masks/a.png"), tmp_path / "out")
