"""Synthetic sweeps: seeded, true to their masks, and played and measured like any recording."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from edge_us.capture.open import open_source
from edge_us.cli.main import app
from edge_us.errors import InputError, UsageError
from edge_us.evaluate.video.evaluation import SYNTHETIC, evaluate_video
from edge_us.evaluate.video.make_sweeps import make_sweeps
from edge_us.evaluate.video.sequences import read_sequences
from edge_us.evaluate.video.sweep import Motion, plan_sweep, render_sweep, sample_map
from edge_us.inference.backend import Precision
from edge_us.schema import schema_path

SIZE = (320, 240)
BOX = (140.0, 90.0, 190.0, 130.0)


def still() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(5)
    grey = rng.integers(40, 160, (SIZE[1], SIZE[0])).astype(np.uint8)
    labels = np.zeros_like(grey)
    labels[90:130, 140:190] = 1
    grey[labels > 0] = 5
    return grey, labels


@pytest.mark.parametrize("motion", list(Motion))
@pytest.mark.parametrize("seed", range(4))
def test_the_window_never_leaves_the_still(motion: Motion, seed: int) -> None:
    box = None if motion is Motion.NORMAL else BOX
    plan = plan_sweep(SIZE, box, motion, 90, 30.0, np.random.default_rng(seed))
    assert plan is not None
    for number in range(0, 90, 7):
        x, y = sample_map(plan, number)
        assert x.min() >= 0
        assert x.max() <= SIZE[0] - 1
        assert y.min() >= 0
        assert y.max() <= SIZE[1] - 1


def test_a_passing_lesion_comes_and_goes_and_one_within_stays() -> None:
    grey, labels = still()
    for motion, ends in ((Motion.PASS, 0), (Motion.WITHIN, 1)):
        plan = plan_sweep(SIZE, BOX, motion, 60, 30.0, np.random.default_rng(1))
        assert plan is not None
        areas = [int((shown > 0).sum()) for _, shown in render_sweep(grey, labels, plan)]
        assert (areas[0] > 0, areas[-1] > 0) == (bool(ends), bool(ends))
        assert max(areas) > 0.8 * 40 * 50


def test_masks_go_through_the_map_that_the_pixels_take() -> None:
    grey, labels = still()
    plan = plan_sweep(SIZE, BOX, Motion.WITHIN, 60, 30.0, np.random.default_rng(2))
    assert plan is not None
    for frame, shown in list(render_sweep(grey, labels, plan))[::9]:
        # The lesion is drawn darker than any tissue around it, so the picture itself says where it went.
        dark = frame < 24
        overlap = (dark & (shown > 0)).sum() / (dark | (shown > 0)).sum()
        assert overlap > 0.93


def test_speckle_turns_into_another_over_frames_and_not_at_once() -> None:
    flat = np.full((SIZE[1], SIZE[0]), 120, np.uint8)
    plan = plan_sweep(SIZE, None, Motion.NORMAL, 40, 30.0, np.random.default_rng(3))
    assert plan is not None
    frames = [frame.astype(np.float32) - frame.mean() for frame, _ in render_sweep(flat, np.zeros_like(flat), plan)]
    next_one = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in itertools.pairwise(frames)])
    later = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(frames, frames[20:], strict=False)])
    assert next_one > 0.5
    assert abs(later) < 0.1


def test_no_room_is_no_sweep() -> None:
    rng = np.random.default_rng(0)
    assert plan_sweep((90, 90), None, Motion.NORMAL, 10, 30.0, rng) is None
    assert plan_sweep(SIZE, (10.0, 10.0, 310.0, 230.0), Motion.PASS, 10, 30.0, rng) is None


@pytest.fixture(scope="module")
def sweeps(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps") / "out"
    return make_sweeps(shared_dir / "data" / "manifest.csv", folder, "val", count=3, frames=45)


def test_the_same_seed_gives_the_same_bytes(sweeps: Path, shared_dir: Path, tmp_path: Path) -> None:
    again = make_sweeps(shared_dir / "data" / "manifest.csv", tmp_path / "again", "val", count=3, frames=45)
    for path in sorted(sweeps.parent.iterdir()):
        other = again.parent / path.name
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), path.name


def test_clips_and_masks_agree_frame_by_frame_and_are_called_synthetic(sweeps: Path) -> None:
    rows = read_sequences(sweeps).clips
    assert [clip.synthetic for clip in rows] == [True, True, True]
    assert [clip.masks is None for clip in rows] == [False, False, True]
    for clip in rows:
        with open_source(str(clip.clip)) as source:
            frames = list(source)
        assert len(frames) == 45
        assert b"synthetic sweep made from a still picture" in clip.clip.read_bytes()[:400]
        if clip.masks is not None:
            with open_source(str(clip.masks)) as source:
                assert [mask.size for mask in source] == [frame.size for frame in frames]


def test_the_evaluation_says_synthetic_and_fits_its_schema(sweeps: Path, tmp_path: Path) -> None:
    report, page = tmp_path / "r.json", tmp_path / "r.html"
    command = ["evaluate", str(sweeps), "--video", "--precision", "fp32", "--report", str(report), "--html", str(page)]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    assert SYNTHETIC in done.output
    assert "UltraDet false tracks at recall 0.9" in done.output
    found = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(schema_path("video-evaluation-2").read_text(encoding="utf-8")))
    assert found["note"] == SYNTHETIC
    assert found["counts"]["clips"] == 3
    assert found["counts"]["frames"] == 135
    assert SYNTHETIC in page.read_text(encoding="utf-8")
    assert "http" not in page.read_text(encoding="utf-8")
    assert evaluate_video(sweeps, precision=Precision.FP32).report == found


def test_masks_that_do_not_fit_are_an_error(sweeps: Path, tmp_path: Path) -> None:
    with sweeps.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0]["masks"], rows[0]["clip"] = (str(sweeps.parent / rows[1]["masks"]), str(sweeps.parent / rows[0]["clip"]))
    path = tmp_path / "wrong.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerow(rows[0])
    with pytest.raises(InputError, match="the mask of frame 0 is"):
        evaluate_video(path)


HEAD = "dataset,clip,masks,label,group,fps,split,synthetic\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("d,c.mha,,benign,g,30,,no", "benign but has no masks"),
        ("d,c.mha,m.mha,normal,g,30,,no", "normal but has masks"),
        ("d,c.mha,m.mha,odd,g,30,,no", "the label 'odd'"),
        ("d,,m.mha,benign,g,30,,no", "no clip or no group"),
        ("d,c.mha,m.mha,benign,g,fast,,no", "the frame rate 'fast'"),
        ("d,c.mha,m.mha,benign,g,30,,maybe", "'maybe' under synthetic"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "sequences.csv"
    path.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_sequences(path)


def test_missing_columns_and_splits_are_named(tmp_path: Path) -> None:
    path = tmp_path / "sequences.csv"
    path.write_text("dataset,clip\nd,c.mha\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks the columns masks, label, group, fps, split, synthetic"):
        read_sequences(path)
    path.write_text(HEAD + "d,c.mha,,normal,g,30,test,no\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no row of"):
        read_sequences(path, "val")


def test_clips_that_are_not_there_are_found_before_anything_is_played(tmp_path: Path) -> None:
    path = tmp_path / "sequences.csv"
    (tmp_path / "there.mha").write_bytes(b"")
    path.write_text(HEAD + "d,there.mha,absent.mha,benign,g,30,,no\nd,gone.mha,,normal,g,30,,no\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"row 2 of sequences\.csv: there is no mask sequence .*absent.* \(1 more missing\)"
    ):
        evaluate_video(path)


def test_a_folder_with_something_in_it_is_left_alone(shared_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    done = CliRunner().invoke(app, ["sweeps", str(shared_dir / "data" / "manifest.csv"), str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_limit_does_not_go_with_sequences(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "s.csv"), "--video", "--limit", "3"])
    assert isinstance(done.exception, UsageError)
