"""A run that was killed and started again ends where the uninterrupted one ends. With the training environment only."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from .recipes import prepare, train

NEEDED = "needs the training environment (make train-env)"
EPOCHS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 pictures of 64 px, 8 of them for validation, and a start of random weights."""
    torch: Any = pytest.importorskip("torch", reason=NEEDED)
    ultralytics: Any = pytest.importorskip("ultralytics", reason=NEEDED)
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = ["dataset,image,mask,label,flags,split"]
    for number in range(72):
        mask = np.zeros((64, 64), np.uint8)
        cv2.circle(mask, tuple(rng.integers(20, 44, 2).tolist()), 12, 255, -1)
        gray = np.where(mask > 0, 30, rng.integers(90, 160, (64, 64))).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), gray)
        cv2.imwrite(str(folder / f"{number}-mask.png"), mask)
        rows.append(f"d,{number}.png,{number}-mask.png,benign,,{'val' if number < 8 else 'train'}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    prepare.prepare(folder / "manifest.csv", folder / "set", crops=0.0)
    torch.manual_seed(0)
    ultralytics.YOLO("yolo11n-seg.yaml", task="segment").save(folder / "start.pt")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path) -> None:
    options = ["--epochs", EPOCHS, "--imgsz", 64, "--batch", 32, "--threads", 1, "--out", out]
    command = ["train.py", "--data", data / "set" / "data.yaml", "--start", data / "start.pt", *options]
    monkeypatch.setattr(sys, "argv", [str(part) for part in command])
    train.main()


def losses(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key.strip(): value for key, value in row.items() if key.strip() != "time"} for row in rows]


def test_a_killed_run_ends_where_the_uninterrupted_one_ends(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second epoch, after its row was written and before its checkpoint."""
    import torch
    import trainer

    run(monkeypatch, data, tmp_path / "whole")
    save = trainer.UltrasoundTrainer.save_model

    def killed(self: Any) -> bool:
        if self.epoch == 1:
            raise KeyboardInterrupt
        return bool(save(self))

    with monkeypatch.context() as patch:
        patch.setattr(trainer.UltrasoundTrainer, "save_model", killed)
        with pytest.raises(KeyboardInterrupt):
            run(patch, data, tmp_path / "killed")
    assert len(losses(tmp_path / "killed")) == 2
    run(monkeypatch, data, tmp_path / "killed")
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert [row["epoch"] for row in losses(tmp_path / "killed")] == ["1", "2", "3"]
    whole, again = (
        torch.load(tmp_path / name / "weights" / "last.pt", weights_only=False)["model"].state_dict()
        for name in ("whole", "killed")
    )
    assert all(torch.equal(value, again[key]) for key, value in whole.items())
    assert sorted(path.name for path in (tmp_path / "killed" / "weights").iterdir()) == ["best.pt", "last.pt"]


def test_a_classifier_of_before_an_option_can_be_resumed(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics", reason=NEEDED)
    import train_classifier

    (tmp_path / "start.pt").write_bytes(b"weights")
    (tmp_path / "m.csv").write_bytes(b"manifest")
    given: dict[str, Any] = {"epochs": 2, "imgsz": 64, "batch": 4, "seed": 0, "lr": 0.1, "head_only": False}
    files = {"start": tmp_path / "start.pt", "manifest": tmp_path / "m.csv", "out": tmp_path / "run"}
    options = argparse.Namespace(**files, **given)
    train_classifier._note_recipe(options, frozenset())
    note = tmp_path / "run" / "recipe.json"
    older = json.loads(note.read_text())
    del older["head_only"]
    note.write_text(json.dumps(older))
    train_classifier._note_recipe(options, frozenset())
    options.head_only = True
    with pytest.raises(SystemExit, match="with other head_only"):
        train_classifier._note_recipe(options, frozenset())
